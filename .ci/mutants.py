"""Change one thing in the code at a time, and see whether a test notices: `make mutants`.

A sample of small faults (mutants) is drawn with a seed: cosmic-ray's operators, and two of our own that leave a call
or a keyword argument out, since most real mistakes are of that kind. First all fast tests run once under coverage, so
that each mutant meets only tests that run its line, for a minute: those named after its module first, then those of
its package, then some of each file. A mutant that no test notices is printed as a difference. It is a missing test,
or it is harmless and has its reason in `.ci/mutants.toml`.

Mutants live in copies of the repository, never in the checkout. Lines that run only while a module is imported are not
changed: every test would have to run for them. Nor are calls that log.
"""

from __future__ import annotations

import argparse
import ast
import difflib
import random
import re
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import tomllib
import xml.etree.ElementTree as ET
from collections import Counter, defaultdict
from collections.abc import Container, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from queue import SimpleQueue

import cosmic_ray.plugins
from cosmic_ray.ast import ast_nodes, get_ast
from cosmic_ray.mutating import mutate_code
from cosmic_ray.operators.operator import Operator
from coverage.numbits import numbits_to_nums

ROOT = Path(__file__).parents[1]
PACKAGES = ("accounts", "library", "storage", "web")
ENOUGH = 0.95
"""The share of mutants that must be noticed or explained."""
OWN_S, TESTS_S = 20.0, 60.0
"""Tests that take this many seconds together are tried against one mutant: those of its package, and all."""
WORKERS = 2
_NOT_USED = re.compile(
    r"core/(Variable(Replacer|Inserter)"  # they need to be told names
    r"|ReplaceBinaryOperator_(Bit|[LR]Shift).*|.*_(Bit(Or|And|Xor)|[LR]Shift|Pow|UAdd|Invert)"  # nobody mistypes these
    r"|ReplaceUnaryOperator_USub_Not|ReplaceComparisonOperator_(Is(Not)?_(Eq|NotEq|[LG]tE?)|(Not)?Eq_(Is(Not)?|[LG]tE?)|[LG]tE?_Is(Not)?))"
)


class LeaveCallOut(Operator):
    """A statement that is only a call, or an awaited one, becomes `pass`."""

    def mutation_positions(self, node):  # type: ignore[no-untyped-def]  # cosmic-ray and parso have no types
        if node.type in ("atom_expr", "power", "await_expr") and node.parent.type == "simple_stmt":
            yield node.start_pos, node.end_pos

    def mutate(self, node, index):  # type: ignore[no-untyped-def]
        return type(node.get_first_leaf())("pass", node.start_pos, prefix=node.get_first_leaf().prefix)

    @classmethod
    def examples(cls):  # type: ignore[no-untyped-def]
        return ()


class LeaveKeywordOut(Operator):
    """A keyword argument is left out: `f(a, b=c)` becomes `f(a)`."""

    def mutation_positions(self, node):  # type: ignore[no-untyped-def]
        if node.type == "argument" and node.children[1].type == "operator" and node.children[1].value == "=":
            yield node.start_pos, node.end_pos

    def mutate(self, node, index):  # type: ignore[no-untyped-def]
        leaf = node.get_first_leaf()
        # `f(a, **{})` says the same as `f(a)` and needs no care about commas
        return type(leaf)("**{}", node.start_pos, prefix=leaf.prefix)

    @classmethod
    def examples(cls):  # type: ignore[no-untyped-def]
        return ()


def operators() -> dict[str, Operator]:
    """Every operator that makes a mistake that people make, by its name."""
    found: dict[str, Operator] = {
        "gatefold/LeaveCallOut": LeaveCallOut(),
        "gatefold/LeaveKeywordOut": LeaveKeywordOut(),
    }
    for name in cosmic_ray.plugins.operator_names():
        if not _NOT_USED.fullmatch(name):
            found[name] = cosmic_ray.plugins.get_operator(name)()
    return found


@dataclass(frozen=True)
class Mutant:
    """One fault at one place."""

    path: str
    operator: str
    occurrence: int
    line: int
    code: str
    """The line as it is, without indentation."""

    @property
    def family(self) -> str:
        """The operator without what it puts in: one position gets one of these, not ten."""
        return self.operator.rsplit("_", 1)[0]


