"""What pages make of albums, of text from outside and of means, number by number; and that they take turns."""

from __future__ import annotations

import asyncio
import threading
from fractions import Fraction

import pytest

from bot.albums import Album, AlbumId
from bot.curation.ratings import Scale, Summary
from bot.text import texts
from bot.web.album_view import NAME_MOST, TITLE_MOST, album_shown, named
from bot.web.chart import LABELS_MOST, Dot, Line, chart
from bot.web.html_text import HtmlText
from bot.web.outside_text import legible
from bot.web.public import Turns

ID = AlbumId("x" * 22)
ENGLISH = HtmlText(texts("en-US"))


# -- text from outside


@pytest.mark.parametrize(
    ("text", "most", "shown"),
    [
        ("", 10, ""),
        ("a" * 10, 10, "a" * 10),
        ("a" * 11, 10, "a" * 9 + "…"),
        ("é" * 10, 10, "é" * 10),
        ("é" * 11, 10, "é" * 9 + "…"),
        ("a" * 8 + " b" * 3, 10, "a" * 8 + "…"),
        ("a" * 2000, 2000, "a" * 2000),
        ("abcdefgh" + "i\u0301\u0301\u0301jk", 10, "abcdefgh…"),
        ("\u0301" * 3 + "ab", 2, "\u0301…"),
        ("a\u0301\u0301bcd", 3, "a…"),
        ("a\x00b\u202ec", 10, "a b c"),
        ("a\x07b", 10, "a b"),
        ("\u0301" * 5, 10, "\u0301" * 3),
        ("a\ufdd0b\ufdcfc", 10, "a b\ufdcfc"),
        ("a\u0488\u0489\u0488\u0489b", 10, "a\u0488\u0489\u0488b"),
        ("e" + "\u0301" * 3 + "e" + "\u0301" * 3, 10, "e" + "\u0301" * 3 + "e" + "\u0301" * 3),
        ("a\ufffdb\U0001fffeb", 10, "a\ufffdb b"),
    ],
)
def test_text_from_outside_is_one_line_that_ends_with_a_whole_letter(text: str, most: int, shown: str) -> None:
    assert legible(text, most) == shown


def test_text_from_outside_has_at_most_2000_characters_where_nothing_else_is_said() -> None:
    assert legible("a" * 2000) == "a" * 2000
    assert legible("a" * 2001) == "a" * 1999 + "…"


# -- albums


def album(**change: object) -> Album:
    values = {"id": ID, "title": "Slow Harbour", "artists": ("Ada", "Ben"), "year": "1999", "cover_url": None, **change}
    return Album(**values)  # type: ignore[arg-type]


SMALL, LARGE = "https://i.scdn.co/image/small", "https://image-cdn-fa.spotifycdn.com/image/large"


@pytest.mark.parametrize(
    ("cover", "large_cover", "shown"),
    [
        (None, None, (None, None)),
        (SMALL, None, (SMALL, None)),
        (None, LARGE, (LARGE, LARGE)),
        (SMALL, LARGE, (SMALL, LARGE)),
        ("http://i.scdn.co/image/small", "https://i.scdn.co.evil.example/image", (None, None)),
        ("https://evil-i.scdn.co/image", "https://i.scdn.co:8443/image", (None, None)),
        ("https://i.scdn.co@evil.example/image", "https://evil.example/i.scdn.co", (None, None)),
    ],
)
def test_only_covers_at_spotifys_hosts_are_shown(
    cover: str | None, large_cover: str | None, shown: tuple[str | None, str | None]
) -> None:
    seen = album_shown(ENGLISH, ID, {ID: album(cover_url=cover, large_cover_url=large_cover)})
    assert (seen.cover, seen.large_cover) == shown


