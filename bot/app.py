"""The composition root: builds everything once, and starts and stops it in order."""

from __future__ import annotations

import asyncio
import os
import random
import signal
import time
from collections.abc import AsyncIterator, Callable
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import aiohttp
import structlog
from aiohttp import web
from msgspec import Struct

from bot.accounts.apps import Apps, load_host_app
from bot.accounts.browser import Browsers
from bot.accounts.discord_login import DiscordLogin
from bot.accounts.linking import Linking
from bot.accounts.renewals import KIND as RENEWAL
from bot.accounts.renewals import Renewals
from bot.accounts.seats import EXPIRY as SEAT_REQUEST_EXPIRY
from bot.accounts.seats import SeatKeeper
from bot.accounts.tokens import Tokens
from bot.alert_sources import AlertSources
from bot.caller import RequestId
from bot.chat import (
    account,
    club,
    crate_commands,
    help,
    hosting,
    own_app,
    own_data,
    saving,
    servers,
    sharing,
    transfer,
    watching,
)
from bot.chat.attachments import Attachments
from bot.chat.client import Client, IntentRefused, LoginRefused, point_at
from bot.chat.club.answering import Curators
from bot.chat.collecting import Collecting
from bot.chat.crate_pages import CratePages
from bot.chat.crates import CrateCards
from bot.chat.delivery import Delivery
from bot.chat.features import Feature
from bot.chat.first_answers import Endpoint, FirstAnswers
from bot.chat.import_progress import ImportProgress
from bot.chat.messages import Messages
from bot.chat.notices import Notices
from bot.chat.registration import GuildRefused
from bot.chat.reply import Reply
from bot.chat.watched_posts import WatchedPosts
from bot.chat.words import AllWords
from bot.clubs import AlbumClubs
from bot.clubs.past_rounds import PastRounds
from bot.clubs.public_pages import PublicPages
from bot.errors import AppRejected, UserError
from bot.library import Library
from bot.library.finder import AlbumFinder
from bot.library.imports import Importing
from bot.library.library import SWEEP_S
from bot.library.resolver import AlbumResolver
from bot.maintenance import control
from bot.maintenance.backups import Backups
from bot.maintenance.jobs import Maintenance
from bot.monitoring.alerts import Alerts, Cause, Facts
from bot.monitoring.disk import EVERY_S, DiskWatch
from bot.monitoring.measures import Unmeasured
from bot.monitoring.systemd import Supervisor
from bot.schedule import Schedule
from bot.settings import Settings
from bot.spotify.catalogue import Catalogue
from bot.spotify.client import Spotify
from bot.storage import Storage, open_storage
from bot.storage.crates import Crates
from bot.storage.guilds import Guilds
from bot.storage.histories import EDITED_PROGRESS, PROGRESS, READ, Histories
from bot.storage.watches import POSTED, Watches
from bot.web import ops, site
from bot.web.album_names import AlbumNames
from bot.web.listening import why_not

if TYPE_CHECKING:  # loaded only where the host set a port for it
    from bot.monitoring.metrics import Metrics

FINISH_S = 4.0
"""How long work in progress may take to finish when the process is asked to stop."""
TIMERS_S = 1.0
"""The same for timers' handlers. Those that do not finish run again after the next start."""
REFRESHED_S = 7.0
"""The same for a refresh, whose new token may be the only valid one. The process has 10 seconds in total."""

PATIENCE_S = 20.0
"""A start is reported as done after this time at the latest: `systemctl start` must not hang while Discord is down."""

CHECK_AFTER_S = 2.0
"""How long after the first connection Discord is asked about its secret: what members do first goes first."""

_log = structlog.get_logger("gatefold.app")


class StartError(Exception):
    """The bot cannot start; the text says why and what to do."""


