"""Benchmarks of reading files: a sample whose truth is known, its scores, and the speed of reading."""
