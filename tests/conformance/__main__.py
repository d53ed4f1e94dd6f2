"""`make conformance SPECS=<folder>`: every request of whole stories against the platforms' OpenAPI files.

The files (discord-openapi.json, spotify-openapi.yaml) are not ours and are not in the repository. Nothing is left
out in silence: what no file describes, what was excused and what was refused on purpose is printed with its count.
"""

from __future__ import annotations

import asyncio
import json
import logging
import sys
import tempfile
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import structlog
import yaml

from tests.conformance import stories
from tests.conformance.spec import Sent, Spec
from tests.world import World, made

CALLBACK = "/interactions/{interaction_id}/{interaction_token}/callback"
COMMANDS = "/applications/{application_id}/commands"
GUILD_COMMANDS = "/applications/{application_id}/guilds/{guild_id}/commands"
WEBHOOK = "/webhooks/{webhook_id}/{webhook_token}"
MESSAGES = "/channels/{channel_id}/messages"


@dataclass
class Platform:
    """What is expected of one platform's requests. Operations are named as the file has them."""

    name: str
    file: str
    # all that the bot can send: each must have been sent, or the stories have lost something
    sends: set[str]
    # not in the file: method and beginning of the path, and who describes it
    undescribed: Mapping[str, str]
    # refusals that the stories bring about, by operation and status
    refused: Mapping[str, str]
    # objections that are none, and why
    excused: Mapping[str, str]
    counts: dict[str, Counter[str]] = field(default_factory=dict)
    objections: Counter[str] = field(default_factory=Counter)

    def judge(self, spec: Spec, all_sent: Iterable[Sent], *, is_whole: bool) -> None:
        """Hold every request against the file. `is_whole`: all stories were played, so that nothing may be missing."""
        operations = self.counts["validated"] = Counter[str]()
        undescribed = self.counts["not in the file, judged by the stand-in alone"] = Counter[str]()
        refused = self.counts["refused, as the stories mean it"] = Counter[str]()
        excused = self.counts["excused"] = Counter[str]()
        for sent in all_sent:
            plain = f"{sent.method} {sent.path}"
            operation = spec.operation(sent)
            if operation is not None:
                name = operation.name
                operations[name] += 1
                for objection in {f"{name}: {why}" for why in spec.objections(operation, sent)}:
                    (excused if objection in self.excused else self.objections)[objection] += 1
            elif beginning := next((known for known in self.undescribed if plain.startswith(known)), None):
                name = beginning
                undescribed[name] += 1
            else:
                name = plain
                self.objections[f"{plain}: no such operation"] += 1
            answer = f"{name} {sent.status}"
            if answer in self.refused:
                refused[answer] += 1
            elif sent.status is None or not 200 <= sent.status < 400:
                self.objections[f"{name}: answered {sent.status or 'not at all'}, which no story means"] += 1
        for surprise in operations.keys() - self.sends:
            self.objections[f"{surprise}: new, name it among what the bot sends"] += 1
        if not is_whole:
            return
        for missing in (self.sends - operations.keys()) | (self.undescribed.keys() - undescribed.keys()):
            self.objections[f"{missing}: no story sends it any more"] += 1
        for missing in (self.refused.keys() - refused.keys()) | (self.excused.keys() - excused.keys()):
            self.objections[f"{missing}: expected, and did not happen"] += 1

    def report(self) -> Iterator[str]:
        """What was sent, and what is wrong with it."""
        validated, undescribed, *_ = self.counts.values()
        yield (
            f"{self.name}: {validated.total() + undescribed.total()} requests; {validated.total()} validated against "
            f"{len(validated)} operations of {self.file}; {undescribed.total()} not described there"
        )
        why = {**self.undescribed, **self.refused, **self.excused}
        for title, counts in self.counts.items():
            yield from [f"  {title}:"] if counts else []
            for name, count in sorted(counts.items()):
                yield f"    {count:4} × {name}" + (f" ({why[name]})" if name in why else "")
        yield from (f"  ✗ {count} × {objection}" for objection, count in sorted(self.objections.items()))
        yield f"  {self.objections.total()} objections"


