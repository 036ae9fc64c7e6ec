"""plait read."""

from __future__ import annotations

import json
import shutil
import sys
import tempfile
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.console import warn

if TYPE_CHECKING:
    from plait.schema import Document, Picture, Segment


def read(
    paths: Annotated[
        list[str],
        typer.Argument(
            help="Files, folders, patterns, addresses, or - for standard input.", show_default=False
        ),
    ],
    as_json: Annotated[
        bool, typer.Option("--json/--markdown", help="Print JSON, a line a document, or Markdown.")
    ] = False,
    figures: Annotated[
        Path | None, typer.Option("--figures", help="Folder to keep the pictures of figures in.")
    ] = None,
    name: Annotated[str, typer.Option("--name", help="File name of what comes through standard input.")] = "",
    allow_urls: Annotated[bool, typer.Option("--allow-urls", help="Fetch addresses of the web.")] = False,
) -> None:
    """Print what is read of files: text, tables and figures in their order. Needs no library and no model.

    The exit code is 1 where a file could not be read.
    """
    from plait.data.readers.sandbox.pool import ReaderPool
    from plait.data.writing_markdown import markdown_of
    from plait.errors import ReadError
    from plait.library.bringing import brought
    from plait.library.reading import limits_of
    from plait.settings import load_settings

    settings = load_settings()
    limits = replace(limits_of(settings), page_dpi=0)
    keep = None if figures is None else _keeper(figures)
    urls = allow_urls or settings.urls
    here = Path.cwd()
    with (
        brought(paths, library_root=here, urls=urls, max_file_mb=limits.max_file_mb, name=name) as found,
        tempfile.TemporaryDirectory(prefix="plait-") as spool,
        ReaderPool(1, limits, sorted(found.documents.roots | found.pictures.roots)) as pool,
    ):
        failed = list(map(str, found.skipped))
        for remark in found.warnings:
            warn(remark)
        parted = ""
        for outcome in pool.read_many(found, spool=spool):
            if isinstance(outcome.result, ReadError):
                failed.append(str(outcome.result))
                continue
            document = outcome.result
            if as_json:
                _print(json.dumps(_kept(document, keep).to_dict(), ensure_ascii=False))
            else:
                _print(parted + markdown_of(document, path_of=keep), end="")
                parted = "\n"
            for remark in document.warnings:
                warn(f"{document.source}: {remark}")
            shutil.rmtree(outcome.spool, ignore_errors=True)
    for failure in failed:
        warn(f"skipped {failure}")
    if failed:
        sys.exit(1)


def _keeper(folder: Path) -> Callable[[Picture], str]:
    """Return what copies pictures into a folder, and gives their paths there."""
    from plait.errors import InputError

    def keep(picture: Picture) -> str:
        kept = folder / f"{picture.sha256[:16]}{Path(picture.path).suffix}"
        try:
            folder.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(picture.path, kept)
        except OSError as error:
            reason = error.strerror or error
            raise InputError(f"{folder}: cannot keep pictures there ({reason}); name another") from error
        return str(kept)

    return keep


def _kept(document: Document, keep: Callable[[Picture], str] | None) -> Document:
    """Return a document whose pictures are those kept; where none are, their paths are empty."""

    def shown(segment: Segment) -> Segment:
        if segment.picture is None:
            return segment
        path = "" if keep is None else keep(segment.picture)
        return replace(segment, picture=replace(segment.picture, path=path))

    held = tuple(replace(attachment, path="") for attachment in document.attachments)
    return replace(document, segments=tuple(map(shown, document.segments)), attachments=held)


def _print(text: str, end: str = "\n") -> None:
    """Print what may hold characters that no encoding has, such as halves of pairs."""
    print(text.encode("utf-8", "replace").decode("utf-8"), end=end)
