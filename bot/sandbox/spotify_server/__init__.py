"""A stand-in for Spotify on this machine: Web API, accounts service, short links, and pages to look at.

It is meant to be as strict as the real one (https://developer.spotify.com/documentation/web-api, and
docs/decisions/0005). Where nothing is known, it does what seems likeliest, and the code says so with "likely".
"""

from bot.sandbox.faults import FAULTS
from bot.sandbox.spotify_server.server import SpotifyServer
from bot.sandbox.spotify_server.state import Account, Generation, RegisteredApp
from bot.sandbox.standin import Call

__all__ = ["FAULTS", "Account", "Call", "Generation", "RegisteredApp", "SpotifyServer"]
