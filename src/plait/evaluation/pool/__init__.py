"""Exact search of large pools in bounded memory: every candidate scored, a block at a time."""
