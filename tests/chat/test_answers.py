"""Who sees an answer, what is told and when, and what a member finds after it: on the wire, in both directions."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from bot.accounts.linking import LinkNews
from bot.caller import MemberId
from bot.chat.saving import LINK_FIRST
from bot.errors import AccountTaken, InternalError, LinkDeclined, NotAllowlisted, UserError, WrongDiscordAccount
from bot.sandbox.catalogue import synthetic
from bot.sandbox.faults import FAULTS
from tests.chat.reading import PRIVATE, labels, press, said, text, until, until_said
from tests.discord_wire import WireInteraction, WireRequest, buttons
from tests.world import ADA, FIRST, SECOND, World, made

WRITE = "/v1/me/albums"
CONTAINS = "/v1/me/albums/contains"
NAMES = "/v1/albums/*"
FIRST_TITLE, SECOND_TITLE = "Slow Harbour", "Attic Weather"
TOO_LATE: dict[str, Any] = {"status": 404, "json": {"code": 10062, "message": "Unknown interaction"}}


async def lose(world: World, albums: str) -> WireInteraction:
    """A `/save` whose answer does not arrive."""
    world.discord.fault("POST", "/interactions/*", **TOO_LATE)
    return await world.save(albums)


async def untold(world: World, albums: str) -> None:
    """A `/save` of which the member cannot be told: the answer is too late, and direct messages are closed."""
    asked = [request.path for request in world.discord.requests].count("/users/@me/channels")
    world.discord.refuses_direct_messages.add(ADA)
    await lose(world, albums)
    await until(lambda: [request.path for request in world.discord.requests].count("/users/@me/channels") > asked)
    await world.idle()


async def break_the_reminder(world: World) -> None:
    """Let the next answer of Ada's break where it looks for a reminder that it must carry."""
    database, links = world.bot.storage.database, world.bot.storage.links
    await database.write(lambda c: links.reminder_refused(c, ADA))
    await database.write(
        lambda c: c.execute("CREATE TRIGGER broken BEFORE UPDATE ON links BEGIN SELECT RAISE(ABORT, 'broken'); END")
    )


async def kept_requests(world: World) -> int:
    """How many requests of Ada's are on the disk."""
    return await world.bot.storage.database.read(
        lambda c: c.execute("SELECT count(*) FROM change_requests WHERE member_id = ?", (ADA,)).fetchone()[0]
    )


async def offered(world: World) -> list[str]:
    """What `/unsave` offers to Ada before she types."""
    typed = await world.discord.autocomplete(ADA, "unsave", "albums", "")
    await typed.answered()
    return [choice["value"] for choice in typed.choices]


# -- only the member sees it


async def test_an_answer_that_was_announced_first_is_seen_by_the_member_alone(world: World) -> None:
    await world.link(ADA)
    world.spotify.fault(path=WRITE, method="PUT", delay_s=1.8)
    interaction = await world.save(FIRST)
    announced = await interaction.answered(8.0)
    assert announced["type"] == 5
    assert announced["data"]["flags"] & PRIVATE
    await until_said(interaction, "Saved")
    assert interaction.history[-1]["flags"] & PRIVATE


async def test_every_page_of_a_long_answer_is_seen_by_the_member_alone(world: World) -> None:
    await world.link(ADA)
    interaction = await world.save(" ".join(f"{number:022d}" for number in range(100)))
    await until_said(interaction, "100 could not be found")
    await interaction.followup(8.0)
    await world.idle()
    assert all(message["flags"] & PRIVATE for message in [interaction.history[-1], *interaction.followups])


async def test_of_a_long_answer_that_breaks_off_the_rest_follows_and_nothing_comes_twice(world: World) -> None:
    await world.link(ADA)
    world.discord.fault("POST", "/webhooks/*", **TOO_LATE)
    interaction = await world.save(" ".join(f"{number:022d}" for number in range(100)))
    await interaction.followup(60.0)
    await world.idle()
    pages = [text(interaction.history[-1]), *map(text, interaction.followups)]
    assert len(set(pages)) == len(pages)
    assert all(any(f"{number:022d}" in page for page in pages) for number in range(100))
    assert world.discord.direct_messages == {}


