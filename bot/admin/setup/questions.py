"""What setup asks, in which order, where a person finds the answer, and what shape it has. Pure."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from urllib.parse import urlencode

import attrs

from bot.settings import Settings, secret_names

Shape = Callable[[str], str | None]
"""What is wrong with the shape of an answer, as the rest of a sentence; None if nothing is."""


_QUOTATION_MARKS = ('""', "''", "``", "“”", "„“", "‘’", "«»", "<>")


_APP_PAGES = {
    "DISCORD_CLIENT_ID": r"https://discord\.com/developers/applications/([0-9]+)\b",
    "SPOTIFY_CLIENT_ID": r"https://developer\.spotify\.com/dashboard/([0-9a-f]{32})\b",
}


def _any(answer: str) -> str | None:
    return None


def _shape(pattern: str, problem: str) -> Shape:
    def check(answer: str) -> str | None:
        return None if re.fullmatch(pattern, answer) else problem

    return check


@dataclass(frozen=True, slots=True)
class Question:
    """One setting. `where`: where to find the answer; `comment`: the line above it in a new `.env`.

    `suggestion`: the answer that Enter gives.
    """

    name: str
    where: str
    comment: str = ""
    is_secret: bool = False
    is_optional: bool = False
    shape: Shape = _any
    suggestion: str = ""


PUBLIC_URL = Question(
    "PUBLIC_URL",
    "The address at which browsers reach the bot, such as https://gatefold.example.org. To try it on this machine only, "
    "use http://127.0.0.1:8080.",
    "The address at which browsers reach the bot.",
)
DISCORD_TOKEN = Question(
    "DISCORD_TOKEN",
    "Discord's developer portal (https://discord.com/developers/applications), your app, page Bot, Reset Token.",
    "The bot's token, from the Bot page in Discord's developer portal.",
    is_secret=True,
    shape=_shape(
        r"[\w-]+\.[\w-]+\.[\w-]+",
        "is not a bot token, which has three parts with dots between them. The client secret is on another page",
    ),
)
DISCORD_CLIENT_ID = Question(
    "DISCORD_CLIENT_ID",
    "The same app, page OAuth2, Client ID.",
    "The app's client id, from the OAuth2 page in Discord's developer portal.",
)
DISCORD_CLIENT_SECRET = Question(
    "DISCORD_CLIENT_SECRET",
    "The same page, Client Secret, Reset Secret.",
    "The app's client secret, from the OAuth2 page in Discord's developer portal.",
    is_secret=True,
    # Spotify's look like this, and chance makes none of Discord's so.
    shape=_shape(r"(?![0-9a-f]{32}$)[\w-]{16,}", "is not a client secret, which has 32 letters, digits, - and _"),
)
SPOTIFY_CLIENT_ID = Question(
    "SPOTIFY_CLIENT_ID",
    "Spotify's developer dashboard (https://developer.spotify.com/dashboard), your app, Settings, Client ID. "
    "Leave it empty if you have no app: then every member uses an app of their own.",
    "The client id of your Spotify app, from its settings in Spotify's developer dashboard.",
    is_optional=True,
    shape=_shape(r"[0-9A-Fa-f]{32}", "is not a client id, which has 32 digits and letters from a to f"),
)
SPOTIFY_CLIENT_SECRET = Question(
    "SPOTIFY_CLIENT_SECRET",
    "The same page, View client secret. Without it, members who are not linked cannot search for titles.",
    "The client secret of that app. Empty: a public client, which uses PKCE alone.",
    is_secret=True,
    is_optional=True,
    shape=_shape(r"[\w-]{16,}", "is not a client secret, which has 32 digits and letters from a to f"),
)
TOKEN_KEYS_FILE = Question(
    "TOKEN_KEYS_FILE",
    "There is already a database here. Which file has the key that it was written with?",
    "The file with the keys that encrypt members' tokens.",
)
REVIEW = Question(
    "CHANGE",
    "Press Enter to keep these settings, or type the name of a setting to change it.",
    is_optional=True,
)
"""Not a setting: asked when everything has an answer."""
REGISTERED = Question(
    "DONE", "Press Enter when they are registered, so that the doctor can check them.", is_optional=True
)
"""Not a setting: asked when the redirect URIs are new."""
REGISTERED_WITH = {"PUBLIC_URL", "DISCORD_CLIENT_ID", "SPOTIFY_CLIENT_ID"}
"""The settings that decide which redirect URIs are registered where."""

IN_ORDER = (
    PUBLIC_URL,
    DISCORD_TOKEN,
    DISCORD_CLIENT_ID,
    DISCORD_CLIENT_SECRET,
    SPOTIFY_CLIENT_ID,
    SPOTIFY_CLIENT_SECRET,
)
KEYS = "TOKEN_KEYS or TOKEN_KEYS_FILE"
"""How the settings name the two together."""
ABOUT = {
    "SPOTIFY_SEATS": "How many people your Spotify app serves: 5 in development mode. 0: no limit.",
    "HOSTS": "Discord user ids, separated by commas, that may use the host's commands and get the host's messages.",
    "CONTACT": "How members can reach you. Shown on the privacy page.",
    "MESSAGE_CONTENT": "on: the bot may read messages in channels that a curator watches. Needs the Message Content intent.",
    "DATABASE_PATH": "The database file. Its folder is created if it does not exist.",
    "BACKUP_FOLDER": "Where the bot writes scheduled backups. Empty: it makes none.",
    "BACKUP_EVERY_HOURS": "Hours between two scheduled backups.",
    "BACKUP_KEEP": "How many scheduled backups are kept.",
    "WEB_HOST": "Where the site listens. 0.0.0.0: on every interface.",
    "WEB_PORT": "The site's port.",
    "METRICS_PORT": "The port for Prometheus. 0: no metrics.",
    "METRICS_HOST": "Where the metrics listen. There is no password.",
    "LOG_LEVEL": "DEBUG, INFO, WARNING, ERROR or CRITICAL.",
    "LOG_FORMAT": "console for people, json for programs.",
    "DEV_GUILD_ID": "A server's id. While it is set, the commands exist in that server only.",
    "SPOTIFY_ALBUM_ENDPOINT": "Which generation of Spotify's album endpoints serves your app: albums, library, or auto to find out.",
    "DISCORD_API_URL": "Discord's API. This one and those below are for proxies and tests.",
    "DISCORD_GATEWAY_URL": "Discord's gateway.",
    "DISCORD_CDN_URL": "Where Discord keeps attached files.",
    "DISCORD_AUTHORIZE_URL": "Discord's consent page.",
    "SPOTIFY_API_URL": "Spotify's Web API.",
    "SPOTIFY_ACCOUNTS_URL": "Spotify's consent page and token endpoint.",
    "SPOTIFY_OEMBED_URL": "Titles and covers of albums when there is no client secret.",
    "SPOTIFY_SHORT_LINK_URL": "Where short links are resolved. Empty: at their own hosts.",
}
"""What the other settings are, in the words of docs/settings.md."""

_LOOKS = (
    ("DISCORD_TOKEN", r"[\w-]{20,}\.[\w-]+\.[\w-]{20,}", "the token of a Discord bot"),
    ("DISCORD_CLIENT_ID", r"[0-9]{17,20}", "the id of a Discord app"),
    ("SPOTIFY", r"[0-9a-f]{32}", "a client id or a client secret of Spotify's"),
    ("DISCORD_PUBLIC_KEY", r"[0-9a-f]{64}", "the public key of a Discord app, which the bot does not need"),
)


def mistaken_for(name: str, answer: str) -> str:
    """What a wrong answer looks like, as a sentence, if it was copied from the place of another setting."""
    for at_home, pattern, what in _LOOKS:
        if re.fullmatch(pattern, answer):
            return "" if name.startswith(at_home) else f"It looks like {what}."
    return ""


COMMENTS = {question.name: question.comment for question in (*IN_ORDER, TOKEN_KEYS_FILE)} | ABOUT
"""The line above a setting that is new in `.env`."""


def cleaned(name: str, answer: str) -> str:
    """An answer without what people paste around it: white space, `NAME=`, quotation marks, an app's page."""
    text = re.sub(rf"^(?:export\s+)?{name}\s*=", "", answer.strip(), count=1, flags=re.IGNORECASE).strip()
    is_quoted = len(text) > 1 and text[0] + text[-1] in _QUOTATION_MARKS
    text = text[1:-1].strip() if is_quoted else text
    if name == "DISCORD_TOKEN":  # as it is in the header of a request
        return re.sub(r"^(?:Bot|Bearer)\s+", "", text)
    # the address of the app's page in the portal
    found = re.match(_APP_PAGES[name], text) if name in _APP_PAGES else None
    return found[1] if found else text


