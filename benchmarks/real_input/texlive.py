"""Fifty PDFs of TeX packages for the sciences: added, and searched by text, by image, and by both.

    python -m benchmarks.real_input.fetch texlive-science-doc
    python -m benchmarks.real_input.texlive

The PDFs are drawn with a fixed seed from all of the package in the order of their names. The questions
were written before looking at which were drawn, so some have no good answer among them.
"""

from __future__ import annotations

import argparse
import json
import shutil
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pypdfium2

from benchmarks.measuring import described, machine, measure_add
from benchmarks.real_input.fetch import CACHE, documents_of
from benchmarks.real_input.questions import edited
from plait import Hit, Library, Query
from plait.encode.base import Encoder
from plait.schema import SearchRequest

RESULTS = Path(__file__).parents[1] / "results"
TEXTS = (
    "numbers with units and uncertainties",
    "how to draw the structural formula of a molecule",
    "typeset an algorithm as pseudocode with line numbers",
    "Feynman diagram",
    "Dirac notation for quantum states",
    "colours of a plot or chart",
)
SHOWN = 3


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawTextHelpFormatter)
    options.add_argument("--cache", type=Path, default=CACHE, help="where fetch.py put the package")
    options.add_argument("--keep", type=Path, help="folder to keep the library in; must be empty")
    options.add_argument("--results", type=Path, default=RESULTS, help="folder of the table")
    options.add_argument("--pdfs", type=int, default=50)
    options.add_argument("--seed", type=int, default=0)
    asked = options.parse_args()
    chosen = choose(documents_of("texlive-science-doc", asked.cache), count=asked.pdfs, seed=asked.seed)
    work = asked.keep or Path(tempfile.mkdtemp(prefix="plait-texlive-"))
    try:
        found = measure(chosen, work, seed=asked.seed)
    finally:
        if asked.keep is None:
            shutil.rmtree(work, ignore_errors=True)
    asked.results.mkdir(parents=True, exist_ok=True)
    kept = without_words(found)
    (asked.results / "texlive.json").write_text(json.dumps(kept, indent=1) + "\n")
    (asked.results / "texlive.md").write_text(to_markdown(kept))
    print(to_markdown(found))


def choose(folder: Path, *, count: int, seed: int) -> list[Path]:
    """Return some PDFs of a folder, drawn from all by name."""
    pdfs = sorted(folder.rglob("*.pdf"), key=lambda path: path.relative_to(folder).as_posix())
    places = np.random.default_rng(seed).choice(len(pdfs), min(count, len(pdfs)), replace=False)
    return [pdfs[place] for place in sorted(places)]


def measure(pdfs: Sequence[Path], work: Path, *, seed: int, encoder: Encoder | None = None) -> dict[str, Any]:
    """Return what adding some PDFs took, and what some questions find in them, as JSON.

    Args:
        encoder: None means plait's own.
    """
    sizes = [pdf.stat().st_size for pdf in pdfs]
    with Library(work, encoder=encoder) as library:
        added = measure_add(library, pdfs)
        stored = {document.source for document in library.documents()}
        pages = sum(pages_of(pdf) for pdf in pdfs if pdf.absolute().as_posix() in stored)
        library.search(Query.of("warm up"), k=1)
        asked = [ask(library, *question) for question in questions(library, seed=seed)]
    return {
        "added": added.to_dict(),
        "pages": pages,
        "pages_per_second": pages / added.seconds,
        "bytes_of_pdfs": sum(sizes),
        "largest_pdf_bytes": max(sizes),
        "pdfs": [pdf.name for pdf in pdfs],
        "seed": seed,
        "questions": asked,
        "machine": machine(),
    }


def pages_of(pdf: Path) -> int:
    """Return how many pages a PDF says it has."""
    document = pypdfium2.PdfDocument(pdf)
    try:
        return len(document)
    finally:
        document.close()


def questions(library: Library, *, seed: int) -> Iterator[tuple[str, Query]]:
    """Yield each question in words and as a query: texts, then a figure found by one of them, edited."""
    for text in TEXTS:
        yield text, Query.of(text)
    pictured = [
        hit
        for hit in library.search(SearchRequest(Query.of(TEXTS[-1]), k=50, fold=False, distant=True))
        if hit.picture is not None
    ]
    if pictured:
        hit = pictured[0]
        image = edited(str(hit.picture), np.random.default_rng(seed))
        where = f"a figure of {name_of(hit)}, cropped to 70 % and re-compressed"
        yield f"[{where}]", Query.of(image=image)
        yield f"{TEXTS[-1]} [{where}]", Query.of(TEXTS[-1], image)


def ask(library: Library, words: str, query: Query) -> dict[str, Any]:
    started = time.perf_counter()
    hits = library.search(SearchRequest(query, k=SHOWN, fold=False, distant=True))
    milliseconds = 1000 * (time.perf_counter() - started)
    return {"asked": words, "ms": milliseconds, "hits": [shown(hit) for hit in hits]}


def shown(hit: Hit) -> dict[str, Any]:
    words = " ".join(hit.passage.split())
    return {
        "document": name_of(hit),
        "page": hit.page,
        "section": " > ".join(hit.section),
        "passage": words[:90] + ("…" if len(words) > 90 else ""),
        "caption": hit.caption[:90],
    }


def without_words(found: dict[str, Any]) -> dict[str, Any]:
    """Return the results as they may be kept in the repository: places, but no text of the PDFs.

    Their licences are mixed; what they say stays with them.
    """
    questions = [
        {**q, "hits": [{"document": hit["document"], "page": hit["page"]} for hit in q["hits"]]}
        for q in found["questions"]
    ]
    return {**found, "questions": questions}


def name_of(hit: Hit) -> str:
    return f"{Path(hit.source).name}, page {hit.page}"


def to_markdown(found: dict[str, Any]) -> str:
    """Return what was measured as a page."""
    added = found["added"]
    lines = [
        "# Fifty PDFs of texlive-science-doc",
        "",
        f"{added['documents']} of {len(found['pdfs'])} PDFs ({found['bytes_of_pdfs'] / 1e6:.1f} MB, the "
        f"largest {found['largest_pdf_bytes'] / 1e6:.1f} MB), {found['pages']} pages, "
        f"{added['units']} units, {added['figures']} figures added in {added['seconds'] / 60:.1f} minutes: "
        f"{found['pages_per_second']:.1f} pages/s, peak memory {added['peak_mb']:.0f} MB (with the readers), "
        f"{added['bytes_per_document'] / 1e6:.2f} MB a document on disk, "
        f"{added['bytes_of_pictures'] / max(1, added['documents']) / 1e6:.2f} MB of it pictures.",
        "",
        *(f"Failed: {failure}." for failure in added["failed"]),
        f"{described(found['machine'])}. PDFs drawn with seed {found['seed']}.",
    ]
    for question in found["questions"]:
        lines += ["", f"**{question['asked']}** ({question['ms']:.0f} ms)", ""]
        for rank, hit in enumerate(question["hits"], 1):
            words = hit.get("caption") or hit.get("passage")
            lines.append(f"{rank}. {hit['document']}" + (f": {words}" if words else ""))
    lines += ["", "    python -m benchmarks.real_input.fetch texlive-science-doc"]
    lines += ["    python -m benchmarks.real_input.texlive"]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    main()
