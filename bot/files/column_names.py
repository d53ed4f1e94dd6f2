"""What a column of a spreadsheet is for, by its name in several languages."""

from __future__ import annotations

import re
import unicodedata
from enum import StrEnum


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


def words(pattern: str) -> str:
    """A pattern that finds any of the alternatives, which white space separates, as a whole word.

    Accents and the marks of Japanese letters are left out, as `fold` leaves them out of the names. It is compiled with
    its first use, because few servers ever import a spreadsheet.
    """
    pattern = "".join(c for c in unicodedata.normalize("NFKD", pattern) if not unicodedata.combining(c))
    return rf"\b(?:{' '.join(pattern.split()).replace(' ', '|')})\b"


# On names as `column_key` makes them: lower case, no accents. "_" is a space inside one alternative. The first role
# that a name matches counts: "release date" is no date of a round, "average score" no member's score.
NAMES: tuple[tuple[Role, str], ...] = tuple(
    (role, words(pattern.replace("_", r"\s")))
    for role, pattern in (
        (
            Role.NOT_USED,
            r"release\w* erschienen veroffentlicht\w* erscheinungs\w* sortie lanzamiento uscita years? jahr annee ano"
            r" anno genres? label country land length lange duration runtime tracks? votes stimmen covers? image attend\w*",
        ),
        (
            Role.MEAN,
            r"mean average avg durchschnitt\w* schnitt mittel\w* moyenne promedio media gemiddelde? snitt srednia 平均\w*",
        ),
        (Role.RATER, r"raters? rated_by reviewers? reviewed_by voters? bewertet_von bewerter\w* note_par"),
        (Role.LINK, r"links? urls? uri spotify lien enlace collegamento lank lenke リンク"),
        (
            Role.PICKER,
            r"pickers? picked pick_by chosen chose chooser nominat\w+ propos\w+ suggest\w+ submitted selected selector"
            r" recommend\w+ ausgewahlt auswahl ausgesucht vorgeschlagen vorschlag gewahlt eingereicht choisi\w* choix"
            r" elegid\w+ propuest\w+ scelt\w+ propost\w+ escolhid\w+ sugerid\w+ gekozen voorgesteld vald valgt"
            r" foreslag\w* wybrał\w* zaproponował\w* whose who wer von qui quien chi quem wie host"
            r" curator kurator\w* выбрал\w* 選んだ人 選者 推薦者? 選出者? 担当者?",
        ),
        (
            Role.DATE,
            r"dates? datum fecha data dato daty? day tag jour dia when wann meeting treffen listened played months?"
            r" monat mois mes mese mes maned manad miesiac timestamp zeitstempel horodateur marca_temporal дата 日付け? 日時? 開催日 タイムスタンプ",
        ),
        (
            Role.SCORE,
            r"scores? ratings? rated grades? bewertung\w* wertung\w* punkte sterne note notes nota notas"
            r" puntuacion\w* puntaje puntos voto voti punteggio cijfer beoordeling betyg karakter\w* ocen[ay]?"
            r" stars? etoiles оценк\w* 点数? 評価 スコア 採点",
        ),
        (
            Role.ALBUM,
            r"albums? \w*album \w*titel records? lp title titre titulo titolo tytuł tittel disco disque platte plade"
            r" płyta skiva plaat альбом\w* アルバム\w* 作品 タイトル",
        ),
        (
            Role.ARTIST,
            r"artists? artist_name\w* bands? act musicians? interpret\w* kunstler\w* gruppe group artistes? artistas?"
            r" artiest\w* wykonawca исполнител\w* アーティスト\w*",
        ),
        (Role.THEME, r"themes? thema tema motto temat テーマ"),
        (
            Role.ROUND,
            r"rounds? runde ronda manche turno weeks? woche semaine semana settimana no nr num number nummer season 回 第\w*回",
        ),
        (
            Role.NOTE,
            r"comments? remarks? reviews? kommentare? bemerkung\w* commentaires? comentarios? commenti? thoughts? why"
            r" warum reason begrundung コメント 感想 メモ レビュー",
        ),
    )
)


def role_of(name: str) -> Role | None:
    """What a column with this name (by `column_key`) is for; None if the name does not say."""
    if re.search(r"\balbum artists?\b(?!.*\b(?:uri|url|id|link))", name):
        return Role.ARTIST
    role = next((role for role, pattern in NAMES if re.search(pattern, name)), None)
    if role in (Role.PICKER, Role.DATE, Role.SCORE) and "album" in name.split() and not re.search(r"\bby\b", name):
        return role if name.split()[0] != "album" else Role.ALBUM  # "album of the day", "album pick"
    return role
