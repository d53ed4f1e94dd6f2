"""`gatefold doctor`: checks what usually goes wrong and says what to do. It changes nothing."""

from bot.admin.doctor.check_result import INDENTS, CheckResult, Verdict, as_json, as_lines, is_well, summary
from bot.admin.doctor.examination import CheckEnvironment, examine

__all__ = [
    "INDENTS",
    "CheckEnvironment",
    "CheckResult",
    "Verdict",
    "as_json",
    "as_lines",
    "examine",
    "is_well",
    "summary",
]
