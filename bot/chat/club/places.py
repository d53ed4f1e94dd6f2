"""What the gateway says of the servers, channels, roles and threads of clubs, as Discord sends it.

https://discord.com/developers/docs/events/gateway-events
"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from bot.caller import GuildId
from bot.chat.features import Listener
from bot.clubs import AlbumClubs

HIDDEN = 1 << 17
"""A channel that the bot may no longer view keeps its id, and is called `___hidden___` from then on."""

Sent = Mapping[str, Any]


def listeners(clubs: AlbumClubs) -> Mapping[str, Listener]:
    """What clubs listen to, by the names of client.py."""
    channels = clubs.channels

    async def servers_known(guild_ids: Collection[int]) -> None:
        await channels.servers_known([GuildId(id_) for id_ in guild_ids])

    async def server_seen(server: Sent) -> None:
        visible = {int(channel["id"]) for channel in server.get("channels", ()) if not _is_hidden(channel)}
        roles = {int(role["id"]) for role in server.get("roles", ())}
        await channels.server_seen(GuildId(int(server["id"])), visible, roles)

    async def server_gone(server: Sent) -> None:
        if not server.get("unavailable"):  # else it is an outage of Discord's
            await channels.server_gone(GuildId(int(server["id"])))

    async def channel_seen(channel: Sent) -> None:
        await channels.channel_seen(_guild_of(channel), int(channel["id"]), is_hidden=_is_hidden(channel))

    async def channel_gone(channel: Sent) -> None:
        await channels.channel_gone(_guild_of(channel), int(channel["id"]))

    async def permissions_changed(sent: Sent) -> None:
        # Of members, only the bot itself is told without the intent for members.
        await channels.permissions_changed(_guild_of(sent))

    async def role_gone(role: Sent) -> None:
        await channels.role_gone(_guild_of(role), int(role["role_id"]))

    async def thread_gone(thread: Sent) -> None:
        await channels.thread_gone(int(thread["id"]))

    return {
        "guilds_known": servers_known,
        "server_seen": server_seen,
        "server_gone": server_gone,
        "channel_seen": channel_seen,
        "channel_gone": channel_gone,
        "role_seen": permissions_changed,
        "member_seen": permissions_changed,
        "role_gone": role_gone,
        "thread_gone": thread_gone,
    }


def _guild_of(sent: Sent) -> GuildId:
    return GuildId(int(sent["guild_id"]))


def _is_hidden(channel: Sent) -> bool:
    return bool(channel.get("flags", 0) & HIDDEN)
