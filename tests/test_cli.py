"""The command line: help that fits, exit statuses, and errors in sentences."""

from __future__ import annotations

import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from bot.cli import main
from tests.process.harness import ROOT, bare_environment

CONTEXT = click.Context(main)
COMMANDS = sorted(main.list_commands(CONTEXT))


@pytest.fixture(autouse=True)
def folder(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty folder, and an environment with nothing of ours."""
    for name in list(os.environ):
        if re.match(r"(DISCORD|SPOTIFY|PUBLIC|TOKEN|DATABASE|BACKUP|WEB|METRICS)_", name):
            monkeypatch.delenv(name)
    monkeypatch.chdir(tmp_path)
    return tmp_path


def test_the_list_of_commands_fits_on_80_columns_and_cuts_nothing() -> None:
    said = CliRunner().invoke(main, ["--help"], terminal_width=80).output
    assert "..." not in said.replace("COMMAND [ARGS]...", "")
    assert max(map(len, said.splitlines())) <= 80
    listed = re.findall(r"^  ([a-z-]+)  +[A-Z].*\.$", said.partition("Commands:")[2], re.MULTILINE)
    assert sorted(listed) == COMMANDS
    assert listed[:3] == ["setup", "run", "doctor"]


@pytest.mark.parametrize("name", COMMANDS)
def test_each_command_has_examples_and_describes_its_options(name: str) -> None:
    said = CliRunner().invoke(main, [name, "--help"], terminal_width=80).output
    assert re.search(rf"\n  Examples?:\n    .*gatefold {name}", said), said
    assert said.count("  gatefold") <= 1 or "Examples:" in said
    command = main.get_command(CONTEXT, name)
    assert command is not None
    options = [parameter for parameter in command.params if isinstance(parameter, click.Option)]
    assert [option.name for option in options if not option.help] == []
    assert "--debug" in said


@pytest.mark.parametrize(
    "arguments", [["nope"], ["run", "extra"], ["backup", "--nope"], ["restore"], ["--nope"], ["sandbox", "--port", "x"]]
)
def test_wrong_use_is_status_2(arguments: list[str]) -> None:
    assert CliRunner().invoke(main, arguments).exit_code == 2


@pytest.mark.parametrize("port", ["99999", "-1", "many"])
def test_a_port_that_there_is_not_is_wrong_use(port: str) -> None:
    done = CliRunner().invoke(main, ["sandbox", "--port", port])
    assert done.exit_code == 2
    assert "Invalid value for '--port'" in done.output


@pytest.mark.parametrize("timeout", ["0", "-1", "1e400", "soon"])
def test_a_time_to_wait_that_there_is_not_is_wrong_use(timeout: str) -> None:
    done = CliRunner().invoke(main, ["health", "--timeout", timeout])
    assert done.exit_code == 2
    assert "Invalid value for '--timeout'" in done.output


def test_a_port_that_is_taken_is_told_with_how_to_choose_another() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        done = CliRunner().invoke(main, ["sandbox", "--port", str(port)])
    assert done.exit_code == 1
    assert (
        f"Another program already listens at 127.0.0.1:{port}. Choose another port: make demo PORT=8000" in done.output
    )


@pytest.mark.parametrize(("typed", "meant"), [("bakup", "backup"), ("docter", "doctor"), ("rotate-keys", "rotate-key")])
def test_a_misspelled_command_is_told_with_the_nearest_one(typed: str, meant: str) -> None:
    done = CliRunner().invoke(main, [typed])
    assert done.exit_code == 2
    assert f"No such command '{typed}'. Did you mean '{meant}'?" in done.output
    assert "Did you mean" not in CliRunner().invoke(main, ["xyz"]).output


@pytest.mark.parametrize("name", ["run", "backup", "rotate-key", "split-settings", "restore", "setup"])
def test_what_cannot_be_done_is_status_1_and_a_sentence(name: str) -> None:
    arguments = {"split-settings": ["out"], "restore": ["x.backup"]}.get(name, [])
    done = CliRunner().invoke(main, [name, *arguments])
    assert done.exit_code == 1
    assert done.stdout == "" or name == "setup"
    assert done.stderr.strip()
    assert "Traceback" not in done.output


def test_the_traceback_is_shown_with_debug_alone() -> None:
    for arguments, is_shown in ((["run"], False), (["run", "--debug"], True), (["--debug", "run"], True)):
        done = subprocess.run(
            [sys.executable, "-m", "bot", *arguments],
            env=bare_environment(str(ROOT)),
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert done.returncode == 1
        assert ("Traceback" in done.stderr) is is_shown
        assert "DISCORD_TOKEN" in done.stderr or not is_shown


def test_a_reader_that_stops_early_is_no_mistake() -> None:
    command = f"{sys.executable} -m bot doctor | head -n 0"
    done = subprocess.run(
        ["sh", "-c", command], env=bare_environment(str(ROOT)), capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_a_mistake_of_ours_is_a_sentence_too() -> None:
    @main.command("broken", short_help="Fail.")
    def broken() -> None:
        raise ZeroDivisionError("details")

    try:
        done = CliRunner().invoke(main, ["broken"])
    finally:
        del main.commands["broken"]
    assert done.exit_code == 1
    assert done.stderr == (
        "Something broke (ZeroDivisionError). Run this again with --debug, and report the traceback.\n"
    )
