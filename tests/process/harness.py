"""The real process, `python -m bot run`, between a wire-level Discord and a strict Spotify in the test's loop.

Everything is on loopback and bounded in time; a process that a test leaves behind is killed by its id.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import signal
import sqlite3
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import AsyncExitStack, asynccontextmanager, closing, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import aiohttp

from bot.caller import MemberId
from bot.sandbox.catalogue import Catalogue
from bot.sandbox.spotify_server import SpotifyServer
from bot.sandbox.standin import free_port
from bot.settings import read_key
from bot.storage import open_storage
from bot.storage.links import Link
from tests.discord_wire import DiscordWire, WireInteraction, texts
from tests.world import ADA, APP, BOT_TOKEN, DISCORD_SECRET, KEY, SPOTIFY_ID, SPOTIFY_SECRET

ROOT = Path(__file__).resolve().parents[2]
START_S = 20.0
"""How long a start may take on a busy machine; usually it takes one or two."""
STOP_S = 10.0
"""The promise: a SIGTERM ends it within this."""

Health = tuple[int, dict[str, bool]]


@dataclass(slots=True)
class Running:
    """One process; `stderr` grows while it runs."""

    process: asyncio.subprocess.Process
    url: str
    _stderr: list[str] = field(default_factory=list)
    _reader: asyncio.Task[None] | None = None

    @property
    def pid(self) -> int:
        """Its id."""
        return self.process.pid

    @property
    def stderr(self) -> str:
        """What it wrote so far."""
        return "".join(self._stderr)

    @property
    def is_up(self) -> bool:
        """Whether it still runs."""
        return self.process.returncode is None

    async def health(self) -> Health | None:
        """Status and body of /healthz; None when nobody listens."""
        try:
            async with aiohttp.ClientSession() as session, session.get(f"{self.url}/healthz") as response:
                return response.status, json.loads(await response.text())
        except aiohttp.ClientConnectionError:
            return None

    async def until_health(self, status: int, timeout_s: float = START_S) -> dict[str, bool]:
        """The body of the first /healthz with this status."""
        try:
            async with asyncio.timeout(timeout_s):
                while True:
                    answer = await self.health()
                    if answer is not None and answer[0] == status:
                        return answer[1]
                    if not self.is_up:
                        await self.ended()
                        raise AssertionError(f"the process ended with {self.process.returncode}:\n{self.stderr}")
                    await asyncio.sleep(0.02)
        except TimeoutError:
            raise AssertionError(f"/healthz did not answer {status} in {timeout_s} s:\n{self.stderr}") from None

    async def ended(self, timeout_s: float = STOP_S) -> int:
        """Its exit status, once it ended by itself or by a signal."""
        async with asyncio.timeout(timeout_s):
            status = await self.process.wait()
            if self._reader is not None:
                await self._reader
        return status

    async def terminate(self) -> float:
        """SIGTERM; the seconds until it was gone. It must end with status 0."""
        loop = asyncio.get_running_loop()
        begun = loop.time()
        self.process.send_signal(signal.SIGTERM)
        status = await self.ended()
        assert status == 0, self.stderr
        return loop.time() - begun

    async def kill(self) -> None:
        """SIGKILL."""
        with suppress(ProcessLookupError):
            self.process.kill()
        await self.ended()


@dataclass(slots=True)
class Outside:
    """Both platforms, the settings as an environment, and every process that was started with them."""

    discord: DiscordWire
    spotify: SpotifyServer
    folder: Path
    env: dict[str, str]
    started: list[Running] = field(default_factory=list)
    _discord_up: AsyncExitStack = field(default_factory=AsyncExitStack)

    @property
    def database(self) -> Path:
        """The database file."""
        return Path(self.env["DATABASE_PATH"])

    # -- the process

    async def start(
        self,
        *,
        ready: bool = True,
        command: Sequence[str] = (sys.executable, "-m", "bot", "run"),
        path: str = str(ROOT),
        **env: str | None,
    ) -> Running:
        """Start it; `ready`: and wait until /healthz says 200. `env`: further settings; None takes one away."""
        settings = {name: value for name, value in (self.env | env).items() if value is not None}
        process = await asyncio.create_subprocess_exec(
            *command,
            cwd=self.folder,
            env=bare_environment(path) | settings,
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        running = Running(process, f"http://127.0.0.1:{settings.get('WEB_PORT', '8080')}")
        running._reader = asyncio.create_task(_read(process, running._stderr))
        self.started.append(running)
        if ready:
            await running.until_health(200)
        return running

    @asynccontextmanager
    async def running(self, **env: str | None) -> AsyncIterator[Running]:
        """A process that is ready, and is ended by SIGTERM."""
        process = await self.start(**env)
        yield process
        await process.terminate()

    async def refused(self, **env: str | None) -> str:
        """What a process says that cannot start: its exit status is 1, and there is no traceback."""
        process = await self.start(ready=False, **env)
        assert await process.ended(START_S) == 1, process.stderr
        assert "Traceback" not in process.stderr
        for secret in self.secrets():
            assert secret not in process.stderr
        return process.stderr

    # -- the outside

    async def go_online(self) -> None:
        """Discord's servers are there (again, at the same addresses)."""
        port = int(self.discord.api_url.split(":")[2].split("/")[0]) if self.discord.api_url else 0
        await self._discord_up.enter_async_context(self.discord.running(port=port))

    async def go_offline(self) -> None:
        """Discord's servers are gone."""
        await self._discord_up.aclose()

    async def link(self, member: int, account: str, *, name: str | None = None) -> None:
        """Link a member without a browser, while no process runs: tokens as the flow would have stored them."""
        await self.link_all({member: account}, name=name)

    async def link_all(self, members: Mapping[int, str], *, name: str | None = None) -> None:
        """Link these members, each with this account."""
        storage = await open_storage(self.database, [read_key(KEY)])
        try:
            for member, account in members.items():
                if account not in self.spotify.accounts:
                    shown = name or account.title()
                    self.spotify.add_account(account, account_id=f"acc-{account}", display_name=shown)
                known = self.spotify.accounts[account]
                access, refresh = self.spotify.issue_tokens(account)
                now = datetime.now(UTC)
                link = Link(MemberId(member), SPOTIFY_ID, known.account_id, known.name, now, now, None)
                await storage.links.put(link, access, refresh, now + timedelta(hours=1))
        finally:
            await storage.close()

    def rows(self, query: str, *values: object) -> list[sqlite3.Row]:
        """What the database holds, seen from outside; it changes nothing."""
        with closing(sqlite3.connect(f"file:{self.database}?mode=ro", uri=True, timeout=5.0)) as connection:
            connection.row_factory = sqlite3.Row
            return connection.execute(query, values).fetchall()

    def saved(self, account: str = "ada") -> list[str]:
        """The albums in an account's library."""
        return list(self.spotify.accounts[account].saved)

    async def save(self, text: str, member: int = ADA, **where: Any) -> WireInteraction:
        """`/save`."""
        return await self.discord.slash(member, "save", {"albums": text}, **where)

    async def unsave(self, text: str, member: int = ADA, **where: Any) -> WireInteraction:
        """`/unsave`."""
        return await self.discord.slash(member, "unsave", {"albums": text}, **where)

    def syncs(self) -> list[str]:
        """The paths at which commands were registered so far."""
        return [r.path for r in self.discord.requests if r.method == "PUT" and r.path.endswith("/commands")]

    def secrets(self) -> set[str]:
        """Everything that nobody may read."""
        return {secret for secret in self.discord.secrets | self.spotify.secrets | {KEY, SPOTIFY_SECRET} if secret}


