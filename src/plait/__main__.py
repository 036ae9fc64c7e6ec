"""`python -m plait` is `plait`."""

from plait.cli.main import run

run()
