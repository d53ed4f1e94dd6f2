"""From the text of a setting to its value. Pure.

Each reader takes a text, or a value that already has its type, and raises ValueError with the rest of a sentence that
begins with the setting's name. No sentence repeats the text, since it may be a secret.
"""

from __future__ import annotations

import base64
import binascii
import ipaddress
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, urlsplit, urlunsplit

import attrs

from bot.caller import MemberId

Reader = Callable[[Any], Any]

_ID = re.compile(r"[0-9]{17,20}")
_LABEL = r"[0-9A-Za-z_](?:[0-9A-Za-z_-]{0,61}[0-9A-Za-z_])?"
_HOST_NAME = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_QUOTES = "\u201c\u201d\u201e\u201f\u2018\u2019\u201a\u201b\u00ab\u00bb\u00b4`"
"""Quotes that word processors make, which no shell and no env file takes for quotes."""
_AROUND = "\"'`<>()[]{},;"
"""What is around a secret only because it was copied with it."""
_MOST_URL = 300
"""Discord takes links of 512 characters, and those for linking are an address of ours with an id behind it."""


@attrs.frozen(repr=False)
class Secret:
    """A text that no `repr`, log line or error shows."""

    _value: str

    def get_secret_value(self) -> str:
        """The text itself."""
        return self._value

    def __repr__(self) -> str:
        return "Secret('**********')"


def one_line(value: Any) -> Any:
    """Text on one line, without invisible characters and typographic quotes around it."""
    if isinstance(value, str):
        if not value.isprintable():
            raise ValueError(
                "contains a line break or an invisible character; write it as one line, best typed by hand"
            )
        if value and (value[0] in _QUOTES or value[-1] in _QUOTES):
            raise ValueError("""has typographic quotes around it; remove them, or use ' or " instead""")
        if re.fullmatch(r"""'[^']*'|"[^"]*\"""", value):
            raise ValueError("is in quotes")
    return value


def secret(value: Any) -> Secret:
    """A token or a secret: printable ASCII without spaces. What has another form is what somebody pasted by mistake."""
    if isinstance(value, Secret):
        return value
    if re.search(r"[\r\n]", value):
        raise ValueError("goes over two lines; write it as one line, without spaces")
    if begun := re.match(r"(Bot|Bearer)\s", value):
        raise ValueError(f"begins with the word {begun[1]}; leave that out")
    if not re.fullmatch(r"[!-~]+", value):
        raise ValueError("contains a space or a character that no such secret has; copy it again")
    if value[0] in _AROUND or value[-1] in _AROUND:
        raise ValueError("has a quote, a bracket or a separator around it; remove it")
    if value.isdigit():
        raise ValueError("is a number, and looks like an id; copy the secret, not the id")
    return Secret(value)


def keys(value: Any) -> Secret:
    """The text of one or more keys, which `read_keys` reads."""
    return value if isinstance(value, Secret) else Secret(value)


def path(value: Any) -> Path:
    """A path in the file system."""
    if isinstance(value, str) and re.match(r"~|\$[A-Za-z{]", value):
        raise ValueError("begins with ~ or $, which nothing expands here; write the whole path")
    if isinstance(value, str) and re.match(r":memory:|[A-Za-z][A-Za-z0-9+.-]*:[/\\]|file:|%\w+%", value):
        raise ValueError("must be a path on this machine, like /var/lib/gatefold/gatefold.db")
    return Path(one_line(value))


def text(value: Any) -> str:
    """Any text on one line."""
    return str(one_line(value)).strip()


def whole(least: int, most: int) -> Reader:
    """A reader of whole numbers between these two."""

    def read(value: Any) -> int:
        if isinstance(value, str) and re.fullmatch(r"[0-9]{1,9}", value.strip(), re.ASCII):
            value = int(value)
        if not isinstance(value, int) or not least <= value <= most:
            raise ValueError(f"must be a whole number from {least} to {most}")
        return value

    return read


def choice(*names: str) -> Reader:
    """A reader of one of these words, in any case."""
    known = {name.casefold(): name for name in names}

    def read(value: Any) -> str:
        found = known.get(str(value).strip().casefold())
        if found is None:
            raise ValueError(f"must be {', '.join(names[:-1])} or {names[-1]}")
        return found

    return read


_log_level = choice("DEBUG", "INFO", "WARNING", "ERROR", "CRITICAL")


