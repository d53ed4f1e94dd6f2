"""The `gatefold` command; `python -m bot` is the same."""

import gc
import mimetypes
import sys


def main() -> None:
    """Load the program, and run it."""
    # While modules load, the garbage collector finds nothing and takes a tenth of the start time. The program switches
    # it on again.
    gc.disable()
    # aiohttp's server would read the system's list of file types, which it and we can do without.
    mimetypes.knownfiles.clear()
    if sys.argv[1:] == ["run"]:
        # Without the library of the command line, which the bot would keep in memory for nothing.
        from bot.admin.running import run_or_say_why_not

        run_or_say_why_not()
        return
    from bot.cli import main as gatefold

    gatefold(prog_name="gatefold")


if __name__ == "__main__":
    main()
