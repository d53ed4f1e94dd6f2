"""SIGKILL at random moments of a burst: nothing that was accepted is lost, and nobody is told something false.

`GATEFOLD_KILLS` rounds (20 by default, 200 in `make soak`), in two lanes side by side, each lane with its own
platforms, database and process. `GATEFOLD_SEED` repeats the choices of a run, though not its moments.
"""

from __future__ import annotations

import asyncio
import os
import random
import re
import sqlite3
import time
from collections import Counter, defaultdict
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from bot.sandbox.catalogue import synthetic
from bot.sandbox.faults import FAULTS
from tests.discord_wire import WireInteraction, buttons, texts
from tests.process.harness import Outside, Running, outside
from tests.world import ADA

ROUNDS = int(os.environ.get("GATEFOLD_KILLS", "20"))
SEED = int(os.environ.get("GATEFOLD_SEED", "0")) or random.randrange(1, 10**6)
LANES = 2
MEMBERS = {ADA + number: f"member{number}" for number in range(4)}
CLOSED = ADA + 3
"""This member takes no direct messages: what happened is told with the next command."""
ALBUMS = synthetic(7, seed="kill")
TITLES = {album.title: album.id for album in ALBUMS}
IDS = list(TITLES.values())

WRITES = ("unavailable", "server_error_after_work", "cut", "cut_after_work", "rate_limited", "hang", "hang_after_work")
OTHERS = ("unavailable", "html", "cut", "rate_limited", "hang")

Said = tuple[frozenset[tuple[str, int]], frozenset[str]]
"""What a text claims: how many albums by outcome, and the ids of those that it names."""


class Shelf(dict[str, datetime]):
    """A library that remembers when what came and went."""

    def __init__(self) -> None:
        super().__init__()
        self.events: list[tuple[float, str, bool]] = []

    def __setitem__(self, album: str, at: datetime) -> None:
        super().__setitem__(album, at)
        self.events.append((time.monotonic(), album, True))

    def pop(self, album: str, *default: Any) -> Any:
        if album in self:
            self.events.append((time.monotonic(), album, False))
        return super().pop(album, *default)

    def was(self, album: str, there: bool, since: float) -> bool:
        """Whether the album was there (or not) at any moment since then."""
        state = False
        for at, id_, now in self.events:
            if id_ == album:
                if at > since and state == there:
                    return True
                state = now
        return state == there

    def count(self, album: str, came: bool) -> int:
        """How often it came, or went."""
        return sum(1 for _, id_, now in self.events if id_ == album and now == came)


# -- what messages say

_SINGLE = (
    (re.compile(r"^Saved (.+ )?to your library\.$|^Undone: saved to your library again\.$", re.M), "saved"),
    (re.compile(r"^Removed (.+ )?from your library\.$|^Undone: removed from your library again\.$", re.M), "removed"),
    (re.compile(r"(This album|\)|”) was already in your library\.$", re.M), "already"),
    (re.compile(r"(This album|\)|”) was not in your library\.$", re.M), "absent"),
    (re.compile(r"^A later command of yours changed ", re.M), "superseded"),
    (re.compile(r"^You have changed .+ since then", re.M), "changed since"),
)
_COUNTED = (
    (re.compile(r"[Ss]aved (\d+) albums?( again)?\."), "saved"),
    (re.compile(r"[Rr]emoved (\d+) albums?( again)?\."), "removed"),
    (re.compile(r"(?<!\S)(\d+) (?:was|were) already in your library\."), "already"),
    (re.compile(r"(?<!\S)(\d+) (?:was|were) not in your library\."), "absent"),
    (re.compile(r"(?<!\S)(\d+) (?:was|were) changed by a later command\."), "superseded"),
    (re.compile(r"(?<!\S)(\d+) (?:has|have) changed since then and"), "changed since"),
    (re.compile(r"(?<!\S)(\d+) (?:is|are) queued\."), "pending"),
)
_TITLE = re.compile(r"\*\*(.+?)\*\*|^### \[(.+?)\]\(", re.M)


def read(text: str) -> Said | None:
    """What a text claims, None when it claims nothing final."""
    counts = _counts(text)
    if not counts or counts["pending"]:
        return None
    return frozenset(counts.items()), frozenset(_albums(text))


def _counts(text: str) -> Counter[str]:
    counts = Counter({outcome: int(found[1]) for pattern, outcome in _COUNTED if (found := pattern.search(text))})
    return counts or Counter(outcome for pattern, outcome in _SINGLE if pattern.search(text))


def _albums(text: str) -> list[str]:
    titles = [strong or above for strong, above in _TITLE.findall(text)]
    return [TITLES[title] for title in titles if title in TITLES]


