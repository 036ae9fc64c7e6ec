"""The queries of a report as HTML: asked, expected, and found by A and B."""

from __future__ import annotations

import html
import re
from collections.abc import Iterable, Mapping

from plait.evaluation.compare.cards import Card, Expected
from plait.evaluation.compare.inlined import InlinedPictures
from plait.evaluation.compare.wording import hundredths, signed
from plait.evaluation.stored import Shown

_UNPRINTABLE = re.compile("[\x00-\x08\x0b-\x1f\x7f\ud800-\udfff]")  # not allowed in a page, or not in UTF-8
_SHOWN_PX, _FOUND_PX = 256, 96
_QUESTION, _TITLE, _EXCERPT = 800, 160, 240  # characters


def cards_html(cards: Iterable[Card], documents: Mapping[str, Shown], pictures: InlinedPictures) -> str:
    """Return an article for each card.

    Args:
        documents: id -> what is known of it; others are shown by their ids.
        pictures: makes those that the page holds.
    """
    return "".join(_article(place, card, documents, pictures) for place, card in enumerate(cards))


def words(text: str, length: int = _TITLE) -> str:
    """Return a text for a page: cut, without what a page may not hold, and escaped."""
    cut = text if len(text) <= length else text[: length - 1].rstrip() + "…"
    return html.escape(_UNPRINTABLE.sub("\N{REPLACEMENT CHARACTER}", cut))


def _article(place: int, card: Card, documents: Mapping[str, Shown], pictures: InlinedPictures) -> str:
    change = card.change
    way = "worse" if change.difference < 0 else "better"
    failed = "".join(f'<p class="worse">{words(why, _QUESTION)}</p>' for why in card.failed)
    return (
        f'<article data-place="{place}" data-id="{words(change.query)}" data-kind="{words(change.kind)}">\n'
        f'<header><h3>{words(change.query)}</h3><span class="badge">{words(change.kind)}</span>'
        f'<span class="values">A {hundredths(change.a)} → B {hundredths(change.b)} '
        f'<strong class="{way}">{signed(change.difference)}</strong></span></header>\n'
        f'<div class="parts"><section>{_asked(card, pictures)}{failed}'
        f"{_all_expected(card, documents, pictures)}</section>\n"
        f"{_found('A', card.first_a, card, documents, pictures)}"
        f"{_found('B', card.first_b, card, documents, pictures)}</div></article>\n"
    )


def _asked(card: Card, pictures: InlinedPictures) -> str:
    text = f'<p class="words" dir="auto">{words(card.asked.text, _QUESTION)}</p>' if card.asked.text else ""
    picture = _picture(card.asked.image, "the picture asked with", pictures, side_px=_SHOWN_PX)
    unknown = "" if text or card.asked.image else '<p class="quiet">What it asks was not kept.</p>'
    return f'<div class="asked"><h4>Asked</h4>{picture}{text}{unknown}</div>'


def _all_expected(card: Card, documents: Mapping[str, Shown], pictures: InlinedPictures) -> str:
    shown = "".join(_expected(one, documents.get(one.document), pictures) for one in card.expected)
    more = f'<p class="quiet">and {card.unshown} more</p>' if card.unshown else ""
    return f"<h4>Expected</h4>{shown or '<p>nothing is relevant</p>'}{more}"


def _expected(expected: Expected, shown: Shown | None, pictures: InlinedPictures) -> str:
    ranks = f"A: {_rank(expected.rank_a)}; B: {_rank(expected.rank_b)}"
    picture = _picture(shown.image, "the document expected", pictures, side_px=_SHOWN_PX) if shown else ""
    name = f'<p class="quiet">{words(expected.document)}</p>' if shown and shown.title else ""
    return (
        f'<div class="expected">{picture}<p class="title">{words(_title(expected.document, shown))}</p>'
        f'{name}{_excerpt(shown)}<p class="quiet">{ranks}</p></div>'
    )


def _rank(rank: int | None) -> str:
    return "not found" if rank is None else f"rank {rank}"


def _found(
    side: str, first: tuple[str, ...], card: Card, documents: Mapping[str, Shown], pictures: InlinedPictures
) -> str:
    rows = [
        _row(rank, name, name in card.relevant, documents.get(name), pictures)
        for rank, name in enumerate(first, 1)
    ]
    listed = f'<ol class="found">{"".join(rows)}</ol>' if rows else '<p class="quiet">nothing</p>'
    return f"<section><h4>Found by {side}</h4>{listed}</section>\n"


def _row(rank: int, name: str, relevant: bool, shown: Shown | None, pictures: InlinedPictures) -> str:
    picture = _picture(shown.image, "", pictures, side_px=_FOUND_PX) if shown else ""
    classes = " ".join(
        word for word, holds in (("relevant", relevant), ("bare", not picture.startswith("<img"))) if holds
    )
    check = '<span class="check" title="relevant">✓ </span>' if relevant else ""
    return (
        f'<li class="{classes}" title="{words(name)}"><span class="place">{rank}</span>'
        f"{picture if picture.startswith('<img') else ''}"
        f'<div><p class="title">{check}{words(_title(name, shown))}</p>{_excerpt(shown)}</div></li>'
    )


def _picture(image: str | bytes, what: str, pictures: InlinedPictures, *, side_px: int) -> str:
    """Return a picture as HTML, "" if there is none, a sentence if it cannot be shown."""
    if not image:
        return ""
    uri = pictures.uri(image, side_px=side_px)
    if uri is None:
        return '<p class="quiet">(its picture cannot be shown)</p>'
    return f'<img src="{uri}" alt="{what}">'


def _title(name: str, shown: Shown | None) -> str:
    return shown.title if shown and shown.title else name


def _excerpt(shown: Shown | None) -> str:
    text = " ".join(shown.text.split()) if shown else ""
    return f'<p class="excerpt" dir="auto">{words(text, _EXCERPT)}</p>' if text else ""
