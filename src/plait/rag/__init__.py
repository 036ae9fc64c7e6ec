"""Answers with citations, from hits."""
