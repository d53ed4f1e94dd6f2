"""The vault: what it seals opens only in its own place, unchanged, with a key that is known."""

from __future__ import annotations

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from bot.storage.vault import SealedColumn, Unopenable, Vault, new_key

KEY, OTHER = b"k" * 32, b"o" * 32
VAULT = Vault([KEY])
REFRESH = SealedColumn("links", "refresh_sealed", "refresh", ("member_id",))
ACCESS = SealedColumn("links", "access_sealed", "access", ("member_id",))
BLOB = VAULT.seal("AQ-secret", 1, REFRESH)


def opens(blob: bytes, owner: int | str = 1, column: SealedColumn = REFRESH, vault: Vault = VAULT) -> bool:
    try:
        vault.open(blob, owner, column)
    except Unopenable:
        return False
    return True


TEXT = st.text(st.characters(exclude_categories=("Cs",)), max_size=200)


@settings(deadline=None)
@given(TEXT, st.integers(0, 2**63) | TEXT, TEXT, TEXT)
def test_what_is_sealed_opens_again(secret: str, owner: int | str, table: str, kind: str) -> None:
    column = SealedColumn(table, "column", kind, ("id",))
    assert VAULT.open(VAULT.seal(secret, owner, column), owner, column) == secret


def test_a_blob_that_was_copied_elsewhere_does_not_open() -> None:
    assert opens(BLOB)
    assert not opens(BLOB, owner=2)
    assert not opens(BLOB, owner="1")
    assert not opens(BLOB, column=ACCESS)
    assert not opens(BLOB, column=replace(REFRESH, table="link_attempts"))
    assert opens(BLOB, column=replace(REFRESH, column="renamed", key=("other",)))


@pytest.mark.parametrize("owner", ['x", "refresh', "x|refresh", '"', "7:8"])
def test_no_owner_passes_for_another_table_or_kind(owner: str) -> None:
    column = SealedColumn("t", "c", "k", ("id",))
    blob = VAULT.seal("s", owner, column)
    assert opens(blob, owner, column)
    assert not opens(blob, "x", replace(column, kind="refresh"))
    assert not opens(blob, "8", replace(column, table='t", "7'))


@pytest.mark.parametrize("length", range(len(BLOB)))
def test_a_blob_that_was_cut_does_not_open(length: int) -> None:
    assert not opens(BLOB[:length])


@pytest.mark.parametrize("place", range(len(BLOB)))
def test_a_blob_with_a_flipped_bit_does_not_open(place: int) -> None:
    for bit in range(8):
        changed = bytearray(BLOB)
        changed[place] ^= 1 << bit
        assert not opens(bytes(changed))


@settings(deadline=None)
@given(st.binary(max_size=100))
def test_no_bytes_open_or_fail_otherwise(blob: bytes) -> None:
    assert not opens(blob)


@pytest.mark.parametrize("version", [0, 1, 2, 4])
def test_a_blob_does_not_open_as_one_of_another_version(version: int) -> None:
    assert not opens(bytes([version]) + BLOB[1:])


def test_a_longer_blob_does_not_open() -> None:
    assert not opens(BLOB + b"\x00")


def test_another_key_does_not_open_it() -> None:
    assert not opens(BLOB, vault=Vault([OTHER]))
    assert not VAULT.knows(Vault([OTHER]).seal("s", 1, REFRESH))


def test_another_key_does_not_open_it_although_the_blob_names_that_key() -> None:
    other = Vault([OTHER])
    assert not opens(BLOB[:1] + other.sealing_key_id + BLOB[5:], vault=other)


def test_what_this_version_has_sealed_once_opens_for_ever() -> None:
    blob = base64.b64decode("AyUXjnWIjjg2ODV4dSSxGPg6KhRYSQCkm94a5c1a3XgbJPRLmR4CpnEtbgCh1oAI5A==")
    assert VAULT.open(blob, 7, REFRESH) == "AQ-1"


def test_the_first_key_seals_and_all_open() -> None:
    rotated = Vault([OTHER, KEY])
    assert opens(BLOB, vault=rotated)
    assert rotated.knows(BLOB)
    assert not rotated.is_current(BLOB)
    fresh = rotated.seal("s", 1, REFRESH)
    assert rotated.is_current(fresh)
    assert opens(fresh, vault=Vault([OTHER]))
    assert not opens(fresh, vault=VAULT)


def test_two_blobs_of_one_secret_differ_and_hide_it() -> None:
    again = VAULT.seal("AQ-secret", 1, REFRESH)
    assert again != BLOB
    assert b"AQ-secret" not in BLOB
    assert KEY[:8] not in BLOB


def test_a_new_key_is_32_random_bytes_without_padding() -> None:
    keys = {new_key() for _ in range(100)}
    assert len(keys) == 100
    assert all(len(base64.urlsafe_b64decode(key + "=")) == 32 and "=" not in key for key in keys)
