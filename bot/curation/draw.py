"""Drawing albums fairly. Pure: the source of chance is passed in."""

from __future__ import annotations

import random
from collections.abc import Iterable

from msgspec import Struct

from bot.albums import AlbumId


class CrateEntry(Struct, frozen=True):
    """An album of a crate, and how often it was picked so far."""

    album_id: AlbumId
    picks: int


class Drawn(Struct, frozen=True):
    """The album drawn. `among`: how many were in the draw; `picks`: how often each of them was picked before."""

    album_id: AlbumId
    among: int
    picks: int


def draw(entries: Iterable[CrateEntry], rng: random.Random) -> Drawn | None:
    """Draw one album: never picked ones first, else those with the fewest picks. None: there is no album.

    An album that several members added is in the draw once. The order of the entries does not matter.
    """
    picks: dict[AlbumId, int] = {}
    for entry in entries:
        picks[entry.album_id] = max(entry.picks, picks.get(entry.album_id, 0))
    if not picks:
        return None
    fewest = min(picks.values())
    among = sorted(album for album, picked in picks.items() if picked == fewest)
    return Drawn(rng.choice(among), len(among), fewest)


def lot_order(albums: Iterable[AlbumId], rng: random.Random) -> tuple[AlbumId, ...]:
    """The order that decides ties, drawn before voting opens. The order of `albums` does not matter."""
    return tuple(rng.sample(among := sorted(set(albums)), len(among)))
