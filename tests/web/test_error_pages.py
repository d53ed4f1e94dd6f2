"""What goes wrong on the way to a link has a page: 4xx where somebody has to do something else, 5xx where they wait."""

from __future__ import annotations

import pytest

from bot.errors import (
    AccountTaken,
    AppRejected,
    AppTaken,
    DiscordUnavailable,
    InternalError,
    LinkDeclined,
    LinkExpired,
    NeedsRelink,
    NoHostApp,
    NoSeatFree,
    NotAClientId,
    NotAllowlisted,
    NotLinked,
    PremiumLapsed,
    RedirectMissing,
    Refused,
    Restarting,
    StorageUnavailable,
    TryLater,
    UnknownApp,
    UserError,
    WrongBrowser,
    WrongDiscordAccount,
    WrongIssuer,
)
from bot.text import texts
from bot.web.pages import of_error

OWN_APP = "Your Spotify app"


def own(error: UserError) -> UserError:
    """The same error of an app of the member's own."""
    error.is_own_app = True
    return error


@pytest.mark.parametrize(
    ("error", "status", "title"),
    [
        (LinkExpired(), 400, "This link has expired"),
        (WrongBrowser(), 403, "You started in another browser"),
        (WrongDiscordAccount(), 403, "This link belongs to another Discord account"),
        (LinkDeclined("discord"), 403, "You declined at Discord"),
        (LinkDeclined("spotify"), 403, "You declined at Spotify"),
        (NoHostApp(), 403, "Your account needs a Spotify app of your own"),
        (NoSeatFree(), 403, "Your account needs a Spotify app of your own"),
        (AppTaken(), 409, "Another member already uses this Spotify app"),
        (UnknownApp(), 400, f"{OWN_APP} is not set up yet"),
        (RedirectMissing("https://bot.example/callback"), 400, f"{OWN_APP} is not set up yet"),
        (NotAClientId(), 400, f"{OWN_APP} is not set up yet"),
        (AccountTaken(), 409, "This Spotify account is linked to another"),
        (own(NotAllowlisted()), 403, f"{OWN_APP} does not list your account"),
        (own(PremiumLapsed()), 403, f"{OWN_APP} needs Premium"),
        (own(AppRejected()), 502, "Spotify rejects your Spotify app"),
        (NotAllowlisted(), 403, "Spotify does not let this bot serve you yet"),
        (PremiumLapsed(), 503, "Spotify does not serve this bot"),
        (AppRejected(), 502, "Spotify rejects this bot's app"),
        (NeedsRelink(NeedsRelink.Reason.SCOPE), 403, "Spotify did not grant all the permissions"),
        (DiscordUnavailable(), 502, "Discord did not confirm who you are"),
        (WrongIssuer(), 400, "Discord did not confirm who you are"),
        (TryLater(TryLater.Cause.UNAVAILABLE), 502, "Spotify is not responding"),
        (TryLater(TryLater.Cause.QUOTA), 503, "Spotify asked this bot to slow down"),
        (Refused(418, "I'm a teapot"), 502, "Spotify refused"),
        (StorageUnavailable("disk full"), 503, "Nothing can be stored"),
        (Restarting(), 503, "This bot is restarting"),
        (InternalError("abcd"), 500, "Something broke on our side"),
        (NotLinked(), 400, "That did not work"),
    ],
    ids=repr,
)
def test_each_error_has_its_page(error: UserError, status: int, title: str) -> None:
    page = of_error(texts("en-US"), error)
    assert (page.status, page.title[: len(title)]) == (status, title)


@pytest.mark.parametrize(("seats", "says"), [(0, "does not let you in"), (1, "1 person"), (5, "5 people")])
def test_whoever_is_not_on_the_list_reads_how_many_may_be(seats: int, says: str) -> None:
    assert says in of_error(texts("en-US"), NotAllowlisted(), seats).text
