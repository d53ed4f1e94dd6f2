"""What the columns of a club's spreadsheet are for, by their names in several languages and by what is in them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

from bot.files.dates import read_date
from bot.files.problems import MAX_COLUMNS
from bot.files.scores import is_absent, read_score, read_scores
from bot.files.tables import Record, column_key


class Role(StrEnum):
    """What a column is for."""

    DATE = "date"
    ALBUM = "album"
    ARTIST = "artist"
    LINK = "link"
    PICKER = "picker"
    SCORE = "score"  # one or several scores of the row
    MEMBER = "member"  # one member's scores; the column is named after them
    RATER = "rater"  # whose the row's score is, where each score has a row of its own
    MEAN = "mean"
    ROUND = "round"
    THEME = "theme"
    NOTE = "note"
    NOT_USED = "not_used"


@dataclass(frozen=True, slots=True)
class Column:
    """A column: its name as it is in the file, what it is for, and whose scores are in it (`MEMBER`)."""

    number: int
    name: str
    role: Role
    member: str = ""


def _words(pattern: str) -> re.Pattern[str]:
    return re.compile(rf"\b(?:{' '.join(pattern.split()).replace(' ', '|')})\b")


# On names as `column_key` makes them: lower case, no accents. "_" is a space inside one alternative. The first role
# that a name matches counts: "release date" is no date of a round, "average score" no member's score.
_NAMES: tuple[tuple[Role, re.Pattern[str]], ...] = tuple(
    (role, _words(pattern.replace("_", r"\s")))
    for role, pattern in (
        (
            Role.NOT_USED,
            r"release\w* erschienen veroffentlicht\w* erscheinungs\w* sortie lanzamiento uscita years? jahr annee ano"
            r" anno genres? label country land length lange duration runtime tracks? votes stimmen covers? image",
        ),
        (
            Role.MEAN,
            r"mean average avg durchschnitt\w* schnitt mittel\w* moyenne promedio media gemiddelde? snitt srednia",
        ),
        (Role.RATER, r"raters? rated_by reviewers? reviewed_by voters? bewertet_von bewerter\w* note_par"),
        (Role.LINK, r"links? urls? uri spotify lien enlace collegamento lank lenke"),
        (
            Role.PICKER,
            r"pickers? picked pick_by chosen chose chooser nominat\w+ propos\w+ suggest\w+ submitted selected selector"
            r" recommend\w+ ausgewahlt auswahl ausgesucht vorgeschlagen vorschlag gewahlt eingereicht choisi\w* choix"
            r" elegid\w+ propuest\w+ scelt\w+ propost\w+ escolhid\w+ sugerid\w+ gekozen voorgesteld vald valgt"
            r" foreslag\w* wybrał\w* zaproponował\w* whose who wer von qui quien chi quem wie host"
            r" curator kurator\w* выбрал\w*",
        ),
        (
            Role.DATE,
            r"dates? datum fecha data dato daty? day tag jour dia when wann meeting treffen listened played months?"
            r" monat mois mes mese mes maned manad miesiac timestamp zeitstempel horodateur marca_temporal дата",
        ),
        (
            Role.SCORE,
            r"scores? ratings? rated grades? marks? bewertung\w* wertung\w* punkte sterne note notes nota notas"
            r" puntuacion\w* puntaje puntos voto voti punteggio cijfer beoordeling betyg karakter\w* ocen[ay]?"
            r" stars? etoiles оценк\w*",
        ),
        (
            Role.ALBUM,
            r"albums? \w*album \w*titel records? lp title titre titulo titolo tytuł tittel disco disque platte plade"
            r" płyta skiva plaat альбом\w* アルバム",
        ),
        (
            Role.ARTIST,
            r"artists? artist_name\w* bands? act musicians? interpret\w* kunstler\w* gruppe group artistes? artistas?"
            r" artiest\w* wykonawca исполнител\w* アーティスト",
        ),
        (Role.THEME, r"themes? thema tema motto temat"),
        (
            Role.ROUND,
            r"rounds? runde ronda manche turno weeks? woche semaine semana settimana no nr num number nummer season",
        ),
        (
            Role.NOTE,
            r"comments? remarks? reviews? kommentare? bemerkung\w* commentaires? comentarios? commenti? thoughts? why"
            r" warum reason begrundung",
        ),
    )
)
_PERSON = _words(r"names? member mitglied\w* membre miembro membro medlem person")
_DATE = _words(r"dates? datum fecha data dato daty? дата")
_NOTE = _words(r"notes? notas?")
_PICK = _words(r"picks?")
_OF_NOBODY = _words(
    r"s the a de di da von van our club group team overall total final sum of out by per score scores in on for \d+"
    r" album avg max min we"
)
_MOST = 0.8
_LONGEST_NAME = 60


def known_columns(record: Record) -> int:
    """How many cells of a row are names of columns that a club's spreadsheet has; 0 without one for the album."""
    names = [column_key(cell) for cell in record.cells[:MAX_COLUMNS] if len(cell) <= _LONGEST_NAME]
    roles = {role for name in names if (role := role_of(name)) is not None}
    if not roles & {Role.ALBUM, Role.LINK} and not any(map(_PICK.search, names)):
        return 0
    return len(roles | ({Role.ALBUM} if Role.LINK in roles else set()))


