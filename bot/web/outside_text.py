"""Names, notes and titles from outside, fit to stand on a page, in a feed and in a calendar. Pure.

Templates escape markup. This takes away what no escaping helps against: control characters, which XML forbids, characters
that turn the direction of what follows, and towers of accents, which cover the lines above and below.
"""

from __future__ import annotations

import unicodedata

from bot.albums import is_control

ACCENTS_MOST = 3
"""Combining marks on one letter: no script that is written needs more."""


def legible(text: str, most: int = 2000) -> str:
    """The text in one line, of at most `most` characters."""
    if text.isascii() and text.isprintable():
        return _within(text, most)
    kept: list[str] = []
    accents = 0
    for character in text:
        accents = accents + 1 if unicodedata.category(character) in ("Mn", "Me") else 0
        if accents <= ACCENTS_MOST:
            kept.append(" " if is_control(character) or _is_no_character(character) else character)
    return _within("".join(kept), most)


def _within(text: str, most: int) -> str:
    line = " ".join(text.split())
    return line if len(line) <= most else _cut(line, most - 1) + "…"


def _is_no_character(character: str) -> bool:
    return ord(character) & 0xFFFE == 0xFFFE or 0xFDD0 <= ord(character) <= 0xFDEF


def _cut(line: str, most: int) -> str:
    """The beginning of a line, which does not end within a letter and its accents."""
    while most > 1 and unicodedata.combining(line[most]):
        most -= 1
    return line[:most].rstrip()
