"""What the real process has loaded once it serves: modules that a start can do without stay on the disk."""

from __future__ import annotations

import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

from tests.process.harness import ROOT, Outside, Running, until_said
from tests.world import ADA, FIRST, SECOND

LATER = {
    "babel": "formats numbers, dates and lists",
    "jinja2": "draws pages",
    "markdown_it": "draws the privacy page",
    "prometheus_client": "metrics, where METRICS_PORT is set",
    "cryptography": "opens what earlier versions sealed",
    "sqlite_utils": "migrations, where there are any to apply",
    "openpyxl": "reads spreadsheets",
    "zipfile": "reads spreadsheets",
    "zoneinfo": "the hours of clubs",
    "difflib": "finds the setting that a misspelled one is most like",
    "bot.files.library": "reads files of albums",
    "bot.chat.club.handlers": "the commands of clubs",
    "bot.chat.club.import_steps": "imports of spreadsheets",
    "bot.chat.club.posts": "the posts of clubs",
    "bot.web.book": "the pages of clubs",
    "bot.web.crate": "the pages of crates",
    "bot.monitoring.metrics": "as prometheus_client",
    "click": "the other commands",
    "bot.admin.doctor": "a command of its own",
    "bot.admin.setup": "a command of its own",
    "bot.admin.database_commands": "commands of their own",
    "bot.sandbox": "a command of its own",
}
"""Modules that are loaded when they are needed, with what for."""


PACKAGES = {
    "aiohappyeyeballs",
    "aiohttp",
    "aiosignal",
    "attr",
    "attrs",
    "discord",
    "frozenlist",
    "idna",
    "markupsafe",
    "msgspec",
    "multidict",
    "nacl",
    "propcache",
    "structlog",
    "typing_extensions",
    "uvloop",
    "yarl",
}
"""What a bot that serves needs of others. Each costs time at every start, and memory for as long as it runs."""
OF_DEVELOPERS = {"greenlet", "pygments", "rich"}
"""Packages that others look for; a host does not have them."""


def loaded(process: Running) -> set[str]:
    """Every module that was imported since the interpreter's start, and the packages that they are in."""
    names = {line.rpartition("|")[2].strip() for line in process.stderr.splitlines() if line.startswith("import time:")}
    return {".".join(parts[:end]) for name in names if (parts := name.split(".")) for end in range(1, len(parts) + 1)}


async def test_a_bot_that_serves_has_loaded_nothing_that_it_can_do_without(out: Outside) -> None:
    await out.link(ADA, "ada")
    for registers, album in ((True, FIRST), (False, SECOND)):
        async with out.running(PYTHONPROFILEIMPORTTIME="1") as process:
            await until_said(await out.save(album), "Saved")
        names = loaded(process)
        assert ("commands registered" in process.stderr) is registers
        assert {"discord", "aiohttp.web", "bot.chat.saving"} <= names
        assert sorted(names & LATER.keys()) == []
        others = {name.partition(".")[0] for name in names} - sys.stdlib_module_names - {"bot", "migrations"}
        unexpected = others - PACKAGES - OF_DEVELOPERS
        # what is looked for in vain is in the list, too
        assert [name for name in sorted(unexpected) if name[0] != "_" and find_spec(name) is not None] == []


def test_a_start_does_not_read_the_systems_list_of_file_types(tmp_path: Path) -> None:
    script = """
import sys
opened = []
sys.addaudithook(lambda event, given: event == "open" and opened.append(str(given[0])))
sys.argv[1:] = ["run"]
from bot.__main__ import main
try:
    main()
except SystemExit as end:
    print(end.code, "aiohttp.web" in sys.modules, [path for path in opened if "mime" in path and path.endswith("types")])
"""
    environment = {"PYTHONPATH": str(ROOT)}
    ran = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, env=environment, cwd=tmp_path
    )
    assert ran.stdout.strip() == "1 True []", ran.stderr
