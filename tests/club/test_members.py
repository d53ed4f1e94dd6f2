"""What members do in a club, linked or not."""

from __future__ import annotations

import json
from collections import Counter
from datetime import timedelta

import pytest

from bot.caller import MemberId
from bot.curation.ids import RoundNumber
from tests.club.stage import CHANNEL, CURATOR, ONE, Server
from tests.club.test_robustness import to_listening
from tests.discord_wire import buttons, texts
from tests.world import ADA, BEN, CHLOE, World


async def test_a_second_nomination_replaces_the_first_once_it_is_confirmed(world: World) -> None:
    server = Server(world)
    await server.start()
    await server.nominate(0)
    asked = await server.club("nominate", ADA, album=server.albums[1], note="Better")
    assert "in its place" in await server.read(asked)
    assert [one.album_id for one in (await server.state()).coming.nominations] == [server.albums[0]]
    cancelled = await server.press(asked.history[-1], "Cancel")
    assert "Nothing was changed." in await server.read(cancelled)
    assert [one.album_id for one in (await server.state()).coming.nominations] == [server.albums[0]]
    asked = await server.club("nominate", ADA, album=server.albums[1], note="Better")
    await asked.message()
    replaced = await server.press(asked.history[-1], "Replace it")
    assert "You nominated this album" in await server.read(replaced)
    (one,) = (await server.state()).coming.nominations
    assert (one.album_id, one.note) == (server.albums[1], "Better")


async def test_a_nomination_can_be_taken_back(world: World) -> None:
    server = Server(world)
    await server.start()
    receipt = await server.club("nominate", ADA, album=server.albums[0])
    await receipt.message()
    assert "took back" in await server.read(await server.press(receipt.history[-1], "Take back"))
    assert (await server.state()).coming.nominations == ()


async def test_two_editions_are_told_apart_on_the_ballot_and_wherever_they_are_listed(world: World) -> None:
    server = Server(world)
    await server.start()
    titles = Counter(album.title for album in world.spotify.catalogue.albums.values())
    twins = [album.id for album in world.spotify.catalogue.albums.values() if titles[album.title] > 1][:2]
    for member, album in zip((ADA, BEN), twins, strict=True):
        await server.said("nominate", member, album=album)
    listed = [line.partition(", nominated")[0] for line in (await server.said("nominations")).splitlines()[1:3]]
    await server.to_vote()
    posted = texts(await server.post())[1].splitlines()[2:4]
    ballot = await server.club("vote")
    await server.until(lambda: ballot.callback is not None)
    assert ballot.callback is not None
    select = ballot.callback["data"]["components"][0]["component"]
    offered = [(option["label"], option["description"]) for option in select["options"]]
    assert len({*listed}) == len({*posted}) == len({*offered}) == 2, (listed, posted, offered)


async def test_hostile_notes_and_names_are_shown_as_text_and_ping_nobody(world: World) -> None:
    server = Server(world)
    evil = "@everyone <@&1> [x](https://evil.example) ||**`\u202e"
    await server.start(name=evil[:50])
    text = await server.nominate(0, note=evil)
    for shown in (text, *("\n".join(texts(post)) for post in server.posts), await server.said("nominations", BEN)):
        assert "@everyone" not in shown
        assert "](https://evil" not in shown
        assert "\u202e" not in shown
    bodies = [request.body for request in world.discord.requests if request.body and "components" in request.body]
    assert bodies
    assert all(body["allowed_mentions"]["parse"] == [] for body in bodies if "allowed_mentions" in body)


