"""``python -m charitychain`` is the command line."""

from charitychain.cli import main

main()
