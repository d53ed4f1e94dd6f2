"""What is around a bot that is measured: both platforms in this process, the bot in a process of its own."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import sys
import tempfile
import time
from collections.abc import AsyncIterator, Callable, Iterable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Literal

from bot.sandbox.catalogue import Catalogue, synthetic
from bot.sandbox.spotify_server import SpotifyServer
from bot.sandbox.standin import free_port
from bot.settings import read_key
from bot.storage import Storage, open_storage
from bot.storage.engine import Connection
from bot.storage.links import ACCESS, REFRESH
from bot.storage.vault import Vault, new_key
from tests.discord_wire import DiscordWire, WireInteraction
from tests.discord_wire.wire import ANSWER_WITHIN_S

ROOT = Path(__file__).resolve().parents[1]
APP = 1_100_000_000_000_000_001
MEMBER = 200_000_000_000_000_001
BOT_TOKEN, DISCORD_SECRET = "bench-token", "bench-secret"
SPOTIFY_ID, SPOTIFY_SECRET = "bench-app", "bench-app-secret"
TOKEN_LIFE_S = 6 * 3600
START_S, STOP_S = 60.0, 20.0
"""How long a start or a stop may take before the measurement is given up."""

Kind = Literal["bare", "gatefold"]
KINDS: tuple[Kind, Kind] = ("bare", "gatefold")


def in_turn(round_: int) -> tuple[Kind, ...]:
    """Both bots; which comes first alternates, so that neither always meets a warmer machine."""
    return KINDS if round_ % 2 == 0 else KINDS[::-1]


def bots_time() -> float:
    """A clock that does not advance while this process works.

    Between an event and its answer it therefore counts what the bot, the kernel and the network's delay took,
    and not the stand-ins' own time.
    """
    return time.monotonic() - time.process_time()


@dataclass(slots=True)
class Bot:
    """A bot's process. `url`: of its site, where it has one."""

    kind: Kind
    process: asyncio.subprocess.Process
    url: str
    log: Path

    def memory_mb(self) -> float:
        """What it holds in memory (VmRSS), in MiB."""
        for line in Path(f"/proc/{self.process.pid}/status").read_text(encoding="utf-8").splitlines():
            if line.startswith("VmRSS:"):
                return int(line.split()[1]) / 1024
        raise RuntimeError("the process has no memory: it ended")

    def processor_s(self) -> float:
        """The processor time that it used so far, all threads together, in seconds.

        The number is the id that `clock_getcpuclockid(3)` gives for a process on Linux.
        """
        return time.clock_gettime(~self.process.pid << 3 | 2)


