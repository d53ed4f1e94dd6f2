"""500 ballots: each member opens the form of a vote and sends it, six times as fast as 500 in a minute."""

from __future__ import annotations

import asyncio
import time
from collections import defaultdict
from datetime import UTC, datetime
from datetime import time as clock_time
from typing import Any

from bench.figures import Line, compared, p50, p99, spread
from bench.outside import MEMBER, Bot, Kind, Outside, in_turn, outside
from bench.scale import Scale
from bot.albums import AlbumId
from bot.caller import GuildId, MemberId
from bot.clubs import AlbumClubs
from bot.curation.calendar import Calendar, Rhythm
from bot.curation.club import ClubSettings, Nomination, Outcome
from bot.curation.curators import end_step
from bot.curation.ids import ClubId
from bot.storage.clubs import StoredClub
from tests.discord_wire import DiscordWire, WireInteraction

APART_S = 1 / 50
ALBUMS = 5
RATIO = 2.5
"""The ratio that is allowed: a ballot is encrypted, stored and flushed to the disk, and the bare bot only says thanks."""
ROUNDS_MOST = 2
CHANNEL = DiscordWire.CHANNEL


async def measure(scale: Scale) -> list[Line]:
    """Milliseconds from the sent form to the receipt, and the bot's processor time per ballot."""
    middle: dict[Kind, list[float]] = defaultdict(list)
    late: dict[Kind, list[float]] = defaultdict(list)
    processor: dict[Kind, list[float]] = defaultdict(list)
    for round_ in range(min(scale.rounds, ROUNDS_MOST)):
        for kind in in_turn(round_):
            async with outside() as out:
                if kind == "gatefold":
                    await out.link_all()
                    await _open_vote(out)
                async with out.running(kind) as bot:
                    took, seconds = await _vote(out, bot, scale.ballots)
                if kind == "gatefold":
                    await _check(out, scale.ballots)
            middle[kind].append(p50(took))
            late[kind].append(p99(took))
            processor[kind].append(seconds * 1000 / scale.ballots)
    what = f"{scale.ballots} ballots, 50 a second"
    return [
        compared(f"{what}, receipt, p50", middle["bare"], middle["gatefold"], "ms", None),
        Line(
            f"{what}, receipt, p99",
            spread(late["bare"], 1, "ms"),
            spread(late["gatefold"], 1, "ms"),
            "",
            "< 3,000 ms",
            max(late["gatefold"]) < 3000,
        ),
        compared(f"{what}, processor time of the bot", processor["bare"], processor["gatefold"], "ms", RATIO),
    ]


async def _open_vote(out: Outside) -> None:
    """A club whose first vote is open, while no bot runs."""
    async with out.storage() as storage:
        clubs = AlbumClubs(storage)
        calendar = Calendar.starting(1, clock_time(20), "UTC", Rhythm.WEEKLY, datetime.now(UTC))
        stored = await clubs.start(
            lambda club: StoredClub(
                club.id, GuildId(DiscordWire.GUILD), CHANNEL, "Bench", MemberId(MEMBER), None, False, club
            ),
            ClubSettings(thread=False),
            calendar,
        )
        for place, id_ in enumerate(out.albums[:ALBUMS]):
            one = Nomination(AlbumId(id_), MemberId(MEMBER + place), "", datetime.now(UTC))
            await clubs.nominate(stored.id, one, year=None)
        outcome = await clubs.apply(stored.id, lambda c, club, facts: end_step(club.club, facts))
        if not isinstance(outcome, Outcome):
            raise RuntimeError(f"the vote was not opened: {outcome}")


async def _vote(out: Outside, bot: Bot, ballots: int) -> tuple[list[float], float]:
    """The time to each receipt, and the bot's processor time for all."""
    button = {"type": 2, "style": 1, "label": "Vote", "custom_id": "club-vote:1:1"}
    message = out.discord._blank(None, CHANNEL) | {"components": [{"type": 1, "components": [button]}]}
    ranks = ("first", "second", "third")
    out.forget()
    worked, begun = bot.processor_s(), time.monotonic()

    async def one(number: int) -> float:
        await asyncio.sleep(max(begun + number * APART_S - time.monotonic(), 0))
        member = MEMBER + number
        opened = await out.discord.press(member, button["custom_id"], message)
        await opened.answered(30)
        chosen = [out.albums[(number + place) % ALBUMS] for place in range(len(ranks))]
        values: dict[str, Any] = {rank: [id_] for rank, id_ in zip(ranks, chosen, strict=True)}
        sent: WireInteraction = await out.discord.submit(member, opened, values)
        await sent.message(30)
        assert sent.shown_at is not None
        return (sent.shown_at - sent.sent_at) * 1000

    took = await asyncio.gather(*(one(number) for number in range(ballots)))
    return list(took), bot.processor_s() - worked


async def _check(out: Outside, ballots: int) -> None:
    async with out.storage() as storage:
        club = await storage.clubs.get(ClubId(1))
        assert club is not None
        stored = await storage.database.read(lambda c: storage.ballots.number_in(c, club.id, club.club.coming.number))
    if stored != ballots:
        raise RuntimeError(f"{stored} of {ballots} ballots were stored, so nothing was measured")
