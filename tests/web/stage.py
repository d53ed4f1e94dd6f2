"""The web site on loopback, as `bot/app.py` builds it but without Discord's client, and browsers before it."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlencode, urlsplit, urlunsplit

import aiohttp
from aiohttp import web
from yarl import URL

from bot.accounts.apps import Apps
from bot.accounts.browser import Browsers
from bot.accounts.discord_login import DiscordLogin as OurDiscordLogin
from bot.accounts.linking import Linked, Linking, LinkNews
from bot.accounts.renewals import Renewals
from bot.accounts.tokens import Tokens
from bot.caller import MemberId
from bot.clubs.public_pages import PublicPages
from bot.errors import UserError
from bot.sandbox.catalogue import Catalogue
from bot.sandbox.discord_login import DiscordLogin
from bot.sandbox.spotify_server import SpotifyServer
from bot.sandbox.standin import free_port
from bot.settings import Settings, load
from bot.spotify.catalogue import Catalogue as Known
from bot.spotify.client import Spotify
from bot.storage import Storage, open_storage
from bot.web import site
from bot.web.album_names import AlbumNames
from tests.accounts.stage import made_tokens
from tests.callers import caller
from tests.spotify.stage import made_app, unobserved

MIA, NOAH = MemberId(200_000_000_000_000_001), MemberId(200_000_000_000_000_002)
DISCORD_ID, DISCORD_SECRET = "1100000000000000001", "discord-client-secret-of-the-tests"
SPOTIFY_ID, SPOTIFY_SECRET = "5f0a1c2d3e4f5a6b7c8d9e0f1a2b3c4d", "spotify-client-secret-of-the-tests"
KEY = "c2VhbGluZyBrZXkgZm9yIHRlc3RzLCAzMiBieXRlcyE"
TOKEN_CALL, PROFILE_CALL = "/api/token", "/v1/me"


class Clock:
    """The wall clock of the bot, which a test can push."""

    def __init__(self) -> None:
        self.ahead = timedelta()

    def __call__(self) -> datetime:
        return datetime.now(UTC) + self.ahead


@dataclass(frozen=True)
class Answer:
    """What a browser got. `headers` are those of aiohttp (a name may come twice)."""

    status: int
    headers: Mapping[str, str]
    text: str
    cookies: tuple[str, ...] = ()

    @property
    def goes_to(self) -> str:
        """Where it redirects; empty if it does not."""
        return self.headers.get("Location", "")

    @property
    def title(self) -> str:
        """The tab's title, without the product's name at its end."""
        return self.text.partition("<title>")[2].partition("</title>")[0].removesuffix(" · Gatefold")


class Browser:
    """One browser with its own cookies. It follows no redirect unless it is told to."""

    def __init__(self, stage: Stage, session: aiohttp.ClientSession) -> None:
        self.stage = stage
        self.session = session

    async def get(self, url: str, method: str = "GET", **options: Any) -> Answer:
        """One request. An address at PUBLIC_URL, or a path, goes to where the site listens."""
        url = url.replace(self.stage.settings.public_url, "", 1)
        url = f"http://127.0.0.1:{self.stage.port}{url}" if url.startswith("/") else url
        options.setdefault("allow_redirects", False)
        where = URL(url, encoded=True)
        async with self.session.request(method, where, **options) as response:
            cookies = tuple(response.headers.getall("Set-Cookie", ()))
            return Answer(response.status, response.headers.copy(), await response.text(), cookies)

    async def decide(self, consent: str, **fields: str) -> str:
        """Press a button on a consent page; the callback to which that leads, not opened yet."""
        return (await self.get(consent, "POST", data=fields)).goes_to

    async def open(self, link: str) -> str:
        """Open a link of `/link`; Discord's consent page."""
        answer = await self.get(link)
        assert answer.status == 303, answer
        return answer.goes_to

    async def be(self, user: int, consent: str) -> str:
        """Say at Discord who one is; our callback."""
        return await self.decide(consent, user=str(user))

    async def agree(self, account: str, consent: str) -> str:
        """Agree at Spotify; our callback."""
        return await self.decide(consent, account=account, decision="agree")

    async def to_spotify(self, link: str, user: int = MIA) -> str:
        """From the link to Spotify's consent page."""
        answer = await self.get(await self.be(user, await self.open(link)))
        assert answer.status == 303, answer
        return answer.goes_to

    async def to_last_callback(self, link: str, user: int = MIA, account: str = "mia") -> str:
        """From the link through both consents to our last callback, not opened yet."""
        return await self.agree(account, await self.to_spotify(link, user))

    async def link(self, user: int = MIA, account: str = "mia") -> Answer:
        """The whole flow as this member, in this browser: the last page."""
        return await self.get(await self.to_last_callback(await self.stage.ask(user), user, account))


