"""The club book: what it shows, whom it names, and what it does not let out."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from html.parser import HTMLParser

import pytest
from msgspec.structs import replace

from bot.albums import AlbumId
from bot.clubs.book import BookRound
from bot.curation.club import Choice, Pick
from bot.curation.ids import RoundNumber
from bot.sandbox.catalogue import Album, Artist, Track
from bot.text import texts
from bot.web.book_view import found
from bot.web.outside_text import legible
from tests.storage.clubs import BEGIN
from tests.web import books
from tests.web.books import ADA, BEN, curator, open_book, season
from tests.web.stage import Browser, Stage

ZALGO = "Z" + "\u0335\u0321\u0348" * 40 + "algo"
TURNED = "\u202eevil\u2066"
MARKUP = "<script>alert(1)</script><img src=x onerror=alert(1)>\"'{{7*7}}"


def albums(stage: Stage, count: int) -> list[str]:
    return sorted(stage.spotify.catalogue.albums)[:count]


def calls(stage: Stage) -> int:
    """How often Spotify was asked for an album."""
    return sum(call.path.startswith("/v1/albums/") for call in stage.spotify.calls)


class Reader(HTMLParser):
    """The tags of a page, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data


async def test_a_book_shows_each_round_with_its_cover_link_figures_and_reviews(stage: Stage, browser: Browser) -> None:
    ids = albums(stage, 6)
    url = await open_book(stage.public_pages, await season(stage.storage, ids))
    answer = await browser.get(url)
    assert answer.status == 200
    assert answer.title == "The Tuesday Club"
    page = Reader(answer.text)
    covers = [attrs for tag, attrs in page.tags if tag == "img" and attrs.get("class") == "cover"]
    assert len(covers) == 6
    for cover, id_ in zip(covers, reversed(ids), strict=True):
        album = stage.spotify.catalogue.albums[id_]
        assert cover["src"] in {image.url for image in album.images}
        assert (cover["alt"] or "").startswith(f"Cover of {album.title} by ")
    links = {attrs.get("href") for tag, attrs in page.tags if tag == "a"}
    assert {f"https://open.spotify.com/album/{id_}" for id_ in ids} <= links
    assert "Listening now" in page.text
    assert "on Spotify" in page.text
    assert books.REVIEWS[0] in page.text
    for caption in ("Best rated", "Most divisive", "By picker", "By decade"):
        assert caption in page.text


async def test_only_a_round_that_was_voted_on_shows_its_votes(stage: Stage, browser: Browser) -> None:
    url = await open_book(stage.public_pages, await season(stage.storage, albums(stage, 6)))
    rounds = re.split(r'id="round-(\d+)"', (await browser.get(url)).text)[1:]
    shown = {int(number): "Votes" in text for number, text in zip(rounds[::2], rounds[1::2], strict=True)}
    assert shown == {number: books.CHOICES[number % 6] is Choice.VOTE for number in range(1, 7)}


async def test_a_review_has_its_score_beside_it(stage: Stage, browser: Browser) -> None:
    stored = await season(stage.storage, albums(stage, 2), reviews=["A review."])
    page = (await browser.get(await open_book(stage.public_pages, stored))).text
    assert sorted(re.findall(r'class="score">([^<]+)<', page)) == ["2", "3.5", "4"]


@pytest.mark.parametrize(
    ("choice", "pick", "says"),
    [
        (Choice.VOTE, Pick.VOTE, "Nominated by Ada and chosen by vote, with 7 ballots."),
        (Choice.ONLY_NOMINATION, Pick.VOTE, "Nominated by Ada. It was the only nomination."),
        (Choice.PICKER, Pick.TURNS, "Picked by Ada."),
        (Choice.STANDBY, Pick.TURNS, "Picked by Ada."),
        (Choice.STAND_IN, Pick.TURNS, "Nobody picked an album, so this is the curator's stand-in."),
        (Choice.STAND_IN, Pick.CRATE, "The crate was empty, so this is the curator's stand-in."),
        (Choice.STAND_IN, Pick.VOTE, "There was no nomination, so this is the curator's stand-in."),
        (Choice.CRATE, Pick.TURNS, "Nobody picked an album, so this was drawn from the crate, out of 40 albums."),
        (Choice.CRATE, Pick.VOTE, "There was no nomination, so this was drawn from the crate, out of 40 albums."),
        (Choice.CRATE, Pick.CRATE, "Drawn from the crate, out of 40 albums."),
        (None, Pick.VOTE, ""),
    ],
)
def test_each_way_to_find_an_album_has_its_sentence(choice: Choice | None, pick: Pick, says: str) -> None:
    assert found(texts("en-US"), round_with(choice, pick), "Ada") == says


