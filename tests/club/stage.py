"""A server with an album club on the wire: what curators and members do, what they read, and a clock that is moved."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from bot.curation.club import Club
from bot.curation.ids import ClubId, RoundNumber
from bot.storage.clubs import StoredClub
from tests.discord_wire import DiscordWire, Json, WireInteraction, buttons, texts
from tests.world import ADA, BEN, CHLOE, World

CURATOR = 200_000_000_000_000_009
CHANNEL = DiscordWire.CHANNEL
ONE = ClubId(1)


@dataclass
class Server:
    """Drives one club."""

    world: World
    seen: int = 0
    club_id: ClubId = ONE
    albums: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.albums = sorted(self.world.spotify.catalogue.albums)[:12]

    # -- people

    async def curate(self, what: str, member: int = CURATOR, **options: Any) -> WireInteraction:
        return await self.world.discord.slash(member, f"curate {what}", options)

    async def club(self, what: str, member: int = ADA, **options: Any) -> WireInteraction:
        return await self.world.discord.slash(member, f"club {what}", options)

    async def read(self, interaction: WireInteraction, *, version: int = 1) -> str:
        return "\n".join(texts(await interaction.message(8.0, version=version)))

    async def press(self, message: Json, label: str, member: int = ADA, **values: Any) -> WireInteraction:
        found = [button for button in buttons(message) if button.get("label", "").startswith(label)]
        assert found, (label, [button.get("label") for button in buttons(message)])
        return await self.world.discord.press(member, found[0]["custom_id"], message, **values)

    async def said(self, what: str, member: int = ADA, **options: Any) -> str:
        """What a member reads after `/club …`."""
        return await self.read(await self.club(what, member, **options))

    async def ordered(self, what: str, **options: Any) -> str:
        """What a curator reads after `/curate …`."""
        return await self.read(await self.curate(what, **options))

    async def start(self, name: str = "The Club", pick: str = "vote", **options: Any) -> Json:
        """`/curate new`, Start, and the first post."""
        options = {"day": "tuesday", "time": "20:00", "timezone": "Europe/Berlin"} | options
        preview = await self.curate("new", name=name, pick=pick, **options)
        await preview.message(8.0)
        started = await self.press(preview.history[-1], "Start", CURATOR)
        await self.until(lambda: bool(started.callback))
        return await self.post()

    async def nominate(self, album: int, member: int = ADA, **options: Any) -> str:
        return await self.said("nominate", member, album=self.albums[album], **options)

    async def vote(self, member: int, *albums: int) -> str:
        """Open a ballot and submit it."""
        opened = await self.club("vote", member)
        await self.until(lambda: opened.callback is not None)
        ranks = ("first", "second", "third", "fourth", "fifth")
        values = {rank: [self.albums[album]] for rank, album in zip(ranks, albums, strict=False)}
        return await self.read(await self.world.discord.submit(member, opened, values))

    async def rate(self, member: int, score: str, **options: Any) -> str:
        return await self.said("rate", member, score=score, **options)

    # -- the channel

    @property
    def posts(self) -> Sequence[Json]:
        return self.world.discord.channel_messages.get(CHANNEL, [])

    async def post(self) -> Json:
        """The next message in the channel that this did not hand out yet."""
        await self.until(lambda: len(self.posts) > self.seen)
        self.seen += 1
        return self.posts[self.seen - 1]

    async def says(self) -> str:
        """The text of the next message in the channel."""
        return "\n".join(texts(await self.post()))

    async def until(self, holds: Callable[[], bool], seconds: float = 8.0) -> None:
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.01)

    # -- time

    async def stored(self) -> StoredClub:
        found = await self.world.bot.storage.clubs.get(self.club_id)
        assert found is not None
        return found

    async def state(self) -> Club:
        return (await self.stored()).club

    async def skip_to(self, moment: datetime) -> None:
        """Move the clock, and let what is due happen."""
        self.world.ahead += moment - self.world.now()
        self.wake()

    def wake(self) -> None:
        self.world.bot.schedule.wake()
        self.world.bot.storage.outbox.ring()

    async def to_vote(self) -> None:
        """To the moment at which voting opens."""
        await self.skip_to((await self.state()).vote_at + timedelta(seconds=2))

    async def to_club_hour(self) -> None:
        await self.skip_to((await self.state()).club_hour_at + timedelta(seconds=2))

    async def quiet(self) -> None:
        """Until nothing is under way: no timer that is due, no message that waits."""
        async with asyncio.timeout(60):
            while await self._busy():
                self.wake()
                await asyncio.sleep(0.02)

    async def _busy(self) -> bool:
        services = self.world.bot
        now = int(self.world.now().timestamp()) + 1  # timers are set for full seconds
        rows = await services.storage.database.read(
            lambda c: c.execute(
                "SELECT (SELECT COUNT(*) FROM timers WHERE kind LIKE 'club %' AND kind <> 'club heartbeat'"
                " AND try_at <= ?) + (SELECT COUNT(*) FROM outbox WHERE state IN ('stored', 'sending') AND due_at <= ?)",
                (now, now),
            ).fetchone()
        )
        return bool(rows[0]) or not services.delivery.is_idle

    def round(self, number: int) -> RoundNumber:
        return RoundNumber(number)


MEMBERS = (ADA, BEN, CHLOE)
