"""`gatefold setup`: asks for what is missing and writes `.env`."""

from bot.admin.setup.conversation import CannotAsk, Setup, SetupError
from bot.admin.setup.questions import Question

__all__ = ["CannotAsk", "Question", "Setup", "SetupError"]
