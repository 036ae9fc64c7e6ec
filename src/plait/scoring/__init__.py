"""The shared maths of ranking, written once for NumPy and torch."""