@dataclass
class Stage:
    """Everything that a test of the site looks at."""

    settings: Settings
    storage: Storage
    client: Spotify
    apps: Apps
    tokens: Tokens
    linking: Linking
    browsers: Browsers
    discord: DiscordLogin
    spotify: SpotifyServer
    clock: Clock
    woken: list[MemberId]
    public_pages: PublicPages
    names: AlbumNames
    app: web.Application = field(default_factory=web.Application)
    port: int = 0
    health: Callable[[], Awaitable[dict[str, bool]]] = field(default_factory=lambda: _healthy)
    told: list[LinkNews] = field(default_factory=list)
    stored: list[LinkNews] = field(default_factory=list)
    unlinked: list[MemberId] = field(default_factory=list)
    asked: int = 0
    accepted: list[bool] = field(default_factory=list)
    """Whether Discord took the client secret, each time that this showed."""

    async def ask(self, member: int = MIA, locale: str = "en-US") -> str:
        """`/link`: the address that the member's private message shows."""
        self.asked += 1
        return await self.linking.start_link(caller(member, token=f"answer-token-{self.asked}", locale=locale))

    @asynccontextmanager
    async def browser(self) -> AsyncIterator[Browser]:
        """Another browser."""
        jar = aiohttp.CookieJar(unsafe=True)  # it also takes cookies of an IP address
        async with aiohttp.ClientSession(cookie_jar=jar, max_line_size=2**20) as session:
            yield Browser(self, session)

    def cookie(self, browser: Browser) -> dict[str, str]:
        """The header with which a browser sends its cookie now, to send it once more later."""
        cookies = browser.session.cookie_jar.filter_cookies(URL(self.settings.public_url))
        return {"Cookie": "; ".join(f"{name}={cookie.value}" for name, cookie in cookies.items())}

    # -- what came of it

    def calls(self, path: str) -> int:
        """How often the bot called this at Spotify."""
        return sum(call.path == path for call in self.spotify.calls)

    @property
    def identifications(self) -> int:
        """How often the bot asked Discord to turn a code into an identity."""
        return sum(call.path == "/api/v10/oauth2/token" for call in self.discord.calls)

    @property
    def news(self) -> list[Linked | UserError]:
        """What members were told."""
        return [told.news for told in self.told]

    async def rows(self, table: str) -> list[dict[str, Any]]:
        """A whole table."""
        query = f"SELECT * FROM {table} ORDER BY rowid"
        return await self.storage.database.read(lambda c: [dict(row) for row in c.execute(query)])

    async def counts(self) -> tuple[int, int, int]:
        """How many links, link attempts and hops are stored."""
        tables = [await self.rows(table) for table in ("links", "link_attempts", "oauth_states")]
        return len(tables[0]), len(tables[1]), len(tables[2])

    def written(self) -> bytes:
        """The database's files as a thief would read them."""
        path = self.settings.database_path
        return b"".join(part.read_bytes() for part in path.parent.glob(f"{path.name}*"))


def changed(url: str, **parameters: str | None) -> str:
    """The same address with other parameters; None takes one away."""
    parts = urlsplit(url)
    query: dict[str, str | None] = {name: values[0] for name, values in parse_qs(parts.query).items()}
    query |= parameters
    return urlunsplit(parts._replace(query=urlencode({k: v for k, v in query.items() if v is not None})))


def parameter(url: str, name: str) -> str:
    """One parameter of an address."""
    return parse_qs(urlsplit(url).query)[name][0]


async def _healthy() -> dict[str, bool]:
    return {"database": True}


async def _no_sleep(seconds: float) -> None:
    await asyncio.sleep(0)