@asynccontextmanager
async def outside(folder: Path, **env: str) -> AsyncIterator[Outside]:
    """Both platforms, running. Whatever process is left at the end is killed."""
    folder.mkdir(parents=True, exist_ok=True)
    port = free_port()
    public_url = f"http://127.0.0.1:{port}"
    spotify = SpotifyServer(
        client_id=SPOTIFY_ID,
        client_secret=SPOTIFY_SECRET,
        redirect_uris={f"{public_url}/callback/spotify"},
        catalogue=Catalogue(),
    )
    discord = DiscordWire(application_id=APP, bot_token=BOT_TOKEN, client_secret=DISCORD_SECRET)
    discord.redirect_uris = [f"{public_url}/callback/discord"]
    found = Outside(discord, spotify, folder, {})
    async with spotify.running() as spotify_url:
        await found.go_online()
        found.env |= {
            "DISCORD_TOKEN": BOT_TOKEN,
            "DISCORD_CLIENT_ID": str(APP),
            "DISCORD_CLIENT_SECRET": DISCORD_SECRET,
            "SPOTIFY_CLIENT_ID": SPOTIFY_ID,
            "SPOTIFY_SEATS": "0",  # as an app with extended quota: some tests link hundreds of members
            "SPOTIFY_CLIENT_SECRET": SPOTIFY_SECRET,
            "PUBLIC_URL": public_url,
            "WEB_PORT": str(port),
            "DATABASE_PATH": str(folder / "data" / "gatefold.db"),
            "TOKEN_KEYS": KEY,
            "DISCORD_API_URL": discord.api_url,
            "DISCORD_GATEWAY_URL": discord.gateway_url,
            "DISCORD_CDN_URL": discord.cdn_url,
            "SPOTIFY_API_URL": f"{spotify_url}/v1",
            "SPOTIFY_ACCOUNTS_URL": spotify_url,
            "SPOTIFY_SHORT_LINK_URL": spotify_url,
            **env,
        }
        try:
            yield found
        finally:
            for process in found.started:
                if process.is_up:
                    await process.kill()
            await found.go_offline()


def bare_environment(path: str) -> dict[str, str]:
    """An environment with nothing of ours in it but where to find the code."""
    kept: Mapping[str, str] = {name: os.environ[name] for name in ("PATH", "HOME", "LANG") if name in os.environ}
    return {**kept, "PYTHONPATH": path}


async def _read(process: asyncio.subprocess.Process, lines: list[str]) -> None:
    assert process.stdout is not None
    while line := await process.stdout.readline():
        lines.append(line.decode(errors="replace"))


@asynccontextmanager
async def forwarded(port: int, url: str) -> AsyncIterator[None]:
    """A port at which another server on loopback is reached."""
    target = urlsplit(url).port

    async def pipe(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionError):
            while data := await reader.read(65536):
                writer.write(data)
                await writer.drain()
        writer.close()

    async def forward(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        there, back = await asyncio.open_connection("127.0.0.1", target)
        await asyncio.gather(pipe(reader, back), pipe(there, writer))

    server = await asyncio.start_server(forward, "127.0.0.1", port)
    try:
        yield
    finally:
        server.close()


async def until_said(interaction: WireInteraction, words: str, timeout_s: float = 8.0) -> str:
    """The text of a private message, once it holds these words."""
    try:
        async with asyncio.timeout(timeout_s):
            while words not in (text := "\n".join(texts(interaction.history[-1])) if interaction.history else ""):
                await asyncio.sleep(0.01)
    except TimeoutError:
        raise AssertionError(f"{interaction.what} was not told {words!r} but {interaction.history[-1:]}") from None
    return text


def sentences(stderr: str) -> list[str]:
    """The lines of an output, without the log's."""
    return [line for line in stderr.splitlines() if line and not re.match(r"\d{4}-\d\d-\d\dT", line)]
