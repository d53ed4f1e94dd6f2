"""`gatefold setup`: asks for what is missing and writes `.env`."""

from bot.setup.conversation import CannotAsk, Setup, SetupError
from bot.setup.questions import Question

__all__ = ["CannotAsk", "Question", "Setup", "SetupError"]
