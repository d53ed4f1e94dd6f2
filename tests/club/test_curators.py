"""What curators do, in chat, without having read the documentation."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta
from typing import Any

import pytest

from bot.caller import MemberId
from bot.curation import turns
from bot.curation.ballots import Method
from bot.curation.club import Pick, State
from tests.club.stage import CHANNEL, CURATOR, ONE, Server
from tests.club.test_robustness import to_listening
from tests.discord_wire import WireInteraction, buttons, flatten, texts
from tests.world import ADA, BEN, CHLOE, World


async def changed(server: Server, topic: str, values: Mapping[str, str | Sequence[str]]) -> str:
    """Open the panel, choose a topic, fill in its form, and read the panel."""
    world = server.world
    panel = await server.curate("settings")
    message = await panel.message(8.0)
    menu = next(part for part in flatten(message["components"]) if part["type"] == 3)
    opened: WireInteraction = await world.discord.press(CURATOR, menu["custom_id"], message, values=[topic])
    await server.until(lambda: opened.callback is not None)
    form = (opened.callback or {})["data"]["components"]
    filled: dict[str, Any] = {}
    for label in form:
        part = label["component"]
        chosen = [option["value"] for option in part.get("options", ()) if option.get("default")]
        filled[part["custom_id"]] = part.get("value", "") if part["type"] == 4 else chosen
    submitted = await world.discord.submit(CURATOR, opened, filled | dict(values))
    return await server.read(submitted)


@pytest.mark.parametrize(
    ("options", "says"),
    [
        ({"time": "25:00"}, "as a time of day"),
        ({"time": "8pm", "timezone": "Europe/Nowhere"}, "don't know the timezone"),
    ],
)
async def test_a_time_that_cannot_be_read_is_explained(world: World, options: dict[str, str], says: str) -> None:
    server = Server(world)
    said = await server.ordered("new", **{"name": "C", "pick": "vote", "day": "monday", "time": "20:00"} | options)
    assert says in said


async def test_missing_permissions_are_named_before_a_club_starts(world: World) -> None:
    server = Server(world)
    world.discord.app_permissions = str(1 << 10)  # View Channel alone
    said = await server.ordered("new", name="C", pick="vote", day="monday", time="20:00")
    assert "Send Messages" in said
    assert "View Channel" not in said


async def test_the_preview_can_be_changed_before_the_start(world: World) -> None:
    server = Server(world)
    preview = await server.curate("new", name="C", pick="vote", day="monday", time="20:00")
    await preview.message(8.0)
    opened = await server.press(preview.history[-1], "Change", CURATOR)
    await server.until(lambda: opened.callback is not None)
    values = {"name": "Evenings", "day": ["sunday"], "time": "21:30", "timezone": "Asia/Tokyo", "rhythm": ["monthly"]}
    submitted = await world.discord.submit(CURATOR, opened, values)
    assert "Evenings" in await server.read(submitted)
    started = await server.press(submitted.history[-1], "Start", CURATOR)
    assert "has started" in await server.read(started)
    stored = await server.stored()
    assert (stored.name, stored.club.calendar.timezone, stored.club.calendar.anchor.weekday()) == (
        "Evenings",
        "Asia/Tokyo",
        6,
    )


async def test_settings_are_changed_in_forms_and_say_from_when_they_apply(world: World) -> None:
    server = Server(world)
    await server.start()
    said = await changed(server, "rounds", {"days": "2", "most": ["2"], "sealed": ["yes"]})
    assert "Changed, from now on." in said
    club = await server.state()
    assert (club.settings.voting_days, club.settings.nominations_per_member, club.coming.sealed) == (2, 2, True)
    await server.nominate(0, ADA)
    said = await changed(server, "rounds", {"pick": ["turns"]})
    assert "changes with the next call" in said
    assert (await server.state()).coming.pick is Pick.VOTE
    assert "approval" in await changed(server, "counting", {"method": ["approval"], "scale": ["ten"]})
    assert (await server.state()).settings.method is Method.APPROVAL
    said = await changed(server, "rules", {"past": "2", "own": ["no"], "from": "1970", "until": "1980"})
    assert "1970 to 1980" in said
    assert "must not be after" in await changed(server, "rules", {"from": "1990", "until": "1980"})
    assert "not a whole number" in await changed(server, "rules", {"past": "many"})
    said = await changed(server, "posts", {"role": ["700"], "thread": ["no"]})
    assert "<@&700>" in said
    club = await server.state()
    assert (club.settings.ping_role_id, club.settings.thread) == (700, False)
    assert "Thursday" in await changed(server, "clock", {"day": ["thursday"], "time": "18.15"})
    assert "is the stand-in now" in await changed(server, "stand-in", {"album": server.albums[5]})


async def test_a_step_that_cannot_be_ended_now_is_not_asked_about(world: World) -> None:
    server = Server(world)
    await server.start()
    await server.ordered("pause")
    assert "The club is paused" in await server.ordered("next")
    await server.ordered("resume")
    await server.ordered("skip")
    assert "calls for the next one" in await server.ordered("next")


async def test_a_club_that_is_not_there_is_named_with_those_that_are(world: World) -> None:
    server = Server(world)
    await server.start()
    said = await server.said("now", club="@everyone **Jazz**")
    assert "There is no club “@\u200beveryone \\*\\*Jazz\\*\\*” here. The clubs of this server: The Club." in said


async def test_the_role_to_ping_is_the_only_one_that_a_post_may_ping(world: World) -> None:
    server = Server(world)
    await server.start()
    await changed(server, "posts", {"role": ["700"]})
    await server.to_club_hour()
    await server.post()
    call = "\n".join(texts(await server.post()))
    assert "<@&700>" in call
    bodies = [request.body for request in world.discord.requests if request.path == f"/channels/{CHANNEL}/messages"]
    assert [body["allowed_mentions"].get("roles") for body in bodies][-1] == ["700"]
    assert not any(body["allowed_mentions"].get("parse") for body in bodies)


async def test_a_discord_event_follows_the_club_hour_and_goes_when_it_is_turned_off(world: World) -> None:
    server = Server(world)
    await server.start()
    await changed(server, "posts", {"event": ["yes"]})
    events = world.discord.scheduled_events
    await server.until(lambda: len(events) == 1)
    (event,) = events.values()
    assert datetime.fromisoformat(event["scheduled_start_time"]) == (await server.state()).club_hour_at
    await server.ordered("extend", days=3)
    hour = (await server.state()).club_hour_at
    await server.until(lambda: datetime.fromisoformat(event["scheduled_start_time"]) == hour)
    assert len(events) == 1
    await changed(server, "posts", {"event": ["no"]})
    await server.until(lambda: not events)


async def test_a_discord_event_moves_with_its_club_to_another_channel(world: World) -> None:
    server = Server(world)
    await server.start()
    await changed(server, "posts", {"event": ["yes"]})
    events = world.discord.scheduled_events
    await server.until(lambda: len(events) == 1)
    panel = await world.discord.slash(CURATOR, "curate settings", {}, channel_id=CHANNEL + 1)
    await panel.message(8.0)
    await server.press(panel.history[-1], "Move the club here", CURATOR)

    def places() -> list[str]:
        return [event["entity_metadata"]["location"].rpartition("/")[2] for event in events.values()]

    await server.until(lambda: places() == [str(CHANNEL + 1)])
    await server.ordered("extend", days=1)
    await server.quiet()
    assert places() == [str(CHANNEL + 1)]


async def test_an_event_that_was_made_unheard_is_made_once(world: World) -> None:
    server = Server(world)
    await server.start()
    world.discord.fault("POST", "/guilds/*/scheduled-events", status=0, applied=True)
    await changed(server, "posts", {"event": ["yes"]})
    await server.until(lambda: len(world.discord.scheduled_events) == 1)
    world.ahead += timedelta(minutes=2)
    await server.quiet()
    assert len(world.discord.scheduled_events) == 1


async def test_an_event_that_may_not_be_made_is_told_once(world: World) -> None:
    server = Server(world)
    await server.start()
    refused = {"code": 50013, "message": "Missing Permissions"}
    world.discord.fault("POST", "/guilds/*/scheduled-events", status=403, json=refused, times=9)
    await changed(server, "posts", {"event": ["yes"]})
    assert "Create Events" in "\n".join(texts(await world.discord.direct_message(CURATOR, 8.0)))
    await server.ordered("extend", days=1)
    await server.quiet()
    assert len(world.discord.direct_messages[CURATOR]) == 1


async def test_a_veto_removes_the_nomination_and_tells_whose_it_was(world: World) -> None:
    server = Server(world)
    await server.start()
    await server.nominate(0, ADA)
    assert "kept out of this club" in await server.ordered("veto", album=server.albums[0])
    assert "can no longer be chosen" in "\n".join(texts(await world.discord.direct_message(ADA, 8.0)))
    assert "keeps" in await server.nominate(0, BEN)


async def test_two_clubs_of_a_server_cannot_have_the_same_name(world: World) -> None:
    server = Server(world)
    options = {"pick": "vote", "day": "tuesday", "time": "20:00"}
    early = await server.curate("new", name="tuesday club", **options)
    await early.message(8.0)
    await server.start(name="Tuesday Club")
    assert "There is a club with this name already" in await server.ordered("new", name="TUESDAY  club", **options)
    refused = await server.press(early.history[-1], "Start", CURATOR)
    assert "There is a club with this name already" in await server.read(refused)
    form = await server.press(refused.history[-1], "Change", CURATOR)
    await server.until(lambda: form.callback is not None)
    changed = await world.discord.submit(
        CURATOR, form, {"name": "Friday Club", "day": ["friday"], "rhythm": ["weekly"]}
    )
    assert "Friday Club" in await server.read(changed)
    started = await server.press(changed.history[-1], "Start", CURATOR)
    assert "has started" in await server.read(started)


async def test_a_veto_can_be_taken_back(world: World) -> None:
    server = Server(world)
    await server.start()
    vetoed = await server.curate("veto", album=server.albums[0])
    assert "kept out of this club" in await server.read(vetoed)
    again = await server.curate("veto", album=server.albums[0])
    assert "already kept out" in await server.read(again)
    assert "can be chosen in this club again" in await server.read(
        await server.press(again.history[-1], "Allow it again", CURATOR)
    )
    assert "That is already so" in await server.read(await server.press(vetoed.history[-1], "Allow it again", CURATOR))
    assert "You nominated this album" in await server.nominate(0, BEN)
    log = await server.ordered("log")
    assert log.index("allowed **") < log.index("kept out **")


async def test_only_a_curator_takes_a_veto_back(world: World) -> None:
    server = Server(world)
    await server.start()
    vetoed = await server.curate("veto", album=server.albums[0])
    await vetoed.message()
    await server.press(vetoed.history[-1], "Allow it again", BEN)
    await server.quiet()
    assert (await server.state()).vetoed == (server.albums[0],)


async def test_a_curator_takes_a_member_who_left_out_of_the_order_and_the_next_one_is_told(world: World) -> None:
    server = Server(world)
    await server.start(pick="turns")
    await server.said("leave", CURATOR)
    for member in (ADA, BEN, CHLOE):
        await server.said("join", member)
    await server.skip_to((await server.state()).club_hour_at - timedelta(days=6))
    await world.discord.direct_message(ADA, 8.0)
    panel = await server.curate("settings")
    assert f"1. <@{ADA}>\n2. <@{BEN}>\n3. <@{CHLOE}>" in await server.read(panel)
    menus = [part for part in flatten(panel.history[-1]["components"]) if part["type"] == 3]
    taken = await world.discord.press(CURATOR, menus[1]["custom_id"], panel.history[-1], values=[str(ADA)])
    assert f"<@{ADA}> no longer takes turns" in await server.read(taken)
    assert (await server.state()).order == (BEN, CHLOE)
    assert "it is your turn" in "\n".join(texts(await world.discord.direct_message(BEN, 8.0)))
    assert "took a member out of the order" in await server.ordered("log")


async def test_every_place_of_a_long_order_can_be_reached_and_taken_out(world: World) -> None:
    server = Server(world)
    await server.start(pick="turns")
    await server.said("leave", CURATOR)
    members = [MemberId(400_000_000_000_000_000 + place) for place in range(60)]
    for member in members:
        await world.bot.clubs.apply(ONE, lambda c, now, facts, one=member: turns.join(now.club, one))
    assert "36 more members come after them." in await server.said("join", ADA)
    members = [*(await server.state()).order]

    panel = await server.curate("settings")
    said = await server.read(panel)
    assert f"25. <@{members[24]}>" in said
    assert "Places 1 to 25 of 61" in said
    second = await server.press(panel.history[-1], "Next", CURATOR)
    assert f"26. <@{members[25]}>" in await server.read(second)
    third = await server.press(second.history[-1], "Next", CURATOR)
    assert "Places 51 to 61 of 61" in await server.read(third)
    assert [one["label"] for one in buttons(third.history[-1]) if one["label"] in ("Back", "Next")] == ["Back"]
    (_, out) = [part for part in flatten(third.history[-1]["components"]) if part["type"] == 3]
    assert out["options"][0]["label"] == "Place 51"
    taken = await world.discord.press(CURATOR, out["custom_id"], third.history[-1], values=[str(members[-1])])
    said = await server.read(taken)
    assert f"<@{members[-1]}> no longer takes turns" in said
    assert "Places 51 to 60 of 60" in said
    back = await server.press(taken.history[-1], "Back", CURATOR)
    assert "Places 26 to 50 of 60" in await server.read(back)


async def test_a_curator_skips_pauses_resumes_extends_and_ends_a_step_and_the_log_tells(world: World) -> None:
    server = Server(world)
    await server.start()
    await server.nominate(0, ADA)
    await server.nominate(1, BEN)
    hour = (await server.state()).club_hour_at
    assert "Extended" in await server.ordered("extend", days=2)
    assert (await server.state()).club_hour_at == hour + timedelta(days=2)
    assert "paused" in await server.ordered("pause")
    await server.skip_to(hour + timedelta(days=1))
    await server.quiet()
    assert len(server.posts) == 1
    assert "goes on" in await server.ordered("resume")
    asked = await server.curate("next")
    assert "opens the vote now" in await server.read(asked)
    assert "Nothing was changed." in await server.read(await server.press(asked.history[-1], "Cancel", CURATOR))
    asked = await server.curate("next")
    await asked.message()
    assert "Done" in await server.read(await server.press(asked.history[-1], "End it now", CURATOR))
    assert (await server.state()).coming.state is State.VOTING
    again = await world.discord.press(CURATOR, _custom_id(asked), asked.history[0])
    assert "has moved on" in await server.read(again)
    assert "skipped" in await server.ordered("skip")
    assert "Theme of round 2" in await server.ordered("theme", text="Night")
    log = await server.ordered("log")
    for what in ("extended a step by 2 days", "paused", "let the club go on", "ended a step", "skipped", "theme"):
        assert what in log


async def test_a_theme_stands_in_its_call(world: World) -> None:
    server = Server(world)
    await server.start()
    await server.ordered("theme", text="Night *music*")
    await server.to_club_hour()
    await server.post()
    assert "Theme: **Night \\*music\\***" in await server.says()


@pytest.mark.parametrize("what", ["curate-next:1:1:nominating:0", "curate-move:{me}:1", "curate-start:{me}:1"])
async def test_whom_discord_has_not_let_use_a_curators_command_can_use_no_button_of_one(
    world: World, what: str
) -> None:
    server = Server(world)
    await server.start()
    before = await server.stored()
    forged = await world.discord.press(BEN, what.format(me=BEN), server.posts[0])
    assert "have expired" in await server.read(forged)
    assert await server.stored() == before


async def test_posts_follow_what_a_curator_changes(world: World) -> None:
    server = Server(world)
    call = await server.start()

    def shown(message: dict[str, Any]) -> str:
        return "\n".join(texts(world.discord.messages[message["id"]]))

    for album, member in enumerate((ADA, BEN, CHLOE)):
        await server.nominate(album, member)
    await server.ordered("theme", text="Rain", round=1)
    await server.until(lambda: "Theme: **Rain**" in shown(call))
    await server.ordered("extend", days=1)
    hour = int((await server.state()).club_hour_at.timestamp())
    await server.until(lambda: f"<t:{hour}" in shown(call))
    await server.to_vote()
    vote = await server.post()
    before = shown(vote)
    await server.ordered("veto", album=server.albums[2])
    await server.until(lambda: shown(vote).count("\n- ") == before.count("\n- ") - 1)


async def test_without_nominations_the_stand_in_is_taken(world: World) -> None:
    server = Server(world)
    await server.start()
    await changed(server, "stand-in", {"album": server.albums[5]})
    await server.to_club_hour()
    assert "the curator's stand-in" in await server.says()


async def test_an_album_is_drawn_from_the_crate_and_counted_there(world: World) -> None:
    server = Server(world)
    said = await server.read(await world.discord.slash(ADA, "crate add", {"album": server.albums[7]}))
    assert said
    await server.start(pick="crate")
    await server.to_club_hour()
    assert "Drawn from the crate, out of 1 album" in await server.says()
    picks = await world.bot.storage.database.read(lambda c: c.execute("SELECT picks FROM crate_entries").fetchone()[0])
    assert picks == 1


async def test_a_club_that_had_an_album_refuses_it_again_at_once(world: World) -> None:
    server = Server(world)
    await to_listening(server)
    assert "The club had" in await server.nominate(0, BEN)


def _custom_id(interaction: WireInteraction) -> str:
    parts = flatten(interaction.history[0]["components"])
    return next(str(part["custom_id"]) for part in parts if part.get("custom_id"))
