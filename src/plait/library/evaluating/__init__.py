"""Asking a library: collections put into one, and questions that its own documents ask."""
