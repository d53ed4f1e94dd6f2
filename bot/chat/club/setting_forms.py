"""The forms of `/curate settings`: what is in them, and what a filled-in one sets."""

from __future__ import annotations

from enum import StrEnum
from typing import Any, TypeVar

import discord
from discord import ui

from bot.caller import MemberId
from bot.chat.club.fields import Day, Topic
from bot.chat.club.starting import day_names, how_it_picks, rhythm_names
from bot.chat.components import CustomId, Form
from bot.chat.menus import Choice
from bot.chat.modals import Modal, select_input, text_input
from bot.chat.words import Words, plain
from bot.curation.ballots import Method
from bot.curation.calendar import Calendar, Rhythm, parse_clock, parse_timezone
from bot.curation.club import MAX_PER_MEMBER, Pick
from bot.curation.ids import RoleId
from bot.curation.ratings import Scale
from bot.storage.clubs import StoredClub


class BadSetting(Exception):
    """A form holds what cannot be set. `said`: why, for the member."""

    def __init__(self, said: str) -> None:
        super().__init__(said)
        self.said = said


def methods(words: Words) -> dict[Method, str]:
    """How votes are counted."""
    t = words.t
    return {
        Method.RANKED_CHOICE: t("ranked choice"),
        Method.WEIGHTED: t("weighted (3, 2, 1)"),
        Method.APPROVAL: t("approval"),
    }


def scales(words: Words) -> dict[Scale, str]:
    """The scales of ratings."""
    t = words.t
    return {Scale.HALVES: t("1 to 5, in halves"), Scale.TEN: t("1 to 10")}


def form(words: Words, owner: MemberId, stored: StoredClub, topic: Topic) -> Modal:
    """The form of a topic, with what is set now."""
    t, club, settings = words.t, stored.club, stored.club.settings
    custom_id = CustomId("curate-apply", owner, stored.id, topic)
    match topic:
        case Topic.ROUNDS:
            return Modal(
                custom_id,
                t("Nominations and voting"),
                select_input(
                    "pick",
                    t("How albums are found"),
                    [Choice(one, how_it_picks(words, one), None, one is settings.pick) for one in Pick],
                ),
                text_input("days", t("Days for voting"), text=str(settings.voting_days), most=2),
                select_input(
                    "most",
                    t("Nominations per member"),
                    [
                        Choice(str(n), str(n), None, n == settings.nominations_per_member)
                        for n in range(1, MAX_PER_MEMBER + 1)
                    ],
                ),
                _yes_no(words, "sealed", t("Sealed nominations"), is_yes=settings.sealed),
            )
        case Topic.COUNTING:
            return Modal(
                custom_id,
                t("Counting and ratings"),
                select_input(
                    "method",
                    t("How votes are counted"),
                    [Choice(one, name, None, one is settings.method) for one, name in methods(words).items()],
                ),
                select_input(
                    "scale",
                    t("Scale of ratings"),
                    [Choice(one, name, None, one is settings.scale) for one, name in scales(words).items()],
                ),
            )
        case Topic.RULES:
            return Modal(
                custom_id,
                t("House rules"),
                text_input(
                    "past", t("Rounds that a past winner waits"), text=str(settings.no_past_winner_rounds), most=2
                ),
                _yes_no(
                    words, "own", t("Can members put their own nomination first?"), is_yes=not settings.not_own_first
                ),
                text_input(
                    "from", t("Released from (year)"), text=_number(settings.released_from), is_required=False, most=4
                ),
                text_input(
                    "until",
                    t("Released until (year)"),
                    text=_number(settings.released_until),
                    is_required=False,
                    most=4,
                ),
            )
        case Topic.POSTS:
            return Modal(
                custom_id,
                t("Posts"),
                _yes_no(words, "reminders", t("Reminders"), is_yes=settings.reminders),
                _role_input(words, settings.ping_role_id),
                _yes_no(words, "thread", t("A thread under each announcement"), is_yes=settings.thread),
                _yes_no(words, "event", t("A Discord event for each club hour"), is_yes=settings.event),
            )
        case Topic.CLOCK:
            calendar = club.calendar
            return Modal(
                custom_id,
                t("Day and time"),
                select_input(
                    "day",
                    t("Day"),
                    [
                        Choice(day, name, None, day.weekday == calendar.anchor.weekday())
                        for day, name in day_names(words).items()
                    ],
                ),
                text_input("time", t("Time of day"), text=f"{calendar.clock:%H:%M}", most=20),
                text_input("timezone", t("Timezone"), text=calendar.timezone, most=60),
                select_input(
                    "rhythm",
                    t("How often"),
                    [Choice(one, name, None, one is calendar.rhythm) for one, name in rhythm_names(words).items()],
                ),
            )
        case Topic.STAND_IN:
            return Modal(
                custom_id,
                t("Stand-in"),
                text_input(
                    "album",
                    t("Album"),
                    description=t("A link, or a title with its artist. Empty: none."),
                    is_required=False,
                    most=300,
                ),
            )


