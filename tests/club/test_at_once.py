"""Presses twice, two curators at once, cards of rounds that are over, and presses in the moment of a club hour."""

from __future__ import annotations

import asyncio
from datetime import timedelta

import pytest

from bot.caller import GuildId, MemberId
from bot.curation.club import State
from tests.club.stage import CURATOR, ONE, Server
from tests.club.test_robustness import to_listening
from tests.discord_wire import Json, WireInteraction, texts
from tests.world import ADA, BEN, CHLOE, World

OTHER = CURATOR + 1


async def said(interaction: WireInteraction) -> list[str]:
    """All that a member reads of an interaction: the message, and what was sent beside it."""
    await interaction.answered(60)
    async with asyncio.timeout(60):
        while not interaction.history and not interaction.followups:
            await asyncio.sleep(0.01)
    return ["\n".join(texts(message)) for message in (*interaction.history, *interaction.followups)]


async def pressed_twice(server: Server, message: Json, label: str, *members: int) -> list[list[str]]:
    presses = await asyncio.gather(*(server.press(message, label, member) for member in members))
    return [await said(press) for press in presses]


def now_on(world: World, message: Json) -> str:
    """What is on a card now."""
    return "\n".join(texts(world.discord.messages[message["id"]]))


async def test_start_pressed_twice_starts_one_club_and_the_card_says_so(world: World) -> None:
    server = Server(world)
    options = {"name": "C", "pick": "vote", "day": "tuesday", "time": "20:00"}
    preview = await (await server.curate("new", **options)).message(60)
    await pressed_twice(server, preview, "Start", CURATOR, CURATOR)
    await server.post()
    await server.quiet()
    assert len(await world.bot.clubs.of_guild((await server.stored()).guild_id)) == 1
    assert len(server.posts) == 1
    assert "has started" in now_on(world, preview)


async def test_a_step_that_is_ended_twice_ends_once(world: World) -> None:
    server = Server(world)
    await server.start()
    for album, member in enumerate((ADA, BEN)):
        await server.nominate(album, member)
    asked = await (await server.curate("next")).message(60)
    answers = await pressed_twice(server, asked, "End it now", CURATOR, CURATOR)
    await server.quiet()
    assert (await server.state()).coming.state is State.VOTING
    assert len(server.posts) == 2
    assert "Done" in now_on(world, asked)
    assert sum("The club has moved on" in "\n".join(answer) for answer in answers) == 1


@pytest.mark.parametrize("second", ["next", "skip", "extend"])
async def test_two_curators_who_act_at_once_do_one_thing_and_the_other_is_told(world: World, second: str) -> None:
    server = Server(world)
    await server.start()
    for album, member in enumerate((ADA, BEN)):
        await server.nominate(album, member)
    await server.to_vote()
    await server.quiet()
    before = (await server.state()).coming
    first = await (await server.curate("next", CURATOR)).message(60)
    if second == "next":
        other = await (await server.curate("next", OTHER)).message(60)
        act = server.press(other, "End it now", OTHER)
    else:
        act = server.curate(second, OTHER, **({"days": 2} if second == "extend" else {}))
    interactions = await asyncio.gather(server.press(first, "End it now", CURATOR), act)
    answers = ["\n".join(await said(one)) for one in interactions]
    await server.quiet()
    after = await server.state()
    ended = after.coming.number == before.number + 1
    log = await world.bot.clubs.log(ONE, 20)
    if second == "extend" and len(log) == 2:  # extended, and then ended as it was seen after that: both hold
        assert ended
        return
    assert len(log) == 1, answers
    assert sum("The club has moved on" in answer for answer in answers) == 1, answers


async def test_a_nomination_that_is_replaced_or_taken_back_twice_says_what_came_of_it(world: World) -> None:
    server = Server(world)
    await server.start()
    await server.nominate(0)
    asked = await (await server.club("nominate", ADA, album=server.albums[1], note="Better")).message(60)
    await pressed_twice(server, asked, "Replace it", ADA, ADA)
    assert "You nominated this album" in now_on(world, asked)
    (one,) = (await server.state()).coming.nominations
    assert (one.album_id, one.note) == (server.albums[1], "Better")
    await pressed_twice(server, world.discord.messages[asked["id"]], "Take back", ADA, ADA)
    assert "You took back" in now_on(world, asked)
    assert (await server.state()).coming.nominations == ()


