"""`make check-locks`: it finds what is wrong with a lock file, asks OSV or its database, and says when it can't."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
HASH, OTHER = "a" * 64, "b" * 64
PROJECT = """
[build-system]
requires = ["hatchling>=1"]
[project]
dependencies = ["aiohttp>=3.14,<3.15"]
[project.optional-dependencies]
sandbox = []
test = ["pytest>=9"]
check = []
bench = []
"""
GOOD = {
    "requirements.lock": f"aiohttp==3.14.5 \\\n    --hash=sha256:{HASH} \\\n    --hash=sha256:{OTHER}\n    # via x\n",
    "requirements-dev.lock": (
        f"aiohttp==3.14.5 \\\n    --hash=sha256:{HASH} \\\n    --hash=sha256:{OTHER}\n"
        f"pytest==9.2.0 \\\n    --hash=sha256:{HASH}\nhatchling==1.33.0 --hash=sha256:{HASH}\n"
        f'audioop-lts==0.2.2 ; python_version >= "3.13" \\\n    --hash=sha256:{HASH}\n'
    ),
    "requirements-bench.lock": f"aiohttp==3.14.5 --hash=sha256:{HASH} --hash=sha256:{OTHER}\n",
    "requirements-build.lock": f"hatchling==1.33.0 --hash=sha256:{HASH}\n",
}


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A project whose lock files are in order."""
    (tmp_path / "pyproject.toml").write_text(PROJECT)
    for name, text in GOOD.items():
        (tmp_path / name).write_text(text)
    return tmp_path


def audit(folder: Path, osv: str = "http://127.0.0.1:9/", **env: str) -> tuple[int, str]:
    """Exit status and output. Without `osv` nobody listens there."""
    command = [sys.executable, str(ROOT / ".ci" / "audit.py"), "--root", str(folder), "--osv", osv]
    done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False, env=env)
    assert "Traceback" not in done.stderr
    return done.returncode, done.stdout + done.stderr


@contextmanager
def osv_says(answer: Any) -> Iterator[tuple[str, list[Any]]]:
    """A stand-in for OSV with one answer: its address, and what it was asked."""
    asked: list[Any] = []

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            asked.append(json.loads(self.rfile.read(int(self.headers["Content-Length"]))))
            body = json.dumps(answer).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, format: str, *args: Any) -> None:
            pass

    with HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}/v1/querybatch", asked
        finally:
            server.shutdown()
            thread.join()


def test_our_own_lock_files_are_in_order() -> None:
    status, said = audit(ROOT)
    assert status == 0
    assert "each with its exact version and its hashes" in said


def test_without_a_network_it_says_loudly_that_nothing_was_audited_and_does_not_fail(folder: Path) -> None:
    status, said = audit(folder)
    assert status == 0
    assert "lock files: 4 packages" in said
    assert "NOT AUDITED" in said


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("==3.14.5", ">=3.14.5", "not a package with its exact version: aiohttp>=3.14.5"),
        ("aiohttp==3.14.5", "aiohttp @ https://evil.example/a.whl", "not a package with its exact version"),
        ("aiohttp==3.14.5", "git+https://evil.example/aiohttp", "not a package with its exact version"),
        ("aiohttp==3.14.5", "--trusted-host evil.example\naiohttp==3.14.5", "not a package with its exact"),
        ("aiohttp==3.14.5", "-r other.txt\naiohttp==3.14.5", "not a package with its exact version: -r other.txt"),
        (
            f" \\\n    --hash=sha256:{HASH} \\\n    --hash=sha256:{OTHER}",
            "",
            "not held by sha256 hashes alone: aiohttp",
        ),
        (f"sha256:{OTHER}", "md5:" + "b" * 32, "not held by sha256 hashes alone: aiohttp"),
        ("aiohttp==3.14.5", "aiohttp==3.15.0", "pyproject.toml asks for <3.15,>=3.14"),
        ("aiohttp==", "other==", "pyproject.toml asks for aiohttp, which is missing"),
        (
            "aiohttp==3.14.5",
            "aiohttp==3.14.6",
            "requirements-dev.lock: aiohttp is another one than in requirements.lock",
        ),
        (HASH, "c" * 64, "requirements-dev.lock: aiohttp is another one than in requirements.lock"),
    ],
)
def test_a_lock_that_pip_could_not_verify_fails(folder: Path, old: str, new: str, problem: str) -> None:
    lock = folder / "requirements.lock"
    lock.write_text(lock.read_text().replace(old, new))
    status, said = audit(folder)
    assert status == 1
    assert problem in said


