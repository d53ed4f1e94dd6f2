"""What members do, on the wire: the real discord.py, the real SQLite, a strict Spotify."""

from __future__ import annotations

import asyncio
import sqlite3
from datetime import UTC, datetime, timedelta

import pytest

from bot.accounts.linking import LinkNews
from bot.caller import MemberId
from bot.changes import Action
from bot.errors import TryLater, WrongDiscordAccount
from bot.sandbox.catalogue import synthetic
from bot.sandbox.faults import FAULTS
from tests.callers import caller
from tests.discord_wire import WireInteraction, buttons, flatten, texts
from tests.test_own_app_story import link_in_browser
from tests.world import ADA, BEN, FIRST, SECOND, World

WRITE = "/v1/me/albums"
CONTAINS = "/v1/me/albums/contains"


async def said(interaction: WireInteraction, *, version: int = 1) -> str:
    """The text of a message, once it is there."""
    return "\n".join(texts(await interaction.message(5.0, version=version)))


async def until_said(interaction: WireInteraction, words: str) -> str:
    """The text of a message, once it holds these words."""
    async with asyncio.timeout(60):
        while not interaction.history or words not in "\n".join(texts(interaction.history[-1])):
            await asyncio.sleep(0.01)
    return "\n".join(texts(interaction.history[-1]))


async def press(world: World, interaction: WireInteraction, label: str, member: int = ADA) -> WireInteraction:
    """Press a button of a message."""
    message = interaction.history[-1]
    button = next(button for button in buttons(message) if button.get("label", "").startswith(label))
    return await world.discord.press(member, button["custom_id"], message)


# -- one album


async def test_one_save_is_one_call_to_discord_and_three_to_spotify(world: World) -> None:
    await world.link(ADA)
    before = len(world.discord.requests)
    interaction = await world.save(f"https://open.spotify.com/album/{FIRST}?si=x")
    message = await interaction.message()
    await world.idle()
    assert "Saved" in texts(message)[1]
    assert [button["label"] for button in buttons(message)] == ["Undo", "Show that I kept this"]
    assert len(world.discord.requests) - before == 1
    assert sorted(world.calls()) == [
        ("GET", f"/v1/albums/{FIRST}"),
        ("GET", CONTAINS),
        ("PUT", WRITE),
    ]
    assert world.saved() == [FIRST]


async def test_a_card_shows_cover_alt_text_link_and_attribution(world: World) -> None:
    await world.link(ADA)
    message = await (await world.save(FIRST)).message()
    album = world.spotify.catalogue.album(FIRST)
    assert album is not None
    thumbnail = next(part for part in flatten(message["components"]) if part["type"] == 11)
    assert thumbnail["media"]["url"].startswith("https://i.scdn.co/image/")
    assert thumbnail["description"].startswith("Cover of ")
    assert f"https://open.spotify.com/album/{FIRST}" in texts(message)[0]
    assert "on Spotify" in texts(message)[-1]
    assert message["flags"] & 64  # only the member sees it


async def test_a_known_album_costs_no_look_up(world: World) -> None:
    await world.link(ADA)
    album = world.spotify.catalogue.album(FIRST)
    assert album is not None
    typed = await world.discord.autocomplete(ADA, "save", "albums", album.title)
    await typed.answered()
    choice = next(choice for choice in typed.choices if choice["value"].endswith(FIRST))
    before = len(world.calls())
    await said(await world.save(choice["value"]))
    assert world.calls()[before:] == [("GET", CONTAINS), ("PUT", WRITE)]


async def test_what_was_there_is_not_written_and_not_undone(world: World) -> None:
    await world.link(ADA)
    world.spotify.save(world.spotify.accounts["ada"], FIRST)
    interaction = await world.save(FIRST)
    assert "This album was already in your library." in await said(interaction)
    assert "Undo" not in [button["label"] for button in buttons(interaction.history[-1])]
    assert ("PUT", WRITE) not in world.calls()


async def test_undo_takes_back_what_the_command_changed_and_serves_once(world: World) -> None:
    await world.link(ADA)
    world.spotify.save(world.spotify.accounts["ada"], SECOND)
    saving = await world.save(f"{FIRST} {SECOND}")
    await said(saving)
    first, again = await asyncio.gather(press(world, saving, "Undo"), press(world, saving, "Undo"))
    answers = [await said(first), await said(again)]
    assert sum("Undone: removed" in answer for answer in answers) == 1
    assert sum(answer in ("Already undone.", "This is already being undone.") for answer in answers) == 1
    assert world.saved() == [SECOND]


async def test_undo_leaves_what_a_later_command_changed(world: World) -> None:
    await world.link(ADA)
    first = await world.save(FIRST)
    await said(first)
    await said(await world.unsave(FIRST))
    await said(await world.save(FIRST))
    assert "since then, so I left it" in await said(await press(world, first, "Undo"))
    assert world.saved() == [FIRST]


async def test_undo_of_an_unsave_saves_again(world: World) -> None:
    await world.link(ADA)
    world.spotify.save(world.spotify.accounts["ada"], FIRST)
    removing = await world.unsave(FIRST)
    assert "Removed" in await said(removing)
    assert world.saved() == []
    assert "Undone: saved" in await said(await press(world, removing, "Undo"))
    assert world.saved() == [FIRST]


async def test_somebody_elses_undo_changes_nothing(world: World) -> None:
    await world.link(ADA)
    await world.link(BEN, "ben")
    saving = await world.save(FIRST)
    await said(saving)
    assert "belongs to somebody else" in await said(await press(world, saving, "Undo", BEN))
    assert world.saved() == [FIRST]


