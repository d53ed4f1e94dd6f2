"""Names that members give to what a server has, and when two of them are the same."""

from __future__ import annotations


def name_key(name: str) -> str:
    """A name as it is compared: upper and lower case alike, and any white space as one blank."""
    return " ".join(name.casefold().split())
