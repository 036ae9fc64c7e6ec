"""Benchmarks of evaluating: scoring runs, searching pools, and what approximate search costs in figures."""