@pytest.mark.parametrize(
    "custom_id",
    [
        "undo:99999999999999999999999",
        "undo:1",
        "undo:",
        "save:../../x",
        "old-button",
        "a:b:c",
        "save:" + "é" * 22,
    ],
)
async def test_a_forged_or_ancient_button_is_too_old(world: World, custom_id: str) -> None:
    await world.link(ADA)
    saving = await world.save(FIRST)
    await said(saving)
    pressed = await world.discord.press(ADA, custom_id, saving.history[-1])
    assert "expired" in await said(pressed)
    assert world.saved() == [FIRST]


async def test_another_members_unlink_button_is_refused(world: World) -> None:
    await world.link(ADA)
    saving = await world.save(FIRST)
    await said(saving)
    pressed = await world.discord.press(BEN, f"unlink:{ADA}", saving.history[-1])
    assert "belongs to somebody else" in await said(pressed)
    assert await world.bot.tokens.account(MemberId(ADA)) is not None


# -- what is pasted


async def test_a_track_link_saves_its_album(world: World) -> None:
    await world.link(ADA)
    album = world.spotify.catalogue.album(FIRST)
    assert album is not None
    assert "Saved" in await said(await world.save(f"https://open.spotify.com/track/{album.tracks[0].id}"))
    assert world.saved() == [FIRST]


async def test_short_links_are_followed(world: World) -> None:
    await world.link(ADA)
    code = world.spotify.short_link(f"https://open.spotify.com/album/{FIRST}?si=1").rsplit("/", 1)[-1]
    other = world.spotify.short_link(f"https://open.spotify.com/album/{SECOND}").rsplit("/", 1)[-1]
    await said(await world.save(f"https://spotify.link/{code} https://open.spotify.com/s/{other}"))
    assert sorted(world.saved()) == sorted([FIRST, SECOND])


async def test_a_short_link_to_elsewhere_is_no_album(world: World) -> None:
    await world.link(ADA)
    code = world.spotify.short_link("https://evil.example/album/x").rsplit("/", 1)[-1]
    assert "has no album" in await said(await world.save(f"https://spotify.link/{code}"))


async def test_a_playlist_is_told_apart_and_no_call_is_made(world: World) -> None:
    await world.link(ADA)
    assert "That is a playlist." in await said(await world.save(f"https://open.spotify.com/playlist/{FIRST}"))
    assert world.calls() == []


async def test_words_with_one_exact_title_are_taken_at_once(world: World) -> None:
    await world.link(ADA)
    titles = [album.title for album in world.spotify.catalogue.albums.values()]
    alone = next(a for a in world.spotify.catalogue.albums.values() if titles.count(a.title) == 1)
    assert "Saved" in await said(await world.save(alone.title.upper()))
    assert world.saved() == [alone.id]


async def test_words_that_several_albums_match_are_offered_in_a_menu_that_becomes_the_answer(world: World) -> None:
    await world.link(ADA)
    titles = [album.title for album in world.spotify.catalogue.albums.values()]
    twin = next(a for a in world.spotify.catalogue.albums.values() if titles.count(a.title) > 1)
    interaction = await world.save(twin.title)
    assert "Which one do you mean?" in await said(interaction)
    message = interaction.history[-1]
    (menu,) = [part for part in flatten(message["components"]) if part["type"] == 3]
    assert 2 <= len(menu["options"]) <= 5
    assert len({(option["label"], option["description"]) for option in menu["options"]}) == len(menu["options"])
    value = menu["options"][0]["value"]
    chosen = await world.discord.press(ADA, menu["custom_id"], message, values=[value])
    assert "Saved" in await said(chosen)
    assert world.saved() == [value]
    # no second card: the offer itself says what came of the choice, and can be undone
    assert chosen.history[-1]["id"] == message["id"]
    assert [part for part in flatten(chosen.history[-1]["components"]) if part["type"] == 3] == []
    assert "Undo" in [button["label"] for button in buttons(chosen.history[-1])]


async def test_unsave_by_words_means_the_edition_that_the_member_has(world: World) -> None:
    await world.link(ADA)
    titles = [album.title for album in world.spotify.catalogue.albums.values()]
    twin = next(a for a in world.spotify.catalogue.albums.values() if titles.count(a.title) > 1)
    world.spotify.save(world.spotify.accounts["ada"], twin.id)
    assert "Removed" in await said(await world.unsave(twin.title))
    assert world.saved() == []


@pytest.mark.parametrize(
    "text",
    [
        "https://open.spotify.com.evil.com/album/" + FIRST,
        "https://open.spotify.com@evil/" + FIRST,
        "spotify:album:../../x",
        "https://x.example/%2e%2e",
        "Kid\x00A",
        "\u202e" + FIRST,
    ],
)
async def test_hostile_text_is_no_album_and_never_searched(world: World, text: str) -> None:
    await world.link(ADA)
    assert "can't read" in await said(await world.save(text))
    assert world.calls() == []


async def test_a_double_counts_once(world: World) -> None:
    await world.link(ADA)
    album = world.spotify.catalogue.album(FIRST)
    assert album is not None
    text = f"{FIRST} spotify:album:{FIRST} https://open.spotify.com/track/{album.tracks[0].id}"
    answer = (await said(await world.save(text))).replace("\\", "")
    assert album.title in answer
    assert "Saved to your library." in answer
    assert world.saved() == [FIRST]


