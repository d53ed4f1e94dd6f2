"""Every sentence that members read in Discord, in one place, so that they can be translated. The host's: host_words.py.

Say what happened, then what happens next or what to do. No exclamation marks, no blame, no jargon.
Whatever comes from outside passes `plain`: it is shown as text, whatever it holds.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from datetime import datetime

from bot.albums import Album, is_control
from bot.changes import Action, LibraryChange, Outcome
from bot.errors import (
    AccountTaken,
    AppRejected,
    InternalError,
    LinkDeclined,
    LinkExpired,
    NeedsRelink,
    NotAllowlisted,
    NotLinked,
    PremiumLapsed,
    Refused,
    Restarting,
    StorageUnavailable,
    TryLater,
    UserError,
    WrongDiscordAccount,
)
from bot.storage.changes import UndoVerdict
from bot.storage.links import Link

_MARKUP = re.compile(r"([\\*_~`|\[\]<>#])")
_MENTION = re.compile(r"@(?=everyone|here|[!&]?\d)")

THINGS = {
    "playlist": "a playlist",
    "artist": "an artist",
    "show": "a podcast",
    "episode": "a podcast episode",
    "prerelease": "an album that is not out yet",
    "user": "a profile",
    "audiobook": "an audiobook",
    "chapter": "a chapter of an audiobook",
    "concert": "a concert",
}


def plain(text: str, most: int = 100) -> str:
    """Text from outside, shown as it is: no markup, no mention, no link, one line, at most `most` characters."""
    text = " ".join("".join(" " if is_control(c) else c for c in text).split())
    if len(text) > most:
        text = text[: most - 1] + "…"
    text = _MARKUP.sub(r"\\\1", text).replace("://", "\\://")
    return _MENTION.sub("@\u200b", text)


def title(album: Album, most: int = 100) -> str:
    """**Title** by Artist (Year)."""
    year = f" ({plain(album.year)})" if album.year else ""
    return f"**{plain(album.title, most)}** by {plain(album.by, most)}{year}"


def soon(moment: datetime) -> str:
    """In how long, in the reader's own time zone."""
    return f"<t:{int(moment.timestamp())}:R>"


def date(moment: datetime) -> str:
    """When, in the reader's own time zone."""
    return f"<t:{int(moment.timestamp())}:f>"


def albums(count: int) -> str:
    """1 album, 2 albums."""
    return "1 album" if count == 1 else f"{count:,} albums"