def test_a_vote_without_ballots_is_not_said_to_have_chosen_the_album() -> None:
    says = found(texts("en-US"), round_with(Choice.VOTE, Pick.VOTE, voters=0), "Ada")
    assert says == "Nominated by Ada. Nobody voted, so the lot order decided."


def round_with(choice: Choice | None, pick: Pick, voters: int = 7) -> BookRound:
    return BookRound(
        RoundNumber(1),
        AlbumId("x" * 22),
        BEGIN.date(),
        BEGIN,
        None,
        choice,
        pick,
        "Ada",
        is_members=True,
        among=40,
        note="",
        theme="",
        voters=voters,
        scores=(),
        summary=None,
        reviews=(),
    )


async def test_ratings_of_the_current_album_stay_hidden(stage: Stage, browser: Browser) -> None:
    url = await open_book(stage.public_pages, await season(stage.storage, albums(stage, 3)))
    answer = await browser.get(url)
    assert "A rating that stays hidden." not in answer.text


@pytest.mark.parametrize(("rounds", "has_season"), [(1, False), (2, True), (3, True)])
async def test_a_season_is_drawn_from_the_second_rated_round_on(
    rounds: int, has_season: bool, stage: Stage, browser: Browser
) -> None:
    url = await open_book(stage.public_pages, await season(stage.storage, albums(stage, rounds), listening=False))
    text = (await browser.get(url)).text
    assert ('id="season"' in text) is has_season
    assert (f"Mean ratings of {rounds} rounds" in text) is has_season


async def test_only_members_who_agreed_are_named_and_no_id_of_anybody_is_on_the_page(
    stage: Stage, browser: Browser
) -> None:
    await stage.storage.preferences.set_named(ADA, "Ada of the hills")
    url = await open_book(stage.public_pages, await season(stage.storage, albums(stage, 8)))
    text = (await browser.get(url)).text
    assert "Ada of the hills" in text
    assert "a member" in text
    assert "Members who are not named" in text
    assert not re.search(r"30000000000000000\d|20000000000000000\d|<@", text)
    await stage.storage.preferences.set_named(ADA, None)
    text = (await browser.get(url)).text
    assert "Ada" not in text


async def test_a_review_is_named_only_where_its_writer_also_said_so_beside_it(stage: Stage, browser: Browser) -> None:
    await stage.storage.preferences.set_named(BEN, "Ben of the harbour")
    club = await season(stage.storage, albums(stage, 3), listening=False)
    await stage.storage.database.write(lambda c: c.execute("UPDATE ratings SET is_named = 0"))
    text = (await browser.get(await open_book(stage.public_pages, club))).text
    assert (
        text.count("Ben of the harbour") == text.count("by <bdi>Ben of the harbour</bdi>") + 1
    )  # picker, and standings
    await stage.storage.database.write(lambda c: c.execute("UPDATE ratings SET is_named = 1"))
    assert (
        '<span class="who"><bdi>Ben of the harbour</bdi></span>'
        in (await browser.get(await open_book(stage.public_pages, club))).text
    )


async def test_a_forgotten_member_is_on_no_page(stage: Stage, browser: Browser) -> None:
    await stage.storage.preferences.set_named(ADA, "Ada of the hills")
    url = await open_book(stage.public_pages, await season(stage.storage, albums(stage, 8), note="A note of hers"))
    await stage.storage.forget(ADA)
    assert "Ada" not in (await browser.get(url)).text