class Outside:
    """Both platforms with their members, and a folder for the bot. Member 0 is `MEMBER`.

    `own_apps`: how many members, the last ones, each use a Spotify app of their own.
    """

    def __init__(
        self,
        folder: Path,
        *,
        members: int = 1,
        own_apps: int = 0,
        albums: int = 0,
        clock: Callable[[], float] = time.monotonic,
        answer_within_s: float = ANSWER_WITHIN_S,
    ) -> None:
        self.folder = folder
        self.key = new_key()
        self.discord = DiscordWire(
            application_id=APP,
            bot_token=BOT_TOKEN,
            client_secret=DISCORD_SECRET,
            clock=clock,
            answer_within_s=answer_within_s,
        )
        catalogue = Catalogue()
        catalogue.add(synthetic(albums))
        self.spotify = SpotifyServer(
            client_id=SPOTIFY_ID,
            client_secret=SPOTIFY_SECRET,
            redirect_uris=[],
            catalogue=catalogue,
            token_life_s=TOKEN_LIFE_S,
        )
        self.albums = [*catalogue.albums]
        self.synthetic = self.albums[len(self.albums) - albums :]
        self.tokens: dict[int, tuple[str, str]] = {}
        self.apps: dict[int, str] = {}
        for number in range(members):
            self.spotify.add_account(f"m{number}", account_id=f"acc-{number:07}", display_name=f"Member {number}")
            client_id = SPOTIFY_ID
            if number >= members - own_apps:
                client_id = f"{number:032x}"
                self.spotify.register_app(client_id, redirect_uris=(), allowlist=[f"m{number}"])
            self.apps[MEMBER + number] = client_id
            self.tokens[MEMBER + number] = self.spotify.issue_tokens(f"m{number}", client_id=client_id)

    @property
    def database(self) -> Path:
        """The bot's database."""
        return self.folder / "data" / "gatefold.db"

    def saved(self) -> int:
        """How many albums stand in all libraries."""
        return sum(len(account.saved) for account in self.spotify.accounts.values())

    def clear_libraries(self) -> None:
        """Nobody has saved anything."""
        for account in self.spotify.accounts.values():
            account.saved.clear()

    def forget(self) -> None:
        """Drop what the stand-ins wrote down, so that they stay quick and small."""
        self.discord.forget()
        self.spotify.calls.clear()
        gc.collect()

    async def save(self, number: int, text: str) -> WireInteraction:
        """`/save` by a member."""
        return await self.discord.slash(MEMBER + number, "save", {"albums": text})

    @asynccontextmanager
    async def storage(self) -> AsyncIterator[Storage]:
        """The bot's database, while no bot runs."""
        storage = await open_storage(self.database, [read_key(self.key)])
        try:
            yield storage
        finally:
            await storage.close()

    async def link_all(self) -> None:
        """Write every member's link as the flow would have stored it."""
        vault = Vault([read_key(self.key)])
        rows = [
            link_row(vault, member, self.apps[member], f"acc-{member - MEMBER:07}", *tokens)
            for member, tokens in self.tokens.items()
        ]
        async with self.storage() as storage:
            await storage.database.write(lambda c: insert_links(c, rows))

    async def prepare(self, kind: Kind) -> None:
        """Make Gatefold's database, if there is none: with links, and with what the first start of all leaves in it."""
        if kind == "gatefold" and not self.database.exists():
            await self.link_all()
            async with self.started(kind) as bot:
                await self.greeted(bot)

    @asynccontextmanager
    async def running(self, kind: Kind) -> AsyncIterator[Bot]:
        """A bot that has answered its first `/save`."""
        await self.prepare(kind)
        async with self.started(kind) as bot:
            await self.ready(bot)
            yield bot

    @asynccontextmanager
    async def started(self, kind: Kind, *, under: Sequence[str] = ()) -> AsyncIterator[Bot]:
        """A bot's process, from its start to its end. `under`: a command that runs the interpreter, such as valgrind."""
        self.discord.identified.clear()
        self.folder.mkdir(parents=True, exist_ok=True)
        environment = {name: os.environ[name] for name in ("PATH", "LANG") if name in os.environ}
        # The order of sets is the same in every run, and with it the work.
        environment["PYTHONHASHSEED"] = "0"
        environment["PYTHONPATH"] = f"{self._hide_packages(kind)}{os.pathsep}{ROOT}"
        log, port, given = self.folder / "log", free_port(), b""
        if kind == "bare":
            given = json.dumps(self._bare()).encode()
            command = ["-m", "bench.bare"]
        else:
            environment |= self._environment(port)
            command = ["-m", "bot", "run"]
        with log.open("wb") as output:
            process = await asyncio.create_subprocess_exec(
                *under,
                sys.executable,
                *command,
                cwd=self.folder,
                env=environment,
                stdin=asyncio.subprocess.PIPE,
                stdout=output,
                stderr=output,
            )
        assert process.stdin is not None
        process.stdin.write(given)
        process.stdin.close()
        try:
            yield Bot(kind, process, f"http://127.0.0.1:{port}", log)
        finally:
            await stop(process)

    async def greeted(self, bot: Bot) -> None:
        """Until Discord has said READY to it."""
        ended = asyncio.ensure_future(bot.process.wait())
        greeted = asyncio.ensure_future(self.discord.identified.wait())
        await asyncio.wait({ended, greeted}, timeout=START_S, return_when=asyncio.FIRST_COMPLETED)
        ended.cancel()
        if not greeted.done():
            greeted.cancel()
            raise RuntimeError(f"the bot did not start:\n{bot.log.read_text(encoding='utf-8')[-2000:]}")

    async def ready(self, bot: Bot) -> None:
        """Until it has answered a `/save`."""
        await self.greeted(bot)
        await (await self.save(0, self.albums[0])).message(10)

    def _hide_packages(self, kind: Kind) -> Path:
        """A folder for the module path in which packages cannot be imported that others load where they find them.

        structlog loads rich and greenlet: development tools bring them, and the lock for hosts does not have them.
        discord.py loads PyNaCl, for voice: Gatefold brings it, and a bare bot would not have it.
        """
        hidden = self.folder / f"hidden from {kind}"
        hidden.mkdir(exist_ok=True)
        for name in ("rich", "greenlet", *(["nacl"] if kind == "bare" else [])):
            (hidden / f"{name}.py").write_text(f"raise ModuleNotFoundError({name!r})\n", encoding="utf-8")
        return hidden

    def _bare(self) -> dict[str, object]:
        return {
            "discord_api_url": self.discord.api_url,
            "discord_gateway_url": self.discord.gateway_url,
            "discord_token": BOT_TOKEN,
            "spotify_api_url": f"{self.spotify.base_url}/v1",
            "tokens": {member: access for member, (access, _) in self.tokens.items()},
        }

    def _environment(self, port: int) -> dict[str, str]:
        """What a host would set; all else is as it comes, the log included."""
        return {
            "DISCORD_TOKEN": BOT_TOKEN,
            "DISCORD_CLIENT_ID": str(APP),
            "DISCORD_CLIENT_SECRET": DISCORD_SECRET,
            "SPOTIFY_CLIENT_ID": SPOTIFY_ID,
            "SPOTIFY_SEATS": "0",
            "SPOTIFY_CLIENT_SECRET": SPOTIFY_SECRET,
            "PUBLIC_URL": f"http://127.0.0.1:{port}",
            "WEB_PORT": str(port),
            "DATABASE_PATH": str(self.database),
            "TOKEN_KEYS": self.key,
            "DISCORD_API_URL": self.discord.api_url,
            "DISCORD_GATEWAY_URL": self.discord.gateway_url,
            "SPOTIFY_API_URL": f"{self.spotify.base_url}/v1",
            "SPOTIFY_ACCOUNTS_URL": self.spotify.base_url,
        }


