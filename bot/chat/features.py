"""Features: each module of the chat exports one `Feature`, and the client only collects them."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar, cast

import discord
from discord import app_commands
from msgspec import Struct, field

from bot.chat.cards import Card, text_card
from bot.chat.components import Audience, Component, CustomId, source_of
from bot.chat.reply import Interaction, Reply, Visibility, caller_of

Command = app_commands.Command[Any, ..., Any] | app_commands.Group | app_commands.ContextMenu
Listener = Callable[..., Coroutine[Any, Any, None]]
_Function = TypeVar("_Function", bound=Callable[..., Any])


class Feature(Struct, frozen=True):
    """What one module adds to the bot.

    `subcommands`: what it adds to a group that features share, by the group's name: see groups.py.
    `listeners`: handlers of events by their names: "guilds_known", discord.py's without `on_`, and those that come as
    Discord sent them, such as "message_posted" and "channel_gone" (see client.py).
    `intents`: what the gateway must send for them. A privileged one only where the host's settings say so.
    """

    name: str
    commands: Sequence[Command] = ()
    components: Sequence[Component] = ()
    subcommands: Mapping[str, Sequence[app_commands.Command[Any, ..., Any] | app_commands.Group]] = field(
        default_factory=dict
    )
    listeners: Mapping[str, Listener] = field(default_factory=dict)
    intents: discord.Intents = field(default_factory=discord.Intents.none)


def describe(**options: str) -> Callable[[_Function], _Function]:
    """Describe a command's options, as `app_commands.describe` does: the text of each by its name."""
    # As locale_str, because discord.py wraps every str as if it were a docstring. At a start that takes 5 ms.
    return app_commands.describe(**{name: app_commands.locale_str(text) for name, text in options.items()})


class Router:
    """Finds the component that serves a button, a select menu or a modal."""

    def __init__(self, features: Sequence[Feature], reply: Reply) -> None:
        """ValueError: two features declare the same verb."""
        self._reply = reply
        self._components: dict[str, Component] = {}
        for feature in features:
            for component in feature.components:
                if component.verb in self._components:
                    raise ValueError(f"{feature.name}: somebody else serves {component.verb!r}")
                self._components[component.verb] = component

    def find(self, data: Mapping[str, Any], *, is_modal: bool) -> tuple[Component, tuple[Any, ...]] | None:
        """The component and its handler's arguments; None for what is not ours or does not fit: old, or forged."""
        custom_id = CustomId.read(data.get("custom_id"))
        component = None if custom_id is None else self._components.get(custom_id.verb)
        if custom_id is None or component is None or component.source is not source_of(data, is_modal=is_modal):
            return None
        arguments = component.read(custom_id, data)
        return None if arguments is None else (component, arguments)

    async def serve(self, interaction: Interaction) -> None:
        """Serve the use of a button, a select menu or a modal."""
        caller, words = caller_of(interaction), self._reply.words
        is_modal = interaction.type is discord.InteractionType.modal_submit
        found = self.find(cast(Mapping[str, Any], interaction.data or {}), is_modal=is_modal)
        if found is None:
            await self._say(interaction, words(caller.locale).too_old(), "button unknown")
            return
        component, arguments = found
        if component.audience is Audience.OWNER and arguments[0] != caller.member_id:
            await self._say(interaction, words(caller.locale).not_yours(), "button of another")
            return
        await component.handler(interaction, caller, *arguments)

    async def _say(self, interaction: Interaction, text: str, name: str) -> None:
        async def cards() -> Sequence[Card]:
            return [text_card(text)]

        await self._reply(interaction, cards(), name=name, visibility=Visibility.PRIVATE)
