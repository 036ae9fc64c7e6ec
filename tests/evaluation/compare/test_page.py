"""The page: whole in one file, bounded, the same each time, and safe whatever queries and documents say."""

from __future__ import annotations

import base64
import hashlib
import io
import json
import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest
from PIL import Image
from tests.evaluation.compare.conftest import QRELS, RUN_A, RUN_B, run_of
from tests.helpers.stored_results import stored_result

from plait.data.collections.jsonl import read_jsonl
from plait.errors import InputError
from plait.evaluation.compare.cards import cards_of
from plait.evaluation.compare.comparing import Change, Comparison, compare
from plait.evaluation.compare.inlined import InlinedPictures
from plait.evaluation.compare.page import page
from plait.evaluation.compare.page_table import table_html
from plait.evaluation.compare.results import Result, read_results
from plait.evaluation.stored import Asked, Shown

HOSTILE = "<script>alert(1)</script><img src=http://example.org/x.png onerror=alert(2)> \"'& \x00\ud800"


class Seen(HTMLParser):
    """Elements, attributes and words of a page."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    def values(self, tag: str, attribute: str) -> list[str]:
        return [values[attribute] or "" for name, values in self.tags if name == tag and attribute in values]


def _collection(folder: Path) -> Path:
    """Write a collection of nine documents with pictures; its queries ask with pictures too."""
    folder.mkdir()
    for name in ("wide.png", "tall.png"):
        size = (900, 300) if name == "wide.png" else (40, 800)
        Image.new("RGBA", size, (200, 30, 60, 128)).save(folder / name)
    documents = [
        {
            "id": f"d{n}",
            "title": f"Title {n}",
            "segments": [
                {"type": "text", "text": HOSTILE.replace("\ud800", "") if n == 3 else f"Words of {n}."}
            ]
            + ([{"type": "image", "path": "wide.png"}] if n == 1 else []),
        }
        for n in range(1, 10)
    ]
    queries = [
        {
            "id": query,
            "text": HOSTILE.replace("\ud800", "") if query == "q3" else f"text of {query}",
            "kind": kind,
        }
        | ({"image": "tall.png"} if kind == "image" else {})
        for query, kind in zip(QRELS, ("text", "text", "text", "image", "image"), strict=True)
    ]
    for name, rows in (("corpus", documents), ("queries", queries)):
        (folder / f"{name}.jsonl").write_text(
            "".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8"
        )
    judged = [
        (query, document, grade) for query, grades in QRELS.items() for document, grade in grades.items()
    ]
    (folder / "qrels.tsv").write_text("".join(f"{q}\t0\t{d}\t{g}\n" for q, d, g in judged), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def collection(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return _collection(tmp_path_factory.mktemp("shown") / "bench")


@pytest.fixture(scope="module")
def comparison(collection: Path) -> Comparison:
    """A comparison of results made with a collection that is still there."""
    read = read_jsonl(collection)
    folders = [
        stored_result(
            collection.parent / name,
            {name: run_of(run)},
            queries=read.queries,
            qrels=QRELS,
            collection=str(collection),
        )
        for name, run in (("a", RUN_A), ("b", RUN_B))
    ]
    return compare(*read_results([str(folder) for folder in folders]))


@pytest.fixture(scope="module")
def shown(comparison: Comparison) -> Seen:
    return Seen(page(comparison, by="mrr"))


def test_it_asks_nothing_of_any_server(comparison: Comparison) -> None:
    text = page(comparison)
    seen = Seen(text)
    assert seen.values("img", "src")
    assert all(source.startswith("data:image/jpeg;base64,") for source in seen.values("img", "src"))
    assert {tag for tag, _ in seen.tags} & {"link", "iframe", "object", "base", "form", "a"} == set()
    assert "url(" not in text
    (policy,) = [values["content"] or "" for tag, values in seen.tags if "http-equiv" in values]
    assert "default-src 'none'; img-src data:;" in policy
    assert "unsafe" not in policy


def test_its_policy_allows_its_own_style_and_script_and_nothing_inline(comparison: Comparison) -> None:
    text = page(comparison)
    for tag in ("style", "script"):
        (inside,) = re.findall(f"<{tag}>(.*?)</{tag}>", text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{tag}-src 'sha256-{digest}'" in text
    attributes = {name for _, values in Seen(text).tags for name in values}
    assert not [name for name in attributes if name == "style" or name.startswith("on")]


def test_what_a_query_or_a_document_says_is_text(shown: Seen) -> None:
    assert [tag for tag, _ in shown.tags].count("script") == 1
    assert shown.words.count("<script>alert(1)</script>") >= 2  # the query, and a document
    assert "\x00" not in shown.words


def test_each_query_shows_what_was_asked_expected_and_found(shown: Seen) -> None:
    assert shown.values("article", "data-id") == ["q3", "q1", "q5", "q2"]  # losses, then wins
    assert "All 2 losses by mrr" in shown.words
    q1 = shown.words[shown.words.index("text of q1") : shown.words.index("All 2 wins")]
    assert re.findall(r"Title \d", q1) == ["Title 1", "Title 1", "Title 2", "Title 2", "Title 1"]
    assert q1.count("✓") == 2
    assert "A: rank 1; B: rank 2" in q1
    assert "A: not found; B: rank 1" in shown.words[shown.words.index("text of q5") :]


def test_the_best_of_many_relevant_documents_are_shown_and_the_others_counted(comparison: Comparison) -> None:
    grades = {"d1": 1, "d2": 3, "d3": 2, "d4": 1, "d5": 0}
    judgements = replace(comparison.a.judgements, qrels={"q1": grades})
    unknown = replace(judgements, asked={"q1": Asked("q1", "")})  # as a run file's judgements have it
    a, b = replace(comparison.a, judgements=unknown), replace(comparison.b, judgements=judgements)
    (card,) = cards_of(replace(comparison, a=a, b=b), [Change("q1", "text", 1.0, 0.5)])
    assert [(one.document, one.rank_a, one.rank_b) for one in card.expected] == [
        ("d2", 2, 1), ("d3", None, None), ("d1", 1, 2),
    ]  # fmt: skip
    assert (card.unshown, card.relevant) == (1, {"d1", "d2", "d3", "d4"})
    assert card.asked.text == "text of q1"


def test_only_what_stays_significant_after_correction_is_coloured(comparison: Comparison) -> None:
    row = replace(comparison.rows[0], p=0.01, corrected=0.2)
    assert 'class="worse"' not in table_html([row])
    assert 'class="worse"' in table_html([replace(row, corrected=0.03)])


def test_pictures_are_made_small(shown: Seen) -> None:
    sizes = {
        Image.open(io.BytesIO(base64.b64decode(source.partition(",")[2]))).size
        for source in shown.values("img", "src")
    }
    assert sizes == {(256, 85), (96, 32), (13, 256)}  # expected, found, asked with


def test_the_number_of_queries_is_bounded(comparison: Comparison) -> None:
    seen = Seen(page(comparison, by="mrr", losses=1, wins=0))
    assert seen.values("article", "data-id") == ["q3"]
    assert "The 1 greatest of 2 losses by mrr" in seen.words


def test_the_same_comparison_gives_the_same_page(comparison: Comparison) -> None:
    assert page(comparison) == page(comparison)


def test_where_the_collection_is_gone_ids_are_shown_and_it_is_said(
    comparison: Comparison, tmp_path: Path
) -> None:
    def moved(result: Result) -> Result:
        assert result.manifest is not None
        return replace(result, manifest=replace(result.manifest, collection=str(tmp_path / "gone")))

    seen = Seen(page(replace(comparison, a=moved(comparison.a), b=moved(comparison.b)), by="mrr"))
    assert "Title" not in seen.words
    assert "3 of 3 documents below could not be looked up: they are shown by their ids" in seen.words


def test_what_results_kept_needs_no_collection(comparison: Comparison) -> None:
    assert comparison.a.manifest is not None
    nowhere = replace(comparison.a.manifest, collection="gone:nowhere")
    documents = {f"d{n}": Shown(f"d{n}", f"Kept {n}") for n in range(1, 5)}
    a = replace(comparison.a, manifest=nowhere, documents=documents)
    seen = Seen(page(replace(comparison, a=a, b=replace(comparison.b, manifest=nowhere)), by="mrr"))
    assert "Kept 1" in seen.words
    assert "could not be looked up" not in seen.words


def test_pictures_that_are_gone_or_damaged_are_counted(tmp_path: Path) -> None:
    pictures = InlinedPictures()
    (tmp_path / "bad.png").write_bytes(b"\x89PNG\r\n\x1a\n")
    assert pictures.uri(str(tmp_path / "bad.png"), side_px=64) is None
    assert pictures.uri(str(tmp_path / "none.png"), side_px=64) is None
    assert pictures.uri(str(tmp_path / "none.png"), side_px=64) is None
    assert pictures.uri(b"no picture", side_px=64) is None
    assert (pictures.unreadable, pictures.left_out) == (3, 0)


def test_pictures_stop_where_the_page_is_full(collection: Path) -> None:
    pictures = InlinedPictures(max_bytes=3000)
    made = [pictures.uri(str(collection / "wide.png"), side_px=side) for side in range(64, 96)]
    whole = [uri for uri in made if uri]
    assert whole
    assert sum(map(len, whole)) <= 3000
    assert pictures.left_out == made.count(None) > 0


def test_an_order_by_what_was_not_compared_is_refused(comparison: Comparison) -> None:
    with pytest.raises(InputError, match="no measure 'map' was compared: there are success@1, ndcg@10, mrr"):
        page(comparison, by="map")