@asynccontextmanager
async def raised(
    folder: Path,
    *,
    idle_s: float = site.IDLE_S,
    prepare: Callable[[web.Application], None] = lambda app: None,
    **overrides: Any,
) -> AsyncIterator[Stage]:
    """The site and its stand-ins, running. `prepare`: adds to the application before it runs. `overrides`: settings."""
    port = free_port()
    public_url = overrides.setdefault("public_url", f"http://127.0.0.1:{port}")
    discord = DiscordLogin(
        client_id=DISCORD_ID,
        client_secret=DISCORD_SECRET,
        redirect_uris={f"{public_url}/callback/discord"},
        users={MIA: "Mia", NOAH: "Noah"},
    )
    spotify = SpotifyServer(
        client_id=SPOTIFY_ID,
        client_secret=SPOTIFY_SECRET,
        redirect_uris={f"{public_url}/callback/spotify"},
        catalogue=Catalogue(),
    )
    spotify.add_account("mia", account_id="acc-mia", display_name="Mia’s records")
    spotify.add_account("noah", account_id="acc-noah", display_name="Noah’s tapes")
    async with discord.running() as discord_url, spotify.running() as spotify_url:
        values: dict[str, Any] = {
            "discord_token": "discord-bot-token-of-the-tests",
            "discord_client_id": DISCORD_ID,
            "discord_client_secret": DISCORD_SECRET,
            "spotify_client_id": SPOTIFY_ID,
            "spotify_client_secret": SPOTIFY_SECRET,
            "web_port": port,
            "database_path": folder / "gatefold.db",
            "token_keys": KEY,
            "discord_api_url": f"{discord_url}/api/v10",
            "discord_authorize_url": f"{discord_url}/oauth2/authorize",
            "spotify_api_url": f"{spotify_url}/v1",
            "spotify_accounts_url": spotify_url,
            "spotify_short_link_url": spotify_url,
            "spotify_oembed_url": f"{spotify_url}/oembed",
            **overrides,
        }
        async with _served(load(None, **values), discord, spotify, idle_s, prepare) as stage:
            yield stage


@asynccontextmanager
async def _served(
    settings: Settings,
    discord: DiscordLogin,
    spotify: SpotifyServer,
    idle_s: float,
    prepare: Callable[[web.Application], None],
) -> AsyncIterator[Stage]:
    clock = Clock()
    storage = await open_storage(settings.database_path, settings.sealing_keys())
    session = aiohttp.ClientSession(cookie_jar=aiohttp.DummyCookieJar())
    try:
        client = Spotify(
            session,
            api_url=settings.spotify_api_url,
            accounts_url=settings.spotify_accounts_url,
            oembed_url=settings.spotify_oembed_url,
            observe=unobserved,
            sleep=_no_sleep,
        )
        host = made_app(settings.spotify_client_id, settings.spotify_secret) if settings.spotify_client_id else None
        apps = Apps(storage.apps, host)
        tokens = made_tokens(storage, client, apps, clock)
        woken: list[MemberId] = []
        accepted: list[bool] = []
        browsers = Browsers(storage.attempts, now=clock)
        login = OurDiscordLogin(session, browsers, settings, on_secret=accepted.append)
        linking = Linking(
            storage,
            client,
            apps,
            tokens,
            Renewals(storage, now=clock),
            browsers,
            login,
            settings,
            on_linked=woken.append,
            on_unlinked=lambda member: stage.unlinked.append(member),
            tell=lambda news: tell(news),
            put=lambda c, news: stage.stored.append(news),
            now=clock,
        )
        public_pages = PublicPages(storage, settings.public_url, now=clock)
        names = AlbumNames(Known(client, host), wait_s=60.0)
        stage = Stage(
            settings,
            storage,
            client,
            apps,
            tokens,
            linking,
            browsers,
            discord,
            spotify,
            clock,
            woken,
            public_pages,
            names,
        )
        stage.accepted = accepted

        async def tell(news: LinkNews) -> None:
            stage.told.append(news)

        async def health() -> dict[str, bool]:
            return await stage.health()

        stage.app = site.build(linking, login, settings, health, health, public_pages, names)
        prepare(stage.app)
        async with site.serving(stage.app, settings.web_host, settings.web_port, idle_s=idle_s) as stage.port:
            yield stage
        await names.stop()
    finally:
        await session.close()
        await storage.close()
