"""Stand-ins for the programs that documents tell a host to run, and that tests cannot: tests/test_docs_commands.py.

What they are told to start is the real bot, with what the unit or compose.yaml hands in. What a stand-in does not know
it refuses, so that a document cannot ask for it. Run as a program: `shims.py NAME ARGUMENT...`.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import NoReturn

ROOT = Path(__file__).resolve().parents[1]
STAGE = Path(os.environ["SHIMS_STAGE"])
"""Holds `machine` (what stands for /etc, /opt and the like), `calls`, `pid` and `log`."""
MACHINE = STAGE / "machine"
UNIT = MACHINE / "etc/systemd/system/gatefold.service"
START_S = 20.0


def on_machine(text: str) -> str:
    """A text in which the system's folders are those of the stage."""
    return re.sub(r"(?<![\w./$-])/(?=(etc|opt|var/lib|mnt)/)", f"{MACHINE}/", text)


def refuse(*words: str) -> NoReturn:
    sys.exit(f"the stand-in does not know: {' '.join(words)}")


# -- the service


def start(env: Mapping[str, str], folder: Path, program: str) -> None:
    """The bot, until it is well; whatever ran before is stopped."""
    from bot.admin.health import asked  # here, since the other programs are quicker without it

    stop()
    folder.mkdir(parents=True, exist_ok=True)
    with open(STAGE / "log", "ab") as log:
        process = subprocess.Popen(
            [program, "run"], env=bare() | dict(env), cwd=folder, stdout=log, stderr=log, start_new_session=True
        )
    (STAGE / "pid").write_text(str(process.pid))
    until = time.monotonic() + START_S
    while not (answer := asked("127.0.0.1", int(env["WEB_PORT"]), 1.0))[0]:
        if process.poll() is not None or time.monotonic() > until:
            sys.exit(f"the bot did not start: {answer[1]}\n{(STAGE / 'log').read_text()}")
        time.sleep(0.05)


def stop() -> None:
    """SIGTERM, as systemd and Docker do, until it is gone."""
    pid = STAGE / "pid"
    if not pid.exists():
        return
    process = Path("/proc") / pid.read_text()
    pid.unlink()
    with suppress(ProcessLookupError, FileNotFoundError):
        os.kill(int(process.name), signal.SIGTERM)
        while "State:\tZ" not in (process / "status").read_text():
            time.sleep(0.02)


def bare() -> dict[str, str]:
    return {name: os.environ[name] for name in ("PATH", "HOME", "SHIMS_STAGE")}


def of_file(path: str) -> dict[str, str]:
    lines = Path(path).read_text().splitlines()
    return {name: value.strip("'") for name, _, value in (line.partition("=") for line in lines)}


def handed_in(properties: Sequence[str]) -> dict[str, str]:
    """The environment that systemd makes of a unit's lines."""
    found: dict[str, str] = {}
    credentials = STAGE / "credentials"
    shutil.rmtree(credentials, ignore_errors=True)
    credentials.mkdir()
    for line in properties:
        name, _, value = on_machine(line).partition("=")
        if name == "Environment":
            found[value.partition("=")[0]] = value.partition("=")[2]
        elif name == "LoadCredential":
            shutil.copy(value.partition(":")[2], credentials / value.partition(":")[0])
    for line in properties:
        if line.startswith("EnvironmentFile="):
            found |= of_file(on_machine(line.partition("=")[2]))
    return found | {"CREDENTIALS_DIRECTORY": str(credentials)}


def unit() -> list[str]:
    return UNIT.read_text().splitlines()


# -- the programs


def systemctl(*words: str) -> None:
    match words:
        case ("daemon-reload",) | ("reload", "caddy"):
            pass
        case ("enable", "--now", "gatefold") | ("start" | "restart", "gatefold"):
            lines = unit()
            start(handed_in(lines), MACHINE / "var/lib/gatefold", on_machine("/opt/gatefold/bin/gatefold"))
        case ("stop", "gatefold"):
            stop()
        case _:
            refuse("systemctl", *words)


def systemd_run(*words: str) -> None:
    properties = [word.removeprefix("--property=") for word in words if word.startswith("--property=")]
    at = next(place for place, word in enumerate(words) if not word.startswith("--"))
    command = [on_machine(word) for word in words[at:]]
    assert {"DynamicUser=yes", "User=gatefold", "UMask=0077"} <= set(properties)
    os.chdir(MACHINE / "var/lib/gatefold")
    os.execve(command[0], command, bare() | handed_in(properties))  # noqa: S606 (what the document says)