async def test_words_beside_a_link_are_left_alone_and_it_says_so(world: World) -> None:
    await world.link(ADA)
    answer = await said(await world.save(f"listen to this https://open.spotify.com/album/{FIRST}"))
    assert "ignored “listen to this”" in answer
    assert world.saved() == [FIRST]


async def test_an_id_of_no_album_is_told_although_spotify_takes_it(world: World) -> None:
    await world.link(ADA)
    missing = "0" * 22
    answer = await said(await world.save(f"{missing} {FIRST}"))
    assert "Saved 1 album. 1 could not be found." in answer
    assert missing in answer
    assert world.saved() == [FIRST]


# -- many albums


async def test_120_albums_take_as_few_calls_as_the_limits_allow(world: World) -> None:
    await world.link(ADA)
    albums = synthetic(118)
    world.spotify.catalogue.add(albums)
    missing = ["0" * 21 + "1", "0" * 21 + "2"]
    interaction = await world.save(" ".join([*(album.id for album in albums), *missing]))
    answer = await until_said(interaction, "Saved")
    assert "Saved 118 albums. 2 could not be found." in answer
    assert all(id_ in answer for id_ in missing)
    assert "and 108 more" in answer
    kinds = [(method, path.split("/")[2]) for method, path in world.calls()]
    assert len([call for call in world.calls() if call == ("PUT", WRITE)]) == 3
    assert len([call for call in world.calls() if call == ("GET", CONTAINS)]) == 6 + 6
    assert kinds.count(("GET", "albums")) == 10
    assert len(world.saved()) == 118


async def test_6000_characters_of_ids_are_answered_in_time(world: World) -> None:
    await world.link(ADA)
    albums = synthetic(260)
    world.spotify.catalogue.add(albums)
    interaction = await world.save(" ".join(album.id for album in albums)[:6000])
    await interaction.answered()
    assert interaction.answered_at is not None
    assert interaction.answered_at - interaction.sent_at < 2.5
    await until_said(interaction, "Saved 260 albums")
    assert len(world.saved()) == 260


async def test_many_misses_go_on_in_further_messages(world: World) -> None:
    await world.link(ADA)
    missing = [f"{number:022d}" for number in range(260)]
    interaction = await world.save(" ".join(missing))
    await until_said(interaction, "260 could not be found")
    await world.idle()
    shown = "\n".join(
        [
            *texts(interaction.history[-1]),
            *(text for message in interaction.followups for text in texts(message)),
        ]
    )
    assert all(id_ in shown for id_ in missing)


async def test_further_messages_that_discord_does_not_take_are_sent_later(world: World) -> None:
    await world.link(ADA)
    missing = [f"{number:022d}" for number in range(260)]
    gone = {"code": 10015, "message": "Unknown Webhook"}
    world.discord.fault("POST", "/webhooks/*", status=404, json=gone, times=2)
    interaction = await world.save(" ".join(missing))
    await interaction.message(8.0)
    message = await world.discord.direct_message(ADA, 8.0)
    await world.idle()
    messages = [interaction.history[-1], *interaction.followups, *world.discord.direct_messages[ADA]]
    assert message in messages
    assert len(messages) == len({message["id"] for message in messages})
    shown = [line for message in messages for text in texts(message) for line in text.splitlines()]
    assert all(sum(id_ in line for line in shown) == 1 for id_ in missing)  # each once


async def test_one_unreadable_id_does_not_spoil_the_others(world: World) -> None:
    await world.link(ADA)
    albums = [*world.spotify.catalogue.albums][:15]
    world.spotify.fault(path=CONTAINS, **FAULTS["invalid_id"])
    assert "Saved 15 albums." in await said(await world.save(" ".join(albums)))


# -- two generations of the endpoint


async def test_the_bare_403_changes_to_the_library_endpoint_for_good(world: World) -> None:
    await world.link(ADA)
    world.spotify.generations = {"library"}
    assert "Saved" in await said(await world.save(FIRST))
    before = len(world.calls())
    assert "Saved" in await said(await world.save(SECOND))
    assert [path for _, path in world.calls()[before:]].count("/v1/me/albums/contains") == 0
    known = await world.bot.storage.apps.get(world.settings.spotify_client_id)
    assert known.album_endpoint == "library"


# -- not linked


async def test_a_change_without_a_link_waits_for_it_and_nothing_is_looked_up(world: World) -> None:
    interaction = await world.save("some words")
    assert "Link your Spotify account once" in await said(interaction)
    link = next(button for button in buttons(interaction.history[-1]) if button["label"] == "Link Spotify")
    assert link["url"].startswith(world.settings.public_url + "/link/")
    assert len(link["url"]) <= 512
    assert world.spotify.calls == []
    assert len(await world.bot.library.pending(MemberId(ADA))) == 1


async def test_what_waits_is_carried_out_after_linking(world: World) -> None:
    interaction = await world.save(FIRST)
    await said(interaction)
    await world.link(ADA)
    world.bot.library.wake(MemberId(ADA))
    assert "Saved" in await until_said(interaction, "Saved")
    assert world.saved() == [FIRST]


