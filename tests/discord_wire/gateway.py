"""The gateway: connections, sessions that can be resumed, and events. https://docs.discord.com/developers/events/gateway"""

from __future__ import annotations

import asyncio
import json
from collections import deque
from contextlib import suppress
from dataclasses import dataclass, field
from secrets import token_hex

from aiohttp import WSMsgType, web

from tests.discord_wire.messages import Json

GUILDS, GUILD_MESSAGES, MESSAGE_CONTENT = 1 << 0, 1 << 9, 1 << 15
PRIVILEGED_INTENTS = {1 << 1: 0b11 << 14, 1 << 8: 0b11 << 12, MESSAGE_CONTENT: 0b11 << 18}
"""Each with the application's flags, one of which says that the portal's switch for it is on."""
_dump = json.JSONEncoder(check_circular=False, separators=(",", ":")).encode


@dataclass(slots=True, eq=False)
class _Session:
    id: str
    shard: tuple[int, int]
    socket: web.WebSocketResponse | None
    intents: int = 0
    seq: int = 0
    sent: deque[tuple[int, str]] = field(default_factory=lambda: deque(maxlen=1000))


class Gateway:
    """Serves the bots that identify with the one token. `bot`: the user that READY shows."""

    def __init__(self, application_id: int, bot_token: str, bot: Json) -> None:
        self.application_id, self._bot_token, self._bot = application_id, bot_token, bot
        self.gateway_url = ""
        self.heartbeats = 0
        self.identified, self.resumed = asyncio.Event(), asyncio.Event()
        self.identifies: list[Json] = []
        # the servers that the bot is in, which every READY lists, whatever the intents
        self.guilds: set[int] = set()
        # what the developer portal has about the app
        self.flags = 0
        self._sessions: dict[str, _Session] = {}
        self._sockets: dict[web.WebSocketResponse, asyncio.Transport | None] = {}

    async def drop_gateway(self, code: int | None = 4000, *, forget: bool = False) -> None:
        """Close every connection, or cut it (None). `forget`: a RESUME will be answered with op 9."""
        self.resumed.clear()
        if forget:
            self._forget_sessions()
        await self.close_sockets(code)

    async def request_reconnect(self) -> None:
        """Op 7: the client closes by itself and resumes."""
        self.resumed.clear()
        await self._to_all({"op": 7, "d": None})

    async def invalid_session(self, resumable: bool) -> None:
        """Op 9: the client resumes, or has to identify anew."""
        self.resumed.clear()
        if not resumable:
            self._forget_sessions()
        await self._to_all({"op": 9, "d": resumable})

    def _forget_sessions(self) -> None:
        self.identified.clear()
        self._sessions.clear()

    async def _to_all(self, frame: Json) -> None:
        for socket in list(self._sockets):
            await self._send(socket, _dump(frame))

    async def close_sockets(self, code: int | None) -> None:
        for socket, transport in list(self._sockets.items()):
            if code is not None:
                await socket.close(code=code)
            elif transport is not None:
                transport.abort()

    @staticmethod
    async def _send(socket: web.WebSocketResponse, text: str) -> None:
        with suppress(ConnectionError):  # it went while we spoke; RESUME brings what was missed
            await socket.send_str(text)

    def session_for(self, guild_id: int | None) -> _Session:
        """The shard that gets it; direct messages go to shard 0."""
        fitting = [s for s in self._sessions.values() if ((guild_id or 0) >> 22) % s.shard[1] == s.shard[0]]
        if not fitting:
            raise RuntimeError("no bot has identified on that shard")
        return next((session for session in fitting if session.socket), fitting[-1])

    def guild(self, guild_id: int) -> Json:
        """A server as GUILD_CREATE shows it."""
        raise NotImplementedError

    async def tell(self, guild_id: int, event: str, data: Json) -> None:
        """An event of a server, its channels, roles or threads, if a bot is there that asked for these."""
        session = self.session_for(guild_id) if self._sessions else None
        if session is not None and session.intents & GUILDS:
            await self.dispatch(session, event, data)

    async def dispatch(self, session: _Session, event: str, data: Json) -> None:
        session.seq += 1
        session.sent.append((session.seq, _dump({"op": 0, "s": session.seq, "t": event, "d": data})))
        if session.socket is not None and not session.socket.closed:
            await self._send(session.socket, session.sent[-1][1])

    async def serve_gateway(self, request: web.Request) -> web.WebSocketResponse:
        socket = web.WebSocketResponse(timeout=1.0, compress=False)
        await socket.prepare(request)
        self._sockets[socket] = request.transport
        session: _Session | None = None
        try:
            await self._send(socket, '{"op": 10, "d": {"heartbeat_interval": 41250}}')
            while (frame := await socket.receive()).type is WSMsgType.TEXT:
                session = await self._gateway_frame(socket, session, json.loads(frame.data))
            if session is not None and frame.type is WSMsgType.CLOSE and frame.data in (1000, 1001):
                self._sessions.pop(session.id, None)  # the client said goodbye: nothing to resume
        finally:
            del self._sockets[socket]
            if session is not None and session.socket is socket:
                session.socket = None
        return socket

    async def _gateway_frame(
        self, socket: web.WebSocketResponse, session: _Session | None, frame: Json
    ) -> _Session | None:
        op, data = frame["op"], frame["d"] or {}
        if op == 1:
            self.heartbeats += 1
            await self._send(socket, '{"op": 11}')
        elif op in (2, 6) and data["token"] != self._bot_token:
            await socket.close(code=4004)
        elif op == 2:
            self.identifies.append({key: value for key, value in data.items() if key != "token"})
            asked = [flags for intent, flags in PRIVILEGED_INTENTS.items() if data["intents"] & intent]
            if not all(self.flags & flags for flags in asked):
                await socket.close(code=4014)
                return None
            shard = data.get("shard") or [0, 1]
            for old in [s for s in self._sessions.values() if list(s.shard) == shard and s.socket is None]:
                del self._sessions[old.id]
            session = _Session(token_hex(16), (shard[0], shard[1]), socket, data["intents"])
            self._sessions[session.id] = session
            ready = {"v": 10, "user": self._bot, "guilds": [], "session_id": session.id, "shard": shard}
            ready |= {"resume_gateway_url": self.gateway_url}
            ready["guilds"] = [{"id": str(guild_id), "unavailable": True} for guild_id in sorted(self.guilds)]
            ready["application"] = {"id": str(self.application_id), "flags": self.flags}
            await self.dispatch(session, "READY", ready)
            self.identified.set()
            on_shard = [id_ for id_ in sorted(self.guilds) if (id_ >> 22) % session.shard[1] == session.shard[0]]
            for guild_id in on_shard:
                await self.tell(guild_id, "GUILD_CREATE", self.guild(guild_id) | {"unavailable": False})
        elif op == 6:
            session = self._sessions.get(data["session_id"])
            if session is None:
                await self._send(socket, '{"op": 9, "d": false}')
                return None
            session.socket = socket
            for seq, text in list(session.sent):
                if seq > data["seq"]:
                    await self._send(socket, text)
            await self.dispatch(session, "RESUMED", {})
            self.resumed.set()
        return session
