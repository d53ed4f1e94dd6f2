"""What the bot may do in a channel, in the words of Discord's settings."""

from __future__ import annotations

from collections.abc import Sequence

import discord

from bot.chat.words import Words


def missing_permissions(words: Words, has: discord.Permissions, needed: Sequence[str]) -> str:
    """The permissions that are missing, by the names that Discord's settings use; empty: none is."""
    t = words.t
    names = {
        "view_channel": t("View Channel"),
        "send_messages": t("Send Messages"),
        "create_public_threads": t("Create Public Threads"),
        "send_messages_in_threads": t("Send Messages in Threads"),
        "create_events": t("Create Events"),
        "read_message_history": t("Read Message History"),
    }
    missing = [names[name] for name in needed if not getattr(has, name)]
    return t.list(missing) if missing else ""
