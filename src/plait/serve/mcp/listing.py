"""The tools list_documents, count and status."""

from __future__ import annotations

from dataclasses import asdict

from plait.library import Library
from plait.library.listing import listed
from plait.serve.forms import filters_of
from plait.serve.mcp.answers import Answer, shortened
from plait.serve.mcp.forms import CountForm, ListForm, NothingForm

_WARNINGS = 5  # that are listed of one document
_FIELDS = 60


def list_documents(library: Library, form: ListForm) -> Answer:
    """List documents by source."""
    page = listed(library, after=form.after, limit=form.limit, filters=filters_of(form.filters))
    lines = [
        f"{one.id}  {shortened(one.title, 120)} ({one.source}): {one.units} pages or sections, "
        f"{one.figures} figures"
        for one in page.documents
    ]
    lines.append(f"{len(page.documents)} of {page.total} documents")
    if page.next:
        lines.append(f"For the next, ask the same with after = {page.next}")
    documents = [{**asdict(one), "warnings": list(one.warnings[:_WARNINGS])} for one in page.documents]
    return Answer("\n".join(lines), {"documents": documents, "total": page.total, "next": page.next})


def count(library: Library, form: CountForm) -> Answer:
    """Count what filters let through, and the values of fields among it."""
    filters = filters_of(form.filters)
    units, documents = library.count(filters)
    lines = [f"{documents} documents, {units} pages or sections"]
    facets = library.facets(form.fields, filters) if form.fields else []
    for facet in facets:
        lines += [
            f"{facet.field} = {one.value}: {one.documents} documents, {one.units}" for one in facet.counts
        ]
        lines += [f"{facet.field}: {facet.more} more values"] if facet.more else []
    counted = {"documents": documents, "units": units, "facets": [asdict(facet) for facet in facets]}
    return Answer("\n".join(lines), counted)


def status(library: Library, _form: NothingForm) -> Answer:
    """Say what the library holds, and by what it can be filtered."""
    known, fields = library.status(), library.fields()
    lines = [
        f"{known.documents} documents with {known.units} pages or sections and {known.figures} figures, "
        f"in {known.folder}",
        f"{len(known.missing)} of their files are no longer there" if known.missing else "",
        "Fields for filters, facets and counts:",
        *(
            f"  {one.name} ({one.kind}): {one.values} values, {one.least!r} to {one.greatest!r}"
            for one in fields[:_FIELDS]
        ),
    ]
    text = "\n".join(
        shortened(line, 300) if not line.startswith(" ") else line[:300] for line in lines if line
    )
    return Answer(text, {**known.to_dict(), "fields": [asdict(one) for one in fields]})
