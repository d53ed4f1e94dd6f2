"""The vault: seals tokens with AES-256-GCM, each bound to its owner and its kind.

A blob: version (1 byte), key id (4), nonce (12), ciphertext with its tag. The associated data names owner and
kind, so a blob that was copied into another row, or another column, does not open.
"""

from __future__ import annotations

import hashlib
import os
import secrets
from base64 import urlsafe_b64encode
from collections.abc import Sequence

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

ACCESS, REFRESH, ANSWER, PROOF = "access", "refresh", "answer", "proof"
"""The kinds of what is sealed: a member's tokens, the token of an answer in Discord, the keys' check value."""
CHECK_OWNER = 0
"""Whom the check value is bound to: nobody."""

_VERSION = b"\x01"
_NONCE = 12
_HEAD = 1 + 4 + _NONCE


class Unopenable(Exception):
    """The blob was sealed with another key, for another row, or is damaged."""


def new_key() -> str:
    """A fresh key as a host writes it down: 32 random bytes in URL-safe base64."""
    return urlsafe_b64encode(secrets.token_bytes(32)).decode().rstrip("=")


class Vault:
    """Seals with the first key, opens with all of them."""

    def __init__(self, keys: Sequence[bytes]) -> None:
        self._ciphers = {key_id(key): AESGCM(key) for key in keys}
        self._first = key_id(keys[0])

    def seal(self, secret: str, owner: int, kind: str) -> bytes:
        """Seal `secret` for `owner` (a Discord id) as `kind`."""
        nonce = os.urandom(_NONCE)
        sealed = self._ciphers[self._first].encrypt(nonce, secret.encode(), _binding(owner, kind))
        return _VERSION + self._first + nonce + sealed

    def open(self, blob: bytes, owner: int, kind: str) -> str:
        """The secret of a blob that was sealed for this owner and kind. Unopenable otherwise."""
        cipher = self._ciphers.get(blob[1:5])
        if blob[:1] != _VERSION or len(blob) <= _HEAD or cipher is None:
            raise Unopenable
        try:
            return cipher.decrypt(blob[5:_HEAD], blob[_HEAD:], _binding(owner, kind)).decode()
        except InvalidTag:
            raise Unopenable from None

    def opened(self, blob: bytes, owner: int, kind: str) -> str | None:
        """The same, or None when it does not open."""
        try:
            return self.open(blob, owner, kind)
        except Unopenable:
            return None

    def reseal(self, blob: bytes, owner: int, kind: str) -> bytes:
        """The same secret, sealed with the first key. Unopenable when it does not open."""
        return self.seal(self.open(blob, owner, kind), owner, kind)

    @property
    def sealing_key_id(self) -> bytes:
        """The id of the key that seals now."""
        return self._first

    def is_current(self, blob: bytes) -> bool:
        """Whether the blob was sealed with the key that seals now."""
        return blob[1:5] == self._first

    def knows(self, blob: bytes) -> bool:
        """Whether the key that the blob names is among ours."""
        return blob[1:5] in self._ciphers


def key_id(key: bytes) -> bytes:
    """Which key it is, in the 4 bytes that every blob names it with; it tells nothing of the key."""
    return hashlib.sha256(b"gatefold key id" + key).digest()[:4]


def _binding(owner: int, kind: str) -> bytes:
    return f"token|v1|{owner}|{kind}".encode()
