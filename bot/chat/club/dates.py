"""What members read about when something happens. While a club is paused nothing has a date."""

from __future__ import annotations

from datetime import datetime

from bot.chat.words import Words, date
from bot.curation.club import Club


def paused(words: Words) -> str:
    """That the club is paused, and what that means."""
    return words.t("The club is paused, so nothing has a date until a curator resumes it.")


def voting_opens(words: Words, club: Club, now: datetime) -> str:
    """When the vote opens, of a round that takes nominations."""
    t = words.t
    if club.vote_at <= now:
        return t("Voting opens as soon as 2 albums are nominated.")
    return t("Voting opens {opens}.", opens=date(club.vote_at))


def until_voting_opens(words: Words, club: Club, now: datetime) -> str:
    """How long a nomination can be changed."""
    t = words.t
    if club.paused_at is not None or club.vote_at <= now:
        return t("You can change it until voting opens.")
    return t("You can change it until voting opens {opens}.", opens=date(club.vote_at))


def until_club_hour(words: Words, club: Club) -> str:
    """How long a ballot can be changed."""
    t = words.t
    if club.paused_at is not None:
        return t("You can change it until the vote ends.")
    return t("You can change it until {until}.", until=date(club.club_hour_at))


def next_club_hour(words: Words, club: Club) -> list[str]:
    """When the club meets next; nothing while it is paused."""
    return [] if club.paused_at is not None else [words.t("Next club hour: {when}.", when=date(club.club_hour_at))]
