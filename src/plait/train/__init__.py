"""Losses, negatives and trainers."""
