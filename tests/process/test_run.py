"""`gatefold run`, the real process: how it starts, stops, and stays connected."""

from __future__ import annotations

import asyncio
import signal
import socket
import sqlite3
import stat
from collections.abc import Awaitable, Callable
from contextlib import closing
from pathlib import Path

import pytest

from bot.sandbox.faults import FAULTS
from bot.sandbox.standin import free_port
from bot.storage.vault import new_key
from tests.discord_wire import DiscordWire, WireInteraction, texts
from tests.process.harness import STOP_S, Outside, forwarded, sentences, until_said
from tests.world import ADA, APP, BEN, FIRST, SECOND

PARTS = {"commands", "gateway", "database"}
COMMANDS = {"save", "unsave", "link", "account", "unlink", "help"}
"""Some of them."""
GUILD = DiscordWire.GUILD
MEMBERS = {ADA: "ada", BEN: "ben", ADA + 10: "cem", ADA + 11: "dina"}


# -- starting


async def test_every_problem_of_the_settings_is_told_at_once(out: Outside) -> None:
    said = await out.refused(
        DISCORD_TOKEN=None,
        DISCORD_CLIENT_ID="not a number",
        SPOTIFY_CLIENT_ID="two words",
        PUBLIC_URL="http://localhost:8080",
        WEB_PORT="99999",
        TOKEN_KEYS="too-short",
        SPOTIFY_ALBUM_ENDPOINT="both",
        DEV_GUILD_ID="-1",
        LOG_LEVEL="loud",
        LOG_FORMAT="xml",
        DISCORD_API_URL="discord.com",
    )
    first, *problems, last = said.splitlines()
    assert first == "These settings do not work:"
    assert last == "`gatefold setup` asks for what is missing or wrong."
    named = [problem.removeprefix("- ").split(":")[0] for problem in problems]
    assert sorted(named) == [
        "DEV_GUILD_ID",
        "DISCORD_API_URL",
        "DISCORD_CLIENT_ID",
        "DISCORD_TOKEN",
        "LOG_FORMAT",
        "LOG_LEVEL",
        "PUBLIC_URL",
        "SPOTIFY_ALBUM_ENDPOINT",
        "SPOTIFY_CLIENT_ID",
        "TOKEN_KEYS",
        "WEB_PORT",
    ]
    assert "too-short" not in said
    assert not out.database.exists()


async def test_without_any_settings_it_names_setup_and_the_folder(out: Outside) -> None:
    (out.folder / ".env").write_text("DISCORD_TOKN=x\n")
    said = await out.refused(**dict.fromkeys(out.env))
    assert said.splitlines() == [
        f"Gatefold is not set up in {out.folder}: its .env has none of the required settings.",
        ".env, line 1: DISCORD_TOKN is not a setting. Did you mean DISCORD_TOKEN?",
        "Run `gatefold setup` in this folder, or change to the folder that has your .env.",
    ]


async def test_a_line_that_sets_nothing_is_in_the_log(out: Outside) -> None:
    (out.folder / ".env").write_text("BACKUP_FOLDR=x\n")
    process = await out.start()
    assert "BACKUP_FOLDR is not a setting. Did you mean BACKUP_FOLDER?" in process.stderr
    await process.terminate()


async def test_a_client_id_of_another_app_is_told_at_the_start(out: Outside) -> None:
    """It works until somebody links, and then for another app."""
    process = await out.start(DISCORD_CLIENT_ID="1100000000000000009")
    assert f"DISCORD_TOKEN belongs to the app {APP}, but DISCORD_CLIENT_ID is 1100000000000000009." in process.stderr
    await process.terminate()
    right = await out.start()
    assert "DISCORD_TOKEN belongs" not in right.stderr
    await right.terminate()


async def test_a_wrong_spotify_secret_is_told_at_the_start(out: Outside) -> None:
    process = await out.start(SPOTIFY_CLIENT_SECRET="not-the-secret-of-this-app")
    async with asyncio.timeout(60):
        while "Spotify does not accept SPOTIFY_CLIENT_ID with SPOTIFY_CLIENT_SECRET." not in process.stderr:
            await asyncio.sleep(0.05)
    assert process.is_up
    await process.terminate()