def log_level(value: Any) -> str:
    """Python's names in any case, its aliases included."""
    name = str(value).strip().upper()
    level: str = _log_level({"WARN": "WARNING", "FATAL": "CRITICAL", "NOTSET": "DEBUG"}.get(name, name))
    return level


def switch(value: Any) -> bool:
    """`on` or `off`."""
    return value if isinstance(value, bool) else bool(choice("on", "off")(value) == "on")


def application_id(value: Any) -> str:
    """The client id of a Discord application: a snowflake."""
    if not _ID.fullmatch(str(value)):
        raise ValueError("must be a number of 17 to 20 digits, as the OAuth2 page of your app shows it")
    return str(value)


def spotify_client_id(value: Any) -> str:
    """The client id of a Spotify app. Empty: the host has none."""
    if not re.fullmatch(r"[0-9A-Za-z_-]{0,100}", value):
        raise ValueError("must contain letters and digits only, as your app's settings in Spotify's dashboard show it")
    return str(value)


def guild_id(value: Any) -> int:
    """The id of a Discord server."""
    if isinstance(value, int) and value > 0:
        return value
    if not _ID.fullmatch(str(value).strip()):
        raise ValueError("must be the id of a server: a number of 17 to 20 digits")
    return int(value)


def member_ids(value: Any) -> tuple[MemberId, ...]:
    """Ids of Discord users, separated by commas or spaces."""
    parts = re.split(r"[\s,;]+", value.strip(" ,;")) if isinstance(value, str) else value
    if any(not _ID.fullmatch(str(part)) for part in parts):
        raise ValueError("must be the ids of Discord users, 17 to 20 digits each, separated by commas")
    return tuple(dict.fromkeys(MemberId(int(part)) for part in parts))


def listen_host(value: Any) -> str:
    """Where to listen: an address of this machine or a name for one. IPv6 may come with its brackets."""
    host = text(value)
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    if _is_ip(bare):
        return bare
    if host == "*":
        raise ValueError("must be an address; 0.0.0.0 means every interface")
    if re.fullmatch(r"[^:]+:[0-9]+|\[.*\]:[0-9]+", host):
        raise ValueError("must be an address without a port; the port is a setting of its own")
    if not _is_host_name(bare):
        raise ValueError("must be an address of this machine, like 127.0.0.1 or 0.0.0.0, without http://")
    return bare


def address(*schemes: str) -> Reader:
    """A reader of absolute addresses with one of these schemes, without a slash at the end of http addresses."""

    def read(value: Any) -> str:
        parts = _split(one_line(value).strip())
        if parts is None or parts.scheme not in schemes or not parts.hostname:
            raise ValueError(f"must be an address that starts with {' or '.join(f'{s}://' for s in schemes)}")
        found = urlunsplit(parts)
        return found.rstrip("/") if "http" in schemes else found

    return read


def public_url(value: Any) -> str:
    """Spotify's rule for redirect URIs: https, or http on a loopback IP literal; never `localhost`.

    https://developer.spotify.com/documentation/web-api/concepts/redirect_uri
    """
    value = str(value).strip(" \t\r\n")
    if not value.isprintable() or " " in value:
        raise ValueError("contains a space, a line break or an invisible character; type it by hand")
    parts = _split(one_line(value))
    if parts is not None and not value.isascii():
        raise ValueError(f"must be written in ASCII, as browsers send it{_in_ascii(value)}")
    if len(value) > _MOST_URL:
        raise ValueError(f"is longer than {_MOST_URL} characters; Discord takes no links that long")
    if parts is not None and parts.username is not None:
        raise ValueError("has a user name before the host; write it like https://gatefold.example.org")
    if parts is not None and (parts.query or parts.fragment):
        raise ValueError("has a ? or # with something behind it; write it like https://gatefold.example.org")
    if parts is not None and re.search(r"/callback/(discord|spotify)/*$", parts.path):
        raise ValueError(
            "is a redirect URI; leave out /callback and what is behind it, as in https://gatefold.example.org"
        )
    if parts is not None and _has_bad_port(parts):
        raise ValueError("has a port that is not a number from 1 to 65535")
    if re.fullmatch(r"[\w.-]+\.[A-Za-z]{2,}(:[0-9]+)?(/.*)?", value):
        raise ValueError("has no https:// before it; write it like https://gatefold.example.org")
    host = parts.hostname if parts is not None else None
    if (
        parts is None
        or parts.scheme not in ("http", "https")
        or not host
        or not ((_is_ip(host) and "%" not in host) or _is_host_name(host))
        or not re.fullmatch(r"[0-9A-Za-z._~/-]*", parts.path)
        or re.search(r"/\.{1,2}(/|$)", parts.path)
    ):
        raise ValueError("must be the address at which browsers reach this bot, like https://gatefold.example.org")
    if host == "localhost" or host.endswith(".localhost"):
        raise ValueError("Spotify does not accept `localhost`: use http://127.0.0.1:PORT or an https address")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("Spotify does not accept plain http here: use https, or http://127.0.0.1:PORT on this machine")
    # Compared everywhere, so in one spelling, which is the browsers': scheme and host in lower case, no port that goes
    # without saying, no slash at the end.
    usual = ":443" if parts.scheme == "https" else ":80"
    netloc = parts.netloc.lower().removesuffix(usual).removesuffix(":")
    return urlunsplit(parts._replace(netloc=netloc)).rstrip("/")


