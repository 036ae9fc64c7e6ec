"""Footnotes of Markdown: `[^1]` in the text, `[^1]: words` on lines of their own."""

from __future__ import annotations

import re

from markdown_it import MarkdownIt
from markdown_it.rules_inline import StateInline

# The name becomes part of an address, so it is a plain word.
_NAME = r"\[\^([\w.-]{1,80})\]"
_REFERENCE = re.compile(_NAME)
_BEGIN = re.compile(rf" {{0,3}}{_NAME}:[ \t]*(.*)")
_FENCE = re.compile(r" {0,3}(`{3,}|~{3,})")
_INDENT = re.compile(r"(?: {4}|\t)")


def split_notes(text: str) -> tuple[str, dict[str, str]]:
    """Return the text without its footnotes, and each footnote's words by its name.

    A footnote goes on with lines that are indented, and with those that follow it without an empty one.
    """
    if "[^" not in text:
        return text, {}
    body: list[str] = []
    notes: dict[str, list[str]] = {}
    note: list[str] | None = None
    fence = ""
    for line in text.split("\n"):
        begins = None if fence else _BEGIN.match(line)
        if begins is not None:
            note = notes.setdefault(begins[1], [])
            note.append(begins[2])
            continue
        if note is not None and _goes_on(line, note):
            note.append(_INDENT.sub("", line, count=1))
            continue
        note = None
        fence = _fence_after(line, fence)
        body.append(line)
    return "\n".join(body), {name: "\n".join(lines).strip() for name, lines in notes.items()}


def noted(parser: MarkdownIt, names: frozenset[str]) -> None:
    """Make a parser link references to the footnotes of these names."""

    def reference(state: StateInline, silent: bool) -> bool:
        match = _REFERENCE.match(state.src, state.pos) if state.src.startswith("[^", state.pos) else None
        if match is None or match[1] not in names:
            return False
        if not silent:
            token = state.push("html_inline", "", 0)
            token.content = f'<sup><a href="#fn-{match[1]}">[{match[1]}]</a></sup>'
        state.pos = match.end()
        return True

    parser.inline.ruler.before("link", "footnote", reference)


def _goes_on(line: str, note: list[str]) -> bool:
    if not line.strip() or _INDENT.match(line):
        return True
    return bool(note[-1].strip())


def _fence_after(line: str, fence: str) -> str:
    """Return the mark that will close the code under way; "" outside of code."""
    match = _FENCE.match(line)
    if match is None:
        return fence
    if not fence:
        return match[1]
    return "" if match[1][0] == fence[0] and len(match[1]) >= len(fence) else fence
