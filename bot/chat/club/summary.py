"""The summary of a round: mean, spread, reviews, and who saved it. And the count of its vote, step by step."""

from __future__ import annotations

from bot.albums import AlbumId
from bot.chat import parts
from bot.chat.cards import album_section, attribution
from bot.chat.club.names import Albums, name_of, points
from bot.chat.parts import Part
from bot.chat.words import Words, plain
from bot.clubs import RoundView
from bot.curation.ballots import Count, Method, Step, Tie, TieBreak, Verdict
from bot.curation.ratings import chart
from bot.storage.ratings import Rating

REVIEW_MOST = 280
REVIEWS_MOST = 1800
"""Characters of all reviews on the card; the others are counted."""


def summary_items(words: Words, view: RoundView, albums: Albums) -> list[Part]:
    """What the club thinks of an album."""
    t, one = words.t, view.round
    if one.album_id is None:
        return []
    heading = t(
        "{club}: what you thought of round {number}", club=plain(view.stored.name, 60), number=t.number(one.number)
    )
    album = albums.get(one.album_id)
    items: list[Part] = [parts.text(f"### {heading}")]
    items.append(album_section(words, album) if album else parts.text(name_of(words, albums, one.album_id)))
    lines = [rated(words, view)]
    if view.ratings:
        lines.append(f"```\n{chart([rating.score for rating in view.ratings], view.scale)}\n```")
    if view.saves:
        lines.append(
            t.plural(
                "{count} member saved it with the button of its card.",
                "{count} members saved it with the button of its card.",
                view.saves,
            )
        )
    items.append(parts.text("\n".join(lines)))
    if reviews := _reviews(words, view):
        items.append(parts.text(reviews))
    return [*items, *attribution(words, [album] if album else [])]


def rated(words: Words, view: RoundView) -> str:
    """Mean and spread in one sentence."""
    t, summary = words.t, view.summary
    if summary is None:
        return t("Nobody rated it.")
    return t.plural(
        "{mean} of {top} from {count} rating.",
        "{mean} of {top} on average, from {count} ratings, with a spread of {spread}.",
        summary.ratings,
        mean=f"**{points(words, summary.mean)}**",
        top=t.number(view.scale.top),
        spread=t.number(round(summary.spread, 1)),
    )


def _reviews(words: Words, view: RoundView) -> str:
    lines: list[str] = []
    reviewed = [rating for rating in view.ratings if rating.review.strip()]
    for rating in reviewed:
        line = _review(words, rating)
        if sum(map(len, lines)) + len(line) > REVIEWS_MOST:
            lines.append(
                f"-# {words.t.plural('{count} more review', '{count} more reviews', len(reviewed) - len(lines))}"
            )
            break
        lines.append(line)
    return "\n".join(lines)


def _review(words: Words, rating: Rating) -> str:
    t = words.t
    who = f"<@{rating.member_id}>" if rating.is_named and rating.member_id is not None else t("a member")
    return t(
        "{score} from {member}: {review}",
        score=f"**{points(words, rating.score.on(rating.score.scale))}**",
        member=who,
        review=plain(rating.review, REVIEW_MOST),
    )


# -- the count


def count_lines(words: Words, count: Count, albums: Albums) -> list[str]:
    """A whole count, one paragraph per step."""
    t = words.t
    methods = {
        Method.RANKED_CHOICE: t("Counted by ranked choice (instant run-off)."),
        Method.WEIGHTED: t("Counted with weights: 3 for a first choice, 2 for a second, 1 for a third."),
        Method.APPROVAL: t("Counted by approval: one for every album on a ballot."),
    }
    lines = [methods[count.method]]
    for place, step in enumerate(count.steps, 1):
        lines.append(f"**{t('Count {number}', number=t.number(place))}**")
        lines += [f"- {name_of(words, albums, id_, 40)}: {t.number(votes)}" for id_, votes in _by_votes(step)]
        if step.exhausted:
            lines.append(
                t.plural("{count} ballot names none of these.", "{count} ballots name none of these.", step.exhausted)
            )
        lines += [f"-# {line}" for line in (_tie(words, step.tie, albums), _verdict(words, step, albums)) if line]
    return lines


def _by_votes(step: Step) -> list[tuple[AlbumId, int]]:
    return sorted(step.tallies, key=lambda tally: -tally[1])


def _verdict(words: Words, step: Step, albums: Albums) -> str:
    t = words.t
    # Where a tie was settled, the line before says why.
    is_tie, winner = step.tie is not None, name_of(words, albums, step.winner, 40) if step.winner else ""
    eliminated = t.list([name_of(words, albums, id_, 40) for id_ in step.eliminated])
    match step.verdict:
        case Verdict.MAJORITY:
            return t("{album} has more than half of the votes and wins.", album=winner)
        case Verdict.LAST_LEFT:
            return t("{album} is the only album left and wins.", album=winner)
        case Verdict.MOST if is_tie:
            return t("{album} wins.", album=winner)
        case Verdict.MOST:
            return t("{album} has the most and wins.", album=winner)
        case Verdict.NO_VOTES:
            return t("Nobody voted for any of these, so the lot order decides: {album} wins.", album=winner)
        case Verdict.FEWEST if is_tie:
            return t("{album} is eliminated.", album=eliminated)
        case Verdict.FEWEST:
            return t("{album} has the fewest votes and is eliminated.", album=eliminated)
        case Verdict.WITHOUT_VOTES:
            return t("Eliminated without a vote: {albums}.", albums=eliminated)
        case Verdict.NEXT_RANK:
            return t("The next choices are added.")


def _tie(words: Words, tie: Tie | None, albums: Albums) -> str:
    if tie is None:
        return ""
    t = words.t
    equal = t.list([name_of(words, albums, id_, 40) for id_ in tie.albums])
    if tie.broken_by is TieBreak.PREVIOUS_COUNT and tie.step is not None:
        return t("Equal: {albums}. Count {number} decides.", albums=equal, number=t.number(tie.step + 1))
    return t("Equal: {albums}. The lot order, drawn before the vote, decides.", albums=equal)