async def test_a_wrong_discord_secret_is_told_at_the_start_in_the_log_and_to_the_host(out: Outside) -> None:
    process = await out.start(DISCORD_CLIENT_SECRET="not-the-secret-of-this-app")
    assert "DISCORD_CLIENT_SECRET" in "\n".join(texts(await out.discord.direct_message(out.discord.OWNER, 60.0)))
    async with asyncio.timeout(60):
        while "Discord does not accept DISCORD_CLIENT_ID with DISCORD_CLIENT_SECRET" not in process.stderr:
            await asyncio.sleep(0.05)
    assert "not-the-secret" not in process.stderr
    assert process.is_up
    await process.terminate()


async def test_a_discord_that_does_not_answer_about_its_secret_neither_delays_the_start_nor_is_told(
    out: Outside,
) -> None:
    out.discord.fault("POST", "/oauth2/token", status=503, delay_s=1.0)
    process = await out.start()
    async with asyncio.timeout(60):
        while not [one for one in out.discord.requests if one.path == "/oauth2/token" and one.status == 503]:
            await asyncio.sleep(0.05)
    await process.terminate()
    assert "DISCORD_CLIENT_SECRET" not in process.stderr


@pytest.mark.parametrize("name", ["WEB", "METRICS"])
async def test_a_host_that_is_not_this_machine_is_told_in_one_sentence(name: str, out: Outside) -> None:
    for host in ("no-such-host.invalid", "192.0.2.1"):
        settings = {f"{name}_HOST": host, "METRICS_PORT": str(free_port())}
        (said,) = sentences(await out.refused(**settings))
        assert said.startswith(f"{host} is not an address of this machine. Set {name}_HOST to 127.0.0.1")


async def test_settings_come_from_a_dotenv_file_too(out: Outside) -> None:
    (out.folder / ".env").write_text("".join(f"{name}={value}\n" for name, value in out.env.items()))
    process = await out.start(**dict.fromkeys(set(out.env) - {"WEB_PORT"}))
    await process.terminate()


async def test_the_site_listens_before_the_login_at_discord(out: Outside) -> None:
    out.discord.fault("GET", "/users/@me", delay_s=2.0)
    process = await out.start(ready=False)
    parts = await process.until_health(503)
    assert parts == {"commands": False, "gateway": False, "database": True}
    assert not out.discord.identified.is_set()
    assert set(await process.until_health(200)) == PARTS
    await process.terminate()


async def test_an_outage_of_discord_at_the_start_is_waited_out(out: Outside) -> None:
    await out.go_offline()
    process = await out.start(ready=False)
    assert not (await process.until_health(503))["commands"]
    await asyncio.sleep(0.5)
    assert process.is_up
    await out.go_online()
    await process.until_health(200)
    await process.terminate()


async def test_discord_failing_at_the_start_is_waited_out(out: Outside) -> None:
    out.discord.fault("GET", "/users/@me", status=503, times=2)
    out.discord.fault("GET", "/oauth2/applications/@me", status=0)
    out.discord.fault("PUT", f"/applications/{APP}/commands", status=503)
    process = await out.start()
    assert {command["name"] for command in out.discord.commands[None]} >= COMMANDS
    await process.terminate()


async def test_a_gateway_that_is_down_at_the_start_is_waited_out(out: Outside) -> None:
    port = free_port()
    process = await out.start(ready=False, DISCORD_GATEWAY_URL=f"ws://127.0.0.1:{port}/gateway/")
    async with asyncio.timeout(60):
        while not (await process.until_health(503))["commands"]:
            await asyncio.sleep(0.05)
    await asyncio.sleep(2.5)  # discord.py tries again after at most 2 s, and cannot
    assert process.is_up, process.stderr
    async with forwarded(port, out.discord.gateway_url):
        await process.until_health(200)
        await process.terminate()


async def test_sigterm_during_an_outage_at_the_start_ends_it_cleanly(out: Outside) -> None:
    await out.go_offline()
    process = await out.start(ready=False)
    await process.until_health(503)
    assert await process.terminate() < STOP_S


