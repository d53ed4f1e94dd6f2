"""The rounds of a club book as rows of a file. It names nobody who is not named on the page. Pure."""

from __future__ import annotations

from bot.clubs.book import Book, BookRound
from bot.curation.club import Choice
from bot.files.exports import ClubRound
from bot.text import Text
from bot.web.album_view import NAME_MOST, TEXT_MOST, TITLE_MOST, Albums
from bot.web.outside_text import legible


def book_row(t: Text, book: Book, one: BookRound, albums: Albums) -> ClubRound:
    """A round. Scores are in order of size: their order does not tell whose they are."""
    album = albums.get(one.album_id)
    picker = "" if not one.is_members else t("a member") if one.picker is None else legible(one.picker, NAME_MOST)
    return ClubRound(
        one.number,
        one.on,
        one.album_id,
        legible(album.title, TITLE_MOST) if album is not None else "",
        tuple(legible(artist, NAME_MOST) for artist in album.artists) if album is not None else (),
        album.year if album is not None else "",
        picker,
        legible(one.theme, TITLE_MOST),
        one.voters if one.choice is Choice.VOTE else None,
        round(float(one.summary.mean), 2) if one.summary is not None else None,
        tuple(str(score) for score in sorted(one.scores, key=lambda score: -score.on(book.scale))),
        tuple(sorted(legible(review.text, TEXT_MOST) for review in one.reviews)),
    )
