"""Stand-ins for `docker` and `gh` in `.ci/release`: containers are processes of this repository's bot.

Usage: release_shims.py PROGRAM ARGUMENTS... Each call is written to $CALLS, one JSON array a line.
"""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

STAGE = Path(os.environ["STAGE"])
IMAGE = "gatefold:"


def bot(arguments: list[str], env: dict[str, str]) -> list[str]:
    os.environ.update(env)
    return [sys.executable, "-m", os.environ.get("BOT_MODULE", "bot"), *arguments]


def run(words: list[str]) -> None:
    at = next(place for place, word in enumerate(words) if IMAGE in word)
    options, arguments = words[:at], words[at + 1 :]
    env = dict(words[place + 1].split("=", 1) for place, word in enumerate(options) if word == "--env")
    (STAGE / "empty").mkdir(exist_ok=True)
    os.chdir(STAGE / "empty")
    if "--detach" not in options:
        command = bot(arguments, env)
        os.execv(command[0], command)  # noqa: S606 (the test's own Python)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    (STAGE / "port").write_text(port)
    assert {"--read-only", "--cap-drop"} <= set(options)
    # Only the parent of a process learns its exit status, and this program ends at once: a child of it stays.
    if os.fork() == 0:
        os.setsid()
        os.dup2(os.open(os.devnull, os.O_RDWR), 1)
        os.dup2(1, 2)
        with open(STAGE / "log", "wb") as log:
            process = subprocess.Popen(
                bot(["run"], env | {"WEB_PORT": port, "DATABASE_PATH": str(STAGE / "gatefold.db")}),
                stdout=log,
                stderr=log,
            )
        (STAGE / "pid").write_text(str(process.pid))
        (STAGE / "status").write_text(str(process.wait()))
        os._exit(0)
    print("container-1")


def stop() -> None:
    os.kill(int((STAGE / "pid").read_text()), signal.SIGTERM)
    until = time.monotonic() + 20
    while not (STAGE / "status").exists() and time.monotonic() < until:
        time.sleep(0.05)


def docker(words: list[str]) -> None:
    match words:
        case ["run", "--rm", "--privileged", "tonistiigi/binfmt", *_] | ["buildx", *_] | ["rm", *_]:
            pass
        case ["run", *rest]:
            run(rest)
        case ["exec", "container-1", "gatefold", *rest]:
            command = bot(rest, {"WEB_PORT": (STAGE / "port").read_text()})
            os.execv(command[0], command)  # noqa: S606 (the test's own Python)
        case ["stop", *_]:
            stop()
        case ["inspect", *_]:
            print((STAGE / "status").read_text())
        case ["logs", *_]:
            print((STAGE / "log").read_text(), file=sys.stderr)
        case _:
            sys.exit(f"unknown: docker {words}")


def gh(words: list[str]) -> None:
    assert words[:2] == ["release", "create"]
    (STAGE / "notes").write_text(sys.stdin.read())


if __name__ == "__main__":
    with open(STAGE / "calls", "a") as calls:
        calls.write(json.dumps(sys.argv[1:]) + "\n")
    {"docker": docker, "gh": gh}[sys.argv[1]](sys.argv[2:])
