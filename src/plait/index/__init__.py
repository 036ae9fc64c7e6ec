"""Durable storage and exact scores, one signal at a time; NumPy, never torch."""
