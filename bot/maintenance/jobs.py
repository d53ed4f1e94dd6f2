"""What the running bot does with the database on the host's request: one job at a time, while it serves members."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import structlog

from bot.maintenance.control import ControlError, Job, Tell
from bot.storage.backup import Copy, back_up
from bot.storage.database import Database, StorageStartupError
from bot.storage.rotation import Rotation, rotate
from bot.storage.vault import Vault, key_id

_log = structlog.get_logger("gatefold.maintenance")


class Maintenance:
    """Backups and key rotation, for the commands and for the schedule."""

    def __init__(self, database: Database, keys: Sequence[bytes]) -> None:
        self._database = database
        self._vault = Vault(keys)
        self._one_at_a_time = asyncio.Lock()

    async def back_up(self, target: Path, *, key_check: bool = True) -> Copy:
        """Make and verify a copy. StorageStartupError says why it failed."""
        async with self._one_at_a_time:
            copy = await back_up(self._database.backup, target, key_check=key_check)
        _log.info("backed up", file=str(copy.file), bytes=copy.size)
        return copy

    async def rotate(self, tell: Tell) -> Rotation:
        """Re-encrypt everything with the first key."""
        async with self._one_at_a_time:
            rotation = await rotate(self._database, self._vault, tell)
        _log.info("rotated the key", resealed=rotation.resealed, left=rotation.left)
        return rotation

    def jobs(self) -> dict[str, Job]:
        """What the control socket serves."""

        async def backup(request: Mapping[str, Any], _: Tell) -> dict[str, Any]:
            try:
                return described(await self.back_up(Path(request["file"]), key_check=bool(request["key_check"])))
            except StorageStartupError as error:
                raise ControlError(str(error)) from None

        async def rotate_key(request: Mapping[str, Any], tell: Tell) -> dict[str, Any]:
            # The bot has the keys that it was started with, which may no longer be those in the settings.
            if request["sealing_key_id"] != self._vault.sealing_key_id.hex():
                raise ControlError(
                    "The running bot encrypts with another key than the one that is first in the settings now. Restart "
                    "the bot and run this again."
                )
            return rotated(await self.rotate(tell))

        return {"backup": backup, "rotate-key": rotate_key}


def described(copy: Copy) -> dict[str, Any]:
    """A backup as JSON."""
    held = copy.contents
    counts = {"links": held.links, "requests": held.requests, "pending": held.pending}
    return {"file": str(copy.file), "bytes": copy.size, **counts}


def rotated(rotation: Rotation) -> dict[str, Any]:
    """A rotation as JSON; keys by their ids, in hex."""
    return {
        "resealed": rotation.resealed,
        "left": rotation.left,
        "needed": sorted(id_.hex() for id_ in rotation.needed),
    }


def sealing_key_id(keys: Sequence[bytes]) -> str:
    """The id of the key that encrypts, in the form in which the running bot is asked about it."""
    return key_id(keys[0]).hex()