async def test_what_is_kept_is_never_told_as_refused_although_no_link_can_be_offered(world: World) -> None:
    database = world.bot.storage.database

    def deny(action: int, table: str | None, *_: object) -> int:
        return sqlite3.SQLITE_DENY if (action, table) == (sqlite3.SQLITE_INSERT, "link_attempts") else sqlite3.SQLITE_OK

    await database.read(lambda c: c.set_authorizer(deny))
    interaction = await world.save(FIRST)
    answer = await said(interaction)
    await database.read(lambda c: c.set_authorizer(None))
    assert "nothing was changed" not in answer
    assert len(await world.bot.library.pending(MemberId(ADA))) == 1
    await world.link(ADA)
    world.bot.library.linked(MemberId(ADA))
    await until_said(interaction, "Saved")
    assert world.saved() == [FIRST]


# -- Spotify on a bad day


async def test_twenty_commands_with_an_expired_token_refresh_once(world: World) -> None:
    await world.link(ADA, age=timedelta(hours=2))
    world.spotify.expire_access_tokens()
    ids = [*world.spotify.catalogue.albums][:20]
    interactions = [await world.save(id_) for id_ in ids]
    for interaction in interactions:
        assert "Saved" in await until_said(interaction, "Saved")
    assert len(world.calls(to="/api/token")) == 1
    assert world.spotify.max_in_flight <= 32
    assert sorted(world.saved()) == sorted(ids)


async def test_a_401_refreshes_once_and_repeats_once(world: World) -> None:
    await world.link(ADA)
    world.spotify.expire_access_tokens()
    assert "Saved" in await said(await world.save(FIRST))
    assert len(world.calls(to="/api/token")) == 1


async def test_a_revoked_consent_asks_to_link_again_and_keeps_the_change(world: World) -> None:
    await world.link(ADA)
    world.spotify.expire_access_tokens()
    world.spotify.revoke_consent("ada")
    interaction = await world.save(FIRST)
    answer = await said(interaction)
    assert "no longer connected" in answer
    assert "queued" in answer
    assert "Link Spotify" in [button["label"] for button in buttons(interaction.history[-1])]
    assert len(await world.bot.library.pending(MemberId(ADA))) == 1
    await world.link(ADA)
    world.bot.library.wake(MemberId(ADA))
    await until_said(interaction, "Saved")


async def test_an_outage_keeps_the_change_and_tells_when_it_is_done(world: World) -> None:
    await world.link(ADA)
    world.spotify.fault(path=WRITE, times=None, **FAULTS["unavailable"])
    interaction = await world.save(FIRST)
    assert "Your album is queued" in await until_said(interaction, "queued")
    world.spotify.clear_faults()
    assert "Saved" in await until_said(interaction, "Saved")
    assert world.saved() == [FIRST]


async def test_a_write_that_was_answered_badly_but_carried_out_counts_as_saved(world: World) -> None:
    await world.link(ADA)
    world.spotify.fault(path=WRITE, method="PUT", times=None, carried_out=True, cut=True)
    interaction = await world.save(FIRST)
    await until_said(interaction, "queued")
    world.spotify.clear_faults()
    assert "Saved" in await until_said(interaction, "Saved")
    assert "Undo" in [button["label"] for button in buttons(interaction.history[-1])]


async def test_a_short_429_is_waited_for(world: World) -> None:
    await world.link(ADA)
    world.spotify.fault(path=WRITE, **FAULTS["rate_limited"])
    interaction = await world.save(FIRST)
    assert "Saved" in await until_said(interaction, "Saved")
    assert len([call for call in world.calls() if call == ("PUT", WRITE)]) == 2


async def test_the_quota_is_told_with_its_end_and_holds_up_everybody(world: World) -> None:
    await world.link(ADA)
    await world.link(BEN, "ben")
    world.spotify.fault(path=CONTAINS, **FAULTS["quota"])
    answer = await until_said(await world.save(FIRST), "queued")
    assert "reached its daily limit" in answer
    assert "<t:" in answer
    before = len(world.calls())
    assert "reached its daily limit" in await said(await world.save(FIRST, BEN))
    assert world.calls()[before:] == []
    known = await world.bot.storage.apps.get(world.settings.spotify_client_id)
    assert known.closed_by == TryLater.Cause.QUOTA


@pytest.mark.parametrize(
    ("fault", "words"),
    [
        ("not_registered_text", "or set up your own Spotify app"),
        ("not_registered_json", "you are not on its list"),
        ("check_settings_text", "you are not on its list"),
        ("premium", "only while its host has Premium"),
        ("premium_text", "only while its host has Premium"),
    ],
)
async def test_a_refusal_that_waiting_does_not_mend_ends_the_change(world: World, fault: str, words: str) -> None:
    await world.link(ADA)
    world.spotify.fault(path=CONTAINS, times=None, **FAULTS[fault])
    assert words in await said(await world.save(FIRST))
    assert await world.bot.library.pending(MemberId(ADA)) == []


async def test_an_unknown_refusal_is_told_with_spotifys_message_escaped(world: World) -> None:
    await world.link(ADA)
    body = {"error": {"status": 403, "message": "**Nope** @everyone [x](https://evil.example) " + "y" * 500}}
    world.spotify.fault(path=CONTAINS, status=403, body=body, times=None)
    interaction = await world.save(FIRST)
    answer = await said(interaction)
    assert "Spotify refused" in answer
    assert r"\*\*Nope\*\*" in answer
    assert "@everyone" not in answer
    assert len(answer) < 400


