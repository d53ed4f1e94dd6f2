"""What members want in their libraries, and the one road to get it there.

`Library` is what commands, buttons and the start call; it keeps one runner a member. `ChangeExecutor` carries a batch of
changes out, `Reports` tells what came of them, `Notifier` sends that to members who wait for no answer.
"""

from bot.library.library import Library
from bot.library.report import NAMES, Report

__all__ = ["NAMES", "Library", "Report"]
