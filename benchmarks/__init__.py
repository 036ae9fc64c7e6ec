"""Benchmarks: scripts outside the package; each prints the table it reproduces."""