def question_for(name: str) -> Question:
    """The question for any setting, given in capitals."""
    for question in (*IN_ORDER, TOKEN_KEYS_FILE):
        if question.name == name:
            return question
    field = attrs.fields_dict(Settings).get(name.lower())
    default = (
        "" if field is None or field.default in (attrs.NOTHING, None, "", ()) else f" Default: {shown(field.default)}."
    )
    is_secret = name.lower() in secret_names()
    return Question(name, f"{ABOUT.get(name, '')}{default}".strip(), "", is_secret, is_optional=True)


def shown(value: object) -> str:
    """A setting's value as it is written in `.env`."""
    if isinstance(value, tuple):
        return ",".join(map(str, value))
    return ("off", "on")[value] if isinstance(value, bool) else str(value)


def to_register(settings: Settings) -> list[str]:
    """What is left to do in a browser: the redirect URIs, letter by letter."""
    lines = [
        "Register the redirect URIs, exactly as they are here:",
        f"  at Discord, page OAuth2, Redirects:   {settings.redirect_to_discord}",
    ]
    if settings.spotify_client_id:
        lines.append(f"  at Spotify, Settings, Redirect URIs:  {settings.redirect_to_spotify}")
    return lines


def to_invite(settings: Settings) -> list[str]:
    """The links that add the bot to a server or to one's own account."""

    def link(scope: str, kind: int) -> str:
        query = {"client_id": settings.discord_client_id, "integration_type": kind, "scope": scope}
        return f"{settings.discord_authorize_url}?{urlencode(query)}"

    return [
        "Add the bot to your server:",
        f"  {link('bot applications.commands', 0)}",
        "Or to your own account, to use it everywhere:",
        f"  {link('applications.commands', 1)}",
    ]
