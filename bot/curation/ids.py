"""Identifiers of a club's parts."""

from __future__ import annotations

from typing import NewType

RoleId = NewType("RoleId", int)
ClubId = NewType("ClubId", int)
RoundNumber = NewType("RoundNumber", int)
"""Counts a club's rounds from 1, skipped ones included. Imported ones count downwards from 0."""