def _split(value: str) -> SplitResult | None:
    try:
        parts = urlsplit(value)
        return parts if parts.hostname is not None else None
    except ValueError:
        return None


def _has_bad_port(parts: SplitResult) -> bool:
    try:
        return parts.port == 0
    except ValueError:
        return True


def _in_ascii(value: str) -> str:
    """The end of a sentence: this address in ASCII, with its port and path, if it is a good one then."""
    from yarl import URL  # here, because few addresses have such letters

    try:
        address = URL(value)
        if not address.raw_path.isascii() or "%" in address.raw_path or not address.raw_host:
            return "; its path must be of the letters a to z"
        return f": {public_url(str(address))}"
    except ValueError:
        return ""


def _is_host_name(host: str) -> bool:
    """Whether it may be a name. What ends in a number is read as an IPv4 address, and is none here."""
    return bool(_HOST_NAME.fullmatch(host)) and len(host) <= 253 and not host.rpartition(".")[2].isdigit()


def _is_ip(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True


def _is_loopback(host: str) -> bool:
    return _is_ip(host) and ipaddress.ip_address(host).is_loopback


def read_key(text: str) -> bytes:
    """A key from its text: 32 bytes in URL-safe base64, padded or not. ValueError if it is not one."""
    text = text.strip()
    try:
        key = base64.b64decode(text + "=" * (-len(text) % 4), altchars=b"-_", validate=True)
    except (binascii.Error, ValueError):
        key = b""
    if len(key) != 32:
        # Never "make a new one" alone: where members are linked already, that would cost all their links.
        raise ValueError(
            "is not a key, which has 43 letters, digits, - and _. If members have linked already, put the key back that "
            "was used then. For a new bot, `gatefold new-key` makes one"
        ) from None
    return key


def _what_is_wrong(text: str, number: int) -> str | None:
    """Why an entry is no key, if the key itself is there and right: then nobody must think of a new one."""
    entries = [entry.strip() for entry in text.replace("\n", ",").split(",") if entry.strip()]
    if len(entries) == 2 and _is_key("".join(entries)):
        return "goes over two lines; write it as one line. The key stays the same"
    inside = re.findall(r"(?<![0-9A-Za-z_+/-])[0-9A-Za-z_+/-]{43}=?(?![0-9A-Za-z_+/=-])", entries[number - 1])
    if len(inside) == 1 and _is_key(inside[0]):
        return f"entry {number} has a quote, an invisible character or a word around the key; remove it. The key stays the same"
    if any(map(_is_key, entries)):
        return (
            f"entry {number} is not a key, but another one is; only keys may be there, separated by commas or line breaks. "
            "If members have linked already, keep the key that was used then"
        )
    return None


def _is_key(text: str) -> bool:
    try:
        return bool(read_key(text))
    except ValueError:
        return False


def read_keys(text: str) -> tuple[bytes, ...]:
    """Keys separated by commas or line breaks, each once. ValueError says which entry is wrong."""
    found = []
    for number, part in enumerate(filter(str.strip, text.replace("\n", ",").split(",")), 1):
        try:
            found.append(read_key(part))
        except ValueError as error:
            raise ValueError(_what_is_wrong(text, number) or f"entry {number} {error}") from None
    if not found:
        raise ValueError("contains no key; for a new bot, `gatefold new-key` makes one")
    return tuple(dict.fromkeys(found))
