"""What members want in their libraries, and the one way to get it there.

`Library` is what commands, buttons and the start call; it keeps one runner per member. `ChangeExecutor` carries changes
out and stores what came of them, chunk by chunk; `Reports` tells what that was, with names.
"""

from bot.library.library import Library
from bot.library.report import NAMES, Report
from bot.library.runner import Progress

__all__ = ["NAMES", "Library", "Progress", "Report"]
