"""What earlier versions of Gatefold sealed: with AES-256-GCM, in other blobs."""

from __future__ import annotations

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from bot.storage import Storage
from bot.storage.engine import Connection
from bot.storage.rotation import are_current
from bot.storage.stores import SEALED
from bot.storage.vault import SealedColumn, Vault, key_id
from tests.storage.rows import KEY

NONCE = b"n" * 12


def sealed_by_version_1(secret: str, owner: int, kind: str, key: bytes = KEY) -> bytes:
    """As Gatefold sealed it before the binding named the table."""
    binding = f"token|v1|{owner}|{kind}".encode()
    return b"\x01" + key_id(key) + NONCE + AESGCM(key).encrypt(NONCE, secret.encode(), binding)


def sealed_by_version_2(secret: str, owner: int | str, column: SealedColumn, key: bytes = KEY) -> bytes:
    """As Gatefold sealed it until it took XChaCha20-Poly1305."""
    return b"\x02" + key_id(key) + NONCE + AESGCM(key).encrypt(NONCE, secret.encode(), column.binding(owner))


async def made_earlier(storage: Storage, key: bytes = KEY) -> dict[str, list[str]]:
    """Seal all that is in the database as version 2 did. Returned: the secrets, by table and column."""
    vault = Vault([key])
    secrets: dict[str, list[str]] = {}

    def seal(c: Connection) -> None:
        for column in SEALED:
            keys, name = ", ".join(column.key), f"{column.table}.{column.column}"
            where = f"FROM {column.table} WHERE {column.column} IS NOT NULL"
            for *key_of_row, owner, blob in c.execute(
                f"SELECT {keys}, {column.owner}, {column.column} {where}"
            ).fetchall():
                secret = vault.open(blob, owner, column)
                secrets.setdefault(name, []).append(secret)
                marks = ", ".join("?" * len(column.key))
                c.execute(
                    f"UPDATE {column.table} SET {column.column} = ? WHERE ({keys}) = ({marks})",
                    (sealed_by_version_2(secret, owner, column, key), *key_of_row),
                )

    await storage.database.write(seal)
    assert not await storage.database.read(lambda c: are_current(c, SEALED, vault))
    return secrets
