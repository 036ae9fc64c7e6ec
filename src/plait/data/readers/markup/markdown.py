"""Markdown: turned into HTML by markdown-it, then read as HTML is."""

from __future__ import annotations

from dataclasses import replace

from markdown_it import MarkdownIt

from plait.data.readers.base import ReadLimits, ReadTask
from plait.data.readers.decoding import decode
from plait.data.readers.markup.front_matter import split_front_matter
from plait.data.readers.markup.html import document_of
from plait.data.readers.markup.markdown_notes import noted, split_notes
from plait.schema import Document


def read_markdown(task: ReadTask, limits: ReadLimits) -> Document:
    """Return a Markdown file as a document: CommonMark with tables and footnotes.

    A YAML or TOML head is not read as text; its title, authors, date and the like become the document's.

    Raises:
        ReadError: there is nothing in it.
    """
    decoded = decode(task.path.read_bytes())
    text = decoded.text.replace("\r\n", "\n").replace("\0", " ")
    warnings = ["some bytes are not valid text and were replaced"] if decoded.damaged else []
    head, body = split_front_matter(text)
    document = document_of(html_of(body), task, limits, type="markdown", warnings=warnings)
    title = head.pop("title", "") or document.title
    return replace(document, title=str(title), metadata={**document.metadata, **head})


def html_of(text: str) -> str:
    """Return Markdown as HTML; footnotes stand at its end."""
    body, notes = split_notes(text)
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    noted(parser, frozenset(notes))
    footnotes = (
        f'<aside class="footnote" id="fn-{name}">{parser.render(f"[{name}] {note}")}</aside>'
        for name, note in notes.items()
    )
    return f"<body>{parser.render(body)}{''.join(footnotes)}</body>"