async def test_an_interaction_that_is_delivered_twice_is_carried_out_once_and_leaves_nobody_waiting(
    world: World,
) -> None:
    await world.link(ADA)
    library = world.bot.library

    async def command() -> None:
        report = await library.change(caller(ADA, 7, "answer-token"), Action.SAVE, FIRST)
        assert report.request.ended
        await library.answered(report, arrived=True)

    async with asyncio.timeout(5):
        await asyncio.gather(command(), command())
    assert world.calls().count(("PUT", WRITE)) == 1
    assert world.saved() == [FIRST]


@pytest.mark.parametrize("pause_s", [0.0, 0.3])
async def test_what_the_gateway_sends_again_is_answered_and_told_once(pause_s: float, world: World) -> None:
    await world.link(ADA)

    async def again(interaction: WireInteraction) -> str:
        await asyncio.sleep(pause_s)
        session = world.discord.session_for(world.discord.GUILD)
        await world.discord.dispatch(session, "INTERACTION_CREATE", interaction.payload)
        text = await said(interaction)
        await world.idle()
        return text

    saving = await world.save(FIRST)
    assert "Saved" in await again(saving)
    undo = await press(world, saving, "Undo")
    assert "Undone" in await again(undo)
    assert world.discord.direct_messages == {}
    assert world.discord.problems == []  # nothing was answered twice


async def test_a_slow_spotify_is_announced_in_time(world: World) -> None:
    await world.link(ADA)
    world.spotify.fault(path=WRITE, delay_s=2.2)
    interaction = await world.save(FIRST)
    callback = await interaction.answered()
    assert callback["type"] == 5
    assert interaction.answered_at is not None
    assert interaction.answered_at - interaction.sent_at < 2.5
    assert "Saved" in await until_said(interaction, "Saved")


async def test_autocomplete_answers_inside_a_second_with_nothing_where_spotify_is_slower(
    world: World,
) -> None:
    await world.link(ADA)
    world.spotify.fault(path="/v1/search", delay_s=3.0)
    typed = await world.discord.autocomplete(ADA, "save", "albums", "the")
    await typed.answered()
    assert typed.answered_at is not None
    assert typed.answered_at - typed.sent_at < 1.1
    assert typed.choices == []


async def test_autocomplete_for_unsave_offers_the_members_own_albums_and_forgets_after_a_change(
    world: World,
) -> None:
    await world.link(ADA)
    world.spotify.save(world.spotify.accounts["ada"], FIRST)
    for _ in range(2):
        typed = await world.discord.autocomplete(ADA, "unsave", "albums", "")
        await typed.answered()
        assert [choice["value"] for choice in typed.choices] == [f"spotify:album:{FIRST}"]
    assert world.calls().count(("GET", "/v1/me/albums")) == 1
    await said(await world.unsave(FIRST))
    typed = await world.discord.autocomplete(ADA, "unsave", "albums", "")
    await typed.answered()
    assert typed.choices == []


async def test_whoever_is_not_linked_is_offered_the_catalogue_through_the_app(world: World) -> None:
    typed = await world.discord.autocomplete(ADA, "save", "albums", "slow harbour")
    await typed.answered()
    assert f"spotify:album:{FIRST}" in [choice["value"] for choice in typed.choices]
    assert {call.account for call in world.spotify.calls} == {None}
    typed = await world.discord.autocomplete(ADA, "unsave", "albums", "slow harbour")
    await typed.answered()
    assert [choice["name"] for choice in typed.choices] == ["Link your Spotify account first: /link"]


# -- Discord on a bad day


async def test_no_first_answer_asks_discord_for_a_copy_of_its_message(world: World) -> None:
    await world.link(ADA)
    interaction = await world.save(FIRST)
    await interaction.message()
    undone = await press(world, interaction, "Undo")
    await undone.message()
    answers = [request for request in world.discord.requests if request.path.startswith("/interactions/")]
    assert len(answers) == 2
    assert all("with_response" not in request.query and request.status == 204 for request in answers)


async def test_a_lost_first_answer_does_not_lose_the_change_and_is_told_directly(world: World) -> None:
    await world.link(ADA)
    world.discord.fault("POST", "/interactions/*", status=404, json={"code": 10062, "message": "Unknown interaction"})
    await world.save(FIRST)
    message = await world.discord.direct_message(ADA, 5.0)
    assert "Saved" in "\n".join(texts(message))
    assert world.saved() == [FIRST]


async def test_closed_direct_messages_are_told_with_the_next_command(world: World) -> None:
    await world.link(ADA)
    world.discord.refuses_direct_messages.add(ADA)
    world.discord.fault("POST", "/interactions/*", status=404, json={"code": 10062, "message": "Unknown interaction"})
    await world.save(FIRST)
    async with asyncio.timeout(60):
        while not any(request.path == "/users/@me/channels" for request in world.discord.requests):
            await asyncio.sleep(0.01)
    await world.idle()
    answer = await said(await world.save(SECOND))
    assert "Finished since your last command" in answer
    await world.idle()
    assert "Finished since" not in await said(await world.unsave(SECOND))


async def test_what_is_told_with_the_next_command_counts_albums_alone(world: World) -> None:
    await world.link(ADA)
    world.discord.refuses_direct_messages.add(ADA)
    third = next(album for album in world.spotify.catalogue.albums if album not in (FIRST, SECOND))
    texts = (f"https://open.spotify.com/album/{FIRST} so good", f"{SECOND} {SECOND} {third}")
    for number, text in enumerate(texts, 1):
        world.discord.fault("POST", "/interactions/*", status=404, json={"code": 10062, "message": "Unknown"})
        await world.save(text)
        async with asyncio.timeout(60):
            while [request.path for request in world.discord.requests].count("/users/@me/channels") < number:
                await asyncio.sleep(0.01)
        await world.idle()
    answer = await said(await world.save(FIRST))
    assert "Finished since your last command**\nSaved **" in answer  # by name, though words stood beside it
    assert "Saved 2 albums." in answer
    assert "could not be found" not in answer