async def test_of_a_long_answer_with_notes_that_breaks_off_nothing_is_left_out(world: World) -> None:
    await world.link(ADA)
    for album in synthetic(12, seed="notes"):
        world.spotify.catalogue.add([album])
        await said(await world.save(album.id))
    await world.idle()
    database = world.bot.storage.database
    await database.write(lambda c: c.execute("UPDATE change_requests SET told = 'refused'"))
    world.discord.fault("POST", "/webhooks/*", **TOO_LATE)
    interaction = await world.save(" ".join(f"{number:022d}" for number in range(100)))
    await interaction.followup(60.0)
    await world.idle()
    pages = [text(interaction.history[-1]), *map(text, interaction.followups)]
    assert "Finished since your last command" in pages[0]
    for number in range(100):
        assert sum(f"{number:022d}" in page for page in pages) == 1, number


async def test_a_warning_of_a_stranger_at_a_link_is_seen_by_its_owner_alone(world: World) -> None:
    link = await world.discord.slash(ADA, "link")
    await said(link)
    await world.bot.linking.tell(LinkNews(MemberId(ADA), link.token, WrongDiscordAccount()))
    warning = await link.followup(8.0)
    assert "opened by somebody" in text(warning)
    assert warning["flags"] & PRIVATE


@pytest.mark.parametrize("why", [LinkDeclined("spotify"), AccountTaken(), NotAllowlisted(), InternalError("a1b2c3")])
async def test_where_nothing_was_linked_the_card_says_what_still_waits_and_leads_to_the_link(
    world: World, why: UserError
) -> None:
    saving = await world.save(f"{FIRST} {SECOND}")
    await said(saving)
    await world.bot.linking.tell(LinkNews(MemberId(ADA), saving.token, why))
    assert "Your 2 albums are queued until then." in await until_said(saving, "until then")
    assert labels(saving.history[-1]) == ["Link Spotify"]
    again = await press(world, saving, "Link Spotify")
    assert "two permissions" in await said(again)


async def test_where_nothing_was_linked_and_nothing_waits_nothing_is_said_of_a_queue(world: World) -> None:
    link = await world.discord.slash(ADA, "link")
    await said(link)
    await world.bot.linking.tell(LinkNews(MemberId(ADA), link.token, LinkDeclined("spotify")))
    assert "queued" not in await until_said(link, "You declined at Spotify")


async def test_a_renewal_that_failed_does_not_say_that_the_queue_waits_for_it(world: World) -> None:
    await world.link(ADA)
    link = await world.discord.slash(ADA, "link")
    await said(link)
    world.spotify.fault(path="/v1/me/albums", times=None, **FAULTS["unavailable"])
    await until_said(await world.save(FIRST), "queued")
    await world.bot.linking.tell(LinkNews(MemberId(ADA), link.token, LinkDeclined("spotify")))
    assert "until then" not in await until_said(link, "You declined at Spotify")


# -- told once, and not before it was told


async def test_what_was_to_be_told_with_an_answer_that_did_not_arrive_is_told_with_the_next(world: World) -> None:
    await world.link(ADA)
    await untold(world, FIRST)
    await untold(world, SECOND)  # would have told of the first
    answer = await said(await world.unsave(FIRST))
    assert "Finished since your last command" in answer
    assert f"Saved **{FIRST_TITLE}**" in answer
    assert f"Saved **{SECOND_TITLE}**" in answer


async def test_what_an_answer_took_from_the_outbox_and_did_not_tell_is_sent_all_the_same(world: World) -> None:
    await world.link(ADA)
    world.discord.fault("POST", "/users/@me/channels", status=403, json={"code": 40003, "message": "too fast"})
    await lose(world, FIRST)
    await until(lambda: any(request.path == "/users/@me/channels" for request in world.discord.requests))
    await until(lambda: world.bot.delivery.is_idle)
    await lose(world, SECOND)  # would have told of the first, whose direct message waits for another try
    await until(lambda: len(world.discord.direct_messages.get(ADA, [])) == 2)
    told = [text(message) for message in world.discord.direct_messages[ADA]]
    assert sum(FIRST_TITLE in each for each in told) == 1
    assert sum(SECOND_TITLE in each for each in told) == 1
    await world.idle()
    assert "Finished since" not in await said(await world.unsave(SECOND))


async def test_what_is_being_told_directly_is_not_told_by_the_next_answer_too(world: World) -> None:
    await world.link(ADA)
    world.discord.fault("POST", "/channels/*/messages", delay_s=1.0)
    await lose(world, FIRST)
    await until(lambda: any(request.path.startswith("/channels/") for request in world.discord.requests))
    assert "Finished since" not in await said(await world.save(SECOND))
    assert FIRST_TITLE in text(await world.discord.direct_message(ADA, 8.0))
    await world.idle()
    assert len(world.discord.direct_messages[ADA]) == 1


