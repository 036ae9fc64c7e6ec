"""HTML pages: text and images in their places, with captions, alternative text and headings."""

from __future__ import annotations

from selectolax.lexbor import LexborHTMLParser, LexborNode

from plait.data.readers.base import ReadLimits, ReadTask, document_id, title_from
from plait.data.readers.decoding import decode
from plait.data.readers.markup.addresses import PictureLoader, Pictures
from plait.data.readers.markup.walk import Loader, Walked, walk
from plait.errors import ReadError
from plait.schema import Document, Scalar

_METADATA = {"author": "author", "description": "description", "keywords": "keywords", "date": "created"}


def read_html(task: ReadTask, limits: ReadLimits) -> Document:
    """Return an HTML file as a document.

    Navigation, sidebars, scripts and the like are left out; of pictures, all that do not lie inside
    the folder that was added: a page must not make its reader fetch or show other files.

    Raises:
        ReadError: there is nothing in it.
    """
    decoded = decode(task.path.read_bytes(), declared=True)
    warnings = ["some bytes are not valid text and were replaced"] if decoded.damaged else []
    return document_of(decoded.text, task, limits, type="html", warnings=warnings)


def document_of(
    markup: str,
    task: ReadTask,
    limits: ReadLimits,
    *,
    type: str,
    warnings: list[str] | None = None,
    load: Pictures | None = None,
) -> Document:
    """Return the document that some markup holds.

    Args:
        markup: HTML.
        type: the metadata field "type" of the document.
        warnings: what was left out on the way to the markup.
        load: gives the pictures of its image addresses; None looks for files beside it.

    Raises:
        ReadError: there is nothing in it.
    """
    loader = load or PictureLoader(task, limits)
    tree = LexborHTMLParser(markup)
    walked = _content(tree, loader)
    if not walked.segments:
        raise ReadError(task.source, "holds no text and no pictures", "nothing to search in it; leave it out")
    return Document(
        id=document_id(task.source),
        title=_title(tree, walked) or title_from(task.path),
        source=task.source,
        metadata=_metadata(tree, type),
        segments=tuple(walked.segments),
        warnings=(*(warnings or ()), *loader.warnings),
    )


def _content(tree: LexborHTMLParser, load: Loader) -> Walked:
    """Walk the main part of the page if it names one, else all, else even its navigation."""
    body = tree.body
    if body is None:
        return Walked([], "")
    marked = tree.css("main, [role=main]")
    if len(marked) == 1:
        walked = walk(marked[0], load=load)
        if walked.segments:
            return walked
    walked = walk(body, load=load)
    return walked if walked.segments else walk(body, load=load, chrome=True)


def _title(tree: LexborHTMLParser, walked: Walked) -> str:
    """Return the first heading where <title> repeats it, else <title>: sites add their own name to it."""
    node = tree.head.css_first("title") if tree.head is not None else None
    title = " ".join(node.text().split()) if node is not None else ""
    return walked.title if walked.title and (not title or walked.title in title) else title


def _metadata(tree: LexborHTMLParser, type: str) -> dict[str, Scalar]:
    metadata: dict[str, Scalar] = {"type": type}
    for node in tree.head.css("meta[name]") if tree.head is not None else ():
        values = node.attributes
        name = _METADATA.get((values.get("name") or "").lower())
        if name and values.get("content"):
            metadata.setdefault(name, " ".join(str(values["content"]).split())[:300])
    language = _language(tree.root)
    return {**metadata, "language": language} if language else metadata


def _language(root: LexborNode | None) -> str:
    return (root.attributes.get("lang") or "") if root is not None and root.tag == "html" else ""