async def test_a_consent_that_died_while_an_album_waited_is_told(world: World) -> None:
    await world.link(ADA)
    world.spotify.fault(path="/v1/*", times=None, **FAULTS["unavailable"])
    interaction = await world.save(FIRST)
    await until_said(interaction, "I will message you when it is saved")
    world.spotify.expire_access_tokens()
    world.spotify.revoke_consent("ada")
    world.spotify.clear_faults()
    assert "Your album is queued" in await until_said(interaction, "no longer connected")
    await world.link(ADA)
    world.bot.library.linked(MemberId(ADA))
    await until_said(interaction, "Saved")


# -- another Spotify account


async def change(world: World, *owned: str) -> None:
    """Ada changes to the account `new`, which has had these albums for long."""
    world.spotify.add_account("new", account_id="acc-new", display_name="New")
    world.spotify.accounts["new"].saved |= dict.fromkeys(owned, datetime.now(UTC))
    await world.link(ADA, "new")
    world.bot.library.linked(MemberId(ADA))


async def test_an_undo_that_waits_is_not_done_to_another_account(world: World) -> None:
    await world.link(ADA)
    saved = await world.save(FIRST)
    await until_said(saved, "Saved")
    world.spotify.fault(path="/v1/*", times=None, **FAULTS["unavailable"])
    undo = await press(world, saved, "Undo")
    await until_said(undo, "queued")
    await change(world, FIRST)
    world.spotify.clear_faults()
    await until_said(undo, "so this one did nothing")
    await world.idle()
    assert world.saved("new") == world.saved() == [FIRST]
    assert "expired" in await said(await press(world, saved, "Undo"))


async def test_what_was_half_done_in_one_account_is_not_undone_in_another(world: World) -> None:
    await world.link(ADA)
    albums = [album.id for album in synthetic(3)]
    world.spotify.catalogue.add(synthetic(3))
    world.spotify.fault(path="/v1/tracks/*", times=None, **FAULTS["unavailable"])
    track = next(iter(world.spotify.catalogue.albums[FIRST].tracks)).id
    saving = await world.save(f"{' '.join(albums)} spotify:track:{track}")
    await until_said(saving, "Saved 3 albums. 1 is queued.")
    await change(world, *albums)
    world.spotify.clear_faults()
    await until_said(saving, "Saved 4 albums")
    assert "Undo" not in [button.get("label") for button in buttons(saving.history[-1])]
    forged = await world.discord.press(ADA, f"undo:{saving.id}", saving.history[-1])
    assert "expired" in await said(forged)
    await world.idle()
    assert sorted(world.saved("new")) == sorted([*albums, FIRST])


async def offered(world: World, command: str, typed: str) -> list[str]:
    """The values that are offered while somebody types."""
    interaction = await world.discord.autocomplete(ADA, command, "albums", typed)
    await interaction.answered()
    return [choice["value"] for choice in interaction.choices]


async def test_the_own_albums_of_the_account_before_are_forgotten(world: World) -> None:
    await world.link(ADA)
    world.spotify.accounts["ada"].saved[FIRST] = datetime.now(UTC)
    assert await offered(world, "unsave", "") == [f"spotify:album:{FIRST}"]
    await change(world, SECOND)
    assert await offered(world, "unsave", "") == [f"spotify:album:{SECOND}"]


# -- Spotify is slow, or has had enough in the middle


async def test_a_card_has_its_title_and_cover_however_slow_spotify_is(world: World) -> None:
    await world.link(ADA)
    world.spotify.delay_s = 2.3
    interaction = await world.save(FIRST)
    await until_said(interaction, "The Lantern Ferry · 2011\nSaved to your library.")
    assert any("media" in part for part in flatten(interaction.history[-1]["components"]))
    assert world.calls().count(("GET", f"/v1/albums/{FIRST}")) == 1


async def test_look_ups_that_nobody_waits_for_any_more_are_still_counted(world: World) -> None:
    await world.link(ADA)
    world.spotify.delay_s = 1.2
    for typed in ("s", "sl", "slo"):
        await world.discord.autocomplete(ADA, "save", "albums", typed)
        await asyncio.sleep(0.05)
    assert await offered(world, "save", "slow") == []
    assert world.app.gate.in_flight == world.spotify.in_flight == 1  # the first still; no other was begun
    async with asyncio.timeout(60):
        while world.app.gate.in_flight or world.spotify.in_flight:  # each ends a moment before or after the other
            await asyncio.sleep(0.05)


async def test_a_day_that_ends_between_the_write_and_the_proof_is_told_with_its_time(world: World) -> None:
    await world.link(ADA)
    albums = synthetic(12)
    world.spotify.catalogue.add(albums)
    world.spotify.fault(path=WRITE, method="PUT", delay_s=0.3)
    interaction = await world.save(" ".join(album.id for album in albums))
    async with asyncio.timeout(60):
        while ("PUT", WRITE) not in world.calls():
            await asyncio.sleep(0.01)
    world.spotify.fault(path=CONTAINS, **FAULTS["quota"])
    assert "has reached its daily limit. Your 2 albums are queued. I will try again <t:" in await until_said(
        interaction, "queued"
    )


