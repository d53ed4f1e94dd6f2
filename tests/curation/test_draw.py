"""Drawing from a crate, and the lot order."""

from __future__ import annotations

import random
from collections import Counter

from bot.albums import AlbumId
from bot.curation.draw import CrateEntry, Drawn, draw, lot_order


def entry(name: str, picks: int) -> CrateEntry:
    return CrateEntry(AlbumId(name), picks)


def test_an_album_that_was_never_picked_comes_first() -> None:
    entries = [entry("A", 1), entry("B", 0), entry("C", 3)]

    assert draw(entries, random.Random(1)) == Drawn(AlbumId("B"), among=1, picks=0)


def test_when_all_were_picked_those_with_the_fewest_picks_are_in_the_draw() -> None:
    entries = [entry("A", 2), entry("B", 1), entry("C", 1), entry("D", 4)]
    drawn = [draw(entries, random.Random(seed)) for seed in range(50)]

    assert {one.album_id for one in drawn if one} == {"B", "C"}
    assert {(one.among, one.picks) for one in drawn if one} == {(2, 1)}


def test_an_empty_crate_draws_nothing() -> None:
    assert draw([], random.Random(1)) is None


def test_an_album_that_two_members_added_is_in_the_draw_once() -> None:
    assert draw([entry("A", 0), entry("A", 0)], random.Random(1)) == Drawn(AlbumId("A"), among=1, picks=0)
    # Entries that disagree about the picks: the album was picked.
    assert draw([entry("A", 0), entry("A", 1), entry("B", 0)], random.Random(1)) == Drawn(AlbumId("B"), 1, 0)


def test_each_album_in_the_draw_has_the_same_chance() -> None:
    rng = random.Random(7)
    entries = [entry(name, 0) for name in "ABCD"]

    drawn = Counter(one.album_id for _ in range(4000) if (one := draw(entries, rng)))

    assert all(850 < number < 1150 for number in drawn.values()), drawn


def test_no_album_is_drawn_again_before_every_other_was() -> None:
    rng, picks = random.Random(3), dict.fromkeys("ABCDE", 0)
    for turn in range(1, 21):
        one = draw([entry(name, number) for name, number in picks.items()], rng)
        assert one is not None
        picks[one.album_id] += 1
        assert max(picks.values()) == -(-turn // 5)


def test_what_is_drawn_does_not_depend_on_the_order_of_the_entries() -> None:
    entries = [entry(name, 0) for name in "ABCDEFG"]

    assert draw(entries, random.Random(5)) == draw(entries[::-1], random.Random(5))
    assert lot_order("ABCD", random.Random(5)) == lot_order("DCBA", random.Random(5))  # type: ignore[arg-type]


def test_a_lot_order_holds_every_album_once() -> None:
    assert sorted(lot_order([AlbumId("A"), AlbumId("B"), AlbumId("A")], random.Random(2))) == ["A", "B"]
