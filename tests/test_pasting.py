"""What members type into /save and /unsave, from Discord's message to their library at Spotify and the answer."""

from __future__ import annotations

import pytest

from bot.sandbox.catalogue import made
from bot.sandbox.records import Record
from tests.club.stage import Server
from tests.discord_wire import WireInteraction, texts
from tests.world import ADA, FIRST, SECOND, World


async def said(interaction: WireInteraction) -> str:
    """The text of the answer."""
    return "\n".join(texts(await interaction.message(5.0)))


def released(world: World, title: str, artists: str, year: str = "2001", id_: str = "") -> str:
    """A new album at Spotify; its id."""
    album = made(Record(title, artists, year, 1, "One", id=id_) if id_ else Record(title, artists, year, 1, "One"))
    world.spotify.catalogue.add([album])
    return album.id


@pytest.mark.parametrize("between", ["", ";", "|", "/", "\n", "\t", "、"], ids=ascii)
async def test_two_links_are_saved_whatever_is_between_them(world: World, between: str) -> None:
    await world.link(ADA)
    links = between.join(f"https://open.spotify.com/album/{id_}?si=8R3lLxP4" for id_ in (FIRST, SECOND))
    assert "Saved 2 albums." in await said(await world.save(links))
    assert sorted(world.saved()) == sorted([FIRST, SECOND])


@pytest.mark.parametrize(
    "text",
    [
        "Zinnober\nMara Quell",
        "Mara Quell\nZinnober",
        "Zinnober\r\nMara Quell\r\n(2001)",
        "\u200bZinnober\u200b\t Mara Quell",
        "Zinnober by Mara Quell (2001)",
        "Mara Quell - Zinnober",
        "Mara Quell (2001) Zinnober",
        "Mara Quell – 2001 – Zinnober",
        "2001 | Zinnober | Mara Quell",
        "Zinnober, Mara Quell",
        "Zinnober\x85Mara Quell",
        "“Zinnober”\n– Mara Quell",
        "Zinnober - Album by Mara Quell | Spotify",
        "Zinnober - Single von Mara Quell | Spotify",
        "| Zinnober | Mara Quell |\n|---|---|",
        "<li><b>Zinnober</b> by Mara Quell</li>",
    ],
    ids=ascii,
)
async def test_a_title_and_its_artist_are_one_album(world: World, text: str) -> None:
    id_ = released(world, "Zinnober", "Mara Quell")
    released(world, "Mara Quell", "Zinnober Trio")  # what the lines would mean one by one
    await world.link(ADA)
    answer = await said(await world.save(text))
    assert world.saved() == [id_], answer
    assert "Saved to your library." in answer


@pytest.mark.parametrize("separator", ["\n", "\r\n", ", ", ",", "; ", "\n\n", " \u2028"], ids=ascii)
async def test_each_title_of_a_list_is_a_search_of_its_own(world: World, separator: str) -> None:
    ids = [released(world, title, "Somebody") for title in ("Zinnober", "Karmesin", "Ocker Gold")]
    await world.link(ADA)
    answer = await said(await world.save(separator.join(["Zinnober", "karmesin", "Ocker Gold", "Nothingwhatsoever"])))
    assert sorted(world.saved()) == sorted(ids), answer
    assert "Saved 3 albums." in answer
    assert "Nothingwhatsoever" in answer


@pytest.mark.parametrize(
    "text",
    ["Zinnober by Quell, Rauch & Feuer (2001)", "Quell, Rauch & Feuer - Zinnober", "Zinnober\nQuell, Rauch & Feuer"],
)
async def test_a_comma_in_an_artists_name_separates_nothing(world: World, text: str) -> None:
    id_ = released(world, "Zinnober", "Quell, Rauch & Feuer")
    released(world, "Quell", "Somebody")
    await world.link(ADA)
    answer = await said(await world.save(text))
    assert world.saved() == [id_], answer
    assert "Saved to your library." in answer
    assert "Removed from your library." in await said(await world.unsave(text))
    assert world.saved() == []


