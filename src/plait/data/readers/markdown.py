"""Markdown: turned into HTML by markdown-it, then read as HTML is."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt

from plait.data.readers.base import ReadLimits, ReadTask
from plait.data.readers.decoding import decode
from plait.data.readers.html import document_of
from plait.schema import Document

_FRONT_MATTER = re.compile(r"\A---[ \t]*\n.*?\n(?:---|\.\.\.)[ \t]*\n", re.S)


def read_markdown(task: ReadTask, limits: ReadLimits) -> Document:
    """Return a Markdown file as a document: CommonMark with tables; a YAML head is left out.

    Raises:
        ReadError: there is nothing in it.
    """
    decoded = decode(task.path.read_bytes())
    text = decoded.text.replace("\r\n", "\n").replace("\0", " ")
    warnings = ["some bytes are not valid text and were replaced"] if decoded.damaged else []
    parser = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    markup = parser.render(_FRONT_MATTER.sub("", text, count=1))
    return document_of(f"<body>{markup}</body>", task, limits, type="markdown", warnings=warnings)
