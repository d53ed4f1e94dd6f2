"""A whole story of the real process, and then a look for every secret of it in all that it left behind or showed."""

from __future__ import annotations

import asyncio
import base64
import json
import sys
from collections.abc import Iterator
from pathlib import Path

import aiohttp
import pytest

from bot.sandbox.faults import FAULTS
from bot.sandbox.standin import free_port
from bot.settings import read_key
from tests.discord_wire import COMMAND, COMPONENT, buttons
from tests.leaks import Trail, found
from tests.process.harness import ROOT, Outside, Running, bare_environment, until_said
from tests.process.test_maintenance import gatefold
from tests.storage.rows import on_disk
from tests.world import ADA, BEN, CHLOE, DISCORD_SECRET, FIRST, KEY, SECOND, SPOTIFY_SECRET

KEYS = [read_key(KEY)]
# What a story holds that is a secret of the settings, besides the key: given in the environment, or in files.
SETTINGS = {SPOTIFY_SECRET, DISCORD_SECRET, base64.urlsafe_b64encode(KEYS[0]).decode().rstrip("=")}


def family(pid: int) -> Iterator[Path]:
    """This process and all below it, as the process list shows them."""
    yield Path(f"/proc/{pid}")
    for task in Path(f"/proc/{pid}/task").iterdir():
        for child in (task / "children").read_text().split():
            yield from family(int(child))


class Watch:
    """The process list, read again and again while the story is told."""

    def __init__(self, process: Running) -> None:
        self.seen = bytearray()
        self.looks = 0
        self._pid = process.pid
        self._task = asyncio.create_task(self._watch())

    async def _watch(self) -> None:
        while True:
            for place in family(self._pid):
                self.seen += (place / "cmdline").read_bytes() + (place / "comm").read_bytes()
                if place.name != str(self._pid):  # its own environment is what the host gave it
                    self.seen += (place / "environ").read_bytes()
            self.looks += 1
            await asyncio.sleep(0.02)

    async def ended(self) -> bytes:
        """All that was seen."""
        self._task.cancel()
        (result,) = await asyncio.gather(self._task, return_exceptions=True)
        assert isinstance(result, asyncio.CancelledError), result
        assert self.looks > 5
        return bytes(self.seen)


async def told(out: Outside, process: Running, trail: Trail) -> None:
    """As much as possible happens, and goes wrong."""
    await trail.link(out.discord, out.spotify, ADA, "ada")
    await trail.link(out.discord, out.spotify, BEN, "ben")
    saving = await out.save(f"{FIRST} {SECOND}")
    await until_said(saving, "Saved 2 albums")
    [undo] = [part["custom_id"] for part in buttons(saving.history[-1]) if "undo" in part.get("custom_id", "")]
    await until_said(await out.discord.press(ADA, undo, saving.history[-1]), "emoved")
    await until_said(await out.save(FIRST, CHLOE), "Spotify account")  # who is not linked: the change waits
    out.spotify.expire_access_tokens()
    await until_said(await out.save(FIRST), "Saved")
    for fault in ("cut", "html", "elsewhere", "rate_limited", "server_error", "not_registered_text"):
        out.spotify.fault(path="/v1/me/albums*", **FAULTS[fault])
        await (await out.save(SECOND, BEN)).message(8.0)
    out.spotify.fault(path="/api/token", **FAULTS["ok_html"])
    out.spotify.expire_access_tokens()
    await (await out.save(FIRST, BEN)).message(8.0)
    # what breaks on our side, with a traceback: an option that is no text, a press that nobody can read
    number = {"name": "albums", "type": 4, "value": 7}
    odd = await out.discord.interact(COMMAND, {"id": "1", "name": "save", "type": 1, "options": [number]}, ADA, "odd")
    await until_said(odd, "Something broke on our side")
    await out.discord.interact(COMPONENT, {"component_type": 2}, ADA, "odd", saving.history[-1])
    # an answer that Discord does not take any more, and a webhook that is gone
    for body in ({"code": 10062, "message": "Unknown interaction"}, {"code": 10015, "message": "Unknown Webhook"}):
        out.discord.fault("POST", "/interactions/*", status=404, json=body)
        await out.save(FIRST)
        await out.discord.direct_message(ADA, 8.0)
    # callbacks that somebody plays back, or makes up
    async with aiohttp.ClientSession() as thief:
        for state in sorted(trail.travelled):
            for provider in ("discord", "spotify"):
                async with thief.get(f"{process.url}/callback/{provider}?state={state}&code={state}") as page:
                    trail.pages.append(await page.text())
    status, _, said = await gatefold(out, "backup")
    assert status == 0, said
    await out.discord.drop_gateway(4000)
    await process.until_health(200)


