"""Shared cards and message commands, on the wire."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from tests.chat.reading import until
from tests.discord_wire import Json, WireInteraction, buttons, texts
from tests.test_story import press, said
from tests.world import ADA, BEN, FIRST, SECOND, World

GUILD = 700_000_000_000_000_001
LINK = f"https://open.spotify.com/album/{FIRST}"


async def shared(world: World, member: int = ADA, **options: object) -> WireInteraction:
    """`/share` in a server."""
    interaction = await world.discord.slash(member, "share", {"album": LINK, **options}, guild_id=GUILD)
    await interaction.message(5.0)
    return interaction


def newest(interaction: WireInteraction) -> Json:
    """The newest version of an answer."""
    return interaction.history[-1]


def cards_of(world: World, member: int) -> list[str]:
    """The texts of the cards that a member has shared, in order."""
    found = ["\n".join(texts(message)) for message in world.discord.messages.values()]
    return [text for text in found if f"Shared by <@{member}>" in text]


async def test_a_member_without_spotify_shares_an_album_with_everybody(world: World) -> None:
    card = newest(await shared(world, note="try **track 3** @everyone"))
    assert not card["flags"] & 64
    text = "\n".join(texts(card))
    assert f"Shared by <@{ADA}>" in text
    assert "@everyone" not in text
    assert [button.get("label") for button in buttons(card)] == ["Save", "Add to crate", "Open in Spotify"]


async def test_a_card_with_a_button_to_spotify_leads_there_twice_and_not_three_times(world: World) -> None:
    added = await world.discord.slash(BEN, "crate add", {"album": LINK}, guild_id=GUILD)
    await added.message(5.0)
    for card in (newest(await shared(world)), newest(added)):
        assert json.dumps(card["components"]).count(f"open.spotify.com/album/{FIRST}") == 2
        assert texts(card)[-1] == "-# on Spotify"


async def test_whoever_uses_save_on_a_shared_card_changes_their_own_library_and_only_they_see_it(world: World) -> None:
    await world.link(BEN, "ben")
    interaction = await shared(world)
    answer = await world.discord.press(BEN, f"save:{FIRST}", newest(interaction), guild_id=GUILD)
    assert "Saved to your library" in await said(answer)
    assert newest(answer)["flags"] & 64
    assert [button["label"] for button in buttons(newest(answer))] == ["Undo", "Show that I kept this"]
    assert world.saved("ben") == [FIRST]


async def test_an_unlinked_member_links_and_the_shared_album_is_saved_right_after(world: World) -> None:
    interaction = await shared(world)
    answer = await world.discord.press(BEN, f"save:{FIRST}", newest(interaction), guild_id=GUILD)
    assert any(button.get("url") for button in buttons(await answer.message(5.0)))
    await world.link(BEN, "ben")
    world.bot.library.wake(BEN)  # type: ignore[arg-type]
    await world.idle(BEN)
    assert world.saved("ben") == [FIRST]
    assert "Saved to your library" in "\n".join(texts(newest(answer)))
    assert [button["label"] for button in buttons(newest(answer))] == ["Undo", "Show that I kept this"]
    kept = await press(world, answer, "Show that I kept this", member=BEN)
    assert "sees that you kept" in await said(kept)


async def test_add_to_crate_says_who_was_first(world: World) -> None:
    interaction = await shared(world)
    assert "Added to the crate" in await said(await press(world, interaction, "Add to crate"))
    assert "first" in await said(await press(world, interaction, "Add to crate", member=BEN))


async def test_twelve_links_of_a_message_are_one_private_answer_and_one_write(world: World) -> None:
    await world.link(ADA)
    ids = list(world.spotify.catalogue.albums)[:12]
    content = "\n".join(f"- [this one](https://open.spotify.com/album/{id_}?si=x)" for id_ in ids)
    answer = await world.discord.message_command(
        ADA, "Save albums", {"id": "9", "channel_id": "8", "content": content}, guild_id=GUILD
    )
    assert "Saved 12 albums" in await said(answer)
    assert newest(answer)["flags"] & 64
    await world.idle()
    assert [call for call in world.calls() if call[0] == "PUT"] == [("PUT", "/v1/me/albums")]
    assert set(world.saved()) == set(ids)


async def test_albums_are_found_in_embeds_and_in_our_own_cards(world: World) -> None:
    await world.link(ADA)
    embed = {"id": "9", "channel_id": "8", "content": "listen", "embeds": [{"url": LINK, "title": "An album"}]}
    assert "Saved" in await said(await world.discord.message_command(ADA, "Save albums", embed, guild_id=GUILD))
    await world.idle()
    card = newest(await shared(world, album=f"spotify:album:{SECOND}"))
    assert "Saved" in await said(await world.discord.message_command(ADA, "Save albums", card, guild_id=GUILD))
    await world.idle()
    assert set(world.saved()) == {FIRST, SECOND}


async def test_albums_are_found_in_a_poll_and_in_a_forwarded_message(world: World) -> None:
    poll = {"question": {"text": f"Next: {LINK}"}, "answers": [{"answer_id": 1, "poll_media": {"text": "Yes"}}]}
    forwarded = [{"message": {"content": f"https://open.spotify.com/album/{SECOND}"}}]
    await world.link(ADA)
    for message in (
        {"id": "11", "channel_id": "8", "poll": poll},
        {"id": "12", "channel_id": "8", "message_snapshots": forwarded},
    ):
        assert "Saved to your library" in await said(await world.discord.message_command(ADA, "Save albums", message))
        await world.idle()
    assert {*world.saved()} == {FIRST, SECOND}


PARTS = {
    "a poll without an end": {"poll": {"question": {"text": "x"}, "answers": [], "expiry": None, "layout_type": 9}},
    "a forward in part": {"message_snapshots": [None, {"message": {"content": "x"}}]},
    "an answer to a message that is gone": {"referenced_message": None, "message_reference": {"message_id": "4"}},
    "an embed with an odd time": {"embeds": [None, {"timestamp": "soon", "fields": None, "url": LINK}]},
    "an attachment without a size": {"attachments": [{"id": "1", "filename": "x"}]},
    "a component that is not known yet": {"components": [{"type": 99, "id": 1}, {"type": 10}]},
    "a thread that is not described": {"thread": {"id": "5"}},
    "nulls": {"embeds": None, "components": None, "attachments": None, "mentions": None, "author": None},
    "what came later": {"interaction_metadata": {"id": "1", "type": 2}, "type": 99, "soundboard_sounds": [{}]},
    "no channel": {"channel_id": None},
}


@pytest.mark.parametrize("part", PARTS)
async def test_a_part_of_a_message_that_discord_py_cannot_read_does_not_matter(world: World, part: str) -> None:
    await world.link(ADA)
    message = {"id": "11", "channel_id": "8", "content": LINK, **PARTS[part]}
    assert "Saved to your library" in await said(await world.discord.message_command(ADA, "Save albums", message))


async def test_22_letters_in_a_message_are_a_word(world: World) -> None:
    await world.link(ADA)
    word = "Donauschifffahrtsrecht"
    assert len(word) == 22
    message = {"id": "11", "channel_id": "8", "content": f"{word} {LINK} {word[::-1]}"}
    text = await said(await world.discord.message_command(ADA, "Save albums", message))
    assert "Saved to your library" in text
    assert word not in text
    message = {"id": "12", "channel_id": "8", "content": f"So much for {word}"}
    assert word not in await said(await world.discord.message_command(ADA, "Save albums", message))


async def test_a_message_without_an_album_is_told_what_can_be_read(world: World) -> None:
    for name in ("Save albums", "Add to crate", "Share as card"):
        answer = await world.discord.message_command(
            ADA, name, {"id": "9", "channel_id": "8", "content": "what a day"}, guild_id=GUILD
        )
        assert "I found no album" in await said(answer), name


async def test_a_message_is_shared_as_a_card(world: World) -> None:
    message = {"id": "9", "channel_id": "8", "content": f"have you heard <{LINK}>"}
    answer = await world.discord.message_command(BEN, "Share as card", message, guild_id=GUILD)
    assert f"Shared by <@{BEN}>" in await said(answer)
    assert not newest(answer)["flags"] & 64


@pytest.mark.parametrize(("named", "told"), [(5, ""), (6, "names 1 more album."), (12, "names 7 more albums.")])
async def test_a_message_with_more_albums_than_cards_says_how_many_are_left_out(
    world: World, named: int, told: str
) -> None:
    ids = list(world.spotify.catalogue.albums)[:named]
    content = " ".join(f"https://open.spotify.com/album/{id_}" for id_ in ids)
    message = {"id": "9", "channel_id": "8", "content": content}
    answer = await world.discord.message_command(BEN, "Share as card", message, guild_id=GUILD)
    await answer.message(5.0)
    await until(lambda: len(cards_of(world, BEN)) == 5)
    *others, last = cards_of(world, BEN)
    assert not any("more album" in text for text in others)
    assert (f"[The message](https://discord.com/channels/{GUILD}/8/9) {told}" in last) == bool(told)
    assert ("more album" in last) == bool(told)


async def test_add_to_crate_says_what_is_new_and_what_is_left_out(world: World) -> None:
    world.spotify.catalogue.add([replace(world.spotify.catalogue.albums[FIRST], id=f"{n:022}") for n in range(102)])
    ids = [f"{n:022}" for n in range(102)]

    async def add(*albums: str) -> str:
        content = " ".join(f"spotify:album:{id_}" for id_ in albums)
        message = {"id": "9", "channel_id": "8", "content": content}
        return await said(await world.discord.message_command(BEN, "Add to crate", message, guild_id=GUILD))

    assert "Added 2 albums to the crate “Crate”." in await add(*ids[:2])
    again = await add(*ids[:2])
    assert "All of these albums are in the crate “Crate” already." in again
    assert "Added" not in again
    assert "Added 1 album to the crate “Crate”. 2 were already in it." in await add(*ids[:3])
    assert "The message names 2 more albums, which I left out." in await add(*ids)


async def test_only_who_shared_a_card_removes_it(world: World) -> None:
    card = {**newest(await shared(world)), "author": {"id": str(world.discord.application_id)}}
    refused = await world.discord.message_command(BEN, "Remove card", card, guild_id=GUILD)
    assert "Only the member who shared this card" in await said(refused)
    before = len(world.discord.requests)
    await world.discord.message_command(ADA, "Remove card", card, guild_id=GUILD)
    deleted = [r.path for r in world.discord.requests[before:] if r.method == "DELETE"]
    assert deleted == [] or deleted[0].endswith(f"/messages/{card['id']}")


async def test_what_is_not_a_shared_card_cannot_be_removed(world: World) -> None:
    answer = await world.discord.message_command(
        ADA, "Remove card", {"id": "9", "channel_id": "8", "content": "hello"}, guild_id=GUILD
    )
    assert "not a shared card" in await said(answer)


async def test_a_card_in_direct_messages_puts_nothing_into_a_crate(world: World) -> None:
    card = newest(await shared(world))
    custom_id = next(b["custom_id"] for b in buttons(card) if b["label"] == "Add to crate")
    for member in (ADA, BEN):
        answer = await world.discord.press(member, custom_id, card, guild_id=None)
        assert "Crates belong to servers" in await said(answer)