async def test_what_ends_after_the_interactions_token_died_is_told_directly_and_the_token_is_not_tried(
    world: World,
) -> None:
    await world.link(ADA)
    world.spotify.fault(path=WRITE, method="PUT", times=None, **FAULTS["unavailable"])
    await until_said(await world.save(FIRST), "queued")
    await world.bot.storage.database.write(
        lambda c: c.execute("UPDATE change_requests SET created_at = created_at - 900")
    )
    before = len(world.discord.requests)
    world.spotify.clear_faults()
    world.bot.library.wake(MemberId(ADA))
    assert "Saved" in text(await world.discord.direct_message(ADA, 8.0))
    await world.idle()
    assert [r.path for r in world.discord.requests[before:] if r.path.startswith("/webhooks/")] == []


async def test_of_two_answers_at_once_one_tells_what_could_not_be_told_before(world: World) -> None:
    await world.link(ADA)
    await untold(world, FIRST)
    others = synthetic(3, seed="at once")
    world.spotify.catalogue.add(others)
    world.discord.fault("POST", "/interactions/*", delay_s=0.3, times=2)
    given = [await world.save(album.id) for album in others[:2]]
    answers = [await said(each) for each in given]
    assert sum("Finished since your last command" in answer for answer in answers) == 1
    await world.idle()
    assert "Finished since" not in await said(await world.save(others[2].id))


async def test_an_answer_that_told_of_an_earlier_change_tells_it_once_although_the_disk_is_full(world: World) -> None:
    await world.link(ADA)
    await untold(world, FIRST)
    database = world.bot.storage.database

    async def takes_writes(yes: bool) -> None:
        await database.read(lambda c: c.execute(f"PRAGMA query_only = {int(not yes)}").fetchall())

    async def fill(request: WireRequest, stage: str) -> bool:
        if stage == "after" and request.path.startswith("/interactions/"):
            world.discord.on_request = None
            await takes_writes(False)
        return False

    world.discord.on_request = fill
    interaction = await world.save(SECOND)
    assert "Finished since your last command" in await said(interaction)
    await until(lambda: not world.bot.reply.open)
    assert len(interaction.history) + len(interaction.followups) == 1  # no error card
    await takes_writes(True)
    await until(lambda: world.bot.library.is_idle)  # what was told is noted late
    assert "Finished since" not in await said(await world.unsave(SECOND))


async def test_a_reminder_that_was_to_come_with_an_answer_that_did_not_arrive_comes_with_the_next(world: World) -> None:
    await world.link(ADA)
    database, links = world.bot.storage.database, world.bot.storage.links
    await database.write(lambda c: links.reminder_refused(c, ADA))
    await lose(world, FIRST)
    await world.discord.direct_message(ADA, 8.0)
    await world.idle()
    assert "renews it" in await said(await world.save(SECOND))
    assert "renews it" not in await said(await world.unsave(SECOND))


async def test_an_error_card_counts_as_telling_nothing(world: World) -> None:
    await world.link(ADA)
    await untold(world, FIRST)
    # the answer to the next command breaks while it is drawn: after what is untold was read
    await break_the_reminder(world)
    interaction = await world.save(SECOND)
    assert "Something broke" in await said(interaction)
    assert SECOND_TITLE in await until_said(interaction, "Saved to your library.")
    await world.idle()
    answer = await said(await world.unsave(SECOND))
    assert "Finished since your last command" in answer
    assert f"Saved **{FIRST_TITLE}**" in answer


# -- a write that nothing proved


async def unproven(world: World, album: str) -> WireInteraction:
    """A `/save` that Spotify took, whose album could be looked up neither by name nor a second time in the library."""
    await world.link(ADA)
    world.spotify.fault(path=NAMES, times=None, **FAULTS["unavailable"])
    world.spotify.fault(path=CONTAINS)  # the first look into the library is answered
    world.spotify.fault(path=CONTAINS, times=None, **FAULTS["unavailable"])
    interaction = await world.save(album)
    assert "queued" in await said(interaction)
    assert ("PUT", WRITE) in world.calls()
    world.spotify.clear_faults()
    world.bot.library.wake(MemberId(ADA))
    return interaction


async def test_an_id_of_no_album_is_not_told_as_saved_while_nothing_proves_it(world: World) -> None:
    interaction = await unproven(world, "0" * 22)
    assert "has no album" in await until_said(interaction, "0" * 22)


