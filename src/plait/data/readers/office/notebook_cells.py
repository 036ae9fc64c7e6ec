"""The cells of a notebook as HTML."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping, Sequence
from html import escape
from typing import Any
from urllib.parse import unquote

from markdown_it import MarkdownIt
from selectolax.lexbor import LexborHTMLParser

PICTURE = "notebook-picture-"
OUTPUT = "output-"
_LONGEST_OUTPUT_CHARACTERS = 5_000
_LONGEST_ERROR_CHARACTERS = 500
_MOST_OUTPUTS = 200
_ATTACHED = re.compile(r'src="attachment:([^"]*)"')
_ESCAPES = re.compile(r"\x1b\[[0-?]*[ -/]*[@-~]")
_PICTURES = {"image/png": "png", "image/jpeg": "jpeg", "image/svg+xml": "svg"}  # as formats 4 and 3 name them
_NAMES = {"text/html": "html", "text/plain": "text", "text/markdown": "markdown"}
_TITLE = re.compile(r"""\.?(?:sup|set_)?title\(\s*(?:[\w.]+\s*=\s*)?r?(["'])((?:(?!\1)[^\\\n]){2,200})\1""")
_OPTION = re.compile(r"^#\|\s*(fig-cap|fig-alt)\s*:\s*(.+)$", re.M)


class NotebookMarkup:
    """Builds the HTML of a notebook, cell by cell, and keeps the pictures that it shows."""

    def __init__(self) -> None:
        self._parts: list[str] = []
        self._pictures: list[str] = []  # in base64, or the text of a drawing
        self._cells = 0
        self._outputs = 0
        self._markdown = MarkdownIt("commonmark").enable(["table", "strikethrough"])

    @property
    def html(self) -> str:
        """The page so far."""
        return f"<body>{''.join(self._parts)}</body>"

    def add(self, cell: Mapping[str, Any]) -> None:
        """Add a cell of any kind; one of an unknown kind adds nothing."""
        self._cells += 1
        kind = cell.get("cell_type")
        source = joined(cell.get("source")) or joined(cell.get("input"))
        self._parts.append(f'<div id="cell-{self._cells}">')
        if kind == "markdown":
            self._parts.append(self._written(source, mapping(cell.get("attachments"))))
        elif kind == "heading":
            level = cell.get("level")
            tag = f"h{level}" if level in (1, 2, 3, 4, 5, 6) else "h6"
            self._parts.append(f"<{tag}>{escape(source)}</{tag}>")
        elif kind == "code":
            self._parts.append(f"<pre><code>{escape(source)}</code></pre>" if source.strip() else "")
            self._parts += self._shown(sequence(cell.get("outputs"))[:_MOST_OUTPUTS], source)
        elif kind == "raw":
            self._parts.append(f"<p>{escape(source)}</p>")
        self._parts.append("</div>")

    def picture(self, address: str) -> bytes | None:
        """Return the bytes of a picture that the page shows; None if there is none at the address."""
        place = address.removeprefix(PICTURE)
        if not place.isdecimal() or int(place) >= len(self._pictures):
            return None
        data = self._pictures[int(place)]
        if data.lstrip()[:1] == "<":
            return data.encode("utf-8", "replace")
        try:
            return base64.b64decode("".join(data.split()))
        except (binascii.Error, ValueError):
            return b""  # which is no picture, and counted as such

    def _written(self, source: str, attachments: Mapping[str, Any]) -> str:
        """Return a cell of Markdown; the pictures attached to it get addresses of their own."""

        def attached(match: re.Match[str]) -> str:
            forms = mapping(attachments.get(unquote(match[1])))
            return f'src="{self._address(next(map(joined, forms.values()), ""))}"'

        return _balanced(_ATTACHED.sub(attached, self._markdown.render(source.replace("\0", ""))))

    def _shown(self, outputs: Sequence[Any], source: str) -> list[str]:
        bundles = [_bundle(mapping(output)) for output in outputs]
        options = dict(_OPTION.findall(source))
        captions = _captions(source, sum(1 for bundle in bundles if _picture_in(bundle)))
        if "fig-cap" in options:
            captions = [options["fig-cap"].strip("\"' ")]
        parts: list[str] = []
        for output, bundle in zip(outputs, bundles, strict=True):
            if drawn := _picture_in(bundle):
                caption = captions.pop(0) if captions else ""
                alternative = options.get("fig-alt", "").strip("\"' ") or _meaning(bundle)
                parts.append(self._figure(drawn, caption, alternative))
            elif "<table" in bundle.get("text/html", ""):
                parts.append(_balanced(bundle["text/html"]))
            elif "text/markdown" in bundle:
                parts.append(self._written(bundle["text/markdown"], {}))
            elif text := _printed(mapping(output), bundle):
                self._outputs += 1
                parts.append(f'<pre id="{OUTPUT}{self._outputs}">{escape(text)}</pre>')
            elif "text/html" in bundle:
                parts.append(_balanced(bundle["text/html"]))
        return parts

    def _figure(self, data: str, caption: str, alternative: str) -> str:
        image = f'<img src="{self._address(data)}" alt="{escape(alternative)}">'
        words = f"<figcaption>{escape(caption)}</figcaption>" if caption else ""
        return f"<figure>{image}{words}</figure>"

    def _address(self, data: str) -> str:
        self._pictures.append(data)
        return f"{PICTURE}{len(self._pictures) - 1}"


def joined(value: Any) -> str:
    """Return a text that a notebook holds as one string or as a list of lines; "" for anything else."""
    if isinstance(value, list):
        return "".join(line for line in value if isinstance(line, str))
    return value if isinstance(value, str) else ""


def mapping(value: Any) -> Mapping[str, Any]:
    """Return a JSON object; an empty one for anything else."""
    return value if isinstance(value, dict) else {}


def sequence(value: Any) -> list[Any]:
    """Return a JSON array; an empty one for anything else."""
    return value if isinstance(value, list) else []


def _bundle(output: Mapping[str, Any]) -> dict[str, str]:
    """Return the forms of an output by their types, under the names of format 4."""
    data = mapping(output.get("data"))
    found = {
        kind: joined(data.get(kind)) or joined(output.get(old)) for kind, old in (_PICTURES | _NAMES).items()
    }
    return {kind: text for kind, text in found.items() if text.strip()}


def _picture_in(bundle: Mapping[str, str]) -> str:
    return next((bundle[kind] for kind in _PICTURES if kind in bundle), "")


def _meaning(bundle: Mapping[str, str]) -> str:
    """Return what stands in place of a picture, unless it is only the name of its class."""
    text = " ".join(bundle.get("text/plain", "").split())
    return "" if text.startswith("<") else text[:_LONGEST_ERROR_CHARACTERS]


def _printed(output: Mapping[str, Any], bundle: Mapping[str, str]) -> str:
    """Return an output's text as a reader sees it, shortened."""
    if output.get("output_type") in ("error", "pyerr"):
        message = f"{joined(output.get('ename'))}: {joined(output.get('evalue'))}"
        return _ESCAPES.sub("", message)[:_LONGEST_ERROR_CHARACTERS].strip(" :")
    lines = _ESCAPES.sub("", bundle.get("text/plain", "")).replace("\r\n", "\n").split("\n")
    # A progress bar returns to the beginning of its line to write over it.
    text = "\n".join(line.rstrip("\r").rpartition("\r")[2] for line in lines).strip("\n")
    if len(text) <= _LONGEST_OUTPUT_CHARACTERS:
        return text
    end = _LONGEST_OUTPUT_CHARACTERS // 5
    return f"{text[: _LONGEST_OUTPUT_CHARACTERS - end]}\n[...]\n{text[-end:]}"


def _captions(source: str, pictures: int) -> list[str]:
    """Return the titles that a cell's code gives to its plots, as one for each of its pictures."""
    titles = list(dict.fromkeys(match[2].strip() for match in _TITLE.finditer(source)))
    if len(titles) == pictures:
        return titles
    return ["; ".join(titles)] if pictures == 1 and titles else []


def _balanced(markup: str) -> str:
    """Return HTML in which what is opened is closed: a cell must not swallow those after it."""
    body = LexborHTMLParser(markup).body
    return "".join(node.html or "" for node in body.iter(include_text=True)) if body is not None else ""
