"""Single messages to Discord outside an interaction's first answer, and what a failure of one means."""

from __future__ import annotations

import asyncio
import hashlib
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import datetime, timedelta
from functools import partial
from types import SimpleNamespace
from typing import Any, TypeVar

import aiohttp
import discord
from discord.http import Route, handle_message_parameters
from discord.webhook.async_ import async_context

from bot.chat.cards import Card

DELIVER_S = 10.0
"""How long one call to Discord may take."""
CALLS_PER_S = 40.0
"""Discord takes 50 calls a second from a bot, answers to interactions aside. What is left is for discord.py's own.

https://discord.com/developers/docs/topics/rate-limits#global-rate-limit
"""
THREAD_EXISTS = 160004
"""Discord's code for a message that has a thread already."""
PUBLIC_THREADS = (10, 11)
"""Discord's types of channels that are threads for everybody who sees their channel."""
PAGE, PAGES_MOST = 100, 50
"""How many messages Discord gives at once, and how many pages of a channel's history are looked at for one message."""
CLOCKS = timedelta(hours=1)
"""How far our clock and Discord's may differ, and might have differed: a clock that is wrong is often an hour off."""
_T = TypeVar("_T")


class Failure(Exception):
    """Discord did not take a message.

    `code`: Discord's, or the error's name; it is safe to log. `is_final`: Discord refused it, and will again.
    `may_have_arrived`: nobody knows, as after a broken connection. `retry_s`: how long Discord asks to wait.
    """

    def __init__(
        self, code: int | str, *, is_final: bool = False, may_have_arrived: bool = False, retry_s: float = 0.0
    ) -> None:
        super().__init__(str(code))
        self.code = code
        self.is_final = is_final
        self.may_have_arrived = may_have_arrived
        self.retry_s = retry_s


class Messages:
    """Sends and edits, at a pace that Discord allows. Every method raises `Failure`, and nothing else."""

    def __init__(
        self,
        client: discord.Client,
        *,
        monotonic: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    ) -> None:
        self._client = client
        self._monotonic = monotonic
        self._sleep = sleep
        self._turns = asyncio.Lock()
        self._next_call = 0.0

    async def call(self, call: Callable[[], Awaitable[_T]]) -> _T:
        """Any other call that counts towards Discord's global limit."""
        await self._turn()
        return await _tried(call)

    async def _turn(self) -> None:
        """Wait for the turn of a call that counts towards Discord's global limit."""
        # One after the other, so that no calls catch up at once where the process was held up.
        async with self._turns:
            if (wait_s := self._next_call - self._monotonic()) > 0:
                await self._sleep(wait_s)
            self._next_call = max(self._next_call, self._monotonic()) + 1 / CALLS_PER_S

    async def edit_answer(self, token: str, card: Card) -> None:
        """Edit the private message of an interaction, also of one from before a restart."""

        async def call() -> None:
            # discord.py does this only through the Interaction, which a restart forgets; so this is what
            # Interaction.edit_original_response does.
            mentions = self._client.allowed_mentions
            files = card.uploads()  # none: a file that the message had goes
            with handle_message_parameters(view=card.view(), allowed_mentions=mentions, attachments=files) as parts:
                await async_context.get().edit_original_interaction_response(
                    self._application_id,
                    token,
                    session=self._webhook(token).session,
                    payload=parts.payload,
                    multipart=parts.multipart,
                    files=parts.files,
                )

        await _tried(call)

    async def follow_up(self, token: str, card: Card) -> None:
        """Send a further private message of an interaction."""
        files = card.uploads() or discord.utils.MISSING
        await _tried(lambda: self._webhook(token).send(view=card.view(), ephemeral=True, files=files))

    async def open_direct(self, member_id: int) -> int:
        """The channel of a member's direct messages."""

        async def call() -> int:
            # create_dm() sends the id as a number, which Discord's description does not allow
            channel: Mapping[str, Any] = await self._client.http.start_private_message(str(member_id))
            return int(channel["id"])

        await self._turn()
        try:
            return await _tried(call)
        except Failure as failure:
            # opening a channel twice gives the same channel, and no message
            raise Failure(failure.code, is_final=failure.is_final, retry_s=failure.retry_s) from None

    async def send(self, channel_id: int, card: Card, nonce: str) -> int:
        """Send a message to a channel; its id. Within a few minutes, Discord takes one nonce only once."""
        mark(card, nonce)

        mentions = discord.AllowedMentions.none()
        if card.pings is not None:
            # discord.Object would send the id as a number, which Discord's description does not allow
            mentions.roles = [SimpleNamespace(id=str(card.pings))]

        async def call() -> int:
            channel = self._client.get_partial_messageable(channel_id)
            files = card.uploads() or discord.utils.MISSING
            reply: Any = None if card.answers is None else _ReplyTo(card.answers)
            sent = await channel.send(
                view=card.view(), nonce=nonce, allowed_mentions=mentions, files=files, reference=reply
            )
            return sent.id

        await self._turn()
        return await _tried(call)

    async def open_thread(self, channel_id: int, message_id: int, name: str) -> int:
        """Open a thread under a message; its id, which is the message's. One that is there already is that thread.

        https://discord.com/developers/docs/resources/channel#start-thread-from-message
        """
        message = self._client.get_partial_messageable(channel_id).get_partial_message(message_id)

        async def call() -> int:
            data = await self._client.http.start_thread_with_message(
                channel_id, message.id, name=name, auto_archive_duration=10080, rate_limit_per_user=None
            )
            return int(data["id"])

        await self._turn()
        try:
            return await _tried(call)
        except Failure as failure:
            if failure.code == THREAD_EXISTS:
                return message_id
            # opening a thread twice gives one thread
            raise Failure(failure.code, is_final=failure.is_final, retry_s=failure.retry_s) from None

    async def edit(self, channel_id: int, message_id: int, card: Card) -> None:
        """Edit a message of ours in a channel."""
        message = self._client.get_partial_messageable(channel_id).get_partial_message(message_id)
        await self._turn()
        files = card.uploads() or discord.utils.MISSING
        mentions = self._client.allowed_mentions
        await _tried(lambda: message.edit(view=card.view(), allowed_mentions=mentions, attachments=files))

    async def find(self, channel_id: int, nonce: str, since: datetime) -> int | None:
        """The id of the message that was sent with this nonce, if it is among the 5,000 that the channel has since then."""
        after = discord.utils.time_snowflake(since - CLOCKS)
        for _ in range(PAGES_MOST):
            page = await self.call(partial(self._client.http.logs_from, channel_id, PAGE, after=after))
            for message in page:
                if any(part.get("id") == marker_of(nonce) for part in message.get("components") or ()):
                    return int(message["id"])
            if len(page) < PAGE:
                return None
            after = max(int(message["id"]) for message in page)
        return None

    async def history(self, channel_id: int, after: int, limit: int = 100) -> list[Mapping[str, Any]]:
        """The messages that follow the one with the id `after`, the oldest first, as Discord sends them.

        At most 100. None come where the bot may not read the history.
        https://discord.com/developers/docs/resources/message#get-channel-messages
        """

        async def call() -> list[Mapping[str, Any]]:
            found = await self._client.http.logs_from(channel_id, limit, after=after)
            return sorted(found, key=lambda message: int(message["id"]))

        return await _tried(call)

    async def parent_of(self, channel_id: int) -> int | None:
        """The channel of a public thread; None: it is no such thread.

        https://discord.com/developers/docs/resources/channel#get-channel
        """

        async def call() -> int | None:
            found: Mapping[str, Any] = await self._client.http.get_channel(channel_id)
            is_thread = found.get("type") in PUBLIC_THREADS
            return int(found["parent_id"]) if is_thread and found.get("parent_id") else None

        await self._turn()
        return await _tried(call)

    async def find_members(self, guild_id: int, name: str) -> list[Mapping[str, Any]]:
        """Members of a server whose username or nickname begins with `name`, as Discord sends them; at most 100.

        https://discord.com/developers/docs/resources/guild#search-guild-members
        """
        route = Route("GET", "/guilds/{guild_id}/members/search", guild_id=guild_id)

        async def call() -> list[Mapping[str, Any]]:
            found: list[Mapping[str, Any]] = await self._client.http.request(
                route, params={"query": name, "limit": 100}
            )
            return found

        await self._turn()
        return await _tried(call)

    async def delete(self, channel_id: int, message_id: int) -> None:
        """Delete a message of ours."""
        await _tried(lambda: self._client.http.delete_message(channel_id, message_id))

    @property
    def _application_id(self) -> int:
        if self._client.application_id is None:
            raise Failure("not logged in")
        return self._client.application_id

    def _webhook(self, token: str) -> discord.Webhook:
        # as Interaction.followup makes it: a partial webhook may not send what only one person sees
        data: Any = {"id": self._application_id, "type": 3, "token": token}
        return discord.Webhook.from_state(data=data, state=self._client._connection)