def mutants(covered: dict[str, dict[int, list[str]]], paths: str) -> Iterator[Mutant]:
    """All mutants on lines that some test runs, in modules whose path matches."""
    for package in PACKAGES:
        for module in sorted((ROOT / "bot" / package).rglob("*.py")):
            path = str(module.relative_to(ROOT))
            if not fnmatchcase(path, paths):
                continue
            text = module.read_text()
            tree, lines = get_ast(text), text.splitlines()
            nodes, logging = list(ast_nodes(tree)), lines_that_log(text)
            for name, operator in operators().items():
                positions = (start for node in nodes for start, _ in operator.mutation_positions(node))
                for occurrence, (line, _) in enumerate(positions):
                    if line in covered.get(path, {}) and line not in logging:
                        yield Mutant(path, name, occurrence, line, lines[line - 1].strip())


def lines_that_log(text: str) -> set[int]:
    """The lines of statements that only log."""
    return {
        line
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Expr) and ast.unparse(node).startswith("_log.")
        for line in range(node.lineno, (node.end_lineno or node.lineno) + 1)
    }


def sample(everything: Sequence[Mutant], size: int, seed: int) -> list[Mutant]:
    """`size` mutants; of those that differ only in what they put in, at most one."""
    chance = random.Random(seed)  # noqa: S311  # a sample, not a secret
    shuffled = list(everything)
    chance.shuffle(shuffled)
    seen: set[tuple[str, str, int]] = set()
    chosen: list[Mutant] = []
    for mutant in shuffled:
        key = (mutant.path, mutant.family, mutant.line)
        if len(chosen) < size and key not in seen and is_code(mutant):
            seen.add(key)
            chosen.append(mutant)
    return chosen


def mutated(mutant: Mutant, text: str) -> str:
    """The module with the fault."""
    return mutate_code(text, operators()[mutant.operator], mutant.occurrence) or text


def is_code(mutant: Mutant) -> bool:
    """Whether it changes something, and into what Python can read: operators take `**row` for a power."""
    before = (ROOT / mutant.path).read_text()
    try:
        after = mutated(mutant, before)
        compile(after, mutant.path, "exec")
    except (SyntaxError, AttributeError):  # AttributeError: `except a.b` is too much for cosmic-ray
        return False
    return after != before


# ---------------------------------------------------------------- which tests run a line


def copy_to(folder: Path) -> None:
    """Copy what Git tracks, or would track."""
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        check=True,
    )
    for name in filter(None, listed.stdout.decode().split("\0")):
        if (ROOT / name).is_file():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, folder / name)


def pytest(folder: Path, *arguments: str) -> list[str]:
    return [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments]


def run_under_coverage(folder: Path, *arguments: str) -> None:
    print("Running the fast tests once under coverage (about 6 minutes)", flush=True)
    (folder / "coverage.ini").write_text("[run]\nsource = bot\nrelative_files = true\n")
    subprocess.run(
        pytest(
            folder,
            *("-n", "auto", "-m", "not pages and not slow"),
            *("--cov", "--cov-config=coverage.ini", "--cov-context=test", "--cov-report="),
            "--junitxml=times.xml",
            *arguments,
        ),
        cwd=folder,
        check=False,  # a test that fails here, perhaps because coverage is slow, is left out: see seconds_by_test
    )


def tests_by_line(folder: Path, passed: Container[str]) -> dict[str, dict[int, list[str]]]:
    """path -> line -> the tests that ran it and passed."""
    found: dict[str, dict[int, list[str]]] = defaultdict(lambda: defaultdict(list))
    with sqlite3.connect(folder / ".coverage") as data:
        for path, context, bits in data.execute(
            "SELECT file.path, context.context, line_bits.numbits FROM line_bits"
            " JOIN file ON file.id = line_bits.file_id JOIN context ON context.id = line_bits.context_id"
            " WHERE context.context != ''"
        ):
            test = context.rsplit("|", 1)[0]
            if test in passed:
                for line in numbits_to_nums(bits):
                    found[path][line].append(test)
    return found


def seconds_by_test(folder: Path) -> dict[str, float]:
    """How long each test that passed took."""
    found = {}
    for case in ET.parse(folder / "times.xml").iter("testcase"):  # noqa: S314  # pytest wrote it just now
        if len(case) == 0:  # neither a failure nor an error nor skipped
            found[f"{case.get('classname', '').replace('.', '/')}.py::{case.get('name')}"] = float(case.get("time", 0))
    return found


