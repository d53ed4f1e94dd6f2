"""The loopback HTTP server that every stand-in is: it writes down all calls, and fails on demand."""

from __future__ import annotations

import asyncio
import contextlib
import json
import random
import socket
import time
from collections.abc import AsyncIterator, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from urllib.parse import parse_qsl

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from bot.sandbox.faults import Body, Fault, Faults

_HANG_CHECK_S = 0.01


@dataclass(frozen=True, slots=True)
class Call:
    """One call as it came in. `account`: whose token, code or refresh token it carried, if known.

    `body`: the JSON value, the fields of a form as a dict, other bodies as text, None without one.
    `status` and `ended_at` are None while the call is under way; times are of the monotonic clock.
    """

    method: str
    path: str
    query: tuple[tuple[str, str], ...] = field(repr=False)
    body: object = field(repr=False)
    headers: Mapping[str, str] = field(repr=False)
    account: str | None
    started_at: float
    status: int | None = None
    ended_at: float | None = None

    def param(self, name: str) -> str | None:
        """A parameter of the query, or None."""
        return next((value for key, value in self.query if key == name), None)


class StandIn:
    """What all stand-ins share. `calls` is in order of arrival; `secrets` has all that no log may show."""

    def __init__(self, *, delay_s: float = 0.0) -> None:
        """`delay_s`: how long every counted call takes at least, as if the network were that slow."""
        self.calls: list[Call] = []
        self.secrets: set[str] = set()
        self.faults = Faults()
        self.delay_s = delay_s
        self.in_flight = 0
        self.max_in_flight = 0
        self.base_url = ""
        self._stopping: asyncio.Event | None = None

    # -- what a stand-in says about itself

    def routes(self) -> Iterable[web.AbstractRouteDef]:
        """Everything that it serves."""
        raise NotImplementedError

    def is_recorded(self, path: str) -> bool:
        """Whether calls to this path are written down."""
        return True

    def is_counted(self, path: str) -> bool:
        """Whether calls to this path count as in flight, and are delayed."""
        return True

    def caller(self, request: web.Request, body: object) -> str | None:
        """Whose call this is, as far as its token tells."""
        return None

    def unrouted(self, request: web.Request, refusal: web.HTTPException) -> web.StreamResponse:
        """The answer where no route fits (404, 405)."""
        return web.Response(status=refusal.status, text=refusal.reason)

    # -- faults

    def fault(
        self,
        *,
        path: str,
        method: str = "*",
        status: int | None = None,
        body: Body | None = None,
        headers: Mapping[str, str] | None = None,
        times: int | None = 1,
        carried_out: bool = False,
        cut: bool = False,
        delay_s: float = 0.0,
        hang: bool = False,
        account: str | None = None,
    ) -> None:
        """Let something go wrong; `Fault` says what the words mean. Earlier faults come first."""
        self.faults.add(
            Fault(path, method, status, body, headers or {}, times, carried_out, cut, delay_s, hang, account)
        )

    def clear_faults(self, account: str | None = None) -> None:
        """Nothing goes wrong any more; with `account`, nothing that is meant for this one alone."""
        self.faults.clear(account)

    # -- serving

    @asynccontextmanager
    async def running(self, host: str = "127.0.0.1", port: int = 0) -> AsyncIterator[str]:
        """Serve until the block ends; yields the base URL. Can be started again, all it knows stays."""
        self._stopping = asyncio.Event()
        app = web.Application(middlewares=[self._middleware], client_max_size=1024 * 1024)
        app.add_routes(self.routes())
        runner = web.AppRunner(
            app,
            access_log=None,  # it would write codes and tokens
            handler_cancellation=False,
            shutdown_timeout=0.2,
            max_line_size=256 * 1024,  # too long a line is answered by us, as the real one does
        )
        await runner.setup()
        try:
            site = web.TCPSite(runner, host, port)
            await site.start()
            bound = runner.addresses[0][1]
            self.base_url = f"http://[{host}]:{bound}" if ":" in host else f"http://{host}:{bound}"
            yield self.base_url
        finally:
            self._stopping.set()
            await runner.cleanup()

    @property
    def _middleware(self) -> Middleware:
        @web.middleware
        async def middleware(request: web.Request, handler: Handler) -> web.StreamResponse:
            return await self._receive(request, handler)

        return middleware

    async def _receive(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        if not self.is_recorded(request.path):
            return await self._routed(request, handler)
        body = _parsed(request.content_type, await request.read())
        call = Call(
            request.method,
            request.path,
            tuple(request.query.items()),
            body,
            {name.lower(): value for name, value in request.headers.items()},
            self.caller(request, body),
            time.monotonic(),
        )
        self.calls.append(call)
        counted = self.is_counted(request.path)
        if counted:
            self.in_flight += 1
            self.max_in_flight = max(self.max_in_flight, self.in_flight)
        status: int | None = None
        try:
            if counted and self.delay_s > 0:
                await asyncio.sleep(self.delay_s)
            response = await self._answer(request, handler, call.account)
            status = response.status
            return response
        finally:
            if counted:
                self.in_flight -= 1
            self._ended(replace(call, status=status, ended_at=time.monotonic()), call)

    def _ended(self, done: Call, begun: Call) -> None:
        for place in range(len(self.calls) - 1, -1, -1):
            if self.calls[place] is begun:  # not there any more if a test emptied the list
                self.calls[place] = done
                return

    async def _answer(self, request: web.Request, handler: Handler, account: str | None) -> web.StreamResponse:
        fault = self.faults.take(request.method, request.path, account)
        if fault is None:
            return await self._routed(request, handler)
        if fault.delay_s > 0:
            await asyncio.sleep(fault.delay_s)
        real: web.StreamResponse | None = None
        if fault.carried_out or not (fault.answers or fault.hang):
            real = await self._routed(request, handler)
        if fault.hang:
            return await self._hang(request)
        if fault.answers or real is None:
            content, content_type = fault.content()
            headers = {"Content-Type": content_type, **fault.headers}
            answer = web.Response(status=fault.status or 200, body=content, headers=headers)
        else:
            assert isinstance(real, web.Response)
            answer = real
        return await self._cut(request, answer) if fault.cut else answer

    async def _routed(self, request: web.Request, handler: Handler) -> web.StreamResponse:
        try:
            return await handler(request)
        except web.HTTPException as refusal:
            return self.unrouted(request, refusal)

    async def _hang(self, request: web.Request) -> web.StreamResponse:
        assert self._stopping is not None
        while (transport := request.transport) is not None and not transport.is_closing():
            # aiohttp tells a handler nothing when the caller goes away, unless it may cancel the handler.
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._stopping.wait(), _HANG_CHECK_S)
                break
        _close(request)
        return web.Response(status=503)

    async def _cut(self, request: web.Request, whole: web.Response) -> web.StreamResponse:
        body = whole.body if isinstance(whole.body, bytes | bytearray) else b""
        headers = {name: value for name, value in whole.headers.items() if name != "Content-Length"}
        answer = web.StreamResponse(status=whole.status, headers=headers)
        answer.content_length = max(2, len(body))
        await answer.prepare(request)
        await answer.write(bytes(body[: len(body) // 2]) or b"{")
        _close(request)
        return answer


def _close(request: web.Request) -> None:
    if request.transport is not None:
        request.transport.close()


def _parsed(content_type: str, raw: bytes) -> object:
    if not raw:
        return None
    text = raw.decode(errors="replace")
    if content_type == "application/x-www-form-urlencoded":
        return dict(parse_qsl(text, keep_blank_values=True))
    if content_type == "application/json":
        try:
            return json.loads(text)
        except ValueError:
            return text
    return text


def free_port() -> int:
    """A port of loopback that is free now, and that the system gives to nobody by itself in the next moment."""
    while True:
        port = random.randrange(15_000, 32_000)  # below those that connections get
        with socket.socket() as probe, contextlib.suppress(OSError):
            probe.bind(("127.0.0.1", port))
            return port