def of_compose() -> dict[str, str]:
    """What compose.yaml hands in, and every file that it names must be there, readable for the bot's user."""
    import yaml  # here, since the other programs are quicker without it

    content = yaml.safe_load(Path("compose.yaml").read_text())
    service = content["services"]["gatefold"]
    handed = STAGE / "run-secrets"
    shutil.rmtree(handed, ignore_errors=True)
    handed.mkdir()
    for name in service["secrets"]:
        file = Path(content["secrets"][name]["file"])
        assert file.name == name
        assert file.stat().st_mode & 0o004, f"{file} cannot be read by another user"
        shutil.copy(file, handed / name)
    for volume in (volume for each in content["services"].values() for volume in each["volumes"]):
        source = re.sub(r"\$\{\w+:-([^}]*)\}", r"\1", volume).partition(":")[0]
        assert Path(source).is_file() if source.startswith(".") else source in content["volumes"], volume
    # the port is the test's own: 8080 may be taken here
    given = {name: in_volume(value) for name, value in service["environment"].items() if name != "WEB_PORT"}
    return of_file(service["env_file"]) | given | {"CREDENTIALS_DIRECTORY": str(handed)}


def in_volume(path: str) -> str:
    """The volumes are not folders of the machine."""
    return path.replace("/var/lib/gatefold", f"{STAGE}/volume").replace("/var/backups/gatefold", f"{STAGE}/backups")


def of_volume(path: str) -> str:
    """A path in the container, which the test took for one of the machine."""
    return path.replace(f"{MACHINE}/var/lib/gatefold", f"{STAGE}/volume")


def docker(*words: str) -> None:
    match words:
        case ("build", "--pull", "-t", "gatefold:0.1.0", "."):
            assert Path("Dockerfile").is_file()
        case ("compose", "up", "-d") | ("compose", "--profile", "caddy", "up", "-d"):
            start(of_compose(), STAGE / "volume", gatefold())
        case ("compose", "stop", "gatefold"):
            stop()
        case ("compose", "cp", source, "."):
            shutil.copy(of_volume(source.removeprefix("gatefold:")), ".")
        case ("compose", "exec", "gatefold", "gatefold", *rest) | ("compose", "run", "--rm", "-T", "gatefold", *rest):
            env = bare() | of_compose()
            os.chdir(STAGE / "volume")
            os.execve(gatefold(), ["gatefold", *map(of_volume, rest)], env)  # noqa: S606 (what the document says)
        case ("compose", "logs", *_):
            print((STAGE / "log").read_text())
        case ("run", *rest):
            in_a_container(rest)
        case _:
            refuse("docker", *words)


def in_a_container(words: Sequence[str]) -> None:
    """`docker run` with this folder as /host."""
    at = words.index("gatefold:0.1.0")
    options = list(words[:at])
    assert options[options.index("-v") + 1] == f"{Path.cwd()}:/host"
    assert options[options.index("-w") + 1] == "/host"
    env = {"WEB_HOST": "0.0.0.0", "DATABASE_PATH": in_volume("/var/lib/gatefold/gatefold.db")}
    for place in (place for place, word in enumerate(options) if word == "-e"):
        name, _, value = options[place + 1].partition("=")
        env[name] = value
    os.execve(gatefold(), ["gatefold", *words[at + 1 :]], bare() | env)  # noqa: S606 (what the document says)


def gatefold() -> str:
    return str(STAGE / "bin/gatefold")


def make(*words: str) -> None:
    """Only whether there are such targets; each has a test of its own, or is one."""
    path = os.pathsep.join(place for place in os.environ["PATH"].split(os.pathsep) if place != str(STAGE / "bin"))
    real = shutil.which("make", path=path)
    if real is None:
        sys.exit("there is no make here that could be asked whether there are such targets")
    targets = [word for word in words if not re.fullmatch(r"[A-Z]+=.*", word)]
    known = re.findall(r"^([a-z-]+):", (ROOT / "Makefile").read_text(), re.MULTILINE)
    if not targets or not set(targets) <= set(known):
        refuse("make", *words)  # make itself takes the name of any file that is there
    done = subprocess.run([real, "--dry-run", "-C", str(ROOT), *words], capture_output=True, text=True, check=False)
    sys.exit(done.stderr if done.returncode else 0)


def journalctl(*words: str) -> None:
    if "gatefold" not in words:
        refuse("journalctl", *words)
    print((STAGE / "log").read_text())


def git(*words: str) -> None:
    if words != ("pull",):
        refuse("git", *words)


def apt_get(*words: str) -> None:
    if words[0] not in ("update", "install"):
        refuse("apt-get", *words)


PROGRAMS = {
    "systemctl": systemctl,
    "systemd-run": systemd_run,
    "docker": docker,
    "make": make,
    "journalctl": journalctl,
    "git": git,
    "apt-get": apt_get,
}

if __name__ == "__main__":
    with open(STAGE / "calls", "a") as calls:
        calls.write(json.dumps(sys.argv[1:]) + "\n")
    PROGRAMS[sys.argv[1]](*sys.argv[2:])
