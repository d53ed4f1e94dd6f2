"""The diagram in docs/club.md is the table that the bot runs by.

After a change of the table: `python -m tests.curation.test_diagram` writes the diagram anew.
"""

from __future__ import annotations

import re
from pathlib import Path

from bot.curation.transitions import TABLE, Rule

DOC = Path(__file__).parents[2] / "docs" / "club.md"
_BLOCK = re.compile(r"(?<=```mermaid\n).*?(?=```)", re.DOTALL)


def diagram() -> str:
    """The table as a Mermaid state diagram."""
    lines = ["stateDiagram-v2", *(f"    {_arrow(rule)}" for rule in TABLE)]
    final = {rule.to for rule in TABLE} - {rule.state for rule in TABLE}
    return "\n".join([*lines, *(f"    {state} --> [*]" for state in sorted(final))]) + "\n"


def _arrow(rule: Rule) -> str:
    when = f"{rule.on}, {rule.holds}" if rule.holds else f"{rule.on}"
    done = ", ".join(step.replace("_", " ") for step in rule.steps)
    return f"{rule.state or '[*]'} --> {rule.to}: {when} / {done}"


def test_the_diagram_in_the_docs_is_the_table() -> None:
    found = _BLOCK.search(DOC.read_text(encoding="utf-8"))

    assert found is not None
    assert found[0] == diagram()


if __name__ == "__main__":
    DOC.write_text(_BLOCK.sub(lambda _: diagram(), DOC.read_text(encoding="utf-8")), encoding="utf-8")
