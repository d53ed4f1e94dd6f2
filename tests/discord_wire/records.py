"""What the wire writes down: requests, interactions and what the bot made of them, faults on demand."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, NamedTuple, TypedDict, TypeVar

from tests.discord_wire.messages import Json

T = TypeVar("T")


class Refused(Exception):
    def __init__(self, status: int, code: int, message: str, *problems: str) -> None:
        super().__init__(message)
        self.status, self.code, self.problems = status, code, problems


class Bell:
    """Lets any number of tasks wait until something is there."""

    def __init__(self) -> None:
        self._waiting: list[asyncio.Future[None]] = []

    def ring(self) -> None:
        waiting, self._waiting = self._waiting, []
        for future in waiting:
            if not future.done():
                future.set_result(None)

    async def until(self, look: Callable[[], T | None], timeout_s: float, lack: Callable[[], str]) -> T:
        """The first thing that `look` finds; TimeoutError says what was lacking."""
        try:
            async with asyncio.timeout(timeout_s):
                while not (found := look()):
                    self._waiting.append(future := asyncio.get_running_loop().create_future())
                    await future
                return found
        except TimeoutError:
            raise TimeoutError(f"{lack()} within {timeout_s} s") from None


@dataclass(slots=True)
class WireRequest:
    """One request; `path` begins after `/api/v10`, `body` is JSON or a form, `status` 0: not answered."""

    method: str
    path: str
    query: dict[str, str]
    headers: Mapping[str, str] = field(repr=False)
    at: float
    body: Any = None
    files: dict[str, bytes] = field(default_factory=dict)
    status: int = 0


class Fault(NamedTuple):
    method: str
    path: str
    status: int | None
    body: Any
    headers: dict[str, str]
    left: list[None]
    delay_s: float
    applied: bool
    user_id: int | None


class WireFile(NamedTuple):
    """A file that a member attaches to a command. `size`: what Discord says; `status`: of the download."""

    name: str
    content: bytes
    size: int | None = None
    status: int = 200


class Where(TypedDict, total=False):
    """Who and where. `context`: 0 in a server, 1 in the bot's direct messages, 2 between other people.

    `thread_of`: the channel is a thread in this one.
    """

    user_name: str
    guild_id: int | None
    channel_id: int
    locale: str
    guild_locale: str
    context: int
    user_install: bool
    thread_of: int


class Place(NamedTuple):
    guild_id: int | None
    channel_id: int
    context: int


@dataclass(slots=True, eq=False)
class WireInteraction:
    """One interaction and all that the bot made of it. Times are those of the wire's clock (monotonic)."""

    id: int
    token: str = field(repr=False)
    kind: int
    what: str
    payload: Json = field(repr=False)
    sent_at: float
    answered_at: float | None = None
    shown_at: float | None = None
    callback: Json | None = None
    refusals: list[str] = field(default_factory=list)
    edits: list[Json] = field(default_factory=list)
    history: list[Json] = field(default_factory=list)
    followups: list[Json] = field(default_factory=list)
    original_id: str = ""
    deleted: bool = False
    _bell: Bell = field(default_factory=Bell, repr=False)

    async def answered(self, timeout: float = 3.0) -> Json:
        """The body of the accepted callback, `{"type", "data"}`."""
        return await self._bell.until(lambda: self.callback, timeout, lambda: self._lack("answer"))

    async def message(self, timeout: float = 3.0, *, version: int = 1) -> Json:
        """The newest original message, once people saw at least `version` versions of it."""
        await self._bell.until(lambda: len(self.history) >= version, timeout, lambda: self._lack("message"))
        return self.history[-1]

    async def followup(self, timeout: float = 3.0, *, number: int = 1) -> Json:
        """The `number`th message sent after the answer (the first one after a defer becomes the original)."""
        await self._bell.until(lambda: len(self.followups) >= number, timeout, lambda: self._lack("follow-up"))
        return self.followups[number - 1]

    @property
    def choices(self) -> list[Json]:
        """What an autocomplete was answered with."""
        return ((self.callback or {}).get("data") or {}).get("choices") or []

    def _lack(self, what: str) -> str:
        return f"no {what} to {self.what}" + (f" (refused: {'; '.join(self.refusals)})" if self.refusals else "")
