"""What the columns of a club's spreadsheet are for, by their names and by what is in them."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from decimal import Decimal

from msgspec import Struct

from bot.files.column_names import NAMES, Role, role_of, words
from bot.files.dates import read_date, read_day
from bot.files.problems import MAX_COLUMNS
from bot.files.scores import is_absent, read_score, read_scores
from bot.files.tables import Record, column_key


class Column(Struct, frozen=True):
    """A column: its name as it is in the file, what it is for, and whose scores are in it (`MEMBER`)."""

    number: int
    name: str
    role: Role
    member: str = ""


_PERSON = words(r"names? member mitglied\w* membre miembro membro medlem person")
_DATE = words(r"dates? datum fecha data dato daty? дата")
_TIMESTAMP = words(r"timestamp zeitstempel horodateur marca\stemporal")
_NOTE = words(r"notes? notas?")
_PICK = words(r"picks?")
_OF_NOBODY = words(
    r"s the a de di da von van our club group team overall total final sum of out by per score scores in on for \d+"
    r" album avg max min we"
)
_OUT_OF = re.compile(
    r"(?:/|\bout of|\bof|\bvon|\bsur|\bde|\bsu|\bvan|\bav|\b[01]\s?(?:-|–|to|bis|à|a))\s?(5|10|20|100)\b"
)
_MOST = 0.8
_LONGEST_NAME = 60


def known_columns(record: Record) -> int:
    """How many cells of a row are names of columns that a club's spreadsheet has; 0 without one for the album."""
    names = [column_key(cell) for cell in record.cells[:MAX_COLUMNS] if len(cell) <= _LONGEST_NAME]
    roles = {role for name in names if (role := role_of(name)) is not None}
    if any("album" in name.split() for name in names):
        roles.add(Role.ALBUM)
    if not roles & {Role.ALBUM, Role.LINK} and not any(re.search(_PICK, name) for name in names):
        return 0
    return len(roles | ({Role.ALBUM} if Role.LINK in roles else set()))


def assign(header: Sequence[str], columns: Sequence[Sequence[str]]) -> tuple[Column, ...]:
    """Say what each column is for. `columns`: the cells below each name, without blank ones."""
    keys = [column_key(name) for name in header]
    roles = [role_of(key) if name.strip() != "#" else Role.ROUND for name, key in zip(header, keys, strict=True)]
    members = [""] * len(header)
    for number, cells in enumerate(columns):
        role, key = roles[number], keys[number]
        if role is Role.DATE and not _mostly_dates(cells, read_day):
            roles[number] = Role.ROUND if "week" in key or "day" in key else None
        elif role is Role.ROUND and _mostly_dates(cells, read_day):
            roles[number] = Role.DATE  # "Week": 2024-01-31
        elif role is Role.SCORE and re.search(_NOTE, key) and cells and not _mostly_scores(cells):
            roles[number] = Role.NOTE  # "Notes" are scores in French and words in English
        elif role in (Role.PICKER, Role.RATER) and _mostly_scores(cells):
            roles[number] = None  # a member who is called like that: "Chi"
        elif role is Role.SCORE and (member := _member(header[number])):
            roles[number], members[number] = Role.MEMBER, member
    if Role.ALBUM not in roles:  # "Album - Artist": both in one column
        for number, key in enumerate(keys):
            if roles[number] is Role.ARTIST and "album" in key.split():
                roles[number] = Role.ALBUM
                break
    _choose_persons(roles, keys)
    for number, cells in enumerate(columns):
        if roles[number] is None and cells and _mostly_scores(cells) and header[number].strip():
            roles[number], members[number] = Role.MEMBER, " ".join(header[number].split())[:_LONGEST_NAME]
    if Role.DATE not in roles:
        for number, cells in enumerate(columns):
            if roles[number] is None and cells and _mostly_dates(cells):
                roles[number] = Role.DATE
                break
        else:  # a column that is called "Date" is that one, so that each of its rows can say what is wrong with it
            for number, key in enumerate(keys):
                if roles[number] in (None, Role.ROUND) and re.search(_DATE, key):
                    roles[number] = Role.DATE
                    break
    _keep_one_of_each(roles)
    return tuple(
        Column(number, header[number].strip(), role or Role.NOT_USED, members[number])
        for number, role in enumerate(roles)
    )


def named_scale(column: Column) -> Decimal | None:
    """What the column's scores are out of, where its name says it: "Score /10", "Rating (1-5)", "Note sur 20"."""
    match = _OUT_OF.search(column.name.casefold())
    return Decimal(match[1]) if match else None


def is_person(column: Column) -> bool:
    """Whether the column's name says that it names people, but not which."""
    return role_of(column_key(column.name)) is None and re.search(_PERSON, column_key(column.name)) is not None


def is_timestamp(column: Column) -> bool:
    """Whether the column says when a form was sent, by its name."""
    return re.search(_TIMESTAMP, column_key(column.name)) is not None


def _choose_persons(roles: list[Role | None], keys: Sequence[str]) -> None:
    """Tell what "Pick" (an album or a person) and "Name" (the picker's or the rater's) are, by what is missing."""
    for number, key in enumerate(keys):
        if roles[number] is None and re.search(_PICK, key):
            roles[number] = Role.PICKER if {Role.ALBUM, Role.LINK} & set(roles) else Role.ALBUM
    for number, key in enumerate(keys):
        if roles[number] is None and re.search(_PERSON, key):
            if Role.PICKER not in roles:
                roles[number] = Role.PICKER
            elif Role.SCORE in roles:
                roles[number] = Role.RATER


def _keep_one_of_each(roles: list[Role | None]) -> None:
    """Only members' columns, notes and scores come more than once; of the others the first counts."""
    seen: set[Role] = set()
    for number, role in enumerate(roles):
        if role in seen and role not in (Role.MEMBER, Role.NOTE, Role.SCORE):
            roles[number] = None
        elif role is not None:
            seen.add(role)


def _member(name: str) -> str:
    """Whose scores a column has: "Ada" of "Ada's score", "Score (Ada)", "Rating: Ada"; "" if it names nobody."""
    score = next(pattern for role, pattern in NAMES if role is Role.SCORE)
    kept = [
        word
        for word in re.split(r"[\s:()\[\]/–—_-]+", re.sub(r"['’]s\b", "", name))
        if (key := column_key(word)) and not re.fullmatch(score, key) and not re.fullmatch(_OF_NOBODY, key)
    ]
    return " ".join(kept)[:_LONGEST_NAME]


def _mostly_dates(cells: Sequence[str], read: Callable[[str], object] = read_date) -> bool:
    return sum(read(cell) is not None for cell in cells) >= len(cells) / 2


def _mostly_scores(cells: Sequence[str]) -> bool:
    """Whether most cells are scores, and at least one is; who did not listen may have written so."""
    scores = sum(read_score(cell) is not None or read_scores(cell) is not None for cell in cells)
    absent = sum(map(is_absent, cells))
    return scores > 0 and scores + absent >= _MOST * len(cells)
