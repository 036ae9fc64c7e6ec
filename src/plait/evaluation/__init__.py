"""Measures, runs, and scoring a searcher on a collection."""