class Services(Struct, frozen=True):
    """Everything that the composition root builds."""

    settings: Settings
    storage: Storage
    spotify: Spotify
    apps: Apps
    catalogue: Catalogue
    tokens: Tokens
    linking: Linking
    renewals: Renewals
    seats: SeatKeeper
    library: Library
    importing: Importing
    import_progress: ImportProgress
    clubs: AlbumClubs
    public_pages: PublicPages
    reply: Reply
    client: Client
    delivery: Delivery
    discord_login: DiscordLogin
    maintenance: Maintenance
    backups: Backups | None
    schedule: Schedule
    metrics: Metrics | None
    alerts: Alerts
    now: Callable[[], datetime]
    monotonic: Callable[[], float]

    async def health(self) -> dict[str, bool]:
        """Which parts work."""
        return {
            "commands": self.client.has_commands,
            "gateway": self.client.is_connected,
            "database": await self.storage.database.is_writable(),
        }

    async def readiness(self) -> dict[str, bool]:
        """Which parts can serve now. An outage of Spotify does not count: changes are accepted and queued."""
        return {
            **await self.health(),
            "spotify_app": self.apps.host is None or not self.apps.host.health.is_refused,
            "accepting": not self.reply.is_stopping,
        }


@asynccontextmanager
async def built(
    settings: Settings,
    on_connection: Callable[[bool], None],
    *,
    keepalive_s: float = 60.0,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
    monotonic: Callable[[], float] = time.monotonic,
) -> AsyncIterator[Services]:
    """Build everything. Only the database is started.

    `on_connection`: is told when the connection to Discord comes and goes. `keepalive_s`: of unused connections.
    `now`, `monotonic`: the clocks, wherever hours and days count.
    """
    point_at(settings)
    storage = await open_storage(settings.database_path, settings.sealing_keys())
    # The gate limits calls, so the connector must not.
    session = aiohttp.ClientSession(
        connector=aiohttp.TCPConnector(limit=0, keepalive_timeout=keepalive_s),
        cookie_jar=aiohttp.DummyCookieJar(),
    )
    try:
        yield await _build(settings, storage, session, on_connection, now, monotonic)
    finally:
        await session.close()
        await storage.close()


