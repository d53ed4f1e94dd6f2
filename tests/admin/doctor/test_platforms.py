"""The checks at Discord and Spotify: each seen failing, against the stand-ins."""

from __future__ import annotations

import time
from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from bot.admin.doctor import CheckEnvironment
from bot.sandbox.faults import FAULTS
from bot.settings import Secret, read_key
from bot.storage import open_storage
from tests.admin.doctor.stage import FAILED, OK, SKIPPED, WARNING, Practice
from tests.world import KEY, SPOTIFY_ID, made

WRONG = Secret("wrong-secret-of-the-tests")


# -- Discord


async def test_a_refused_token_fails_and_what_only_it_could_tell_is_skipped(practice: Practice) -> None:
    found = await practice.found(discord_token=WRONG)
    assert found["discord-token"].verdict is FAILED
    assert "Reset Token" in found["discord-token"].to_do
    assert {found[name].verdict for name in ("discord-app", "discord-intents", "discord-redirect")} == {SKIPPED}
    assert found["discord-secret"].verdict is OK


async def test_a_token_of_another_app_fails(practice: Practice) -> None:
    app = await practice.one("discord-app", discord_client_id="1100000000000000009")
    assert app.verdict is FAILED
    assert str(practice.world.discord.application_id) in app.sentence


@pytest.mark.parametrize("flag", [1 << 13, 1 << 15, 1 << 18, 1 << 19])
async def test_a_privileged_intent_is_a_warning(practice: Practice, flag: int) -> None:
    practice.world.discord.flags = flag | 1 << 23
    assert (await practice.one("discord-intents")).verdict is WARNING


async def test_the_message_content_intent_and_the_setting_must_agree(practice: Practice) -> None:
    intents = await practice.one("discord-intents", message_content=True)
    assert intents.verdict is FAILED
    assert "MESSAGE_CONTENT=off" in intents.to_do
    practice.world.discord.flags = 1 << 19
    assert (await practice.one("discord-intents", message_content=True)).verdict is OK
    assert (await practice.one("discord-intents")).verdict is WARNING
    practice.world.discord.flags = 1 << 19 | 1 << 15
    assert (await practice.one("discord-intents", message_content=True)).verdict is WARNING


async def test_commands_in_one_server_only_are_a_warning_and_a_server_without_the_bot_fails(practice: Practice) -> None:
    assert (await practice.one("discord-server")).verdict is OK
    there = await practice.one("discord-server", dev_guild_id=practice.world.discord.GUILD)
    assert there.verdict is WARNING
    assert "in the server" in there.sentence
    elsewhere = await practice.one("discord-server", dev_guild_id=613425648685547599)
    assert elsewhere.verdict is FAILED
    assert "613425648685547599" in elsewhere.sentence


async def test_without_a_spotify_app_nothing_is_asked_of_spotify(practice: Practice) -> None:
    found = await practice.found(spotify_client_id="", spotify_client_secret=None)
    assert {result.verdict for name, result in found.items() if name.startswith("spotify-")} == {SKIPPED}
    assert practice.world.calls() == []


async def test_other_flags_of_an_app_are_no_intents(practice: Practice) -> None:
    practice.world.discord.flags = 1 << 23 | 1 << 6
    assert (await practice.one("discord-intents")).verdict is OK


async def test_an_interactions_endpoint_fails(practice: Practice) -> None:
    practice.world.discord.interactions_endpoint_url = "https://elsewhere.example.org/"
    assert (await practice.one("discord-commands")).verdict is FAILED


@pytest.mark.parametrize("registered", [[], ["{}/"], ["https://other.example.org/callback/discord"]])
async def test_a_redirect_that_is_not_registered_to_the_letter_fails(practice: Practice, registered: list[str]) -> None:
    ours = practice.world.settings.redirect_to_discord
    practice.world.discord.redirect_uris = [uri.format(ours) for uri in registered]
    redirect = await practice.one("discord-redirect")
    assert redirect.verdict is FAILED
    assert ours in redirect.sentence


