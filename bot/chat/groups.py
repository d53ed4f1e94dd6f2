"""Groups of commands that several features share: each brings its own subcommands. Discord takes at most 25 in one."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

import discord
from discord import app_commands

from bot.chat.features import Command, Feature
from bot.text import command_name, msg

CLUB, CURATE = "club", "curate"


def _club() -> app_commands.Group:
    return app_commands.Group(
        name=command_name("club"),
        description=msg("Nominate, vote, rate and look back in an album club"),
        guild_only=True,
    )


def _curate() -> app_commands.Group:
    # Who is a curator is decided in the server's settings, under Integrations; this is what holds at first.
    return app_commands.Group(
        name=command_name("curate"),
        description=msg("Run album clubs and crates"),
        guild_only=True,
        default_permissions=discord.Permissions(manage_guild=True),
    )


GROUPS: dict[str, Callable[[], app_commands.Group]] = {CLUB: _club, CURATE: _curate}


def commands_of(features: Sequence[Feature]) -> list[Command]:
    """The commands of all features, with the groups that they share. KeyError: a group that is not in GROUPS."""
    groups: dict[str, app_commands.Group] = {}
    found: list[Command] = []
    for feature in features:
        found += feature.commands
        for name, subcommands in feature.subcommands.items():
            if name not in groups:
                groups[name] = GROUPS[name]()
                found.append(groups[name])
            for subcommand in subcommands:
                _add(groups[name], subcommand)
    return found


def _add(group: app_commands.Group, subcommand: app_commands.Command[Any, ..., Any] | app_commands.Group) -> None:
    group.add_command(subcommand)
