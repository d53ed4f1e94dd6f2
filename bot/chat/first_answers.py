"""First answers to interactions, by the short way: a card is sent once, and nothing is sent back.

discord.py lets Discord send the message of each first answer back and builds objects of it. That costs more than the
rest of an answer, and nobody here reads them. What Discord does not take at once is left to discord.py.
https://discord.com/developers/docs/interactions/receiving-and-responding#create-interaction-response
"""

from __future__ import annotations

import asyncio
from typing import Any
from urllib.parse import quote

import aiohttp
import discord
import msgspec
from discord.http import MultipartParameters, Route, json_or_text
from discord.webhook.async_ import AsyncWebhookAdapter, async_context

AGAIN_S = 1.0
"""How long discord.py, too, waits before the second try."""
_PATH = "/interactions/{webhook_id}/{webhook_token}/callback"
_JSON = {"Content-Type": "application/json"}


class _Adapter(AsyncWebhookAdapter):
    async def create_interaction_response(  # type: ignore[override]  # discord.py's returns the coroutine
        self,
        interaction_id: int,
        token: str,
        *,
        session: aiohttp.ClientSession,
        params: MultipartParameters,
        **proxy: Any,
    ) -> dict[str, Any]:
        """Send an answer; what is returned says only to which interaction.

        discord.HTTPException; ValueError where Discord's answer is not the 204 that it should be.
        """
        if params.files or not await _is_taken(session, interaction_id, token, params.payload, proxy):
            route = Route("POST", _PATH, webhook_id=interaction_id, webhook_token=token)
            payload = None if params.files else params.payload
            answer = await self.request(
                route, session, payload=payload, multipart=params.multipart, files=params.files, **proxy
            )
            if answer != "":
                raise ValueError("an answer where there should be none")
        return {"interaction": {"id": interaction_id}}


async def _is_taken(
    session: aiohttp.ClientSession, interaction_id: int, token: str, payload: Any, proxy: dict[str, Any]
) -> bool:
    """Send an answer once; False: discord.py is to send it."""
    try:
        body = msgspec.json.encode(payload)
    except (TypeError, UnicodeEncodeError):  # a subclass of str, or half a character
        return False
    url = Route.BASE + _PATH.format(webhook_id=interaction_id, webhook_token=quote(token, safe=""))
    async with session.post(url, data=body, headers=_JSON, **proxy) as response:
        if response.status == 204:
            return True
        said = await json_or_text(response)
    if response.status >= 500:
        await asyncio.sleep(AGAIN_S)
        return False
    # 429 without `Via` is Cloudflare's, which bans the address: no use to send it again
    if response.status == 429 and response.headers.get("Via") and isinstance(said, dict):
        await asyncio.sleep(float(said["retry_after"]))
        return False
    if response.status < 300:
        raise ValueError("an answer where there should be none")
    raise (discord.NotFound if response.status == 404 else discord.HTTPException)(response, said)


def answer_shortly() -> None:
    """From here on, this task and those that it starts send first answers so."""
    async_context.set(_Adapter())  # type: ignore[no-untyped-call]  # discord.py's has no annotation
