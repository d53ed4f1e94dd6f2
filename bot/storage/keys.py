"""The keys' check value: it shows at the start that TOKEN_KEYS still holds every key that is needed.

One row. It stays sealed with the oldest key that is still needed, so that nobody takes that one away.
"""

from __future__ import annotations

from bot.storage.declarations import Declaration
from bot.storage.engine import Connection
from bot.storage.vault import SealedColumn, Vault

PROOF = SealedColumn("key_check", "proof_sealed", "proof", ("id",), owner="0")
_NOBODY = 0
_TEXT = "gatefold"


declares = Declaration(tables=("key_check",), sealed=(PROOF,))


def key_opens(c: Connection, vault: Vault) -> bool | None:
    """Whether these keys open the check value; None: there is none yet."""
    row = c.execute("SELECT proof_sealed FROM key_check").fetchone()
    return None if row is None else vault.opened(row[0], _NOBODY, PROOF) is not None


def is_proof_current(c: Connection, vault: Vault) -> bool:
    """Whether the check value is sealed as it would be now."""
    row = c.execute("SELECT proof_sealed FROM key_check").fetchone()
    return row is not None and vault.is_current(row[0])


def is_proof_of_this_version(c: Connection, vault: Vault) -> bool:
    """Whether the check value was sealed by this version. It is the last that a start seals again."""
    row = c.execute("SELECT proof_sealed FROM key_check").fetchone()
    return row is not None and not vault.is_earlier(row[0])


def put_proof(c: Connection, vault: Vault) -> None:
    """Seal the check value with the first key."""
    c.execute(
        "INSERT INTO key_check (id, proof_sealed) VALUES (1, ?)"
        " ON CONFLICT (id) DO UPDATE SET proof_sealed = excluded.proof_sealed",
        (vault.seal(_TEXT, _NOBODY, PROOF),),
    )


def remove_proof(c: Connection) -> None:
    """Leave it out of a copy, so that nobody can try keys against it."""
    c.execute("DELETE FROM key_check")
