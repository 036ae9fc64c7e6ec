"""The demonstration: read an illustrated handbook, then search it by words, by a picture, and by both.

    make demo

The handbook is that of an invented espresso machine (examples/handbook); the pictures asked with
are "photographs" of two of its parts (examples/queries). A fresh library is made in demo-library/.
"""

from __future__ import annotations

import shutil
import sys
import textwrap
import time
from pathlib import Path

from rich.console import Console
from rich.markup import escape

from plait import Hit, Library, Query
from plait.encode.base import Encoder

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent

QUESTIONS = (
    ("words", "the pump hums loudly but no water comes out", None),
    ("a picture", "", HERE / "queries/brass-part.jpg"),
    ("a picture and words", "how often do I have to change this?", HERE / "queries/worn-ring.jpg"),
)


def demo(folder: Path, console: Console, *, encoder: Encoder | None = None, k: int = 3) -> list[list[Hit]]:
    """Make a library of the handbook in `folder`, ask the three questions, and return their hits."""
    shutil.rmtree(folder, ignore_errors=True)
    with Library(folder, encoder=encoder) as library:
        console.print(f"Reading [bold]{_short(HERE / 'handbook')}[/] ...")
        report = library.add([HERE / "handbook"])
        console.print(
            f"{report.added} documents with {report.units} sections and pages and {report.figures} figures, "
            f"in {report.seconds:.1f} s"
        )
        for failure in report.failed:
            console.print(f"[red]skipped {escape(str(failure))}[/]")
        return [_ask(library, console, *question, k=k) for question in QUESTIONS]


def _ask(library: Library, console: Console, how: str, text: str, image: Path | None, *, k: int) -> list[Hit]:
    console.print()
    console.rule(f"Asking with {how}", align="left")
    if image is not None:
        console.print(f"  picture: {_short(image)}", highlight=False)
    if text:
        console.print(f"  words:   {escape(text)}", highlight=False)
    start = time.perf_counter()
    hits = library.search(Query.of(text, image), k=k)
    seconds = time.perf_counter() - start
    for hit in hits:
        _show(hit, console)
    console.print(f"[dim]{len(hits)} hits in {seconds * 1000:.0f} ms, with the question encoded[/]")
    return hits


def _show(hit: Hit, console: Console) -> None:
    lanes = "  ".join(f"{name} {score:.2f}" for name, score in hit.lanes.items())
    lines = [f"\n[bold]{hit.rank}. {escape(hit.title)}[/]  [dim]score {hit.score:.3f}[/]"]
    lines.append(f"   place:   {escape(hit.place or 'the whole file')}")
    lines.append(f"   file:    {escape(_short(Path(ROOT, hit.source)))}")
    if hit.passage:
        words = textwrap.shorten(hit.passage, 150, placeholder=" …")
        lines.append(textwrap.indent(textwrap.fill(escape(words), 95), "   | "))
    if hit.picture:
        caption = textwrap.shorten(hit.caption, 80, placeholder=" …")
        lines.append(f"   picture: {escape(_short(Path(hit.picture)))}")
        lines.append(f"            {escape(caption)}" if caption else "")
    lines.append(f"   [dim]spoke:   {lanes}[/]")
    console.print("\n".join(line for line in lines if line), highlight=False, soft_wrap=True)


def _short(path: Path) -> str:
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else str(path)


def main() -> int:
    """Run the demonstration; 1 if something of the handbook could not be read or found."""
    console = Console()
    answers = demo(ROOT / "demo-library", console)
    console.print()
    console.rule("Next", align="left")
    for command, what in (
        ('plait search --library demo-library "white crust in the boiler"', "search on"),
        ('plait ask --library demo-library "how do I set the brew pressure?"', "an answer in quotations"),
        ("plait serve --library demo-library", "the same in the browser: paste or drop a picture"),
        ("plait add ~/manuals && plait search --image part.jpg", "your own documents"),
    ):
        console.print(f"  {escape(command)}\n      [dim]{what}[/]", highlight=False, soft_wrap=True)
    return 0 if all(answers) else 1


if __name__ == "__main__":
    sys.exit(main())