@pytest.mark.parametrize("style", ["console", "json"])
async def test_no_secret_of_a_whole_story_is_in_anything_that_it_leaves_behind(out: Outside, style: str) -> None:
    """At DEBUG; the process is killed in the middle, started again, and crashes at the end."""
    trail, port = Trail(), free_port()
    more = {"LOG_LEVEL": "DEBUG", "LOG_FORMAT": style, "METRICS_PORT": str(port)}
    out.env |= more | {"BACKUP_FOLDER": str(out.folder / "backups")}
    process = await out.start()
    watch = Watch(process)
    await told(out, process, trail)
    async with aiohttp.ClientSession() as session, session.get(f"http://127.0.0.1:{port}/metrics") as answer:
        metrics = await answer.text()
    async with aiohttp.ClientSession() as session:
        for path in ("/", "/privacy", "/healthz", "/readyz", "/nothing"):
            async with session.get(process.url + path) as page:
                trail.pages.append(f"{page.headers} {await page.text()}")
    in_the_list = await watch.ended()
    disk = on_disk(out.folder)
    await process.kill()
    left = {path.name for path in out.database.parent.iterdir()}
    after_kill = on_disk(out.folder)  # the log that SQLite had no time to put away
    again = await out.start(command=(sys.executable, "-m", "bot", "--debug", "run"))  # with the traceback
    await out.discord.drop_gateway(4014)  # discord.py raises, and nothing of ours expects it
    await again.ended(20.0)
    assert "Traceback" in again.stderr

    secrets = out.secrets() | SETTINGS | trail.travelled
    secrets |= {str(call.body.get("code_verifier")) for call in out.spotify.calls if isinstance(call.body, dict)}
    secrets -= {"None"}
    # the story was what it claims to be
    assert {"gatefold.db", "gatefold.db-wal", "gatefold.db-shm"} <= left
    assert list((out.folder / "backups").iterdir())
    assert len(secrets) > 40
    assert len(trail.travelled) >= 2 * 4  # link, two states, cookie
    assert process.stderr.count("linked") >= 2
    assert "Traceback" in process.stderr
    assert "spotify_calls_total" in metrics

    everything = {
        "the log": process.stderr.encode(),
        "the output of the crash": again.stderr.encode(),
        "the metrics": metrics.encode(),
        "the process list": in_the_list,
        "the disk": disk,
        "the disk after a kill": after_kill,
        "the disk after a crash": on_disk(out.folder),
    }
    leaks = {name: hits for name, where in everything.items() if (hits := found(where, secrets, KEYS))}
    assert leaks == {}
    # the address of /link is shown to its member, and is theirs to open; all else is shown to nobody
    sent = [json.dumps(request.body) for request in out.discord.requests if "oauth2" not in request.path]
    shown = "\n".join((*trail.pages, *sent)).encode()
    given_away = {secret for secret in trail.travelled if f"/link/{secret}".encode() in shown}
    assert 2 <= len(given_away) <= 4
    assert found(shown, secrets - given_away, KEYS) == []


async def test_the_look_would_find_what_leaks(out: Outside, tmp_path: Path) -> None:
    """A process that writes one of its secrets is found out, whichever way it takes."""
    leak = "import base64, os, sys; t = os.environ['DISCORD_TOKEN']; print({})"
    for written in (
        "t",
        "base64.b64encode(b'x' + t.encode())",
        "t.encode().hex()",
        "__import__('urllib.parse').parse.quote(t)",
    ):
        running = await asyncio.create_subprocess_exec(
            "python3", "-c", leak.format(written), env=bare_environment(str(ROOT)) | out.env, stdout=-1
        )
        printed, _ = await running.communicate()
        assert found(printed, out.secrets(), KEYS) != [], written
