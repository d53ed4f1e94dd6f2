"""Links members of the sandbox's stage without a browser."""

from __future__ import annotations

from datetime import timedelta

from bot.sandbox.stage import Stage
from bot.storage.links import Link


async def link(stage: Stage, name: str) -> None:
    """Link a member, with tokens as the flow would have stored them."""
    spotify, now = stage.spotify, stage.clock.now()
    account = spotify.accounts[name.lower()]
    access, refresh = spotify.issue_tokens(account.id)
    member = stage.members[name].id
    linked = Link(member, spotify.client_id, account.account_id, account.name, now, now, None)
    await stage.services.storage.links.put(linked, access, refresh, now + timedelta(hours=1))
