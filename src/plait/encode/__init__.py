"""Units and queries to vectors."""
