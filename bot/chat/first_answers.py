"""First answers to interactions, without a copy of the message.

discord.py lets Discord send the message of each first answer back and builds objects of it: a quarter of what a card
costs, and nobody here reads them.
https://discord.com/developers/docs/interactions/receiving-and-responding#create-interaction-response
"""

from __future__ import annotations

from typing import Any

from discord.http import MultipartParameters, Route
from discord.webhook.async_ import AsyncWebhookAdapter, async_context


class _Adapter(AsyncWebhookAdapter):
    async def create_interaction_response(  # type: ignore[override]  # discord.py's returns the coroutine
        self, interaction_id: int, token: str, *, params: MultipartParameters, **session: Any
    ) -> dict[str, Any]:
        """Without `with_response`: Discord answers 204. ValueError when it is anything else than that.

        What is returned says only which interaction it was.
        """
        path = "/interactions/{webhook_id}/{webhook_token}/callback"
        route = Route("POST", path, webhook_id=interaction_id, webhook_token=token)
        body = {"files": params.files, "multipart": params.multipart} if params.files else {"payload": params.payload}
        if await self.request(route, **session, **body) != "":
            raise ValueError("an answer where there should be none")
        return {"interaction": {"id": interaction_id}}


def send_without_copies() -> None:
    """From here on, this task and those that it starts send first answers so."""
    async_context.set(_Adapter())  # type: ignore[no-untyped-call]  # discord.py's has no annotation
