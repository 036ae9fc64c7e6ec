"""How fast plait starts, adds and ranks."""