def test_a_lock_that_nobody_looks_at_and_one_that_is_gone_fail(folder: Path) -> None:
    (folder / "requirements-build.lock").rename(folder / "requirements-more.lock")
    status, said = audit(folder)
    assert status == 1
    assert "requirements-build.lock, requirements-more.lock" in said


def test_what_osv_knows_fails_and_names_package_version_and_advisory(folder: Path) -> None:
    known = {"results": [{"vulns": [{"id": "GHSA-0", "modified": "2026-01-01T00:00:00Z"}]}, {}, {}, {}]}
    with osv_says(known) as (address, asked):
        status, said = audit(folder, address)
    assert status == 1
    assert "advisory: aiohttp 3.14.5: GHSA-0" in said
    ((queries,),) = [body.values() for body in asked]
    assert queries[0] == {"package": {"name": "aiohttp", "ecosystem": "PyPI"}, "version": "3.14.5"}
    assert len(queries) == 4


@pytest.mark.parametrize("answer", [{"results": [{}, {}]}, {}, [], None, {"results": 7}], ids=str)
def test_an_answer_that_makes_no_sense_is_no_audit(folder: Path, answer: Any) -> None:
    with osv_says(answer) as (address, _):
        status, said = audit(folder, address)
    assert status == 0
    assert "NOT AUDITED" in said


def test_nothing_known_passes(folder: Path) -> None:
    with osv_says({"results": [{}, {}, {}, {}]}) as (address, _):
        status, said = audit(folder, address)
    assert (status, "NOT AUDITED" in said, "audit: 0 advisories" in said) == (0, False, True)


def advisory(id_: str, name: str = "aiohttp", **more: Any) -> dict[str, Any]:
    affected = {"package": {"ecosystem": more.pop("ecosystem", "PyPI"), "name": name}}
    return {
        "id": id_,
        "affected": [affected | {key: more.pop(key) for key in ("versions", "ranges") if key in more}],
        **more,
    }


def between(*events: dict[str, str]) -> list[dict[str, Any]]:
    return [{"type": "ECOSYSTEM", "events": list(events)}]


def test_a_downloaded_database_needs_no_network(folder: Path) -> None:
    """In the folder of osv-scanner: https://google.github.io/osv-scanner/usage/offline-mode"""
    hits = [
        advisory("HIT-1", versions=["3.14.4", "3.14.5"]),
        advisory("HIT-2", ranges=between({"introduced": "0"}, {"fixed": "3.14.6"})),
        advisory("HIT-3", "AioHTTP", ranges=between({"introduced": "3.14"}, {"last_affected": "3.14.5"})),
    ]
    misses = [
        advisory("MISS-1", versions=["3.14.4"]),
        advisory("MISS-2", ranges=between({"introduced": "0"}, {"fixed": "3.14.5"})),
        advisory("MISS-3", ranges=between({"introduced": "3.15"})),
        advisory("MISS-4", versions=["3.14.5"], withdrawn="2026-01-01T00:00:00Z"),
        advisory("MISS-5", versions=["3.14.5"], ecosystem="npm"),
        advisory("MISS-6", "other", versions=["3.14.5"]),
    ]
    place = folder / "osv-scanner" / "PyPI"
    place.mkdir(parents=True)
    with zipfile.ZipFile(place / "all.zip", "w") as archive:
        for one in [*hits, *misses]:
            archive.writestr(f"{one['id']}.json", json.dumps(one))
    status, said = audit(folder, OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY=str(folder))
    assert status == 1
    assert "NOT AUDITED" not in said
    assert all(f"{number} (" in said for number in ("HIT-1", "HIT-2", "HIT-3"))
    assert "MISS" not in said
    (place / "all.zip").write_bytes(b"no zip")
    status, said = audit(folder, OSV_SCANNER_LOCAL_DB_CACHE_DIRECTORY=str(folder))
    assert (status, "NOT AUDITED" in said) == (0, True)
