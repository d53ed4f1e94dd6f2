"""Names and descriptions of commands in every language of ours, for Discord to show in each member's own."""

from __future__ import annotations

import asyncio
from typing import Any

import discord
from discord import app_commands
from discord.app_commands import TranslationContextLocation as Location

from bot.text import LANGUAGES, texts

_NAMES = {Location.command_name, Location.group_name, Location.parameter_name}


class CatalogueTranslator(app_commands.Translator):
    """Translates from the message catalogue.

    Names are marked with `command_name`; descriptions, choices and the names of context menus with `msg`.
    """

    async def load(self) -> None:
        """Read every language, beside the event loop."""
        await asyncio.to_thread(lambda: [texts(language) for language in LANGUAGES])

    async def translate(
        self,
        string: app_commands.locale_str,
        locale: discord.Locale,
        context: app_commands.TranslationContext[Any, Any],
    ) -> str | None:
        """The translation; None where Discord shall show the English one."""
        t = texts(locale.value)
        if t.language == "en":
            return None
        is_name = context.location in _NAMES and not isinstance(context.data, app_commands.ContextMenu)
        translated = t.command(string.message) if is_name else t(string.message)
        return None if translated == string.message else translated
