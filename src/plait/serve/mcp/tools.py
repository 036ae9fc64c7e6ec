"""What tools there are."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from mcp import types

from plait.library import Library
from plait.serve.mcp.answers import Answer
from plait.serve.mcp.finding import search, similar
from plait.serve.mcp.forms import (
    AddForm,
    CountForm,
    CropForm,
    ListForm,
    NothingForm,
    PageForm,
    SearchForm,
    SimilarForm,
    schema_of,
)
from plait.serve.mcp.listing import count, list_documents, status
from plait.serve.mcp.looking import crop, open_page
from plait.serve.models.requests import Form

INSTRUCTIONS = (
    "Search the user's own illustrated documents by words, by pictures, or by both at once. Ids of hits go "
    "into similar, open_page and crop. Cite title and page. Where search says that nothing good was found, "
    "say so."
)


@dataclass(frozen=True, slots=True)
class Tool:
    """A tool that only looks.

    Attributes:
        form: of its arguments.
        call: answers them.
    """

    name: str
    title: str
    description: str
    form: type[Form]
    call: Callable[[Library, Any], Answer]

    def declared(self) -> types.Tool:
        """Return what the protocol tells of it."""
        return declared(self.name, self.title, self.description, self.form, is_read_only=True)


def declared(name: str, title: str, description: str, form: type[Form], *, is_read_only: bool) -> types.Tool:
    """Return what the protocol tells of a tool."""
    hints = types.ToolAnnotations(
        title=title,
        readOnlyHint=is_read_only,
        destructiveHint=False,
        idempotentHint=True,
        openWorldHint=False,
    )
    return types.Tool(name=name, description=description, inputSchema=schema_of(form), annotations=hints)


LOOKING = (
    Tool(
        "search",
        "Search",
        "Find places in the user's illustrated documents by words, by a picture, or by both at once. Gives "
        "ranked hits with their ids, places and best passages, and pictures of the best; says so where "
        "nothing good is found. The field query takes several texts and images with weights, below 0 for "
        "what is unwanted.",
        SearchForm,
        search,
    ),
    Tool(
        "similar",
        "More like this",
        "Find what is like a hit, a figure, a page or a document, by its id.",
        SimilarForm,
        similar,
    ),
    Tool(
        "open_page",
        "Open a page",
        "Read the page or section of a hit: all its words, its image, and the ids of its figures and tables "
        "and of the pages before and after.",
        PageForm,
        open_page,
    ),
    Tool(
        "crop",
        "Look closer",
        "Look closer at a region of a page or figure: cut out and enlarged. Without a box: all of the "
        "figure, or the place of the passage on its page.",
        CropForm,
        crop,
    ),
    Tool(
        "list_documents",
        "List documents",
        "List the stored documents by source, some at a time, with an exact total; filters choose among "
        "them.",
        ListForm,
        list_documents,
    ),
    Tool(
        "count",
        "Count",
        "Count exactly how many documents and pages pass filters, and how many have each value of a field.",
        CountForm,
        count,
    ),
    Tool(
        "status",
        "Status",
        "Say what the library holds, where it is, and the fields that filters and counts may name.",
        NothingForm,
        status,
    ),
)
ADD = declared(
    "add",
    "Add documents",
    "Read files and folders of this machine and make them searchable. Only what the user allowed can be "
    "added. May take minutes; other tools go on meanwhile.",
    AddForm,
    is_read_only=False,
)
