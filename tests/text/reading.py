"""Finding texts that did not come from the message catalogue, in messages and pages in the made-up language."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from html.parser import HTMLParser
from typing import Any

from bot.text.pseudo import CLOSE, OPEN

READ = ("content", "label", "description", "placeholder", "title")
"""What people read of a component or a modal."""
# Links, mentions, timestamps, command names and code: the same in every language.
_NEUTRAL = re.compile(r"\]\([^)]*\)|<[^>]*>|`[^`]*`|https?:\S+|(?<!\w)/[a-z]+")


def readable(part: Any) -> Iterator[str]:
    """Every text that people read in a message, a modal, or a list of choices."""
    if isinstance(part, dict):
        yield from (part[key] for key in READ if isinstance(part.get(key), str))
        for value in part.values():
            yield from readable(value)
    elif isinstance(part, list):
        for item in part:
            yield from readable(item)


def outside(text: str, facts: Iterable[str] = ()) -> list[str]:
    """The words of a text that are neither in the catalogue's brackets, nor facts, nor links."""
    depth, rest = 0, ""
    for character in text:
        depth += (character == OPEN) - (character == CLOSE)
        rest += character if depth <= 0 and character != CLOSE else " "
    rest = _NEUTRAL.sub(" ", rest.replace("\\", ""))
    for fact in sorted(facts, key=len, reverse=True):
        rest = rest.replace(fact, " ")
        if len(fact) > 30:  # a long name may have been shortened
            rest = re.sub(re.escape(fact[:15]) + "[^…]*…", " ", rest)
    return re.findall(r"[^\W\d_]{2,}", rest)


def is_whole(text: str) -> bool:
    """Whether no sentence was cut off."""
    return text.count(OPEN) == text.count(CLOSE)


def flaws(part: Any, facts: Iterable[str] = ()) -> list[str]:
    """Texts that bypass the catalogue, and sentences that were cut off."""
    facts = [*facts]
    texts = [*readable(part)]
    return [
        *(f"not from the catalogue: {words} in {text!r}" for text in texts if (words := outside(text, facts))),
        *(f"cut off: {text!r}" for text in texts if not is_whole(text)),
    ]


class PageTexts(HTMLParser):
    """The texts of a page, a block each, attributes that are read aloud included."""

    INLINE = ("a", "b", "bdi", "code", "em", "i", "span", "strong", "time")

    def __init__(self, page: str) -> None:
        super().__init__()
        self.texts = [""]
        self._skipped = 0
        self.feed(page)
        self.texts = [text.strip() for text in self.texts if text.strip()]

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """A tag, with what it says to a screen reader."""
        self._skipped += tag in ("style", "script")
        if tag not in self.INLINE:
            self.texts.append("")
        self.texts[:0] = [value for name, value in attrs if name in ("alt", "aria-label", "title") and value]

    def handle_endtag(self, tag: str) -> None:
        """The end of a tag."""
        self._skipped -= tag in ("style", "script")
        if tag not in self.INLINE:
            self.texts.append("")

    def handle_data(self, data: str) -> None:
        """Text between tags."""
        if not self._skipped:
            self.texts[-1] += data
