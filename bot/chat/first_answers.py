"""First answers to interactions: a message, a new version of the pressed one, or the announcement of either.

They go straight to Discord's endpoint, for which the id and the token of the interaction are enough. discord.py's own
methods let Discord send each message back and build objects of it: that costs more than the rest of an answer, and
nobody here reads them. https://discord.com/developers/docs/interactions/receiving-and-responding
"""

from __future__ import annotations

import asyncio
import io
from collections.abc import Awaitable, Callable
from typing import Any
from urllib.parse import quote

import aiohttp
import discord
import msgspec
from yarl import URL

from bot.chat.cards import Card

AGAIN_S, AGAIN_MOST_S = 1.0, 2.0
"""How long after a 5xx it is sent again; and how long a 429 may ask to wait. Discord takes first answers for 3 s."""
HAS_ANSWER = 40060
"""Discord's code for an interaction that was answered already."""
_SHOWN, _ALONE = discord.MessageFlags(components_v2=True), discord.MessageFlags(components_v2=True, ephemeral=True)
_PRIVATE = discord.MessageFlags(ephemeral=True)
_NOBODY = discord.AllowedMentions.none().to_dict()

File = tuple[str, bytes]
Interaction = discord.Interaction[Any]
Send = Callable[[int, str, dict[str, Any], File | None], Awaitable[None]]
"""Sends one: the id and the token of the interaction, the body, and the file that the card shows, if any."""


class FirstAnswers:
    """What an interaction is answered with first. discord.HTTPException when Discord does not take it."""

    def __init__(self, send: Send) -> None:
        self._send = send

    async def announce(self, interaction: Interaction, *, is_private: bool, edits: bool) -> None:
        """Say that an answer is coming. `edits`: it takes the place of the pressed message, so that nothing is shown."""
        kind = discord.InteractionResponseType.deferred_channel_message
        if edits:
            kind = discord.InteractionResponseType.deferred_message_update
        flags = _PRIVATE.value if is_private and not edits else 0
        await self._send(interaction.id, interaction.token, {"type": kind.value, "data": {"flags": flags}}, None)

    async def message(self, interaction: Interaction, card: Card, *, is_private: bool) -> None:
        """A new message."""
        flags = _ALONE if is_private else _SHOWN
        await self._card(interaction, discord.InteractionResponseType.channel_message, card, flags)

    async def edit(self, interaction: Interaction, card: Card) -> None:
        """The pressed message becomes this card. A file that it had goes: Discord refuses one that nothing shows."""
        await self._card(interaction, discord.InteractionResponseType.message_update, card, _SHOWN)

    async def _card(
        self, interaction: Interaction, kind: discord.InteractionResponseType, card: Card, flags: discord.MessageFlags
    ) -> None:
        attachments = [] if card.attachment is None else [{"id": 0, "filename": card.attachment[0]}]
        data = {
            "components": card.to_components(),
            "flags": flags.value,
            "allowed_mentions": _NOBODY,
            "attachments": attachments,
        }
        body = {"type": kind.value, "data": data}
        await self._send(interaction.id, interaction.token, body, card.attachment)


class Endpoint:
    """The endpoint itself: a `Send` that tries again once where Discord, or the connection to it, had trouble."""

    def __init__(self, session: aiohttp.ClientSession, api_url: str) -> None:
        self._session = session
        self._api_url = api_url

    async def __call__(self, id_: int, token: str, body: dict[str, Any], file: File | None) -> None:
        """Send it. discord.HTTPException; aiohttp's errors.

        Sent twice, it is still taken once: Discord refuses a second first answer, which says that it has the first.
        """
        url = URL(f"{self._api_url}/interactions/{id_}/{quote(token, safe='')}/callback", encoded=True)
        pause_s: float | None
        try:
            refusal, pause_s = await self._try(url, body, file)
        except (aiohttp.ServerDisconnectedError, aiohttp.ClientOSError):
            refusal, pause_s = None, 0.0  # also a connection that Discord closed just before it was used again
        if pause_s is not None:
            await asyncio.sleep(pause_s)
            refusal, _ = await self._try(url, body, file)
            if refusal is not None and refusal.code == HAS_ANSWER:
                return
        if refusal is not None:
            raise refusal

    async def _try(
        self, url: URL, body: dict[str, Any], file: File | None
    ) -> tuple[discord.HTTPException | None, float | None]:
        """Send it once: None when Discord took it, which it says with 204; else why not, and when to send it again."""
        sent = msgspec.json.encode(body)
        data: Any = aiohttp.BytesPayload(sent, content_type="application/json") if file is None else _form(sent, file)
        async with self._session.post(url, data=data, allow_redirects=False) as response:
            if response.status == 204:
                return None, None
            said = _said(await response.read())
            return discord.HTTPException(response, said), _pause_s(response, said)


def _pause_s(response: aiohttp.ClientResponse, said: Any) -> float | None:
    """How long to wait before it is sent again; None: it is not."""
    if response.status >= 500:
        return AGAIN_S
    # 429 without `Via` is Cloudflare's, which bans the address
    if response.status != 429 or not response.headers.get("Via") or not isinstance(said, dict):
        return None
    pause_s = said.get("retry_after")
    return pause_s if isinstance(pause_s, int | float) and 0 <= pause_s <= AGAIN_MOST_S else None


def _form(body: bytes, file: File) -> aiohttp.FormData:
    form = aiohttp.FormData(quote_fields=False)
    form.add_field("payload_json", body.decode())
    form.add_field("files[0]", io.BytesIO(file[1]), filename=file[0], content_type="application/octet-stream")
    return form


def _said(body: bytes) -> Any:
    """What Discord says of a refusal: an object, or a text where it is something else."""
    try:
        said = msgspec.json.decode(body)
    except ValueError:
        said = None
    return said if isinstance(said, dict) else body.decode("utf-8", "replace")