# -- what stands beside a button that leads to a consent


@pytest.mark.parametrize("command", ["save", "unsave", "link"])
async def test_what_is_asked_for_and_stored_is_told_before_every_consent(world: World, command: str) -> None:
    options = {"albums": FIRST} if command in ("save", "unsave") else {}
    for _ in ("not linked", "linked"):
        interaction = await world.discord.slash(ADA, command, options)
        text = await said(interaction)
        urls = [button.get("url", "") for button in buttons(interaction.history[-1])]
        if any(url.startswith(world.settings.public_url) for url in urls):
            for told in ("two permissions", "see what is in your library", "/privacy", "unlink", "10 minutes"):
                assert told in text, told
        else:
            assert command in ("save", "unsave")
        await world.link(ADA)


# -- dropped, or unlinked, while a command is under way


@pytest.mark.parametrize("how", ["drop", "unlink"])
async def test_what_was_dropped_in_the_middle_is_told_as_that(world: World, how: str) -> None:
    await world.link(ADA)
    world.spotify.fault(path=CONTAINS, delay_s=0.7)
    offer = await world.discord.slash(ADA, "unlink")
    await said(offer)
    saving = await world.save(FIRST)
    await asyncio.sleep(0.2)
    await said(await world.discord.press(ADA, f"{how}:{ADA}", offer.history[-1]))
    assert "Taken out of the queue" in await said(saving)
    assert world.saved() == []


async def test_what_was_saved_while_its_member_unlinked_is_told_as_saved(world: World) -> None:
    await world.link(ADA)
    world.spotify.fault(path="/v1/me/*", method="PUT", delay_s=0.7)
    offer = await world.discord.slash(ADA, "unlink")
    await said(offer)
    saving = await world.save(FIRST)
    async with asyncio.timeout(5):
        while not any(call.method == "PUT" for call in world.spotify.calls):
            await asyncio.sleep(0.01)
    await said(await world.discord.press(ADA, f"unlink:{ADA}", offer.history[-1]))
    assert "Saved to your library." in await said(saving)
    assert world.saved() == [FIRST]
    assert not [button for button in buttons(saving.history[-1]) if button.get("label") == "Undo"]


async def test_what_was_dropped_after_a_write_that_may_have_happened_does_not_claim_otherwise(world: World) -> None:
    await world.link(ADA)
    world.spotify.fault(path="/v1/me/*", method="PUT", times=None, status=500, carried_out=True)
    saving = await world.save(FIRST)
    await until_said(saving, "I will message you when it is saved")
    dropping = await world.discord.press(ADA, f"drop:{ADA}", saving.history[-1])
    assert "Spotify may have changed your library already" in await said(dropping)
    await until_said(saving, "Spotify may have changed your library already")
    assert world.saved() == [FIRST]


async def test_an_album_that_waits_twice_is_one_album(world: World) -> None:
    await world.link(ADA)
    world.spotify.fault(path="/v1/*", times=None, **FAULTS["unavailable"])
    for _ in range(2):
        await until_said(await world.save(FIRST), "I will message you when it is saved")
    account = await world.discord.slash(ADA, "account")
    told = await said(account)
    assert "1 album is queued:" in told
    assert told.count("- Save ") == 1
    asked = await press(world, account, "Clear queue")
    assert "Take 1 album out of the queue?" in await said(asked)
    assert "Took 1 album out of the queue." in await said(await press(world, asked, "Clear queue"))


async def test_of_what_is_on_its_way_the_queue_does_not_say_that_nothing_happens(world: World) -> None:
    await world.link(ADA)
    world.spotify.fault(path="/v1/me/*", method="PUT", times=1, delay_s=3.0)
    saving = await world.save(FIRST)
    while not any(call.method == "PUT" for call in world.spotify.calls):
        await asyncio.sleep(0.01)
    account = await world.discord.slash(ADA, "account")
    await said(account)
    asked = await press(world, account, "Clear queue")
    assert "What has already been saved or removed stays that way." in await said(asked)
    told = await said(await press(world, asked, "Clear queue"))
    assert "1 album is on its way to Spotify, which can no longer be stopped." in told
    await until_said(saving, "Saved to your library.")
    assert world.saved() == [FIRST]


async def test_what_is_no_album_beside_albums_is_counted_as_what_it_is(world: World) -> None:
    await world.link(ADA)
    texts_ = (
        FIRST,
        SECOND,
        f"spotify:playlist:{FIRST}",
        f"artist/{SECOND}",
        f"spotify:prerelease:{FIRST}",
        "youtu.be/x",
    )
    answer = await said(await world.save(" ".join((*texts_, "https://open.spotify.com/album/short"))))
    assert "Saved 2 albums. 3 are not albums on Spotify. 1 is not out yet. 1 could not be read." in answer
    assert "could not be found" not in answer


async def test_another_page_of_spotify_is_named(world: World) -> None:
    await world.link(ADA)
    answer = await said(await world.save("https://support.spotify.com/us/article/family-plan/"))
    assert "That is a Spotify page, but not an album. I can save albums: paste an album link" in answer


async def test_a_message_that_promised_something_says_when_it_was_dropped(world: World) -> None:
    await world.link(ADA)
    world.spotify.fault(path="/v1/*", times=None, **FAULTS["unavailable"])
    saving = await world.save(FIRST)
    await until_said(saving, "I will message you when it is saved")
    await said(await world.discord.press(ADA, f"drop:{ADA}", saving.history[-1]))
    await until_said(saving, "taken out of the queue")
    assert ADA not in world.discord.direct_messages