def claims(text: str) -> dict[str, bool]:
    """Which albums a text says are there now, or are not."""
    found = {}
    # a title stands above its sentence; in a list where all are alike, the summary says what came of them
    above, all_alike = "", next(iter(counts)) if len(counts := _counts(text)) == 1 else ""
    for line in text.splitlines():
        if line.startswith("### "):
            above = next(iter(_albums(line)), "")
            continue
        album = next(iter(_albums(line)), above)
        outcome = next(iter(_counts(line)), "")
        if listed := re.search(r": (saved|removed|already in your library|not in your library)$", line):
            outcome = listed[1].split()[0]
        elif line.startswith("- ") and not outcome:
            outcome = all_alike
        if album and outcome in ("saved", "already", "removed", "absent", "not"):
            found[album] = outcome in ("saved", "already")
    return found


def parts(message: dict[str, Any]) -> tuple[str, list[str]]:
    """A message's own text, and the lines that tell of earlier commands."""
    own, earlier = [], list[str]()
    for text in texts(message):
        if text.startswith("**Finished since your last command**"):
            earlier += text.splitlines()[1:]
        else:
            own.append(text)
    return "\n".join(own), earlier


# -- a lane


@dataclass
class Lane:
    """One database through many rounds."""

    out: Outside
    random: random.Random
    interactions: dict[int, WireInteraction] = field(default_factory=dict)
    members: dict[int, int] = field(default_factory=dict)
    read_messages: Counter[int] = field(default_factory=Counter)
    kills: int = 0
    accepted: int = 0
    on_disk: int = 0

    def shelf(self, member: int) -> Shelf:
        """A member's library."""
        shelf = self.out.spotify.accounts[MEMBERS[member]].saved
        assert isinstance(shelf, Shelf)
        return shelf

    async def round(self, process: Running) -> Running:
        """A burst, a kill, a restart, and a look at everything. The process of the next round."""
        self.interactions, self.members = {}, {}
        # long enough, now and then, for answers that are deferred, and for a second try of what was kept
        is_long = self.random.random() < 0.25
        self._faults(is_long)
        burst = asyncio.create_task(self._burst(0.1 if is_long else 0.02))
        await asyncio.sleep(self.random.uniform(0.9, 3.5) if is_long else self.random.uniform(0.02, 0.9))
        await self._kill(process)
        burst.cancel()
        await asyncio.gather(burst, return_exceptions=True)
        accepted = [id_ for id_, given in self.interactions.items() if given.callback is not None]
        self.out.spotify.clear_faults()
        self.out.spotify.delay_s = 0.0
        process = await self.out.start(ready=False)
        if self.random.random() < 0.25:  # and once more, while it takes up what it finds
            await asyncio.sleep(self.random.uniform(0.5, 2.0))
            await self._kill(process)
            process = await self.out.start(ready=False)
        await process.until_health(200)
        await self._settled()
        await self._ask_once_more()
        self._judge(accepted)
        return process

    async def _kill(self, process: Running) -> None:
        await process.kill()
        self.kills += 1
        async with asyncio.timeout(60):
            while self.out.spotify.in_flight:  # what a dead process sent may still be carried out: soon, not ever
                await asyncio.sleep(0.005)

    def _faults(self, is_long: bool) -> None:
        spotify, pick = self.out.spotify, self.random
        spotify.delay_s = pick.choice((0.0, 0.2, 0.7) if is_long else (0.0, 0.0, 0.01, 0.05, 0.15))
        if pick.random() < 0.4:
            for _ in range(pick.randint(1, 3)):
                name, times = pick.choice(WRITES), pick.randint(1, 12 if is_long else 4)
                spotify.fault(path="/v1/me/albums", method=pick.choice("PD") + "*", times=times, **FAULTS[name])
        if pick.random() < 0.2:
            spotify.fault(path="/v1/me/albums/contains", times=pick.randint(1, 3), **FAULTS[pick.choice(OTHERS)])
        if pick.random() < 0.2:
            spotify.fault(path="/v1/albums/*", times=pick.randint(1, 3), **FAULTS[pick.choice(OTHERS)])
        if pick.random() < 0.2:
            spotify.expire_access_tokens()

    async def _burst(self, pause_s: float) -> None:
        while True:
            member = self.random.choice(list(MEMBERS))
            undoable = [
                (given, button["custom_id"])
                for id_, given in self.interactions.items()
                if self.members[id_] == member and given.history
                for button in buttons(given.history[-1])
                if button.get("label") == "Undo"
            ]
            if undoable and self.random.random() < 0.15:
                given, custom_id = self.random.choice(undoable)
                made = await self.out.discord.press(member, custom_id, given.history[-1])
            else:
                ask = self.out.save if self.random.random() < 0.55 else self.out.unsave
                made = await ask(" ".join(self.random.sample(IDS, self.random.choice((1, 1, 1, 2, 4)))), member)
            self.interactions[made.id], self.members[made.id] = made, member
            await asyncio.sleep(self.random.expovariate(1 / pause_s))

    async def _settled(self) -> None:
        """Until nothing waits, and everybody was told or could not be."""
        unsettled = (
            "SELECT (SELECT count(*) FROM library_changes WHERE outcome IS NULL)"
            " + (SELECT count(*) FROM change_requests WHERE ended_at IS NULL OR told IS NULL)"
        )
        until = time.monotonic() + 20
        while self.out.rows(unsettled)[0][0]:
            if time.monotonic() > until:
                rows = self.out.rows(
                    "SELECT * FROM library_changes JOIN change_requests ON id = request_id WHERE told IS NULL"
                )
                keys = ("id", "member_id", "action", "album_id", "was_saved", "outcome", "answer", "ended_at")
                raise AssertionError(f"not done, or not told: {[[row[key] for key in keys] for row in rows]}")
            await asyncio.sleep(0.02)

    async def _ask_once_more(self) -> None:
        """The member who takes no direct messages uses commands until everything was told."""
        for _ in range(20):
            made = await self.out.unsave(IDS[0], CLOSED)
            self.interactions[made.id], self.members[made.id] = made, CLOSED
            await made.message(10)
            await self._settled()
            if not self.out.rows("SELECT 1 FROM change_requests WHERE told = 'refused'"):
                break

    # -- the judge

    def _judge(self, accepted: list[int]) -> None:
        requests = self._requests()
        lost = [
            (given.what, [texts(message) for message in given.history])
            for id_ in accepted
            if id_ not in requests and not _is_refusal(given := self.interactions[id_])
        ]
        assert not lost, f"accepted, and not on disk: {lost}"
        self.accepted += len(accepted)
        self.on_disk += len(requests)
        self._judge_libraries()
        for id_, changes in requests.items():
            self._judge_outcomes(id_, changes)
        self._judge_messages(requests)

    def _requests(self) -> dict[int, list[sqlite3.Row]]:
        """The round's requests on disk, with their changes."""
        rows = self.out.rows(
            "SELECT r.id, r.member_id, r.action, r.told, w.album_id, w.outcome FROM change_requests AS r"
            " LEFT JOIN library_changes AS w ON w.request_id = r.id WHERE r.id >= ? ORDER BY r.id, w.position",
            min(self.interactions),
        )
        found: dict[int, list[sqlite3.Row]] = defaultdict(list)
        for row in rows:
            found[row["id"]].append(row)
        return found

    def _judge_libraries(self) -> None:
        """The last change for an album decided; an Undo that left it alone is none."""
        rows = self.out.rows(
            "SELECT w.member_id, w.album_id, r.action, max(r.id) AS id FROM library_changes AS w"
            " JOIN change_requests AS r ON r.id = w.request_id WHERE w.outcome <> 'changed since' GROUP BY 1, 2"
        )
        for row in rows:
            is_there = row["album_id"] in self.shelf(row["member_id"])
            assert is_there == (row["action"] == "save"), f"{dict(row)}: there: {is_there}"
        for outcome, came in (("saved", True), ("removed", False)):
            counted = self.out.rows(
                "SELECT member_id, album_id, count(*) AS n FROM library_changes WHERE outcome = ? GROUP BY 1, 2",
                outcome,
            )
            for row in counted:
                happened = self.shelf(row["member_id"]).count(row["album_id"], came)
                assert row["n"] <= happened, f"{dict(row)} {outcome}, which happened {happened} times"

    def _judge_outcomes(self, id_: int, changes: list[sqlite3.Row]) -> None:
        """Each outcome is something that was so between the command and now."""
        since = self.interactions[id_].sent_at
        for change in changes:
            shelf, album, outcome = self.shelf(change["member_id"]), change["album_id"], change["outcome"]
            if outcome in ("saved", "already"):
                assert shelf.was(album, True, since), (id_, outcome)
            elif outcome in ("removed", "absent"):
                assert shelf.was(album, False, since), (id_, outcome)
            elif outcome in ("superseded", "changed since"):
                later = self.out.rows(
                    "SELECT count(*) FROM library_changes AS w WHERE w.member_id = ? AND w.album_id = ? AND w.request_id > ?",
                    change["member_id"],
                    album,
                    id_ if outcome == "superseded" else 0,
                )
                assert later[0][0], (id_, outcome)
            else:
                raise AssertionError(f"{self.interactions[id_].what} ended as {outcome}")

    def _judge_messages(self, requests: dict[int, list[sqlite3.Row]]) -> None:
        """Everybody was told of everything, and everything that they were told is so."""
        told: Counter[int] = Counter()
        earlier: list[tuple[int, str]] = []
        for id_, interaction in self.interactions.items():
            messages = [*interaction.history[-1:], *interaction.followups]
            for message in messages:
                own, lines = parts(message)
                earlier += [(self.members[id_], line) for line in lines]
                said = read(own)
                if said is not None and id_ in requests:
                    assert _fits(said, requests[id_]), f"{interaction.what}: {own!r} but {_facts(requests[id_])}"
                    told[id_] += 1
                elif said is not None:
                    raise AssertionError(f"{interaction.what} is not on disk, and was told {own!r}")
        for member in MEMBERS:
            direct = self.out.discord.direct_messages.get(member, [])
            last: dict[str, bool] = {}
            for message in direct[self.read_messages[member] :]:
                text = "\n".join(texts(message))
                self._judge_told_later(requests, member, text, told, message)
                last |= claims(text)
            wrong = [album for album, there in last.items() if there != (album in self.shelf(member))]
            assert not wrong, f"the last word on {wrong} is not so: {[texts(message) for message in direct]}"
            self.read_messages[member] = len(direct)
        for member, line in earlier:
            self._judge_told_later(requests, member, line, told)
        untold = [(id_, self.interactions[id_].what, _facts(requests[id_])) for id_ in requests if not told[id_]]
        assert not untold, f"never told of: {untold}"

    def _judge_told_later(
        self,
        requests: dict[int, list[sqlite3.Row]],
        member: int,
        text: str,
        told: Counter[int],
        message: dict[str, Any] | None = None,
    ) -> None:
        """A direct message, or a line of a later answer, tells of some command of that member."""
        said = read(text)
        assert said is not None, f"a member was told {text!r}"
        ids = [int(b["custom_id"][5:]) for b in buttons(message or {"components": []}) if b.get("label") == "Undo"]
        fitting = [
            id_
            for id_, changes in requests.items()
            if (not ids or id_ in ids) and self.members[id_] == member and _fits(said, changes)
        ]
        assert fitting, f"a member was told {text!r}, which fits no command"
        # those that read the same are told apart by counting
        told[min(fitting, key=lambda id_: told[id_])] += 1


