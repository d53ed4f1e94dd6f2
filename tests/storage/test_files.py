"""Files that get their names when they are whole."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from bot.storage.files import give_name, give_new_name, remove_part, sync
from tests.storage.rows import open_in


@pytest.fixture(params=["hard links", "no hard links"])
def file_system(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """File systems with hard links and without."""

    def link(*names: object) -> None:
        raise OSError(errno.EPERM, "Operation not permitted")

    if request.param == "no hard links":
        monkeypatch.setattr(os, "link", link)


@pytest.fixture
def part(tmp_path: Path) -> Path:
    """A finished file that has no name of its own yet."""
    part = tmp_path / ".one.part"
    part.write_bytes(b"whole")
    part.chmod(0o600)
    return part


def contents(folder: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in folder.iterdir()}


@pytest.mark.usefixtures("file_system")
def test_a_finished_file_is_moved_to_its_new_name_with_what_it_holds_and_its_mode(part: Path, tmp_path: Path) -> None:
    assert give_new_name(part, tmp_path / "one") == len(b"whole")
    assert contents(tmp_path) == {"one": b"whole"}
    assert stat.S_IMODE((tmp_path / "one").stat().st_mode) == 0o600


@pytest.mark.usefixtures("file_system")
def test_a_new_name_that_a_file_has_is_refused_and_both_files_stay(part: Path, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"somebody else's")
    with pytest.raises(FileExistsError):
        give_new_name(part, tmp_path / "one")
    assert contents(tmp_path) == {".one.part": b"whole", "one": b"somebody else's"}


def test_a_finished_file_takes_the_place_of_the_one_that_has_its_name(part: Path, tmp_path: Path) -> None:
    (tmp_path / "one").write_bytes(b"old")
    give_name(part, tmp_path / "one")
    assert contents(tmp_path) == {"one": b"whole"}


def test_files_and_folders_are_flushed_and_none_stays_open(
    part: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    flushed: list[str] = []
    monkeypatch.setattr(os, "fsync", lambda handle: flushed.append(os.readlink(f"/proc/self/fd/{handle}")))
    sync(part)
    sync(tmp_path)
    assert flushed == [str(part), str(tmp_path)]
    assert open_in(tmp_path) == []


def test_an_unfinished_database_goes_with_what_lies_beside_it_and_nothing_else_goes(part: Path, tmp_path: Path) -> None:
    for end in ("-wal", "-shm", "-journal", "-other"):
        Path(f"{part}{end}").write_bytes(b"beside")
    remove_part(part)
    assert contents(tmp_path) == {".one.part-other": b"beside"}
    remove_part(part)  # there is nothing left to remove
