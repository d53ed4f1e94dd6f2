"""`gatefold setup`: asks for what is missing, checks each answer at once, and writes `.env` in one step at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import attrs

from bot.admin.setup import questions
from bot.admin.setup.envfile import Draft, names, stated, with_values
from bot.admin.setup.keyfile import KeyFile
from bot.admin.setup.questions import Question, cleaned, question_for
from bot.settings import Settings, SettingsError, ignored, load, secret_names
from bot.settings.sources import Unreadable, did_you_mean, meant, read_text
from bot.storage.vault import new_key

KEY_FILE = Path("keys/gatefold.keys")
DATABASE = Path("data/gatefold.db")
_STARS = "********"
_ENOUGH_TO_TRY = {
    "discord_token": "no-token-yet",
    "discord_client_id": "10000000000000000",
    "discord_client_secret": "no-secret-yet",
    "public_url": "http://127.0.0.1:8080",
}
"""Stand in for required settings that have no answer yet, so that one answer can be tried before the next is asked."""


@dataclass(frozen=True, slots=True)
class Tried:
    """What a platform says about an answer. `problem`: it was refused; `suggestions`: answers to later questions."""

    problem: str = ""
    note: str = ""
    suggestions: Mapping[str, str] = field(default_factory=dict)


Ask = Callable[[Question], str]
"""Asks a person and returns the answer as it was typed."""
Say = Callable[[str], None]
Try = Callable[[str, Settings], Tried]
"""Tries a setting, named in capitals, where it is used. The other settings may be placeholders."""


class CannotAsk(Exception):
    """Something must be asked, and there is no terminal to ask at."""


class SetupError(Exception):
    """The settings cannot be set up; the text says why and what to do."""


class Setup:
    """One conversation. Nothing is written before everything is answered."""

    def __init__(
        self,
        env_file: Path,
        ask: Ask | None,
        say: Say,
        environment: Mapping[str, str] = os.environ,
        try_: Try = lambda name, settings: Tried(),
    ) -> None:
        """`ask`: None where nobody can answer. `environment`: overrides `.env`; nothing from it is written there."""
        self._file = env_file
        self._ask = ask
        self._say = say
        self._try = try_
        self._environment = {name.upper() for name, value in environment.items() if value}
        self._answers: dict[str, str] = {}
        self._key = KeyFile(env_file.parent / KEY_FILE)
        self._suggestions: dict[str, str] = {}
        self.is_written = False
        """Whether `.env` was changed."""

    def run(self) -> Settings:
        """Ask, write, and say what to register in a browser; the settings as they are now. SetupError, CannotAsk."""
        before = self._read()
        if not os.access(self._file.resolve().parent, os.W_OK):
            raise SetupError(f"{self._file.resolve().parent} cannot be written to. Run setup in a folder of your own.")
        for sentence in ignored(self._file):
            self._say(sentence)
        problems = self.problems()
        self._refuse_what_no_answer_solves(problems, before)
        if self._ask is not None:
            self._ask_for_missing(problems, before)
        elif problems.keys() - {questions.KEYS}:
            raise CannotAsk
        try:
            if questions.KEYS in self.problems():
                self._answer_keys(before)
            if self._ask is not None:
                self._review(before)
            settings = self._written(before)
        except BaseException:
            self._key.discard()
            raise
        for line in ("", *questions.to_register(settings)):
            self._say(line)
        if self._ask is not None and self._answers.keys() & questions.REGISTERED_WITH:
            self._say("")
            self._say(questions.REGISTERED.where)
            self._ask(questions.REGISTERED)
        return settings

    def _ask_for_missing(self, problems: Mapping[str, str], before: str) -> None:
        todo = [question for question in questions.IN_ORDER if self._is_open(question, problems, before)]
        todo += [question_for(name) for name in problems if name not in {q.name for q in todo} | {questions.KEYS}]
        if todo:
            self._say(
                f"The answers go to {self._file.resolve()} when all are given. Ctrl-C leaves everything as it is."
            )
        for number, question in enumerate(todo, 1):
            if question is questions.SPOTIFY_CLIENT_SECRET and self._answers.get("SPOTIFY_CLIENT_ID") == "":
                continue
            problem = problems.get(question.name, "")
            if problem and question.name in names(before):
                self._say("")
                self._say(problem)
            self._answer(question, later={later.name for later in todo[number:]})

    def problems(self) -> dict[str, str]:
        """What is wrong now, by the setting's name."""
        found = self._problems_with()
        if found.keys() == {questions.KEYS}:
            # Without a key, what does not fit together is not looked at.
            found |= self._problems_with(token_keys=new_key())
        return found

    def _problems_with(self, **more: Any) -> dict[str, str]:
        try:
            load(self._file, **(self._overrides() | more))
        except SettingsError as error:
            return {problem.partition(":")[0]: problem for problem in error.problems}
        return {}

    def _read(self) -> str:
        try:
            return read_text(self._file)
        except FileNotFoundError:
            return ""
        except Unreadable as error:
            raise SetupError(f"{self._file} {error}.") from None

    def _refuse_what_no_answer_solves(self, problems: Mapping[str, str], before: str) -> None:
        if wrong := [problem for name, problem in problems.items() if name in self._environment]:
            raise SetupError("Fix these environment variables first; they override .env:\n" + "\n".join(wrong))
        if {"TOKEN_KEYS", "TOKEN_KEYS_FILE"} <= names(before) | self._environment:
            raise SetupError("TOKEN_KEYS and TOKEN_KEYS_FILE are both set. Remove one of them.")
        if problem := problems.get("TOKEN_KEYS_FILE"):
            raise SetupError(problem)

    # -- asking

    def _is_open(self, question: Question, problems: Mapping[str, str], before: str) -> bool:
        if question.is_optional:
            # An empty answer is one, too, and is not asked for again.
            return question.name in problems or question.name not in stated(before) | self._environment
        return question.name in problems

    def _answer(self, question: Question, *, is_change: bool = False, later: Collection[str] = ()) -> None:
        """Ask until there is an answer that the bot can use and that the platform accepts.

        `later`: the settings that are asked for after this one.
        """
        self._say("")
        self._say(f"{question.name}: {question.where}")
        if is_change:
            self._say(f"Press Enter to keep the value{', or type - to remove it' if question.is_optional else ''}.")
        elif question.is_optional:
            self._say("Press Enter to leave it empty.")
        suggestion = "" if is_change else self._suggestions.get(question.name, "")
        old = self._answers.get(question.name)
        known = {*self.problems(), *later}
        while True:
            shown = replace(question, suggestion=suggestion, is_optional=question.is_optional or is_change)
            answer = cleaned(question.name, self._typed(shown)) or suggestion
            if not answer and is_change:
                return
            if not answer and not question.is_optional:
                self._say("This setting is required.")
                continue
            self._answers[question.name] = "" if is_change and question.is_optional and answer == "-" else answer
            problem = self._problem_of(question, known)
            if not problem:
                return
            self._say(f"{problem} {questions.mistaken_for(question.name, answer)}".rstrip())
            if old is None:
                del self._answers[question.name]
            else:
                self._answers[question.name] = old

    def _typed(self, question: Question) -> str:
        if self._ask is None:
            raise CannotAsk
        return self._ask(question)

    def _problem_of(self, question: Question, known: Collection[str]) -> str:
        """What is wrong with the answer, or with another setting because of it. `known`: what was wrong before."""
        answer = self._answers[question.name]
        problems = self.problems()
        for name in (question.name, *(problems.keys() - known)):
            if problem := problems.get(name):
                return problem
        if not answer:
            return ""
        if not answer.isprintable():
            return f"{question.name}: contains a character that cannot be typed."
        if problem := question.shape(answer):
            return f"{question.name}: {problem}."
        return self._refused_by_platform(question.name)

    def _refused_by_platform(self, name: str) -> str:
        placeholders = {"token_keys": None, "token_keys_file": None} | _ENOUGH_TO_TRY
        given = {n: v for n, v in placeholders.items() if n.upper() in self.problems() or v is None}
        try:
            # These keys are never used: they only let the other settings be read.
            settings = load(self._file, **(given | {"token_keys": new_key()} | self._overrides_but_keys()))
        except SettingsError as error:
            return next((problem for problem in error.problems if problem.startswith(f"{name}:")), "")
        tried = self._try(name, settings)
        if tried.note:
            self._say(tried.note)
        self._suggestions.update(tried.suggestions)
        return tried.problem

    def _overrides(self) -> dict[str, Any]:
        """The answers; an empty one means the default."""
        return {name.lower(): answer for name, answer in self._answers.items()}

    def _overrides_but_keys(self) -> dict[str, Any]:
        return {name: answer for name, answer in self._overrides().items() if not name.startswith("token_keys")}

    # -- keep or change

    def _review(self, before: str) -> None:
        """Show what is set, and let the person change any of it."""
        self._show(before)
        # Some type the whole line: its value is asked for all the same, since it is checked there.
        while name := self._typed(questions.REVIEW).partition("=")[0].strip().upper():
            if self._is_changed(name):
                self._show(before)

    def _show(self, before: str) -> None:
        settings = load(self._file, **self._overrides())
        shown = stated(before) | self._answers.keys() | self._environment
        shown = {name for name in shown if name.lower() in attrs.fields_dict(Settings)}
        self._say("")
        order = [question.name for question in questions.IN_ORDER]
        for name in sorted(shown, key=lambda name: (order.index(name) if name in order else len(order), name)):
            value = getattr(settings, name.lower())
            text = (
                "" if value in (None, "", ()) else _STARS if name.lower() in secret_names() else questions.shown(value)
            )
            origin = " (environment)" if name in self._environment else ""
            self._say(f"  {name:<22} {text or '(empty)'}{origin}")
        self._say("")
        self._say(questions.REVIEW.where)

    def _is_changed(self, name: str) -> bool:
        known = attrs.fields_dict(Settings).keys()
        if name.lower() not in known:
            way_on = did_you_mean(meant(name, known)) or " Press Enter to keep these settings."
            self._say(f"There is no such setting.{way_on}")
        elif name in self._environment:
            self._say(f"{name} comes from the environment, which overrides .env. Change it there.")
        elif name in ("TOKEN_KEYS", "TOKEN_KEYS_FILE"):
            self._say("A changed key needs more than a new value: docs/operations.md, section Keys, has the steps.")
        else:
            self._answer(question_for(name), is_change=True)
            return True
        return False

    # -- keys

    def _answer_keys(self, before: str) -> None:
        folder = self._file.parent
        if (folder / self._database()).exists():
            # With a new key it would look as if everybody had been unlinked.
            self._answer(questions.TOKEN_KEYS_FILE)
            return
        if "DATABASE_PATH" not in names(before) | self._environment:
            self._answers["DATABASE_PATH"] = str(DATABASE)
        self._make_key()
        self._answers["TOKEN_KEYS_FILE"] = str(KEY_FILE)
        if problem := self.problems().get("TOKEN_KEYS_FILE"):
            raise SetupError(problem)

    def _database(self) -> Path:
        try:
            # These keys are never used: they only let the other settings be read.
            return load(self._file, **(self._overrides() | {"token_keys": new_key()})).database_path
        except SettingsError as error:
            raise SetupError("\n".join(error.problems)) from None

    def _make_key(self) -> None:
        self._say("")
        try:
            is_new = self._key.make()
        except OSError as error:
            raise SetupError(f"{self._file.parent / KEY_FILE} cannot be written ({error.strerror}).") from None
        if is_new:
            self._say(f"Created a key: {KEY_FILE}. Keep a copy elsewhere, but not with the backups of the database.")
        else:
            self._say(f"Using the key in {KEY_FILE}.")

    # -- writing

    def _written(self, before: str) -> Settings:
        if not self._answers:
            if self._file.exists():
                os.chmod(self._file, 0o600)
            self._say("Nothing was changed.")
            return load(self._file)
        try:
            draft = Draft(self._file, with_values(before, self._answers, questions.COMMENTS))
        except OSError as error:
            raise SetupError(f"{self._file.resolve()} cannot be written ({error.strerror}).") from None
        try:
            # Read back as the bot will read it, before it replaces the old file.
            settings = load(draft.path)
            if vars(settings) != vars(load(self._file, **self._overrides())):
                raise SetupError(f"{self._file} could not be written so that it reads back as it was typed.")
            draft.keep()
            self.is_written = True
            self._key.keep()
        except SettingsError as error:
            raise SetupError("\n".join(error.problems)) from None
        finally:
            draft.discard()
        self._say("")
        self._say(f"Written: {self._file.resolve()}, readable by you alone.")
        return settings