async def test_an_album_that_is_proven_late_is_told_as_saved_and_can_be_undone(world: World) -> None:
    interaction = await unproven(world, FIRST)
    assert FIRST_TITLE in await until_said(interaction, "Saved to your library.")
    assert "Undo" in labels(interaction.history[-1])


async def test_a_look_up_of_a_name_that_hangs_costs_the_name_and_not_the_write(world: World) -> None:
    await world.link(ADA)
    world.spotify.fault(path=NAMES, times=None, **FAULTS["hang"])
    interaction = await world.save(FIRST)
    await until(lambda: ("GET", f"/v1/albums/{FIRST}") in world.calls())
    await until(lambda: ("PUT", WRITE) in world.calls())  # the look-up would be given up after 10 s only
    assert "Saved" in await until_said(interaction, "library")


# -- a card is edited when its state changes


async def test_undo_and_its_outcome_are_told_on_the_card_itself_also_when_spotify_is_down(world: World) -> None:
    await world.link(ADA)
    saving = await world.save(FIRST)
    card = (await saving.message(8.0))["id"]
    await world.idle()
    world.spotify.fault(path=WRITE, method="DELETE", times=None, **FAULTS["unavailable"])
    undo = await press(world, saving, "Undo")
    assert "queued" in await said(undo)
    assert labels(undo.history[-1]) == []
    world.spotify.clear_faults()
    world.bot.library.wake(MemberId(ADA))
    assert "Undone: removed from your library again." in await until_said(undo, "Undone")
    await world.idle()
    assert {message["id"] for message in world.discord.messages.values()} == {card}
    assert "Undo" not in labels(world.discord.messages[card])
    assert world.discord.direct_messages == {}


async def test_a_card_that_was_undone_is_not_set_back_by_an_edit_that_is_tried_again(world: World) -> None:
    await world.link(ADA)
    world.spotify.fault(path=WRITE, method="PUT", times=None, **FAULTS["unavailable"])
    saving = await world.save(FIRST)
    await until_said(saving, "queued")
    # the edit arrives, and its answer is lost: it is tried again after the member has pressed Undo
    world.discord.fault("PATCH", "/webhooks/*", status=0, applied=True)
    world.spotify.clear_faults()
    world.bot.library.wake(MemberId(ADA))
    await until_said(saving, "Saved to your library.")
    assert "Undone" in await said(await press(world, saving, "Undo"))
    await world.idle()
    [message] = world.discord.messages.values()
    assert "Undone" in text(message)
    assert "Saved to your library." not in text(message)
    assert world.discord.direct_messages == {}


async def test_an_undo_that_was_used_is_answered_beside_the_card(world: World) -> None:
    await world.link(ADA)
    saving = await world.save(FIRST)
    message = await saving.message(8.0)
    await world.idle()
    undo = next(button["custom_id"] for button in buttons(message))
    assert "Undone" in await said(await world.discord.press(ADA, undo, message))
    again = await world.discord.press(ADA, undo, message)
    assert await said(again) == "Already undone."
    assert again.history[-1]["id"] != message["id"]
    assert again.history[-1]["flags"] & PRIVATE
    assert "Undone" in text(world.discord.messages[message["id"]])


async def test_cancel_leads_back_to_the_account_and_unlinks_nothing(world: World) -> None:
    await world.link(ADA)
    asked = await world.discord.slash(ADA, "unlink")
    assert "Unlink **Ada**?" in await said(asked)
    assert labels(asked.history[-1]) == ["Unlink", "Cancel"]
    cancelled = await press(world, asked, "Cancel")
    assert "You are linked as **Ada**" in await said(cancelled)
    assert cancelled.history[-1]["id"] == asked.history[-1]["id"]
    assert await world.bot.tokens.account(MemberId(ADA)) is not None


async def test_the_account_card_leads_to_the_link_with_what_is_asked_for(world: World) -> None:
    account = await world.discord.slash(ADA, "account")
    assert "two permissions" not in await said(account)
    link = await press(world, account, "Link Spotify")
    assert "two permissions" in await said(link)
    assert link.history[-1]["id"] == account.history[-1]["id"]
    assert buttons(link.history[-1])[0]["url"].startswith(f"{world.settings.public_url}/link/")


# -- while somebody types


@pytest.mark.parametrize("command", ["save", "unsave"])
async def test_whoever_has_to_link_first_is_told_so_while_typing_and_loses_nothing(
    tmp_path: Path, command: str
) -> None:
    async with made(tmp_path, spotify_client_secret="") as world, world.running():  # no access without a member
        typed = await world.discord.autocomplete(ADA, command, "albums", "slow harbour")
        await typed.answered()
        (hint,) = typed.choices
        assert hint["name"] == "Link your Spotify account first: /link"
        picked = await world.discord.slash(ADA, command, {"albums": hint["value"]})
        assert "Link your Spotify account once" in await said(picked)
        (change,) = await world.bot.library.pending(MemberId(ADA))
        assert change.reference == "slow harbour"


