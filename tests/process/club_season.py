"""A season of a club on real processes that are killed again and again, and what must be in Discord at its end."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, cast

from bot.caller import GuildId, MemberId
from bot.curation.club import Club
from bot.storage.clubs import StoredClub
from bot.storage.frozen import from_json
from tests.club.stage import CHANNEL, Server
from tests.club.test_curators import changed
from tests.discord_wire import Json, Stage, WireRequest, texts
from tests.process.harness import Outside, Running
from tests.world import ADA, BEN, CHLOE, World

OUR_CALLS = ("/channels/", "/guilds/", "/users/@me/channels")
QUIET_S = 60.0
A_LITTLE = timedelta(seconds=3)
DAY = timedelta(days=1)


class Blow(NamedTuple):
    """A kill: before or after Discord carries out a request. `pause`: how long nobody starts the bot again."""

    stage: Stage
    pause: timedelta


class ClubServer(Server):
    """The same server around a real process: what the club is, is read from the file."""

    @property
    def outside(self) -> Outside:
        """The platforms, and the database's file."""
        return cast(Outside, self.world)

    async def stored(self) -> StoredClub:
        (row,) = self.outside.rows("SELECT * FROM clubs WHERE id = ?", self.club_id)
        club = from_json(Club, row["state"])
        return StoredClub(
            self.club_id,
            GuildId(row["guild_id"]),
            row["channel_id"],
            row["name"],
            MemberId(row["started_by"]),
            row["locale"],
            row["blocked_at"] is not None,
            club,
        )