async def test_a_round_from_a_spreadsheet_is_named_by_its_day_and_its_picker_by_nothing(
    stage: Stage, browser: Browser
) -> None:
    club = await season(stage.storage, albums(stage, 2))
    noon = datetime(2019, 5, 6, 12, tzinfo=UTC)
    one = replace(
        books.past(3, albums(stage, 3)[2]),
        number=RoundNumber(0),
        choice=Choice.PICKER,
        chosen_by=None,
        picker_name="Somebody of the sheet",
        opened_at=noon,
        announced_at=noon,
        ended_at=noon,
        imported_at=noon,
    )
    await stage.storage.database.write(lambda c: stage.storage.clubs.close_in(c, club.id, one))
    url = await open_book(stage.public_pages, club)
    text = (await browser.get(url)).text
    assert '<p class="when">May 6, 2019</p>' in text
    assert "Round 0" not in text
    for place in ("", "/feed.atom", "/rounds.csv", "/rounds.json"):
        assert "Somebody of the sheet" not in (await browser.get(f"{url}{place}")).text


# -- the address


async def test_the_old_address_is_gone_at_once_when_it_is_renewed_or_turned_off(stage: Stage, browser: Browser) -> None:
    club = await season(stage.storage, albums(stage, 2))
    pages = stage.public_pages
    first = await open_book(pages, club)
    assert await open_book(pages, club) == first, "turned on twice, it keeps its address"
    second = await pages.open_book(club.id, curator("book renew"), renew=True)
    assert second is not None
    assert second != first
    assert (await browser.get(first)).status == 404
    assert (await browser.get(second)).status == 200
    assert await pages.close_book(club.id, curator("book off"))
    assert (await browser.get(second)).status == 404
    assert not await pages.close_book(club.id, curator("book off"))
    assert await pages.open_book(club.id, curator("book renew"), renew=True) is None


async def test_an_address_has_192_bits_and_is_in_no_file_as_it_is(stage: Stage) -> None:
    url = await open_book(stage.public_pages, await season(stage.storage, albums(stage, 1)))
    address = url.rpartition("/")[2]
    assert re.fullmatch(r"[\w-]{32}", address)
    assert address.encode() not in stage.written()


async def test_an_address_opens_no_page_of_another_kind(stage: Stage, browser: Browser) -> None:
    url = await open_book(stage.public_pages, await season(stage.storage, albums(stage, 1)))
    assert (await browser.get(url.replace("/club/", "/crate/"))).status == 404


@pytest.mark.parametrize("query", ["page=0", "page=2", "page=x", "page=-1", "page=99999999999", "page=%EF%BC%91"])
async def test_a_page_that_is_not_there_is_not_found(stage: Stage, browser: Browser, query: str) -> None:
    url = await open_book(stage.public_pages, await season(stage.storage, albums(stage, 1)))
    assert (await browser.get(f"{url}?{query}")).status == 404


async def test_no_search_engine_keeps_a_book_and_only_spotifys_pictures_are_let_in(
    stage: Stage, browser: Browser
) -> None:
    answer = await browser.get(await open_book(stage.public_pages, await season(stage.storage, albums(stage, 1))))
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert '<meta name="robots" content="noindex">' in answer.text
    assert answer.headers["Referrer-Policy"] == "no-referrer"
    policy = answer.headers["Content-Security-Policy"]
    assert "default-src 'none'; style-src 'self'; img-src 'self' https://i.scdn.co https://image-cdn" in policy
    assert "script" not in policy
    assert "unsafe" not in policy


# -- Spotify


async def test_a_book_of_100_rounds_costs_100_calls_once_and_then_none(stage: Stage, browser: Browser) -> None:
    extra = [made(place) for place in range(100)]
    stage.spotify.catalogue.add(extra)
    url = await open_book(stage.public_pages, await season(stage.storage, [album.id for album in extra]))
    answer = await browser.get(url)
    assert answer.text.count('class="round"') == 100
    assert "still to come" not in answer.text
    assert calls(stage) == 100
    await browser.get(url)
    assert calls(stage) == 100


async def test_an_album_that_spotify_does_not_know_is_asked_for_once(stage: Stage, browser: Browser) -> None:
    url = await open_book(stage.public_pages, await season(stage.storage, ["7" + "z" * 21]))
    counts = []
    for _ in range(3):
        answer = await browser.get(url)
        assert "an album on Spotify" in answer.text
        assert "still to come" not in answer.text
        counts.append(calls(stage))
    assert len(set(counts)) == 1


