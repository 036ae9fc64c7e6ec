"""Units and queries to vectors."""

from __future__ import annotations

from pathlib import Path

from plait.encode.base import Encoder

__all__ = ["Encoder", "load_encoder"]


def load_encoder(name: str = "plait-mini", *, threads: int = 0, max_pixels: int = 50_000_000) -> Encoder:
    """Return the encoder of that name.

    Args:
        name: "plait-mini", or the folder of a ReT checkpoint.
        threads: torch threads; 0 leaves torch's own choice.
        max_pixels: larger pictures are refused before they are decoded.

    Raises:
        ModelError: there is no such model, or it cannot be loaded.
    """
    if name == "plait-mini" or (Path(name) / "plait_mini.json").is_file():
        from plait.encode.mini import MiniEncoder

        return MiniEncoder.load(name, threads=threads, max_pixels=max_pixels)
    from plait.encode.ret import RetEncoder

    return RetEncoder.load(name, threads=threads, max_pixels=max_pixels)
