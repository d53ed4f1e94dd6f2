"""Gatefold: a Discord bot with which every member saves albums to their own Spotify library."""

__version__ = "0.1.0"
