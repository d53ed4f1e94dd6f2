"""What is shipped: the wheel, installed where no repository is, and the commands of `gatefold`."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import aiohttp
import pytest

from bot.settings import read_key
from tests.process.harness import ROOT, Outside, bare_environment, until_said
from tests.world import ADA, FIRST

# As the `gatefold` command does, from wherever the package is; the path entries of an editable install are gone.
ENTRY = """
import sys
sys.path[:] = [entry for entry in sys.path if entry != {root!r}]
sys.meta_path[:] = [finder for finder in sys.meta_path if "ditable" not in repr(finder)]
import bot, importlib.util
assert bot.__file__.startswith({place!r}), bot.__file__
assert importlib.util.find_spec("migrations") is None
assert importlib.util.find_spec("tests") is None
from bot.cli import main
main()
"""

# What `pip install gatefold` without the extra leaves out.
WITHOUT_SIMCORD = """
import sys
class Missing:
    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] == "simcord":
            raise ModuleNotFoundError(f"No module named {name!r}", name=name)
sys.meta_path.insert(0, Missing())
from bot.cli import main
main()
"""


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel of the working tree."""
    folder = tmp_path_factory.mktemp("wheel")
    _pip("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", str(folder), str(ROOT))
    (built,) = folder.glob("gatefold-*.whl")
    return built


@pytest.fixture(scope="module")
def installed(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that holds the installed wheel and nothing else."""
    folder = tmp_path_factory.mktemp("installed")
    _pip("install", "--no-deps", "--no-index", "--target", str(folder), str(wheel))
    return folder


def _pip(*arguments: str) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "pip", "--disable-pip-version-check", "--no-input", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def _gatefold(
    *arguments: str, code: str = "from bot.cli import main; main()", path: str = str(ROOT), cwd: Path
) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", code, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
        cwd=cwd,
        env=bare_environment(path),
    )


# -- the wheel


def test_the_wheel_holds_all_that_a_host_needs_and_nothing_at_the_top_but_the_package(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert {name.split("/")[0] for name in names if ".dist-info/" not in name} == {"bot"}
    needed = {
        "bot/migrations/migrations.py",
        "bot/web/privacy.md",
        "bot/web/privacy.ja.md",
        "bot/web/static/style.css",
        "bot/web/static/mark.svg",
        "bot/web/templates/page.html",
        "bot/web/templates/privacy.html",
    }
    assert needed - names == set()
    shipped = {path for folder in ("templates", "static") for path in (ROOT / "bot/web" / folder).iterdir()}
    assert {path.relative_to(ROOT).as_posix() for path in shipped} <= names
    assert [name for name in names if name.endswith((".pyc", ".db", ".env")) or "tests/" in name] == []


def test_the_wheel_says_that_the_sandbox_is_an_extra(wheel: Path) -> None:
    archive = zipfile.ZipFile(wheel)
    (name,) = (name for name in archive.namelist() if name.endswith(".dist-info/METADATA"))
    required = [line for line in archive.read(name).decode().splitlines() if line.startswith("Requires-Dist: simcord")]
    assert required
    assert all("extra ==" in line for line in required)


async def test_from_a_wheel_the_bot_starts_serves_its_pages_and_saves(out: Outside, installed: Path) -> None:
    await out.link(ADA, "ada")
    code = ENTRY.format(root=str(ROOT), place=str(installed))
    process = await out.start(command=(sys.executable, "-c", code, "run"), path=str(installed))
    async with aiohttp.ClientSession() as session:
        for path, words in (("/privacy", "Spotify"), ("/static/style.css", "{"), ("/static/mark.svg", "<svg")):
            async with session.get(process.url + path) as response:
                assert response.status == 200, path
                assert words in await response.text()
        async with session.get(f"{process.url}/link/{'x' * 32}") as response:
            assert response.status == 400  # a page of ours, drawn from a template
            assert "<html" in await response.text()
    assert "Saved" in await until_said(await out.save(FIRST), "library")
    await process.terminate()


def test_from_a_wheel_the_sandbox_tells_its_story(installed: Path, tmp_path: Path) -> None:
    code = ENTRY.format(root=str(ROOT), place=str(installed))
    done = _gatefold("sandbox", "--script", code=code, path=str(installed), cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr


# -- the commands


@pytest.mark.parametrize("arguments", [("sandbox",), ("sandbox", "--script")])
def test_the_sandbox_says_that_it_is_an_extra_where_it_is_missing(tmp_path: Path, arguments: tuple[str, ...]) -> None:
    done = _gatefold(*arguments, code=WITHOUT_SIMCORD, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.splitlines() == ["The sandbox needs additional packages: pip install 'gatefold[sandbox]'"]
    assert done.stdout == ""


def test_production_does_without_the_sandboxs_packages(tmp_path: Path) -> None:
    done = _gatefold("run", code=WITHOUT_SIMCORD, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.startswith("Gatefold is not set up in ")


def test_new_key_prints_a_key_and_never_the_same(tmp_path: Path) -> None:
    keys = set()
    for _ in range(2):
        done = _gatefold("new-key", cwd=tmp_path)
        assert done.returncode == 0
        (line,) = done.stdout.splitlines()
        assert len(read_key(line)) == 32
        keys.add(line)
    assert len(keys) == 2


def test_the_sandboxs_story_ends_with_status_0_and_needs_no_settings(tmp_path: Path) -> None:
    done = _gatefold("sandbox", "--script", cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert len(done.stdout.splitlines()) > 5
    assert list(tmp_path.iterdir()) == []
