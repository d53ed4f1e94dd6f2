"""The outside of a real process, as tests/process has it."""

from tests.process.conftest import out

__all__ = ["out"]
