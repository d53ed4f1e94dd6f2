"""Sentences that several features say to members: what came of changes, refusals, mentions, dates.

Say what happened, then what happens next or what to do. No exclamation marks, no blame, no jargon.
Whatever comes from outside passes `plain`: it is shown as text, whatever it holds. The host's: host_words.py.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime

from bot.albums import Album, Ignored, is_control
from bot.changes import OWN_APP, Action, LibraryChange, Outcome
from bot.errors import (
    AccountTaken,
    AppRejected,
    AppTaken,
    InternalError,
    LinkDeclined,
    LinkExpired,
    NeedsRelink,
    NoHostApp,
    NoSearch,
    NoSeatFree,
    NotAClientId,
    NotAllowlisted,
    NotAnAddress,
    NotLinked,
    PremiumLapsed,
    RedirectMissing,
    Refused,
    Restarting,
    StorageUnavailable,
    TryLater,
    UnknownApp,
    UserError,
    WrongDiscordAccount,
)
from bot.library.finder import NotFound
from bot.links import OLD_SHORT, SERVICES
from bot.pasted_text import read_one
from bot.storage.changes import UndoVerdict
from bot.storage.links import Link
from bot.text import Text, texts

_NOT_YET = "prerelease"  # of the pages of `bot.links`, the one that will be an album
_INEXACT = "no exact match"
_ESCAPED = str.maketrans({mark: f"\\{mark}" for mark in "\\*_~`|[]<>#"})
_MENTION = re.compile(r"@(?=everyone|here|[!&]?\d)")


def plain(text: str, most: int = 100) -> str:
    """Text from outside, shown as it is: no markup, no mention, no link, one line, at most `most` characters."""
    if not text.isprintable():
        text = "".join(" " if is_control(c) else c for c in text)
    text = " ".join(text.split())
    if len(text) > most:
        text = text[: most - 1] + "…"
    text = text.translate(_ESCAPED).replace("://", "\\://")
    return _MENTION.sub("@\u200b", text) if "@" in text else text


def soon(moment: datetime) -> str:
    """In how long, in the reader's own time zone and language."""
    return f"<t:{int(moment.timestamp())}:R>"


def day(moment: datetime) -> str:
    """The day, in the reader's own time zone and language."""
    return f"<t:{int(moment.timestamp())}:D>"


def date(moment: datetime) -> str:
    """When, in the reader's own time zone and language."""
    return f"<t:{int(moment.timestamp())}:f>"