async def _build(
    settings: Settings,
    storage: Storage,
    session: aiohttp.ClientSession,
    on_connection: Callable[[bool], None],
    now: Callable[[], datetime],
    monotonic: Callable[[], float],
) -> Services:
    # Imports point down only, so a lower package that causes something above it is given a callable. What these use is
    # made below.
    alerts = Alerts(storage.alerts, tell=lambda alert: notices.tell_host(alert), now=now, monotonic=monotonic)
    await alerts.load()
    sources = AlertSources(alerts)
    apps = Apps(
        storage.apps,
        await load_host_app(
            storage.apps,
            settings.spotify_client_id,
            settings.spotify_secret,
            settings.spotify_album_endpoint,
            sources,
            now=now,
            monotonic=monotonic,
        ),
        now=now,
        monotonic=monotonic,
    )
    metrics = None
    if settings.metrics_port:
        from bot.monitoring.metrics import Metrics

        metrics = Metrics(
            lambda: [app.gate for app in apps.loaded], storage.database, storage.changes, lambda: services.readiness()
        )
    measures = metrics or Unmeasured()
    spotify = Spotify(
        session,
        api_url=settings.spotify_api_url,
        accounts_url=settings.spotify_accounts_url,
        oembed_url=settings.spotify_oembed_url,
        short_link_url=settings.spotify_short_link_url,
        observe=measures.called,
    )
    tokens = Tokens(
        storage.links, spotify, apps, on_refresh=measures.refreshed, on_unopenable=sources.unopenable, now=now
    )
    catalogue = Catalogue(spotify, apps.host, monotonic=monotonic)
    resolver = AlbumResolver(spotify, catalogue, tokens, monotonic=monotonic)
    finder = AlbumFinder(spotify, catalogue, tokens, resolver)
    library = Library(storage.changes, tokens, resolver, spotify, now=now, monotonic=monotonic)
    await library.recover()
    browsers = Browsers(storage.attempts, now=now)
    login = DiscordLogin(session, browsers, settings, on_secret=sources.discord_secret)
    renewals = Renewals(storage, now=now)
    seats = SeatKeeper(storage, apps, tokens, settings.spotify_seats, now=now)
    linking = Linking(
        storage,
        spotify,
        apps,
        tokens,
        renewals,
        browsers,
        login,
        settings,
        on_linked=library.linked,
        on_unlinked=library.unlinked,
        tell=lambda news: notices.tell_link(news),
        put=lambda c, news: notices.put_link(c, news),
        now=now,
    )
    words = AllWords(f"{settings.public_url}/privacy", settings.spotify_seats)
    reply = Reply(words, measures.answered, FirstAnswers(Endpoint(session, settings.discord_api_url)))
    clubs = AlbumClubs(storage, now=now)
    public_pages = PublicPages(storage, settings.public_url, now=now)
    names = club.Names(catalogue)
    answering = club.Answering(clubs, names, finder, reply, Curators(now), now)
    importing = Importing(storage.imports, library, tokens, spotify, now=now)
    attachments = Attachments(session, (settings.discord_cdn_url, settings.discord_api_url))

    past_rounds = PastRounds(storage, now)

    async def parent_of(channel_id: int) -> int | None:
        return await messages.parent_of(channel_id)  # made below, since it needs the client

    posts = WatchedPosts(storage.watches, finder, parent_of, now=now)

    def watch(request: RequestId) -> None:
        progress.watch(request)  # made below, since it needs the client

    ways = own_app.OwnApp(linking, seats, settings.spotify_seats, reply)
    members = account.Account(linking, renewals, ways, tokens, library, resolver, reply)
    host_answers = hosting.Hosting(seats, reply)
    client = Client(
        features(
            members,
            host_answers,
            ways,
            linking,
            renewals,
            tokens,
            library,
            resolver,
            finder,
            storage.crates,
            storage.guilds,
            importing,
            attachments,
            watch,
            reply,
            spotify,
            answering,
            past_rounds,
            public_pages,
            storage,
            storage.watches,
            storage.histories,
            posts,
            settings.message_content,
            now,
        ),
        reply,
        storage.commands,
        words.command_ids,
        settings.dev_guild_id,
        on_connection,
        settings.hosts,
        settings.discord_client_id,
    )
    messages = Messages(client)
    delivery = Delivery(storage.outbox, messages, words, client.hosts, storage.links.locale_of, now=now)
    club.deliver(clubs, names, delivery)
    delivery.register(POSTED, posts.draw)
    collecting = Collecting(storage.histories, storage.crates, posts, messages, now=now)
    for kind in (PROGRESS, EDITED_PROGRESS):
        delivery.register(kind, collecting.draw)
    notices = Notices(delivery, storage.outbox, library, importing, now=now)
    progress = ImportProgress(storage.imports, storage.changes, library, messages, words, now=now)
    account.deliver(members, delivery)
    hosting.deliver(host_answers, delivery)
    maintenance = Maintenance(storage.database, settings.sealing_keys())
    backups = None
    if settings.backup_folder is not None:
        every_s = settings.backup_every_hours * 3600.0
        backups = Backups(
            settings.backup_folder,
            every_s,
            settings.backup_keep,
            maintenance.back_up,
            on_trouble=sources.backup_failed,
            on_made=sources.backup_made,
            now=now,
        )
    storage.database.listen(sources.database)
    schedule = Schedule(storage.timers, now=now)
    await clubs.begin()
    club.schedule_imports(schedule, delivery, storage.club_imports, storage.clubs, past_rounds, finder, now)
    club.schedule_clubs(schedule, clubs, names, client, messages, words, delivery, now)
    schedule.register(RENEWAL, renewals.remind)
    if settings.message_content:
        schedule.register(READ, collecting.step, max_concurrent=2)
    schedule.register(SEAT_REQUEST_EXPIRY, seats.expire)
    services = Services(
        settings,
        storage,
        spotify,
        apps,
        catalogue,
        tokens,
        linking,
        renewals,
        seats,
        library,
        importing,
        progress,
        clubs,
        public_pages,
        reply,
        client,
        delivery,
        login,
        maintenance,
        backups,
        schedule,
        metrics,
        alerts,
        now,
        monotonic,
    )
    return services