@dataclass
class Season:
    """One club through two rounds. `blows`: the kills, one for each request that is made for the first time."""

    out: Outside
    blows: Iterator[Blow]
    strikes_at: list[str] = field(default_factory=list)
    ahead: timedelta = timedelta()
    process: Running | None = None
    is_striking: bool = False
    _next: dict[str, Blow] = field(default_factory=dict)
    _pause: timedelta = timedelta()

    def __post_init__(self) -> None:
        self.server = ClubServer(cast(World, self.out))
        self.out.discord.on_request = self._strike

    # -- kills

    async def _strike(self, request: WireRequest, stage: Stage) -> bool:
        process = self.process
        if not self.is_striking or process is None or not request.path.startswith(OUR_CALLS):
            return False
        if request.method == "GET" and request.path.startswith("/channels/"):
            return False  # the look into the history changes nothing
        key = _key(request)
        blow = self._next.get(key) or self._next.setdefault(key, next(self.blows))
        if key in self.strikes_at or blow.stage != stage or not process.is_up:
            return False
        self.strikes_at.append(key)
        self._pause = blow.pause
        process.process.kill()
        await process.process.wait()
        return stage == "before"

    # -- time

    async def start(self) -> Running:
        """Start the bot at the time that it is."""
        self.out.discord.ahead_s = self.ahead.total_seconds()
        command = (sys.executable, "-m", "tests.process.moved_clock", str(self.ahead.total_seconds()))
        self.process = await self.out.start(ready=False, command=command)
        return self.process

    async def reach(self, moment: datetime, kills_after_s: Iterator[float] | None = None) -> None:
        """Let it become this time while the bot is down; start it until it has done everything, through all kills.

        `kills_after_s`: kill it also this long after each start, as long as there are any.
        """
        self.ahead = moment - datetime.now(UTC)
        self.is_striking = True
        async with asyncio.timeout(600):
            while not await self._runs_until_quiet(next(kills_after_s or iter(()), None)):
                self.ahead += self._pause
        self.is_striking = False
        await self.end()

    async def _runs_until_quiet(self, kill_after_s: float | None) -> bool:
        process, self._pause = await self.start(), timedelta()
        loop = asyncio.get_running_loop()
        begun = loop.time()
        while loop.time() - begun < QUIET_S:
            if not process.is_up:
                await process.ended()
                assert process.process.returncode == -9, process.stderr
                return False
            if kill_after_s is None:
                if self.is_quiet():
                    return True
            elif loop.time() - begun > kill_after_s:
                await process.kill()
                self.strikes_at.append(f"{kill_after_s:.2f} s after a start")
                return False
            await asyncio.sleep(0.02)
        raise AssertionError(f"not quiet after {QUIET_S} s:\n{process.stderr}")

    def is_quiet(self) -> bool:
        """Whether nothing is due and no message waits."""
        now = int((datetime.now(UTC) + self.ahead).timestamp()) + 1  # timers are set for full seconds
        (row,) = self.out.rows(
            "SELECT (SELECT COUNT(*) FROM timers WHERE kind LIKE 'club %' AND kind <> 'club heartbeat' AND due_at <= ?)"
            " + (SELECT COUNT(*) FROM outbox WHERE state IN ('stored', 'sending'))",
            now,
        )
        return not row[0]

    async def end(self) -> None:
        """SIGKILL, with nothing under way."""
        if self.process is not None:
            await self.process.kill()

    async def until_quiet(self) -> None:
        """While nobody is killed."""
        async with asyncio.timeout(QUIET_S):
            while not self.is_quiet():
                await asyncio.sleep(0.02)

    # -- the story

    async def begin(self) -> None:
        """Start the club, with an event and a member who wants reminders; two nominate."""
        server = self.server
        await (await self.start()).until_health(200)
        await server.start()
        await changed(server, "posts", {"event": ["yes"]})
        assert "I will message you a day before" in await server.said("remind", CHLOE, reminders="on")
        await server.nominate(0, ADA, note="Side two.")
        await server.nominate(1, BEN)
        await self.until_quiet()
        await self.end()

    async def members_vote(self) -> None:
        """Two members vote; the bot is killed as soon as the second has the receipt."""
        await (await self.start()).until_health(200)
        for member in (ADA, BEN):
            assert "Only you can see it" in await self.server.vote(member, 0)
        await self.end()

    async def members_rate(self) -> None:
        """Two members rate, and one nominates for the next round; then the bot is killed."""
        await (await self.start()).until_health(200)
        for member, score in ((ADA, "4"), (BEN, "5")):
            assert "You gave" in await self.server.rate(member, score)
        assert "You nominated" in await self.server.nominate(2, CHLOE, note="Loud.")
        await self.end()

    async def play(self, kills_after_s: Iterator[float] | None = None) -> None:
        """All of it."""
        await self.begin()
        club = (await self.server.stored()).club
        first, second = club.club_hour_at, club.calendar.next_after(club.club_hour_at)
        await self.reach(club.vote_at - DAY + A_LITTLE, kills_after_s)
        await self.reach(club.vote_at + A_LITTLE, kills_after_s)
        await self.members_vote()
        await self.reach(first - DAY + A_LITTLE, kills_after_s)
        await self.reach(first + A_LITTLE, kills_after_s)
        await self.members_rate()
        await self.reach(second - DAY + A_LITTLE, kills_after_s)
        await self.reach(second + A_LITTLE, kills_after_s)

    # -- the judge

    async def judge(self) -> None:
        """Everything was posted once, in order, and nothing was left out."""
        discord = self.out.discord
        posts = ["\n".join(texts(post)) for post in discord.channel_messages[CHANNEL]]
        told = [next((words for words in SAYS if words in post), post) for post in posts]
        assert told == EXPECTED, posts
        assert "chosen by vote, with 2 ballots" in posts[2]
        assert "**4.5** of 5 on average, from 2 ratings" in posts[4]
        announced = [discord.channel_messages[CHANNEL][place]["id"] for place in (2, 5)]
        assert [*discord.threads] == announced
        notes = [[texts(note)[0] for note in discord.channel_messages[int(thread)]] for thread in announced]
        assert notes == [["> Side two."], ["> Loud."]]
        reminders = ["\n".join(texts(message)) for message in discord.direct_messages[CHLOE]]
        assert [next((words for words in REMINDERS if words in text), text) for text in reminders] == [*REMINDERS]
        assert [*discord.direct_messages] == [CHLOE]
        club = (await self.server.stored()).club
        (event,) = discord.scheduled_events.values()
        assert datetime.fromisoformat(event["scheduled_start_time"]) == club.club_hour_at
        assert [problem for problem in discord.problems if not problem.startswith("10015")] == []
        for process in self.out.started:
            assert "Traceback" not in process.stderr, process.stderr
        (check,) = self.out.rows("PRAGMA integrity_check")
        assert check[0] == "ok"


SAYS = ("Nominations are open", "Voting is over", "Nominated by", "on average")
EXPECTED = [
    "Nominations are open",
    "Voting is over",
    "Nominated by",
    "Nominations are open",
    "on average",
    "Nominated by",
    "Nominations are open",
]
REMINDERS = ("voting opens", "voting ends", "the summary comes")


def _key(request: WireRequest) -> str:
    body: Json = request.body if isinstance(request.body, dict) else {}
    words = " / ".join(texts({"components": body["components"]})) if body.get("components") else ""
    return f"{request.method} {request.path} {words}"