DISCORD = Platform(
    "Discord",
    "discord-openapi.json",
    sends={
        "GET /users/@me",
        "GET /oauth2/applications/@me",
        f"PUT {COMMANDS}",
        f"PUT {GUILD_COMMANDS}",
        f"POST {CALLBACK}",
        f"PATCH {WEBHOOK}/messages/@original",
        f"POST {WEBHOOK}",
        "POST /users/@me/channels",
        f"POST {MESSAGES}",
    },
    undescribed={"POST /oauth2/token": "OAuth: RFC 6749"},
    refused={
        f"POST {CALLBACK} 404": "answers that are lost",
        f"POST {MESSAGES} 403": "a member whose direct messages are closed",
        "POST /oauth2/token 400": "the doctor's code, which cannot be right",
    },
    excused={},
)
SPOTIFY = Platform(
    "Spotify",
    "spotify-openapi.yaml",
    sends={
        "GET /me",
        "GET /me/albums",
        "PUT /me/albums",
        "DELETE /me/albums",
        "GET /me/albums/contains",
        "PUT /me/library",
        "DELETE /me/library",
        "GET /me/library/contains",
        "GET /albums/{id}",
        "GET /tracks/{id}",
        "GET /search",
    },
    undescribed={
        "POST accounts:/api/token": "OAuth: RFC 6749",
        "GET accounts:/authorize": "the doctor's",
        "GET links:/": "short links: a web page",
    },
    refused={
        "GET /albums/{id} 404": "ids of no album",
        "GET /me/albums/contains 403": "the generation that this app may not call",
        "GET /me/library/contains 401": "a token that ended",
        "GET /me/library/contains 503": "an outage",
        "POST accounts:/api/token 400": "an app whose secret was changed",
    },
    excused={
        "PUT /me/albums: query ids is missing": "the text beside it takes them in the body as well",
    },
)


def of_discord(world: World) -> Iterator[Sent]:
    """All that Discord got."""
    for request in world.discord.requests:
        query = list(request.query.items())
        yield Sent(request.method, request.path, query, request.headers, request.body, request.status or None)


def of_spotify(world: World) -> Iterator[Sent]:
    """All that Spotify got from the bot; the form of its consent page comes from the browser."""
    for call in world.spotify.calls:
        if (call.method, call.path) == ("POST", "/authorize"):
            continue
        if call.path.startswith("/v1/"):
            path = call.path.removeprefix("/v1")
        else:
            path = f"{'accounts' if call.path in ('/authorize', '/api/token') else 'links'}:{call.path}"
        yield Sent(call.method, path, call.query, call.headers, call.body, call.status)


async def main(folder: Path) -> int:
    """Play the stories and print what the files object to; the number of objections."""
    discord = Spec(json.loads((folder / DISCORD.file).read_text()))
    spotify = Spec(yaml.safe_load((folder / SPOTIFY.file).read_text()))
    broken = ""
    with tempfile.TemporaryDirectory() as temporary:
        async with made(Path(temporary)) as world:
            try:
                await stories.all_of_them(world)
            except Exception as error:
                broken = repr(error)
            DISCORD.objections.update(f"the stand-in: {problem}" for problem in world.discord.problems)
            DISCORD.judge(discord, of_discord(world), is_whole=not broken)
            SPOTIFY.judge(spotify, of_spotify(world), is_whole=not broken)
            sessions = len(world.discord.identifies)
    for platform in (DISCORD, SPOTIFY):
        print("\n".join(platform.report()))
    print(
        f"Never validated: Discord's gateway, which the file does not describe ({sessions} sessions); Spotify's limits"
        "\nand scopes, which its file tells in words (the stand-in holds them); fields of a body that no schema names."
    )
    if broken:
        print(f"✗ The stories broke off, so that what follows was not seen: {broken}")
    return DISCORD.objections.total() + SPOTIFY.objections.total() + bool(broken)


if __name__ == "__main__":
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.CRITICAL))
    sys.exit(min(asyncio.run(main(Path(sys.argv[1]))), 1))
