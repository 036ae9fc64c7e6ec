"""What a tool says: words, the same for programs, and pictures."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from mcp import types

from plait.schema import Hit, Hits

_PASSAGE = 600  # characters of a passage in words; all of it is in the structured content
_CURSOR = 400  # longer ones are in the structured content only


@dataclass(frozen=True, slots=True)
class Answer:
    """The answer of a tool.

    Attributes:
        text: for those who read only text; it says all that matters.
        structured: the JSON form of the library's own answer.
        pictures: each with what it shows.
    """

    text: str
    structured: Mapping[str, Any]
    pictures: Sequence[tuple[str, types.ImageContent]] = ()

    def content(self) -> list[types.ContentBlock]:
        """Return the blocks of the protocol."""
        blocks: list[types.ContentBlock] = [types.TextContent(type="text", text=self.text)]
        for words, picture in self.pictures:
            blocks += [types.TextContent(type="text", text=words), picture]
        return blocks


def said_of(hits: Hits) -> str:
    """Return hits in words."""
    blocks = [_said_of(hit) for hit in hits]
    if hits.nothing_good:
        blocks.append(
            f"Nothing good was found. {hits.distant} distant hits were left out: ask again with distant = "
            "true to see them, or in other words."
        )
    elif not hits:
        blocks.append("Nothing was found: no stored place passes the filters, or none can be compared.")
    elif hits.distant:
        blocks.append(f"{hits.distant} more hits are probably not good; distant = true gives them, too.")
    for facet in hits.facets:
        counts = ", ".join(f"{one.value} ({one.documents} documents)" for one in facet.counts)
        blocks.append(f"{facet.field}: {counts}" + (f", and {facet.more} more values" if facet.more else ""))
    if hits.next_cursor:
        here = (
            hits.next_cursor if len(hits.next_cursor) <= _CURSOR else "next_cursor of the structured content"
        )
        blocks.append(f"There are more: ask the same with a larger k, or for the next with cursor = {here}")
    return "\n\n".join(blocks)


def _said_of(hit: Hit) -> str:
    sure = "" if hit.confidence is None else f", {hit.confidence:.0%} sure"
    lines = [f"{hit.rank}. {hit.title}{f', {hit.place}' if hit.place else ''} ({hit.kind}{sure})"]
    lines.append(f"   id {hit.id}, document {hit.document_id}, source {hit.source}")
    if hit.passage:
        lines.append(f"   {shortened(hit.passage, _PASSAGE)}")
    if hit.caption:
        lines.append(f"   Figure: {shortened(hit.caption, _PASSAGE)}")
    if hit.folded:
        lines.append(f"   Nearly the same: {', '.join(hit.folded)}")
    return "\n".join(lines)


def shortened(text: str, length: int) -> str:
    """Return a text in one line of at most so many characters."""
    line = " ".join(text.split())
    return line if len(line) <= length else f"{line[: length - 2]} …"
