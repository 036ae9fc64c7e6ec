"""Writes one article in Typst, and beside it what a reader of its PDF should find."""

from __future__ import annotations

import random
from dataclasses import dataclass, field
from pathlib import Path

from benchmarks.reading import sample_figures
from benchmarks.reading.sample_looks import Look
from benchmarks.reading.sample_prose import Prose

_COLUMN_PT = {"a4": 595.3, "us-letter": 612.0, "iso-b5": 498.9}


@dataclass(slots=True)
class Float:
    """A figure or table as it was written.

    Attributes:
        id: of its marks in the document: one where it begins; a table has one where it ends, too.
        size: width and height in points; None for a table, which takes the room it needs.
    """

    id: str
    kind: str
    label: str
    caption: str
    size: tuple[float, float] | None = None
    rows: tuple[tuple[str, ...], ...] = ()


@dataclass(slots=True)
class Writing:
    """An article as far as it is written: its source, and its truth in reading order.

    Attributes:
        text: the running text, a string for each heading, paragraph, item, piece of code or reference.
    """

    look: Look
    prose: Prose
    draw: random.Random
    folder: Path
    source: list[str] = field(default_factory=list)
    text: list[str] = field(default_factory=list)
    headings: list[str] = field(default_factory=list)
    footnotes: list[str] = field(default_factory=list)
    floats: list[Float] = field(default_factory=list)

    def article(self, sections: int) -> None:
        """Write a whole article."""
        self._opening()
        for number in range(1, sections + 1):
            self._heading(1, f"{number}" if self.look.numbers else "")
            for _ in range(self.draw.randint(1, 2)):
                self._paragraph()
            for part in range(1, self.draw.choice((1, 1, 3, 4))):
                self._heading(2, f"{number}.{part}" if self.look.numbers else "")
                self._paragraph()
                self.draw.choice((self._paragraph, self._items, self._code, self._formula))()
                self._paragraph()
            for _ in range(self.draw.choice((0, 1, 1, 2))):
                self.draw.choice((self._figure, self._figure, self._table))()
                self._paragraph()
        self._references()

    def _opening(self) -> None:
        title = self.prose.title()
        authors = ", ".join(self.prose.name() for _ in range(self.draw.randint(1, 4)))
        abstract = "Abstract. " + " ".join(self.prose.sentences(4, 6))
        wide = (
            f"#v(0.6em) #par(first-line-indent: 0pt)[{quoted(abstract)}]" if self.look.wide_abstract else ""
        )
        self.source.append(
            '#place(top + center, scope: "parent", float: true, clearance: 1.6em, block(width: 100%)[\n'
            f'#align(center)[#text(size: 1.7em, weight: "bold")[{quoted(title)}]\n\n'
            f"#text(size: 1.1em)[{quoted(authors)}]]\n{wide}])\n"
        )
        if not self.look.wide_abstract:
            self.source.append(f'#text(style: "italic")[{quoted(abstract)}]\n')
        self.text += [title, authors, abstract]

    def _heading(self, level: int, number: str) -> None:
        text = f"{number} {self.prose.heading()}".strip()
        self.source.append(f"#heading(level: {level})[{quoted(text)}]\n")
        self.text.append(text)
        self.headings.append(text)

    def _paragraph(self) -> None:
        source, text = [], []
        for sentence in self.prose.sentences(3, 7):
            chance = self.draw.random()
            if chance < 0.06:
                source.append(self._with_footnote(sentence))
            elif chance < 0.12 and self.floats:
                told = f"As {self.draw.choice(self.floats).label} shows, {sentence[0].lower()}{sentence[1:]}"
                sentence = told
                source.append(quoted(sentence))
            elif chance < 0.18:
                source.append(self._with_link(sentence))
            elif chance < 0.24:
                source.append(f"#emph[{quoted(sentence)}]")
            else:
                source.append(quoted(sentence))
            text.append(sentence)
        self.source.append(" ".join(source) + "\n")
        self.text.append(" ".join(text))

    def _with_footnote(self, sentence: str) -> str:
        """Return a sentence with a footnote, at its end or after one of its words."""
        note = self.prose.sentence()
        self.footnotes.append(note)
        words = sentence.split(" ")
        place = self.draw.choice((len(words), len(words) // 2))
        before, after = " ".join(words[:place]), " ".join(words[place:])
        return f"{quoted(before)}#footnote[{quoted(note)}] {quoted(after) if after else ''}"

    def _with_link(self, sentence: str) -> str:
        first, _, rest = sentence.partition(" ")
        address = f"https://example.org/{self.prose.word()}"
        return f'#link("{address}")[#text(fill: blue)[{quoted(first)}]] {quoted(rest)}'

    def _items(self) -> None:
        items = [self.prose.sentence() for _ in range(self.draw.randint(2, 4))]
        numbered = self.draw.random() < 0.5
        sign = "+" if numbered else "-"
        self.source.append("\n".join(f"{sign} {quoted(item)}" for item in items) + "\n")
        self.text += [f"{place}. {item}" if numbered else item for place, item in enumerate(items, start=1)]

    def _code(self) -> None:
        name, other = self.prose.word()[:11], self.prose.word()[:11]
        lines = [f"def {name}({other}):", f"    total = {self.draw.randint(2, 99)}"]
        lines += [f"    for part in {other}:", "        total += part.width", "    return total"]
        code = "\n".join(lines)
        self.source.append(f"#raw(block: true, {_string(code)})\n")
        self.text.append(code)

    def _formula(self) -> None:
        """Write a formula on a line of its own; its signs are no words of the running text."""
        forms = (
            "E = sum_(i=1)^n w_i x_i^2",
            "f(x) = integral_0^x e^(-t^2) dif t",
            "a / b = sqrt(c^2 + d^2) / 2",
        )
        self.source.append(f"$ {self.draw.choice(forms)} $\n")

    def _figure(self) -> None:
        number = sum(one.kind == "figure" for one in self.floats) + 1
        label, name = f"{self.look.figure_label} {number}", f"f{number}"
        wide = self.draw.random() < 0.25
        width, height = self._width(wide=wide) * self.draw.uniform(0.75, 1.0), self.draw.uniform(90, 170)
        body = self._body(name, width, height, wide=wide)
        block = (
            f'#block(width: {width:.1f}pt, height: {height:.1f}pt)[#place(top + left, mark("{name}")){body}]'
        )
        caption = self.prose.caption()
        self._float(block, "figure", label, caption, wide=wide)
        self.floats.append(Float(name, "figure", label, self._captioned(label, caption), (width, height)))

    def _body(self, name: str, width: float, height: float, *, wide: bool) -> str:
        chance = self.draw.random()
        if chance < 0.3:
            file = self.folder / f"{name}{self.draw.choice(('.png', '.jpg'))}"
            sample_figures.photograph(self.draw, file, width_px=int(1.5 * width), height_px=int(1.5 * height))
            return f'#image("{file.name}", width: 100%, height: 100%, fit: "stretch")'
        if chance < 0.55:
            return sample_figures.panels(self.draw, width, height, 4 if wide else 2)
        return sample_figures.drawing(self.draw, width, height)

    def _table(self) -> None:
        number = sum(one.kind == "table" for one in self.floats) + 1
        label, name = f"Table {number}", f"t{number}"
        wide = self.draw.random() < 0.25
        columns = self.draw.randint(4, 6) if wide else self.draw.randint(2, 4)
        rows = [tuple(self.prose.word()[:9].capitalize() for _ in range(columns))]
        for _ in range(self.draw.randint(3, 8)):
            numbers = (f"{self.draw.uniform(0, 99):.1f}" for _ in range(columns - 1))
            rows.append((self.prose.place(), *numbers))
        ends = f'#place(bottom + right, mark("{name}e"))'
        block = f'#block[#place(top + left, mark("{name}")){self._ruled_table(rows)}{ends}]'
        caption = self.prose.caption()
        self._float(block, "table", label, caption, wide=wide)
        self.floats.append(Float(name, "table", label, self._captioned(label, caption), rows=tuple(rows)))

    def _ruled_table(self, rows: list[tuple[str, ...]]) -> str:
        """Return a table with rules at the top, under the names and at the end, or around each cell."""
        booktabs = self.draw.random() < 0.6
        cells = ", ".join(f"[{quoted(cell)}]" for row in rows[1:] for cell in row)
        names = ", ".join(f"[*{quoted(cell)}*]" for cell in rows[0])
        rule = "table.hline(stroke: 0.7pt), " if booktabs else ""
        stroke = "none" if booktabs else "0.5pt"
        inset = self.draw.choice((5, 6))
        return (
            f"#table(columns: {len(rows[0])}, stroke: {stroke}, inset: {inset}pt, align: left, "
            f"{rule}table.header({names}), {rule}{cells}, {rule})"
        )

    def _float(self, block: str, kind: str, label: str, caption: str, *, wide: bool) -> None:
        places = ("auto", "top", "bottom") if wide else ("auto", "top", "bottom", "none")
        told = quoted(label + self.look.separator.rstrip())
        told = f"#strong[{told}]" if self.look.bold_labels else told
        above = "top" if kind == "table" else "bottom"
        self.source.append(
            f'#figure(placement: {self.draw.choice(places)}, scope: "{"parent" if wide else "column"}", '
            f"caption: figure.caption(position: {above})[{told} {quoted(caption)}])[{block}]\n"
        )

    def _captioned(self, label: str, caption: str) -> str:
        return f"{label}{self.look.separator}{caption}"

    def _references(self) -> None:
        self.source.append(f"#heading(level: 1)[{quoted('References')}]\n")
        self.text.append("References")
        self.headings.append("References")
        for number in range(1, self.draw.randint(6, 14)):
            year = self.draw.randint(1950, 2020)
            text = f"[{number}] {self.prose.name()}, {self.prose.name()}. {self.prose.title()}. {year}."
            self.source.append(
                f"#par(hanging-indent: 1.4em, first-line-indent: 0pt)[#text(size: 0.9em)[{quoted(text)}]]\n"
            )
            self.text.append(text)

    def _width(self, *, wide: bool) -> float:
        whole = _COLUMN_PT[self.look.paper] - 2 * self.look.margin_pt
        return whole if wide else (whole - self.look.gutter_pt) / 2


def quoted(text: str) -> str:
    """Return Typst code that shows a text as it is."""
    return f"#{_string(text)}"


def _string(text: str) -> str:
    escaped = text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")
    return f'"{escaped}"'
