"""Drawing pages from templates."""

from __future__ import annotations

import pytest
from jinja2 import UndefinedError

from bot.text import texts
from bot.web.drawing import Templates


def test_a_fact_that_is_missing_is_an_error_and_not_a_gap_in_the_page() -> None:
    with pytest.raises(UndefinedError, match="page"):
        Templates("").render("page.html", texts("en-US"))