async def test_a_refused_discord_token_is_told_in_one_sentence(out: Outside) -> None:
    (said,) = sentences(await out.refused(DISCORD_TOKEN="MTEw.refused.token-that-is-not-theirs"))
    assert said.startswith("DISCORD_TOKEN: Discord does not accept it.")


async def test_a_token_that_is_refused_later_ends_it_with_the_same_sentence(out: Outside) -> None:
    process = await out.start()
    out.discord._bot_token = "renewed in the developer portal"
    await out.discord.drop_gateway(4000, forget=True)
    assert await process.ended() == 1
    assert sentences(process.stderr)[-1].startswith("DISCORD_TOKEN: Discord does not accept it.")
    assert "ConnectionClosed" not in process.stderr


async def test_a_port_in_use_is_told_in_one_sentence(out: Outside) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        (said,) = sentences(await out.refused(WEB_PORT=str(port)))
    assert said == f"Another program already listens at 127.0.0.1:{port}. Stop that program, or set another WEB_PORT."
    assert out.discord.requests == []


async def test_a_second_process_on_the_same_database_is_told_in_one_sentence(out: Outside) -> None:
    async with out.running() as first:
        (said,) = sentences(await out.refused(WEB_PORT="0"))
        assert said == f"Another Gatefold is using {out.database}. Stop that one first."
        Path(f"{out.database}.lock").unlink()  # it looks like something that was left behind
        (said,) = sentences(await out.refused(WEB_PORT="0"))
        assert said == f"Another Gatefold is using {out.database}. Stop that one first."
        assert await first.health() is not None
    async with out.running():
        pass  # the lock went with the first


async def test_wrong_keys_are_told_in_one_sentence_and_change_nothing(out: Outside) -> None:
    await out.link(ADA, "ada")
    before = out.database.read_bytes()
    (said,) = sentences(await out.refused(TOKEN_KEYS=new_key()))
    assert said.startswith(f"The keys in TOKEN_KEYS do not open {out.database}.")
    assert out.database.read_bytes() == before
    assert out.discord.requests == []
    async with out.running(TOKEN_KEYS=f"{new_key()},{out.env['TOKEN_KEYS']}"):
        assert "Saved" in await until_said(await out.save(FIRST), "library")


async def test_a_file_that_is_no_database_is_told_in_one_sentence(out: Outside) -> None:
    out.database.parent.mkdir()
    out.database.write_text("no database at all, " * 100)
    (said,) = sentences(await out.refused())
    assert str(out.database) in said
    assert out.database.read_text().startswith("no database at all")


# -- the commands


async def test_unchanged_commands_are_not_registered_again(out: Outside) -> None:
    async with out.running():
        pass
    assert {command["name"] for command in out.discord.commands[None]} >= COMMANDS
    async with out.running():
        help_ = await out.discord.slash(ADA, "help", {})
        assert f"</link:{out.discord.commands[None][0]['id']}>".split(":")[0] in await until_said(help_, "/save")
    assert out.syncs() == [f"/applications/{APP}/commands"]


async def test_a_dev_guild_has_the_commands_alone_and_loses_them_at_the_next_start_without(out: Outside) -> None:
    async with out.running(DEV_GUILD_ID=str(GUILD)):
        assert {command["name"] for command in out.discord.commands[GUILD]} >= COMMANDS
        assert not out.discord.commands.get(None)
        await until_said(await out.discord.slash(ADA, "help", {}), "library")
    async with out.running():
        assert out.discord.commands[GUILD] == []
        assert {command["name"] for command in out.discord.commands[None]} >= COMMANDS
    async with out.running(DEV_GUILD_ID=str(GUILD)):
        assert {command["name"] for command in out.discord.commands[GUILD]} >= COMMANDS
        assert out.discord.commands[None] == []


async def test_a_dev_guild_that_the_bot_is_not_in_is_told_in_one_sentence(out: Outside) -> None:
    (said,) = sentences(await out.refused(DEV_GUILD_ID="613425648685547599"))
    assert said.startswith("DEV_GUILD_ID: ")


# -- the gateway


