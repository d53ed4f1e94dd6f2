"""Who calls: the member behind an interaction, and where and in which language they did. Pure."""

from __future__ import annotations

from typing import NewType

from bot.private import Private

MemberId = NewType("MemberId", int)
"""A member's Discord id."""
GuildId = NewType("GuildId", int)
"""The id of a Discord server."""
RequestId = NewType("RequestId", int)
"""The id of the interaction that asked: a later one is greater."""


class Caller(Private, frozen=True):
    """The member who used a command, a button or a modal. Built once from the interaction.

    `guild_id`: None outside a server. `locale`: the member's own, such as "en-US"; `guild_locale`: the server's.
    `interaction_token`: edits the answer for 15 minutes. It is a secret, so it is in no repr.
    """

    member_id: MemberId
    guild_id: GuildId | None
    locale: str
    interaction_id: RequestId
    interaction_token: str
    guild_locale: str | None = None