async def test_save_on_a_club_card_changes_ones_own_library_and_is_counted_without_a_name(world: World) -> None:
    await world.link(BEN, "ben")
    server = Server(world)
    await to_listening(server)
    announced = server.posts[-2]
    unlinked = await server.press(announced, "Save", CHLOE)
    assert "Link your Spotify account" in await server.read(unlinked)
    for _ in range(2):
        await server.read(await server.press(announced, "Save", BEN))
    await world.idle(BEN)
    assert world.saved("ben") == [server.albums[0]]
    storage = world.bot.storage
    assert await storage.database.read(lambda c: storage.clubs.saves_in(c, ONE, RoundNumber(1))) == 1
    await server.to_club_hour()
    assert "1 member saved it" in await server.says()


async def test_a_rating_is_changed_in_a_form_and_named_only_if_the_member_says_so(world: World) -> None:
    server = Server(world)
    await to_listening(server)
    announced = server.posts[-2]
    for score, named in (("2.5", "no"), ("4", "yes")):
        opened = await server.press(announced, "Rate", BEN)
        await server.until(lambda opened=opened: opened.callback is not None)
        form = {"score": [score], "review": "Fine", "named": [named]}
        assert f"**{score}**" in await server.read(await world.discord.submit(BEN, opened, form))
    await server.rate(ADA, "5", review="Mine")
    assert "can't read" in await server.rate(CHLOE, "lots")
    await server.to_club_hour()
    summary = await server.says()
    assert f"<@{BEN}>: Fine" in summary
    assert "a member: Mine" in summary
    assert "4.5" in summary
    assert "cannot be rated now" in await server.read(await server.press(announced, "Rate", BEN))


async def test_only_who_wants_to_and_has_not_acted_is_reminded_a_day_before(world: World) -> None:
    server = Server(world)
    await server.start()
    for member in (ADA, BEN):
        assert "I will message you a day before" in await server.said("remind", member, reminders="on")
    await server.nominate(0, ADA)
    await server.nominate(1, CHLOE)
    vote_at = (await server.state()).vote_at
    await server.skip_to(vote_at - timedelta(hours=23))
    assert "voting opens" in "\n".join(texts(await world.discord.direct_message(BEN, 8.0)))
    await server.to_vote()
    await server.post()
    await server.vote(BEN, 0)
    await server.skip_to((await server.state()).club_hour_at - timedelta(hours=23))
    assert "voting ends" in "\n".join(texts(await world.discord.direct_message(ADA, 8.0)))
    await server.quiet()
    assert {member: len(found) for member, found in world.discord.direct_messages.items()} == {ADA: 1, BEN: 1}


async def test_turns_are_picked_sealed_passed_and_swapped(world: World) -> None:
    server = Server(world)
    await server.start(pick="turns")
    for member in (ADA, BEN):
        assert "You take turns" in await server.said("join", member)
    assert "already" in await server.said("join", ADA)
    receipt = await server.said("pick", ADA, album=server.albums[3], note="Loud")
    assert "Nobody else sees it" in receipt
    assert "> Loud" in receipt
    assert server.albums[3] not in str(server.posts)
    assert "Choose another member" in await server.said("swap", ADA, **{"with": str(ADA)})
    asked = await server.said("swap", ADA, **{"with": str(BEN)})
    assert "asked" in asked
    question = await world.discord.direct_message(BEN, 8.0)
    accepted = await server.press(question, "Swap", BEN)
    assert "You swapped places" in await server.read(accepted)
    order = (await server.state()).order
    assert order[-2:] == (BEN, ADA)
    assert "last in the order" in await server.said("pass", order[0])


async def test_a_swap_can_be_declined_and_not_accepted_after_that(world: World) -> None:
    server = Server(world)
    await server.start(pick="turns")
    for member in (ADA, BEN):
        await server.said("join", member)
    before = (await server.state()).order
    await server.said("swap", ADA, **{"with": str(BEN)})
    assert "already" in await server.said("swap", ADA, **{"with": str(BEN)})
    question = await world.discord.direct_message(BEN)
    (late,) = [button["custom_id"] for button in buttons(question) if button["label"] == "Swap"]
    assert "You keep your place" in await server.read(await server.press(question, "Decline", BEN))
    assert not buttons(world.discord.messages[question["id"]])
    told = "\n".join(texts(await world.discord.direct_message(ADA)))
    assert f"<@{BEN}> would rather keep their place" in told
    assert "already" in await server.read(await world.discord.press(BEN, late, question))
    assert (await server.state()).order == before
    await server.quiet()
    assert len(world.discord.direct_messages[BEN]) == 1


