"""Settings: everything a host can set, from the environment, `.env` and secret files. All problems are told at once.

Every outside address is a setting: hosts put proxies there, tests put stand-ins there.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import json
import os
import stat
from pathlib import Path
from typing import Annotated, Any, Literal, Self, TypeVar
from urllib.parse import SplitResult, urlsplit, urlunsplit

from pydantic import AfterValidator, BeforeValidator, Field, SecretStr, ValidationError, model_validator
from pydantic.fields import FieldInfo
from pydantic_settings import (
    BaseSettings,
    EnvSettingsSource,
    PydanticBaseSettingsSource,
    SecretsSettingsSource,
    SettingsConfigDict,
)
from pydantic_settings import SettingsError as SourceError

AlbumEndpointChoice = Literal["auto", "albums", "library"]


class SettingsError(Exception):
    """The settings do not work. `problems`: one sentence each, with what to do; no value of a secret."""

    def __init__(self, problems: list[str]) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems


def _address(schemes: tuple[str, ...]) -> AfterValidator:
    def check(value: str) -> str:
        parts = urlsplit(value)
        if parts.scheme not in schemes or not parts.hostname:
            raise ValueError(f"must be an address that starts with {' or '.join(s + '://' for s in schemes)}")
        return value

    return AfterValidator(check)


def _without_slash(value: str) -> str:
    return value.rstrip("/")


def _public_url(value: str) -> str:
    """Spotify's rule for redirect URIs: https, or http on a loopback IP literal; never `localhost`.

    https://developer.spotify.com/documentation/web-api/concepts/redirect_uri
    """
    parts = urlsplit(value)
    host = parts.hostname or ""
    if not _has_good_port(parts):
        raise ValueError("its port is no number")
    if parts.scheme not in ("http", "https") or not host or parts.query or parts.fragment or parts.username:
        raise ValueError("must be the address at which browsers reach this bot, like https://gatefold.example.org")
    if host == "localhost" or host.endswith(".localhost"):
        raise ValueError("Spotify refuses `localhost`: write http://127.0.0.1:PORT, or an https address")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("Spotify refuses plain http here: use https, or http://127.0.0.1:PORT on this machine")
    # the scheme as it is compared everywhere: in lower case
    return urlunsplit(parts).rstrip("/")


def _has_good_port(parts: SplitResult) -> bool:
    try:
        return parts.port is None or parts.port > 0
    except ValueError:
        return False


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


def _log_level(value: Any) -> Any:
    """Python's names in any case, its aliases included."""
    name = value.upper() if isinstance(value, str) else value
    return {"WARN": "WARNING", "FATAL": "CRITICAL", "NOTSET": "DEBUG"}.get(name, name)


def read_key(text: str) -> bytes:
    """A key from its text: 32 bytes in URL-safe base64, padded or not. ValueError if it is none."""
    text = text.strip()
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        raise ValueError("is no key: make one with `gatefold new-key`") from None
    return key


HttpAddress = Annotated[str, _address(("http", "https")), AfterValidator(_without_slash)]


_CONFIG = SettingsConfigDict(
    env_file=".env", env_ignore_empty=True, extra="ignore", hide_input_in_errors=True, frozen=True
)


def _secret_places() -> list[Path]:
    """Where systemd (LoadCredential=) and containers hand secrets in as files; the last one counts most."""
    places = [Path("/run/secrets")]
    if directory := os.environ.get("CREDENTIALS_DIRECTORY"):
        places.append(Path(directory))
    return places


class _SecretFiles(SecretsSettingsSource):
    """A file per setting, named like it in any case; an empty one counts as not there."""

    def get_field_value(self, field: FieldInfo, field_name: str) -> tuple[Any, str, bool]:
        try:
            value, key, is_complex = super().get_field_value(field, field_name)
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise ValueError(f"{field_name.upper()}: its secret file cannot be read ({reason}).") from None
        return value or None, key, is_complex


class FileSettings(BaseSettings):
    """The settings about the database and its backups: all that a command needs that touches no key."""

    model_config = _CONFIG

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """What counts more stands first: values handed in, the environment, `.env`, secret files."""
        assert isinstance(env_settings, EnvSettingsSource)
        there = [place for place in _secret_places() if place.is_dir()]
        files = _SecretFiles(settings_cls, there, env_prefix=env_settings.env_prefix)
        return init_settings, env_settings, dotenv_settings, files

    database_path: Path = Path("gatefold.db")
    backup_folder: Path | None = None
    backup_every_hours: Annotated[int, Field(ge=1, le=24 * 366)] = 24
    backup_keep: Annotated[int, Field(ge=1)] = 4


