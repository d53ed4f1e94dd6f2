"""How much is measured: a taste for the tests, the usual run, and the full one."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class Scale:
    """`name` goes into the document. All else are counts; `interactions` are those of the memory row;
    `counted_saves`, those of the two runs whose instructions are subtracted."""

    name: str
    rounds: int
    saves: int
    slow_saves: int
    warm_saves: int
    counted_saves: tuple[int, int]
    burst: int
    bursts_at_ms: tuple[int, ...]
    interactions: int
    starts: int
    restarts: int
    pending_members: int
    pending_each: int
    imported: int
    transferred: int
    members: int
    own_apps: int
    apps: int
    ballots: int
    entries: int
    clubs: int


QUICK = Scale(
    name="quick",
    rounds=1,
    saves=8,
    slow_saves=2,
    warm_saves=4,
    counted_saves=(2, 4),
    burst=12,
    bursts_at_ms=(0,),
    interactions=40,
    starts=1,
    restarts=1,
    pending_members=4,
    pending_each=5,
    imported=30,
    transferred=90,
    members=12,
    own_apps=4,
    apps=6,
    ballots=10,
    entries=30,
    clubs=4,
)

USUAL = Scale(
    name="usual",
    rounds=5,
    saves=200,
    slow_saves=60,
    warm_saves=40,
    counted_saves=(20, 100),
    burst=500,
    bursts_at_ms=(0, 20, 50),
    interactions=20_000,
    starts=7,
    restarts=3,
    pending_members=2000,
    pending_each=50,
    imported=2000,
    transferred=10_000,
    members=600,
    own_apps=40,
    apps=500,
    ballots=500,
    entries=1000,
    clubs=200,
)

FULL = replace(USUAL, name="full", interactions=100_000)
