"""Which album is meant: what is remembered and for how long, what matches, and how few calls it costs."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import cast

import aiohttp
import pytest

from bot.accounts.tokens import Tokens as MemberTokens
from bot.albums import AlbumId
from bot.caller import MemberId, RequestId
from bot.changes import Action, Kind, LibraryChange, Outcome
from bot.errors import NotLinked
from bot.library.library import new_change
from bot.library.resolver import OFFERS, OWN_MAX_MEMBERS, AlbumResolver, Resolution
from bot.pasted_text import read
from bot.sandbox import catalogue as sandbox_catalogue
from bot.sandbox.catalogue import made
from bot.sandbox.records import Record
from bot.sandbox.spotify_server import SpotifyServer
from bot.spotify.app import Access
from bot.spotify.catalogue import Catalogue
from tests.spotify.stage import CLIENT_ID, SECRET, Clock, Served, Tokens
from tests.world import FIRST

ADA, BEN = MemberId(1), MemberId(2)
OWN, SEARCH = "/v1/me/albums", "/v1/search"


class Slow(Tokens):
    """Tokens that come when the test opens the door: until then, the call that needs one is under way."""

    def __init__(self, tokens: Tokens) -> None:
        super().__init__(tokens.token, tokens.fresh)
        self.door = asyncio.Event()

    async def current(self) -> str:
        await self.door.wait()
        return self.token


class Linked:
    """Who is linked, and with which access."""

    def __init__(self) -> None:
        self.members: dict[MemberId, Access] = {}

    async def access(self, member: MemberId) -> Access:
        if member not in self.members:
            raise NotLinked
        return self.members[member]


class Harness:
    """A resolver before the strict stand-in."""

    def __init__(self, served: Served) -> None:
        self.served, self.access = served, served.access
        self.clock = Clock()
        self.catalogue = self.made_catalogue(SECRET)
        self.linked = Linked()
        self.linked.members = dict.fromkeys((ADA, BEN), served.access)
        self.resolver = self.made_resolver(self.catalogue)

    def made_catalogue(self, secret: str | None) -> Catalogue:
        """A catalogue of a host with this secret."""
        app = self.served.made_app(client_secret=secret)
        return Catalogue(self.served.spotify, app, monotonic=self.clock.monotonic)

    def made_resolver(self, catalogue: Catalogue) -> AlbumResolver:
        """A resolver with this catalogue."""
        tokens = cast(MemberTokens, self.linked)
        return AlbumResolver(self.served.spotify, catalogue, tokens, monotonic=self.clock.monotonic)

    async def resolved(self, words: str, action: Action = Action.SAVE, kind: Kind = Kind.SEARCH) -> Resolution:
        """What somebody means who types this."""
        return await self.resolver.resolve(ADA, self.access, LibraryChange(RequestId(1), 0, action, kind, words))

    async def pasted(self, text: str, action: Action = Action.SAVE) -> list[Resolution]:
        """What somebody means who pastes this, which may be several titles."""
        changes = [new_change(reference) for reference in read(text)]
        return [
            await self.resolver.resolve(
                ADA,
                self.access,
                LibraryChange(RequestId(1), place, action, new.kind, new.reference, detail=new.detail),
            )
            for place, new in enumerate(changes)
        ]

    def exists(self, title: str, artists: str, year: str = "2001") -> AlbumId:
        """An album in the catalogue."""
        album = made(Record(title, artists, year, 1, "One"))
        self.served.server.catalogue.add([album])
        return AlbumId(album.id)

    def save(self, ids: list[AlbumId]) -> None:
        """Save these at Spotify, one after the other."""
        begun = datetime(2026, 1, 1, tzinfo=UTC)
        self.served.account.saved.update({id_: begun + timedelta(hours=place) for place, id_ in enumerate(ids)})

    def own(self, *records: tuple[str, str]) -> None:
        """Albums by title and artists, saved at Spotify, the newest first."""
        albums = [made(Record(title, artists, "2001", 1, "One")) for title, artists in reversed(records)]
        self.served.server.catalogue.add(albums)
        self.save([AlbumId(album.id) for album in albums])

    async def titles(self, text: str) -> list[str]:
        """What is offered to somebody who types this to remove something."""
        return [album.title for album in await self.resolver.suggestions(ADA, Action.REMOVE, text)]

    def calls(self, path: str) -> int:
        """How often Spotify was asked for this."""
        return sum(call.path == path for call in self.served.server.calls)


@pytest.fixture
async def harness() -> AsyncIterator[Harness]:
    server = SpotifyServer(
        client_id=CLIENT_ID, client_secret=SECRET, redirect_uris=[], catalogue=sandbox_catalogue.Catalogue()
    )
    async with server.running() as base, aiohttp.ClientSession() as session:
        yield Harness(Served(session, server, base))


async def _until(is_so: Callable[[], bool]) -> None:
    async with asyncio.timeout(60):
        while not is_so():
            await asyncio.sleep(0.005)


# -- what is remembered, and for how long


async def test_of_a_members_own_albums_the_newest_200_are_known(harness: Harness) -> None:
    ids = harness.served.albums(230)
    harness.save(ids)
    assert [album.id for album in await harness.resolver.own(ADA, harness.access)] == ids[:-201:-1]
    assert sorted(int(call.param("offset") or 0) for call in harness.served.calls()) == [0, 50, 100, 150]
    assert [id_ for id_ in ids if harness.resolver.known(id_) is None] == ids[:30]  # their names came along


async def test_a_library_that_fits_on_one_page_is_one_call(harness: Harness) -> None:
    harness.save(harness.served.albums(49))
    assert len(await harness.resolver.own(ADA, harness.access)) == 49
    assert harness.calls(OWN) == 1


async def test_a_members_own_albums_are_asked_for_anew_after_a_minute(harness: Harness) -> None:
    for passed, calls in ((0, 1), (60, 1), (1, 2)):
        harness.clock.now += passed
        await harness.resolver.own(ADA, harness.access)
        assert harness.calls(OWN) == calls


async def test_the_albums_of_no_more_than_500_members_are_remembered(harness: Harness) -> None:
    first, *others = (MemberId(number) for number in range(OWN_MAX_MEMBERS + 1))
    await harness.resolver.own(first, harness.access)
    await asyncio.gather(*(harness.resolver.own(member, harness.access) for member in others))
    for member, calls in ((others[-1], 0), (first, 1)):
        before = harness.calls(OWN)
        await harness.resolver.own(member, harness.access)
        assert harness.calls(OWN) - before == calls


async def test_a_search_is_made_anew_after_a_minute_whatever_its_case_and_accents(harness: Harness) -> None:
    for words, passed, calls in (("Été", 0, 1), ("ete ", 59, 1), ("ÉTÉ", 2, 2)):
        harness.clock.now += passed
        await harness.catalogue.search(harness.access, words)
        assert harness.calls(SEARCH) == calls


async def test_a_name_is_known_for_a_day(harness: Harness) -> None:
    await harness.resolver.album(harness.access, AlbumId(FIRST))
    harness.clock.now += 86_399
    assert harness.resolver.known(AlbumId(FIRST)) is not None
    harness.clock.now += 2
    assert harness.resolver.known(AlbumId(FIRST)) is None


async def test_own_albums_that_were_read_while_the_library_changed_are_not_remembered(harness: Harness) -> None:
    tokens = Slow(harness.served.tokens)
    slow = Access(harness.served.app, tokens)
    reading = asyncio.create_task(harness.resolver.own(ADA, slow))
    await asyncio.sleep(0)
    harness.resolver.forget_own(ADA)
    tokens.door.set()
    assert await reading == []
    harness.save([AlbumId(FIRST)])
    assert [album.id for album in await harness.resolver.own(ADA, harness.access)] == [FIRST]


# -- what matches


async def test_an_album_matches_when_its_title_and_artists_hold_all_the_words(harness: Harness) -> None:
    harness.own(("Quiet Rooms", "Anna Loom"), ("Rooms", "Bert Loom"), ("Quiet", "Carl Rum"))
    assert await harness.titles("loom rooms") == ["Quiet Rooms", "Rooms"]
    assert await harness.titles("anna quiet rooms") == ["Quiet Rooms"]
    assert await harness.titles("anna carl") == []
    assert await harness.titles("") == ["Quiet Rooms", "Rooms", "Quiet"]


async def test_case_and_accents_make_no_difference_to_a_match(harness: Harness) -> None:
    harness.own(("L’ÉTÉ à Brême", "Noël Dupré"))
    assert await harness.titles("ete NOEL") == ["L’ÉTÉ à Brême"]
    assert await harness.titles("l'été") == ["L’ÉTÉ à Brême"]
    assert await harness.titles('"L\u2019été - bre') == ["L’ÉTÉ à Brême"]
    assert await harness.titles("Été bRéMe") == ["L’ÉTÉ à Brême"]


@pytest.mark.parametrize(
    ("text", "title"),
    [
        ("Agaetis", "Ágætis byrjun"),
        ("agætis", "Ágætis byrjun"),
        ("thursaflokkur", "Þursaflokkur"),
        ("gudrun", "Guðrún"),
        ("Oresund", "Øresund"),
        ("coeur", "Cœur"),
        ("lodz", "Łódź"),
        ("strasse", "Straße"),
        ("Whats", "What’s Going On"),
        ("whats go", "What's Going On"),
        ("What's", "Whats Up"),
        ("What s", "What's Going On"),
        ("'", "L'amour"),
    ],
)
async def test_an_own_album_is_found_without_its_special_letters_and_apostrophes(
    harness: Harness, text: str, title: str
) -> None:
    harness.own((title, "Somebody"), ("Other", "Band"))
    assert await harness.titles(text) == [title]


async def test_titles_that_begin_with_the_words_come_first_and_the_newest_first_among_equals(harness: Harness) -> None:
    harness.own(("The Rooms", "A"), ("Roomy", "B"), ("Blue", "Room"), ("Rooms Above", "C"))
    assert await harness.titles("room") == ["Roomy", "Rooms Above", "The Rooms", "Blue"]


LABELS = [
    "Slow Tides by Mara Vey (1999)",
    "Slow Tides by Mara Vey",
    "slow tides BY mára vey (1999)",
    "Mara Vey - Slow Tides",
    "Mara Vey – Slow Tides (1999)",
    "Slow Tides Mara Vey",
    "Mara Vey Slow Tides",
    "Slow Tides - Mara Vey",
    "Slow Tides (1999)",
    "Slow Tides 1999",
    "Slow Tides von Mara Vey (1999)",
    "Slow Tides de Mara Vey (1999)",
    "「Slow Tides」Mara Vey（1999）",
    "Slow Tides",
    "“Slow Tides”",
    '"Slow Tides"',
    "*Slow Tides*",
    "Slow Tides!",
    "“Slow Tides” by Mara Vey",
    "**Mara Vey** - Slow Tides",
    "Slow Tides · Mara Vey · 1999",
    "Slow Tides | Mara Vey",
]


@pytest.mark.parametrize("text", LABELS)
async def test_the_label_of_a_choice_means_its_album(text: str, harness: Harness) -> None:
    id_ = harness.exists("Slow Tides", "Mara Vey", "1999")
    harness.exists("Slow Tides Rising", "Mara Vey", "1999")
    harness.exists("Tides", "Slow Mara Vey", "1999")
    assert await harness.resolved(text) == Resolution(id_)
    harness.save([id_])
    assert await harness.resolved(text, Action.REMOVE) == Resolution(id_)


async def test_the_year_in_a_label_tells_two_editions_apart(harness: Harness) -> None:
    first, second = (harness.exists("Slow Tides", "Mara Vey", year) for year in ("1999", "2019"))
    assert await harness.resolved("Slow Tides by Mara Vey (2019)") == Resolution(second)
    assert await harness.resolved("Slow Tides by Mara Vey (1999)") == Resolution(first)
    offered = await harness.resolved("Slow Tides by Mara Vey")
    assert (offered.outcome, {*offered.choices}) == (Outcome.OFFERED, {first, second})


@pytest.mark.parametrize(
    "end", ["(12 tracks, 2019)", "(September 16, 2019)", "(16. September 2019)", "(2019年9月16日)"]
)
async def test_what_tells_editions_apart_in_a_label_is_no_part_of_the_title(harness: Harness, end: str) -> None:
    harness.exists("Slow Tides", "Mara Vey", "1999")
    second = harness.exists("Slow Tides", "Mara Vey", "2019")
    assert await harness.resolved(f"Slow Tides by Mara Vey {end}") == Resolution(second)


async def test_a_label_that_was_cut_to_fit_a_choice_means_its_album(harness: Harness) -> None:
    title = "A Very Long Title About Nothing In Particular That Goes On And On And On"
    id_ = harness.exists(title, "Mara Vey and Her Orchestra", "1999")
    harness.exists(f"{title} Again", "Mara Vey and Her Orchestra", "2003")
    assert await harness.resolved(f"{title} by Mara Vey and Her Orc… (1999)") == Resolution(id_)
    harness.save([id_])
    assert await harness.resolved(f"{title} by Mara Vey and Her Orc… (1999)", Action.REMOVE) == Resolution(id_)


@pytest.mark.parametrize(
    ("title", "artists", "year"),
    [
        ("1999", "Mara Vey", "1999"),
        ("Summer 2011", "Mara Vey", "2011"),
        ("Live (1999)", "Mara Vey", "2005"),
        ("Stand by Me", "Mara Vey", "2001"),
        ("Drive By", "By Bye", "2001"),
        ("L'amour de ma vie", "Le Duc de Paris", "2001"),
        ("Here | There", "Mara Vey", "2001"),
        ("Blue - Live", "Mara - Vey", "2001"),
        ("÷", "Mara Vey", "2001"),
        ("by", "by", "2001"),
    ],
)
@pytest.mark.parametrize(
    "form",
    [
        *("{t} by {a} ({y})", "{t} von {a} ({y})", "{t} de {a} ({y})", "{t} par {a} ({y})", "{t} por {a} ({y})"),
        *("{t} / {a} ({y})", "{a} - {t}", "{a} – {t} ({y})", "{t} - {a}", "{t} {a}", "{a} {t}", "{a}: {t}"),
        *("“{t}” by {a}", "*{t}* by {a}", "{t}", "“{t}”", "{t} ({y})", "{t} by {a}"),
    ],
)
async def test_a_label_means_its_album_whatever_title_and_artist_hold(
    title: str, artists: str, year: str, form: str, harness: Harness
) -> None:
    id_ = harness.exists(title, artists, year)
    harness.exists("Mara Vey", "Slow Tides", year)
    text = form.format(t=title, a=artists, y=year)
    assert await harness.resolved(text) == Resolution(id_)
    harness.save([id_])
    assert await harness.resolved(text, Action.REMOVE) == Resolution(id_)


async def test_an_album_of_that_very_title_comes_before_others_of_the_same_words(harness: Harness) -> None:
    plain, loud = harness.exists("Slow Tides", "Mara Vey"), harness.exists("Slow Tides!", "Mara Vey")
    assert await harness.resolved("Slow Tides") == Resolution(plain)
    assert await harness.resolved("slow tides!") == Resolution(loud)
    offered = await harness.resolved("Slow Tides?")
    assert (offered.outcome, {*offered.choices}) == (Outcome.OFFERED, {plain, loud})


async def test_a_title_that_holds_by_or_a_year_is_found_as_it_is(harness: Harness) -> None:
    by, year = harness.exists("Day by Day", "Mara Vey", "2004"), harness.exists("1999", "Mara Vey", "2004")
    assert await harness.resolved("Day by Day") == Resolution(by)
    assert harness.calls(SEARCH) == 1
    assert await harness.resolved("Day by Day by Mara Vey (2004)") == Resolution(by)
    assert await harness.resolved("1999") == Resolution(year)
    assert await harness.resolved("1999 by Mara Vey (2004)") == Resolution(year)


async def test_words_without_a_label_cost_one_search(harness: Harness) -> None:
    await harness.resolved("nothing of the kind")
    assert harness.calls(SEARCH) == 1


async def test_a_word_of_22_letters_is_searched_where_no_album_has_that_id(harness: Harness) -> None:
    word = "Verantwortungstraegers"
    assert len(word) == 22
    nothing = Resolution(outcome=Outcome.NO_ALBUM, detail=word)
    assert await harness.resolved(word, kind=Kind.ID_OR_WORD) == nothing
    id_ = harness.exists(word, "Mara Vey")
    harness.clock.now += 61  # the search is remembered for a minute
    assert await harness.resolved(word, kind=Kind.ID_OR_WORD) == Resolution(id_)
    other = harness.exists(word, "Nora Quill")
    harness.clock.now += 61
    offered = await harness.resolved(word, kind=Kind.ID_OR_WORD)
    assert offered == Resolution(outcome=Outcome.OFFERED, detail=word, choices=(id_, other))


async def test_22_letters_that_are_an_albums_id_mean_that_album(harness: Harness) -> None:
    album = made(Record("Slow Tides", "Mara Vey", "1999", 1, "One", id="AbcdefghijklmnopqrstuV"))
    harness.served.server.catalogue.add([album])
    found = await harness.resolved("AbcdefghijklmnopqrstuV", kind=Kind.ID_OR_WORD)
    assert found == Resolution(AlbumId("AbcdefghijklmnopqrstuV"))


# -- commas and lines


@pytest.mark.parametrize(
    ("text", "titles"),
    [
        ("Zinnober, Orchid, Burning, Lonely", ["Zinnober", "Orchid, Burning, Lonely"]),
        ("Orchid, Burning, Zinnober", ["Orchid, Burning", "Zinnober"]),
        ("Nothing, Orchid, Burning, Lonely", [None, "Orchid, Burning, Lonely"]),
        ("Orchid, Burning, Lonely, Nothing", ["Orchid, Burning, Lonely", None]),
        ("Zinnober\nOrchid, Burning, Lonely, Nothing", ["Zinnober", "Orchid, Burning, Lonely", None]),
        ("Zinnober\nNothing", ["Zinnober", None]),
        ("Ab, Bc, Cd, Orchid, Burning, Lonely", [None, "Orchid, Burning, Lonely"]),
        ("Ab, Bc, Cd, De, Orchid, Burning, Lonely", [None]),
    ],
)
@pytest.mark.parametrize("action", Action)
async def test_the_longest_run_of_parts_between_commas_that_is_a_title_is_meant(
    action: Action, text: str, titles: list[str | None], harness: Harness
) -> None:
    made = {title: harness.exists(title, "Mara Quell") for title in ("Orchid, Burning", "Orchid, Burning, Lonely")}
    made["Zinnober"] = harness.exists("Zinnober", "Somebody")
    harness.save([*made.values()])
    meant = await harness.pasted(text, action)
    assert [*dict.fromkeys(each.album_id for each in meant)] == [title and made[title] for title in titles]


async def test_a_part_of_a_line_alone_is_only_what_its_words_find(harness: Harness) -> None:
    ids = [harness.exists("Nightfall", "Mara Quell"), harness.exists("Mara Quell Live", "Somebody")]
    *_, last = await harness.pasted("Zinnober, Karmesin, Mara Quell")
    assert (last.outcome, {*last.choices}) == (Outcome.OFFERED, {*ids})


LABEL = "Zinnober by Quell, Rauch & Feuer"


async def test_of_several_editions_with_commas_in_their_label_the_saved_one_is_removed(harness: Harness) -> None:
    ids = [harness.exists("Zinnober", "Quell, Rauch & Feuer", str(year)) for year in range(2000, 2012)]
    newest, oldest = ids[-1], ids[0]
    harness.save([newest])  # the twelfth, where a search finds ten
    assert {*await harness.pasted(LABEL, Action.REMOVE)} == {Resolution(newest)}
    harness.served.account.saved.clear()
    harness.resolver.forget_own(ADA)
    harness.save([oldest, *harness.served.albums(200)])  # one more than is looked through
    assert {*await harness.pasted(LABEL, Action.REMOVE)} == {Resolution(oldest)}


# -- how it is searched


@pytest.mark.parametrize(
    ("title", "searches"),
    [
        ("Slow Tides", ["Slow Tides by Mara Vey (1999)", "Slow Tides by Mara Vey", "Slow Tides Mara Vey"]),
        ("Day by Day", ["Day by Day by Mara Vey (1999)", "Day by Day by Mara Vey"]),
    ],
)
async def test_a_label_costs_no_more_searches_than_are_needed_to_find_its_album(
    title: str, searches: list[str], harness: Harness
) -> None:
    id_ = harness.exists(title, "Mara Vey", "1999")
    assert await harness.resolved(f"{title} by Mara Vey (1999)") == Resolution(id_)
    assert [call.param("q") for call in harness.served.server.calls if call.path == SEARCH] == searches


async def test_what_a_label_names_and_is_not_saved_is_not_taken_for_what_is(harness: Harness) -> None:
    harness.exists("Slow Tides", "Mara Vey", "1999")
    harness.save([harness.exists("Slow Tides Rising", "Mara Vey", "1999")])
    text = "Slow Tides by Mara Vey (1999)"
    assert await harness.resolved(text, Action.REMOVE) == Resolution(outcome=Outcome.NO_MATCH)


async def test_albums_that_other_ways_to_search_find_are_offered_once_each(harness: Harness) -> None:
    harness.exists("Slow Tides by Mara Vey and Friends", "Somebody")
    harness.exists("Slow Tides Rising", "Mara Vey")
    offered = await harness.resolved("Slow Tides by Mara Vey")
    assert offered.outcome is Outcome.OFFERED
    assert len(offered.choices) == len({*offered.choices}) == 2


async def test_no_more_than_five_albums_are_offered_those_that_fit_best_first(harness: Harness) -> None:
    other = harness.exists("Mara Vey Plays Slow Tides", "Somebody")
    best = [harness.exists("Slow Tides", "Mara Vey", str(year)) for year in range(1999, 2003)]
    offered = await harness.resolved("Mara Vey Slow Tides")
    assert offered == Resolution(outcome=Outcome.OFFERED, choices=(*best, other))
    harness.exists("Slow Tides Rising", "Mara Vey")
    offered = await harness.resolved("Slow")
    assert (offered.outcome, len(offered.choices)) == (Outcome.OFFERED, OFFERS)


# -- what is in a library


async def test_an_album_that_comes_on_two_pages_is_one_album(harness: Harness) -> None:
    *ids, new = harness.served.albums(61)
    harness.save(ids)

    class Meanwhile(Tokens):
        async def current(self) -> str:
            if harness.calls(OWN) == 1:
                harness.served.server.save(harness.served.account, new)  # elsewhere: the pages shift by one
            return self.token

    access = Access(harness.served.app, Meanwhile(harness.served.tokens.token))
    assert [album.id for album in await harness.resolver.own(ADA, access)] == ids[::-1]


async def test_what_a_member_does_not_have_is_never_offered_for_removal(harness: Harness) -> None:
    for year in ("1999", "2009", "2019"):
        harness.exists("Slow Tides", "Mara Vey", year)
    assert await harness.resolved("Slow Tides", Action.REMOVE) == Resolution(outcome=Outcome.NO_MATCH)
    assert await harness.resolved("Slow", Action.REMOVE) == Resolution(outcome=Outcome.NO_MATCH)


async def test_an_album_beyond_the_newest_200_is_still_found_for_removal(harness: Harness) -> None:
    old = harness.exists("Slow Tides", "Mara Vey", "1999")
    harness.exists("Slow Tides", "Mara Vey", "2019")
    harness.save([old, *harness.served.albums(230)])
    assert await harness.resolved("Slow Tides", Action.REMOVE) == Resolution(old)


async def test_what_is_among_the_newest_is_removed_without_a_search(harness: Harness) -> None:
    id_ = harness.exists("Slow Tides", "Mara Vey")
    harness.save([id_])
    assert await harness.resolved("Slow Tides", Action.REMOVE) == Resolution(id_)
    assert harness.calls(SEARCH) == 0


# -- whoever is not linked


async def test_whoever_is_not_linked_is_offered_the_catalogue_while_they_type(harness: Harness) -> None:
    id_ = harness.exists("Slow Tides", "Mara Vey")
    harness.linked.members.clear()
    assert [album.id for album in await harness.resolver.suggestions(ADA, Action.SAVE, "slow tides")] == [id_]
    [search] = [call for call in harness.served.server.calls if call.path == SEARCH]
    assert search.account is None


async def test_a_word_of_22_letters_is_searched_while_somebody_types(harness: Harness) -> None:
    id_ = harness.exists("Verantwortungstraegers", "Mara Vey")
    found = await harness.resolver.suggestions(ADA, Action.SAVE, "Verantwortungstraegers")
    assert [album.id for album in found] == [id_]


async def test_without_a_secret_whoever_is_not_linked_is_told_so(harness: Harness) -> None:
    harness.linked.members.clear()
    resolver = harness.made_resolver(harness.made_catalogue(None))
    with pytest.raises(NotLinked):
        await resolver.suggestions(ADA, Action.SAVE, "slow tides")
    with pytest.raises(NotLinked):
        await harness.resolver.suggestions(ADA, Action.REMOVE, "slow tides")


@pytest.mark.parametrize("text", ["", f"spotify:album:{FIRST}", "https://open.spotify.com/album/" + FIRST, FIRST])
async def test_for_a_link_and_for_nothing_no_call_is_made_while_somebody_types(text: str, harness: Harness) -> None:
    assert await harness.resolver.suggestions(ADA, Action.SAVE, text) == []
    assert harness.served.server.calls == []


# -- how few calls it costs


async def test_two_who_ask_for_one_album_at_once_make_one_call(harness: Harness) -> None:
    first, second = await asyncio.gather(*(harness.resolver.album(harness.access, AlbumId(FIRST)) for _ in range(2)))
    assert first == second
    assert harness.calls(f"/v1/albums/{FIRST}") == 1


async def test_a_look_up_that_nobody_waits_for_any_more_goes_on_and_is_remembered(harness: Harness) -> None:
    tokens = Slow(harness.served.tokens)
    slow = Access(harness.served.app, tokens)
    waiting = asyncio.create_task(harness.resolver.album(slow, AlbumId(FIRST)))
    await asyncio.sleep(0)
    waiting.cancel()
    with suppress(asyncio.CancelledError):
        await waiting
    tokens.door.set()
    await _until(lambda: harness.resolver.known(AlbumId(FIRST)) is not None)
    assert harness.calls(f"/v1/albums/{FIRST}") == 1


async def test_while_a_member_types_one_call_at_a_time_is_under_way_for_them(harness: Harness) -> None:
    harness.served.server.delay_s = 0.03
    typed = [harness.resolver.suggestions(ADA, Action.SAVE, text) for text in ("q", "qu", "qui")]
    assert len(await asyncio.gather(*typed)) == 3
    assert harness.calls(SEARCH) == 3
    assert harness.served.server.max_in_flight == 1


async def test_a_search_for_whoever_types_on_goes_on_and_is_remembered(harness: Harness) -> None:
    tokens = Slow(harness.served.tokens)
    harness.linked.members[ADA] = Access(harness.served.app, tokens)
    id_ = harness.exists("Slow Tides", "Mara Vey")
    typing = asyncio.create_task(harness.resolver.suggestions(ADA, Action.SAVE, "slow tides"))
    await asyncio.sleep(0)
    typing.cancel()
    await asyncio.gather(typing, return_exceptions=True)
    tokens.door.set()
    await _until(lambda: harness.resolver.known(id_) is not None)


async def test_another_member_who_types_waits_for_nobody(harness: Harness) -> None:
    tokens = Slow(harness.served.tokens)
    harness.linked.members[ADA] = Access(harness.served.app, tokens)
    typing = asyncio.create_task(harness.resolver.suggestions(ADA, Action.SAVE, "quiet"))
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await harness.resolver.suggestions(BEN, Action.SAVE, "rooms")
    tokens.door.set()
    await typing
