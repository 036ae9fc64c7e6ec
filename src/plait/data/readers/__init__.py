"""One reader a format, each run in a killable child process."""

from plait.data.readers.dispatch import read_in_process

__all__ = ["read_in_process"]
