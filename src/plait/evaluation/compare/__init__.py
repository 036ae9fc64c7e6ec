"""Two runs side by side: tests of significance, wins and losses, a report to open, and thresholds."""
