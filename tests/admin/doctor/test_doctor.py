"""The doctor as a whole: everything in order, with a bot and without; and that it changes nothing."""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

from bot.admin.doctor import CheckResult, Verdict, as_json, as_lines, examine, is_well, summary
from bot.admin.doctor.examination import _without
from bot.settings import Secret, Settings, SettingsError
from tests.admin.doctor.stage import FAILED, OK, SKIPPED, WARNING, Practice
from tests.world import ADA, World


async def test_a_machine_in_order_before_the_first_start(practice: Practice) -> None:
    found = await practice.found()
    assert {name for name, result in found.items() if result.verdict is OK} == {
        *("settings", "files", "disk", "database", "keys", "site", "clock"),
        *("discord-token", "discord-app", "discord-intents", "discord-commands", "discord-redirect"),
        *(
            "discord-install",
            "discord-server",
            "discord-secret",
            "spotify-secret",
            "spotify-redirect",
            "spotify-premium",
        ),
    }
    # PUBLIC_URL is http://127.0.0.1, which is for trying alone
    assert {name for name, result in found.items() if result.verdict is WARNING} == {"address"}
    assert {name for name, result in found.items() if result.verdict is SKIPPED} == {
        *("backups", "migrations", "certificate", "spotify-endpoint", "spotify-seats"),
    }
    assert is_well(found.values())
    assert not practice.database.exists()


async def test_beside_a_running_bot_it_sees_the_bot_and_a_members_access(practice: Practice) -> None:
    async with practice.world.running():
        await practice.world.link(ADA)
        found = await practice.found()
        calls = practice.world.calls(to="/api/token")
    assert found["site"].sentence == "The bot runs, and every part works."
    assert "leads to the bot" in found["address"].sentence
    assert {name for name, result in found.items() if result.verdict in (WARNING, SKIPPED)} == {
        *("backups", "address", "certificate"),
    }
    assert found["spotify-endpoint"].sentence == "The albums endpoint serves this app."
    assert "1 member is linked" in found["spotify-seats"].sentence
    assert len(calls) == 1  # the app's own token; nobody's was renewed
    assert practice.world.saved() == []


async def test_it_changes_nothing_on_the_disk(practice: Practice) -> None:
    await practice.used("ada")
    before = disk(practice.database.parent)
    await practice.found()
    assert disk(practice.database.parent) == before


async def test_beside_a_running_bot_it_changes_no_byte_of_the_database_or_its_log(practice: Practice) -> None:
    """The bot itself adds to its log when it is asked whether it can write, so only what was there is compared."""
    async with practice.world.running() as services:
        await practice.world.link(ADA)
        await services.storage.database.write(lambda c: c.execute("CREATE TABLE more (x)"))
        sizes = await settled(practice.database.parent)
        assert sizes["gatefold.db-wal"] > 0
        before = contents(practice.database.parent, sizes)
        await practice.found()
        assert contents(practice.database.parent, sizes) == before
        await services.storage.database.write(lambda c: c.execute("INSERT INTO more VALUES (1)"))


def contents(folder: Path, sizes: dict[str, int]) -> dict[str, bytes]:
    """The first bytes of these files, read by another process: closing a file here would drop SQLite's locks."""
    return {
        name: subprocess.run(["head", "-c", str(size), folder / name], capture_output=True, check=True).stdout
        for name, size in sizes.items()
    }


async def settled(folder: Path) -> dict[str, int]:
    """The sizes of the database's files once the bot has written what it had to: the same for half a second."""
    found: dict[str, int] = {}
    async with asyncio.timeout(60):
        while True:
            now = {name: held[0] for name, held in disk(folder).items() if name.endswith((".db", "-wal"))}
            if now == found:
                return found
            found = now
            await asyncio.sleep(0.5)


def disk(folder: Path) -> dict[str, tuple[int, int, int]]:
    """Size, time of writing and mode of every file. Not opened: closing would drop SQLite's locks in this process."""
    return {
        entry.name: (entry.stat().st_size, entry.stat().st_mtime_ns, entry.stat().st_mode)
        for entry in os.scandir(folder)
    }


async def test_wrong_settings_are_all_told_and_nothing_else_is_tried(practice: Practice) -> None:
    def load() -> Settings:
        raise SettingsError(["DISCORD_TOKEN: missing.", "WEB_PORT: too large."])

    results = [result async for result in examine(load, None)]
    assert [result.verdict for result in results] == [FAILED, FAILED, SKIPPED]
    assert [result.sentence for result in results[:2]] == ["DISCORD_TOKEN: missing.", "WEB_PORT: too large."]
    assert practice.world.discord.requests == []


async def test_with_both_platforms_gone_it_says_so_and_ends(practice: Practice, world_gone: World) -> None:
    found = await practice.found(
        discord_api_url=world_gone.settings.discord_api_url,
        spotify_api_url=world_gone.settings.spotify_api_url,
        spotify_accounts_url=world_gone.settings.spotify_accounts_url,
    )
    assert found["discord-token"].verdict is FAILED
    assert "cannot be reached" in found["discord-token"].sentence
    assert found["spotify-secret"].verdict is FAILED
    for name in ("discord-app", "discord-secret", "clock", "spotify-redirect", "spotify-premium"):
        assert found[name].verdict is SKIPPED


def test_a_secret_would_go_no_further_than_the_finding() -> None:
    result = _without(CheckResult("x", Verdict.OK, "It is abcdef.", "Write abcdef."), ["abcdef"])
    assert "abcdef" not in repr(result)


async def test_a_secret_that_is_a_word_garbles_no_sentence(practice: Practice) -> None:
    found = await practice.found(discord_client_secret=Secret("Discord"), spotify_client_secret=Secret("Spotify"))
    assert "[hidden]" not in repr(found)
    assert "Discord does not accept" in found["discord-secret"].sentence


async def test_a_line_that_sets_nothing_is_a_warning(practice: Practice, tmp_path: Path) -> None:
    practice.env_file = tmp_path / ".env"
    practice.env_file.write_text("BACKUP_FOLDR=x\n")
    practice.env_file.chmod(0o600)
    result = await practice.one("settings-ignored")
    assert result.verdict is WARNING
    assert "Did you mean BACKUP_FOLDER?" in result.sentence


def test_lines_and_json_say_the_verdict_as_a_word() -> None:
    results = [CheckResult("a", Verdict.OK, "Fine."), CheckResult("b", Verdict.FAILED, "Broken.", "Fix it.")]
    assert as_lines(results[0]) == ["ok       a                  Fine."]
    assert as_lines(results[1])[1].split() == ["->", "Fix", "it."]
    assert summary(results) == "1 ok, 1 failed"
    skipped = CheckResult("c", Verdict.SKIPPED, "Skipped: there is no database.")
    assert as_lines(skipped) == ["skipped  c                  There is no database."]
    assert summary([CheckResult("d", Verdict.WARNING, "Low.", "Look.")] * 2) == "2 warnings"
    assert as_json(results) == {
        "ok": False,
        "findings": [
            {"name": "a", "verdict": "ok", "sentence": "Fine.", "to_do": ""},
            {"name": "b", "verdict": "failed", "sentence": "Broken.", "to_do": "Fix it."},
        ],
    }
