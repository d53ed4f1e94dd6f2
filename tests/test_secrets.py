"""A whole story, and then a look for every secret that occurred in it: in the log, on the disk, in what people saw."""

from __future__ import annotations

import base64
import io
import json
import logging
import os
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from bot.sandbox.faults import FAULTS
from tests.discord_wire import WireInteraction, buttons
from tests.leaks import Trail, forms_of_key, found
from tests.log import Start, restored
from tests.storage.rows import on_disk
from tests.world import ADA, BEN, CHLOE, FIRST, SECOND, World, made

STYLES = ("console", "json")


@dataclass
class Story:
    """A world, its log, and what a browser got to see."""

    world: World
    folder: Path
    log: io.StringIO
    trail: Trail = field(default_factory=Trail)

    @property
    def secrets(self) -> set[str]:
        """Every secret that occurred."""
        of_platforms = self.world.spotify.secrets | self.world.discord.secrets
        return of_platforms | self.trail.travelled | set(self.world.settings.secrets())

    def seen(self) -> str:
        """All that people saw: pages, and whatever was sent to Discord but for its OAuth call."""
        sent = [json.dumps(r.body) for r in self.world.discord.requests if "oauth2" not in r.path]
        return "\n".join((*self.trail.pages, *sent))


@pytest.fixture
def start() -> Iterator[Start]:
    with restored() as start:
        yield start


@asynccontextmanager
async def staged(folder: Path, start: Start, style: str = "console") -> AsyncIterator[Story]:
    """A world whose whole log is kept; `secrets`: what the log is told to hide."""
    async with made(folder) as world:
        story = Story(world, folder, start(style, secrets=tuple(world.settings.secrets())))
        async with world.running():
            yield story


async def linked_in_browser(story: Story, member: int, account: str) -> None:
    """`/link`, and the whole way through both consent pages."""
    await story.trail.link(story.world.discord, story.world.spotify, member, account)


async def pressed(story: Story, interaction: WireInteraction, label: str, member: int = ADA) -> None:
    """Press a button of a message and read the answer."""
    message = interaction.history[-1]
    [button] = [button for button in buttons(message) if button.get("label", "").startswith(label)]
    await (await story.world.discord.press(member, button["custom_id"], message)).message()


async def told(story: Story) -> None:
    """A story in which as much as possible happens, and goes wrong."""
    world = story.world
    await linked_in_browser(story, ADA, "ada")
    await linked_in_browser(story, BEN, "ben")
    saving = await world.save(f"{FIRST} {SECOND}")
    await saving.message()
    await pressed(story, saving, "Undo")
    await (await world.save("slow harbour")).message()
    await (await world.unsave(FIRST)).message()
    await (await world.discord.autocomplete(ADA, "save", "albums", "the")).answered()
    await (await world.discord.slash(ADA, "account", {})).message()
    await (await world.save(FIRST, CHLOE)).message()  # who is not linked: the change waits
    # a token that was over, one that Spotify does not take, a refresh that fails
    world.spotify.expire_access_tokens()
    await (await world.save(FIRST)).message()
    world.spotify.fault(path="/v1/me/*", times=2, **FAULTS["expired_token"])
    world.spotify.fault(path="/api/token", **FAULTS["ok_html"])
    await (await world.save(SECOND, BEN)).message()
    # Spotify and Discord on a bad day
    for fault in ("cut", "html", "elsewhere", "rate_limited", "not_registered_text", "premium", "server_error"):
        world.spotify.fault(path="/v1/me/albums*", **FAULTS[fault])
        await (await world.save(FIRST)).message()
    world.discord.fault("POST", "/interactions/*", status=404, json={"code": 10062, "message": "Unknown interaction"})
    await world.save(SECOND)
    await world.discord.direct_message(ADA, 5.0)
    # a consent that ended, and a member who leaves
    world.spotify.expire_access_tokens()
    world.spotify.revoke_consent("ben")
    await (await world.save(FIRST, BEN)).message()
    leaving = await world.discord.slash(BEN, "unlink", {})
    await leaving.message()
    await pressed(story, leaving, "Unlink", BEN)
    world.spotify.clear_faults()
    await (await world.save(FIRST)).message()
    await world.idle()
    await world.bot.storage.database.backup(story.folder / "gatefold.db.copy")


@pytest.mark.parametrize("style", STYLES)
async def test_no_secret_of_a_whole_story_is_in_the_log_on_the_disk_or_shown(
    style: str, tmp_path: Path, start: Start
) -> None:
    async with staged(tmp_path, start, style) as story:
        await told(story)
        running = on_disk(tmp_path)
        names = set(os.listdir(tmp_path))
        assert names >= {"gatefold.db", "gatefold.db-wal", "gatefold.db-shm", "gatefold.db.lock", "gatefold.db.copy"}
        secrets, keys = story.secrets, story.world.settings.sealing_keys()
        # the story was what it claims to be
        calls = [call.path for call in story.world.spotify.calls]
        assert calls.count("/api/token") >= 5
        assert len(secrets) > 40
        assert len(story.trail.travelled) >= 2 * 4  # link, two states, cookie
        assert sum("linked" in line for line in story.log.getvalue().splitlines()) >= 3
    log = story.log.getvalue()
    assert log.count("\n") > 50
    assert found(log.encode(), secrets, keys) == []
    assert found(running, secrets, keys) == []
    assert found(on_disk(tmp_path), secrets, keys) == []
    # the address of /link is shown to its member, and is theirs to open; all else is shown to nobody
    shown = story.seen().encode()
    given_away = {secret for secret in story.trail.travelled if f"/link/{secret}".encode() in shown}
    assert len(given_away) == 2
    assert found(shown, secrets - given_away, keys) == []


async def test_the_look_would_find_what_leaks(tmp_path: Path, start: Start) -> None:
    async with staged(tmp_path, start) as story:
        await linked_in_browser(story, ADA, "ada")
        await (await story.world.save(FIRST)).message()
        await story.world.idle()
        secrets, keys = story.secrets, story.world.settings.sealing_keys()
        assert found(on_disk(tmp_path) + story.log.getvalue().encode(), secrets, keys) == []
        for number, secret in enumerate(sorted(secrets)):
            # in the log, as somebody would write it who knows no better
            log = start(secrets=())
            logging.getLogger("leak").info("it is %s", f"<{secret}>")
            assert secret[:8] in found(log.getvalue().encode(), [secret], keys), secret[:8]
            # in the database, in a column of text or bytes, and in the WAL before it gets there
            for value in (secret, base64.b64encode(b"%d" % number + secret.encode())):
                await story.world.bot.storage.database.write(
                    lambda c, value=value: c.execute("UPDATE links SET account_name = CAST(? AS TEXT)", (value,))
                )
                assert secret[:8] in found(on_disk(tmp_path), [secret], keys), secret[:8]
            await story.world.bot.storage.database.write(lambda c: c.execute("UPDATE links SET account_name = ''"))
            await story.world.bot.storage.database.truncate_log()
        for key in keys:
            for form in forms_of_key(key):
                (tmp_path / "forgotten").write_bytes(b"x" + form + b"y")
                assert "a key" in found(on_disk(tmp_path), [], keys)
        # and the tokens are among what is looked for
        assert story.world.discord.interactions.keys() <= secrets
        assert {*story.world.spotify.access_tokens, *story.world.spotify.refresh_tokens} <= secrets