def test_an_album_is_shown_with_all_that_is_known_of_it_and_leads_to_spotify() -> None:
    seen = album_shown(ENGLISH, ID, {ID: album()})
    assert (seen.title, seen.by, seen.year) == ("Slow Harbour", "Ada, Ben", "1999")
    assert str(seen.alt) == "Cover of Slow Harbour by Ada, Ben"
    without = album_shown(ENGLISH, ID, {ID: album(artists=(), year="")})
    assert (without.by, without.year, str(without.alt)) == ("", "", "Cover of Slow Harbour")
    unknown = album_shown(ENGLISH, ID, {})
    assert (unknown.title, unknown.by, unknown.year, unknown.cover, str(unknown.alt)) == (None, "", "", None, "")
    assert {seen.url, without.url, unknown.url} == {f"https://open.spotify.com/album/{ID}"}
    long = album_shown(ENGLISH, ID, {ID: album(title="t" * 500, artists=("a" * 500,), year="1" * 99)})
    assert long.year == "1" * 9 + "…"
    assert (long.title, long.by) == ("t" * (TITLE_MOST - 1) + "…", "a" * (TITLE_MOST - 1) + "…")


def test_a_member_is_named_only_where_there_is_a_name() -> None:
    assert named(ENGLISH, None) == "a member"
    assert named(ENGLISH, "<b>") == "<bdi>&lt;b&gt;</bdi>"
    assert named(ENGLISH, "n" * 100) == f"<bdi>{'n' * (NAME_MOST - 1)}…</bdi>"


# -- the chart


def summary(mean: float, spread: float = 0.0, scale: Scale = Scale.HALVES) -> Summary:
    return Summary(scale, 3, Fraction(mean), spread)


def test_a_round_stands_in_the_middle_of_its_share_and_its_spread_ends_at_the_scale() -> None:
    made = chart([("one", summary(3, 1)), ("two", summary(5, 3)), ("three", summary(1.5, 1.5))], Scale.HALVES)
    assert (made.width, made.height, made.left, made.right, made.bottom) == (960, 330, 44, 944, 284)
    assert made.dots == (
        Dot(194.0, 150.0, 83.0, 217.0, "one"),
        Dot(494.0, 16.0, 16.0, 217.0, "two"),
        Dot(794.0, 250.5, 150.0, 284.0, "three"),
    )
    assert made.lines == tuple(Line(y, str(points)) for points, y in enumerate((284.0, 217.0, 150.0, 83.0, 16.0), 1))
    assert made.path == "194,150 494,16 794,250.5"
    assert [dot.x for dot in chart([("alone", summary(3))], Scale.HALVES).dots] == [494.0]


def test_a_scale_to_ten_has_a_line_at_every_second_point() -> None:
    made = chart([], Scale.TEN)
    assert made.lines == tuple(
        Line(y, str(points)) for points, y in ((2, 254.2), (4, 194.7), (6, 135.1), (8, 75.6), (10, 16.0))
    )
    assert (made.dots, made.path) == ((), "")


@pytest.mark.parametrize(("count", "named"), [(1, 1), (LABELS_MOST, 24), (LABELS_MOST + 1, 13), (49, 17)])
def test_as_many_rounds_are_named_as_have_room(count: int, named: int) -> None:
    made = chart([(str(place), summary(3)) for place in range(count)], Scale.HALVES)
    assert sum(bool(dot.label) for dot in made.dots) == named
    assert made.dots[0].label == "0"


# -- turns


async def test_public_pages_are_read_and_drawn_one_at_a_time_and_drawn_in_another_thread() -> None:
    turns = Turns()
    busy = most = 0
    threads: set[int] = set()

    async def reading(fails: bool = False) -> int:
        nonlocal busy, most
        busy += 1
        most = max(most, busy)
        await asyncio.sleep(0.01)
        busy -= 1
        if fails:
            raise RuntimeError
        return 1

    def drawing() -> int:
        nonlocal most
        most = max(most, busy + 1)
        threads.add(threading.get_ident())
        return 2

    with pytest.raises(RuntimeError):
        await turns.read(reading(fails=True))
    jobs = [*(turns.read(reading()) for _ in range(3)), *(turns.draw(drawing) for _ in range(3))]
    assert await asyncio.gather(*jobs) == [1, 1, 1, 2, 2, 2]
    assert most == 1
    assert threading.get_ident() not in threads