async def test_a_swap_that_nobody_asked_for_cannot_be_accepted(world: World) -> None:
    server = Server(world)
    await server.start(pick="turns")
    for member in (ADA, BEN):
        await server.said("join", member)
    before = (await server.state()).order
    answer = await world.discord.press(BEN, f"club-swap:{BEN}:1:1:{ADA}", server.posts[0])
    assert "no longer exists" in await server.read(answer)
    assert (await server.state()).order == before


async def test_the_result_can_be_replayed_from_ballots_without_names(world: World) -> None:
    server = Server(world)
    await to_listening(server)
    shown = await server.club("result", ADA, export=True)
    assert "Counted by" in await server.read(shown)
    await server.until(lambda: any(request.files for request in world.discord.requests))
    (content,) = next(request.files for request in world.discord.requests if request.files).values()
    exported = json.loads(content)
    assert exported["ballots"] == [[server.albums[0]]]
    assert exported["winner"] == server.albums[0]
    assert str(ADA) not in content.decode()
    rows = await world.bot.storage.database.read(lambda c: c.execute("SELECT COUNT(*) FROM ballots").fetchone()[0])
    assert rows == 0


async def test_a_member_who_is_forgotten_leaves_the_clubs_history_right(world: World) -> None:
    server = Server(world)
    await to_listening(server)
    await server.rate(ADA, "4", review="Mine")
    await world.bot.storage.forget(MemberId(ADA))
    await server.to_club_hour()
    summary = await server.says()
    assert "**4** of 5" in summary
    assert "Mine" not in summary
    assert str(ADA) not in await server.said("history", BEN)


async def test_past_albums_that_are_missing_are_saved_in_one_write(world: World) -> None:
    await world.link(BEN, "ben")
    server = Server(world)
    await to_listening(server)
    offer = await server.club("catchup", BEN)
    message = await offer.message(8.0)
    assert "is not in your library" in "\n".join(texts(message))
    saved = await world.discord.press(BEN, "save-chosen", message, values=[server.albums[0]])
    await server.read(saved)
    await world.idle(BEN)
    assert world.saved("ben") == [server.albums[0]]
    assert "Every album" in await server.said("catchup", BEN)


async def test_in_the_thread_of_an_announcement_its_club_is_meant(world: World) -> None:
    server = Server(world)
    await server.start(name="First")
    where = {"day": "tuesday", "time": "20:00", "pick": "vote", "name": "Second"}
    preview = await world.discord.slash(CURATOR, "curate new", where, channel_id=CHANNEL + 1)
    await preview.message()
    await server.read(await server.press(preview.history[-1], "Start", CURATOR))
    for channel, name in ((CHANNEL, "First"), (CHANNEL + 1, "Second")):
        answer = await world.discord.slash(ADA, "club now", channel_id=CHANNEL + 7, thread_of=channel)
        assert f"### {name}" in await server.read(answer)


@pytest.mark.parametrize("named", [None, "second"])
async def test_where_there_are_several_clubs_the_one_that_is_meant_is_asked_for(
    world: World, named: str | None
) -> None:
    server = Server(world)
    await server.start(name="First")
    await server.start(name="Second")
    options = {} if named is None else {"club": named}
    said = await server.said("now", ADA, **options)
    assert ("This server has several clubs" in said) is (named is None)
    typed = await world.discord.autocomplete(ADA, "club now", "club", "sec")
    await typed.answered()
    assert [choice["name"] for choice in typed.choices] == ["Second"]
