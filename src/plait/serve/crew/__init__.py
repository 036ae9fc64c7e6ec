"""Searches in processes of their own, for large libraries: Python computes on one processor a process."""

from plait.serve.crew.crew import Crew, crew_for

__all__ = ["Crew", "crew_for"]