class KeySettings(FileSettings):
    """The settings about the keys for the tokens at rest, which stand or fall together."""

    token_keys: SecretStr | None = None
    token_keys_file: Path | None = None

    @model_validator(mode="after")
    def _keys_are_given_once(self) -> Self:
        if (self.token_keys is None) == (self.token_keys_file is None):
            raise ValueError("TOKEN_KEYS or TOKEN_KEYS_FILE: set one of them; a key is made with `gatefold new-key`")
        self.sealing_keys()
        if self.token_keys_file is not None and self.backup_folder is not None:
            _keep_apart(self.token_keys_file, self.backup_folder)
        return self

    def sealing_keys(self) -> tuple[bytes, ...]:
        """The keys for the tokens at rest: the first seals, all open. ValueError says what is wrong."""
        if self.token_keys is not None:
            name, text = "TOKEN_KEYS", self.token_keys.get_secret_value()
        else:
            assert self.token_keys_file is not None
            name, text = "TOKEN_KEYS_FILE", _read_key_file(self.token_keys_file, self.database_path)
        keys = []
        for number, part in enumerate(filter(str.strip, text.replace("\n", ",").split(",")), 1):
            try:
                keys.append(read_key(part))
            except ValueError as error:
                raise ValueError(f"{name}: entry {number} {error}") from None
        if not keys:
            raise ValueError(f"{name}: holds no key; make one with `gatefold new-key`")
        return tuple(dict.fromkeys(keys))


class SiteSettings(FileSettings):
    """Where the site listens: all that one needs who asks it."""

    web_host: str = "127.0.0.1"
    web_port: Annotated[int, Field(ge=0, le=65535)] = 8080


class Settings(KeySettings, SiteSettings):
    """What a host can set; the names in capitals are the environment's."""

    discord_token: SecretStr
    discord_client_id: Annotated[str, Field(pattern=r"^[0-9]{5,20}$")]
    discord_client_secret: SecretStr
    spotify_client_id: Annotated[str, Field(pattern=r"^[0-9A-Za-z_-]{1,100}$")]
    spotify_client_secret: SecretStr | None = None
    public_url: Annotated[str, AfterValidator(_public_url)]
    metrics_host: str = "127.0.0.1"
    metrics_port: Annotated[int, Field(ge=0, le=65535)] = 0
    spotify_album_endpoint: AlbumEndpointChoice = "auto"
    dev_guild_id: Annotated[int, Field(gt=0)] | None = None
    log_level: Annotated[Literal["CRITICAL", "ERROR", "WARNING", "INFO", "DEBUG"], BeforeValidator(_log_level)] = "INFO"
    log_format: Literal["console", "json"] = "console"

    discord_api_url: HttpAddress = "https://discord.com/api/v10"
    discord_gateway_url: Annotated[str, _address(("ws", "wss"))] = "wss://gateway.discord.gg/"
    discord_authorize_url: HttpAddress = "https://discord.com/oauth2/authorize"
    spotify_api_url: HttpAddress = "https://api.spotify.com/v1"
    spotify_accounts_url: HttpAddress = "https://accounts.spotify.com"
    spotify_short_link_url: HttpAddress | None = None

    @model_validator(mode="after")
    def _ports_differ(self) -> Self:
        if self.metrics_port and self.metrics_port == self.web_port:
            raise ValueError("METRICS_PORT: is WEB_PORT, too; give the metrics a port of their own")
        return self

    @property
    def spotify_secret(self) -> str | None:
        """The Spotify app's secret, or None for a public client (PKCE alone)."""
        return self.spotify_client_secret.get_secret_value() or None if self.spotify_client_secret else None

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
        values = [s.get_secret_value() for s in found if s is not None]
        keys = {form for key in self.sealing_keys() for form in _forms_of_key(key)}
        return [value for value in {*values, *keys} if value]