# -- order


async def test_the_last_command_for_an_album_wins(world: World) -> None:
    await world.link(ADA)
    world.spotify.fault(path=CONTAINS, times=3, **FAULTS["unavailable"])
    first, second = await world.save(FIRST), await world.unsave(FIRST)
    third = await world.save(FIRST)
    await until_said(third, "library")
    await world.idle()
    assert world.saved() == [FIRST]
    for interaction in (first, second, third):
        assert "queued" not in "\n".join(texts(interaction.history[-1]))


async def test_a_save_that_was_carried_out_unseen_is_told_as_one_although_a_later_unsave_takes_it_out(
    world: World,
) -> None:
    await world.link(ADA)
    world.spotify.fault(path=WRITE, method="PUT", times=None, **FAULTS["cut_after_work"])
    first = await world.save(FIRST)
    await until_said(first, "queued")
    world.spotify.clear_faults()
    assert "Removed" in await until_said(await world.unsave(FIRST), "library")
    assert "Saved" in await until_said(first, "to your library")
    assert world.saved() == []


# -- accounts


async def test_account_shows_who_since_when_and_what_waits(world: World) -> None:
    await world.link(ADA, name="Ada’s music")
    world.spotify.fault(path=WRITE, times=None, **FAULTS["unavailable"])
    await until_said(await world.save(FIRST), "queued")
    account = await world.discord.slash(ADA, "account", {})
    answer = await said(account)
    assert "You are linked as **Ada’s music**, since <t:" in answer
    assert "Yours ends <t:" in answer
    assert "1 album is queued" in answer
    asked = await press(world, account, "Clear queue")
    assert "Take 1 album out of the queue?" in await said(asked)
    assert "1 album is queued" in await said(await press(world, asked, "Cancel"))
    asked = await press(world, account, "Clear queue")
    await said(asked)
    answer = await said(await press(world, asked, "Clear queue"))
    assert "Took 1 album out of the queue" in answer
    assert "You are linked as **Ada’s music**" in answer
    world.spotify.clear_faults()
    assert await world.bot.library.pending(MemberId(ADA)) == []


async def test_unlink_asks_once_and_deletes_everything(world: World) -> None:
    await world.link(ADA)
    await said(await world.save(FIRST))
    await world.idle()
    asked = await world.discord.slash(ADA, "unlink", {})
    assert "Unlink **Ada**?" in await said(asked)
    assert "spotify.com/account/apps" in await said(await press(world, asked, "Unlink"))
    rows = await world.bot.storage.database.read(
        lambda c: [
            c.execute(f"SELECT count(*) FROM {table} WHERE member_id = ?", (ADA,)).fetchone()[0]
            for table in ("links", "link_attempts", "change_requests", "library_changes")
        ]
    )
    assert rows == [0, 0, 0, 0]
    assert world.saved() == [FIRST]


async def test_link_when_linked_says_as_whom(world: World) -> None:
    await world.link(ADA, name="Ada’s music")
    link = await world.discord.slash(ADA, "link", {})
    assert "You are linked as **Ada’s music**" in await said(link)
    assert [button["label"] for button in buttons(link.history[-1])][:1] == ["Link again"]


async def test_help_fits_one_screen_and_mentions_the_commands(world: World) -> None:
    answer = await said(await world.discord.slash(ADA, "help", {}))
    ids = {command["name"]: command["id"] for command in world.discord.commands[None]}
    assert f"</link:{ids['link']}>" in answer
    assert len(answer) < 1500


async def test_commands_are_for_servers_direct_messages_and_user_installs(world: World) -> None:
    for command in world.discord.commands[None]:
        assert sorted(command["contexts"]) == [0, 1, 2]
        assert sorted(command["integration_types"]) == [0, 1]


async def test_a_stranger_at_a_link_is_told_to_its_owner_and_the_link_keeps_its_button(world: World) -> None:
    link = await world.discord.slash(ADA, "link", {})
    await said(link)
    await world.bot.linking.tell(LinkNews(MemberId(ADA), link.token, WrongDiscordAccount()))
    assert "opened by somebody" in "\n".join(texts(await link.followup()))
    assert [button["label"] for button in buttons(link.history[-1])][:1] == ["Link Spotify"]


async def test_a_link_is_told_once_it_is_stored_also_where_the_process_ends_before_it_says_so(world: World) -> None:
    world.spotify.add_account("ada", account_id="acc-ada", display_name="Ada")
    link = await world.discord.slash(ADA, "link", {})
    await said(link)

    async def tell(news: LinkNews) -> None:
        pass

    world.bot.linking.tell = tell
    await link_in_browser(world, buttons(link.history[-1])[0]["url"])
    await until_said(link, "Linked as **Ada**")


async def test_a_pending_answer_of_many_misses_goes_on_in_further_private_messages(world: World) -> None:
    await world.link(ADA)
    world.spotify.fault(path=CONTAINS, times=None, **FAULTS["unavailable"])
    missing = [f"{number:022d}" for number in range(200)]
    interaction = await world.save(" ".join(missing))
    await until_said(interaction, "queued")
    world.spotify.clear_faults()
    await until_said(interaction, "200 could not be found")
    await world.idle()
    assert all(message["flags"] & 64 for message in interaction.followups)
    assert interaction.followups
