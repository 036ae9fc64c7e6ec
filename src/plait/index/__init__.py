"""Durable storage and exact scores, one signal at a time; NumPy, and torch only for products of bytes."""
