"""deploy/gatefold.service: what systemd says of it, and the bot in what it hands in."""

from __future__ import annotations

import asyncio
import os
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path

import pytest

from bot.admin.secret_files import PLACED
from bot.app import PATIENCE_S
from bot.monitoring.systemd import MORE_S, STARTING_S
from bot.settings import secret_names
from tests.process.harness import ROOT, Outside, bare_environment, until_said
from tests.world import ADA, FIRST

UNIT = ROOT / "deploy/gatefold.service"
EXPOSURE = 20
"""At most this many tenths may `systemd-analyze security` find; from 3.0 on it no longer says OK."""

# The unit's MemoryDenyWriteExecute=, asked of the kernel itself (PR_SET_MDWE, Linux 6.3).
NO_WRITABLE_CODE = """
import ctypes, sys
if ctypes.CDLL(None).prctl(65, 1, 0, 0, 0) and "--try" in sys.argv:
    sys.exit(1)
if "--try" not in sys.argv:
    from bot.cli import main
    main()
"""


def values(name: str) -> list[str]:
    """Every value of a setting of the unit."""
    return re.findall(rf"^{name}=(.*)$", UNIT.read_text(encoding="utf-8"), re.MULTILINE)


def analyze(*arguments: str) -> subprocess.CompletedProcess[str]:
    """systemd-analyze, which needs no running systemd for these."""
    if shutil.which("systemd-analyze") is None:
        pytest.skip("NOT RUN: the unit was not looked at, because systemd-analyze is not here (Debian: systemd)")
    return subprocess.run(
        ["systemd-analyze", *arguments],
        env=os.environ | {"SYSTEMD_COLORS": "0", "SYSTEMD_PAGER": "cat"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_systemd_has_nothing_to_object_to(tmp_path: Path) -> None:
    there = tmp_path / UNIT.name
    # It wants the program to be there, too.
    there.write_text(UNIT.read_text(encoding="utf-8").replace("/opt/gatefold/bin/gatefold", sys.executable))
    done = analyze("verify", "--recursive-errors=no", str(there))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")


def test_systemd_calls_it_hardened() -> None:
    done = analyze("security", "--offline=true", f"--threshold={EXPOSURE}", "--no-pager", str(UNIT))
    verdict = done.stdout.splitlines()[-1] if done.stdout else done.stderr
    assert done.returncode == 0, verdict
    assert re.search(r": [01]\.\d OK|: 2\.0 OK", verdict), verdict


def test_every_secret_is_a_credential_and_none_is_in_the_environment() -> None:
    names = secret_names()
    assert values("LoadCredential") == [f"{name}:/etc/gatefold/secrets/{name}" for name in names_in_unit(names)]
    assert values("EnvironmentFile") == ["/etc/gatefold/gatefold.env"]
    [environment] = values("Environment")
    assert environment.partition("=")[0] in PLACED
    assert "token_keys" in names


def names_in_unit(names: list[str]) -> list[str]:
    """In the unit's own order."""
    order = [line.partition(":")[0] for line in values("LoadCredential")]
    assert sorted(order) == sorted(names)
    return order


def test_what_the_unit_waits_for_is_longer_than_what_the_bot_needs() -> None:
    assert values("Type") == ["notify"]
    assert values("NotifyAccess") == ["main"]
    assert values("TimeoutStartSec") == ["2min"]
    assert PATIENCE_S < 120
    assert MORE_S > STARTING_S
    assert values("TimeoutStopSec") == ["20s"]
    assert values("WatchdogSec") == ["60s"]
    assert values("Restart") == ["on-failure"]


async def test_the_bot_runs_on_what_the_unit_hands_in(out: Outside, tmp_path: Path) -> None:
    """Split settings, a credentials folder, systemd's socket, and memory that is never both written and run."""
    trial = await asyncio.create_subprocess_exec(sys.executable, "-c", NO_WRITABLE_CODE, "--try")
    if await trial.wait():
        pytest.skip("NOT RUN: MemoryDenyWriteExecute=, because this kernel has no PR_SET_MDWE")
    await out.link(ADA, "ada")
    (out.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in out.env.items()))
    etc = tmp_path / "etc"
    split = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "bot", "split-settings", str(etc)), cwd=out.folder, env=bare_environment(str(ROOT))
    )
    assert await split.wait() == 0
    (out.folder / ".env").unlink()
    credentials = tmp_path / "credentials"
    credentials.mkdir()
    for line in values("LoadCredential"):
        name, _, path = line.partition(":")
        shutil.copy(etc / Path(path).relative_to("/etc/gatefold"), credentials / name)
    plain = dict(line.split("=", 1) for line in (etc / "gatefold.env").read_text().splitlines())
    secret = {name.upper(): None for name in secret_names()}
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as notify:
        notify.bind(str(tmp_path / "notify"))
        notify.settimeout(20.0)
        process = await out.start(
            command=(sys.executable, "-c", NO_WRITABLE_CODE, "run"),
            **(plain | secret),
            CREDENTIALS_DIRECTORY=str(credentials),
            NOTIFY_SOCKET=str(tmp_path / "notify"),
            WATCHDOG_USEC="60000000",
        )
        assert "Saved" in await until_said(await out.save(FIRST), "library")
        environment = Path(f"/proc/{process.pid}/environ").read_bytes().decode()
        assert [value for value in out.secrets() if value in environment] == []
        await process.terminate()
        told = b""
        while b"STOPPING=1" not in told:
            told += notify.recv(4096) + b"\n"
        assert b"READY=1" in told
