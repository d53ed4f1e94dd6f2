"""How the album of a round was chosen, in a sentence: the same in Discord and on the club's page."""

from __future__ import annotations

from typing import Protocol

from bot.curation.club import Choice, Pick


class Translator(Protocol):
    """A language: of plain text in Discord and in files, of markup on pages."""

    def __call__(self, sentence: str, /, **facts: str) -> str:
        """A sentence."""
        ...

    def plural(self, one: str, many: str, count: int, /, **facts: str) -> str:
        """A sentence with a count."""
        ...


def how_chosen(t: Translator, choice: Choice | None, pick: Pick, who: str, *, voters: int, among: int | None) -> str:
    """The sentence; empty where it is not known. `who`: the member who nominated or picked it, as they are named there.

    `voters`: how many ballots were counted. `among`: from how many albums it was drawn.
    """
    match choice:
        case Choice.VOTE if not voters:
            return t("Nominated by {member}. Nobody voted, so the lot order decided.", member=who)
        case Choice.VOTE:
            return t.plural(
                "Nominated by {member} and chosen by vote, with {count} ballot.",
                "Nominated by {member} and chosen by vote, with {count} ballots.",
                voters,
                member=who,
            )
        case Choice.ONLY_NOMINATION:
            return t("Nominated by {member}. It was the only nomination.", member=who)
        case Choice.PICKER:
            return t("Picked by {member}.", member=who)
        case Choice.STANDBY:
            return t("Picked by {member}, whose turn came early because the picker before them was absent.", member=who)
        case Choice.STAND_IN if pick is Pick.TURNS:
            return t("Nobody picked an album, so this is the curator's stand-in.")
        case Choice.STAND_IN if pick is Pick.CRATE:
            return t("The crate was empty, so this is the curator's stand-in.")
        case Choice.STAND_IN:
            return t("There was no nomination, so this is the curator's stand-in.")
        case Choice.CRATE if pick is Pick.TURNS:
            return t.plural(
                "Nobody picked an album, so this was drawn from the crate, out of {count} album.",
                "Nobody picked an album, so this was drawn from the crate, out of {count} albums.",
                among or 1,
            )
        case Choice.CRATE if pick is Pick.VOTE:
            return t.plural(
                "There was no nomination, so this was drawn from the crate, out of {count} album.",
                "There was no nomination, so this was drawn from the crate, out of {count} albums.",
                among or 1,
            )
        case Choice.CRATE:
            return t.plural(
                "Drawn from the crate, out of {count} album.",
                "Drawn from the crate, out of {count} albums.",
                among or 1,
            )
    return ""
