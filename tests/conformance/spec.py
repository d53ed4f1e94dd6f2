"""An OpenAPI file, and what it has against a request: path, query, headers and body, each by its own schema."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from jsonschema import Draft202012Validator, FormatChecker
from jsonschema.exceptions import ValidationError
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT202012

JSON, FORM = "application/json", "application/x-www-form-urlencoded"
# Discord's own files say "boolean", and Discord takes 1 and 0, as discord.py sends them.
_BOOLEANS = {"true": True, "false": False, "1": True, "0": False}
_FORMATS = FormatChecker(formats=())
_FORMATS.checks("int32")(lambda value: not isinstance(value, int) or -(2**31) <= value < 2**31)
_FORMATS.checks("int64")(lambda value: not isinstance(value, int) or -(2**63) <= value < 2**63)
_FORMATS.checks("snowflake")(lambda value: not str(value).isdecimal() or int(value) < 2**64)
_FORMATS.checks("uri")(lambda value: not isinstance(value, str) or bool(urlsplit(value).scheme))


@dataclass(frozen=True)
class Sent:
    """A request that left the bot. `path`: below the API's address; `headers`: in any case; `status`: the answer's."""

    method: str
    path: str
    query: Sequence[tuple[str, str]]
    headers: Mapping[str, str]
    body: Any
    status: int | None

    def header(self, name: str) -> str:
        """A header, or an empty text."""
        return next((value for key, value in self.headers.items() if key.lower() == name), "")


@dataclass(frozen=True)
class Operation:
    """One operation of a file. `name`: like `GET /albums/{id}`; `pointer`: where it stands; `values`: of its path."""

    name: str
    pointer: str
    values: Mapping[str, str]


class Spec:
    """One OpenAPI file."""

    def __init__(self, document: Mapping[str, Any]) -> None:
        self._document = document
        resource = Resource.from_contents(document, default_specification=DRAFT202012)
        self._registry: Any = Registry().with_resource("urn:spec", resource)
        # an address without a variable comes before one with it: /users/@me, then /users/{user_id}
        self._routes = [
            (re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))), path)
            for path in sorted(document["paths"], key=lambda path: path.count("{"))
        ]

    def operation(self, sent: Sent) -> Operation | None:
        """The operation that a request is meant for; None: the file has none."""
        for pattern, path in self._routes:
            found = pattern.fullmatch(sent.path)
            if found and sent.method.lower() in self._document["paths"][path]:
                place = path.replace("~", "~0").replace("/", "~1")
                return Operation(f"{sent.method} {path}", f"/paths/{place}/{sent.method.lower()}", found.groupdict())
        return None

    def objections(self, operation: Operation, sent: Sent) -> Iterator[str]:
        """What the file has against a request."""
        pointer, about = self._look(operation.pointer)
        yield from self._against_parameters(operation, sent)
        yield from self._against_authorization(about.get("security", self._document.get("security", ())), sent)
        if "requestBody" in about:
            yield from self._against_body(*self._look(f"{pointer}/requestBody"), sent)
        elif sent.body is not None:
            yield "a body where none is taken"

    # -- parts of a request

    def _against_parameters(self, operation: Operation, sent: Sent) -> Iterator[str]:
        given: dict[tuple[str, str], list[str]] = {("path", name): [text] for name, text in operation.values.items()}
        for name, text in sent.query:
            given.setdefault(("query", name), []).append(text)
        for pointer, parameter in self._parameters(operation):
            where, name = parameter["in"], parameter["name"]
            if where == "header" and sent.header(name.lower()):
                given["header", name] = [sent.header(name.lower())]
            texts = given.pop((where, name), None)
            if texts is not None:
                value = self._value(texts, f"{pointer}/schema", explode=parameter.get("explode", where == "query"))
                yield from (f"{where} {name}: {why}" for why in self._against_value(value, f"{pointer}/schema"))
            elif parameter.get("required"):
                yield f"{where} {name} is missing"
        yield from (f"{where} {name} is not known" for where, name in given)

    def _against_authorization(self, security: Sequence[Mapping[str, Any]], sent: Sent) -> Iterator[str]:
        """One of the ways to say who calls; an empty one stands for none."""
        schemes = self._document.get("components", {}).get("securitySchemes", {})
        kinds = {"oauth2": "Bearer", "apiKey": "Bot"}  # Discord's only key in a header
        taken = {kinds[schemes[name]["type"]] for way in security for name in way}
        kind = sent.header("authorization").partition(" ")[0]
        if kind not in taken and (kind or (security and {} not in security)):
            yield f"header Authorization: {kind or 'none'} where {' or '.join(sorted(taken)) or 'none'} is taken"

    def _against_body(self, pointer: str, about: Mapping[str, Any], sent: Sent) -> Iterator[str]:
        if sent.body is None:
            if about.get("required"):
                yield "the body is missing"
            return
        kind = sent.header("content-type").partition(";")[0].strip().lower()
        if kind not in about["content"]:
            yield f"header Content-Type: {kind or 'none'} where {' or '.join(about['content'])} is taken"
            return
        schema = f"{pointer}/content/{kind.replace('/', '~1')}/schema"
        body = sent.body
        if kind == FORM and isinstance(body, dict):
            place, whole = self._look(schema)
            known = whole.get("properties", {})
            body = {
                name: self._value([text], f"{place}/properties/{name}") if name in known else text
                for name, text in body.items()
            }
        yield from (f"body {why}" for why in self._against_value(body, schema))

    # -- values

    def _value(self, texts: Sequence[str], pointer: str, *, explode: bool = True) -> Any:
        """What a text on the wire stands for, as the schema types it; the text itself where it is no such thing."""
        place, schema = self._look(pointer)
        if "array" in _types(schema):
            parts = texts if explode else [part for text in texts for part in text.split(",")]
            return [self._value([part], f"{place}/items") for part in parts] if "items" in schema else parts
        if len(texts) > 1:
            return list(texts)  # given twice: an array where none is taken
        [text] = texts
        types = _types(schema)
        if "boolean" in types:
            return _BOOLEANS.get(text.lower(), text)
        if "integer" in types:
            return int(text) if re.fullmatch(r"-?[0-9]{1,30}", text) else text
        if "number" in types:
            with suppress(ValueError):
                return float(text)
        return text

    def _against_value(self, value: Any, pointer: str) -> Iterator[str]:
        schema = {"$ref": f"urn:spec#{pointer}"}
        validator = Draft202012Validator(schema, registry=self._registry, format_checker=_FORMATS)
        for error in validator.iter_errors(value):
            cause = _cause(error)
            text = cause.message if len(cause.message) < 160 else f"{cause.message[:60]} … {cause.message[-90:]}"
            yield f"{'/'.join(map(str, cause.absolute_path))} {text}".strip()

    # -- finding things in the file

    def _parameters(self, operation: Operation) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """Those of the path and of the operation, which come later and count more."""
        found = {}
        for pointer in (operation.pointer.rpartition("/")[0], operation.pointer):
            for number in range(len(self._look(pointer)[1].get("parameters", ()))):
                place, parameter = self._look(f"{pointer}/parameters/{number}")
                found[parameter["in"], parameter["name"]] = (place, parameter)
        yield from found.values()

    def _look(self, pointer: str) -> tuple[str, Any]:
        """What stands at a place, and the place itself once all references are followed."""
        thing: Any = self._document
        for part in pointer.split("/")[1:]:
            key = part.replace("~1", "/").replace("~0", "~")
            thing = thing[int(key) if isinstance(thing, list) else key]
        return self._look(thing["$ref"].removeprefix("#")) if "$ref" in thing else (pointer, thing)


def _cause(error: ValidationError) -> ValidationError:
    """What is really wrong: of a union, the branch of the same `type` counts, and in it what lies deepest."""
    while error.context:
        branches: dict[Any, list[ValidationError]] = {}
        for one in error.context:
            branches.setdefault(one.relative_schema_path[0], []).append(one)

        def likeness(branch: list[ValidationError]) -> tuple[bool, bool, int]:
            is_other = any([*one.relative_path] in ([], ["type"]) for one in branch)
            return not is_other, branch[0].validator_value != "null", max(len(one.relative_path) for one in branch)

        error = max(max(branches.values(), key=likeness), key=lambda one: len(one.relative_path))
    return error


def _types(schema: Mapping[str, Any]) -> Sequence[str]:
    types = schema.get("type", ())
    return [types] if isinstance(types, str) else types
