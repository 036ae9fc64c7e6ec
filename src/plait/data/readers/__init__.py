"""One reader a format, each run in a killable child process."""