async def test_an_install_link_without_the_bot_or_commands_or_for_servers_alone_is_a_warning(
    practice: Practice,
) -> None:
    installs = practice.world.discord.installs
    practice.world.discord.installs = {"0": installs["0"]}
    assert "their own account" in (await practice.one("discord-install")).sentence
    practice.world.discord.installs = {"0": installs["1"], "1": installs["1"]}
    assert (await practice.one("discord-install")).verdict is WARNING
    practice.world.discord.installs = {"0": {"oauth2_install_params": {"scopes": ["bot"]}}, "1": installs["1"]}
    assert "both the bot and its commands" in (await practice.one("discord-install")).sentence
    practice.world.discord.installs = {}
    assert (await practice.one("discord-install")).verdict is WARNING


async def test_a_refused_client_secret_fails(practice: Practice) -> None:
    found = await practice.found(discord_client_secret=WRONG)
    assert found["discord-secret"].verdict is FAILED
    assert found["discord-token"].verdict is OK


async def test_a_discord_in_trouble_proves_nothing(practice: Practice) -> None:
    practice.world.discord.fault("GET", "/users/@me", status=503)
    practice.world.discord.fault("POST", "/oauth2/token", status=429)
    found = await practice.found()
    assert found["discord-token"].verdict is WARNING
    assert found["discord-secret"].verdict is WARNING


@pytest.mark.parametrize("json", [[], "words", {"id": ["x"], "flags": "many", "redirect_uris": {}}])
async def test_an_answer_of_another_shape_breaks_nothing(practice: Practice, json: object) -> None:
    practice.world.discord.fault("GET", "/oauth2/applications/@me", status=200, json=json)
    found = await practice.found()
    assert found["discord-app"].verdict is FAILED
    assert found["discord-intents"].verdict is SKIPPED


@pytest.mark.parametrize(("off_s", "verdict"), [(0, OK), (4, OK), (20, WARNING), (-20, WARNING), (90, FAILED)])
async def test_a_clock_that_is_off_is_told_with_its_direction(practice: Practice, off_s: int, verdict: object) -> None:
    practice.environment = CheckEnvironment(now=lambda: time.time() + off_s)
    clock = await practice.one("clock")
    assert clock.verdict is verdict
    if off_s not in (0, 4):
        assert ("ahead of" if off_s > 0 else "behind") in clock.sentence


# -- Spotify


async def test_a_refused_spotify_secret_fails(practice: Practice) -> None:
    found = await practice.found(spotify_client_secret=WRONG)
    assert found["spotify-secret"].verdict is FAILED
    assert found["spotify-premium"].verdict is SKIPPED


@pytest.fixture
async def public_client(tmp_path: Path) -> AsyncIterator[Practice]:
    """A Spotify app without a secret."""
    async with made(tmp_path / "data", spotify_client_secret="") as world:
        yield Practice(world)


async def test_a_public_client_proves_its_id_and_needs_no_secret(public_client: Practice) -> None:
    assert (await public_client.one("spotify-secret")).verdict is OK
    found = await public_client.found(spotify_client_id="0" * 32)
    assert found["spotify-secret"].verdict is FAILED
    assert found["spotify-redirect"].verdict is FAILED
    assert "SPOTIFY_CLIENT_ID" in found["spotify-redirect"].sentence


async def test_a_public_client_proves_premium_by_a_members_access(public_client: Practice) -> None:
    assert (await public_client.one("spotify-premium")).verdict is SKIPPED
    await public_client.used("ada")
    assert (await public_client.one("spotify-premium")).verdict is OK
    public_client.world.spotify.premium = False
    assert (await public_client.one("spotify-premium")).verdict is FAILED


async def test_a_redirect_that_spotify_does_not_know_fails(practice: Practice) -> None:
    practice.world.spotify.redirect_uris = {practice.world.settings.redirect_to_spotify + "/"}
    redirect = await practice.one("spotify-redirect")
    assert redirect.verdict is FAILED
    assert practice.world.settings.redirect_to_spotify in redirect.sentence


