"""What is asked, in which order, and where a person finds the answer. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from bot.settings import Settings


@dataclass(frozen=True, slots=True)
class Question:
    """One setting. `where`: where the answer is found; `comment`: what stands above it in a new `.env`."""

    name: str
    where: str
    comment: str
    is_secret: bool = False
    is_optional: bool = False


PUBLIC_URL = Question(
    "PUBLIC_URL",
    "The address at which browsers reach the bot: https://gatefold.example.org, or http://127.0.0.1:8080 to try it "
    "on this machine.",
    "The address at which browsers reach the bot.",
)
DISCORD_TOKEN = Question(
    "DISCORD_TOKEN",
    "Discord's developer portal (https://discord.com/developers/applications), your app, page Bot, Reset Token.",
    "The bot's token. Discord's developer portal, page Bot.",
    is_secret=True,
)
DISCORD_CLIENT_ID = Question(
    "DISCORD_CLIENT_ID",
    "The same app, page OAuth2, Client ID.",
    "The app's id. Discord's developer portal, page OAuth2.",
)
DISCORD_CLIENT_SECRET = Question(
    "DISCORD_CLIENT_SECRET",
    "The same page, Client Secret.",
    "The app's secret. Discord's developer portal, page OAuth2.",
    is_secret=True,
)
SPOTIFY_CLIENT_ID = Question(
    "SPOTIFY_CLIENT_ID",
    "Spotify's developer dashboard (https://developer.spotify.com/dashboard), your app, Settings, Client ID.",
    "The app's id. Spotify's developer dashboard, Settings.",
    is_optional=True,
)
SPOTIFY_CLIENT_SECRET = Question(
    "SPOTIFY_CLIENT_SECRET",
    "The same page, View client secret. Empty: a public client, by PKCE alone.",
    "The app's secret. Spotify's developer dashboard, Settings. Empty: a public client, by PKCE alone.",
    is_secret=True,
    is_optional=True,
)
TOKEN_KEYS_FILE = Question(
    "TOKEN_KEYS_FILE",
    "There is a database already: the file with the key that it was written with.",
    "The file with the keys that seal members' access.",
)
IN_ORDER = (
    PUBLIC_URL,
    DISCORD_TOKEN,
    DISCORD_CLIENT_ID,
    DISCORD_CLIENT_SECRET,
    SPOTIFY_CLIENT_ID,
)
KEYS = "TOKEN_KEYS or TOKEN_KEYS_FILE"
"""How the settings name the two together."""
COMMENTS = {question.name: question.comment for question in (*IN_ORDER, SPOTIFY_CLIENT_SECRET, TOKEN_KEYS_FILE)} | {
    "DATABASE_PATH": "The database's file; its folder is made when it is missing."
}


def unforeseen(name: str) -> Question:
    """A setting that stands there already and cannot be read."""
    return Question(name, "What stands there cannot be used. Empty: as if it were not set.", "", "KEYS" in name, True)


def to_register(settings: Settings) -> list[str]:
    """What is left to do in a browser: both redirect URIs, letter by letter, and the invite link."""
    return [
        "Register these two, letter by letter:",
        f"  at Discord, page OAuth2, Redirects:     {settings.redirect_to_discord}",
        f"  at Spotify, Settings, Redirect URIs:    {settings.redirect_to_spotify}",
        "Invite the bot, or install it to your own account, with the app's install link:",
        f"  {settings.discord_authorize_url}?client_id={settings.discord_client_id}",
    ]
