"""A comparison as one HTML file, for a person: it opens offline and asks nothing of any server."""

from __future__ import annotations

import base64
import hashlib
from collections.abc import Iterable, Sequence
from pathlib import Path

from plait.evaluation.compare.cards import Card, cards_of
from plait.evaluation.compare.comparing import Comparison
from plait.evaluation.compare.gates import Verdict
from plait.evaluation.compare.inlined import InlinedPictures
from plait.evaluation.compare.looking_up import look_up
from plait.evaluation.compare.page_cards import cards_html, words
from plait.evaluation.compare.page_table import table_html
from plait.evaluation.compare.results import Result


def page(
    comparison: Comparison,
    *,
    by: str = "",
    losses: int = 25,
    wins: int = 10,
    verdicts: Sequence[Verdict] = (),
    collection: str | Path = "",
) -> str:
    """Return the HTML page of a comparison: its table, and the queries that lost and won most.

    The same comparison gives the same page. Pictures are small JPEGs inside it; a policy in its head keeps
    a browser from asking for anything, and from running what a query or a document says.

    Args:
        by: the measure that puts queries in order, as `Comparison.ordered_by` takes it.
        losses, wins: how many queries it shows.
        verdicts: thresholds, to show whether they were met.
        collection: a folder to look into for documents; see `look_up`.

    Raises:
        InputError: the comparison has no measure of that name.
    """
    by = comparison.ordered_by(by)
    lost, won = comparison.losses(by), comparison.wins(by)
    shown = (cards_of(comparison, lost[:losses]), cards_of(comparison, won[:wins]))
    ids = {name for cards in shown for card in cards for name in card.documents}
    documents, gone = look_up(ids, (comparison.a, comparison.b), collection=collection)
    pictures = InlinedPictures()
    lists = [
        _list(title, by, cards, of, cards_html(cards, documents, pictures))
        for title, cards, of in (("losses", shown[0], len(lost)), ("wins", shown[1], len(won)))
    ]
    unknown = len(ids - documents.keys())
    remarks = [*comparison.remarks, *gone, *_of_documents(unknown, len(ids)), *_of_pictures(pictures)]
    above = (_header(comparison), _remarks(remarks), _verdicts(verdicts), table_html(comparison.rows))
    return _document(
        f"{comparison.b.name} against {comparison.a.name}", "".join((*above, _choices(shown), *lists))
    )


def _header(comparison: Comparison) -> str:
    sides = "".join(
        f"<dt>{letter}</dt><dd>{words(result.name)} {_origin(result)}</dd>"
        for letter, result in (("A", comparison.a), ("B", comparison.b))
    )
    count = len(comparison.pairing.queries)
    return (
        f'<h1>What B changes against A</h1>\n<dl class="sides">{sides}</dl>\n'
        f'<p class="quiet">{count} queries. Values in hundredths; differences are B − A.</p>\n'
    )


def _origin(result: Result) -> str:
    manifest = result.manifest
    if manifest is None:
        return ""
    return f'<span class="quiet">({words(manifest.model)} on {words(manifest.collection)})</span>'


def _remarks(remarks: Sequence[str]) -> str:
    listed = "".join(f"<li>{words(remark, 600)}</li>" for remark in remarks)
    return f'<ul class="remarks">{listed}</ul>\n' if listed else ""


def _verdicts(verdicts: Sequence[Verdict]) -> str:
    rows = "".join(
        f'<li class="{"better" if verdict.met else "worse"}">{"met" if verdict.met else "NOT MET"}: '
        f"{words(verdict.message, 600)}</li>"
        for verdict in verdicts
    )
    return f'<h2>Thresholds</h2>\n<ul class="remarks">{rows}</ul>\n' if rows else ""


def _choices(cards: Iterable[Sequence[Card]]) -> str:
    """Return the controls, which the script shows: without it they would do nothing."""
    kinds = dict.fromkeys(card.change.kind for of_list in cards for card in of_list)
    options = "".join(f'<option value="{words(kind)}">{words(kind)}</option>' for kind in kinds)
    return (
        '<div id="choose" hidden><label>Kind <select id="kind"><option value="">all</option>'
        f'{options}</select></label> <label>Order <select id="order"><option value="change">greatest change '
        'first</option><option value="id">by name</option></select></label></div>\n'
    )


def _list(title: str, by: str, cards: Sequence[Card], count: int, articles: str) -> str:
    if not count:
        return f"<h2>No {title} by {words(by)}</h2>\n"
    which = f"The {len(cards)} greatest of {count}" if len(cards) < count else f"All {count}"
    return f'<h2>{which} {title} by {words(by)}</h2>\n<div class="cards">\n{articles}</div>\n'


def _of_documents(unknown: int, shown: int) -> list[str]:
    if not unknown:
        return []
    return [f"{unknown} of {shown} documents below could not be looked up: they are shown by their ids"]


def _of_pictures(pictures: InlinedPictures) -> list[str]:
    counts = (
        (pictures.unreadable, "cannot be read any more"),
        (pictures.left_out, "would make this page too large"),
    )
    return [f"{count} pictures {why}" for count, why in counts if count]


def _document(title: str, body: str) -> str:
    style, script = (Path(__file__).with_name(f"page.{kind}").read_text("utf-8") for kind in ("css", "js"))
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'; "
        "base-uri 'none'; form-action 'none'"
    )
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{policy}">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{words(title)}</title>\n<style>{style}</style>\n</head>\n<body>\n<main>\n{body}"
        "<footer>Made by plait eval compare. p: paired randomisation test; Holm: the same, corrected for all "
        f"rows of the table.</footer>\n</main>\n<script>{script}</script>\n</body>\n</html>\n"
    )


def _digest(text: str) -> str:
    """Return a source expression that allows this very text, and no other."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