def tests_for(mutant: Mutant, covered: dict[str, dict[int, list[str]]], seconds: dict[str, float]) -> list[str]:
    """Tests that run the line: those named after the module, then its package's, then others; the quickest first."""
    package, module = Path(mutant.path).parts[1], Path(mutant.path).stem
    own, named = f"tests/{package}/", f"tests/{package}/test_{module}.py"
    turns: Counter[str] = Counter()
    ranked = []
    for test in sorted(set(covered[mutant.path][mutant.line]), key=lambda test: (seconds[test], test)):
        file = test.partition("::")[0]
        turns[file] += 1
        ranked.append((not test.startswith(own), file != named, turns[file], test))
    chosen, total = [], 0.0
    for is_others, _, _, test in sorted(ranked):
        if not chosen or total + seconds[test] <= (TESTS_S if is_others else OWN_S):
            chosen.append(test)
            total += seconds[test]
    return chosen


# ---------------------------------------------------------------- one mutant


def is_noticed(mutant: Mutant, tests: Sequence[str], folder: Path) -> tuple[bool, str]:
    """Whether one of the tests fails; the difference."""
    target = folder / mutant.path
    before = target.read_text()
    after = mutated(mutant, before)
    difference = "".join(
        difflib.unified_diff(before.splitlines(True), after.splitlines(True), mutant.path, mutant.operator, n=2)
    )
    (folder / "tests.txt").write_text("\n".join(tests))
    target.write_text(after)
    try:
        done = subprocess.run(
            pytest(folder, "-x", "-n0", "@tests.txt"), cwd=folder, capture_output=True, timeout=TESTS_S * 6
        )
    except subprocess.TimeoutExpired:
        return True, difference
    finally:
        target.write_text(before)
    if b"ERROR: not found" in done.stdout + done.stderr:
        raise RuntimeError("The coverage is older than the tests. Delete its folder.")
    return done.returncode != 0, difference


def is_explained(mutant: Mutant) -> bool:
    """Whether `.ci/mutants.toml` says why it is harmless."""
    with (ROOT / ".ci" / "mutants.toml").open("rb") as file:
        entries = tomllib.load(file).get("harmless", [])
    return any(
        fnmatchcase(mutant.path, one["path"])
        and mutant.family == one["operator"]
        and (mutant.code == one["code"] if "code" in one else re.search(one["pattern"], mutant.code))
        for one in entries
    )


def main() -> int:
    """Print each mutant that no test noticed. Exit status 1: too many of them."""
    parser = argparse.ArgumentParser(description=__doc__.partition("\n")[0])
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--sample", type=int, default=100)
    parser.add_argument("--paths", default="*", help="modules to change, e.g. 'bot/storage/b*'")
    parser.add_argument("--coverage", type=Path, help="a folder to keep the coverage in, or to take it from")
    arguments = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="gatefold-mutants-") as temporary:
        first = arguments.coverage or Path(temporary) / "coverage"
        if not (first / ".coverage").exists():
            copy_to(first)
            run_under_coverage(first)
        seconds = seconds_by_test(first)
        covered = tests_by_line(first, seconds)
        chosen = sample(list(mutants(covered, arguments.paths)), arguments.sample, arguments.seed)
        folders: SimpleQueue[Path] = SimpleQueue()
        for number in range(WORKERS):
            folder = Path(temporary) / str(number)
            copy_to(folder)
            folders.put(folder)

        def trial(mutant: Mutant) -> str:
            folder = folders.get()
            try:
                noticed, difference = is_noticed(mutant, tests_for(mutant, covered, seconds), folder)
            finally:
                folders.put(folder)
            if noticed:
                return "noticed"
            if is_explained(mutant):
                return "explained"
            print(f"\nNo test noticed this:\n{difference}", flush=True)
            return "survived"

        with ThreadPoolExecutor(WORKERS) as pool:
            results = []
            for number, result in enumerate(pool.map(trial, chosen), 1):
                results.append(result)
                if number % 10 == 0:
                    print(f"{number} of {len(chosen)}", flush=True)
    counts = {result: results.count(result) for result in ("noticed", "explained", "survived")}
    print(f"seed {arguments.seed}: " + ", ".join(f"{count} {result}" for result, count in counts.items()))
    return int(counts["survived"] > (1 - ENOUGH) * len(results))


if __name__ == "__main__":
    sys.exit(main())
