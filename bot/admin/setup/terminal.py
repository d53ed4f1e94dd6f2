"""Asks at the terminal; of a secret, only stars are shown."""

from __future__ import annotations

import os
import re
import shutil
import sys
import termios
import tty

import click

from bot.admin.setup.questions import Question

_ERASE = ("\x7f", "\b")
_CLEAR = "\x15"  # Ctrl-U
_END = ("\r", "\n")
_ESCAPES = re.compile(r"\x1b(?:\[[0-9;]*[ -/]*[@-~]|[@-_])?")
"""What arrow keys and pasting in some terminals send beside the text."""


def ask(question: Question) -> str:
    """The answer as it was typed. click.Abort at Ctrl-D."""
    if question.is_secret:
        return _ask_with_stars(f"{question.name}: ")
    default = question.suggestion or ("" if question.is_optional else None)
    answer: str = click.prompt(question.name, default=default, show_default=bool(question.suggestion))
    return answer


def _ask_with_stars(prompt: str) -> str:
    """Read one line without echo, and write a star for each character."""
    terminal = sys.stdin.fileno()
    # A star in the next line could not be taken back.
    room = max(1, shutil.get_terminal_size().columns - len(prompt) - 1)
    before = termios.tcgetattr(terminal)
    typed = ""
    try:
        # No echo before the prompt is there: who pastes at once would see the secret. What was typed before the prompt
        # is thrown away, as getpass does.
        tty.setcbreak(terminal, termios.TCSAFLUSH)
        click.echo(prompt, nl=False)
        while not typed.endswith(_END):
            piece = os.read(terminal, 4096).decode(errors="replace")
            if not piece or "\x04" in piece:
                raise click.Abort
            typed = _edited(typed, piece, room)
    finally:
        termios.tcsetattr(terminal, termios.TCSADRAIN, before)
        click.echo()
    return typed.rstrip("".join(_END))


def _edited(typed: str, piece: str, room: int) -> str:
    """What is typed after this piece. `room`: how many stars are shown at most."""
    for character in _ESCAPES.sub("", piece):
        if character in _ERASE:
            if 0 < len(typed) <= room:
                click.echo("\b \b", nl=False)
            typed = typed[:-1]
        elif character == _CLEAR:
            click.echo("\b \b" * min(len(typed), room), nl=False)
            typed = ""
        elif character in _END:
            return typed + "\n"
        else:
            typed += character
            if len(typed) <= room:
                click.echo("*", nl=False)
    return typed
