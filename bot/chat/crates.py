"""`/crate`: a server's shared lists of albums, and who shows that they kept one."""

from __future__ import annotations

import random
from collections.abc import Callable, Sequence
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from bot.albums import Album, AlbumId, album_url
from bot.caller import Caller, GuildId, MemberId
from bot.chat import parts
from bot.chat.cards import Card, Kind, album_section, attribution, file_card, text_card
from bot.chat.components import CustomId
from bot.chat.editions import doubts
from bot.chat.parts import Part, button, link_button
from bot.chat.reply import Beside, Reply
from bot.chat.words import Words, plain
from bot.clubs.public_pages import PublicPages
from bot.curation import draw as drawing
from bot.files import exports
from bot.library.finder import AlbumFinder, NotFound
from bot.storage.crates import Added, Crate, CrateId, Crates, Entry, Refusal
from bot.text import Text

PAGE = 10
"""Entries on a page."""
EXPORT_S = 10.0
"""How long an export waits for names."""
REMOVABLE_MOST, SUGGEST_S = 50, 0.6
"""How many of the newest albums are suggested for removal, and how long the suggestions wait for names."""
SORT_LOOKUPS_S = 2.0
"""How long sorting by artist waits for names that are not known. Albums without one come last."""


class Sort(StrEnum):
    """The order of the entries."""

    DATE = "date"
    ARTIST = "artist"
    KEPT = "kept"


class Format(StrEnum):
    """What kind of file `/crate export` sends."""

    CSV = "csv"
    JSON = "json"


class View(StrEnum):
    """Who sees a page of a crate, and so whether its buttons edit it."""

    PRIVATE = "private"
    PUBLIC = "public"


class Page(Struct, frozen=True):
    """Which page of a crate. `by`: only this member's entries; 0: everybody's."""

    sort: Sort
    by: MemberId
    number: int
    view: View


