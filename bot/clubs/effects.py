"""From what the rules ask for to messages in the outbox, in the transaction of the step."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import Any

from bot.caller import MemberId
from bot.curation.club import Effect, Step
from bot.storage import Storage
from bot.storage.clubs import StoredClub
from bot.storage.engine import Connection
from bot.storage.outbox import Channel, Direct, Edit, Message

POST = "club post"
"""The kind of a message in the club's channel."""
NOTICE = "club notice"
"""The kind of a direct message to a member."""
NOTE = "club note"
"""The kind of the first message in a thread."""
EDITED_POST = "club post edited"
"""The kind of a new version of a post: how many have voted, or that the vote is over."""

_TO_ONE = {Step.TELL_PICKER, Step.TELL_STANDBY, Step.TELL_REMOVED}


def carry_out(c: Connection, storage: Storage, stored: StoredClub, effects: Iterable[Effect], now: datetime) -> None:
    """Store what an event leads to."""
    for effect in effects:
        if effect.step.is_post:
            _post(c, storage, stored, effect, now)
        elif effect.step is Step.FORGET_VOTERS:
            storage.ballots.forget_voters_in(c, stored.id, effect.round)
        elif effect.step in _TO_ONE:
            assert effect.member_id is not None
            _tell(c, storage, stored, effect, effect.member_id, stored.locale, now)
        else:
            for member, locale in storage.clubs.reminded_in(c, stored.id):
                if member not in _have_acted(c, storage, stored, effect):
                    _tell(c, storage, stored, effect, member, locale, now)


def tell_starter(c: Connection, storage: Storage, stored: StoredClub, what: str, tag: object, now: datetime) -> None:
    """Tell who started a club what has happened to it. `tag`: tells this from other times; the same is told once."""
    if stored.started_by is not None:
        payload = {"club": stored.id, "step": what}
        message = Message(NOTICE, f"{stored.id}:{what}:{tag}", Direct(stored.started_by), payload, stored.locale)
        storage.outbox.put(c, message, now)


def edit_post(c: Connection, storage: Storage, stored: StoredClub, subject: str, version: str, now: datetime) -> None:
    """Draw a post anew. `version`: tells this version from others of the same post."""
    if (post := storage.clubs.post_in(c, subject)) is None:
        return
    payload = {"club": stored.id, "round": post.number, "step": post.step, "late": False, "channel": post.channel_id}
    address = Edit(post.channel_id, POST, subject)
    storage.outbox.put(c, Message(EDITED_POST, f"{subject}:{version}", address, payload, stored.locale), now)


def _post(c: Connection, storage: Storage, stored: StoredClub, effect: Effect, now: datetime) -> None:
    payload: dict[str, Any] = {
        "club": stored.id,
        "round": effect.round,
        "step": effect.step.value,
        "late": effect.late,
    }
    if effect.hours:
        payload["hours"] = [int(hour.timestamp()) for hour in effect.hours]
    message = Message(POST, effect.key, Channel(stored.channel_id), payload, stored.locale)
    storage.outbox.put(c, message, now)
    storage.clubs.expect_post_in(c, effect, stored.channel_id)


def _tell(
    c: Connection,
    storage: Storage,
    stored: StoredClub,
    effect: Effect,
    member: MemberId,
    locale: str | None,
    now: datetime,
) -> None:
    payload = {"club": stored.id, "round": effect.round, "step": effect.step.value, "album": effect.album_id}
    subject = effect.key if effect.member_id is not None else f"{effect.key}:{member}"
    storage.outbox.put(c, Message(NOTICE, subject, Direct(member), payload, locale), now)


def _have_acted(c: Connection, storage: Storage, stored: StoredClub, effect: Effect) -> set[MemberId | None]:
    """Who has done already what the others are reminded of."""
    match effect.step:
        case Step.REMIND_NOMINATE:
            return {one.member_id for one in stored.club.coming.nominations}
        case Step.REMIND_VOTE:
            return {*storage.ballots.voters_in(c, stored.id, effect.round)}
        case Step.REMIND_RATE:
            return {one.member_id for one in storage.ratings.of_round_in(c, stored.id, effect.round)}
    raise ValueError(effect.step)