class Words:
    """The shared sentences in one language. `t`: for every other sentence.

    `command_ids`, by full name, lets them mention commands so that a click begins them. `seats`: how many people the
    host's Spotify app may serve; 0: any number.
    """

    def __init__(self, t: Text, command_ids: Mapping[str, int], privacy_url: str, seats: int = 5) -> None:
        self.t = t
        self._seats = seats
        self._command_ids = command_ids
        self._privacy_url = privacy_url

    def command(self, name: str) -> str:
        """A command to click on: "save", or "club start" of a group."""
        id_ = self._command_ids.get(name)
        return f"</{name}:{id_}>" if id_ else self.command_of_others(name)

    def command_of_others(self, name: str) -> str:
        """A command that the reader may not use, such as a curator's: to read, and not to click on."""
        return f"`/{self.t.command(name)}`"

    def album(self, album: Album, most: int = 100) -> str:
        """**Title** by Artist (Year), each name with at most `most` characters."""
        title, artist, year = plain(album.title, most), plain(album.by, most), plain(album.year or "")
        if not year:
            return self.t("**{title}** by {artist}", title=title, artist=artist)
        return self.t("**{title}** by {artist} ({year})", title=title, artist=artist, year=year)

    # -- what came of changes

    def below_title(self, change: LibraryChange, *, undoes: bool = False) -> str:
        """What came of the only change of a command, below the title of its album. `undoes`: it was an Undo."""
        t, is_save = self.t, change.action is Action.SAVE
        match change.outcome:
            case Outcome.SAVED if undoes:
                return t("Undone: saved to your library again.")
            case Outcome.SAVED:
                return t("Saved to your library.")
            case Outcome.REMOVED if undoes:
                return t("Undone: removed from your library again.")
            case Outcome.REMOVED:
                return t("Removed from your library.")
            case Outcome.ALREADY:
                return t("This album was already in your library.")
            case Outcome.ABSENT:
                return t("This album was not in your library.")
            case Outcome.SUPERSEDED:
                return t("A later command of yours changed this album, so this one did nothing.")
            case Outcome.CHANGED_SINCE:
                return t("You have changed this album since then, so I left it as it is.")
            case Outcome.GIVEN_UP if change.is_unsure:
                return t.sentences([t("I gave this up after more than 7 days."), self.have_a_look()])
            case Outcome.GIVEN_UP if is_save:
                return t("This album could not be saved for more than 7 days, so I gave up. You can try again.")
            case Outcome.GIVEN_UP:
                return t("This album could not be removed for more than 7 days, so I gave up. You can try again.")
            case Outcome.DROPPED if change.is_unsure:
                return t("Taken out of the queue. Spotify may have changed your library already, so have a look.")
            case Outcome.DROPPED:
                return t("Taken out of the queue. Your library was not changed.")
            case None:
                return self.queued(1, change.action)
        return self._not_done(change)

    def single(self, change: LibraryChange, album: Album | None) -> str:
        """What came of the only change of a command, where the card shows no title."""
        t, name, is_save = self.t, self._name(change, album), change.action is Action.SAVE
        match change.outcome:
            case Outcome.SAVED:
                return t("Saved {album} to your library.", album=name)
            case Outcome.REMOVED:
                return t("Removed {album} from your library.", album=name)
            case Outcome.ALREADY:
                return t("{album} was already in your library.", album=name)
            case Outcome.ABSENT:
                return t("{album} was not in your library.", album=name)
            case Outcome.SUPERSEDED:
                return t("A later command of yours changed {album}, so this one did nothing.", album=name)
            case Outcome.CHANGED_SINCE:
                return t("You have changed {album} since then, so I left it as it is.", album=name)
            case Outcome.GIVEN_UP if change.is_unsure:
                given_up = t("{album} was given up after more than 7 days.", album=name)
                return t.sentences([given_up, self.have_a_look()])
            case Outcome.GIVEN_UP if is_save:
                return t(
                    "{album} could not be saved for more than 7 days, so I gave up. You can try again.", album=name
                )
            case Outcome.GIVEN_UP:
                return t(
                    "{album} could not be removed for more than 7 days, so I gave up. You can try again.", album=name
                )
            case Outcome.DROPPED if change.is_unsure:
                return t(
                    "{album} was taken out of the queue. Spotify may have changed your library already, so have a look.",
                    album=name,
                )
            case Outcome.DROPPED:
                return t("{album} was taken out of the queue. Your library was not changed.", album=name)
            case None if is_save:
                return t("{album} is queued and will be saved.", album=name)
            case None:
                return t("{album} is queued and will be removed.", album=name)
        return self._not_done(change)

    def _not_done(self, change: LibraryChange) -> str:
        """Why there is no album to name, or why Spotify refused it."""
        t, typed = self.t, plain(change.typed, 60)
        match change.outcome:
            case Outcome.NO_ALBUM:
                return t(
                    "Spotify has no album for “{typed}”. Check the link, or pick an album from the suggestions.",
                    typed=typed,
                )
            case Outcome.NOT_ALBUM if change.action is Action.SAVE:
                can = t("I can save albums: paste an album link, or pick one from the suggestions.")
                return t.sentences([self.thing(change.detail), can])
            case Outcome.NOT_ALBUM:
                can = t("I can remove albums: paste an album link, or pick one from the suggestions.")
                return t.sentences([self.thing(change.detail), can])
            case Outcome.UNREADABLE:
                return t(
                    "I can't read “{typed}” as an album. Paste a link from open.spotify.com, or pick an album from "
                    "the suggestions.",
                    typed=typed,
                )
            case Outcome.NO_MATCH if change.action is Action.REMOVE:
                return t("None of your albums matches “{typed}”. Try fewer words, or paste a link.", typed=typed)
            case Outcome.NO_MATCH:
                return t("Spotify found no album for “{typed}”. Try fewer words, or paste a link.", typed=typed)
            case Outcome.OFFERED if len(change.choices) > 1:
                return t("Several albums match “{typed}”. Which one do you mean?", typed=typed)
            case Outcome.OFFERED:
                return t("No album is called exactly “{typed}”. Did you mean this one?", typed=typed)
            case Outcome.REFUSED if change.is_unsure:
                return t.sentences([t("Spotify refused my last attempt."), self.have_a_look()])
        return self.error(refusal_of(change.outcome, change.detail))

    def thing(self, kind: str | None) -> str:
        """What a link leads to that is no album."""
        t = self.t
        match kind:
            case "playlist":
                return t("That is a playlist.")
            case "artist":
                return t("That is an artist.")
            case "show":
                return t("That is a podcast.")
            case "episode":
                return t("That is a podcast episode.")
            case "prerelease":
                return t("That album is not out yet.")
            case "user":
                return t("That is a profile.")
            case "audiobook":
                return t("That is an audiobook.")
            case "chapter":
                return t("That is a chapter of an audiobook.")
            case "concert":
                return t("That is a concert.")
            case "collection":
                return t("That is a page of somebody’s own library.")
            case "local":
                return t("That is a file on somebody’s device, which Spotify does not have.")
            case "search":
                return t("That is a search.")
            case "page":
                return t("That is a Spotify page, but not an album.")
            case str(short) if short == OLD_SHORT:
                return t(
                    "That is an old kind of short link, which I can't follow. Open it, and paste the link it leads to."
                )
            case str(service) if service in SERVICES:
                return t("That is a link to {service}.", service=service)
        return t("That is not an album.")

    def line(self, change: LibraryChange, album: Album | None) -> str:
        """One of several changes, in one line."""
        t, name, typed = self.t, self._name(change, album, 70), plain(change.typed, 60)
        match change.outcome:
            case None:
                return t("{album}: queued", album=name)
            case Outcome.SAVED:
                return t("{album}: saved", album=name)
            case Outcome.REMOVED:
                return t("{album}: removed", album=name)
            case Outcome.ALREADY:
                return t("{album}: already in your library", album=name)
            case Outcome.ABSENT:
                return t("{album}: not in your library", album=name)
            case Outcome.OFFERED if _is_inexact(change):
                return t("“{typed}”: no exact match", typed=typed)
            case Outcome.OFFERED:
                return t("“{typed}”: several albums match", typed=typed)
            case Outcome.SUPERSEDED:
                return t("{album}: changed by a later command", album=name)
            case Outcome.CHANGED_SINCE:
                return t("{album}: changed since then, left as it is", album=name)
            case Outcome.GIVEN_UP:
                return t("{album}: given up after more than 7 days", album=name)
            case Outcome.DROPPED:
                return t("{album}: taken out of the queue", album=name)
            case Outcome.NO_ALBUM:
                return t("“{typed}”: no such album", typed=typed)
            case Outcome.NO_MATCH:
                return t("“{typed}”: nothing found", typed=typed)
            case Outcome.UNREADABLE:
                return t("“{typed}”: not readable as an album", typed=typed)
            case Outcome.NOT_ALBUM:
                return t("“{typed}”: {reason}", typed=typed, reason=self.thing(change.detail))
        return t("{album}: refused by Spotify", album=name)

    def summary(self, changes: Sequence[LibraryChange], *, undoes: bool = False) -> str:
        """What came of many changes, as counts. `undoes`: it was an Undo."""
        counts = Counter(_counted_as(change) for change in changes)
        sentences = self._undo_counts() if undoes else self._counts()
        told = [say(counts[outcome]) for outcome, say in sentences.items() if counts[outcome]]
        if any(change.is_unsure for change in changes):
            told.append(self.have_a_look())
        return self.t.sentences(told)

    def have_a_look(self) -> str:
        """Writes were tried, of which nobody knows what came."""
        return self.t("Spotify may have changed your library already, so have a look.")

    def _counts(self) -> dict[Outcome | str | None, Callable[[int], str]]:
        """For each outcome its sentence, in the order in which they are told."""
        t = self.t
        return {
            Outcome.SAVED: lambda n: t.plural("Saved {count} album.", "Saved {count} albums.", n),
            Outcome.REMOVED: lambda n: t.plural("Removed {count} album.", "Removed {count} albums.", n),
            Outcome.ALREADY: lambda n: t.plural(
                "{count} was already in your library.", "{count} were already in your library.", n
            ),
            Outcome.ABSENT: lambda n: t.plural(
                "{count} was not in your library.", "{count} were not in your library.", n
            ),
            None: lambda n: t.plural("{count} is queued.", "{count} are queued.", n),
            Outcome.OFFERED: lambda n: t.plural(
                "{count} search matches several albums.", "{count} searches match several albums.", n
            ),
            _INEXACT: lambda n: t.plural(
                "{count} search has no exact match.", "{count} searches have no exact match.", n
            ),
            Outcome.SUPERSEDED: lambda n: t.plural(
                "{count} was changed by a later command.", "{count} were changed by a later command.", n
            ),
            Outcome.CHANGED_SINCE: lambda n: t.plural(
                "{count} has changed since then and was left as it is.",
                "{count} have changed since then and were left as they are.",
                n,
            ),
            Outcome.DROPPED: lambda n: t.plural(
                "{count} was taken out of the queue.", "{count} were taken out of the queue.", n
            ),
            Outcome.GIVEN_UP: lambda n: t.plural(
                "{count} was given up after more than 7 days.", "{count} were given up after more than 7 days.", n
            ),
            Outcome.REFUSED: lambda n: t.plural("Spotify refused {count}.", "Spotify refused {count}.", n),
            Outcome.NO_ALBUM: lambda n: t.plural("{count} could not be found.", "{count} could not be found.", n),
            Outcome.NOT_ALBUM: lambda n: t.plural(
                "{count} is not an album on Spotify.", "{count} are not albums on Spotify.", n
            ),
            _NOT_YET: lambda n: t.plural("{count} is not out yet.", "{count} are not out yet.", n),
            Outcome.UNREADABLE: lambda n: t.plural("{count} could not be read.", "{count} could not be read.", n),
        }

    def _undo_counts(self) -> dict[Outcome | str | None, Callable[[int], str]]:
        t = self.t
        return {
            **self._counts(),
            Outcome.SAVED: lambda n: t.plural(
                "Undone: saved {count} album again.", "Undone: saved {count} albums again.", n
            ),
            Outcome.REMOVED: lambda n: t.plural(
                "Undone: removed {count} album again.", "Undone: removed {count} albums again.", n
            ),
        }

    def more(self, count: int) -> str:
        """The albums that are counted, not named."""
        return self.t.plural("and {count} more", "and {count} more", count)

    def ignored(self, change: LibraryChange) -> str:
        """Words that were not searched for: beside a link, or too many."""
        return self._ignored(change.reference, is_too_much=change.detail == "too much")

    def ignored_in(self, text: str) -> str:
        """The same of a text that names one album; "" if all of it was read."""
        left = [one for one in read_one(text) if isinstance(one, Ignored)]
        return self.t.sentences([self._ignored(one.shown, is_too_much=one.is_too_much) for one in left])

    def _ignored(self, typed: str, *, is_too_much: bool) -> str:
        t, typed = self.t, plain(typed)
        if is_too_much:
            return t("I did not search for “{typed}”: that was more than I can search for at once.", typed=typed)
        return t("I read the links and ignored “{typed}”: to search for words, send them without a link.", typed=typed)

    def queued(self, count: int, action: Action) -> str:
        """What waits, and that the member will be told."""
        t = self.t
        if action is Action.SAVE:
            return t.plural(
                "Your album is queued, and I will message you when it is saved.",
                "Your {count} albums are queued, and I will message you when they are saved.",
                count,
            )
        return t.plural(
            "Your album is queued, and I will message you when it is removed.",
            "Your {count} albums are queued, and I will message you when they are removed.",
            count,
        )

    def held(self, error: UserError, count: int, action: Action = Action.SAVE) -> str:
        """Why changes are queued, and what happens next."""
        t, is_save = self.t, action is Action.SAVE
        queued = self.queued(count, action)
        match error:
            case NotLinked() if is_save:
                return t.plural(
                    "Link your Spotify account once to save albums. It takes a minute, and this album is saved right "
                    "after.",
                    "Link your Spotify account once to save albums. It takes a minute, and these {count} albums are "
                    "saved right after.",
                    count,
                )
            case NotLinked():
                return t.plural(
                    "Link your Spotify account once to remove albums. It takes a minute, and this album is removed "
                    "right after.",
                    "Link your Spotify account once to remove albums. It takes a minute, and these {count} albums are "
                    "removed right after.",
                    count,
                )
            case NeedsRelink():
                return t.sentences([self.error(error), self.until_then(count)])
            case TryLater(cause=TryLater.Cause.QUOTA):
                if error.is_own_app:
                    reached = t("Your Spotify app has reached its daily limit.")
                else:
                    reached = t("This bot's Spotify app has reached its daily limit.")
                return t.sentences([reached, self._until(error.until, count) or queued])
            case TryLater(cause=TryLater.Cause.RATE_LIMITED):
                asked = t("Spotify asked this bot to slow down.")
                return t.sentences([asked, self._until(error.until, count) or queued])
            case AppRejected():
                return t.sentences([self.error(error), queued])
            case InternalError():
                return t.plural(
                    "Something broke on our side ({reference}). Your album is queued. The host can look this number "
                    "up.",
                    "Something broke on our side ({reference}). Your {count} albums are queued. The host can look "
                    "this number up.",
                    count,
                    reference=error.reference,
                )
            case StorageUnavailable():
                return t.sentences([t("I could not store the result."), queued])
            case Restarting():
                return t.sentences([t("I am restarting."), queued])
        return t.sentences([t("Spotify is not responding."), queued])

    def until_then(self, count: int) -> str:
        """What waits until the member has done what was said before."""
        return self.t.plural("Your album is queued until then.", "Your {count} albums are queued until then.", count)

    def _until(self, until: datetime | None, count: int) -> str | None:
        if until is None:
            return None
        return self.t.plural(
            "Your album is queued. I will try again {when}.",
            "Your {count} albums are queued. I will try again {when}.",
            count,
            when=soon(until),
        )

    # -- refusals

    def error(self, error: UserError) -> str:
        """A refusal, with a way on."""
        t, link = self.t, self.command("link")
        match error:
            case NotLinked():
                return self.not_linked()
            case NeedsRelink(reason=NeedsRelink.Reason.SCOPE):
                return t(
                    "Spotify did not grant all the permissions that I need. Link your account again and accept both."
                )
            case NeedsRelink(reason=NeedsRelink.Reason.OTHER_APP):
                return t("The host changed this bot's Spotify app. Link your account again to go on.")
            case NeedsRelink(reason=NeedsRelink.Reason.UNREADABLE):
                return t(
                    "The access to your Spotify account that I stored can no longer be read. Link your account again "
                    "with {link} to go on.",
                    link=link,
                )
            case NeedsRelink(reason=NeedsRelink.Reason.SEAT_FREED):
                return t(
                    "The host has freed your seat in this bot's Spotify app. Use {link} to link through your own Spotify "
                    "app, or to ask the host for a seat.",
                    link=link,
                )
            case NeedsRelink():
                return t(
                    "Your Spotify account is no longer connected: your permission ended, or it was withdrawn. Link "
                    "your account again with {link} to go on.",
                    link=link,
                )
            case NotAllowlisted() if error.is_own_app:
                return t(
                    "Your Spotify app does not list your Spotify account. Add it in the app's settings, under User "
                    "Management, then use {link} again.",
                    link=link,
                )
            case NotAllowlisted():
                if not self._seats:
                    return t(
                        "This bot's Spotify app does not let you in yet. Tell the host, then use {link} again.",
                        link=link,
                    )
                return t.plural(
                    "Spotify allows {count} person for this bot's app, and you are not on its list. Ask the host to add "
                    "you, or set up your own Spotify app, then use {link} again.",
                    "Spotify allows {count} people for this bot's app, and you are not on its list. Ask the host to add "
                    "you, or set up your own Spotify app, then use {link} again.",
                    self._seats,
                    link=link,
                )
            case PremiumLapsed() if error.is_own_app:
                return t(
                    "Spotify serves your Spotify app only while you have Premium, and that has ended. Renew it, then "
                    "try again."
                )
            case PremiumLapsed():
                return t(
                    "Spotify serves this bot only while its host has Premium, and that has ended. Ask the host to "
                    "renew it, then try again."
                )
            case AppRejected() if error.is_own_app:
                return t(
                    "Spotify rejects your Spotify app. Check it in Spotify's dashboard, then use {link} again.",
                    link=link,
                )
            case AppRejected():
                return t("Spotify rejects this bot's app. Only the host can fix that, so please tell them.")
            case NotAClientId():
                return t(
                    "That is not a client ID: it has 32 characters, only digits and the letters a to f. Copy it from "
                    "your app's settings in Spotify's dashboard."
                )
            case UnknownApp():
                return t(
                    "Spotify knows no app with this client ID. Check that you copied the client ID. If it was the client "
                    "secret, make a new one in your app's settings, because the old one has been sent here."
                )
            case RedirectMissing():
                return t(
                    "Your Spotify app does not list this redirect URI yet: `{redirect_uri}`. Add it in the app's "
                    "settings in Spotify's dashboard, then try again.",
                    redirect_uri=error.redirect_uri,
                )
            case AppTaken():
                return t(
                    "Another member already uses this Spotify app. Create an app of your own in Spotify's dashboard."
                )
            case NoHostApp():
                return t("This bot has no Spotify app. Use {link} with a Spotify app of your own.", link=link)
            case NoSearch():
                return t(
                    "I can search for you only once you have linked your Spotify account: use {link}. Links to albums "
                    "work without it.",
                    link=link,
                )
            case NotAnAddress():
                return t("That cannot be a name and an e-mail address. Check both and try again.")
            case NoSeatFree():
                return t(
                    "All seats in this bot's Spotify app are taken. Ask the host for one, or use {link} with a Spotify "
                    "app of your own.",
                    link=link,
                )
            case AccountTaken():
                return t(
                    "That Spotify account is linked to another Discord account here. Use {unlink} there first, or "
                    "link another Spotify account.",
                    unlink=self.command("unlink"),
                )
            case LinkDeclined(provider="discord"):
                return t(
                    "Somebody opened your link and declined at Discord. Nothing was linked. If that was you and you "
                    "change your mind, you can still use the link until its 10 minutes are over."
                )
            case LinkDeclined():
                return t("You declined at Spotify, so nothing was linked. Use {link} to start again.", link=link)
            case LinkExpired():
                return t("This link has expired or was already used. Use {link} to get a new one.", link=link)
            case WrongDiscordAccount():
                return t(
                    "Your link was opened by somebody who is logged in to Discord with another account. Nothing was "
                    "linked. If that was you, switch accounts in your browser and open the link again. If you shared "
                    "the link with nobody, you don't need to do anything."
                )
            case TryLater(cause=TryLater.Cause.QUOTA) if error.is_own_app:
                return t("Your Spotify app has reached its daily limit. Try again tomorrow.")
            case TryLater(cause=TryLater.Cause.QUOTA) if error.until is not None:
                return t(
                    "This bot's Spotify app has reached its daily limit. Try again {when}.", when=soon(error.until)
                )
            case TryLater(cause=TryLater.Cause.QUOTA):
                return t("This bot's Spotify app has reached its daily limit. Try again tomorrow.")
            case TryLater():
                return t("Spotify is not responding. Try again in a few minutes.")
            case Restarting():
                return t("I am restarting. Nothing was changed. Try again in a minute.")
            case StorageUnavailable():
                return t(
                    "I could not store that, so nothing was changed. Try again in a few minutes. If it happens again, "
                    "tell the host that the database cannot be written."
                )
            case InternalError():
                return t(
                    "Something broke on our side ({reference}). Try again in a minute. The host can look this number "
                    "up.",
                    reference=error.reference,
                )
            case Refused() if error.message:
                return t(
                    "Spotify refused: “{reason}”. Nothing was changed. Try again later.",
                    reason=plain(error.message, 200),
                )
            case Refused():
                return t("Spotify refused. Nothing was changed. Try again later.")
        return t("That did not work. Try again in a minute.")

    def not_found(self, found: NotFound) -> str:
        """Why a command that needs one album could not find it."""
        t, typed = self.t, plain(found.typed, 60)
        match found.outcome:
            case Outcome.OFFERED:
                return t("Several albums match “{typed}”. Pick one from the suggestions while you type.", typed=typed)
            case Outcome.NOT_ALBUM:
                return t.sentences(
                    [self.thing(found.kind), t("Paste an album link, or pick one from the suggestions.")]
                )
            case Outcome.UNREADABLE:
                return t("I need exactly one album: paste one link, or pick an album from the suggestions.")
            case Outcome.NO_ALBUM:
                return t("Spotify has no album with this link. Check the link, or search by title.")
        return t("Spotify found no album for “{typed}”. Try fewer words, or paste a link.", typed=typed)

    def no_albums(self, action: Action) -> str:
        """The option was empty."""
        command = self.command("save" if action is Action.SAVE else "unsave")
        return self.t("Which album? Use {command} with a link, or pick an album from the suggestions.", command=command)

    def nothing_to_undo(self) -> str:
        """An Undo of a command that changed nothing."""
        return self.t("There is nothing to undo: that command changed nothing.")

    def undo(self, verdict: UndoVerdict) -> str:
        """An Undo button that does nothing."""
        match verdict:
            case UndoVerdict.USED:
                return self.t("Already undone.")
            case UndoVerdict.BEING_USED:
                return self.t("This is already being undone.")
            case UndoVerdict.UNDER_WAY:
                return self.t("That command is still running. Use Undo again when it is finished.")
            case UndoVerdict.NOT_YOURS:
                return self.not_yours()
        return self.too_old()

    def not_yours(self) -> str:
        """Somebody else's button."""
        return self.t(
            "That button belongs to somebody else. Nothing was changed. {help} shows what you can do.",
            help=self.command("help"),
        )

    def too_old(self) -> str:
        """A button that no longer does anything."""
        return self.t(
            "This button has expired. Use {save} or {unsave} instead.",
            save=self.command("save"),
            unsave=self.command("unsave"),
        )

    def old_command(self) -> str:
        """A command that is not ours any more, or not in this form."""
        return self.t(
            "That command has changed. Reload Discord and try again. {help} shows what you can do.",
            help=self.command("help"),
        )

    # -- linking

    def consent(self) -> str:
        """What is asked for and stored; shown with every button that leads to a consent."""
        t = self.t
        asks = t(
            "Discord confirms who you are, then Spotify asks you for two permissions:\n"
            "- see what is in your library, so that I know what is new\n"
            "- change your library, when you use a command or a button"
        )
        stored = t(
            "I store the ID and the name of your Spotify account, and encrypted access with these two permissions. "
            "{unlink} deletes all of it.",
            unlink=self.command("unlink"),
        )
        until = t("The button works for 10 minutes, and only for you.")
        return f"{asks}\n\n{self.with_privacy(stored)}\n-# {until}"

    def stored(self) -> str:
        """Where to read what is stored, in place of all of it; empty where there is no page."""
        if not self._privacy_url:
            return ""
        return "-# " + self.t("[What is stored, and for how long]({url})", url=self._privacy_url)

    def link_offer(self) -> str:
        """`/link` by a member who is not linked."""
        return self.t("**Link your Spotify account**")

    def relink_offer(self, name: str) -> str:
        """`/link` by a member who is linked."""
        return self.t(
            "You are linked as **{name}**. With this button you can renew Spotify's permission, or change to another "
            "Spotify account, which then replaces this one. Your queue stays as it is.",
            name=plain(name),
        )

    def linked(self, link: Link, before: Link | None) -> str:
        """The private message after linking."""
        t, name = self.t, plain(link.account_name)
        if before is None:
            first = t("Linked as **{name}**.", name=name)
        elif before.account_id == link.account_id:
            first = t("Renewed: you are linked as **{name}**.", name=name)
        else:
            first = t("Linked as **{name}**, in place of **{before}**.", name=name, before=plain(before.account_name))
        return t.sentences([first, t("{save} saves an album to your library.", save=self.command("save"))])

    def account(self, name: str, linked_at: datetime, ends_at: datetime) -> str:
        """Which account, since when, until when."""
        t = self.t
        since = t("You are linked as **{name}**, since {when}.", name=plain(name), when=date(linked_at))
        return f"{since}\n{self.consent_ends(ends_at)}"

    def consent_ends(self, ends_at: datetime) -> str:
        """Until when Spotify's consent is valid."""
        return self.t("Spotify access expires every six months. Yours ends {when}.", when=soon(ends_at))

    def pending(self, count: int, names: Sequence[str]) -> str:
        """What is queued."""
        if not count:
            return self.t("Nothing is queued.")
        lines = [self.t.plural("{count} album is queued:", "{count} albums are queued:", count)]
        lines += [f"- {name}" for name in names]
        if count > len(names):
            lines.append(f"- {self.more(count - len(names))}")
        return "\n".join(lines)

    def pending_name(self, change: LibraryChange, album: Album | None) -> str:
        """One change that is queued."""
        name = self._name(change, album, 70)
        if change.action is Action.SAVE:
            return self.t("Save {album}", album=name)
        return self.t("Remove {album}", album=name)

    def dropped(self, count: int, left: int, *, is_sure: bool = True) -> str:
        """Pending changes were dropped. `is_sure`: none of them can have changed the library.

        `left`: how many albums are being written just now, so that they could not be dropped.
        """
        if not count:
            return self.too_late(left) if left else self.t("Nothing is queued any more.")
        if left:
            took = self.t.plural("Took {count} album out of the queue.", "Took {count} albums out of the queue.", count)
            return self.t.sentences([took, self.too_late(left)])
        if not is_sure:
            return self.t.plural(
                "Took {count} album out of the queue. Spotify may have changed your library already, so have a look.",
                "Took {count} albums out of the queue. Spotify may have changed your library already, so have a look.",
                count,
            )
        return self.t.plural(
            "Took {count} album out of the queue. Your library was not changed.",
            "Took {count} albums out of the queue. Your library was not changed.",
            count,
        )

    def too_late(self, count: int) -> str:
        """Changes that can no longer be dropped."""
        return self.t.plural(
            "{count} album is on its way to Spotify, which can no longer be stopped.",
            "{count} albums are on their way to Spotify, which can no longer be stopped.",
            count,
        )

    def unlink_question(self, name: str | None) -> str:
        """Asked once before unlinking; `name` None: nobody is linked, but something waits."""
        if name is None:
            return self.t("No Spotify account is linked, but something is queued. Delete it?")
        return self.t(
            "Unlink **{name}**? I delete everything I store about your Spotify account at once, including what is "
            "queued. What has been saved or removed in your Spotify library stays that way. What you did in crates and "
            "clubs stays, too: {forget} deletes that.",
            name=plain(name),
            forget=self.command("forget"),
        )

    def unlinked(self) -> str:
        """After unlinking."""
        return self.t(
            "Unlinked. Everything I stored about your Spotify account is deleted. To withdraw the permission at Spotify "
            "too, remove this bot at <https://www.spotify.com/account/apps/>."
        )

    def not_linked(self) -> str:
        """Nothing to unlink or to show."""
        return self.t("No Spotify account is linked. {link} links yours in a minute.", link=self.command("link"))

    def help(self) -> str:
        """What the bot does, in one screen."""
        t = self.t
        steps = (
            t("{link} connects your Spotify account. It takes a minute.", link=self.command("link")),
            t("{save} saves albums: paste links, or type a title.", save=self.command("save")),
            t("{unsave} removes albums. Undo takes back what a command changed.", unsave=self.command("unsave")),
        )
        also = t(
            "{account} shows your account and your queue; {forget} deletes everything I store about you.",
            account=self.command("account"),
            forget=self.command("forget"),
        )
        files = t(
            "{import_} saves the albums of a file, and {export} gives you yours as one.",
            import_=self.command("import"),
            export=self.command("export"),
        )
        together = t(
            "In a server, {share} shows everybody an album, {crate} what members have collected, and {club} the album club.",
            share=self.command("share"),
            crate=self.command("crate show"),
            club=self.command("club now"),
        )
        private = t(
            "Only you see what you save. If Spotify is busy, your albums are queued, and I tell you when they are done."
        )
        lines = [t("**I save albums to your own Spotify library.**")]
        lines += [f"{place}. {step}" for place, step in enumerate(steps, 1)]
        return "\n".join([*lines, "", together, files, also, self.with_privacy(private)])

    def earlier(self) -> str:
        """Heads what could not be told when it happened."""
        return self.t("**Finished since your last command**")

    def with_privacy(self, text: str) -> str:
        if not self._privacy_url:
            return text
        return self.t.sentences([text, self.t("[What is stored, and for how long]({url})", url=self._privacy_url)])

    def _name(self, change: LibraryChange, album: Album | None, most: int = 100) -> str:
        if album is not None:
            return self.album(album, most)
        return self.t("“{typed}”", typed=plain(change.typed, 60))