def role_of(name: str) -> Role | None:
    """What a column with this name (by `column_key`) is for; None if the name does not say."""
    if "album artist" in name:
        return Role.ARTIST
    role = next((role for role, pattern in _NAMES if pattern.search(name)), None)
    if role in (Role.PICKER, Role.DATE, Role.SCORE) and "album" in name.split() and not re.search(r"\bby\b", name):
        return role if name.split()[0] != "album" else Role.ALBUM  # "album of the day", "album pick"
    return role


def assign(header: Sequence[str], columns: Sequence[Sequence[str]]) -> tuple[Column, ...]:
    """Say what each column is for. `columns`: the cells below each name, without blank ones."""
    keys = [column_key(name) for name in header]
    roles = [role_of(key) if name.strip() != "#" else Role.ROUND for name, key in zip(header, keys, strict=True)]
    members = [""] * len(header)
    for number, cells in enumerate(columns):
        role, key = roles[number], keys[number]
        if role is Role.DATE and not _mostly_dates(cells):
            roles[number] = Role.ROUND if "week" in key or "day" in key else None
        elif role is Role.ROUND and _mostly_dates(cells):
            roles[number] = Role.DATE  # "Week": 2024-01-31
        elif role is Role.SCORE and _NOTE.search(key) and cells and not _mostly_scores(cells):
            roles[number] = Role.NOTE  # "Notes" are scores in French and words in English
        elif role is Role.SCORE and (member := _member(header[number])):
            roles[number], members[number] = Role.MEMBER, member
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
                if roles[number] in (None, Role.ROUND) and _DATE.search(key):
                    roles[number] = Role.DATE
                    break
    _keep_one_of_each(roles)
    return tuple(
        Column(number, header[number].strip(), role or Role.NOT_USED, members[number])
        for number, role in enumerate(roles)
    )


def is_person(column: Column) -> bool:
    """Whether the column's name says that it names people, but not which."""
    return role_of(column_key(column.name)) is None and _PERSON.search(column_key(column.name)) is not None


def _choose_persons(roles: list[Role | None], keys: Sequence[str]) -> None:
    """Tell what "Pick" (an album or a person) and "Name" (the picker's or the rater's) are, by what is missing."""
    for number, key in enumerate(keys):
        if roles[number] is None and _PICK.search(key):
            roles[number] = Role.PICKER if {Role.ALBUM, Role.LINK} & set(roles) else Role.ALBUM
    for number, key in enumerate(keys):
        if roles[number] is None and _PERSON.search(key):
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
    score = next(pattern for role, pattern in _NAMES if role is Role.SCORE)
    kept = [
        word
        for word in re.split(r"[\s:()\[\]/–—_-]+", re.sub(r"['’]s\b", "", name))
        if (key := column_key(word)) and not score.fullmatch(key) and not _OF_NOBODY.fullmatch(key)
    ]
    return " ".join(kept)[:_LONGEST_NAME]


def _mostly_dates(cells: Sequence[str]) -> bool:
    return sum(read_date(cell) is not None for cell in cells) >= len(cells) / 2


def _mostly_scores(cells: Sequence[str]) -> bool:
    """Whether most cells are scores, and at least one is; who did not listen may have written so."""
    scores = sum(read_score(cell) is not None or read_scores(cell) is not None for cell in cells)
    absent = sum(map(is_absent, cells))
    return scores > 0 and scores + absent >= _MOST * len(cells)
