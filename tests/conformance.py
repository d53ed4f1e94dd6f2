"""`make conformance SPECS=<folder>`: every request of whole stories against the platforms' OpenAPI files.

The files (discord-openapi.json, spotify-openapi.yaml) are not ours and are not in the repository. Checked are
path, method, query and body of everything that left the bot; the stories are those of `tests/test_story.py`.
"""

from __future__ import annotations

import asyncio
import json
import re
import sys
import tempfile
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import yaml
from jsonschema import Draft202012Validator
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

from bot.sandbox.discord_wire import buttons
from bot.sandbox.faults import FAULTS
from tests.world import ADA, BEN, FIRST, SECOND, World, made

# Spotify's file asks for `ids` in the query and takes them in the body as well: the text beside it says that
# either does, and that 50 fit into the body.
_EXCUSED = {"Spotify: PUT /me/albums: query parameter ids is missing"}
# Not in the files: OAuth is described elsewhere by both platforms.
_OUTSIDE = {("POST", "/oauth2/token"), ("POST", "/api/token")}


class Spec:
    """One OpenAPI file."""

    def __init__(self, name: str, document: Mapping[str, Any]) -> None:
        self.name = name
        self.document = document
        resource = Resource.from_contents(document, default_specification=DRAFT202012)
        self._known = Registry().with_resource("urn:spec", resource)
        self._routes = [
            (re.compile(re.sub(r"\\\{[^/]+?\\\}", "[^/]+", re.escape(path)) + "$"), path)
            for path in sorted(document["paths"], key=lambda path: path.count("{"))
        ]

    def problems(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Iterator[str]:
        """What this request does that the file does not allow."""
        where = f"{self.name}: {method} {path}"
        template = next((template for pattern, template in self._routes if pattern.match(path)), None)
        item = self.document["paths"].get(template, {})
        operation = item.get(method.lower())
        if operation is None:
            yield f"{where}: no such operation"
            return
        parameters = [self._at(p) for p in [*item.get("parameters", ()), *operation.get("parameters", ())]]
        known = {p["name"]: p for p in parameters if p["in"] == "query"}
        for name in query.keys() - known.keys():
            yield f"{where}: unknown query parameter {name}"
        for name, parameter in known.items():
            if parameter.get("required") and name not in query:
                yield f"{where}: query parameter {name} is missing"
        content = self._at(operation.get("requestBody", {})).get("content", {})
        if body is None:
            if self._at(operation.get("requestBody", {})).get("required"):
                yield f"{where}: the body is missing"
            return
        if "application/json" not in content:
            yield f"{where}: a body where none is taken"
            return
        pointer = content["application/json"]["schema"]
        schema = {"$ref": f"urn:spec{pointer['$ref']}"} if "$ref" in pointer else _absolute(pointer)
        validator = Draft202012Validator(schema, registry=self._known)
        for error in validator.iter_errors(body):
            yield f"{where}: {'/'.join(map(str, error.absolute_path))}: {error.message[:200]}"

    def _at(self, thing: Mapping[str, Any]) -> Mapping[str, Any]:
        while "$ref" in thing:
            found: Any = self.document
            for part in thing["$ref"].removeprefix("#/").split("/"):
                found = found[part]
            thing = found
        return thing


def _absolute(schema: Any) -> Any:
    if isinstance(schema, dict):
        return {
            key: f"urn:spec{value}" if key == "$ref" and isinstance(value, str) else _absolute(value)
            for key, value in schema.items()
        }
    return [_absolute(part) for part in schema] if isinstance(schema, list) else schema


async def stories(world: World) -> None:
    """What members do, on both generations of the album endpoints, also on Spotify's bad days."""
    albums = [*world.spotify.catalogue.albums]
    catalogue = world.spotify.catalogue.albums.values()
    twin = next(a for a in catalogue if sum(b.title == a.title for b in catalogue) > 1)
    for generations in ({"albums", "library"}, {"library"}):
        world.spotify.generations = generations  # type: ignore[assignment]  # both are literals of its type
        for text in (FIRST, f"{FIRST} {SECOND}", " ".join(albums[:60]), twin.title, "nothing of the kind"):
            interaction = await world.save(text)
            message = await interaction.message(8)
            for button in buttons(message):
                if "custom_id" in button:
                    pressed = await world.discord.press(ADA, button["custom_id"], message)
                    await pressed.message(8)
            await (await world.unsave(text)).message(8)
        for name in ("save", "unsave"):
            await (await world.discord.autocomplete(ADA, name, "albums", "the")).answered()
    world.spotify.fault(path="/v1/me/library*", times=3, **FAULTS["unavailable"])
    await (await world.save(SECOND)).message(8)
    world.spotify.fault(path="/v1/me/library", delay_s=2.0)
    await (await world.save(albums[5])).message(8)
    await (await world.save(FIRST, BEN)).message(8)
    for name in ("help", "link", "account", "unlink"):
        await (await world.discord.slash(ADA, name, {})).message(8)
    world.discord.fault("POST", "/interactions/*", status=404, json={"code": 10062, "message": "Unknown"})
    await world.save(albums[7])
    await world.discord.direct_message(ADA, 8)
    await world.idle()


async def main(folder: Path) -> int:
    """Run the stories and print what the files object to; the number of objections."""
    discord = Spec("Discord", json.loads((folder / "discord-openapi.json").read_text()))
    spotify = Spec("Spotify", yaml.safe_load((folder / "spotify-openapi.yaml").read_text()))
    with tempfile.TemporaryDirectory() as temporary:
        async with made(Path(temporary)) as world, world.running():
            await world.link(ADA)
            await stories(world)
            problems, count = set(world.discord.problems), 0
            for request in world.discord.requests:
                if (request.method, request.path) in _OUTSIDE:
                    continue
                count += 1
                problems |= set(discord.problems(request.method, request.path, request.query, request.body))
            for call in world.spotify.calls:
                if not call.path.startswith("/v1/"):
                    continue
                count += 1
                path = call.path.removeprefix("/v1")
                problems |= set(spotify.problems(call.method, path, dict(call.query), call.body))
    problems -= _EXCUSED
    for problem in sorted(problems):
        print(f"✗ {problem}")
    print(f"{count} requests checked, {len(problems)} objections")
    return len(problems)


if __name__ == "__main__":
    sys.exit(min(asyncio.run(main(Path(sys.argv[1]))), 1))