@pytest.mark.parametrize(
    "text",
    [
        "Orchid, Burning, Lonely, Zinnober",
        "Zinnober, Orchid, Burning, Lonely",
        "Orchid, Burning, Lonely - Mara Quell, Zinnober",
        "Zinnober; Orchid, Burning, Lonely by Mara Quell",
    ],
)
async def test_a_title_with_commas_beside_another_title_is_one_title(world: World, text: str) -> None:
    ids = [released(world, "Orchid, Burning, Lonely", "Mara Quell"), released(world, "Zinnober", "Somebody")]
    for title in ("Orchid House", "Burning Down", "Lonely Hearts"):
        released(world, title, "Nobody")
    await world.link(ADA)
    answer = await said(await world.save(text))
    assert sorted(world.saved()) == sorted(ids), answer
    assert "Saved 2 albums." in answer
    assert "match" not in answer
    assert "Removed 2 albums." in await said(await world.unsave(text))


@pytest.mark.parametrize("text", ["Zinnober - Mara Quell", "Otto Rauch - Zinnober", "Zinnober by Mara Quell (2001)"])
async def test_one_of_several_artists_beside_the_title_is_enough(world: World, text: str) -> None:
    id_ = released(world, "Zinnober", "Mara Quell / Otto Rauch")
    await world.link(ADA)
    assert "Saved to your library." in await said(await world.save(text))
    assert world.saved() == [id_]


async def test_a_list_of_exact_titles_costs_no_search_for_other_ways_to_read_it(world: World) -> None:
    for title in ("Zinnober", "Karmesin", "Ocker Gold"):
        released(world, title, "Somebody")
    await world.link(ADA)
    await said(await world.save("Zinnober, Karmesin, Ocker Gold"))
    searches = [call for call in world.calls() if call[1] == "/v1/search"]
    assert len(searches) <= 6  # the whole line, once for each title at most, and the titles


async def test_an_artist_with_a_comma_alone_is_one_question(world: World) -> None:
    for title in ("Zinnober", "Karmesin"):
        released(world, title, "Quell, Rauch & Feuer")
    await world.link(ADA)
    answer = await said(await world.save("Quell, Rauch & Feuer"))
    assert answer.count("Which one do you mean?") == 1
    assert world.saved() == []


async def test_22_letters_and_an_artist_are_searched_for(world: World) -> None:
    word = "Verantwortungstraegers"
    id_ = released(world, word, "Mara Quell")
    await world.link(ADA)
    assert "Saved to your library." in await said(await world.save(f"{word} by Mara Quell"))
    assert world.saved() == [id_]


async def test_22_letters_that_are_no_album_are_told_with_the_words_beside_them(world: World) -> None:
    await world.link(ADA)
    answer = await said(await world.save("Verantwortungstraegers by Nobody"))
    assert "Spotify has no album for “Verantwortungstraegers by Nobody”." in answer


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("<link.deezer.com/s/abc>", "That is a link to Deezer."),
        ("<embed.tidal.com/albums/1>", "That is a link to TIDAL."),
        ("<a.co/abc>", "That is a link to Amazon."),
        ("<b>", "Several albums match “\\<b\\>”."),
    ],
)
async def test_what_is_between_angle_brackets_is_answered(world: World, text: str, what: str) -> None:
    await world.link(ADA)
    assert what in await said(await world.save(text))


async def test_many_titles_of_which_each_could_be_several_albums_are_answered(world: World) -> None:
    titles = [f"Zinnober {number}" for number in range(60)]
    for title in titles:
        released(world, title, "Mara Quell")
        released(world, title, "Somebody else")
    await world.link(ADA)
    answer = await said(await world.save("\n".join(titles)))
    assert "I did not search for “Zinnober 50, Zinnober 51" in answer
    assert world.saved() == []


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("youtu.be/dQw4w9WgXcQ", "That is a link to YouTube."),
        ("music.apple.com/de/album/blue/1", "That is a link to Apple Music."),
        ("open.spotify.com/user/ada", "That is a profile."),
        ("https://open.spotify.com/collection", "That is a page of somebody’s own library."),
        ("spotify:local:Low:Hey+What:White:231", "That is a file on somebody’s device"),
    ],
)
async def test_what_is_no_album_is_named(world: World, text: str, what: str) -> None:
    await world.link(ADA)
    assert what in await said(await world.save(text))
    assert world.saved() == []
    assert [call for call in world.spotify.calls if call.path == "/v1/search"] == []


