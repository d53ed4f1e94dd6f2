"""What a person reads of a message: its components as lines of plain text, without markup. Pure."""

from __future__ import annotations

import re
import textwrap
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo

from bot.sandbox.components import Json

_ROW, _BUTTON, _SELECT, _SECTION, _TEXT, _FILE, _CONTAINER = 1, 2, 3, 9, 10, 13, 17

_TOKEN = re.compile(
    r"\\(?P<escaped>[^a-zA-Z0-9\s])"
    r"|<t:(?P<at>\d+)(?::(?P<style>[a-zA-Z]))?>"
    r"|</(?P<command>[^:>]+):\d+>"
    r"|<@(?P<role>&?)(?P<mention>\d+)>"
    r"|<#(?P<channel>\d+)>"
    r"|\[(?P<label>(?:\\.|[^\]\\])*)\]\(<?https?://[^)\s]+\)"
    r"|(?P<marks>\*\*|`)"
)
_LINE_START = re.compile(r"^(#{1,3} |-# )")
_UNITS = ((86_400, "day"), (3600, "hour"), (60, "minute"))


@dataclass(frozen=True, slots=True)
class Reader:
    """Reads messages at a moment, in a time zone. `names`: what is shown for the ids of people and channels."""

    names: Mapping[int, str]
    now: datetime
    zone: tzinfo = UTC

    def lines(self, components: Sequence[Json]) -> list[str]:
        """Every text, then the buttons and menus below it, in reading order."""
        return [line for part in components for line in self._part(part)]

    def form(self, modal: Json) -> list[str]:
        """The title of a form and its fields with what can be chosen; fields that offer the same share a line."""
        fields: dict[str, list[str]] = {}
        for part in modal["components"]:
            options = part["component"].get("options")
            offers = "____" if options is None else " | ".join(one["label"] for one in options)
            fields.setdefault(offers, []).append(part["label"])
        return [modal["title"], *(f"{', '.join(labels)}: {offers}" for offers, labels in fields.items())]

    def text(self, markdown: str) -> str:
        """Text as Discord shows it."""
        return _TOKEN.sub(self._token, _LINE_START.sub("", markdown)).replace("\u200b", "")

    def when(self, moment: datetime) -> str:
        """A date and time: "Tue 1 Dec, 20:00"."""
        there = moment.astimezone(self.zone)
        return f"{there:%a} {there.day} {there:%b}, {there:%H:%M}"

    def _token(self, found: re.Match[str]) -> str:
        group = found.groupdict()
        if group["escaped"]:
            return group["escaped"]
        if group["at"]:
            moment = datetime.fromtimestamp(int(group["at"]), UTC)
            return self._moment(moment, group["style"] or "f")
        if group["command"]:
            return f"/{group['command']}"
        if group["mention"]:
            return f"@{self.names.get(int(group['mention']), 'somebody')}"
        if group["channel"]:
            return f"#{self.names.get(int(group['channel']), 'a-channel')}"
        if group["label"] is not None:
            return self.text(group["label"])
        return ""

    def _moment(self, moment: datetime, style: str) -> str:
        there = moment.astimezone(self.zone)
        match style:
            case "R":
                return self._relative(moment)
            case "d" | "D":
                return f"{there.day} {there:%b %Y}"
            case "t" | "T":
                return f"{there:%H:%M}"
        return self.when(moment)

    def _relative(self, moment: datetime) -> str:
        seconds = (moment - self.now).total_seconds()
        for size, unit in _UNITS:
            if abs(seconds) >= size:
                count = round(abs(seconds) / size)
                span = f"{count} {unit}" if count == 1 else f"{count} {unit}s"
                return f"in {span}" if seconds > 0 else f"{span} ago"
        return "now"

    def _part(self, part: Json) -> Iterator[str]:
        match part["type"]:
            case kind if kind == _TEXT:
                is_code = False
                for line in part["content"].split("\n"):
                    if line.startswith("```"):
                        is_code = not is_code
                    else:
                        yield line if is_code else self.text(line)
            case kind if kind == _ROW:
                yield " ".join(self._control(one) for one in part["components"])
            case kind if kind == _CONTAINER:
                for one in part["components"]:
                    yield from self._part(one)
            case kind if kind == _SECTION:
                # what is beside a cover, or beside a button
                yield " · ".join(line for one in part["components"] for line in self._part(one))
                if (beside := part.get("accessory")) and beside["type"] == _BUTTON:
                    yield self._control(beside)
            case kind if kind == _FILE:
                yield f"[file: {part['file']['url'].rsplit('/', 1)[-1].partition('?')[0]}]"

    def _control(self, part: Json) -> str:
        if part["type"] == _SELECT:
            options = part.get("options") or []
            return f"[{part.get('placeholder') or '…'} ▾ {', '.join(one['label'] for one in options)}]"
        return f"[{part['label']}]"


def wrapped(lines: Sequence[str], width: int, margin: str) -> Iterator[str]:
    """The lines with a margin in front, broken between words where they are longer than `width`."""
    for line in lines:
        indent = re.match(r"(?:- |> |\d+\. )?", line)
        assert indent is not None
        hanging = " " * len(indent.group())
        yield from textwrap.wrap(
            line,
            width,
            initial_indent=margin,
            subsequent_indent=margin + hanging,
            break_long_words=False,
            break_on_hyphens=False,
        ) or [margin.rstrip()]
