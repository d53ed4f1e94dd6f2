"""The `gatefold` command; `python -m bot` is the same."""

import gc


def main() -> None:
    """Load the program, and run it."""
    # Modules stay loaded. While they load, the garbage collector finds nothing and takes a tenth of the start time;
    # later, traversing them again and again would be its longest pauses.
    gc.disable()
    from bot.cli import main as gatefold

    gc.freeze()
    gc.enable()
    gatefold(prog_name="gatefold")


if __name__ == "__main__":
    main()
