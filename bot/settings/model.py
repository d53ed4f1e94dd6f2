"""The settings themselves: names, defaults, how each is read, and what must hold between them."""

from __future__ import annotations

import base64
import json
import os
import stat
from pathlib import Path
from typing import Any, Literal

import attrs

from bot.caller import MemberId
from bot.settings import values
from bot.settings.sources import Unreadable, read_text, secret_places
from bot.settings.values import Reader, Secret, read_keys

AlbumEndpointChoice = Literal["auto", "albums", "library"]


def _setting(read: Reader, default: Any = attrs.NOTHING) -> Any:
    """A setting. Without a default it is required."""
    return attrs.field(
        default=default,
        converter=attrs.converters.optional(read) if default is None else read,
        metadata={
            "is_secret": read in (values.secret, values.keys),
            "is_free_text": read in (values.text, values.path),
        },
    )


@attrs.frozen(kw_only=True, slots=False, repr=False)  # two bases come together below
class FileSettings:
    """The settings about the database and its backups: all that a command needs that uses no key."""

    database_path: Path = _setting(values.path, Path("gatefold.db"))
    backup_folder: Path | None = _setting(values.path, None)
    backup_every_hours: int = _setting(values.whole(1, 24 * 366), 24)
    backup_keep: int = _setting(values.whole(1, 1_000_000), 4)

    def conflicts(self) -> list[str]:
        """What does not fit together, one sentence each that begins with a setting's name."""
        return []


@attrs.frozen(kw_only=True, slots=False, repr=False)
class KeySettings(FileSettings):
    """The settings about the keys that encrypt tokens, which only work together."""

    token_keys: Secret | None = _setting(values.keys, None)
    token_keys_file: Path | None = _setting(values.path, None)

    def conflicts(self) -> list[str]:
        """As above."""
        if (self.token_keys is None) == (self.token_keys_file is None):
            return ["TOKEN_KEYS or TOKEN_KEYS_FILE: set exactly one of them; `gatefold new-key` makes a key."]
        try:
            self.sealing_keys()
            if self.token_keys_file is not None and self.backup_folder is not None:
                _keep_apart(self.token_keys_file, self.backup_folder)
        except ValueError as error:
            return [f"{error}."]
        return super().conflicts()

    def sealing_keys(self) -> tuple[bytes, ...]:
        """The keys for the tokens at rest: the first encrypts, every key can decrypt. ValueError says what is wrong."""
        name = "TOKEN_KEYS"
        try:
            if self.token_keys is not None:
                return read_keys(self.token_keys.get_secret_value())
            assert self.token_keys_file is not None
            name = "TOKEN_KEYS_FILE"
            return read_keys(_read_key_file(self.token_keys_file, self.database_path))
        except ValueError as error:
            raise ValueError(f"{name}: {error}") from None


@attrs.frozen(kw_only=True, slots=False, repr=False)
class SiteSettings(FileSettings):
    """Where the site listens: all that `gatefold health` needs."""

    web_host: str = _setting(values.listen_host, "127.0.0.1")
    web_port: int = _setting(values.whole(0, 65535), 8080)


_http = values.address("http", "https")
_FROM_THE_PORTALS = (
    "discord_token",
    "discord_client_id",
    "discord_client_secret",
    "spotify_client_id",
    "spotify_client_secret",
)
"""What a host copies from Discord's and Spotify's pages. No two of them are ever the same."""


