"""`gatefold setup`: asks for the settings and writes `.env`."""

from bot.admin.setup.conversation import CannotAsk, Setup, SetupError, Tried
from bot.admin.setup.questions import Question, to_invite

__all__ = ["CannotAsk", "Question", "Setup", "SetupError", "Tried", "to_invite"]
