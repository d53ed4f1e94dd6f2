"""Opens what earlier versions sealed with AES-256-GCM. Loaded only where a database still has something of it.

A blob: version (1 byte), key id (4), nonce (12), ciphertext with its tag. The binding of version 1 did not name the
table.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

if TYPE_CHECKING:
    from bot.storage.vault import SealedColumn

_HEAD, _NONCE, _TAG = 1 + 4, 12, 16


def opened(key: bytes, blob: bytes, owner: int | str, column: SealedColumn) -> bytes | None:
    """The secret of a blob of these versions, or None when it does not open."""
    nonce, ciphertext = blob[_HEAD : _HEAD + _NONCE], blob[_HEAD + _NONCE :]
    if len(ciphertext) < _TAG:
        return None
    binding = column.binding(owner) if blob[0] == 2 else f"token|v1|{owner}|{column.kind}".encode()
    try:
        return AESGCM(key).decrypt(nonce, ciphertext, binding)
    except InvalidTag:
        return None