class CrateCards:
    """Answers about crates: each method does one thing for a caller in a server, and draws the cards that say it."""

    def __init__(
        self,
        crates: Crates,
        finder: AlbumFinder,
        reply: Reply,
        pages: PublicPages,
        *,
        rng: random.Random,
        now: Callable[[], datetime],
    ) -> None:
        self._crates = crates
        self._finder = finder
        self._reply = reply
        self._pages = pages
        self._rng = rng
        self._now = now

    async def add(self, caller: Caller, guild: GuildId, text: str, note: str, crate: str | None) -> Sequence[Card]:
        """Find the album that `text` means, and put it into a crate."""
        words = self._reply.words(caller.locale)
        found = await self._finder.find(caller.member_id, text)
        if isinstance(found, NotFound):
            return [text_card(words.not_found(found))]
        return await self.add_album(caller, guild, found, note, crate)

    async def add_album(
        self, caller: Caller, guild: GuildId, album: Album, note: str, crate: str | None
    ) -> Sequence[Card]:
        """Put an album into a crate; what is in it already says who brought it first."""
        words = self._reply.words(caller.locale)
        t = words.t
        added = await self._crates.add(guild, crate, album.id, caller.member_id, note, self._now())
        if isinstance(added, Refusal):
            return [text_card(refusal(t, added, crate))]
        name = plain(added.crate.name)
        text = brought_by(t, name, added) if added.earlier else t("Added to the crate “{crate}”.", crate=name)
        return [_album_card(words, album, text)]

    async def add_albums(self, caller: Caller, guild: GuildId, albums: Sequence[Album], *, left: int) -> Sequence[Card]:
        """Put several albums into the first crate; how many were new. `left`: how many more the message names."""
        t = self._reply.words(caller.locale).t
        new, crate = 0, ""
        for album in albums:
            added = await self._crates.add(guild, None, album.id, caller.member_id, "", self._now())
            if isinstance(added, Refusal):
                return [text_card(refusal(t, added, None))]
            new += added.earlier is None
            crate = added.crate.name
        before, name = len(albums) - new, plain(crate)
        text = []
        if new:
            text.append(
                t.plural(
                    "Added {count} album to the crate “{crate}”.",
                    "Added {count} albums to the crate “{crate}”.",
                    new,
                    crate=name,
                )
            )
        if new and before:
            text.append(t.plural("{count} was already in it.", "{count} were already in it.", before))
        if not new:
            text.append(t("All of these albums are in the crate “{crate}” already.", crate=name))
        if left:
            text.append(
                t.plural(
                    "The message names {count} more album, which I left out.",
                    "The message names {count} more albums, which I left out.",
                    left,
                )
            )
        return [text_card(t.sentences(text))]

    async def remove(
        self, caller: Caller, guild: GuildId, text: str, crate: str | None, *, anyones: bool
    ) -> Sequence[Card]:
        """Take an album out of a crate: one's own, or anybody's for whoever may manage messages."""
        words = self._reply.words(caller.locale)
        t = words.t
        found = await self._finder.find(caller.member_id, text)
        if isinstance(found, NotFound):
            inside = {one.id for one in await self.removable(caller, guild, crate, anyones=anyones)}
            if len(meant := [album for album in found.offers if album.id in inside]) != 1:
                return [text_card(words.not_found(found))]
            found = meant[0]
        gone = await self._crates.remove(guild, crate, found.id, caller.member_id, self._now(), anyones=anyones)
        if isinstance(gone, Refusal):
            return [text_card(refusal(t, gone, crate))]
        return [_album_card(words, found, t("Removed from the crate."))]

    async def show(self, caller: Caller, guild: GuildId, name: str | None, page: Page) -> Sequence[Card] | Beside:
        """A page of a crate by the crate's name; None: the default one."""
        crate = await self._crates.find(guild, name, self._now())
        if crate is None:
            return self._no_crate(caller, name)
        return await self.turn(caller, crate, page)

    async def crate(self, guild: GuildId, id_: CrateId) -> Crate | None:
        """A crate of a button, if it is one of this server's."""
        return await self._crates.by_id(guild, id_)

    async def turn(self, caller: Caller, crate: Crate, page: Page) -> Sequence[Card]:
        """A page of a crate. Costs one call to Spotify for each album on it that nobody saw for a day."""
        is_public = page.view is View.PUBLIC
        words = self._reply.public_words(caller) if is_public else self._reply.words(caller.locale)
        t = words.t
        kind = Kind.PUBLIC if is_public else Kind.PRIVATE
        entries = await self._crates.entries(crate, page.by or None)
        if not entries and page.by:
            text = t("{member} has not added anything to **{crate}**.", member=f"<@{page.by}>", crate=plain(crate.name))
            return [text_card(text, kind=kind)]
        if not entries:
            return [self._empty(words, crate, kind)]
        entries = await self._sorted(caller.member_id, entries, page.sort)
        last = (len(entries) - 1) // PAGE
        number = min(page.number, last)
        shown = entries[number * PAGE : (number + 1) * PAGE]
        names = await self._finder.names(caller.member_id, [entry.album_id for entry in shown])
        heading = t.plural(
            "**{crate}** · {count} album", "**{crate}** · {count} albums", len(entries), crate=plain(crate.name)
        )
        doubtful = doubts(t, names.values())
        lines = [heading]
        lines += [_line(words, entry, names.get(entry.album_id), doubtful.get(entry.album_id, "")) for entry in shown]
        buttons = [_turn(t("Newer"), crate, page, number - 1)] if number else []
        buttons += [_turn(t("Older"), crate, page, number + 1)] if number < last else []
        if not is_public:
            buttons.append(button(t("Save all I don't have"), CustomId("crate-save", crate.id, page.by)))
        if (url := await self._pages.crate_url(crate)) is not None:
            lines.append(t("[The page of this crate]({url}) shows all of it.", url=url))
        items: list[Part] = [parts.text("\n".join(lines))]
        if last:
            figures = {"page": t.number(number + 1), "pages": t.number(last + 1)}
            items.append(parts.text(f"-# {t('Page {page} of {pages}', **figures)}"))
        if buttons:
            items.append(parts.row(*buttons))
        return [Card(*items, *attribution(words, [*names.values()]), kind=kind)]

    async def _sorted(self, member: MemberId, entries: list[Entry], sort: Sort) -> list[Entry]:
        if sort is Sort.KEPT:
            return sorted(entries, key=lambda entry: -len(entry.kept_by))
        if sort is Sort.ARTIST:
            names = await self._finder.names(member, [entry.album_id for entry in entries], seconds=SORT_LOOKUPS_S)

            def key(entry: Entry) -> tuple[bool, str, str]:
                album = names.get(entry.album_id)
                return (True, "", "") if album is None else (False, album.by.casefold(), album.title.casefold())

            return sorted(entries, key=key)
        return entries

    async def pick(self, caller: Caller, guild: GuildId, crate_name: str | None) -> Sequence[Card] | Beside:
        """Draw one album, fairly, for all to see."""
        words = self._reply.public_words(caller)
        t = words.t
        crate = await self._crates.find(guild, crate_name, self._now())
        if crate is None:
            return self._no_crate(caller, crate_name)
        while True:  # two who draw at the same time do not draw the same album
            entries = {entry.album_id: entry for entry in await self._crates.entries(crate)}
            drawn = drawing.draw((drawing.CrateEntry(e.album_id, e.picks) for e in entries.values()), self._rng)
            if drawn is None:
                return Beside([self._empty(self._reply.words(caller.locale), crate)])
            if await self._crates.picked(crate, drawn.album_id, drawn.picks):
                break
        names = await self._finder.names(caller.member_id, [drawn.album_id])
        album = names.get(drawn.album_id) or _unnamed(drawn.album_id)
        lines = [
            t.plural(
                "Drawn from “{crate}”. There was {count} album in the draw.",
                "Drawn from “{crate}”. There were {count} albums in the draw.",
                drawn.among,
                crate=plain(crate.name),
            )
        ]
        if (by := entries[drawn.album_id].member_id) is not None:
            lines.append(t("Added by {member}.", member=f"<@{by}>"))
        if note := entries[drawn.album_id].note:
            lines.append(f"> {plain(note, 300)}")
        return [_album_card(words, album, "\n".join(lines), kind=Kind.PUBLIC)]

    def _no_crate(self, caller: Caller, name: str | None) -> Beside:
        return Beside([text_card(refusal(self._reply.words(caller.locale).t, Refusal.NO_CRATE, name))])

    def _empty(self, words: Words, crate: Crate, kind: Kind = Kind.PRIVATE) -> Card:
        add = words.command("crate add")
        text = words.t("**{crate}** is empty. {command} adds an album.", crate=plain(crate.name), command=add)
        return text_card(text, kind=kind)

    async def export(self, caller: Caller, guild: GuildId, name: str | None, format_: Format) -> Sequence[Card]:
        """A crate as a file. It names nobody, since it may be handed on; the caller's own entries say "you"."""
        t = self._reply.words(caller.locale).t
        crate = await self._crates.find(guild, name, self._now())
        if crate is None:
            return [text_card(refusal(t, Refusal.NO_CRATE, name))]
        entries = await self._crates.entries(crate)
        if not entries:
            return [self._empty(self._reply.words(caller.locale), crate)]
        names = await self._finder.names(caller.member_id, [entry.album_id for entry in entries], seconds=EXPORT_S)
        rows = [_row(entry, names.get(entry.album_id), t, caller.member_id) for entry in entries]
        if format_ is Format.CSV:
            data = exports.write_csv(exports.CrateEntry, rows)
        else:
            about = {"crate": crate.name, "exported_at": self._now().isoformat(timespec="seconds")}
            data = exports.write_json(exports.CrateEntry, rows, about)
        text = t.plural(
            "The crate as a file, with {count} album.", "The crate as a file, with {count} albums.", len(rows)
        )
        unknown = len(rows) - len(names)
        if unknown:
            text = t.sentences(
                [
                    text,
                    t.plural(
                        "{count} album is listed by its link only.",
                        "{count} albums are listed by their links only.",
                        unknown,
                    ),
                ]
            )
        return [file_card(text, f"crate.{format_}", data)]

    async def ask_to_save(self, caller: Caller, crate: Crate, by: MemberId) -> Sequence[Card]:
        """How many albums of a crate the caller does not have, and one question. NotLinked, NeedsRelink, TryLater."""
        t = self._reply.words(caller.locale).t
        missing = await self.missing(caller, crate, by)
        if not missing:
            return [text_card(t("You have all of these albums already."))]
        question = t.plural("Save {count} album to your library?", "Save {count} albums to your library?", len(missing))
        yes = button(t.plural("Save {count}", "Save {count}", len(missing)), CustomId("crate-save-all", crate.id, by))
        return [text_card(question, yes, button(t("Cancel"), CustomId("crate-cancel")))]

    async def gone(self, caller: Caller) -> Sequence[Card]:
        """A button of a crate that is not there any more."""
        return [text_card(self._reply.words(caller.locale).too_old())]

    async def cancelled(self, caller: Caller) -> Sequence[Card]:
        """The answer to Cancel."""
        return [text_card(self._reply.words(caller.locale).t("Nothing was saved."))]

    async def missing(self, caller: Caller, crate: Crate, by: MemberId) -> list[AlbumId]:
        """The albums of a crate that the caller does not have. NotLinked, NeedsRelink, TryLater."""
        entries = await self._crates.entries(crate, by or None)
        return await self._finder.not_saved(caller.member_id, [entry.album_id for entry in entries])

    async def keep(self, caller: Caller, guild: GuildId, album: AlbumId) -> Sequence[Card]:
        """Show to this server that the caller kept an album."""
        words = self._reply.words(caller.locale)
        await self._crates.keep(guild, album, caller.member_id, self._now())
        text = words.t(
            "This server now sees that you kept this album: in crates and in the history of clubs. "
            "{command} takes it back.",
            command=words.command("mydata"),
        )
        return [text_card(text)]

    # -- for curators

    async def new(self, caller: Caller, guild: GuildId, name: str) -> Sequence[Card]:
        """Make a crate."""
        t = self._reply.words(caller.locale).t
        made = await self._crates.new(guild, name, self._now())
        if isinstance(made, Refusal):
            return [text_card(refusal(t, made, name))]
        return [text_card(t("The crate “{crate}” is ready.", crate=plain(made.name)))]

    async def rename(self, caller: Caller, guild: GuildId, crate: str, name: str) -> Sequence[Card]:
        """Give a crate another name."""
        t = self._reply.words(caller.locale).t
        done = await self._crates.rename(guild, crate, name, self._now())
        if isinstance(done, Refusal):
            return [text_card(refusal(t, done, crate))]
        return [text_card(t("“{old}” is now called “{new}”.", old=plain(done.name), new=plain(name)))]

    async def archive(self, caller: Caller, guild: GuildId, crate: str) -> Sequence[Card]:
        """Let a crate take no new albums."""
        t = self._reply.words(caller.locale).t
        done = await self._crates.archive(guild, crate, self._now())
        if isinstance(done, Refusal):
            return [text_card(refusal(t, done, crate))]
        return [text_card(t("“{crate}” is archived. It can be read, but takes no new albums.", crate=plain(done.name)))]

    async def removable(self, caller: Caller, guild: GuildId, name: str | None, *, anyones: bool) -> list[Album]:
        """The albums of a crate that a member may take out, the newest first, as far as their names are known soon."""
        crate = await self._crates.find(guild, name, self._now())
        if crate is None:
            return []
        entries = await self._crates.entries(crate, None if anyones else caller.member_id)
        ids = [entry.album_id for entry in entries[:REMOVABLE_MOST]]
        return [*(await self._finder.names(caller.member_id, ids, seconds=SUGGEST_S)).values()]

    async def suggest(self, guild: GuildId, text: str) -> list[str]:
        """The names of crates while somebody types."""
        wanted = text.casefold().strip()
        return [crate.name for crate in await self._crates.all(guild, self._now()) if wanted in crate.name.casefold()]