class Words:
    """The sentences. `command_ids` lets them mention commands so that a click begins them."""

    def __init__(self) -> None:
        self.command_ids: dict[str, int] = {}
        self.privacy_url = ""

    def command(self, name: str) -> str:
        """A command to click on."""
        id_ = self.command_ids.get(name)
        return f"</{name}:{id_}>" if id_ else f"`/{name}`"

    # -- what came of changes

    def single(self, change: LibraryChange, album: Album | None) -> str:
        """What came of the only change of a command."""
        name = title(album) if album else self._read(change)
        short = f"**{plain(album.title)}**" if album else self._read(change)
        match change.outcome:
            case Outcome.SAVED:
                return f"Saved {name} to your library."
            case Outcome.REMOVED:
                return f"Removed {name} from your library."
            case Outcome.ALREADY:
                return f"{short} was in your library already. Nothing changed."
            case Outcome.ABSENT:
                return f"{short} was not in your library. Nothing changed."
            case Outcome.NO_ALBUM:
                return (
                    f"Spotify knows no album behind {self._read(change)}. "
                    "Check the link, or pick an album from the list while you type."
                )
            case Outcome.NOT_ALBUM:
                thing = THINGS.get(change.detail or "", "something else")
                return (
                    f"That is {thing}. I can {_verb(change.action)} albums: paste an album link, "
                    "or pick one while you type."
                )
            case Outcome.UNREADABLE:
                return (
                    f"I can't read {self._read(change)} as an album. "
                    "Paste a link from open.spotify.com, or pick an album while you type."
                )
            case Outcome.NO_MATCH:
                return f"Spotify found no album for {self._read(change)}. Try fewer words, or paste a link."
            case Outcome.OFFERED:
                if "," not in (change.detail or ""):
                    return f"Nothing is called exactly {self._read(change)}. Did you mean this one?"
                return f"Several albums fit {self._read(change)}. Which one do you mean?"
            case Outcome.SUPERSEDED:
                return f"A later command of yours decided about {name}. This one changed nothing."
            case Outcome.CHANGED_SINCE:
                return f"A later command of yours changed {name}, so I left it as it is."
            case Outcome.NO_SEAT:
                return self.error(NotAllowlisted())
            case Outcome.NO_PREMIUM:
                return self.error(PremiumLapsed())
            case Outcome.REFUSED:
                return self.error(Refused(0, change.detail or ""))
            case Outcome.GIVEN_UP:
                return f"For 7 days {name} could not be {_done(change.action)}, so I gave up. You can ask again."
            case Outcome.DROPPED:
                return f"Dropped {name}. Nothing changed."
        return f"{short} is kept and will be {_done(change.action)}."

    def line(self, change: LibraryChange, album: Album | None) -> str:
        """One of several changes, in one line."""
        name = title(album, 70) if album else self._read(change)
        outcome = {
            None: "waits",
            Outcome.ALREADY: "was there already",
            Outcome.ABSENT: "was not there",
            Outcome.NO_ALBUM: "no such album",
            Outcome.NOT_ALBUM: f"is {THINGS.get(change.detail or '', 'something else')}",
            Outcome.UNREADABLE: "could not be read as an album",
            Outcome.NO_MATCH: "nothing found",
            Outcome.OFFERED: "several fit",
            Outcome.SUPERSEDED: "decided by a later command",
            Outcome.CHANGED_SINCE: "changed since, left as it is",
            Outcome.GIVEN_UP: "given up after 7 days",
        }.get(change.outcome, str(change.outcome))
        return f"{name}: {outcome}"

    def summary(self, changes: Sequence[LibraryChange]) -> str:
        """What came of many changes, as counts."""
        names = {
            Outcome.SAVED: "saved",
            Outcome.REMOVED: "removed",
            Outcome.ALREADY: "{were} there already",
            Outcome.ABSENT: "{were} not there",
            None: "kept for later",
            Outcome.OFFERED: "to choose",
            Outcome.SUPERSEDED: "decided by a later command",
            Outcome.CHANGED_SINCE: "left as changed since",
            Outcome.DROPPED: "dropped",
            Outcome.GIVEN_UP: "given up",
            Outcome.REFUSED: "refused by Spotify",
            Outcome.NO_SEAT: "refused by Spotify",
            Outcome.NO_PREMIUM: "refused by Spotify",
        }
        counts = Counter(names.get(change.outcome, "could not be found") for change in changes)
        order = list(dict.fromkeys([*names.values(), "could not be found"]))
        parts = [
            f"{counts[text]:,} {text.format(were='was' if counts[text] == 1 else 'were')}"
            for text in order
            if counts[text]
        ]
        return ", ".join(parts) + "."

    def more(self, count: int, outcome: Outcome | None) -> str:
        """The changes of one outcome that are counted, not named."""
        return f"and {count:,} more: {self.line_outcome(outcome)}"

    def line_outcome(self, outcome: Outcome | None) -> str:
        """One outcome in a word or two."""
        return {
            None: "waiting",
            Outcome.ALREADY: "there already",
            Outcome.ABSENT: "not there",
            Outcome.SUPERSEDED: "decided by a later command",
        }.get(outcome, str(outcome))

    def ignored(self, text: str) -> str:
        """Words beside a link were not searched."""
        return f"I read the links and left “{plain(text)}” alone: words are searched when they stand alone."

    def held(self, error: UserError, count: int) -> str:
        """Why changes are kept, and what happens next."""
        kept = "Your album is kept" if count == 1 else f"Your {albums(count)} are kept"
        match error:
            case NotLinked():
                saved = "your album is" if count == 1 else "your albums are"
                return (
                    "To change your library I need your Spotify account once. It takes a minute, "
                    f"and {saved} taken care of right after."
                )
            case NeedsRelink():
                return f"{self.error(error)} {kept}, and taken care of right after."
            case TryLater(cause=TryLater.Cause.QUOTA):
                when = f"It goes on {soon(error.until)}; " if error.until else ""
                return f"This bot's Spotify app has used up its day. {when}{_lower(kept) if when else kept}."
            case TryLater(cause=TryLater.Cause.RATE_LIMITED):
                when = f" It goes on {soon(error.until)}." if error.until else ""
                return f"Spotify asked this bot to slow down.{when} {kept}, and I'll tell you when it is done."
            case AppRejected():
                return f"{self.error(error)} {kept}, and I'll tell you when it is done."
            case InternalError():
                return f"Something broke on our side ({error.reference}). {kept}. The host can look this number up."
            case StorageUnavailable():
                return f"I could not write down what came of it. {kept}, and I'll tell you when it is done."
            case Restarting():
                return f"I am being restarted. {kept}, and I'll tell you when it is done."
        return f"Spotify is not answering. {kept}, and I'll tell you when it is done."

    def error(self, error: UserError) -> str:
        """A refusal, with a way on."""
        match error:
            case NotLinked():
                return f"No Spotify account is linked yet. {self.command('link')} links yours in a minute."
            case NeedsRelink(reason=NeedsRelink.Reason.SCOPE):
                return "Spotify did not give all the permissions that saving needs. Link again and agree to both."
            case NeedsRelink(reason=NeedsRelink.Reason.OTHER_APP):
                return "The host changed this bot's Spotify app, so your account has to be linked again."
            case NeedsRelink(reason=NeedsRelink.Reason.UNREADABLE):
                return (
                    "What I kept of your Spotify account cannot be opened any more. "
                    f"Link it again with {self.command('link')} to go on."
                )
            case NeedsRelink():
                return (
                    "Your Spotify account is not connected any more: the consent ended, or was taken back. "
                    f"Link it again with {self.command('link')} to go on."
                )
            case NotAllowlisted():
                return (
                    "Spotify lets this bot's app serve 5 people, and you are not on its list. "
                    f"The host can add you; then use {self.command('link')} again."
                )
            case PremiumLapsed():
                return (
                    "Spotify serves this bot only while its host has Premium, and that has ended. "
                    "The host can renew it; then ask again."
                )
            case AppRejected():
                return "Spotify refuses this bot's own app. Only the host can mend that, so tell them."
            case AccountTaken():
                return (
                    "That Spotify account is linked to another Discord account here. "
                    f"Use {self.command('unlink')} there first, or link another Spotify account."
                )
            case LinkDeclined(provider="discord"):
                return (
                    "Somebody opened your link and said no at Discord. Nothing was linked. "
                    "If that was you and you change your mind, the link still works for its 10 minutes."
                )
            case LinkDeclined():
                return (
                    f"You said no at Spotify, so nothing was linked. {self.command('link')} begins again when you like."
                )
            case LinkExpired():
                return f"The link was too old or used already. {self.command('link')} gives you a new one."
            case WrongDiscordAccount():
                return (
                    "Your link was opened by somebody who is logged in at Discord as another account. "
                    "Nothing was linked. If that was you, switch the account in your browser and open the link "
                    "again; if you gave the link to nobody, you need not do anything."
                )
            case TryLater(cause=TryLater.Cause.QUOTA):
                when = f" It goes on {soon(error.until)}." if error.until else ""
                return f"This bot's Spotify app has used up its day.{when}"
            case TryLater():
                return "Spotify is not answering. Try again in a few minutes."
            case Restarting():
                return "I am being restarted. Ask again in a minute; nothing was changed."
            case StorageUnavailable():
                return (
                    "I could not write that down, so nothing was changed. Try again in a few minutes; "
                    "if it stays so, tell the host that the database cannot be written."
                )
            case InternalError():
                return (
                    f"Something broke on our side ({error.reference}). Try again in a minute. "
                    "The host can look this number up."
                )
            case Refused():
                said = f": “{plain(error.message, 200)}”" if error.message else ""
                return f"Spotify refused{said}. Nothing was changed; trying again later may help."
        return "That did not work. Try again in a minute."

    def no_albums(self, action: Action) -> str:
        """The option was empty."""
        return (
            f"Which album? Use {self.command('save' if action is Action.SAVE else 'unsave')} with a link, "
            "or pick an album while you type."
        )

    def nothing_to_undo(self) -> str:
        """An Undo of a command that changed nothing."""
        return "There is nothing to take back: that command changed nothing."

    def undo(self, verdict: UndoVerdict) -> str:
        """An Undo button that does nothing."""
        match verdict:
            case UndoVerdict.USED:
                return "That was taken back already. Nothing changed."
            case UndoVerdict.BEING_USED:
                return "That is being taken back already. This press changed nothing."
            case UndoVerdict.UNDER_WAY:
                return "That is still under way. Press Undo again when it is done."
            case UndoVerdict.NOT_YOURS:
                return self.not_yours()
        return self.too_old()

    def not_yours(self) -> str:
        """Somebody else's button."""
        return "That button belongs to somebody else. Nothing changed."

    def too_old(self) -> str:
        """A button that no longer stands for anything."""
        return f"This button is too old. Use {self.command('save')} or {self.command('unsave')} instead."

    def old_command(self) -> str:
        """A command that is not ours any more, or not in this form."""
        return f"That command has changed. Reload Discord, and use it again: {self.command('help')} shows them all."

    # -- linking

    def consent(self) -> str:
        """What is asked for and stored; stands beside every button that leads to a consent."""
        return (
            "Discord first shows me that it is you, then Spotify asks for two permissions:\n"
            "- see what is in your library, so that I know what is new\n"
            "- change your library, when you use a command or press a button\n\n"
            "I keep your Spotify account's id and name, and sealed access to these two permissions. "
            f"{self.command('unlink')} deletes it all. {self._privacy()}\n"
            "-# The button works for 10 minutes, for you alone."
        )

    def link_offer(self) -> str:
        """`/link` by a member who is not linked."""
        return "**Link your Spotify account**"

    def relink_offer(self, name: str) -> str:
        """`/link` by a member who is linked."""
        return (
            f"You are linked as **{plain(name)}**. With this button you can renew Spotify's consent, or change "
            "to another Spotify account, which then replaces this one. What waits for you stays."
        )

    def linked(self, link: Link, before: Link | None) -> str:
        """The private message after linking."""
        name = plain(link.account_name)
        if before is None:
            first = f"Linked as **{name}**."
        elif before.account_id == link.account_id:
            first = f"Renewed: you are linked as **{name}**."
        else:
            first = f"Linked as **{name}**, in place of **{plain(before.account_name)}**."
        return f"{first} {self.command('save')} puts an album into your library."

    def account(self, name: str, linked_at: datetime, ends_at: datetime) -> str:
        """Which account, since when, until when."""
        return (
            f"You are linked as **{plain(name)}**. You linked it {date(linked_at)}.\n"
            f"Spotify asks for your consent again every six months. Yours ends {soon(ends_at)}."
        )

    def pending(self, count: int, names: Sequence[str]) -> str:
        """What waits."""
        if not count:
            return "Nothing is waiting."
        listed = "".join(f"\n- {name}" for name in names)
        more = f"\n- and {count - len(names):,} more" if count > len(names) else ""
        return f"{albums(count)} {'waits' if count == 1 else 'wait'}:{listed}{more}"

    def pending_name(self, change: LibraryChange, album: Album | None) -> str:
        """One change that waits."""
        return f"{_verb(change.action)} {title(album, 70) if album else self._read(change)}"

    def dropped(self, count: int) -> str:
        """Pending changes were dropped."""
        if not count:
            return "Nothing was waiting. Nothing changed."
        return f"Dropped: {albums(count)} that waited. Your library stays as it is."

    def unlink_question(self, name: str | None) -> str:
        """Asked once before unlinking; `name` None: nobody is linked, but something waits."""
        if name is None:
            return "No Spotify account is linked, but something waits. Delete everything that I keep about you?"
        return (
            f"Unlink **{plain(name)}**? I delete everything that I keep about you, at once, what waits included. "
            "Your Spotify library stays as it is."
        )

    def unlinked(self) -> str:
        """After unlinking."""
        return (
            "Unlinked. Everything that I kept about you is deleted. To take back the permission at Spotify too, "
            "remove this bot at <https://www.spotify.com/account/apps/>."
        )

    def not_linked(self) -> str:
        """Nothing to unlink or to show."""
        return f"No Spotify account is linked. {self.command('link')} links yours in a minute."

    def help(self) -> str:
        """What the bot does, in one screen."""
        return (
            "**I put albums into your own Spotify library.**\n"
            f"1. {self.command('link')} connects your Spotify account. It takes a minute, and only you see it.\n"
            f"2. {self.command('save')} saves albums: paste links, several at once, or type a title and pick.\n"
            f"3. {self.command('unsave')} takes albums out again. Every answer has an Undo button.\n\n"
            f"{self.command('account')} shows what is linked and what waits; {self.command('unlink')} deletes "
            "everything that I keep about you.\n"
            "Only you see my answers. If Spotify is busy, your albums are kept and I tell you when it is done. "
            f"{self._privacy()}"
        )

    def earlier(self) -> str:
        """Heads what could not be told when it happened."""
        return "**Done since we last spoke**"

    def _privacy(self) -> str:
        return f"[What is stored, and for how long]({self.privacy_url})." if self.privacy_url else ""

    def _read(self, change: LibraryChange) -> str:
        return f"“{plain(change.reference, 60)}”"


def _verb(action: Action) -> str:
    return "save" if action is Action.SAVE else "remove"


def _done(action: Action) -> str:
    return "saved" if action is Action.SAVE else "removed"


def _lower(text: str) -> str:
    return text[0].lower() + text[1:]