async def test_healthz_says_503_while_discord_is_gone_and_200_when_it_is_back(out: Outside) -> None:
    await out.link(ADA, "ada")
    process = await out.start()
    await out.go_offline()
    assert await process.until_health(503) == {"commands": True, "gateway": False, "database": True}
    await asyncio.sleep(1.5)
    assert await process.health() == (503, {"commands": True, "gateway": False, "database": True})
    await out.go_online()
    assert await process.until_health(200) == dict.fromkeys(PARTS, True)
    assert "Saved" in await until_said(await out.save(FIRST), "library")
    await process.terminate()


async def _resumed(discord: DiscordWire) -> None:
    await discord.resumed.wait()


async def _identified(discord: DiscordWire) -> None:
    await discord.identified.wait()


Hurt = Callable[[DiscordWire], Awaitable[None]]


@pytest.mark.parametrize(
    ("hurt", "healed"),
    [
        pytest.param(lambda discord: discord.request_reconnect(), _resumed, id="op 7"),
        pytest.param(lambda discord: discord.drop_gateway(4000), _resumed, id="close 4000"),
        pytest.param(lambda discord: discord.drop_gateway(None), _resumed, id="cut"),
        pytest.param(lambda discord: discord.invalid_session(True), _resumed, id="invalid, resumable"),
        pytest.param(lambda discord: discord.invalid_session(False), _identified, id="invalid session"),
    ],
)
async def test_commands_work_after_the_gateway_was_lost(out: Outside, hurt: Hurt, healed: Hurt) -> None:
    await out.link(ADA, "ada")
    process = await out.start()
    await hurt(out.discord)
    async with asyncio.timeout(15):
        await healed(out.discord)
    assert await process.until_health(200) == dict.fromkeys(PARTS, True)
    assert "Saved" in await until_said(await out.save(FIRST), "library")
    assert "Traceback" not in "".join(sentences(process.stderr))
    await process.terminate()


async def test_a_command_that_was_given_while_the_gateway_was_lost_is_served_after_the_resume(out: Outside) -> None:
    await out.link(ADA, "ada")
    process = await out.start()
    await out.discord.request_reconnect()
    interaction = await out.save(FIRST)
    assert "Saved" in await until_said(interaction, "library")
    await process.terminate()


# -- stopping


async def test_sigterm_ends_an_idle_bot_at_once(out: Outside) -> None:
    process = await out.start()
    assert await process.terminate() < 3
    assert "Traceback" not in process.stderr
    assert out.discord._sessions == {}  # it said goodbye at the gateway


async def test_ctrl_c_stops_it_as_cleanly(out: Outside) -> None:
    process = await out.start()
    process.process.send_signal(signal.SIGINT)
    assert await process.ended() == 0
    assert "Traceback" not in process.stderr


async def _twenty_saves(out: Outside) -> list[WireInteraction]:
    """Five albums for each of four members, a command each."""
    ids = [*out.spotify.catalogue.albums][:5]
    return [await out.save(id_, member) for id_ in ids for member in MEMBERS]


def _fate(out: Outside, interaction: WireInteraction) -> str:
    """What is on disk of a command of one album: `done`, `pending`, or `lost`; done must be true."""
    member = int(interaction.payload["member"]["user"]["id"])
    rows = out.rows("SELECT * FROM library_changes WHERE request_id = ?", interaction.id)
    if not rows:
        return "lost"
    if rows[0]["outcome"] is None:
        return "pending"
    assert rows[0]["outcome"] == "saved"
    assert rows[0]["album_id"] in out.saved(MEMBERS[member])
    return "done"