@asynccontextmanager
async def outside(
    *,
    members: int = 1,
    own_apps: int = 0,
    albums: int = 0,
    clock: Callable[[], float] = time.monotonic,
    answer_within_s: float = ANSWER_WITHIN_S,
) -> AsyncIterator[Outside]:
    """Both platforms, running, and a folder that is deleted afterwards. Discord must have had no objection.

    `answer_within_s`: how long an interaction may wait for its first answer, which is Discord's 3 s unless given.
    """
    with tempfile.TemporaryDirectory(prefix="gatefold-bench-") as folder:
        made = Outside(
            Path(folder),
            members=members,
            own_apps=own_apps,
            albums=albums,
            clock=clock,
            answer_within_s=answer_within_s,
        )
        gc.collect()
        gc.freeze()
        async with made.discord.running(), made.spotify.running():
            yield made
        gc.unfreeze()
        if made.discord.problems:
            raise RuntimeError(f"Discord objected, so nothing was measured: {made.discord.problems[:3]}")


def link_row(vault: Vault, member: int, app: str, account: str, access: str, refresh: str) -> tuple[object, ...]:
    """A row of `links`, sealed. `app`: the client id through which the member is linked."""
    now, is_own = int(datetime.now(UTC).timestamp()), int(app != SPOTIFY_ID)
    sealed = vault.seal(access, member, ACCESS), vault.seal(refresh, member, REFRESH)
    return member, app, account, account, *sealed, now + TOKEN_LIFE_S, now, now, is_own


def insert_links(c: Connection, rows: Iterable[tuple[object, ...]]) -> None:
    """Insert links by the thousand."""
    c.executemany(
        "INSERT INTO links (member_id, client_id, account_id, account_name, access_sealed, refresh_sealed,"
        " access_expires_at, linked_at, consented_at, is_own_app) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
        rows,
    )


async def stop(process: asyncio.subprocess.Process) -> None:
    """SIGTERM, and SIGKILL to what does not listen."""
    if process.returncode is None:
        process.terminate()
    try:
        async with asyncio.timeout(STOP_S):
            await process.wait()
    except TimeoutError:
        process.kill()
        await process.wait()
