"""What the tests of this folder stand on: the site, browsers before it, and real processes."""

from __future__ import annotations

from tests.process.conftest import out
from tests.web.conftest import browser, https, other, stage

__all__ = ["browser", "https", "other", "out", "stage"]