def features(
    members: account.Account,
    host_answers: hosting.Hosting,
    ways: own_app.OwnApp,
    linking: Linking,
    renewals: Renewals,
    tokens: Tokens,
    library: Library,
    resolver: AlbumResolver,
    finder: AlbumFinder,
    crates: Crates,
    guilds: Guilds,
    importing: Importing,
    attachments: Attachments,
    watch: Callable[[RequestId], None],
    reply: Reply,
    spotify: Spotify,
    answering: club.Answering,
    past_rounds: PastRounds,
    public_pages: PublicPages,
    storage: Storage,
    watches: Watches,
    histories: Histories,
    posts: WatchedPosts,
    reads_messages: bool,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> tuple[Feature, ...]:
    """What the bot does in Discord."""
    saver = saving.Saving(ways, renewals, library, resolver, reply)
    crate_cards = CrateCards(crates, finder, reply, public_pages, rng=random.SystemRandom(), now=now)
    return (
        saving.feature(saver),
        account.feature(members),
        own_app.feature(ways),
        hosting.feature(host_answers),
        crate_commands.feature(crate_cards, CratePages(crates, public_pages, reply, now=now), saver, reply),
        sharing.feature(sharing.Sharing(finder, crate_cards, saver, reply), saver),
        club.feature(
            answering, public_pages, spotify, tokens, saver, crates, storage.club_imports, past_rounds, attachments
        ),
        transfer.feature(importing, library, tokens, attachments, watch, reply),
        watching.feature(
            watching.Watching(
                watches, histories, crates, reply, is_allowed=reads_messages, curators=Curators(now), now=now
            ),
            posts,
            crate_cards,
            reply,
            is_allowed=reads_messages,
        ),
        own_data.feature(own_data.OwnData(storage, linking, finder, reply), reply),
        servers.feature(guilds, now=now),
        help.feature(reply),
    )


@asynccontextmanager
async def website(
    services: Services, amend: Callable[[web.Application], None] = lambda site: None
) -> AsyncIterator[int]:
    """The listening web site; yields its port. `amend`: may change the site before it listens, as the sandbox does."""
    names = AlbumNames(services.catalogue, monotonic=services.monotonic, now=services.now)
    app = site.build(
        services.linking,
        services.discord_login,
        services.settings,
        services.health,
        services.readiness,
        services.public_pages,
        names,
    )
    amend(app)
    try:
        async with site.serving(app, services.settings.web_host, services.settings.web_port) as port:
            yield port
    finally:
        await names.stop()


@asynccontextmanager
async def measuring(services: Services) -> AsyncIterator[None]:
    """The metrics on a port of their own, if the host set one."""
    settings = services.settings
    if (metrics := services.metrics) is None:
        yield
        return
    async with ops.serving_metrics(metrics.scrape, settings.metrics_host, settings.metrics_port):
        loop_watch = asyncio.create_task(metrics.watch_loop(), name="loop watch")
        try:
            yield
        finally:
            loop_watch.cancel()
            await asyncio.gather(loop_watch, return_exceptions=True)


@asynccontextmanager
async def scheduled(services: Services) -> AsyncIterator[None]:
    """Runs what is due: backups, the check of the disk, and every timer that was set."""
    schedule = services.schedule
    disk = DiskWatch(
        services.storage.database.path,
        services.storage.database.is_writable,
        lambda free: services.alerts.raise_(Cause.DISK, Facts(free=free)),
        lambda: services.alerts.end(Cause.DISK),
    )
    schedule.repeat("storage sweep", SWEEP_S, lambda: services.storage.sweep(services.now()))
    schedule.repeat("disk", EVERY_S, disk.look)
    if (backups := services.backups) is not None:
        every_s = services.settings.backup_every_hours * 3600.0
        schedule.repeat("backup", every_s, backups.run, first_at=await backups.first_at())
    task = asyncio.create_task(schedule.work(), name="schedule")
    try:
        yield
    finally:
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
        await schedule.stop(TIMERS_S)


@asynccontextmanager
async def supervised(
    services: Services, supervisor: Supervisor, *, patience_s: float = PATIENCE_S
) -> AsyncIterator[None]:
    """Tell the supervisor that the event loop and the database's thread are alive.

    `patience_s`: after this long it is told that the bot is ready, even if Discord is not connected.
    """
    supervisor.status("Connecting to Discord")
    watch = asyncio.create_task(supervisor.watch(services.storage.database.is_answering), name="watchdog")
    late = asyncio.get_running_loop().call_later(
        patience_s, supervisor.ready_at_last, "Discord does not respond; trying again"
    )
    try:
        yield
    finally:
        late.cancel()
        watch.cancel()
        await asyncio.gather(watch, return_exceptions=True)


@asynccontextmanager
async def working(services: Services) -> AsyncIterator[asyncio.Task[None]]:
    """The workers for pending changes and messages. At the end, work in progress is finished or stays queued."""
    # After the login, because it tells members.
    services.schedule.repeat("library sweep", SWEEP_S, services.library.sweep)
    services.schedule.repeat("outbox sweep", SWEEP_S, services.delivery.sweep)
    services.schedule.repeat("imports sweep", SWEEP_S, services.importing.sweep)
    services.schedule.repeat("renewal timers", SWEEP_S, services.renewals.catch_up)
    services.schedule.repeat("link attempts sweep", SWEEP_S, services.linking.sweep)
    await services.import_progress.take_up()
    library = asyncio.create_task(services.library.work(), name="library")
    delivery = asyncio.create_task(services.delivery.work(), name="delivery")
    worker = asyncio.create_task(_until_one_ends(library, delivery), name="worker")
    try:
        yield worker
    finally:
        loop = asyncio.get_running_loop()
        begun = loop.time()
        services.reply.is_stopping = services.linking.is_stopping = True
        library.cancel()
        await asyncio.gather(library, return_exceptions=True)
        await asyncio.gather(
            services.library.stop(FINISH_S),
            services.import_progress.stop(),
            services.linking.finish_links(FINISH_S),
            services.alerts.stop(FINISH_S),
        )
        # Last, because what has just finished may have needed a refresh, and must be told.
        delivery.cancel()
        await asyncio.gather(delivery, worker, return_exceptions=True)
        await asyncio.gather(
            services.tokens.stop(max(begun + REFRESHED_S - loop.time(), 0.0)),
            services.delivery.stop(1.0),
        )
        await services.reply.finish(1.0)
        await services.library.finish_notes()


async def _until_one_ends(*tasks: asyncio.Task[None]) -> None:
    """Run until one of them ends, and raise its error."""
    done, _ = await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
    for task in done:
        task.result()


def serve(settings: Settings) -> None:
    """Run the bot until SIGTERM or SIGINT, on uvloop where it is installed. StartError if it cannot start."""
    try:
        import uvloop
    except ModuleNotFoundError:
        asyncio.run(run(settings))
    else:
        uvloop.run(run(settings))


async def run(settings: Settings, *, now: Callable[[], datetime] = lambda: datetime.now(UTC)) -> None:
    """Run the bot until SIGTERM or SIGINT. StartError if it cannot start. `now`: see `built`."""
    stop, connected = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    supervisor = Supervisor.from_environment(os.environ)

    def connection(is_connected: bool) -> None:
        # Discord is connected only after the commands are registered.
        if is_connected:
            connected.set()
            supervisor.ready("Serving")
        elif not stop.is_set():
            supervisor.status("Discord is gone; connecting again")

    supervisor.status("Opening the database")
    async with built(settings, connection, now=now) as services, AsyncExitStack() as stack:
        await stack.enter_async_context(supervised(services, supervisor))
        try:
            port = await stack.enter_async_context(website(services))
        except OSError as error:
            raise _cannot_listen("WEB", settings.web_host, settings.web_port, error) from None
        try:
            await stack.enter_async_context(measuring(services))
        except OSError as error:
            raise _cannot_listen("METRICS", settings.metrics_host, settings.metrics_port, error) from None
        await stack.enter_async_context(scheduled(services))
        # for `gatefold backup` and `gatefold rotate-key`
        await stack.enter_async_context(control.listening(settings.database_path, services.maintenance.jobs()))
        _log.info("listening", host=settings.web_host, port=port, public_url=settings.public_url)
        await stack.enter_async_context(checking_secrets(services, connected))
        try:
            await _until(stop, _chat(services), supervisor)
        except LoginRefused:
            await services.alerts.note(Cause.DISCORD_TOKEN)
            raise StartError(
                "DISCORD_TOKEN: Discord does not accept it. Press Reset Token on the Bot page of your app, and set the new "
                "token. `gatefold setup` checks it at once."
            ) from None
        except IntentRefused:
            raise StartError(
                "MESSAGE_CONTENT: Discord does not let the bot read messages. Turn on Message Content Intent on the Bot "
                "page of your app, or set MESSAGE_CONTENT=off."
            ) from None
        except GuildRefused:
            raise StartError(
                f"DEV_GUILD_ID: the bot cannot register commands in the server {settings.dev_guild_id}. "
                "Invite the bot to that server, or remove the setting."
            ) from None
    _log.info("stopped")


def _cannot_listen(which: str, host: str, port: int, error: OSError) -> StartError:
    problem, to_do = why_not(host, port, error)
    return StartError(f"{problem} {to_do.format(host=f'{which}_HOST', port=f'{which}_PORT')}")


@asynccontextmanager
async def checking_secrets(services: Services, connected: asyncio.Event) -> AsyncIterator[None]:
    """Check once whether Spotify and Discord accept the host's secrets, so that a wrong one is noticed at the start.

    Discord is asked once the bot is `connected`: that does not delay the start, nor fail where Discord cannot be reached.
    """

    async def check_spotify() -> None:
        host = services.apps.host
        if host is None or host.client_secret is None:
            return
        try:
            await services.spotify.app_token(host)
        except AppRejected:
            _log.error(
                "Spotify does not accept SPOTIFY_CLIENT_ID with SPOTIFY_CLIENT_SECRET. Copy both again from your app's "
                "settings in Spotify's developer dashboard, and restart the bot. `gatefold setup` checks them at once."
            )
        except UserError:
            pass  # an outage: whoever needs Spotify next finds out

    async def check_discord() -> None:
        await connected.wait()
        await asyncio.sleep(CHECK_AFTER_S)
        try:
            is_accepted = await services.discord_login.check_secret()
        except UserError:
            return  # an outage: whoever links next finds out
        if not is_accepted:
            _log.error(
                "Discord does not accept DISCORD_CLIENT_ID with DISCORD_CLIENT_SECRET, so nobody can link. Press Reset Secret "
                "on the OAuth2 page of your app, set DISCORD_CLIENT_SECRET to the new secret, and restart the bot. "
                "`gatefold setup` checks it at once."
            )

    checks = [
        asyncio.create_task(check_spotify(), name="spotify secret"),
        asyncio.create_task(check_discord(), name="discord secret"),
    ]
    try:
        yield
    finally:
        for check in checks:
            check.cancel()
        await asyncio.gather(*checks, return_exceptions=True)


async def _until(stop: asyncio.Event, work: asyncio.Task[None], supervisor: Supervisor) -> None:
    """Wait until `stop` is set, or until the work ends by itself, and raise its error."""
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({work, stopping}, return_when=asyncio.FIRST_COMPLETED)
    stopping.cancel()
    supervisor.stopping("Finishing what is in flight")
    if not work.done():
        _log.info("stopping")
        work.cancel()
    with suppress(asyncio.CancelledError):
        await work


def _chat(services: Services) -> asyncio.Task[None]:
    async def chat() -> None:
        async with services.client as client:
            await client.log_in(services.settings.discord_token.get_secret_value())
            services.alerts.tell_late()
            gateway = asyncio.create_task(client.stay_connected(), name="gateway")
            try:
                # The gateway is closed last, so that members who ask meanwhile get an answer, too.
                async with working(services) as worker:
                    await asyncio.wait({gateway, worker}, return_when=asyncio.FIRST_COMPLETED)
                    for task in (gateway, worker):
                        if task.done():
                            task.result()
            finally:
                gateway.cancel()
                await asyncio.gather(gateway, return_exceptions=True)

    return asyncio.create_task(chat(), name="chat")
