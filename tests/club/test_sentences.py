"""What members and curators read where a club is not in its usual state: no date that is wrong, no dead end."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from bot.caller import MemberId
from tests.club.stage import CURATOR, MEMBERS, Server
from tests.discord_wire import texts
from tests.world import ADA, BEN, CHLOE, World, made

DATE = "<t:"


async def settings(server: Server, topic: str, **values: str | list[str]) -> str:
    """Change settings through the panel, as a curator does."""
    panel = await server.curate("settings")
    await panel.message(8.0)
    menu = next(part for part in panel.history[-1]["components"][0]["components"] if part["type"] == 1)["components"][0]
    opened = await server.world.discord.press(CURATOR, menu["custom_id"], panel.history[-1], values=[topic])
    await server.until(lambda: opened.callback is not None)
    return await server.read(await server.world.discord.submit(CURATOR, opened, values))


async def pause(server: Server) -> None:
    await server.ordered("pause")
    await server.quiet()


async def test_with_one_nomination_no_vote_is_promised_for_a_time_that_has_passed(world: World) -> None:
    server = Server(world)
    call = await server.start()
    assert "if 2 albums or more are nominated" in "\n".join(texts(call))
    await server.nominate(0, ADA)
    await server.to_vote()
    assert "Voting opens as soon as 2 albums are nominated." in await server.said("now")
    assert "Voting opens as soon as 2 albums are nominated." in await server.said("nominations")
    assert f"until voting opens {DATE}" not in await server.nominate(0, ADA, note="Again.")


async def test_a_paused_club_promises_no_date(world: World) -> None:
    server = Server(world)
    await server.start()
    before = await server.nominate(0, ADA)
    assert f"until voting opens {DATE}" in before
    await pause(server)
    call = "\n".join(texts(server.posts[0]))
    assert "The club is paused, so nothing has a date until a curator resumes it." in call
    for said in (call, await server.said("now"), await server.said("nominations"), await server.nominate(1, BEN)):
        assert DATE not in said
    assert "The club is paused, so nothing has a date" in await server.ordered("settings")
    await server.ordered("resume")
    await server.quiet()
    assert DATE in "\n".join(texts(server.posts[0]))


async def test_a_vote_of_a_paused_club_stays_open_and_promises_no_date(world: World) -> None:
    server = Server(world)
    await server.start()
    await server.nominate(0, ADA)
    await server.nominate(1, BEN)
    await server.to_vote()
    await server.until(lambda: len(server.posts) == 2)
    await pause(server)
    vote = "\n".join(texts(server.posts[1]))
    assert "The club is paused" in vote
    assert DATE not in vote
    receipt = await server.vote(CHLOE, 0)
    assert "You can change it until the vote ends." in receipt
    now = await server.said("now")
    assert "Voting is open. Vote with" in now
    assert "1 member has voted." in now
    assert DATE not in now


async def test_a_tie_is_not_explained_by_the_fewest_votes(world: World) -> None:
    server = Server(world)
    await server.start()
    await server.nominate(0, ADA)
    await server.nominate(1, BEN)
    await server.to_vote()
    await server.until(lambda: len(server.posts) == 2)
    await server.vote(ADA, 0)
    await server.vote(BEN, 1)
    await server.to_club_hour()
    await server.until(lambda: len(server.posts) == 4)
    said = await server.said("result")
    assert "The lot order, drawn before the vote, decides." in said
    assert "is eliminated." in said
    assert "fewest" not in said


async def test_an_album_that_nobody_voted_for_is_not_said_to_be_chosen_by_vote(world: World) -> None:
    server = Server(world)
    await server.start()
    await server.nominate(0, ADA)
    await server.nominate(1, BEN)
    await server.to_vote()
    await server.until(lambda: len(server.posts) == 2)
    await server.to_club_hour()
    await server.until(lambda: len(server.posts) == 4)
    announced = "\n".join(texts(server.posts[2]))
    assert "Nobody voted, so the lot order decided." in announced
    assert "chosen by vote" not in announced


async def test_a_club_that_takes_turns_says_that_nobody_picked(world: World) -> None:
    server = Server(world)
    await server.start(pick="turns")
    await server.read(await world.discord.slash(ADA, "crate add", {"album": server.albums[3]}))
    await server.to_club_hour()
    await server.until(lambda: len(server.posts) == 3)
    assert "Nobody picked an album, so this was drawn from the crate, out of 1 album." in "\n".join(
        texts(server.posts[1])
    )


@pytest.mark.parametrize(
    ("pick", "said"),
    [
        ("vote", "There was no nomination, so this is the curator's stand-in."),
        ("turns", "Nobody picked an album, so this is the curator's stand-in."),
        ("crate", "The crate was empty, so this is the curator's stand-in."),
    ],
)
async def test_a_stand_in_is_announced_with_its_reason(world: World, pick: str, said: str) -> None:
    server = Server(world)
    await server.start(pick=pick)
    assert "is the stand-in now" in await settings(server, "stand-in", album=server.albums[5])
    await server.to_club_hour()
    await server.until(lambda: len(server.posts) == 3)
    assert said in "\n".join(texts(server.posts[1]))


async def test_whoever_asked_to_swap_is_told_that_it_was_accepted(world: World) -> None:
    server = Server(world)
    await server.start(pick="turns")
    for member in MEMBERS:
        await server.said("join", member)
    await server.said("swap", ADA, **{"with": str(BEN)})
    asked = await world.discord.direct_message(BEN, 8.0)
    await server.read(await server.press(asked, "Swap", BEN))
    told = "\n".join(texts(await world.discord.direct_message(ADA, 8.0)))
    assert f"<@{BEN}> swapped places with you." in told
    assert f"<@{BEN}>, <@{ADA}>" in told


async def test_a_club_that_draws_from_its_crate_sends_nobody_to_nominate(world: World) -> None:
    server = Server(world)
    call = "\n".join(texts(await server.start(pick="crate")))
    for said in (call, await server.said("join"), await server.nominate(0)):
        assert "/crate add" in said
        assert "/club nominate" not in said


async def test_a_score_that_cannot_be_read_is_asked_for_and_not_changed(world: World) -> None:
    server = Server(world)
    await server.start()
    assert "There is no album to rate now." in await server.rate(ADA, "4")
    await server.nominate(0, ADA)
    await server.to_club_hour()
    await server.until(lambda: len(server.posts) == 3)
    answer = await server.club("rate", ADA, score="many")
    assert "I can't read" in await server.read(answer)
    assert [button["label"] for button in answer.history[-1]["components"][0]["components"][-1]["components"]] == [
        "Rate"
    ]


async def test_a_veto_during_a_vote_does_not_send_the_nominator_to_nominate(world: World) -> None:
    server = Server(world)
    await server.start()
    for album, member in enumerate(MEMBERS):
        await server.nominate(album, member)
    await server.to_vote()
    await server.until(lambda: len(server.posts) == 2)
    assert "If a member nominated or picked it, they are told." in await server.ordered("veto", album=server.albums[0])
    told = "\n".join(texts(await world.discord.direct_message(ADA, 8.0)))
    assert "can no longer be chosen" in told
    assert "another album" not in told


async def test_the_log_says_which_settings_were_changed(world: World) -> None:
    server = Server(world)
    await server.start()
    await settings(server, "posts", thread=["no"])
    assert "changed settings: Posts" in await server.ordered("log")


async def test_the_name_of_a_city_is_a_timezone(world: World) -> None:
    server = Server(world)
    preview = await server.curate("new", name="X", pick="vote", day="monday", time="8pm", timezone="new york")
    assert "America/New_York" in await server.read(preview)


async def test_means_are_written_as_the_reader_writes_numbers(world: World) -> None:
    server = Server(world)
    await server.start()
    await server.nominate(0, ADA)
    await server.to_club_hour()
    await server.until(lambda: len(server.posts) == 3)
    await server.rate(ADA, "4.5")
    await server.rate(BEN, "3")
    world.ahead += timedelta(days=7)
    await server.to_club_hour()
    await server.until(lambda: len(server.posts) >= 4)
    history = await world.discord.slash(ADA, "club history", {}, locale="de")
    assert "3,75" in await server.read(history)


async def test_the_summary_counts_those_who_linked_after_pressing_save(world: World) -> None:
    server = Server(world)
    await server.start()
    await server.nominate(0, ADA)
    await server.to_club_hour()
    announced = await server.post()
    while "Listen and rate it" not in "\n".join(texts(announced)):
        announced = await server.post()
    await world.link(BEN, "ben")
    await server.read(await server.press(announced, "Save", BEN))
    asked = await server.press(announced, "Save", CHLOE)
    assert "Link your Spotify account once" in await server.read(asked)
    await world.link(CHLOE, "chloe")
    world.bot.library.linked(MemberId(CHLOE))
    await server.until(lambda: bool(world.saved("chloe")))
    # pressed again, it is in her library already
    await server.read(await server.press(announced, "Save", CHLOE))
    await server.to_club_hour()
    await server.until(lambda: any("what you thought of" in "\n".join(texts(post)) for post in server.posts))
    (summary,) = [text for post in server.posts if "what you thought of" in (text := "\n".join(texts(post)))]
    assert "2 members saved it with the button of its card." in summary


async def test_a_skipped_vote_sends_nobody_to_a_result_that_never_comes(world: World) -> None:
    server = Server(world)
    await server.start()
    await server.nominate(0, ADA)
    await server.nominate(1, BEN)
    await server.to_vote()
    await server.until(lambda: len(server.posts) == 2)
    await server.ordered("skip")
    await server.until(lambda: "skipped" in "\n".join(texts(server.posts[1])))
    assert "/club result" not in "\n".join(texts(server.posts[1]))
    assert "This round is skipped." in await server.said("nominations")


async def test_with_approval_ones_own_nomination_needs_another_album_beside_it(world: World) -> None:
    server = Server(world)
    await server.start()
    assert "from now on" in await settings(server, "counting", method=["approval"], scale=["halves"])
    assert "from now on" in await settings(server, "rules", own=["no"])
    await server.nominate(0, ADA)
    await server.nominate(1, BEN)
    await server.to_vote()
    await server.until(lambda: len(server.posts) == 2)

    async def approve(*albums: int) -> str:
        opened = await server.club("vote", ADA)
        await server.until(lambda: opened.callback is not None)
        chosen = [server.albums[album] for album in albums]
        return await server.read(await world.discord.submit(ADA, opened, {"approved": chosen}))

    assert "Choose another album, too." in await approve(0)
    assert "Your vote is in." in await approve(0, 1)


async def test_who_picks_and_how_to_join_stand_in_the_answer_of_now(world: World) -> None:
    server = Server(world)
    await server.start(pick="turns")
    assert f"<@{CURATOR}> picks the next album with </club pick" in await server.said("now")
    await server.said("leave", CURATOR)
    now = await server.said("now")
    assert "Nobody takes turns yet. Join with </club join" in now
    assert "Next club hour: <t:" in now


async def test_a_line_about_missed_club_hours_does_not_say_twice_that_the_bot_was_down(tmp_path: Path) -> None:
    async with made(tmp_path) as world:
        server = Server(world)
        async with world.running():
            await server.start()
            await server.quiet()
            hour = (await server.state()).club_hour_at
        world.ahead += hour + timedelta(days=16) - world.now()
        async with world.running():
            await server.quiet()
            (missed,) = [text for post in server.posts if "were skipped" in (text := "\n".join(texts(post)))]
    assert "This is late" not in missed