@pytest.mark.parametrize("spotify", ["slow", "hanging", "answering late"])
async def test_sigterm_under_load_finishes_or_keeps_every_accepted_change_and_says_which(
    out: Outside, spotify: str
) -> None:
    for member, account in MEMBERS.items():
        await out.link(member, account)
    process = await out.start()
    if spotify == "hanging":
        out.spotify.fault(path="/v1/*", times=None, **FAULTS["hang"])
    elif spotify == "answering late":
        out.spotify.fault(path="/v1/me/albums", method="PUT", times=None, **FAULTS["hang_after_work"])
    else:
        out.spotify.delay_s = 2.0
    interactions = await _twenty_saves(out)
    await asyncio.gather(*(interaction.answered() for interaction in interactions))
    stopping = asyncio.create_task(process.terminate())
    await asyncio.sleep(0.3)
    refused = await out.save(SECOND)
    assert "I am restarting" in await until_said(refused, "restarting")
    assert await stopping < STOP_S
    assert "Traceback" not in process.stderr
    assert _fate(out, refused) == "lost"
    fates = {interaction: _fate(out, interaction) for interaction in interactions}
    assert "lost" not in fates.values()
    for interaction, fate in fates.items():
        assert interaction.history, f"{interaction.what} was announced and never answered"
        said = "\n".join(texts(interaction.history[-1]))
        assert ("Saved" in said) if fate == "done" else ("queued" in said), (fate, said)

    # the next start does the rest, and tells
    out.spotify.clear_faults()
    out.spotify.delay_s = 0.0
    async with out.running():
        for interaction in interactions:
            await until_said(interaction, "Saved")
            assert _fate(out, interaction) == "done"
        assert {len(out.saved(account)) for account in MEMBERS.values()} == {5}


async def test_sigterm_amid_arriving_commands_loses_none_that_was_answered(out: Outside) -> None:
    for member, account in MEMBERS.items():
        await out.link(member, account)
    process = await out.start()
    interactions = await _twenty_saves(out)
    assert await process.terminate() < STOP_S
    for interaction in interactions:
        said = "\n".join(texts(interaction.history[-1])) if interaction.history else ""
        if interaction.callback is not None and "restarting" not in said:
            assert _fate(out, interaction) != "lost"
            assert said


async def test_sigterm_waits_for_no_idle_browser(out: Outside) -> None:
    process = await out.start()
    reader, writer = await asyncio.open_connection("127.0.0.1", int(out.env["WEB_PORT"]))
    writer.write(b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")  # kept open, and another half-open beside it
    await reader.readline()
    _, half = await asyncio.open_connection("127.0.0.1", int(out.env["WEB_PORT"]))
    half.write(b"GET /link/")
    assert await process.terminate() < 5
    for each in (writer, half):
        each.close()


# -- files and secrets


async def test_every_file_is_0600_in_a_folder_of_0700(out: Outside) -> None:
    await out.link(ADA, "ada")
    async with out.running():
        await until_said(await out.save(FIRST), "Saved")
        modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in out.database.parent.iterdir()}
        names = {"gatefold.db", "gatefold.db-wal", "gatefold.db-shm", "gatefold.db.lock", "gatefold.db.control"}
        assert set(modes) == names
        assert set(modes.values()) == {0o600}
        assert stat.S_IMODE(out.database.parent.stat().st_mode) == 0o700


async def test_a_clean_stop_leaves_everything_in_one_file(out: Outside, tmp_path: Path) -> None:
    await out.link(ADA, "ada")
    async with out.running():
        await until_said(await out.save(FIRST), "Saved")
    assert {path.name for path in out.database.parent.iterdir()} == {"gatefold.db", "gatefold.db.lock"}
    copy = tmp_path / "copy.db"
    copy.write_bytes(out.database.read_bytes())
    with closing(sqlite3.connect(copy)) as connection:
        assert connection.execute("SELECT outcome FROM library_changes").fetchall() == [("saved",)]
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]


async def test_what_a_killed_process_left_in_its_wal_is_there_at_the_next_start(out: Outside) -> None:
    await out.link(ADA, "ada")
    process = await out.start()
    out.spotify.fault(path="/v1/*", times=None, **FAULTS["unavailable"])
    interaction = await out.save(FIRST)
    await until_said(interaction, "queued")
    async with asyncio.timeout(5):  # that the answer arrived is noted right after
        while not out.rows("SELECT 1 FROM change_requests WHERE answer = 'arrived'"):
            await asyncio.sleep(0.01)
    await process.kill()
    assert out.database.with_name("gatefold.db-wal").stat().st_size > 0
    out.spotify.clear_faults()
    async with out.running():
        await until_said(interaction, "Saved")
    assert out.saved() == [FIRST]
    assert {path.name for path in out.database.parent.iterdir()} == {"gatefold.db", "gatefold.db.lock"}
