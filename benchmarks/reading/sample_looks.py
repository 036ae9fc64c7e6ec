"""How the articles of a sample look: papers, fonts, gutters, heads and captions, as Typst settings."""

from __future__ import annotations

from dataclasses import dataclass

_SERIF, _MODERN = "Libertinus Serif", "New Computer Modern"


@dataclass(frozen=True, slots=True)
class Look:
    """The look of one article.

    Attributes:
        paper: as Typst names it.
        size_pt, gutter_pt, margin_pt: of the text, between the columns, at the sides of the page.
        figure_label: before a number: "Figure 3".
        separator: between a label and its caption.
        numbers: how sections are numbered: "1.1" or nothing, "".
        head: "journal", "mirrored" or "none".
        indented: paragraphs begin with an indent; otherwise a gap parts them.
        wide_abstract: it stands across both columns, under the title.
        ruled: a line parts the columns.
        tagged: the PDF tells its structure.
    """

    name: str
    paper: str = "a4"
    font: str = _SERIF
    size_pt: float = 10.0
    gutter_pt: float = 16.0
    margin_pt: float = 50.0
    figure_label: str = "Figure"
    separator: str = ": "
    numbers: str = "1.1"
    head: str = "journal"
    justified: bool = True
    indented: bool = True
    wide_abstract: bool = False
    centred_headings: bool = False
    bold_labels: bool = False
    ruled: bool = False
    tagged: bool = False

    def preamble(self, journal: str) -> str:
        """Return the settings of a document, and `mark`, which tells where on which page it stands."""
        spacing = "0.62em" if self.indented else "1.15em"
        align = "center" if self.centred_headings else "left"
        rule = "place(top + center, dy: 8%, line(angle: 90deg, length: 84%))"
        background = f"context if here().page() > 1 {{ {rule} }}" if self.ruled else "none"
        return f"""
#let mark(id) = context {{
  let at = here().position()
  [#metadata((id: id, page: at.page, x: at.x.pt(), y: at.y.pt()))<mark>]
}}
#set page(paper: "{self.paper}", margin: (x: {self.margin_pt}pt, y: 62pt), columns: 2,
  background: {background}, {self._furniture(journal)})
#set columns(gutter: {self.gutter_pt}pt)
#set text(font: "{self.font}", size: {self.size_pt}pt, lang: "en", hyphenate: true)
#set par(justify: {str(self.justified).lower()}, leading: 0.62em, spacing: {spacing},
  first-line-indent: {"1.2em" if self.indented else "0pt"})
#set figure(numbering: none, supplement: none, gap: 0.8em)
#show figure.caption: it => align(left, text(size: 0.9em, it.body))
#set heading(numbering: none)
#show heading.where(level: 1): it => block(above: 1.5em, below: 0.8em, width: 100%,
  align({align}, text(size: 1.2em, it.body)))
#show heading.where(level: 2): it => block(above: 1.3em, below: 0.7em, text(size: 1.02em, it.body))
#show raw: set text(size: 0.82em, font: "DejaVu Sans Mono")
"""

    def _furniture(self, journal: str) -> str:
        number = "#counter(page).display()"
        if self.head == "none":
            return f"footer: context align(center)[{number}]"
        plain = f"[{journal} #h(1fr) {number}]"
        if self.head == "journal":
            return f"header: context text(size: 0.8em){plain}"
        mirrored = f"if calc.odd(here().page()) {plain} else [{number} #h(1fr) {journal}]"
        return f'header: context text(size: 0.85em, style: "italic", {mirrored}), footer: none'


LOOKS = (
    Look("journal"),
    Look("letter", paper="us-letter", font=_MODERN, gutter_pt=18, wide_abstract=True, head="mirrored"),
    Look("narrow", size_pt=9, gutter_pt=10, margin_pt=44, figure_label="Fig.", separator=". "),
    Look("airy", size_pt=11, gutter_pt=24, indented=False, numbers="", bold_labels=True),
    Look("modern", font=_MODERN, size_pt=9.5, gutter_pt=14, bold_labels=True, separator=". "),
    Look("ragged", justified=False, indented=False, head="mirrored", gutter_pt=20),
    Look("book", paper="iso-b5", size_pt=9, gutter_pt=13, margin_pt=40, head="mirrored", numbers="1.1"),
    Look("ruled", ruled=True, gutter_pt=18, figure_label="Fig.", separator=": ", centred_headings=True),
    Look("plain", paper="us-letter", head="none", gutter_pt=12, numbers="", separator=". "),
    Look("tagged", font=_MODERN, tagged=True, wide_abstract=True, gutter_pt=17),
    Look(
        "centred",
        paper="us-letter",
        font=_MODERN,
        size_pt=9,
        centred_headings=True,
        gutter_pt=15,
        head="none",
    ),
    Look("tight", size_pt=9, gutter_pt=11, margin_pt=36, indented=True, wide_abstract=True, bold_labels=True),
    Look("large", paper="us-letter", size_pt=11, gutter_pt=22, wide_abstract=True, figure_label="Fig."),
    Look("slender", paper="iso-b5", font=_MODERN, size_pt=9, gutter_pt=12, margin_pt=36, indented=False),
)
