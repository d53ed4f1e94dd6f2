"""`/import` and `/export` on the wire: from the attached file to the member's library, and back."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.files.library import read_library
from bot.sandbox.catalogue import synthetic
from bot.sandbox.faults import FAULTS
from tests.discord_wire import Json, WireFile, WireInteraction, buttons, flatten, texts
from tests.world import ADA, BEN, FIRST, SECOND, World, made

MISSING = "0000000000000000000000"


async def ask(world: World, file: WireFile, member: int = ADA) -> WireInteraction:
    """`/import`."""
    return await world.discord.slash(member, "import", {"file": file})


async def said(interaction: WireInteraction, *, version: int = 1) -> str:
    return "\n".join(texts(await interaction.message(8.0, version=version)))


async def press(world: World, interaction: WireInteraction, label: str, member: int = ADA) -> WireInteraction:
    message = interaction.history[-1]
    (button,) = [button for button in buttons(message) if button["label"].startswith(label)]
    return await world.discord.press(member, button["custom_id"], message)


async def until_said(world: World, interaction: WireInteraction, words: str, seconds: float = 30.0) -> Json:
    """The message of an interaction, once it holds these words."""
    message: Json = {}
    try:
        async with asyncio.timeout(seconds):
            while True:
                message = world.discord.messages.get(interaction.original_id, {"components": []})
                if words in "\n".join(texts(message)):
                    return message
                await asyncio.sleep(0.02)
    except TimeoutError:
        raise AssertionError(f"{words!r} is not in {texts(message)}") from None


def file_in(world: World, message: Json) -> bytes:
    """The only file of a message."""
    (attachment,) = message["attachments"]
    (part,) = [part for part in flatten(message["components"]) if part["type"] == 13]
    assert part["file"]["url"] == f"attachment://{attachment['filename']}"
    return next(file.content for path, file in world.discord.files.items() if f"/{attachment['id']}/" in path)


def listed(ids: list[str]) -> WireFile:
    return WireFile("albums.txt", "\n".join(f"https://open.spotify.com/album/{id_}" for id_ in ids).encode())


def known(world: World, count: int) -> list[str]:
    """This many albums that Spotify has."""
    albums = synthetic(count)
    world.spotify.catalogue.add(albums)
    return [album.id for album in albums]


# -- asking


async def test_a_file_is_read_asked_about_saved_and_summed_up_in_one_message(world: World) -> None:
    await world.link(ADA)
    world.spotify.save(world.spotify.accounts["ada"], SECOND)
    text = f"My list\nspotify:album:{FIRST}\n{SECOND}\n{FIRST}\nspotify:album:{MISSING}\nhttps://youtu.be/x\n"
    asked = await ask(world, WireFile("list.txt", text.encode()))
    question = await said(asked)
    assert "“list.txt” names 3 albums. 1 more line names an album that was named before." in question
    assert "2 lines name no album:\n- My list\n- https\\://youtu.be/x" in question
    assert [button["label"] for button in buttons(asked.history[-1])] == ["Save 3", "Cancel"]
    assert asked.history[-1]["flags"] & 64
    assert world.saved() == [SECOND]
    pressed = await press(world, asked, "Save 3")
    message = await until_said(world, pressed, "Your import is done")
    assert pressed.original_id == asked.original_id, "one message from the question to the end"
    told = "\n".join(texts(message))
    assert "saved 1 album. 1 was already in your library. 3 lines were not imported; the file says why." in told
    assert sorted(world.saved()) == sorted([FIRST, SECOND])
    table = file_in(world, message).decode("utf-8-sig").splitlines()
    assert table == [
        '"what","why","code","at"',
        '"My list","This line names no album.","no_album","1"',
        f'"https://open.spotify.com/album/{MISSING}","Spotify has no such album.","no_album","5"',
        '"https://youtu.be/x","That is a link to YouTube.","not_an_album","6"',
    ]


async def test_what_was_imported_can_be_undone(world: World) -> None:
    await world.link(ADA)
    asked = await ask(world, listed([FIRST, SECOND]))
    await said(asked)
    pressed = await press(world, asked, "Save 2")
    message = await until_said(world, pressed, "Your import is done: saved 2 albums.")
    assert message["attachments"] == []
    (undo,) = buttons(message)
    await said(await world.discord.press(ADA, undo["custom_id"], message))
    await world.idle()
    assert world.saved() == []


async def test_an_import_is_stopped_and_what_was_saved_stays(world: World) -> None:
    await world.link(ADA)
    ids = known(world, 400)
    asked = await ask(world, listed(ids))
    await said(asked)
    world.spotify.delay_s = 0.05
    pressed = await press(world, asked, "Save 400")
    async with asyncio.timeout(60):
        while not world.saved():
            await asyncio.sleep(0.002)
    (stop,) = buttons(await until_said(world, pressed, "Saving the albums of your file"))
    other = await world.discord.press(BEN, stop["custom_id"], pressed.history[-1])
    assert "belongs to somebody else" in await said(other)
    stopped = await world.discord.press(ADA, stop["custom_id"], pressed.history[-1])
    assert "Stopped. What was saved stays" in await said(stopped)
    world.spotify.delay_s = 0.0
    message = await until_said(world, asked, "Your import was stopped: saved", 60)
    assert "saved 0" not in "\n".join(texts(message))
    await world.idle()
    assert 0 < len(world.saved()) < 400
    assert f"saved {len(world.saved())} album" in "\n".join(texts(message))
    assert file_in(world, message).count(b"You took this out of the queue.") == 400 - len(world.saved())
    again = await world.discord.press(ADA, stop["custom_id"], message)
    assert "nothing left to stop" in await said(again)


async def test_an_import_that_is_stopped_after_a_write_without_an_answer_claims_nothing(world: World) -> None:
    await world.link(ADA)
    world.spotify.fault(path="/v1/me/*", method="PUT", times=None, status=500, carried_out=True)
    asked = await ask(world, listed([FIRST, SECOND]))
    await said(asked)
    pressed = await press(world, asked, "Save 2")
    await until_said(world, pressed, "I will message you when they are saved")
    (stop,) = buttons(world.discord.messages[pressed.original_id])
    stopped = await world.discord.press(ADA, stop["custom_id"], pressed.history[-1])
    assert "Stopped. What was saved stays" in await said(stopped)
    message = await until_said(world, asked, "Your import was stopped.", 60)
    told = "\n".join(texts(message))
    assert "Your import was stopped. Spotify may have changed your library already, so have a look." in told
    assert "You took this out of the queue. Spotify may have" in file_in(world, message).decode("utf-8-sig")
    assert sorted(world.saved()) == sorted([FIRST, SECOND])


async def test_an_import_that_is_stopped_at_once_does_not_count_what_was_saved(world: World) -> None:
    await world.link(ADA)
    asked = await ask(world, listed(known(world, 50)))
    await said(asked)
    world.spotify.fault(path="*/contains", times=None, **FAULTS["unavailable"])
    pressed = await press(world, asked, "Save 50")
    (stop,) = buttons(await until_said(world, pressed, "queued"))
    await said(await world.discord.press(ADA, stop["custom_id"], pressed.history[-1]))
    message = await until_said(world, asked, "Your import was stopped before anything was saved.", 60)
    assert "saved 0" not in "\n".join(texts(message))
    assert world.saved() == []


async def test_cancel_saves_nothing_and_deletes_what_was_read(world: World) -> None:
    await world.link(ADA)
    asked = await ask(world, listed([FIRST]))
    await said(asked)
    cancelled = await press(world, asked, "Cancel")
    assert "Nothing was saved." in await said(cancelled)
    assert cancelled.original_id == asked.original_id
    assert (await world.bot.storage.export(ADA)).get("imports", []) == []
    late = await world.discord.press(ADA, f"import:{ADA}:{asked.id}", asked.history[-1])
    assert "already started or cancelled" in await said(late)
    assert world.saved() == []


async def test_a_strangers_press_changes_nothing(world: World) -> None:
    await world.link(ADA)
    await world.link(BEN, "ben")
    asked = await ask(world, listed([FIRST]))
    await said(asked)
    for label in ("Save 1", "Cancel"):
        stranger = await press(world, asked, label, BEN)
        assert "That button belongs to somebody else." in await said(stranger)
        assert stranger.original_id != asked.original_id
    # forged: Ben's id with Ada's import
    for verb in ("import", "import-cancel"):
        forged = await world.discord.press(BEN, f"{verb}:{BEN}:{asked.id}", asked.history[-1])
        assert "already started or cancelled" in await said(forged)
    assert (world.saved(), world.saved("ben")) == ([], [])
    await until_said(world, await press(world, asked, "Save 1"), "Your import is done: saved 1 album.")
    assert (world.saved(), world.saved("ben")) == ([FIRST], [])


async def test_pressed_twice_at_once_it_is_started_once(world: World) -> None:
    await world.link(ADA)
    asked = await ask(world, listed(known(world, 50)))
    await said(asked)
    first, second = await asyncio.gather(press(world, asked, "Save 50"), press(world, asked, "Save 50"))
    await until_said(world, asked, "Your import is done: saved 50 albums.")
    await world.idle()
    callbacks = [await interaction.answered() for interaction in (first, second)]
    assert sorted(callback["type"] for callback in callbacks) == [4, 7], "one edits, the other one says why not"
    rows = (await world.bot.storage.export(ADA))["change_requests"]
    assert len(rows) == 1


async def test_whoever_is_not_linked_is_told_to_link_first(world: World) -> None:
    asked = await ask(world, listed([FIRST]))
    assert "No Spotify account is linked." in await said(asked)
    assert [button["label"] for button in buttons(asked.history[-1])] == ["Link Spotify"]
    assert world.discord.downloads == []


async def test_a_new_file_takes_the_place_of_the_one_that_was_asked_about(world: World) -> None:
    await world.link(ADA)
    old, new = await ask(world, listed([FIRST])), await ask(world, listed([SECOND]))
    await said(old)
    await said(new)
    assert "too old" in await said(await press(world, old, "Save 1"))
    await until_said(world, await press(world, new, "Save 1"), "Your import is done")
    assert world.saved() == [SECOND]


async def test_liked_tracks_of_spotifys_export_are_no_albums(world: World) -> None:
    await world.link(ADA)
    library = {
        "tracks": [{"artist": "a", "album": "b", "track": "c", "uri": f"spotify:track:{FIRST}"}] * 812,
        "albums": [{"artist": "a", "album": "b", "uri": f"spotify:album:{FIRST}"}],
        "shows": [],
        "episodes": [],
        "artists": [],
    }
    asked = await ask(world, WireFile("YourLibrary.json", json.dumps(library).encode()))
    question = await said(asked)
    assert "names 1 album. It also holds 812 tracks, which I leave out: I save albums." in question


async def test_utf_16_is_read(world: World) -> None:
    await world.link(ADA)
    asked = await ask(
        world, WireFile("x.csv", f"artist;album;link\nBjörk;Début;spotify:album:{FIRST}\n".encode("utf-16"))
    )
    assert "names 1 album" in await said(asked)


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("x.txt", b"\xef\xbb\xbf" + FIRST.encode()),
        ("x.csv", "album,link\n".encode("utf-16-le") + f"x,spotify:album:{FIRST}\n".encode("utf-16-le")),
        ("x.csv", f'artist,album,link\n"A\nB","a ""quoted"" title,\nover lines",spotify:album:{FIRST}\n'.encode()),
        ("x.csv", f"artist,album,link\r\n=1+1,@x,spotify:album:{FIRST}\r\n".encode()),
    ],
    ids=["BOM", "UTF-16 without a mark", "quotes across lines", "formulas"],
)
async def test_whatever_wrote_the_file_its_album_is_found(world: World, name: str, data: bytes) -> None:
    await world.link(ADA)
    asked = await ask(world, WireFile(name, data))
    assert "names 1 album" in await said(asked)
    await until_said(world, await press(world, asked, "Save 1"), "Your import is done: saved 1 album.")
    assert world.saved() == [FIRST]


def zipped() -> bytes:
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        archive.writestr("MyData/YourLibrary.json", "{}")
    return data.getvalue()


@pytest.mark.parametrize(
    ("file", "says"),
    [
        (WireFile("x.zip", zipped()), "That is a zip file. Open it, and send me the file YourLibrary.json that is inside."),
        (WireFile("x.txt", b""), "That file is empty."),
        (WireFile("x.txt", b"spotify " * 700_000), "That file is too large: I read files of up to 5 MB."),
        (WireFile("x.txt", b"spotify " * 700_000, size=10), "That file is too large: I read files of up to 5 MB."),
        (WireFile("x.txt", b"x", size=10**9), "That file is too large"),
        (WireFile("x.txt", b"a" * 5_000_000), "Line 1 of that file is too long: I read lines of up to 1,000,000 characters."),
        (
            WireFile("x.txt", "\n".join(f"{number:022d}" for number in range(10_001)).encode()),
            "That file names more than 10,000 albums",
        ),
        (WireFile("x.json", b'{"albums": ['), "That JSON file breaks off or has a mistake in line 1."),
        (WireFile("x.json", b"[" * 100_000), "it is nested too deeply."),
        (WireFile("x.json", b'{"a":' * 100_000), "it is nested too deeply."),
        (WireFile("x.txt", b"\x00" * 1_000_000), "That file is not text."),
        (WireFile("x.txt", b"\x00" + FIRST.encode() + b"\x00"), "That file is not text."),
        (WireFile("x.png", b"\x89PNG\r\n\x1a\n" + bytes(range(256)) * 4), "That file is not text."),
        (WireFile("x.txt", b"hello\nworld\n"), "I found no albums in that file."),
        (WireFile("x.txt", b"x", status=404), "I could not get that file from Discord. Send it again."),
        (WireFile("x.txt", b"x", status=302), "I could not get that file from Discord. Send it again."),
    ],
    ids=["zip", "empty", "large", "lies", "huge", "line", "albums", "json", "nested", "nested objects", "NULs", "some NULs", "png", "none", "404", "302"],
)  # fmt: skip
async def test_a_file_that_cannot_be_imported_is_refused_with_its_reason(
    world: World, file: WireFile, says: str
) -> None:
    await world.link(ADA)
    asked = await ask(world, file)
    assert says in await said(asked)
    assert buttons(asked.history[-1]) == []
    if file.size == 10**9:
        assert world.discord.downloads == [], "what is too large is not fetched"


async def test_nothing_is_fetched_from_another_host(world: World) -> None:
    await world.link(ADA)
    world.discord.cdn_url = "http://127.0.0.1:9"
    asked = await ask(world, listed([FIRST]))
    assert "I could not get that file from Discord." in await said(asked)
    assert world.discord.downloads == []


# -- many albums, and what comes between


@pytest.mark.timeout(120)
async def test_1200_albums_survive_a_restart_before_the_answer_and_one_in_the_middle(tmp_path: Path) -> None:
    async with made(tmp_path) as world:
        async with world.running():
            await world.link(ADA)
            ids = known(world, 1_200)
            asked = await ask(world, listed(ids))
            assert "names 1,200 albums" in await said(asked)
        async with world.running():
            world.spotify.delay_s = 0.5
            pressed = await press(world, asked, "Save 1,200")
            await said(pressed)
            async with asyncio.timeout(60):
                while len(world.saved()) < 200:
                    await asyncio.sleep(0.005)
        assert 200 <= len(world.saved()) < 1_200, "the restart is in the middle"
        before = texts(world.discord.messages[asked.original_id])
        async with world.running():
            async with asyncio.timeout(60):
                while (after := texts(world.discord.messages[asked.original_id])) == before:
                    await asyncio.sleep(0.02)
            assert "of 1,200" in after[0], "the next process shows how far it is"
            world.spotify.delay_s = 0.0
            await until_said(world, asked, "Your import is done: saved 1,200 albums.", 60)
            await world.idle()
        assert sorted(world.saved()) == sorted(ids)
        assert world.discord.problems == []
        assert world.discord.direct_messages == {}, "the message that asked is still there to tell"


@pytest.mark.timeout(120)
async def test_the_daily_quota_in_the_middle_stops_the_import_and_says_until_when(world: World) -> None:
    await world.link(ADA)
    ids = known(world, 400)
    asked = await ask(world, listed(ids))
    await said(asked)
    world.spotify.delay_s = 0.05
    await said(await press(world, asked, "Save 400"))
    async with asyncio.timeout(60):
        while len(world.saved()) < 80:
            await asyncio.sleep(0.002)
    world.spotify.fault(path="/v1/me/*", times=1000, **FAULTS["quota"])
    told = "\n".join(texts(await until_said(world, asked, "daily limit", 20)))
    assert "<t:" in told
    before = len(world.spotify.calls)
    await asyncio.sleep(1.0)
    assert len(world.spotify.calls) == before, "nothing is tried before the quota is back"
    assert 80 <= len(world.saved()) < 400


@pytest.mark.timeout(120)
async def test_progress_is_shown_in_the_message_and_outlives_it_in_a_direct_message(world: World) -> None:
    await world.link(ADA)
    ids = known(world, 600)
    asked = await ask(world, listed(ids))
    await said(asked)
    world.spotify.delay_s = 0.15
    pressed = await press(world, asked, "Save 600")
    message = await until_said(world, asked, "of 600 · about", 20)
    assert "▰" in "\n".join(texts(message))
    # the token is too old from here on
    await world.bot.storage.database.write(
        lambda c: c.execute(
            "UPDATE change_requests SET created_at = ?", (int((datetime.now(UTC) - timedelta(minutes=16)).timestamp()),)
        )
    )
    async with asyncio.timeout(30):
        direct = await world.discord.direct_message(ADA, 20)
    assert "of 600" in "\n".join(texts(direct))
    world.spotify.delay_s = 0.0
    done = await world.discord.direct_message(ADA, 40)
    assert "Your import is done: saved 600 albums." in "\n".join(texts(done))
    assert pressed.refusals == []
    assert sorted(world.saved()) == sorted(ids)


@pytest.mark.timeout(120)
async def test_progress_that_discord_refuses_is_left_alone_and_the_end_is_told(world: World) -> None:
    await world.link(ADA)
    ids = known(world, 600)
    asked = await ask(world, listed(ids))
    await said(asked)
    world.spotify.delay_s = 0.2
    await said(await press(world, asked, "Save 600"))
    gone = {"code": 10008, "message": "Unknown Message"}
    world.discord.fault("PATCH", "/webhooks/*", status=404, json=gone, times=1000)  # its member dismissed it
    before = len(world.discord.requests)

    def edits() -> int:
        return sum(request.method == "PATCH" for request in world.discord.requests[before:])

    async with asyncio.timeout(40):
        while edits() < 2:
            await asyncio.sleep(0.05)
    await asyncio.sleep(4.5)  # two more looks
    assert edits() == 2
    world.spotify.delay_s = 0.0
    done = await world.discord.direct_message(ADA, 40)
    assert "Your import is done: saved 600 albums." in "\n".join(texts(done))


async def test_a_second_import_waits_until_the_first_is_done(world: World) -> None:
    await world.link(ADA)
    asked = await ask(world, listed(known(world, 400)))
    await said(asked)
    world.spotify.delay_s = 0.1
    await said(await press(world, asked, "Save 400"))
    second = await ask(world, listed([FIRST]))
    assert "Your last import is still running." in await said(second)
    world.spotify.delay_s = 0.0
    await until_said(world, asked, "Your import is done", 30)
    third = await ask(world, listed([FIRST]))
    assert "names 1 album" in await said(third)


# -- exports


@pytest.mark.parametrize("kind", ["csv", "json"])
async def test_an_export_holds_every_saved_album_and_can_be_imported(world: World, kind: str) -> None:
    await world.link(ADA)
    ids = known(world, 230)
    for id_ in ids:
        world.spotify.save(world.spotify.accounts["ada"], id_)
    exported = await world.discord.slash(ADA, "export", {"format": kind})
    assert "Your 230 saved albums." in await said(exported)
    message = exported.history[-1]
    assert message["flags"] & 64
    file = file_in(world, message)
    read = read_library(file, f"x.{kind}")
    assert sorted(found.reference.id for found in read.found) == sorted(ids)  # type: ignore[union-attr]
    assert b"T" in file
    assert "added_at" in file.decode()
    assert str(datetime.now(UTC).year) in file.decode()


async def test_an_export_whose_answer_cannot_be_edited_any_more_comes_as_a_direct_message(world: World) -> None:
    await world.link(ADA)
    world.spotify.accounts["ada"].saved.update(dict.fromkeys(known(world, 60), datetime.now(UTC)))
    world.discord.fault("PATCH", "/webhooks/*", status=401, times=50)
    world.spotify.delay_s = 1.0
    await world.discord.slash(ADA, "export", {"format": "csv"})
    message = await world.discord.direct_message(ADA)
    assert "Your 60 saved albums." in "\n".join(texts(message))
    assert len(read_library(file_in(world, message), "x.csv").found) == 60


@pytest.mark.parametrize("total", [None, 50, 10**30])
async def test_an_export_ends_although_spotify_gives_the_same_page_for_ever(world: World, total: int | None) -> None:
    await world.link(ADA)
    rows = [{"album": {"id": id_, "name": "Blue"}} for id_ in known(world, 50)]
    page = {"items": rows, "next": "https://elsewhere.example/v1/me/albums?offset=50", "total": total}
    world.spotify.fault(path="/v1/me/albums", method="GET", status=200, body=page, times=None)
    exported = await world.discord.slash(ADA, "export", {"format": "json"})
    assert "Your 50 saved albums." in await said(exported)
    assert len(world.calls()) < 10


async def test_an_empty_library_and_no_link_are_said(world: World) -> None:
    exported = await world.discord.slash(ADA, "export", {"format": "csv"})
    assert "No Spotify account is linked." in await said(exported)
    await world.link(ADA)
    assert "There are no saved albums in your library." in await said(
        await world.discord.slash(ADA, "export", {"format": "csv"})
    )
