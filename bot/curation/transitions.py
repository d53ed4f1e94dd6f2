"""The round as a table: every state, what makes it change, and what is carried out then. Pure.

This is the whole state machine; `rounds` reads it and keeps the clock. docs/club.md shows it as a diagram.
"""

from __future__ import annotations

from collections.abc import Mapping
from enum import StrEnum

from msgspec import Struct

from bot.curation.club import State, Step


class On(StrEnum):
    """What makes a round change."""

    OPEN = "the round opens"
    VOTE = "voting is due, with 2 nominations or more"
    CLUB_HOUR = "club hour"
    SKIP = "a curator skips it"


class If(StrEnum):
    """What else must hold."""

    ALWAYS = ""
    VOTE_MISSED = "its vote fell wholly into a downtime"
    ALBUM = "there is an album"
    NO_ALBUM = "there is no album"


class Rule(Struct, frozen=True):
    """In this state, on this event, if this holds: the next state, and what is carried out."""

    state: State | None
    on: On
    holds: If
    to: State
    steps: tuple[Step, ...]


# The first rule that holds is taken. What has no rule changes nothing.
TABLE = (
    Rule(None, On.OPEN, If.ALWAYS, State.NOMINATING, (Step.CALL,)),
    Rule(State.NOMINATING, On.VOTE, If.ALWAYS, State.VOTING, (Step.VOTE,)),
    Rule(State.NOMINATING, On.CLUB_HOUR, If.VOTE_MISSED, State.VOTING, (Step.REPEATED_VOTE,)),
    Rule(State.NOMINATING, On.CLUB_HOUR, If.ALBUM, State.LISTENING, (Step.ANNOUNCEMENT,)),
    Rule(State.NOMINATING, On.CLUB_HOUR, If.NO_ALBUM, State.SKIPPED, (Step.SKIPPED,)),
    Rule(State.NOMINATING, On.SKIP, If.ALWAYS, State.SKIPPED, (Step.SKIPPED,)),
    Rule(State.VOTING, On.CLUB_HOUR, If.VOTE_MISSED, State.VOTING, (Step.REPEATED_VOTE,)),
    Rule(State.VOTING, On.CLUB_HOUR, If.ALBUM, State.LISTENING, (Step.ANNOUNCEMENT, Step.FORGET_VOTERS)),
    Rule(State.VOTING, On.CLUB_HOUR, If.NO_ALBUM, State.SKIPPED, (Step.SKIPPED, Step.FORGET_VOTERS)),
    Rule(State.VOTING, On.SKIP, If.ALWAYS, State.SKIPPED, (Step.SKIPPED, Step.FORGET_VOTERS)),
    Rule(State.LISTENING, On.CLUB_HOUR, If.ALWAYS, State.ENDED, (Step.SUMMARY,)),
)


def find_rule(state: State | None, on: On, holds: Mapping[If, bool] | None = None) -> Rule:
    """The rule for an event. `None` as the state: the round does not exist yet. LookupError: there is no rule."""
    true = {If.ALWAYS: True} | dict(holds or {})
    for rule in TABLE:
        if (rule.state, rule.on) == (state, on) and true.get(rule.holds, False):
            return rule
    raise LookupError(f"nothing happens to a round that is {state}, on: {on}")
