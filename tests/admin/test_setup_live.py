"""What setup learns when it tries an answer at the stand-ins of Discord and Spotify."""

from __future__ import annotations

import attrs
import pytest

from bot.admin.setup.live import tried
from bot.sandbox.standin import free_port
from bot.settings import Secret
from tests.world import APP, World

ALL = ("DISCORD_TOKEN", "DISCORD_CLIENT_ID", "DISCORD_CLIENT_SECRET", "SPOTIFY_CLIENT_ID", "SPOTIFY_CLIENT_SECRET")


@pytest.mark.parametrize("name", ALL)
async def test_a_right_answer_has_no_problem(name: str, world: World) -> None:
    assert (await tried(name, world.settings)).problem == ""


@pytest.mark.parametrize(
    ("name", "wrong", "words"),
    [
        ("DISCORD_TOKEN", Secret("aaaa.bbbb.cccc"), "Discord does not accept DISCORD_TOKEN. Press Reset Token"),
        ("DISCORD_CLIENT_ID", "1100000000000000009", "DISCORD_TOKEN belongs to the app"),
        ("DISCORD_CLIENT_SECRET", Secret("wrong-secret-of-the-tests"), "Press Reset Secret"),
        ("SPOTIFY_CLIENT_ID", "0" * 32, "Spotify does not know this client id. Copy it again"),
        ("SPOTIFY_CLIENT_SECRET", Secret("wrong-secret-of-the-tests"), "Spotify does not accept this secret"),
    ],
)
async def test_a_wrong_answer_is_a_problem_with_something_to_do(
    name: str, wrong: object, words: str, world: World
) -> None:
    problem = (await tried(name, attrs.evolve(world.settings, **{name.lower(): wrong}))).problem
    assert words in problem
    assert "wrong-secret" not in problem


async def test_the_token_tells_the_client_id(world: World) -> None:
    assert (await tried("DISCORD_TOKEN", world.settings)).suggestions == {"DISCORD_CLIENT_ID": str(APP)}


async def test_a_redirect_uri_that_is_not_registered_yet_is_no_problem(world: World) -> None:
    world.spotify.redirect_uris = set()
    assert (await tried("SPOTIFY_CLIENT_ID", world.settings)).problem == ""


@pytest.mark.parametrize("name", ALL)
async def test_what_cannot_be_reached_is_said_and_is_no_problem(name: str, world: World) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}"
    settings = attrs.evolve(
        world.settings, discord_api_url=nowhere, spotify_api_url=nowhere, spotify_accounts_url=nowhere
    )
    found = await tried(name, settings)
    assert found.problem == ""
    assert "cannot be reached" in found.note


async def test_a_platform_in_trouble_proves_nothing(world: World) -> None:
    world.discord.fault("GET", "/users/@me", status=503)
    found = await tried("DISCORD_TOKEN", world.settings)
    assert found.problem == ""
    assert "503" in found.note


async def test_other_settings_are_not_tried(world: World) -> None:
    before = len(world.discord.requests)
    assert await tried("CONTACT", world.settings) == await tried("PUBLIC_URL", world.settings)
    assert len(world.discord.requests) == before
