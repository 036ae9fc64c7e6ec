"""The error that ends a training run."""

from __future__ import annotations

from plait.errors import PlaitError


class TrainError(PlaitError):
    """Training cannot begin, or cannot go on; what was stored before stays, and the message says where."""
