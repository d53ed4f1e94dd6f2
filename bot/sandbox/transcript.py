"""The transcript of a server: what its members do, and what they read, as lines of plain text."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import cast

import discord
import simcord

from bot.sandbox.clock import Clock
from bot.sandbox.components import Json
from bot.sandbox.reading import Reader, wrapped

WIDTH = 100
_BAR = re.compile(r"\d+(?:\.5)? *(?:█+ \d+)?")
_DATE = re.compile(r"\w{3} \d+ \w{3}, \d\d:\d\d")
PUBLIC, PRIVATE = "  │ ", "  ┊ "
"""The margins of what everybody reads, and of what one member reads."""


@dataclass(frozen=True, slots=True)
class Post:
    """A message of the bot in a channel, as it was read first."""

    at: datetime
    lines: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class _News:
    at: datetime
    margin: str
    lines: list[str]


class Transcript:
    """Tells what happens, in order. `echo` takes one line at a time; `posts` is what was posted in the channel.

    `is_brief`: threads and changes of messages are not told, and neither are lines of posts that were told before.
    """

    def __init__(
        self,
        clock: Clock,
        channel: simcord.ChannelHandle,
        members: Mapping[str, simcord.MemberActor],
        zone: tzinfo,
        echo: Callable[[str], None],
    ) -> None:
        self.posts: list[Post] = []
        self.is_brief = False
        self._clock = clock
        self._channel = channel
        self._members = members
        self._zone = zone
        self._echo = echo
        self._shown: dict[int, list[str]] = {}
        self._told: set[str] = set()
        self._when = ""
        self._margin = ""

    def reader(self, at: datetime | None = None) -> Reader:
        """Reads messages as they look at a moment; None: now."""
        names = {member.id: name for name, member in self._members.items()}
        names[self._channel.id] = self._channel.name or ""
        return Reader(names, at or self._clock.now(), self._zone)

    def heading(self, text: str) -> None:
        """Begin a part."""
        self._echo("")
        self._echo(f"━━ {text} ".ljust(WIDTH, "━"))
        self._when = ""

    def action(self, text: str) -> None:
        """Something that members do, or that happens to the bot."""
        self._at(self._clock.now(), "  ")
        for line in wrapped([text], WIDTH, "  "):
            self._echo(line)

    def private(self, components: Sequence[Json], holds: str = "", most: int | None = None) -> None:
        """An answer that one member sees. `holds`: only the line with these words. `most`: at most this many lines."""
        lines = _without_source(self.reader().lines(components))
        if holds:
            lines = [next((line for line in lines if holds in line), "")]
        self._block(_first(lines, most), PRIVATE)

    def form(self, modal: Json, most: int | None = None) -> None:
        """A form that one member fills in. `most`: at most this many lines."""
        self._block(_first(self.reader().form(modal), most), PRIVATE)

    def news(self) -> None:
        """Tell what the bot has posted since the last time, and what it has changed."""
        found = self._of(self._channel, PUBLIC, "")
        for thread in self._channel.threads:
            in_thread = self._of(thread, PUBLIC, "in the thread: ")
            found += [] if self.is_brief else in_thread
        for name, member in self._members.items():
            found += self._of(member.user.dm_channel, PRIVATE, f"to {name}: ")
        told = {_common(line) for one in found for line in one.lines} - {""}
        for one in sorted(found, key=lambda one: one.at):
            self._at(one.at, one.margin)
            lines = one.lines
            if self.is_brief and one.margin == PUBLIC:
                lines = [line for line in lines if _common(line) not in self._told]
                lines[-1] += " …" if len(lines) < len(one.lines) else ""
            self._block(lines, one.margin)
        self._told |= told

    def seen(self, message: discord.Message) -> None:
        """Somebody has just read a message as it is now."""
        self._shown[message.id] = self._lines(message, self._clock.now())

    def lines(self, message: discord.Message) -> list[str]:
        """What a person reads of a message now."""
        return self._lines(message, self._clock.now())

    def _of(self, channel: simcord.ChannelHandle, margin: str, to: str) -> list[_News]:
        found: list[_News] = []
        for message in channel.history():
            if not message.author.bot or message.flags.ephemeral or not message.components:
                continue
            before = self._shown.get(message.id)
            at = message.created_at if before is None or message.edited_at is None else message.edited_at
            lines = self._lines(message, at)
            if before is None:
                found.append(_News(at, margin, [to + lines[0], *lines[1:]]))
                if channel is self._channel:
                    self.posts.append(Post(at, tuple(lines)))
            elif not self.is_brief and (changed := [line for line in lines if line not in before]):
                found.append(_News(at, margin, [f"{before[0]}, changed: {changed[0]}", *changed[1:]]))
            self._shown[message.id] = lines
        return found

    def _lines(self, message: discord.Message, at: datetime) -> list[str]:
        parts = [cast("Json", part.to_dict()) for part in message.components]
        return _with_short_chart(_without_source(self.reader(at).lines(parts)))

    def _at(self, moment: datetime, margin: str) -> None:
        """Say when, if that is not what was said last, and keep messages apart."""
        when = self.reader().when(moment)
        if when != self._when:
            self._echo(when)
        elif margin == PUBLIC == self._margin:
            self._echo(PUBLIC.rstrip())
        elif margin != self._margin and PUBLIC in (margin, self._margin):
            self._echo("")
        self._when, self._margin = when, margin

    def _block(self, lines: Sequence[str], margin: str) -> None:
        for line in wrapped(lines, WIDTH - len(margin), margin):
            self._echo(line)


def _common(line: str) -> str:
    """A line without its dates; empty: it belongs to its message alone, as it names a member, an album or a figure."""
    is_own = line.startswith(("-", ">")) or any(mark in line for mark in ("@", "█", "·", "round"))
    return "" if is_own or line.count(" ") < 2 else _DATE.sub("…", line)


def _with_short_chart(lines: list[str]) -> list[str]:
    """With a chart of ratings in one line."""
    bars = [line for line in lines if _BAR.fullmatch(line)]
    if len(bars) < 2:
        return lines
    begin = lines.index(bars[0])
    chart = " · ".join(" ".join(bar.split()) for bar in bars)
    return [*lines[:begin], chart, *lines[begin + len(bars) :]]


def _first(lines: list[str], most: int | None) -> list[str]:
    return lines if most is None or len(lines) <= most else [*lines[:most], "…"]


def _without_source(lines: list[str]) -> list[str]:
    """Without the last line of most cards, which says where names and covers are from."""
    return [line for line in lines if line != "on Spotify"]
