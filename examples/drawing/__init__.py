"""Drawings of the Marla 2, an espresso machine that does not exist."""