@pytest.mark.parametrize("locale", ["en-US", "de", "fr", "es-ES", "pt-BR", "ja"])
async def test_the_name_of_each_choice_comes_back_as_its_album(world: World, locale: str) -> None:
    long = "Zinnober, or the Complete Recordings of the Second Night by the Sea, with All of Its Encores"
    records = [
        *(("Zinnober by Night", "Mara Quell", "2001"), ("Zinnober - Live (1999)", "Mara Quell", "1999")),
        *(("Zinnober, Karmesin", "Quell, Rauch & Feuer", "2001"), ("Zinnober 2011", "Von Hier", "2011")),
        *(
            (long, "Mara Quell", "2001"),
            ("「Zinnober」", "Mara Quell", "2001"),
            ("Zinnober de par por von", "By", "2002"),
        ),
        *(("Zinnober", "Mara Quell", "2001"), ("Zinnober", "Mara Quell", "2011")),
    ]
    ids = {released(world, *record) for record in records}
    await world.link(ADA)
    typed = await world.discord.autocomplete(ADA, "save", "albums", "zinnober", locale=locale)
    await typed.answered()
    choices = {choice["name"]: choice["value"].removeprefix("spotify:album:") for choice in typed.choices}
    assert {*choices.values()} == ids
    for name, id_ in choices.items():
        answer = await said(await world.save(name, locale=locale))
        assert world.saved() == [id_], (name, answer)
        answer = await said(await world.unsave(name, locale=locale))
        assert world.saved() == [], (name, answer)


# -- commands that take one album

COMMANDS = ("share", "crate add", "crate remove", "club nominate", "curate veto")


@pytest.fixture
async def server(world: World) -> Server:
    """A server with a club, and a linked member, so that words can be searched."""
    await world.link(ADA)
    server = Server(world)
    await server.start()
    return server


@pytest.mark.parametrize("command", COMMANDS)
async def test_words_beside_a_link_are_told_to_whoever_typed_them(server: Server, command: str) -> None:
    text = f"so good: https://open.spotify.com/album/{FIRST} listen"
    answer = await server.world.discord.slash(ADA, command, {"album": text})
    await answer.message(5.0)
    beside = await answer.followup(5.0)
    assert texts(beside) == [
        "I read the links and ignored “so good: listen”: to search for words, send them without a link."
    ]
    assert beside["flags"] & 64
    alone = await server.world.discord.slash(ADA, command, {"album": f"<https://open.spotify.com/album/{SECOND}>"})
    await alone.message(5.0)
    assert alone.followups == []


@pytest.mark.parametrize(
    "text",
    [
        "Verantwortungstraegers",
        "Verantwortungstraegers by Mara Quell (2001)",
        "Mara Quell - Verantwortungstraegers",
        "“Verantwortungstraegers” von Mara Quell",
        "Verantwortungstraegers\nMara Quell",
        "spotify\uff1aalbum\uff1a{id}",
        r"https:\/\/open.spotify.com\/album\/{id}",
        "<https://open.spotify.com/intl-de/album/{id}?si=8R3lLxP4|Zinnober>",
        "1. ttps://open.spotify.com./album/{id}%20",
    ],
    ids=ascii,
)
async def test_each_command_reads_an_album_as_save_does(server: Server, text: str) -> None:
    id_ = released(server.world, "Verantwortungstraegers", "Mara Quell")
    wanted = {
        "share": "Shared by",
        "crate add": "Added to the crate",
        "crate remove": "Removed from the crate.",
        "club nominate": "ominated",
        "curate veto": "is kept out of this club.",
    }
    for command, words in wanted.items():
        answer = await said(await server.world.discord.slash(ADA, command, {"album": text.format(id=id_)}))
        assert "Verantwortungstraegers" in answer, command
        assert words in answer, (command, answer)


@pytest.mark.parametrize(
    ("text", "what"),
    [
        ("musicbrainz.org/release/1", "That is a link to MusicBrainz."),
        ("<a.co/d/abc>", "That is a link to Amazon."),
        ("https://open.spotify.com/playlist/37i9dQZF1DXcBWIGoYBM5M?si=1", "That is a playlist."),
        ("spotify:artist:1uyf3l2d4XYwiEqAb7t7fX", "That is an artist."),
        ("https://open.spotify.com/show/1uyf3l2d4XYwiEqAb7t7fX", "That is a podcast."),
        ("https://evil.example/album/1", "I need exactly one album: paste one link"),
        (f"{FIRST} {SECOND}", "I need exactly one album: paste one link"),
    ],
)
async def test_each_command_says_what_is_no_album(server: Server, text: str, what: str) -> None:
    for command in COMMANDS:
        assert what in await said(await server.world.discord.slash(ADA, command, {"album": text})), command
