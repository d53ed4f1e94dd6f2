"""A season of a club, on the wire, with members who never linked Spotify."""

from __future__ import annotations

import json

from tests.club.stage import CURATOR, Server
from tests.discord_wire import buttons, texts
from tests.world import ADA, BEN, CHLOE, World


async def test_a_preview_shows_three_rounds_and_nothing_starts_before_start(world: World) -> None:
    server = Server(world)
    preview = await server.curate(
        "new", name="Tuesdays", pick="vote", day="tuesday", time="8pm", timezone="Europe/Berlin"
    )
    text = await server.read(preview)
    assert text.count("Album announced") == 3
    assert [button["label"] for button in buttons(preview.history[-1])] == ["Start", "Change", "Cancel"]
    assert server.posts == []
    cancelled = await server.press(preview.history[-1], "Cancel", CURATOR)
    assert "No club was started" in await server.read(cancelled)


async def test_a_round_from_the_call_to_the_summary(world: World) -> None:
    server = Server(world)
    call = await server.start()
    assert "Nominations are open" in texts(call)[1]
    assert "You nominated this album for round 1" in await server.nominate(0, ADA, note="Side two.")
    assert "already nominated" in await server.nominate(0, BEN)
    await server.nominate(1, BEN)
    assert "nominated by you" in await server.said("nominations")

    await server.to_vote()
    vote = await server.post()
    assert "Voting is open until" in texts(vote)[1]
    assert [button["label"] for button in buttons(vote)] == ["Vote"]
    assert "Only you can see it" in await server.vote(ADA, 0, 1)
    await server.vote(BEN, 1)
    await server.vote(CHLOE, 0)
    await server.vote(BEN, 0, 1)

    await server.to_club_hour()
    announced = await server.post()
    text = "\n".join(texts(announced))
    assert "chosen by vote, with 3 ballots" in text
    assert f"<@{ADA}>" in text
    assert [button["label"] for button in buttons(announced)] == ["Save", "Rate", "Open in Spotify"]
    assert json.dumps(announced["components"]).count("open.spotify.com") == 2
    assert "Nominations are open" in await server.says()
    await server.quiet()
    assert list(world.discord.threads) == [announced["id"]]
    (note,) = world.discord.channel_messages[int(announced["id"])]
    assert "Side two." in texts(note)[0]
    assert "Voting is over" in "\n".join(texts(world.discord.messages[vote["id"]]))

    result = await server.said("result")
    assert "Counted by ranked choice" in result
    assert "more than half" in result
    assert "You gave" in await server.rate(ADA, "4.5", review="A *quiet* one @everyone")
    await server.rate(BEN, "3")
    await server.to_club_hour()
    summary = await server.says()
    assert "**3.75** of 5 on average, from 2 ratings" in summary
    assert "a member: A \\*quiet\\* one @\u200beveryone" in summary
    assert "skipped" in await server.says()
    assert "Nominations are open" in await server.says()
    assert "3.75 of 5" in await server.said("history")
    assert "3.75" in await server.said("standings")
