"""`/crate show` of a crate with 1,000 entries: what its first page costs at Spotify, and how long it takes."""

from __future__ import annotations

from datetime import UTC, datetime

from bench.figures import Line, p50, spread
from bench.outside import MEMBER, Outside, outside
from bench.scale import Scale
from bot.albums import AlbumId
from bot.caller import GuildId, MemberId
from bot.storage.crates import Refusal
from tests.discord_wire import DiscordWire, texts

CALLS = 2
"""Calls to Spotify that are allowed when the names are known."""


async def measure(scale: Scale) -> list[Line]:
    """Calls and milliseconds of the first page."""
    async with outside(albums=scale.entries) as out:
        await out.link_all()
        await _fill(out)
        async with out.running("gatefold"):
            fresh, _ = await _show(out)
            known, took = 0, []
            for _ in range(20):
                calls, ms = await _show(out)
                known, took = max(known, calls), [*took, ms]
    what = f"`/crate show` of {scale.entries:,} entries, first page"
    return [
        Line(f"{what}: calls to Spotify, names known", "", str(known), "", f"≤ {CALLS}", known <= CALLS),
        Line("the same, no name known", "", str(fresh)),
        Line("the same, names known, p50", "", spread([p50(took)], 1, "ms")),
    ]


async def _fill(out: Outside) -> None:
    async with out.storage() as storage:
        guild_id, now = GuildId(DiscordWire.GUILD), datetime.now(UTC)
        for id_ in out.synthetic:
            added = await storage.crates.add(guild_id, None, AlbumId(id_), MemberId(MEMBER), "", now)
            assert not isinstance(added, Refusal)


async def _show(out: Outside) -> tuple[int, float]:
    """Calls to Spotify, and milliseconds from the event to the answer."""
    out.forget()
    sent = await out.discord.slash(MEMBER, "crate show", {})
    message = await sent.message(30)
    if not texts(message):
        raise RuntimeError("the crate was not shown, so nothing was measured")
    assert sent.shown_at is not None
    return len(out.spotify.calls), (sent.shown_at - sent.sent_at) * 1000
