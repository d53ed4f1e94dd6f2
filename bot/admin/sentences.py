"""What went wrong, for a host at the command line: in sentences, with what to do."""

from __future__ import annotations

import os
from pathlib import Path

from bot.settings import SettingsError, ignored

ENV_FILE = Path(".env")


def sentences(error: Exception) -> list[str]:
    """The error as lines of text."""
    from bot.admin.setup import SetupError
    from bot.app import StartError
    from bot.errors import StorageUnavailable
    from bot.maintenance.control import ControlError
    from bot.storage import StorageStartupError

    match error:
        case SettingsError(is_not_set_up=True):
            there = "there is no .env here" if not ENV_FILE.exists() else "its .env has none of the required settings"
            return [
                f"Gatefold is not set up in {Path.cwd()}: {there}.",
                *ignored(ENV_FILE),
                "Run `gatefold setup` in this folder, or change to the folder that has your .env.",
            ]
        case SettingsError(problems=problems):
            told = [f"- {problem}" for problem in [*problems, *ignored(ENV_FILE)]]
            way_on = ["`gatefold setup` asks for what is missing or wrong."] if error.can_be_asked_for else []
            return ["These settings do not work:", *told, *way_on]
        case ControlError() | StartError() | StorageStartupError() | SetupError():
            return [str(error)]
        case StorageUnavailable():
            return [f"The database cannot be read or written ({error}). Check the space on the disk."]
        case OSError(filename=str() | bytes() | Path() as file):
            return [f"{os.fsdecode(file)} cannot be read or written ({error.strerror}).{_to_do(error)}"]
        case _:
            return [f"Something broke ({type(error).__name__}). Run this again with --debug, and report the traceback."]


def _to_do(error: OSError) -> str:
    return " Run this as the bot's user." if isinstance(error, PermissionError) else ""
