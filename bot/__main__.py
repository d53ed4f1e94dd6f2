"""`python -m bot` is `gatefold`."""

from bot.cli import main

main()
