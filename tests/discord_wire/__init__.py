"""Discord's gateway and REST on loopback, as strict as the real one where a bot can trip.

SimCord replaces discord.py's HTTP client and so never meets JSON, sockets or a 429; this does. It knows
nothing of discord.py: point a client at `api_url` and `gateway_url`. https://docs.discord.com/developers
"""

from tests.discord_wire.messages import Json, buttons, choice_flaws, flatten, message_flaws, texts
from tests.discord_wire.records import WireFile, WireInteraction, WireRequest
from tests.discord_wire.wire import AUTOCOMPLETE, COMMAND, COMPONENT, EPHEMERAL, MODAL, DiscordWire, Stage

__all__ = [
    "AUTOCOMPLETE",
    "COMMAND",
    "COMPONENT",
    "EPHEMERAL",
    "MODAL",
    "DiscordWire",
    "Json",
    "Stage",
    "WireFile",
    "WireInteraction",
    "WireRequest",
    "buttons",
    "choice_flaws",
    "flatten",
    "message_flaws",
    "texts",
]