def _forms_of_key(key: bytes) -> tuple[str, ...]:
    """A key in every form in which a program may write 32 bytes into a log."""
    coded = [form(key).decode().rstrip("=") for form in (base64.urlsafe_b64encode, base64.b64encode)]
    plain = repr(key)[2:-1]
    return (*coded, key.hex(), key.hex().upper(), plain, json.dumps(plain)[1:-1])


def _read_key_file(path: Path, database: Path) -> str:
    try:
        mode = path.stat().st_mode
        text = path.read_text(encoding="ascii")
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        raise ValueError(f"TOKEN_KEYS_FILE: {path} cannot be read ({reason})") from None
    # Where secrets are handed in by the system, they are readable for a group by design and on a tmpfs.
    resolved = path.resolve()
    if any(resolved.is_relative_to(place) or path.is_relative_to(place) for place in _secret_places()):
        return text
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise ValueError(f"TOKEN_KEYS_FILE: {path} is open to other people of this machine: chmod 600 {path}")
    if resolved.parent == database.resolve().parent:
        raise ValueError(
            "TOKEN_KEYS_FILE: the key lies beside the database, so one stolen folder would open every token: "
            "keep it in another folder"
        )
    return text


def _keep_apart(key_file: Path, backups: Path) -> None:
    if key_file.resolve().is_relative_to(backups.resolve()):
        raise ValueError(
            "TOKEN_KEYS_FILE: the key lies in BACKUP_FOLDER, so one stolen folder would open every token: "
            "keep it in another folder"
        )


_MISSING = {
    "discord_token": "Copy the bot's token from the Bot page of your app in Discord's developer portal",
    "discord_client_id": "Copy it from the OAuth2 page of your app in Discord's developer portal",
    "discord_client_secret": "Copy it from the OAuth2 page of your app in Discord's developer portal",
    "spotify_client_id": "Copy it from your app's settings in Spotify's developer dashboard",
    "public_url": "Set the address at which browsers reach this bot, like https://gatefold.example.org",
}


_FORMS = {
    "discord_client_id": "must be a number of 17 to 20 digits, as the OAuth2 page of your app shows it",
    "spotify_client_id": "must be letters and digits alone, as your app's settings in Spotify's dashboard show it",
}


def load(env_file: Path | None = Path(".env"), **overrides: Any) -> Settings:
    """Read the settings. SettingsError tells all problems at once, and never a value."""
    found = _read(Settings, env_file, overrides)
    if isinstance(found, Settings):
        return found
    # The keys are judged after all else, so their problem is missing from the first list.
    keys = _read(KeySettings, env_file, overrides)
    more = [] if isinstance(keys, KeySettings) else [problem for problem in keys if problem not in found]
    raise SettingsError([*found, *more])


_Some = TypeVar("_Some", bound=BaseSettings)


def load_only(kind: type[_Some], env_file: Path | None = Path(".env"), **overrides: Any) -> _Some:
    """Read only the settings that a command needs: `FileSettings` and its children. SettingsError as in `load`."""
    found = _read(kind, env_file, overrides)
    if isinstance(found, BaseSettings):
        return found
    raise SettingsError(found)


def _read(kind: type[_Some], env_file: Path | None, overrides: dict[str, Any]) -> _Some | list[str]:
    """The settings, or what is wrong with them."""
    try:
        return kind(_env_file=env_file, **overrides)
    except ValidationError as error:
        return _sentences(error)
    except SourceError as error:
        return [str(error.__cause__)]
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no text"
        return [f"{env_file} cannot be read ({reason}). Run this as its owner."]


def from_values(**values: Any) -> Settings:
    """Settings from these values alone, whatever the environment holds: for the sandbox, tests and benchmarks."""
    return load(None, _env_prefix="NOT_FROM_THE_ENVIRONMENT_", **values)


def _sentences(error: ValidationError) -> list[str]:
    problems = []
    for issue in error.errors(include_url=False, include_input=False, include_context=False):
        name = str(issue["loc"][0]) if issue["loc"] else ""
        if issue["type"] == "missing":
            text = f"missing. {_MISSING.get(name, 'Set it')}"
        else:
            form = _FORMS.get(name) if issue["type"] == "string_pattern_mismatch" else None
            text = form or issue["msg"].removeprefix("Value error, ")
            text = text.replace("a valid integer, unable to parse string as an integer", "a whole number")
            text = text.replace("Input should be", "must be")
        problems.append(f"{name.upper()}: {text}." if name else f"{text}.")
    return problems
