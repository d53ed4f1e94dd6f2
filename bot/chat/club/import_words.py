"""The sentences of `/curate import`: how a spreadsheet was read, what each row becomes, and what came of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from bot.albums import SearchText
from bot.caller import MemberId
from bot.changes import Outcome
from bot.chat import file_words
from bot.chat.club.names import TEXT_SPACE
from bot.chat.words import Words, day, plain
from bot.clubs import past_rounds
from bot.curation.imported import member_of, names_in, noon, scores_of
from bot.files import problems
from bot.files.club_rows import ClubSheet, OddCell, SheetRound, SkippedRow, UnclearDate, WhyNot
from bot.files.column_names import Role
from bot.files.exports import SheetRow
from bot.files.problems import FileProblem

if TYPE_CHECKING:
    from bot.files.scores import NamedScore

WIDTHS = (30, 15, 6)
"""Characters of names from the file."""
NAMED = 5
"""How many rows the card names, and half as many as people; all rows are in the file."""
HEADERS, COLUMNS = 10, 12
"""How many columns it names, of a file that cannot be read and of one that can."""


def problem(words: Words, error: FileProblem) -> str:
    """Why a spreadsheet cannot be read, and what to do."""
    t = words.t
    match error:
        case problems.NoSuchColumns():
            names = {Role.DATE: t("the date"), Role.ALBUM: t("the album")}
            missing = t.list([names[Role(role)] for role in error.missing])
            lines = [t("I found no column for {missing}.", missing=missing)]
            if error.headers:
                shown = t.list([f"“{plain(name, 40)}”" for name in error.headers], HEADERS)
                lines.append(t("The columns in that file are {columns}.", columns=shown))
            lines.append(how_to(words))
            return t.sentences(lines)
        case problems.TooManyColumns():
            return t(
                "That file has more than {limit} columns, which is the most that I read.", limit=t.number(error.limit)
            )
        case problems.NothingFound():
            lines = [t("No row of that file can be read as a round.")]
            lines += [f"- {t.number(count)} × {why_not(words, WhyNot(code))}" for code, count in error.unread.items()]
            return "\n".join([*lines, how_to(words)])
        case problems.ZipFile():
            return t("That is a zip file. Open it, and send me the spreadsheet that is inside, as CSV.")
        case problems.NotText():
            return t("I can't read that file as a spreadsheet. Save it as CSV, and send me that file.")
    return file_words.problem(words, error)


def how_to(words: Words) -> str:
    """What a spreadsheet should look like."""
    return words.t(
        "Send a spreadsheet saved as CSV, with the names of its columns in the first row: Date and Album, and, if you "
        "have them, Artist, Link, Picked by, and a column of scores for each member. Their order does not matter."
    )


def question(words: Words, unclear: UnclearDate) -> str:
    """Whether the day or the month comes first."""
    return words.t(
        "Which comes first in the dates of that file, the day or the month? “{typed}” in line {line} can be {day_first} "
        "or {month_first}, and no other row decides it.",
        typed=plain(unclear.text, 40),
        line=words.t.number(unclear.line),
        day_first=day(noon(unclear.day_first)),
        month_first=day(noon(unclear.month_first)),
    )


def preview(words: Words, club: str, name: str, sheet: ClubSheet, people: Mapping[str, MemberId]) -> str:
    """What an import would do. Names from the file are cut until everything fits."""
    text = ""
    for most in WIDTHS:
        text = _preview(words, club, name, sheet, people, most)
        if len(text) <= TEXT_SPACE:
            break
    return text


def _preview(words: Words, club: str, name: str, sheet: ClubSheet, people: Mapping[str, MemberId], most: int) -> str:
    t = words.t
    rows = [row for row in sheet.rounds if row.on is not None]
    days = sorted(row.on for row in rows if row.on is not None)
    lines = [
        t.plural(
            "{count} row of “{file}” becomes a past round of {club}, on {first}.",
            "{count} rows of “{file}” become past rounds of {club}, from {first} to {last}.",
            len(rows),
            file=plain(name, 60),
            club=f"**{plain(club, 60)}**",
            first=day(noon(days[0])),
            last=day(noon(days[-1])),
        )
    ]
    lines += [
        f"- {day(noon(row.on))} · {plain(row.typed, 2 * most)}{_by(row, people, most)}" for row in rows[:3] if row.on
    ]
    if len(rows) > 3:
        lines.append(f"- {words.more(len(rows) - 3)}")
    lines += [_columns(words, sheet, most), _scores(words, sheet), _people(words, sheet, people, most)]
    lines.append(_searches(words, sheet))
    if sheet.skipped:
        lines.append(t.plural("{count} row is left out:", "{count} rows are left out:", len(sheet.skipped)))
        lines += [f"- {_skipped(words, row, most)}" for row in sheet.skipped[:NAMED]]
    if odd := sum(len(row.odd) for row in sheet.rounds):
        lines.append(
            t.plural(
                "{count} cell is changed or left out; the file below says which.",
                "{count} cells are changed or left out; the file below says which.",
                odd,
            )
        )
    lines.append(t("The file below shows what each row becomes. Nothing is stored in the club before you start."))
    return "\n".join(line for line in lines if line)


def preview_rows(words: Words, sheet: ClubSheet) -> list[SheetRow]:
    """What each row becomes, as rows of a file."""
    rows = [
        SheetRow(row.line, row.on, row.typed, row.picker, tuple(map(score, scores_of(row))), _remarks(words, row.odd))
        for row in sheet.rounds
    ]
    rows += [
        SheetRow(row.line, None, row.text[:300], "", (), (words.t("Left out: {why}", why=why_not(words, row.why)),))
        for row in sheet.skipped
    ]
    return sorted(rows, key=lambda row: row.line)


def score(one: NamedScore) -> str:
    """A score as the file has it."""
    value = f"{one.score.value.normalize():f}" + (f"/{one.score.out_of.normalize():f}" if one.score.out_of else "")
    return f"{one.member}: {value}" if one.member else value


def why_not(words: Words, why: WhyNot) -> str:
    """Why a row becomes no round, or what is odd about a cell."""
    t = words.t
    match why:
        case WhyNot.NO_ALBUM:
            return t("it names no album")
        case WhyNot.NOT_AN_ALBUM:
            return t("its link does not lead to an album, and there is no title")
        case WhyNot.UNREADABLE_LINK:
            return t("its link cannot be read")
        case WhyNot.NO_DATE:
            return t("it has no date")
        case WhyNot.UNREADABLE_DATE:
            return t("its date cannot be read; write it with a year, such as 2024-01-31")
        case WhyNot.IN_THE_FUTURE:
            return t("its date is in the future")
        case WhyNot.REPEATED:
            return t("a row above has the same album on the same day")
        case WhyNot.OPEN_QUOTE:
            return t("a quotation mark is never closed")
        case WhyNot.ABOVE_THE_NAMES:
            return t("it is above the row with the column names")
        case WhyNot.OTHER_DATE_ORDER:
            return t("this date is only a date with day and month the other way round, so it is read that way")
        case WhyNot.DAY_MISSING:
            return t("there is no day, so the first of the month is taken")
        case WhyNot.NO_SCORE:
            return t("this is no score, so it is left out")
        case WhyNot.OTHER_LINK:
            return t("this link is not used")
        case WhyNot.NO_NUMBER:
            return t("this is not the number of a round")
        case WhyNot.EXTRA_CELL:
            return t("there is no column for this")


def not_found(words: Words, why: str) -> str:
    """Why a row did not become a round in the end."""
    t = words.t
    match why:
        case past_rounds.ALREADY:
            return t("The club has already had this album.")
        case past_rounds.NOT_SEARCHED:
            return t(
                "I could not search for it, because I had no access to Spotify. Link your account, or give a "
                "link to the album."
            )
        case Outcome.OFFERED:
            return t("Several albums have this title. Give a link to the one that you mean.")
        case Outcome.NO_MATCH:
            return t("Spotify found no album for these words. Give a link to the album.")
        case Outcome.NOT_ALBUM:
            return t("This link does not lead to an album.")
    return t("Spotify has no such album.")


def _by(row: SheetRound, people: Mapping[str, MemberId], most: int) -> str:
    if not row.picker:
        return ""
    member = member_of(row.picker, people)
    return f" · {f'<@{member}>' if member is not None else plain(row.picker, most)}"


def _columns(words: Words, sheet: ClubSheet, most: int) -> str:
    t = words.t
    uses = {
        Role.DATE: t("date"),
        Role.ALBUM: t("album"),
        Role.ARTIST: t("artist"),
        Role.LINK: t("link"),
        Role.PICKER: t("picked by"),
        Role.SCORE: t("score"),
        Role.MEMBER: t("a member's score"),
        Role.RATER: t("rated by"),
        Role.MEAN: t("mean score"),
        Role.ROUND: t("number"),
        Role.THEME: t("theme"),
        Role.NOTE: t("note"),
    }
    used = [
        t("“{column}” ({use})", column=plain(one.name, most), use=uses[one.role])
        for one in sheet.columns
        if one.role in uses
    ]
    unused = [
        t("“{typed}”", typed=plain(one.name, most)) for one in sheet.columns if one.role is Role.NOT_USED and one.name
    ]
    lines = [t("I use these columns: {columns}.", columns=t.list(used, COLUMNS))]
    if unused:
        lines.append(t("I do not use {columns}.", columns=t.list(unused, COLUMNS)))
    return t.sentences(lines)


def _scores(words: Words, sheet: ClubSheet) -> str:
    t = words.t
    scores = [one.score for row in sheet.rounds for one in scores_of(row)]
    if not scores:
        return t("There are no scores in that file.")
    if all(score.out_of is not None for score in scores):
        return ""
    return t("Scores without a scale count as out of {top}.", top=t.number(sheet.out_of))


def _people(words: Words, sheet: ClubSheet, people: Mapping[str, MemberId], most: int) -> str:
    t = words.t
    names = names_in(sheet)
    if not names:
        return ""
    known = [f"{plain(name, most)} → <@{id_}>" for name in names if (id_ := member_of(name, people)) is not None]
    lines = []
    if known:
        lines.append(t("These names belong to members of this server: {names}.", names=t.list(known, 2 * NAMED)))
    if unknown := [plain(name, most) for name in names if member_of(name, people) is None]:
        lines.append(
            t(
                "No single member goes by these names: {names}. They stay as text beside what they picked; their scores have no "
                "name.",
                names=t.list(unknown, 2 * NAMED),
            )
        )
    return t.sentences(lines)


def _searches(words: Words, sheet: ClubSheet) -> str:
    t = words.t
    searched = {row.reference for row in sheet.rounds if isinstance(row.reference, SearchText)}
    if not searched:
        return ""
    return t.plural(
        "{count} album has no link, so I search Spotify for it.",
        "{count} albums have no link, so I search Spotify for each of them.",
        len(searched),
    )


def _skipped(words: Words, row: SkippedRow, most: int) -> str:
    return words.t(
        "line {line}: {why} ({text})",
        line=words.t.number(row.line),
        why=why_not(words, row.why),
        text=plain(row.text, 2 * most),
    )


def _remarks(words: Words, odd: Sequence[OddCell]) -> tuple[str, ...]:
    return tuple(_remark(words, one) for one in odd)


def _remark(words: Words, cell: OddCell) -> str:
    t, facts = words.t, {"typed": cell.text[:60], "why": why_not(words, cell.why)}
    if not cell.column:
        return t("“{typed}”: {why}", **facts)
    return t("{column} “{typed}”: {why}", column=cell.column, **facts)