async def test_of_two_clubs_with_one_name_that_start_at_once_one_is_told_to_choose_another_name(world: World) -> None:
    server = Server(world)
    options = {"pick": "vote", "day": "tuesday", "time": "20:00"}
    asked = [await server.curate("new", name=name, **options) for name in ("The Club", "the  CLUB")]
    for one in asked:
        await one.message(60)
    pressed = [await server.press(one.history[-1], "Start", CURATOR) for one in asked]
    read = sorted([await server.read(one) for one in pressed])
    assert "has started" in read[0]
    assert "There is a club with this name already" in read[1]
    assert len(await world.bot.storage.clubs.of_guild(GuildId(world.discord.GUILD))) == 1


async def test_a_swap_that_is_accepted_twice_is_done_once(world: World) -> None:
    server = Server(world)
    await server.start(pick="turns")
    for member in (ADA, BEN):
        await server.said("join", member)
    order = (await server.state()).order
    await server.said("swap", ADA, **{"with": str(BEN)})
    question = await world.discord.direct_message(BEN, 60)
    await pressed_twice(server, question, "Swap", BEN, BEN)
    assert (await server.state()).order == (order[0], MemberId(BEN), MemberId(ADA))
    assert "You swapped places" in now_on(world, question)


async def test_buttons_of_rounds_that_are_over_say_so_and_change_nothing(world: World) -> None:
    server = Server(world)
    await to_listening(server)
    announced = server.posts[-2]
    vote = "club-vote:1:1"
    old_vote: Json = announced | {
        "components": [{"type": 1, "components": [{"type": 2, "style": 1, "label": "Vote", "custom_id": vote}]}]
    }
    pressed = await world.discord.press(BEN, vote, old_vote | {"id": "1"})
    assert "There is no vote now" in "\n".join(await said(pressed))
    opened = await server.press(announced, "Rate", BEN)
    await opened.answered(60)
    await server.to_club_hour()
    await server.quiet()
    sent = await world.discord.submit(BEN, opened, {"score": ["5"], "review": "", "named": ["no"]})
    assert "cannot be rated now" in "\n".join(await said(sent))
    again = await server.press(announced, "Rate", BEN)
    assert "cannot be rated now" in "\n".join(await said(again))
    assert await world.bot.clubs.ratings(ONE) == []
    for forged in ("club-vote:1:99999999", "club-rate:1:0", "club-rate:99:1", "club-vote:99:1"):
        button = {"type": 2, "style": 1, "label": "Forged", "custom_id": forged}
        message = announced | {"id": "2", "components": [{"type": 1, "components": [button]}]}
        assert "\n".join(await said(await world.discord.press(CHLOE, forged, message)))


async def test_ballots_in_the_moment_of_the_count_are_counted_or_refused(world: World) -> None:
    server = Server(world)
    await server.start()
    for album, member in enumerate((ADA, BEN)):
        await server.nominate(album, member)
    await server.to_vote()
    await server.quiet()
    voters = [400_000_000_000_000_000 + place for place in range(30)]
    opened = [await server.club("vote", member) for member in voters]
    for one in opened:
        await one.answered(60)
    world.ahead += (await server.state()).club_hour_at - world.now() - timedelta(milliseconds=100)
    sent = []
    for place, (member, one) in enumerate(zip(voters, opened, strict=True)):
        values = {"first": [server.albums[place % 2]]}
        sent.append(asyncio.create_task(world.discord.submit(member, one, values)))
        if place == 15:
            await server.skip_to((await server.state()).club_hour_at + timedelta(milliseconds=1))
        await asyncio.sleep(0)
    answers = ["\n".join(await said(await one)) for one in sent]
    await server.quiet()
    taken = sum("Your vote is in" in answer for answer in answers)
    refused = sum("There is no vote now" in answer for answer in answers)
    assert taken + refused == len(voters)
    view = await world.bot.clubs.view(ONE, server.round(1))
    assert view is not None
    assert len(view.ballots) == taken
