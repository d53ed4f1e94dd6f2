"""A scrape as Prometheus reads it: the library's own parser, and a look for whatever must not be there."""

from __future__ import annotations

import re

from prometheus_client.metrics_core import Metric
from prometheus_client.parser import text_string_to_metric_families

PARTS = {"commands", "gateway", "database", "spotify_app", "accepting"}
COMMANDS = {"save", "unsave", "link", "account", "unlink", "help"}
BUTTONS = {
    f"button {verb}" for verb in ("save", "unsave", "undo", "drop", "unlink", "unlink-ask", "of another", "unknown")
}
CALLS = {"write", "contains", "album", "track", "search", "saved", "profile", "token", "consent", "short link"}
STATUSES = {"ok", "400", "401", "403", "404", "429", "1xx", "3xx", "4xx", "5xx", "timeout", "no answer", "cancelled"}
ERRORS = r"[A-Z][A-Za-z]{4,30}"
"""The name of one of our errors."""


class Scrape:
    """What one scrape said."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.families: list[Metric] = list(text_string_to_metric_families(text))
        self._values = {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in self.families
            for sample in family.samples
        }

    def __call__(self, name: str, **labels: str) -> float | None:
        """A sample's value; None when there is none."""
        return self._values.get((f"gatefold_{name}", frozenset(labels.items())))

    @property
    def names(self) -> set[str]:
        """The metrics, named as people write them."""
        return {family.name + ("_total" if family.type == "counter" else "") for family in self.families}

    def labels(self) -> set[tuple[str, str]]:
        """Every label with each of its values."""
        samples = (sample for family in self.families for sample in family.samples)
        return {label for sample in samples for label in sample.labels.items()}

    def strange(self) -> list[tuple[str, str]]:
        """The labels whose values are of no small closed set."""
        return [label for label in sorted(self.labels()) if not _is_known(*label)]


def _is_known(name: str, value: str) -> bool:
    match name:
        case "command":
            return value in COMMANDS | BUTTONS
        case "call":
            return value in CALLS
        case "part":
            return value in PARTS
        case "outcome":
            return value in STATUSES | {"answered", "refreshed"} or re.fullmatch(ERRORS, value) is not None
        case "le":
            return re.fullmatch(r"[0-9.]+|\+Inf", value) is not None
        case "version":
            return re.fullmatch(r"[0-9.]+", value) is not None
    return False
