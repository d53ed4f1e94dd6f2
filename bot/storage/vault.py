"""The vault: seals secrets with XChaCha20-Poly1305, each bound to its table, its owner and its kind.

A blob: version (1 byte), key id (4), nonce (24), ciphertext with its tag. The associated data names table, owner and
kind, so a blob that was copied into another row, or another column, does not open. What earlier versions sealed still
opens (see aes_gcm.py), and is sealed again at the first start of this one.
"""

from __future__ import annotations

import hashlib
import json
import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from typing import Any

from msgspec import Struct
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_decrypt as _decrypt
from nacl.bindings import crypto_aead_xchacha20poly1305_ietf_encrypt as _encrypt
from nacl.exceptions import CryptoError

_VERSION = b"\x03"
_EARLIER = (b"\x01", b"\x02")
_NONCE, _TAG = 24, 16
_HEAD = 1 + 4 + _NONCE


class SealedColumn(Struct, frozen=True):
    """A column of sealed blobs. Table and kind are part of the binding: a blob does not open under other names.

    `key`: the columns of the primary key, by which rotation goes through the table. `owner`: an SQL expression over the
    row for whom a blob is bound to; its value may be a number or a text.
    """

    table: str
    column: str
    kind: str
    key: tuple[str, ...]
    owner: str = "member_id"

    def owner_of(self, row: Any) -> int | str:
        """Whom the blob of a row is bound to. For columns whose owner is a column of the row."""
        owner: int | str = row[self.owner]
        return owner

    def binding(self, owner: int | str) -> bytes:
        """The associated data."""
        # JSON keeps the parts apart, and a number apart from its digits. Names of tables and kinds need no escaping.
        told = owner if isinstance(owner, int) else json.dumps(owner)
        return f'["gatefold", 2, "{self.table}", {told}, "{self.kind}"]'.encode()


class Unopenable(Exception):
    """The blob was sealed with another key, for another row, or is damaged."""


def new_key() -> str:
    """A fresh key as a host writes it down: 32 random bytes in URL-safe base64."""
    return urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")


class Vault:
    """Seals with the first key, opens with all of them."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._given = {key_id(key): key for key in keys}
        self._keys = {id_: _sealing_key(key) for id_, key in self._given.items()}
        self._first = key_id(keys[0])

    def seal(self, secret: str, owner: int | str, column: SealedColumn) -> bytes:
        """Seal `secret` for `owner` (mostly a Discord id) in this column."""
        nonce = os.urandom(_NONCE)
        sealed = _encrypt(secret.encode(), column.binding(owner), nonce, self._keys[self._first])
        return _VERSION + self._first + nonce + sealed

    def open(self, blob: bytes, owner: int | str, column: SealedColumn) -> str:
        """The secret of a blob that was sealed for this owner and column. Unopenable otherwise."""
        key = self._keys.get(blob[1:5])
        if key is None:
            raise Unopenable
        if blob[:1] != _VERSION:
            return self._open_earlier(blob, owner, column)
        if len(blob) < _HEAD + _TAG:
            raise Unopenable
        try:
            return _decrypt(blob[_HEAD:], column.binding(owner), blob[5:_HEAD], key).decode()
        except CryptoError:
            raise Unopenable from None

    def _open_earlier(self, blob: bytes, owner: int | str, column: SealedColumn) -> str:
        if blob[:1] not in _EARLIER:
            raise Unopenable
        from bot.storage import aes_gcm  # here, because it takes 7 MiB, and after one start nothing needs it

        secret = aes_gcm.opened(self._given[blob[1:5]], blob, owner, column)
        if secret is None:
            raise Unopenable
        return secret.decode()

    def opened(self, blob: bytes, owner: int | str, column: SealedColumn) -> str | None:
        """The same, or None when it does not open."""
        try:
            return self.open(blob, owner, column)
        except Unopenable:
            return None

    def reseal(self, blob: bytes, owner: int | str, column: SealedColumn) -> bytes:
        """The same secret, sealed with the first key. Unopenable when it does not open."""
        return self.seal(self.open(blob, owner, column), owner, column)

    @property
    def sealing_key_id(self) -> bytes:
        """The id of the key that seals now."""
        return self._first

    @property
    def current_head(self) -> bytes:
        """How every blob begins that need not be sealed again: the current version and key."""
        return _VERSION + self._first

    def is_current(self, blob: bytes) -> bool:
        """Whether the blob was sealed as it would be now: with the first key, in the current version."""
        return blob[:5] == self.current_head

    def is_earlier(self, blob: bytes) -> bool:
        """Whether an earlier version of Gatefold sealed it."""
        return blob[:1] in _EARLIER

    def knows(self, blob: bytes) -> bool:
        """Whether the key that the blob names is among ours."""
        return blob[1:5] in self._keys


def key_id(key: bytes) -> bytes:
    """Which key it is, in the 4 bytes that every blob names it with; it tells nothing of the key."""
    return hashlib.sha256(b"gatefold key id" + key).digest()[:4]


def _sealing_key(key: bytes) -> bytes:
    """The key for XChaCha20-Poly1305. Derived, because the given one may also have sealed with AES."""
    return hashlib.blake2b(b"gatefold XChaCha20-Poly1305", key=key, digest_size=32).digest()
