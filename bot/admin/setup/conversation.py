"""`gatefold setup`: asks for what is missing, judges each answer at once, and writes `.env` in one step at the end."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from bot.admin.setup import questions
from bot.admin.setup.envfile import Draft, names, stated, with_values
from bot.admin.setup.questions import Question
from bot.settings import Settings, SettingsError, load
from bot.storage.vault import new_key

KEY_FILE = Path("keys/gatefold.keys")
DATABASE = Path("data/gatefold.db")

Ask = Callable[[Question], str]
"""Asks a person and gives the answer as it was typed. CannotAsk when there is nobody."""
Say = Callable[[str], None]


class CannotAsk(Exception):
    """Nobody sits there to answer."""


class SetupError(Exception):
    """The settings cannot be set up; the text says why and what to do."""


class Setup:
    """One conversation. Nothing is written before all of it is answered."""

    def __init__(self, env_file: Path, ask: Ask, say: Say, environment: Mapping[str, str] = os.environ) -> None:
        """`environment`: what stands there counts more than `.env`, and is never written into it."""
        self._file = env_file
        self._ask = ask
        self._say = say
        self._environment = {name.upper() for name, value in environment.items() if value}
        self._answers: dict[str, str] = {}

    def run(self) -> Settings:
        """Ask, write, and say what is left to do in a browser; the settings as they are now. SetupError, CannotAsk."""
        try:
            before = self._file.read_text(encoding="utf-8") if self._file.exists() else ""
        except (OSError, UnicodeDecodeError) as error:
            reason = error.strerror if isinstance(error, OSError) else "it is no text"
            raise SetupError(f"{self._file} cannot be read ({reason}). Run this as its owner.") from None
        missing = self.problems()
        self._refuse_what_no_answer_mends(missing, before)
        for question in (*questions.IN_ORDER, *(questions.unforeseen(name) for name in missing)):
            if question.name in self.problems() and question.name != questions.KEYS:
                self._answer(question)
            if question is questions.SPOTIFY_CLIENT_ID:
                self._answer_once(question, before)
                if self._answers.get(question.name) != "":
                    self._answer_once(questions.SPOTIFY_CLIENT_SECRET, before)
        if questions.KEYS in self.problems():
            self._answer_keys(before)
        settings = self._written(before)
        for line in questions.to_register(settings):
            self._say(line)
        return settings

    def problems(self) -> dict[str, str]:
        """What is wrong now, by the setting's name."""
        try:
            load(self._file, **self._overrides())
        except SettingsError as error:
            return {problem.partition(":")[0]: problem for problem in error.problems}
        return {}

    # -- asking

    def _answer_once(self, question: Question, before: str) -> None:
        if question.name not in stated(before) | self._environment | self._answers.keys():
            self._answer(question)

    def _answer(self, question: Question) -> None:
        """Ask until the answer can be used; it is judged by what `gatefold run` goes by."""
        self._say("")
        self._say(f"{question.name}: {question.where}")
        while True:
            answer = self._ask(question).strip()
            if not answer and not question.is_optional:
                continue
            self._answers[question.name] = answer
            problem = self.problems().get(question.name)
            if problem is None and not answer.isprintable():
                problem = f"{question.name}: holds a character that cannot be typed."
            if problem is None:
                return
            self._say(problem)

    def _overrides(self) -> dict[str, Any]:
        """The answers; an empty one means the default."""
        return {name.lower(): answer for name, answer in self._answers.items()}

    def _refuse_what_no_answer_mends(self, problems: Mapping[str, str], before: str) -> None:
        if wrong := [problem for name, problem in problems.items() if name in self._environment]:
            raise SetupError("Mend this in the environment first, since it counts more than .env:\n" + "\n".join(wrong))
        if {"TOKEN_KEYS", "TOKEN_KEYS_FILE"} <= names(before) | self._environment:
            raise SetupError("TOKEN_KEYS and TOKEN_KEYS_FILE are both set: take one of them away.")
        if problem := problems.get("TOKEN_KEYS_FILE"):
            raise SetupError(problem)

    # -- keys

    def _answer_keys(self, before: str) -> None:
        folder = self._file.parent
        if (folder / self._database()).exists():
            # With a new key it would look as if everybody had been unlinked.
            self._answer(questions.TOKEN_KEYS_FILE)
            return
        if "DATABASE_PATH" not in names(before) | self._environment:
            self._answers["DATABASE_PATH"] = str(DATABASE)
        self._make_key(folder / KEY_FILE)
        self._answers["TOKEN_KEYS_FILE"] = str(KEY_FILE)
        if problem := self.problems().get("TOKEN_KEYS_FILE"):
            raise SetupError(problem)

    def _database(self) -> Path:
        try:
            # these keys are never used: they only let the other settings be read
            return load(self._file, **(self._overrides() | {"token_keys": new_key()})).database_path
        except SettingsError as error:
            raise SetupError("\n".join(error.problems)) from None

    def _make_key(self, file: Path) -> None:
        """A new key in a folder of its own; one that lies there already is taken, never overwritten."""
        try:
            file.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            handle = os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
        except FileExistsError:
            self._say(f"The key that lies at {KEY_FILE} already is used.")
            return
        except OSError as error:
            raise SetupError(f"{file} cannot be written ({error.strerror}).") from None
        with open(handle, "w", encoding="ascii") as target:
            target.write(f"{new_key()}\n")
        self._say("")
        self._say(f"A key was made: {KEY_FILE}. Keep a copy of it somewhere else, not with the database's copies.")

    # -- writing

    def _written(self, before: str) -> Settings:
        if not self._answers:
            if self._file.exists():
                os.chmod(self._file, 0o600)
            self._say("Nothing is missing.")
            return load(self._file)
        # an empty answer is written, too: it is one, and not asked for again
        draft = Draft(self._file, with_values(before, self._answers, questions.COMMENTS))
        try:
            # read back as the bot will read it: quoting is no matter of taste
            settings = load(draft.path)
            if settings != load(self._file, **self._overrides()):
                raise SetupError(f"{self._file} could not be written so that it reads back as it was typed.")
            draft.keep()
        except SettingsError as error:
            raise SetupError("\n".join(error.problems)) from None
        finally:
            draft.discard()
        self._say("")
        self._say(f"Written: {self._file}, for you alone.")
        return settings