async def test_whoever_has_to_link_first_is_told_so_before_they_type(world: World) -> None:
    opened = await world.discord.autocomplete(ADA, "unsave", "albums", "")
    await opened.answered()
    (hint,) = opened.choices
    assert hint["name"] == "Link your Spotify account first: /link"
    picked = await world.discord.slash(ADA, "unsave", {"albums": hint["value"]})
    assert "links yours in a minute" in await said(picked)
    assert not await world.bot.library.pending(MemberId(ADA))


# -- many albums


async def test_many_albums_that_take_long_show_how_far_they_are(world: World) -> None:
    await world.link(ADA)
    albums = synthetic(100)
    world.spotify.catalogue.add(albums)
    world.spotify.fault(path=CONTAINS, times=None, delay_s=1.1)
    saving = await world.save(" ".join(album.id for album in albums))
    answer = await until_said(saving, "Saved 100 albums.")
    shown = [text(message) for message in saving.history]
    progress = [said for said in shown if "Saving albums." in said]
    assert progress
    assert all("▰" in said and " of 100 · about " in said for said in progress)
    assert answer.splitlines()[-1] == "-# [on Spotify](https://open.spotify.com/)"
    assert "Undo" in labels(saving.history[-1])


# -- what is left after unlinking


async def test_unlink_without_a_link_deletes_what_was_asked_for_all_the_same(world: World) -> None:
    await said(await world.save(f"https://open.spotify.com/playlist/{FIRST}"))
    await world.idle()
    assert await kept_requests(world) == 1
    assert "No Spotify account is linked" in await said(await world.discord.slash(ADA, "unlink"))
    assert await kept_requests(world) == 0


async def test_the_albums_of_a_member_who_unlinked_are_not_offered_any_more(world: World) -> None:
    await world.link(ADA)
    world.spotify.save(world.spotify.accounts["ada"], FIRST)
    assert await offered(world) == [f"spotify:album:{FIRST}"]
    asked = await world.discord.slash(ADA, "unlink")
    await said(asked)
    await said(await press(world, asked, "Unlink"))
    assert await offered(world) == [LINK_FIRST]


# -- accounts


async def test_account_says_that_the_consent_ends_182_days_after_it_was_given(world: World) -> None:
    await world.link(ADA, age=timedelta(days=100))
    account = await world.bot.tokens.account(MemberId(ADA))
    assert account is not None
    ends = int((account.consented_at + timedelta(days=182)).timestamp())
    assert f"Yours ends <t:{ends}:R>" in await said(await world.discord.slash(ADA, "account"))


async def test_an_account_whose_consent_ended_can_still_be_unlinked(world: World) -> None:
    await world.link(ADA)
    world.spotify.expire_access_tokens()
    world.spotify.revoke_consent("ada")
    await said(await world.save(FIRST))
    account = await world.discord.slash(ADA, "account")
    assert "no longer connected" in await said(account)
    assert "Unlink" in labels(account.history[-1])


@pytest.mark.parametrize(("command", "options"), [("link", {}), ("save", {"albums": FIRST})])
async def test_nothing_new_is_begun_while_the_bot_stops(world: World, command: str, options: dict[str, str]) -> None:
    world.bot.reply.is_stopping = True
    interaction = await world.discord.slash(ADA, command, options)
    assert "I am restarting" in await said(interaction)
    assert labels(interaction.history[-1]) == []
    assert await kept_requests(world) == 0


# -- what is below an answer


async def test_the_answer_to_an_undo_has_no_undo(world: World) -> None:
    await world.link(ADA)
    saving = await world.save(FIRST)
    assert "Saved" in await said(saving)
    undo = await press(world, saving, "Undo")
    assert "Undone: removed from your library again." in await said(undo)
    assert "Undo" not in labels(undo.history[-1])


@pytest.mark.parametrize("count", [2, 12])
async def test_an_answer_with_several_albums_says_where_their_names_are_from(world: World, count: int) -> None:
    await world.link(ADA)
    message = await (await world.save(" ".join([*world.spotify.catalogue.albums][:count]))).message(8.0)
    assert text(message).splitlines()[-1] == "-# [on Spotify](https://open.spotify.com/)"