# -- what comes from outside


def made(place: int, name: str = "", artist: str = "") -> Album:
    """An invented album."""
    id_ = f"{place:022}".replace("0", "Q")
    track = Track(id_, "Song", 1, 1000)
    return Album(id_, name or f"Album {place}", (Artist(id_, artist or "Somebody"),), "1999", "album", (track,))


@pytest.mark.parametrize("evil", [MARKUP, ZALGO, TURNED, "\x00\x0b\ufffe", "</title></style>", "&amp;lt;b&gt;"])
async def test_names_notes_and_reviews_are_text_whatever_is_in_them(stage: Stage, browser: Browser, evil: str) -> None:
    album = made(1, f"T{evil}", f"A{evil}")
    stage.spotify.catalogue.add([album])
    await stage.storage.preferences.set_named(ADA, f"N{evil}")
    await stage.storage.preferences.set_named(BEN, f"M{evil}")
    club = await season(
        stage.storage, [album.id] * 3, name=f"C{evil}", reviews=(f"R{evil}",), note=f"O{evil}", listening=False
    )
    answer = await browser.get(await open_book(stage.public_pages, club))
    page = Reader(answer.text)
    assert not {tag for tag, _ in page.tags} & {"script", "style", "iframe", "object", "base", "form"}
    assert not [name for _, attrs in page.tags for name in attrs if name.startswith("on") or name == "style"]
    assert "49" not in page.text.replace("1949", "") or "{{7*7}}" in page.text
    assert not set(answer.text) & {"\u202e", "\u2066", "\x00", "\x0b", "\ufffe"}
    assert not re.search("[\u0300-\u036f]{4}", answer.text)
    for start in "TANCRO":
        assert f"{start}{legible(evil)}" in page.text or legible(f"{start}{evil}") in page.text


def test_text_from_outside_keeps_what_people_write() -> None:
    for text in ("Été indien", "शक्ति", "مرحبا بالعالم", "ไม่เป็นไร", "Tiếng Việt", "👩‍👩‍👧", "e\u0301"):
        assert legible(text) == text
    assert legible("a" * 30, 10) == "aaaaaaaaa…"
    assert legible("two\nlines\tof  text ") == "two lines of text"
    assert legible("abcde\u0301f", 6) == "abcd…"


def test_text_from_outside_loses_what_is_no_character_and_accents_beyond_three() -> None:
    for code in (0xFDD0, 0xFDEF, 0xFFFE, 0x1FFFF):
        assert legible(f"one{chr(code)}two") == "one two"
    for code in (0xFDCF, 0xFDF0, 0xFFFD):
        assert legible(f"one{chr(code)}two") == f"one{chr(code)}two"
    assert legible("e" + "\u0301" * 9 + "o\u0301") == "e" + "\u0301" * 3 + "o\u0301"


async def test_a_book_speaks_the_readers_language_and_else_the_clubs(stage: Stage, browser: Browser) -> None:
    url = await open_book(stage.public_pages, await season(stage.storage, albums(stage, 2), locale="de"))
    assert '<html lang="fr">' in (await browser.get(url, headers={"Accept-Language": "fr-CH, fr;q=0.9"})).text
    assert '<html lang="de">' in (await browser.get(url)).text


async def test_a_club_without_rounds_has_a_page(stage: Stage, browser: Browser) -> None:
    url = await open_book(stage.public_pages, await season(stage.storage, []))
    assert "There is no album yet." in (await browser.get(url)).text


async def test_a_long_book_has_pages_and_asks_for_the_names_on_each_and_of_the_latest_200(
    stage: Stage, browser: Browser
) -> None:
    extra = [made(place) for place in range(240)]
    stage.spotify.catalogue.add(extra)
    url = await open_book(stage.public_pages, await season(stage.storage, [album.id for album in extra]))
    first = await browser.get(url)
    assert calls(stage) == 200
    third = await browser.get(f"{url}?page=3")
    assert calls(stage) == 240
    assert first.text.count('class="round"') == 100
    assert third.text.count('class="round"') == 40
    assert 'rel="next"' in first.text
    assert 'rel="prev"' in third.text
    assert (await browser.get(f"{url}?page=4")).status == 404
