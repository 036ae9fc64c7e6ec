"""A chart of an Office file as the table it was drawn from."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from xml.etree.ElementTree import Element

from plait.data.readers.office.office_package import local

_MOST_POINTS = 5_000
_MOST_SERIES = 200
_LONGEST_NUMBER_CHARACTERS = 30


@dataclass(frozen=True, slots=True)
class Chart:
    """What a chart shows.

    Attributes:
        title: "" if it has none.
        rows: the names of its series, then a row for each category.
    """

    title: str
    rows: tuple[tuple[str, ...], ...]


def chart_of(root: Element) -> Chart:
    """Return the title and the values of a chart, given the root of its part.

    A chart stores the values that it was last drawn with, so the workbook behind it is not read. Of
    points and series only the first few thousand are kept.
    """
    series = [_Series.of(element) for element in _below(root, "ser")][:_MOST_SERIES]
    places = sorted({place for one in series for place in (*one.categories, *one.values)})[:_MOST_POINTS]
    rows = [("", *(one.name for one in series))] if series else []
    for place in places:
        category = next((one.categories[place] for one in series if place in one.categories), str(place + 1))
        rows.append((category, *(one.values.get(place, "") for one in series)))
    return Chart(_title(root), tuple(rows) if places else ())


@dataclass(frozen=True, slots=True)
class _Series:
    """One series: its values, and what they are values of, by the place of each point."""

    name: str
    categories: dict[int, str]
    values: dict[int, str]

    @classmethod
    def of(cls, element: Element) -> _Series:
        parts = {local(child.tag): child for child in element}
        name = _points(parts.get("tx"))
        plain = " ".join((e.text or "") for e in parts["tx"] if local(e.tag) == "v") if "tx" in parts else ""
        return cls(
            " ".join(name.values()) or plain,
            _points(parts.get("cat", parts.get("xVal"))),
            {i: _number(text) for i, text in _points(parts.get("val", parts.get("yVal"))).items()},
        )


def _points(parent: Element | None) -> dict[int, str]:
    """Return the texts of the points below an element, by their places; of several levels the innermost."""
    found: dict[int, str] = {}
    for point in _below(parent, "pt") if parent is not None else ():
        place = point.get("idx", "")
        text = " ".join(" ".join(e.text or "" for e in point if local(e.tag) == "v").split())
        if place.isascii() and place.isdigit() and len(place) < 8 and len(found) < _MOST_POINTS:
            found.setdefault(int(place), text)
    return found


def _number(text: str) -> str:
    """Return a stored number without the digits that only binary fractions bring."""
    try:
        return format(float(text), ".10g") if len(text) <= _LONGEST_NUMBER_CHARACTERS else text
    except ValueError:
        return text


def _title(root: Element) -> str:
    chart = next(_below(root, "chart"), root)
    title = next((child for child in chart if local(child.tag) == "title"), None)
    return " ".join("".join(e.text or "" for e in _below(title, "t")).split()) if title is not None else ""


def _below(root: Element, name: str) -> Iterator[Element]:
    return (element for element in root.iter() if local(element.tag) == name)
