"""Reads the settings from their sources, and reports everything that is wrong with them at once."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

import attrs

from bot.settings.model import FileSettings, KeySettings, Settings, free_text_names, secret_names
from bot.settings.sources import (
    Unreadable,
    nearly_named,
    nearly_set,
    not_used,
    of_env_file,
    of_files,
    read_text,
    secret_places,
)

_Some = TypeVar("_Some", bound=FileSettings)
_MISSING = {
    "discord_token": "Copy the bot's token from the Bot page of your app in Discord's developer portal",
    "discord_client_id": "Copy it from the OAuth2 page of your app in Discord's developer portal",
    "discord_client_secret": "Copy it from the OAuth2 page of your app in Discord's developer portal",
    "public_url": "Set the address at which browsers reach this bot, like https://gatefold.example.org",
}


class SettingsError(Exception):
    """The settings do not work. `problems`: one sentence each, with what to do; no value of a secret.

    `can_be_asked_for`: whether `gatefold setup` helps. It cannot read what the bot cannot read.
    """

    def __init__(self, problems: list[str], *, can_be_asked_for: bool = True) -> None:
        super().__init__("; ".join(problems))
        self.problems = problems
        self.can_be_asked_for = can_be_asked_for

    @property
    def is_not_set_up(self) -> bool:
        """Whether everything that is required is missing, as in a folder where nobody ran `gatefold setup`."""
        missing = {problem.partition(":")[0].lower() for problem in self.problems if ": missing." in problem}
        return missing >= _MISSING.keys()


def load(env_file: Path | None = Path(".env"), **overrides: Any) -> Settings:
    """Read the settings. `overrides`: values by name that override every source. SettingsError: all problems."""
    return load_only(Settings, env_file, **overrides)


def load_only(kind: type[_Some], env_file: Path | None = Path(".env"), **overrides: Any) -> _Some:
    """Read only the settings that a command needs: `FileSettings` and its children. SettingsError as in `load`."""
    try:
        given = _given(kind, env_file, os.environ) | overrides
    except Unreadable as error:
        problem = f"{error}."
    else:
        return _made(kind, given)
    raise SettingsError([problem], can_be_asked_for=False)


def from_values(**given: Any) -> Settings:
    """Settings from these values alone, whatever the environment holds: for the sandbox, tests and benchmarks."""
    return _made(Settings, given)


def ignored(env_file: Path = Path(".env")) -> list[str]:
    """Lines of the file, variables and secret files that set nothing or not all that may be meant, one sentence each."""
    names = attrs.fields_dict(Settings).keys()
    try:
        lines = not_used(read_text(env_file), env_file, names, free_text_names())
    except (Unreadable, FileNotFoundError):
        lines = []
    return [*lines, *nearly_set(os.environ, names), *nearly_named(secret_places(os.environ), names)]


def _given(kind: type[FileSettings], env_file: Path | None, environment: Mapping[str, str]) -> dict[str, Any]:
    """What was set, by name: secret files, overridden by `.env`, overridden by the environment. Unreadable."""
    names = attrs.fields_dict(kind).keys()
    found: dict[str, Any] = of_files(names, secret_places(environment))
    in_file = {}
    if env_file is not None:
        try:
            in_file = of_env_file(read_text(env_file), secret_names())
        except FileNotFoundError:
            pass
        except Unreadable as error:
            raise Unreadable(f"{env_file} {error}") from None
    in_environment = {name.lower(): value for name, value in environment.items()}
    for source in (in_file, in_environment):
        found |= {name: value for name, value in source.items() if name in names and value.strip()}
    return found


def _made(kind: type[_Some], given: Mapping[str, Any]) -> _Some:
    problems = []
    values = {}
    for field in attrs.fields(kind):
        value = given.get(field.name)
        if value is None or value == "":
            if field.default is attrs.NOTHING:
                problems.append(f"{field.name.upper()}: missing. {_MISSING[field.name]}.")
            continue
        try:
            values[field.name] = field.converter(value)
        except ValueError as error:
            problems.append(f"{field.name.upper()}: {error}{_around(value)}.")
    if not problems:
        made = kind(**values)
        problems = made.conflicts()
        if not problems:
            return made
    elif issubclass(kind, KeySettings):
        # What the keys' problems are can be said whatever is wrong elsewhere.
        names = attrs.fields_dict(KeySettings).keys()
        problems += KeySettings(**{name: value for name, value in values.items() if name in names}).conflicts()
    raise SettingsError(problems)


def _around(value: Any) -> str:
    """The end of a sentence about a value that is wrong, if that is because of what the environment does not remove."""
    if isinstance(value, str) and re.search(r"\s#", value):
        return "; a # begins no comment here, so remove it and what follows"
    if isinstance(value, str) and len(value) > 1 and value[0] == value[-1] and value[0] in "'\"":
        return "; remove the quotes around it"
    return ""
