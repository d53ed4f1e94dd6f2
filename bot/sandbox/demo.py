"""The demo: one page with the chat, the members and their libraries, and switches for the world around the bot."""

from __future__ import annotations

import asyncio
import json
import os
import signal
import socket
import sys
import webbrowser
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import asynccontextmanager, suppress
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from urllib.parse import urlsplit

import aiohttp
import click
import simcord
from aiohttp import web
from simcord.backend.errors import BackendError, SetupError

from bot import logs
from bot.clubs.album_clubs import STEP
from bot.errors import StorageUnavailable
from bot.sandbox.chat_frame import ChatFrame
from bot.sandbox.clock import pass_time
from bot.sandbox.portraits import BOT, portrait
from bot.sandbox.scene import Scene
from bot.sandbox.stage import Stage, set_up
from bot.sandbox.standin import free_port
from bot.sandbox.switches import Mood, Switches
from bot.web.listening import why_not

REFRESH_S = 0.3
OWNED, OWNED_EVERY = 6, 5
"""How many albums of the catalogue each member has at the start: every fifth, from the last one."""
ALIVE_S = 15.0
"""How often a page whose world does not change is told that the demo runs."""
HOST = "127.0.0.1"
MESSAGE_COMMANDS = ("Save albums", "Add to crate", "Share as card", "Remove card")
STEPS = {"hour": timedelta(hours=1), "day": timedelta(days=1), "week": timedelta(days=7)}
NEXT_POST = "step"
"""Until a club posts something."""
STEPS_MOST = 20
_PAGE = Path(__file__).with_name("page")
_STATIC = {"demo.css": "text/css", "demo.js": "text/javascript", "chat.css": "text/css", "chat.js": "text/javascript"}
_POLICY = (
    "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self'; connect-src 'self'; frame-src 'self';"
    " base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_HEADERS = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}

Handler = Callable[[web.Request], Awaitable[web.StreamResponse]]


class Demo:
    """The page, and what its buttons do."""

    def __init__(self, stage: Stage, chat: ChatFrame) -> None:
        self._stage = stage
        self._chat = chat
        self._switches = Switches(stage.env, stage.spotify)
        self._scene = Scene(stage, self._switches)
        self._passing: asyncio.Task[None] | None = None
        self._faces = {name.lower(): portrait(name) for name in (*stage.members, BOT)}

    def routes(self) -> list[web.RouteDef]:
        """Everything that the page needs; all other addresses are the chat's."""
        return [
            web.get("/", self._index),
            web.get("/chat", self._chat.frame),
            web.get("/demo/events", self._events),
            web.get("/demo/face/{name}.png", self._face),
            web.get("/demo/cover/{name}.png", self._cover),
            web.get("/demo/{name}", self._static),
            web.post("/demo/mood", self._set_mood),
            web.post("/demo/listed", self._set_listed),
            web.post("/demo/messages", self._set_messages),
            web.post("/demo/clock", self._move_clock),
            web.post("/demo/apps", self._message_command),
            web.post("/demo/press", self._press),
            web.post("/demo/write", self._write),
            web.route("*", "/{tail:.*}", self._chat.forward),
        ]

    async def keep_fresh(self) -> None:
        """Show what was written in the channel: SimCord shows it by itself only to those whose action caused it."""
        shown: object = None
        while True:
            await asyncio.sleep(REFRESH_S)
            with suppress(StorageUnavailable):
                await self._scene.look()
            self._moved()
            if (written := self._written()) != shown:
                # while the bot is at work it cannot be: the next round shows it
                with suppress(SetupError, TimeoutError):
                    await self._chat.refresh()
                    shown = written

    def _written(self) -> object:
        """What is different whenever a message of the channel was sent, edited or deleted."""
        messages = self._stage.env.backend.messages.get(self._stage.channel.id, {}).values()
        return [(message.id, message.edited_timestamp, message.flags) for message in messages]

    def _moved(self) -> None:
        self._stage.catch_up()
        self._switches.look()

    # -- what is shown

    async def _index(self, request: web.Request) -> web.Response:
        html = (_PAGE / "demo.html").read_text(encoding="utf-8")
        html = html.replace("{{capability}}", self._chat.capability).replace(
            "{{spotify}}", self._stage.spotify.base_url
        )
        headers = {**_HEADERS, "Content-Security-Policy": _POLICY}
        return web.Response(text=html, content_type="text/html", headers=headers)

    async def _static(self, request: web.Request) -> web.Response:
        name = request.match_info["name"]
        if name not in _STATIC:
            raise web.HTTPNotFound
        return web.Response(text=(_PAGE / name).read_text("utf-8"), content_type=_STATIC[name], headers=_HEADERS)

    async def _face(self, request: web.Request) -> web.Response:
        if (png := self._faces.get(request.match_info["name"])) is None:
            raise web.HTTPNotFound
        return web.Response(body=png, content_type="image/png", headers={"Cache-Control": "max-age=3600"})

    async def _cover(self, request: web.Request) -> web.Response:
        png = await asyncio.to_thread(self._stage.spotify.catalogue.cover, request.match_info["name"])
        if png is None:
            raise web.HTTPNotFound
        return web.Response(body=png, content_type="image/png", headers={"Cache-Control": "max-age=3600"})

    async def _events(self, request: web.Request) -> web.StreamResponse:
        """The state of the world, whenever it changes: server-sent events."""
        answer = web.StreamResponse(headers={**_HEADERS, "Content-Type": "text/event-stream"})
        await answer.prepare(request)
        shown, quiet_s = "", 0.0
        with suppress(ConnectionError, asyncio.CancelledError):
            while True:
                state = json.dumps(self._scene.state())
                if state != shown or quiet_s >= ALIVE_S:
                    await answer.write(f"data: {state}\n\n".encode())
                    shown, quiet_s = state, 0.0
                await asyncio.sleep(REFRESH_S)
                quiet_s += REFRESH_S
        return answer

    # -- what can be done

    async def _set_mood(self, request: web.Request) -> web.Response:
        fields = await _fields(request)
        self._switches.set_mood(Mood(fields["mood"]))
        return _done()

    async def _set_listed(self, request: web.Request) -> web.Response:
        fields = await _fields(request)
        self._switches.list_account(fields["account"], bool(fields["on"]))
        return _done()

    async def _set_messages(self, request: web.Request) -> web.Response:
        fields = await _fields(request)
        async with self._chat.turn:
            self._switches.open_messages(self._member(fields["member"]), bool(fields["on"]))
        return _done()

    async def _move_clock(self, request: web.Request) -> web.Response:
        fields = await _fields(request)
        step = fields["by"]
        if step == NEXT_POST and await self._next_step_at() is None:
            raise web.HTTPConflict(text="There is no club yet. /curate new starts one.")
        move = self._until_post() if step == NEXT_POST else self._pass_time(STEPS[step])
        if self._scene.passing is not None:
            move.close()
            raise web.HTTPConflict(text="The clock is moving already.")
        self._scene.passing = step
        # It goes on when the page that asked is closed.
        self._passing = asyncio.create_task(self._passed(move), name="clock")
        await asyncio.shield(self._passing)
        return web.json_response({"clock": self._scene.clock()}, headers=_HEADERS)

    async def _passed(self, move: Awaitable[None]) -> None:
        try:
            await move
        finally:
            self._scene.passing = None

    async def _next_step_at(self) -> datetime | None:
        return await self._stage.services.storage.timers.next_at([STEP])

    async def _until_post(self) -> None:
        """From step to step of the club. Some are private, such as reminders: they do not count."""
        before = self._posts()
        for _ in range(STEPS_MOST):
            if (step_at := await self._next_step_at()) is None:
                return
            await self._pass_time(max(step_at - self._stage.clock.now(), timedelta()) + timedelta(seconds=1))
            if self._posts() > before:
                return

    def _posts(self) -> int:
        """How many messages the channel has that everybody sees."""
        messages = self._stage.env.backend.messages.get(self._stage.channel.id, {}).values()
        return sum(not message.is_ephemeral for message in messages)

    async def _pass_time(self, by: timedelta) -> None:
        await pass_time(self._stage.services, self._stage.clock, by, self._moved)

    async def _message_command(self, request: web.Request) -> web.Response:
        """A command of a message's Apps menu, which SimCord's page does not offer."""
        fields = await _fields(request)
        member = self._member(fields["member"])
        if fields["command"] not in MESSAGE_COMMANDS:
            raise web.HTTPBadRequest(text="There is no such command.")
        message_id = int(fields["message"])

        async def act() -> None:
            channel = self._stage.channel
            target = next((each for each in channel.history(viewer=member) if each.id == message_id), None)
            if target is None:
                raise web.HTTPNotFound(text="This message is gone.")
            await member.context_menu(channel, fields["command"], target)

        return await self._acted(act)

    async def _press(self, request: web.Request) -> web.Response:
        """A button of a direct message."""
        fields = await _fields(request)
        member = self._member(fields["member"])
        message_id = int(fields["message"])

        async def act() -> None:
            channel = member.user.dm_channel
            target = next((each for each in channel.history(viewer=member.user) if each.id == message_id), None)
            if target is None:
                raise web.HTTPNotFound(text="This message is gone.")
            await member.user.click(target, custom_id=fields["customId"])

        return await self._acted(act)

    async def _write(self, request: web.Request) -> web.Response:
        """A message in a thread, which SimCord's page does not show."""
        fields = await _fields(request)
        member = self._member(fields["member"])

        async def act() -> None:
            threads = self._stage.channel.threads
            thread = next((each for each in threads if str(each.id) == fields["thread"]), None)
            if thread is None:
                raise web.HTTPNotFound(text="This thread is gone.")
            await member.send(thread, fields["text"])

        return await self._acted(act)

    async def _acted(self, act: Callable[[], Awaitable[None]]) -> web.Response:
        """Do something in SimCord's world as a member, and show what comes of it."""
        async with self._chat.turn:
            try:
                await act()
            except (SetupError, BackendError, TimeoutError) as error:
                raise web.HTTPConflict(text=str(error)) from None
        await self._chat.refresh()
        return _done()

    def _member(self, id_: str) -> simcord.MemberActor:
        found = next((member for member in self._stage.members.values() if str(member.id) == id_), None)
        if found is None:
            raise web.HTTPNotFound(text="There is no such member.")
        return found


async def _fields(request: web.Request) -> dict[str, str]:
    """The JSON object of a request. A form of another site cannot send this type."""
    if request.content_type != "application/json":
        raise web.HTTPUnsupportedMediaType
    fields = await request.json()
    if not isinstance(fields, dict):
        raise web.HTTPBadRequest
    return fields


def _done() -> web.Response:
    return web.json_response({"done": True}, headers=_HEADERS)


@web.middleware
async def _only_here(request: web.Request, handler: Handler) -> web.StreamResponse:
    """Nothing for other hosts' pages, whatever name they give this machine; and no traceback for odd input."""
    host = urlsplit(f"//{request.host}").hostname
    origin = request.headers.get("Origin")
    if host not in (HOST, "localhost") or (origin is not None and urlsplit(origin).netloc != request.host):
        raise web.HTTPForbidden
    try:
        return await handler(request)
    except (KeyError, ValueError):
        raise web.HTTPBadRequest from None


@asynccontextmanager
async def running(stage: Stage, port: int = 0) -> AsyncIterator[str]:
    """Serve the demo's page; yields its address. OSError if the port is taken."""
    assets = {url: (f"{url.rsplit('/', 1)[-1]}.png", png) for url, png in stage.spotify.catalogue.covers().items()}
    preview = stage.env.preview(
        stage.channel, viewers=list(stage.members.values()), layout="channel", locale="en-GB", assets=assets, port=0
    )
    async with preview, aiohttp.ClientSession() as session:
        demo = Demo(stage, ChatFrame(preview, session))
        app = web.Application(middlewares=[_only_here], client_max_size=32 * 1024 * 1024)
        app.add_routes(demo.routes())
        runner = web.AppRunner(app, access_log=None, handler_cancellation=True, shutdown_timeout=0.2)
        await runner.setup()
        fresh = asyncio.create_task(demo.keep_fresh(), name="fresh")
        try:
            site = web.TCPSite(runner, HOST, port or free_port())
            await site.start()
            stage.links.chat = f"http://{HOST}:{runner.addresses[0][1]}/"
            yield stage.links.chat
        finally:
            fresh.cancel()
            await asyncio.gather(fresh, return_exceptions=True)
            await runner.cleanup()


def furnish(stage: Stage) -> None:
    """Let the members have libraries already, as people have."""
    albums = [*stage.spotify.catalogue.albums]
    for number, name in enumerate(stage.members):
        saved = stage.spotify.accounts[name.lower()].saved
        for place, album in enumerate(albums[-1 - number :: -OWNED_EVERY][:OWNED]):
            saved[album] = stage.clock.now() - timedelta(days=40 + 17 * place + number)


async def show(port: int) -> int:
    """Show the demo until Ctrl-C. 1 if it cannot be at the port."""
    logs.configure("WARNING", "console", ())
    if port and (problem := _why_not(port)):
        click.echo(f"{problem} Choose another port: make demo PORT=8000, or --port 8000.", err=True)
        return 1
    async with set_up() as stage:
        await stage.members["Chloe"].send(
            stage.channel, "New here? Type / below. /link links a Spotify account, and /save saves an album."
        )
        furnish(stage)
        async with running(stage, port) as address:
            click.echo(_welcome(address), color=False if os.environ.get("NO_COLOR") else None)
            if has_browser(os.environ, sys.platform, is_terminal=sys.stdout.isatty()):
                await asyncio.to_thread(partial(webbrowser.open, address))
            stop = asyncio.Event()
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
            await stop.wait()
    click.echo("Closed. Nothing was kept.")
    return 0


def _why_not(port: int) -> str | None:
    """Why the page cannot be at this port; None if it can."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((HOST, port))
        except OSError as error:
            return why_not(HOST, port, error)[0]
    return None


def has_browser(environment: Mapping[str, str], platform: str, *, is_terminal: bool) -> bool:
    """Whether somebody sits in front of this machine who can be shown a page."""
    if not is_terminal or environment.get("SSH_CONNECTION") or environment.get("CI"):
        return False
    has_display = environment.get("DISPLAY") or environment.get("WAYLAND_DISPLAY")
    return platform in ("darwin", "win32") or bool(has_display)


def _welcome(address: str) -> str:
    bold = click.style
    return "\n".join(
        (
            "",
            bold("Gatefold, on this machine. No account is needed, nothing leaves it.", bold=True),
            "",
            f"  Open this page    {bold(address, fg='cyan')}",
            "",
            "Three things to try:",
            "  1. Type /link and press its button: say who you are, then agree on the next page.",
            "  2. Type /save and a few letters of a title, pick an album, and press Undo under its card.",
            "  3. Be another member, and paste two ids into /save:",
            "     4aawyAB9vmqN3uQ7FjRGTy 1uyf3l2d4XYwiEqAb7t7fX",
            "",
            "Ctrl-C ends it, and everything is forgotten.",
            "",
        )
    )