@attrs.frozen(kw_only=True, slots=False, repr=False)
class Settings(KeySettings, SiteSettings):
    """What a host can set; in the environment the names are in capitals."""

    discord_token: Secret = _setting(values.secret)
    discord_client_id: str = _setting(values.application_id)
    discord_client_secret: Secret = _setting(values.secret)
    spotify_client_id: str = _setting(values.spotify_client_id, "")
    spotify_client_secret: Secret | None = _setting(values.secret, None)
    spotify_seats: int = _setting(values.whole(0, 1_000_000), 5)
    public_url: str = _setting(values.public_url)
    hosts: tuple[MemberId, ...] = _setting(values.member_ids, ())
    contact: str = _setting(values.text, "")
    message_content: bool = _setting(values.switch, False)
    metrics_host: str = _setting(values.listen_host, "127.0.0.1")
    metrics_port: int = _setting(values.whole(0, 65535), 0)
    spotify_album_endpoint: AlbumEndpointChoice = _setting(values.choice("auto", "albums", "library"), "auto")
    dev_guild_id: int | None = _setting(values.guild_id, None)
    log_level: Literal["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"] = _setting(values.log_level, "INFO")
    log_format: Literal["console", "json"] = _setting(values.choice("console", "json"), "console")

    discord_api_url: str = _setting(_http, "https://discord.com/api/v10")
    discord_gateway_url: str = _setting(values.address("ws", "wss"), "wss://gateway.discord.gg/")
    discord_cdn_url: str = _setting(_http, "https://cdn.discordapp.com")
    discord_authorize_url: str = _setting(_http, "https://discord.com/oauth2/authorize")
    spotify_api_url: str = _setting(_http, "https://api.spotify.com/v1")
    spotify_accounts_url: str = _setting(_http, "https://accounts.spotify.com")
    spotify_oembed_url: str = _setting(_http, "https://open.spotify.com/oembed")
    spotify_short_link_url: str | None = _setting(_http, None)

    def conflicts(self) -> list[str]:
        """As above."""
        found = super().conflicts()
        if self.metrics_port and self.metrics_port == self.web_port:
            found.append("METRICS_PORT: is the same as WEB_PORT; give the metrics a port of their own.")
        if self.spotify_client_secret is not None and not self.spotify_client_id:
            found.append("SPOTIFY_CLIENT_ID: is empty although SPOTIFY_CLIENT_SECRET is set; set both or neither.")
        return found + self._pasted_twice()

    def _pasted_twice(self) -> list[str]:
        found = []
        places: dict[str, str] = {}
        for name in _FROM_THE_PORTALS:
            value = getattr(self, name)
            text = value.get_secret_value() if isinstance(value, Secret) else value
            if text and text in places:
                found.append(f"{name.upper()}: is the same as {places[text]}; copy each from its own place.")
            elif text:
                places[text] = name.upper()
        return found

    @property
    def spotify_secret(self) -> str | None:
        """The Spotify app's secret, or None for a public client (PKCE alone)."""
        return self.spotify_client_secret.get_secret_value() if self.spotify_client_secret else None

    @property
    def redirect_to_discord(self) -> str:
        """The redirect URI that the host registers at Discord."""
        return f"{self.public_url}/callback/discord"

    @property
    def redirect_to_spotify(self) -> str:
        """The redirect URI that the host registers at Spotify."""
        return f"{self.public_url}/callback/spotify"

    @property
    def is_https(self) -> bool:
        """Whether browsers reach us by https: then cookies are Secure and HSTS is sent."""
        return self.public_url.startswith("https://")

    def secrets(self) -> list[str]:
        """Every secret among the settings, for the log's redaction."""
        found = [self.discord_token, self.discord_client_secret, self.spotify_client_secret, self.token_keys]
        texts = [s.get_secret_value() for s in found if s is not None]
        keys = {form for key in self.sealing_keys() for form in _forms_of_key(key)}
        return [value for value in {*texts, *keys} if value]


def secret_names() -> list[str]:
    """The settings that are secrets, in lower case: the names of their files."""
    return [field.name for field in attrs.fields(Settings) if field.metadata["is_secret"]]


def free_text_names() -> list[str]:
    """The settings in whose value almost anything may be meant, in lower case."""
    return [field.name for field in attrs.fields(Settings) if field.metadata["is_free_text"]]


def _forms_of_key(key: bytes) -> tuple[str, ...]:
    """A key in every form in which a program may write 32 bytes into a log."""
    coded = [form(key).decode().rstrip("=") for form in (base64.urlsafe_b64encode, base64.b64encode)]
    plain = repr(key)[2:-1]
    return (*coded, key.hex(), key.hex().upper(), plain, json.dumps(plain)[1:-1])


def _read_key_file(path: Path, database: Path) -> str:
    try:
        mode = path.stat().st_mode
        if stat.S_ISDIR(mode):
            raise ValueError(f"{path} is a folder; name the file in it")
        text = read_text(path)
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror})") from None
    except Unreadable as error:
        raise ValueError(f"{path} {error}. The key in it stays the same") from None
    # Where the system hands in secrets, a group may read them by design, and they lie on a tmpfs.
    resolved = path.resolve()
    if any(resolved.is_relative_to(place) or path.is_relative_to(place) for place in secret_places(os.environ)):
        return text
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ValueError(f"{path} can be read by other users of this machine; run: chmod 600 {path}")
    if resolved.parent == _followed(database).parent:
        raise ValueError(
            "the key is in the database's folder, so whoever copies that folder can decrypt every token; "
            "move it to another folder"
        )
    return text


def _followed(path: Path) -> Path:
    return Path(os.path.realpath(path))  # `resolve()` fails where links lead in a circle


def _keep_apart(key_file: Path, backups: Path) -> None:
    if _followed(key_file).is_relative_to(_followed(backups)):
        raise ValueError(
            "TOKEN_KEYS_FILE: the key is in BACKUP_FOLDER, so whoever copies that folder can decrypt every token; "
            "move it to another folder"
        )
