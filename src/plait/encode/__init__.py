"""Units and queries to vectors."""

from __future__ import annotations

from plait.encode.base import Encoder

__all__ = ["Encoder", "load_encoder"]

_SHIPPED = "plait-mini"


def load_encoder(
    name: str = _SHIPPED, *, threads: int = 0, max_pixels: int = 50_000_000, precision: str = "auto"
) -> Encoder:
    """Return the encoder of that name; nothing is fetched.

    Args:
        name: "plait-mini"; or where a model lies: a folder, an installed package, or a hub name that was
            downloaded. It may be a ReT or ReT-2 checkpoint, a SentenceTransformer or a MultiVectorEncoder of
            sentence-transformers, or a folder of plait-mini's form. With "@8x64" at its end, the model's
            first 8 tokens and of each the first 64 numbers: see `ShortenedEncoder`.
        threads: batches encoded at a time, each by one torch thread; 0 means one a core.
        max_pixels: larger pictures are refused before they are decoded.
        precision: of a ReT model's matrix products; see `plait.model.inference.fast.prepare`.

    Raises:
        ModelError: there is no such model, it is of another kind, it cannot be loaded, or not be cut so.
        MissingExtraError: it needs a package that is not installed.
    """
    from plait.encode.mini import MiniEncoder
    from plait.encode.shortened import ShortenedEncoder, size_in

    name, size = size_in(name)
    if size is not None:
        whole = load_encoder(name, threads=threads, max_pixels=max_pixels, precision=precision)
        return ShortenedEncoder(whole, *size)
    if name == _SHIPPED:
        return MiniEncoder.load(name, threads=threads, max_pixels=max_pixels)
    from plait.encode.checkpoint import kind_of
    from plait.model import hub

    folder = hub.resolve(name)
    kind = kind_of(folder)
    if kind == "plait-mini":
        return MiniEncoder.load(str(folder), threads=threads, max_pixels=max_pixels)
    if kind == "ReT":
        from plait.encode.ret import RetEncoder

        return RetEncoder.load(name, threads=threads, max_pixels=max_pixels, precision=precision)
    from plait.encode.sentence_transformers import SentenceTransformerEncoder

    return SentenceTransformerEncoder.load(name, threads=threads, max_pixels=max_pixels)