class AllWords:
    """The shared sentences in every language: `words = all_words(caller.locale)`.

    `command_ids`: filled in when the commands are registered.
    """

    def __init__(self, privacy_url: str, seats: int = 5) -> None:
        self.command_ids: dict[str, int] = {}
        self._seats = seats
        self._privacy_url = privacy_url
        self._made: dict[Text, Words] = {}

    def __call__(self, locale: str | None) -> Words:
        """The words for a locale of Discord's."""
        t = texts(locale)
        if t not in self._made:
            self._made[t] = Words(t, self.command_ids, self._privacy_url, self._seats)
        return self._made[t]


def refusal_of(outcome: Outcome | None, detail: str | None) -> UserError:
    """The error that ended a change for good."""
    error: UserError
    match outcome:
        case Outcome.NO_SEAT:
            error = NotAllowlisted()
        case Outcome.NO_PREMIUM:
            error = PremiumLapsed()
        case _:
            return Refused(0, detail or "")
    error.is_own_app = detail == OWN_APP
    return error


def _counted_as(change: LibraryChange) -> Outcome | str | None:
    """Outcomes that share a sentence when they are counted."""
    match change.outcome:
        case Outcome.NO_SEAT | Outcome.NO_PREMIUM:
            return Outcome.REFUSED
        case Outcome.NO_MATCH:
            return Outcome.NO_ALBUM
        case Outcome.OFFERED if _is_inexact(change):
            return _INEXACT
        case Outcome.NOT_ALBUM if change.detail == _NOT_YET:
            return _NOT_YET  # an album all the same
        case Outcome.NOT_ALBUM if change.detail == OLD_SHORT:
            return Outcome.UNREADABLE  # it may lead to an album
    return change.outcome


def _is_inexact(change: LibraryChange) -> bool:
    """Whether a search offers one album, whose name is not what was typed."""
    return len(set(change.choices)) == 1
