"""The sentences about files: why one could not be read, and why a line of it was not imported."""

from __future__ import annotations

from collections.abc import Mapping

from bot.changes import OWN_APP, Outcome
from bot.chat.words import Words, plain
from bot.files import problems
from bot.files.library_file import Reason
from bot.files.problems import FileProblem
from bot.library.imports import Failure
from bot.text import Text

_MB = 1024 * 1024


def problem(words: Words, error: FileProblem) -> str:
    """Why a whole file could not be read, and what to do."""
    t = words.t
    match error:
        case problems.FileTooLarge():
            return t(
                "That file is too large: I read files of up to {limit} MB. Split it, or export less.",
                limit=t.number(error.limit // _MB),
            )
        case problems.EmptyFile():
            return t("That file is empty.")
        case problems.ZipFile(holds_library=True):
            return t(
                "That is a zip file. Open it, and send me the file {name} that is inside.", name="YourLibrary.json"
            )
        case problems.ZipFile():
            return t("That is a zip file. Open it, and send me the text, CSV or JSON file that is inside.")
        case problems.ExcelFile() | problems.BrokenWorkbook():
            return t("That is an Excel workbook. Save it as CSV in your spreadsheet program, and send me that file.")
        case problems.NotText():
            return t("That file is not text. I read text, CSV and JSON files.")
        case problems.LineTooLong():
            return t(
                "Line {line} of that file is too long: I read lines of up to {limit} characters. Put each album on a "
                "line of its own.",
                line=t.number(error.line),
                limit=t.number(error.limit),
            )
        case problems.BrokenJson(line=int(line)):
            return t(
                "That JSON file breaks off or has a mistake in line {line}. Export it again, and send me the new file.",
                line=t.number(line),
            )
        case problems.BrokenJson():
            return t("I cannot read that JSON file: it is nested too deeply.")
        case problems.TooManyAlbums():
            return t(
                "That file names more than {limit} albums, which is the most that I import at once. Split it into "
                "several files.",
                limit=t.number(error.limit),
            )
        case problems.TooManyRows():
            return t(
                "That file has more than {limit} lines, which is the most that I read. Split it into several files.",
                limit=t.number(error.limit),
            )
        case problems.NothingFound():
            found = left_out(t, error.left_out)
            none = t(
                "I found no albums in that file. I look for links to albums, and for columns or lines that name an "
                "artist and a title."
            )
            return t.sentences([none, *found])
    return t("I cannot read that file.")


def left_out(t: Text, counts: Mapping[str, int]) -> list[str]:
    """What a file has that is not imported, one sentence at most."""
    tracks = counts.get("tracks", 0)
    others = sum(counts.values()) - tracks
    found = []
    if tracks:
        found.append(
            t.plural(
                "It also holds {count} track, which I leave out: I save albums.",
                "It also holds {count} tracks, which I leave out: I save albums.",
                tracks,
            )
        )
    if others:
        found.append(
            t.plural(
                "I leave out {count} entry that is not an album.",
                "I leave out {count} entries that are not albums.",
                others,
            )
        )
    return found


def why(words: Words, failure: Failure) -> str:
    """Why a line of a file was not imported."""
    t = words.t
    match failure.outcome:
        case Outcome.NO_ALBUM:
            return t("Spotify has no such album.")
        case Outcome.NO_MATCH:
            return t("Spotify found no album for these words.")
        case Outcome.OFFERED:
            return t("Several albums match these words, or none matches them exactly.")
        case Outcome.NOT_ALBUM:
            return words.thing(failure.detail)
        case Outcome.UNREADABLE:
            return t("I cannot read this link as an album.")
        case Outcome.GIVEN_UP:
            gave_up = t("I gave this up after more than 7 days.")
            return t.sentences([gave_up, words.have_a_look()]) if failure.is_unsure else gave_up
        case Outcome.DROPPED:
            took = t("You took this out of the queue.")
            return t.sentences([took, words.have_a_look()]) if failure.is_unsure else took
        case Outcome.SUPERSEDED | Outcome.CHANGED_SINCE:
            return t("A later command changed this album.")
        case Outcome.NO_SEAT if failure.detail == OWN_APP:
            return t("Your Spotify account is not on the list of your Spotify app.")
        case Outcome.NO_SEAT:
            return t("You are not on the list of this bot's Spotify app.")
        case Outcome.NO_PREMIUM if failure.detail == OWN_APP:
            return t("Spotify serves your Spotify app only while you have Premium.")
        case Outcome.NO_PREMIUM:
            return t("Spotify serves this bot only while its host has Premium.")
        case Outcome.REFUSED:
            return (
                t("Spotify refused it: {message}", message=plain(failure.detail))
                if failure.detail
                else t("Spotify refused it.")
            )
    match failure.reason:
        case Reason.NOT_AN_ALBUM:
            return words.thing(failure.detail)
        case Reason.UNREADABLE_LINK:
            return t("I cannot read this link as an album.")
        case Reason.NO_ARTIST:
            return t("There is a title without an artist, which is too little to search for.")
        case Reason.OPEN_QUOTE:
            return t("A quotation mark in this line is never closed.")
    return t("This line names no album.")


def code(failure: Failure) -> str:
    """The same for programs."""
    return failure.outcome.value.replace(" ", "_") if failure.outcome is not None else failure.reason