def refusal(t: Text, why: Refusal, crate: str | None) -> str:
    """Why a crate stays as it is, and what to do."""
    name = plain(crate or "")
    match why:
        case Refusal.NO_CRATE:
            return t("There is no crate called “{crate}” here. Pick one from the suggestions.", crate=name)
        case Refusal.ARCHIVED:
            return t("This crate is archived. It can be read, but takes no new albums.")
        case Refusal.NAME_TAKEN:
            return t("There is a crate with this name already. Choose another name.")
        case Refusal.FULL:
            return t("This crate is full. A curator can make a new one.")
        case Refusal.TOO_MANY:
            return t("This server has as many crates as I can keep. Rename or use one of them.")
        case Refusal.NOT_THERE:
            return t("This album is not in the crate. Nothing was changed.")
        case Refusal.NOT_YOURS:
            return t("Somebody else added this album. They can remove it, or whoever may manage messages here.")
        case Refusal.IS_DEFAULT:
            return t("The first crate cannot be archived, but it can be renamed.")


def brought_by(t: Text, crate: str, added: Added) -> str:
    """Somebody added the album before."""
    earlier = added.earlier
    assert earlier is not None
    when = f"<t:{int(earlier.added_at.timestamp())}:D>"
    if earlier.member_id is None:
        return t("This album has been in “{crate}” since {date}.", crate=crate, date=when)
    return t(
        "{member} brought this album to “{crate}” first, on {date}.",
        member=f"<@{earlier.member_id}>",
        crate=crate,
        date=when,
    )


