"""Which commands Discord has of us: they are registered again only when something in them changed."""

from __future__ import annotations

import hashlib
import json
from typing import Any

import discord
import structlog
from discord import app_commands

from bot.storage.commands import EVERYWHERE, CommandKey, Registered, RegisteredCommands

_log = structlog.get_logger("gatefold.chat")


class GuildRefused(Exception):
    """Discord lets the bot register no commands in DEV_GUILD_ID."""


class Registration:
    """Registers the tree's commands everywhere, or in one server while somebody develops.

    `mentions`: gets the id of every slash command by its name, subcommands by their full name ("club start"), from
    which `</club start:ID>` is made.
    `edition`: of the translations, so that they are read only when something is to be registered.
    """

    def __init__(
        self,
        tree: app_commands.CommandTree[Any],
        registered: RegisteredCommands,
        mentions: dict[str, int],
        dev_guild_id: int | None,
        translator: app_commands.Translator,
        edition: str,
    ) -> None:
        self._tree = tree
        self._registered = registered
        self._mentions = mentions
        self._dev_guild_id = dev_guild_id
        self._translator = translator
        self._edition = edition

    async def register(self, application_id: int) -> None:
        """Register the commands where they belong, and take them away elsewhere. GuildRefused."""
        known = await self._registered.get(application_id)
        if self._dev_guild_id is not None:
            self._tree.copy_global_to(guild=discord.Object(self._dev_guild_id))
            self._tree.clear_commands(guild=None)
        place = self._dev_guild_id or EVERYWHERE
        for other in known:
            if other != place:
                await self._clear(application_id, other)
        guild = discord.Object(place) if place != EVERYWHERE else None
        fingerprint = self._fingerprint(guild)
        current = known.get(place)
        if current is None or current.fingerprint != fingerprint:
            await self._tree.set_translator(self._translator)
            try:
                commands = await self._tree.sync(guild=guild)
            except (discord.Forbidden, discord.NotFound):
                if guild is None:
                    raise
                raise GuildRefused from None
            ids = {CommandKey(command.type.value, command.name): command.id for command in commands}
            current = Registered(fingerprint, ids)
            await self._registered.put(application_id, place, current)
            _log.info("commands registered", place=place or "everywhere", commands=len(commands))
        self._mentions.clear()
        self._mentions.update(self._by_full_name(current, guild))

    def _fingerprint(self, guild: discord.Object | None) -> str:
        """A hash of what would be sent, whatever the order of the commands."""
        payloads = [command.to_dict(self._tree) for command in self._tree.get_commands(guild=guild)]
        ordered = sorted(payloads, key=lambda payload: (payload["type"], payload["name"]))
        written = json.dumps([self._edition, ordered], sort_keys=True)
        return hashlib.sha256(written.encode()).hexdigest()

    def _by_full_name(self, registered: Registered, guild: discord.Object | None) -> dict[str, int]:
        slash = discord.AppCommandType.chat_input
        ids: dict[str, int] = {}
        for command in self._tree.get_commands(guild=guild, type=slash):
            if (id_ := registered.ids.get(CommandKey(slash.value, command.name))) is None:
                continue
            ids[command.name] = id_
            if isinstance(command, app_commands.Group):
                ids |= {below.qualified_name: id_ for below in command.walk_commands()}
        return ids

    async def _clear(self, application_id: int, place: int) -> None:
        http = self._tree.client.http
        try:
            if place == EVERYWHERE:
                await http.bulk_upsert_global_commands(application_id, payload=[])
            else:
                await http.bulk_upsert_guild_commands(application_id, place, payload=[])
        except (discord.Forbidden, discord.NotFound):
            _log.warning("the bot is no longer where commands were registered", guild=place)
        await self._registered.delete(application_id, place)