def _is_refusal(undo: WireInteraction) -> bool:
    """An Undo that was pressed before: answered, and not accepted."""
    return bool(undo.history) and texts(undo.history[-1])[0] in ("Already undone.", "This is already being undone.")


def _facts(changes: list[sqlite3.Row]) -> Counter[str]:
    return Counter(change["outcome"] for change in changes)


def _fits(said: Said, changes: list[sqlite3.Row]) -> bool:
    counts, named = said
    return dict(counts) == _facts(changes) and named <= {change["album_id"] for change in changes}


def _shares() -> Iterator[int]:
    for lane in range(LANES):
        yield (ROUNDS + lane) // LANES


async def _lane(folder: Path, number: int, rounds: int) -> Lane:
    async with outside(folder) as out:
        out.spotify.catalogue.add(ALBUMS)
        for member, account in MEMBERS.items():
            await out.link(member, account)
            out.spotify.accounts[account].saved = Shelf()
        out.discord.refuses_direct_messages.add(CLOSED)
        lane = Lane(out, random.Random(SEED * LANES + number))
        process = await out.start()
        for done in range(rounds):
            try:
                process = await lane.round(process)
            except BaseException as error:
                log = out.started[-1].stderr  # of the newest process, which a round may have started
                error.add_note(f"lane {number}, round {done}, GATEFOLD_SEED={SEED}; the log:\n{log}")
                raise
            # after a kill, an edit shows whether the answer before it arrived: 10015, it did not
            assert [problem for problem in out.discord.problems if not problem.startswith("10015")] == []
            assert out.discord.unknown == []
        await process.terminate()
        (check,) = out.rows("PRAGMA integrity_check")
        assert check[0] == "ok"
        for each in out.started:
            assert "Traceback" not in each.stderr
            assert [secret for secret in out.secrets() if secret in each.stderr] == []
        return lane


@pytest.mark.skipif(ROUNDS < 1, reason="GATEFOLD_KILLS is 0")
async def test_nothing_accepted_is_lost_and_nobody_is_told_something_false_whenever_it_is_killed(
    tmp_path: Path,
) -> None:
    begun = time.monotonic()
    async with asyncio.timeout(60 + 20 * ROUNDS):
        lanes = await asyncio.gather(
            *(_lane(tmp_path / str(number), number, rounds) for number, rounds in enumerate(_shares()))
        )
    seconds = time.monotonic() - begun
    print(
        f"GATEFOLD_SEED={SEED}: {ROUNDS} rounds, {sum(lane.kills for lane in lanes)} kills in {seconds:.0f} s; "
        f"{sum(lane.accepted for lane in lanes)} accepted commands, {sum(lane.on_disk for lane in lanes)} on disk"
    )
    assert sum(lane.kills for lane in lanes) >= ROUNDS
    assert sum(lane.accepted for lane in lanes) > ROUNDS