def _album_card(words: Words, album: Album, text: str, *, kind: Kind = Kind.PRIVATE) -> Card:
    t = words.t
    row: list[Part] = [button(t.context("button", "Save"), CustomId("save", album.id))]
    row.append(link_button(album.url, t("Open in Spotify")))
    return Card(
        album_section(words, album),
        parts.text(text),
        parts.row(*row),
        *attribution(words, [album], has_button=True),
        kind=kind,
    )


def _line(words: Words, entry: Entry, album: Album | None, doubt: str) -> str:
    t = words.t
    name = f"[{album_url(entry.album_id)}](<{album_url(entry.album_id)}>)"
    if album is not None:
        name = (
            f"[{plain(album.title, 60)}](<{album.url}>) · {plain(album.by, 40)}{f' · {plain(doubt)}' if doubt else ''}"
        )
    facts = [f"<t:{int(entry.added_at.timestamp())}:d>"]
    if entry.member_id is not None:
        facts.insert(0, f"<@{entry.member_id}>")
    if entry.kept_by:
        facts.append(kept_by(t, entry.kept_by))
    # Small print and quotations have to begin their line.
    line = f"- {name}\n-# {' · '.join(facts)}"
    return f"{line}\n> {plain(entry.note, 100)}" if entry.note else line


def kept_by(t: Text, members: Sequence[MemberId]) -> str:
    """Who shows that they kept an album, of many the first few."""
    kept = [f"<@{member}>" for member in members[:3]]
    more = len(members) - len(kept)
    who = t.list([*kept, t.plural("{count} more", "{count} more", more)] if more else kept)
    return t("kept by {members}", members=who)


def _turn(label: str, crate: Crate, page: Page, number: int) -> Part:
    return button(label, CustomId("crate-page", crate.id, page.sort, page.by, number, page.view))


def _unnamed(id_: AlbumId) -> Album:
    return Album(id_, album_url(id_), (), "", None)


def _row(entry: Entry, album: Album | None, t: Text, caller: MemberId) -> exports.CrateEntry:
    by = t("you") if entry.member_id == caller else t("a member")
    return exports.CrateEntry(
        entry.album_id,
        album.title if album else "",
        album.artists if album else (),
        album.year if album else "",
        by,
        entry.added_at,
        entry.note,
    )
