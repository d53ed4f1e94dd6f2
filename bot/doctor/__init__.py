"""`gatefold doctor`: checks everything that goes wrong in practice and says what to do. It changes nothing."""

from bot.doctor.examination import Instruments, examine
from bot.doctor.finding import Finding, Verdict, as_json, as_lines, is_well, summary

__all__ = ["Finding", "Instruments", "Verdict", "as_json", "as_lines", "examine", "is_well", "summary"]