def _yes_no(words: Words, name: str, label: str, *, is_yes: bool) -> ui.Label[ui.Modal]:
    t = words.t
    return select_input(name, label, [Choice("yes", t("Yes"), None, is_yes), Choice("no", t("No"), None, not is_yes)])


def _role_input(words: Words, role: RoleId | None) -> ui.Label[ui.Modal]:
    select: ui.RoleSelect[ui.Modal] = ui.RoleSelect(
        custom_id="role",
        min_values=0,
        max_values=1,
        required=False,
        default_values=[]
        if role is None
        else [discord.SelectDefaultValue(id=role, type=discord.SelectDefaultValueType.role)],
    )
    return ui.Label(text=words.t("Role to ping, or nobody"), component=select)


def _number(value: int | None) -> str | None:
    return None if value is None else str(value)


# -- from forms to settings

Change = dict[str, Any]
_Enum = TypeVar("_Enum", bound=StrEnum)


def rounds_of(words: Words, filled: Form) -> Change:
    """Nominations and voting. BadSetting."""
    return {
        "pick": _one_of(Pick, filled.text("pick"), words),
        "voting_days": _whole(words, filled.text("days"), 1, 27),
        "nominations_per_member": _whole(words, filled.text("most"), 1, MAX_PER_MEMBER),
        "sealed": filled.text("sealed") == "yes",
    }


def counting_of(words: Words, filled: Form) -> Change:
    """Counting and ratings. BadSetting."""
    scale = _one_of(Scale, filled.text("scale"), words)
    if scale not in scales(words):
        raise BadSetting(_cannot(words))
    return {"method": _one_of(Method, filled.text("method"), words), "scale": scale}


def rules_of(words: Words, filled: Form) -> Change:
    """House rules. BadSetting."""
    return {
        "no_past_winner_rounds": _whole(words, filled.text("past") or "0", 0, 99),
        "not_own_first": filled.text("own") == "no",
        "released_from": _year(words, filled.text("from")),
        "released_until": _year(words, filled.text("until")),
    }


def posts_of(words: Words, filled: Form) -> Change:
    """Posts."""
    role = filled.text("role")
    return {
        "reminders": filled.text("reminders") == "yes",
        "ping_role_id": RoleId(int(role)) if role.isascii() and role.isdecimal() else None,
        "thread": filled.text("thread") == "yes",
        "event": filled.text("event") == "yes",
    }


def calendar_of(words: Words, before: Calendar, filled: Form) -> Calendar:
    """Day and time. BadSetting."""
    t = words.t
    clock, zone = parse_clock(filled.text("time")), parse_timezone(filled.text("timezone"))
    if clock is None:
        raise BadSetting(
            t(
                "I can't read “{typed}” as a time of day. Write it as 19:30 or 7:30 pm.",
                typed=plain(filled.text("time"), 40),
            )
        )
    if zone is None:
        raise BadSetting(
            t(
                "I don't know the timezone “{typed}”. Pick one from the suggestions, such as Europe/Berlin.",
                typed=plain(filled.text("timezone"), 40),
            )
        )
    day, rhythm = _one_of(Day, filled.text("day"), words), _one_of(Rhythm, filled.text("rhythm"), words)
    moved = before.anchor.toordinal() + (day.weekday - before.anchor.weekday())
    return Calendar(before.anchor.fromordinal(moved), clock, zone, rhythm)


def _one_of(kind: type[_Enum], text: str, words: Words) -> _Enum:
    try:
        return kind(text)
    except ValueError:
        raise BadSetting(_cannot(words)) from None


def _cannot(words: Words) -> str:
    return words.t("That cannot be set. Nothing was changed.")


def _whole(words: Words, text: str, least: int, most: int) -> int:
    if not (text.isascii() and text.isdecimal()) or not least <= int(text) <= most:
        raise BadSetting(
            words.t(
                "“{typed}” is not a whole number from {least} to {most}. Nothing was changed.",
                typed=plain(text, 20),
                least=words.t.number(least),
                most=words.t.number(most),
            )
        )
    return int(text)


def _year(words: Words, text: str) -> int | None:
    text = text.strip()
    if not text:
        return None
    if not (text.isascii() and text.isdecimal() and 1000 <= int(text) <= 2999):
        raise BadSetting(words.t("“{typed}” is not a year. Nothing was changed.", typed=plain(text, 20)))
    return int(text)
