"""The `gatefold` command; `python -m bot` is the same."""

import gc


def main() -> None:
    """Load the program, and run it."""
    # While modules load, the garbage collector finds nothing and takes a tenth of the start time. The program switches
    # it on again.
    gc.disable()
    from bot.cli import main as gatefold

    gatefold(prog_name="gatefold")


if __name__ == "__main__":
    main()