async def test_a_premium_that_has_ended_fails_and_no_member_is_tried(practice: Practice) -> None:
    await practice.used("ada")
    practice.world.spotify.premium = False
    found = await practice.found()
    assert found["spotify-premium"].verdict is FAILED
    assert found["spotify-secret"].verdict is OK
    assert not [path for _, path in practice.world.calls() if "contains" in path]


async def test_an_endpoint_that_is_not_for_this_app_fails_where_it_was_chosen(practice: Practice) -> None:
    await practice.used("ada")
    practice.world.spotify.generations = {"library"}
    assert (await practice.one("spotify-endpoint")).sentence == "The library endpoint serves this app."
    chosen = await practice.one("spotify-endpoint", spotify_album_endpoint="albums")
    assert chosen.verdict is FAILED
    assert "SPOTIFY_ALBUM_ENDPOINT=auto" in chosen.to_do
    practice.world.spotify.generations = set()
    assert (await practice.one("spotify-endpoint")).verdict is FAILED


async def test_a_member_who_is_not_on_the_list_does_not_hide_what_the_next_one_tells(practice: Practice) -> None:
    await practice.used("ada", "ben")
    for account in ("ada", "ben"):
        practice.world.spotify.accounts[account].allowlisted = False
        found = await practice.found()
        assert (found["spotify-endpoint"].verdict is OK) == (account == "ada")
    assert "no longer in the app's User Management" in found["spotify-endpoint"].sentence


async def test_an_access_that_spotify_refuses_is_never_renewed_and_the_next_one_is_tried(practice: Practice) -> None:
    await practice.used("ada", "ben")
    tokens = practice.world.spotify.access_tokens
    for account in ("ada", "ben"):
        for token in [token for token, held in tokens.items() if held.account == account]:
            del tokens[token]
        found = await practice.found()
        assert found["spotify-endpoint"].verdict is (OK if account == "ada" else SKIPPED)
    assert len(practice.world.calls(to="/api/token")) == 2  # the app's own, once an examination


async def test_without_fresh_access_the_endpoint_is_what_the_database_remembers(practice: Practice) -> None:
    await practice.used("ada", fresh=False)
    assert (await practice.one("spotify-endpoint")).verdict is SKIPPED
    storage = await open_storage(practice.database, [read_key(KEY)])
    await storage.apps.set_endpoint(SPOTIFY_ID, "library")
    await storage.close()
    remembered = await practice.one("spotify-endpoint")
    assert remembered.verdict is OK
    assert "library" in remembered.sentence
    assert not [path for _, path in practice.world.calls() if "contains" in path]


async def test_a_day_that_is_used_up_is_told_and_not_poked_at(practice: Practice) -> None:
    await practice.used("ada")
    storage = await open_storage(practice.database, [read_key(KEY)])
    await storage.apps.set_closed(SPOTIFY_ID, datetime.now(UTC) + timedelta(hours=3), "quota")
    await storage.close()
    found = await practice.found()
    assert found["spotify-premium"].verdict is WARNING
    assert "daily limit until" in found["spotify-premium"].sentence
    assert practice.world.calls() == []


async def test_a_day_that_is_used_up_just_now_is_told(practice: Practice) -> None:
    await practice.used("ada")
    practice.world.spotify.fault(path="/v1/*", **FAULTS["quota"], times=None)
    assert "daily limit until" in (await practice.one("spotify-endpoint")).sentence


@pytest.mark.parametrize(("people", "verdict"), [(4, OK), (5, WARNING), (6, WARNING)])
async def test_the_seats_of_the_app_are_counted(practice: Practice, people: int, verdict: object) -> None:
    await practice.used(*(f"m{number}" for number in range(people)), fresh=False)
    seats = await practice.one("spotify-seats")
    assert seats.verdict is verdict
    assert f"{people} members are linked" in seats.sentence


async def test_members_of_another_app_are_told(practice: Practice) -> None:
    await practice.used("ada", client_id="another")
    await practice.used("ben")
    seats = await practice.one("spotify-seats")
    assert seats.verdict is WARNING
    assert "1 more through another Spotify app" in seats.sentence