class _ReplyTo:
    """What discord.py sends as the message that is replied to. Its own would send the id as a number."""

    def __init__(self, message_id: int) -> None:
        self._message_id = message_id

    def to_message_reference_dict(self) -> dict[str, Any]:
        return {"message_id": str(self._message_id), "fail_if_not_exists": False}


def mark(card: Card, nonce: str) -> None:
    """Give a card an invisible mark by which `find` knows it: the id of its container, which Discord keeps.

    https://discord.com/developers/docs/components/reference#anatomy-of-a-component
    """
    card.mark(marker_of(nonce))


def marker_of(nonce: str) -> int:
    """The mark that belongs to a nonce: 31 bits, and above what Discord numbers by itself."""
    return int.from_bytes(hashlib.sha256(nonce.encode()).digest()[:4]) >> 1 | 1 << 20


async def _tried(call: Callable[[], Awaitable[_T]]) -> _T:
    try:
        async with asyncio.timeout(DELIVER_S):
            return await call()
    except Failure:
        raise
    except discord.RateLimited as error:
        raise Failure("rate limited", retry_s=error.retry_after) from None
    except discord.HTTPException as error:
        # discord.py has waited out and repeated what it could. 429: the ban of the address, without a time.
        if error.status == 429:
            raise Failure(error.code, retry_s=60.0) from None
        if not _is_discords(error):
            raise Failure(error.code or error.status, may_have_arrived=True) from None
        # 40003: direct messages are opened too fast
        raise Failure(error.code, is_final=error.code != 40003) from None
    except aiohttp.ClientConnectorError as error:
        raise Failure(type(error).__name__) from None
    except Exception as error:
        # Whatever it is (discord.py takes the shape of an answer for granted). Its text may hold a token.
        raise Failure(type(error).__name__, may_have_arrived=True) from None


def _is_discords(error: discord.HTTPException) -> bool:
    """Whether it is a refusal by Discord itself, and not trouble of its servers or of a proxy in between."""
    is_page = error.text.lstrip("\ufeff \t\r\n").startswith("<")
    return 400 <= error.status < 500 and error.status not in (407, 408, 425) and not is_page
