"""Drawing pages from templates."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from bot.text import texts
from bot.web.drawing import Templates


def test_a_fact_that_is_missing_is_an_error_and_not_a_gap_in_the_page() -> None:
    facts = {"text": "What is stored", "contact": "", "contact_url": ""}
    with pytest.raises(UndefinedError, match="'title' is undefined"):
        Templates("").render("privacy.html", texts("en-US"), **facts)
    assert "What is stored" in Templates("").render("privacy.html", texts("en-US"), title="Privacy", **facts)
