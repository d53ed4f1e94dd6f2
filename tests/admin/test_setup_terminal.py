"""What a person types at a hidden question, and what is shown of it."""

from __future__ import annotations

import os
import select
import subprocess
import sys

import pytest

from bot.admin.setup.terminal import _edited


@pytest.mark.parametrize(
    ("pieces", "typed", "shown"),
    [
        (["abc\n"], "abc\n", "***"),
        (["a", "b", "\r"], "ab\n", "**"),
        (["abx\x7fc\n"], "abc\n", "***\b \b*"),
        (["\x7f\ba\n"], "a\n", "*"),
        (["abc\x15de\n"], "de\n", "***\b \b\b \b\b \b**"),
        (["a\x1b[Db\x1b[200~c\x1b[201~\n"], "abc\n", "***"),
        (["abc\nmore"], "abc\n", "***"),
        (["ü€\n"], "ü€\n", "**"),
    ],
)
def test_stars_are_shown_for_what_was_typed_and_corrections_work(
    pieces: list[str], typed: str, shown: str, capsys: pytest.CaptureFixture[str]
) -> None:
    found = ""
    for piece in pieces:
        found = _edited(found, piece, 80)
    assert found == typed
    assert capsys.readouterr().out == shown


def test_no_more_stars_are_shown_than_can_be_taken_back(capsys: pytest.CaptureFixture[str]) -> None:
    typed = _edited("", "abcdef", 4)
    assert capsys.readouterr().out == "****"
    typed = _edited(typed, "\x7f\x7f\x7f", 4)
    assert (typed, capsys.readouterr().out) == ("abc", "\b \b")
    _edited(_edited("abc", "def", 4), "\x15", 4)
    assert capsys.readouterr().out == "*" + "\b \b" * 4


def test_a_secret_typed_the_moment_its_question_appears_is_never_shown() -> None:
    """Nothing may be echoed by the terminal itself between the prompt and the first star."""
    master, slave = os.openpty()
    process = subprocess.Popen(
        [sys.executable, "-c", _ASKS_FOR_A_SECRET], stdin=slave, stdout=slave, stderr=slave, start_new_session=True
    )
    os.close(slave)
    shown = ""
    typed = False
    try:
        while "answer=" not in shown:
            assert select.select([master], [], [], 30)[0], f"it stopped after: {shown}"
            shown += os.read(master, 4096).decode()
            if "SECRET: " in shown and not typed:
                typed = True
                os.write(master, b"s3cret\n")
    finally:
        process.kill()
        process.wait()
        os.close(master)
    assert shown.split() == ["SECRET:", "******", "answer=6"]


# The prompt is slow to return, as on a busy machine: who types on seeing it must find the echo off already.
_ASKS_FOR_A_SECRET = """
import time
import click
from bot.admin.setup import terminal

echo = click.echo

def slow(*args, **kwargs):
    echo(*args, **kwargs)
    time.sleep(0.3)

terminal.click.echo = slow
print(f"answer={len(terminal._ask_with_stars('SECRET: '))}", flush=True)
"""
