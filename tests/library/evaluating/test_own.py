"""A library that is asked by its own documents: nothing of it changes, and the copy is what it says."""

from __future__ import annotations

import json
import re
from dataclasses import replace
from hashlib import sha256
from pathlib import Path

import numpy as np
import pytest
from tests.helpers.own_units import document
from tests.helpers.tiny_encoder import TEXT, TinyEncoder

from plait import Library, Query
from plait.data.collections.jsonl import read_jsonl
from plait.data.segmenting import units
from plait.errors import InputError
from plait.evaluation.questions import KINDS
from plait.evaluation.stored import load, save
from plait.library.evaluating.own import OwnOptions, evaluate_own
from plait.library.evaluating.own_collection import document_of, write_collection
from plait.library.evaluating.own_copy import IndexCopy
from plait.library.evaluating.own_report import recommendation_text, to_dict, to_text
from plait.schema import Passage, Unit
from plait.scoring.vectors import QueryVectors, UnitVectors, VectorField
from plait.settings import Settings

OPTIONS = OwnOptions(count=4)
DOCUMENTS = 24


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("library")
    with Library(folder, encoder=TinyEncoder()) as library:
        library.add_documents([document(folder, number) for number in range(DOCUMENTS)])
    return folder


@pytest.fixture
def library(folder):
    with Library(folder, encoder=TinyEncoder(), create=False) as library:
        yield library


@pytest.fixture(scope="module")
def own(folder):
    with Library(folder, encoder=TinyEncoder(), create=False) as library:
        return evaluate_own(library, OPTIONS)


def bytes_of(folder: Path) -> dict[str, str]:
    found = sorted(path for path in (folder / ".plait").rglob("*") if path.is_file())
    return {str(path): sha256(path.read_bytes()).hexdigest() for path in found}


def test_no_byte_of_the_library_changes(folder, library):
    before = bytes_of(folder)
    assert len(before) > 10
    evaluate_own(library, OPTIONS)
    assert bytes_of(folder) == before


def test_every_system_answers_every_kind_it_is_made_for(own):
    evaluation = own.evaluation
    assert list(evaluation.systems) == [
        "plait's default",
        "BM25",
        "text backbone",
        "image features",
        "score sum",
        "rank fusion",
        "image_tokens alone",
    ]
    assert [kind.kind for kind in evaluation.model.kinds] == [*KINDS, "all"]
    assert evaluation.model.of("figure").values["mrr"].mean > 0.9  # colours survive the edit
    assert evaluation.systems["BM25"].of("figure").values == {}
    assert evaluation.systems["image features"].of("sentence").values == {}
    assert evaluation.model.of("figure+sentence").values["mrr"].mean < 0.5  # neither is left to be found


def test_the_same_seed_gives_the_same_numbers(own, library):
    again = evaluate_own(library, OPTIONS)
    assert again.questions == own.questions
    assert again.recommendation == own.recommendation
    assert {name: report.per_query for name, report in again.evaluation.systems.items()} == {
        name: report.per_query for name, report in own.evaluation.systems.items()
    }
    assert again.evaluation.manifest.collection_fingerprint == own.evaluation.manifest.collection_fingerprint
    other = evaluate_own(library, OwnOptions(count=4, seed=1))
    assert other.evaluation.manifest.collection_fingerprint != own.evaluation.manifest.collection_fingerprint


@pytest.mark.parametrize("exact_mb", [64, 0], ids=["in memory", "scanned"])
def test_a_copy_without_changes_scores_as_the_library_does(folder, own, exact_mb):
    rows = np.arange(3, 2 * DOCUMENTS - 1)
    settings = Settings(exact_mb=exact_mb)
    with Library(folder, settings=settings, encoder=TinyEncoder(), create=False) as library:
        searcher = library.searcher()
        copy = IndexCopy.of(searcher, "float16", rows, [list(library.units())[row] for row in rows], {})
        for question in own.questions.asked:
            query = question.labelled.query
            scores, expected = copy.scores(query), searcher.scores(query)
            assert scores.keys() == expected.keys()
            for lane in expected.keys() - {"bm25"}:  # whose statistics are those of the copy's units
                np.testing.assert_allclose(scores[lane], expected[lane][rows], rtol=1e-6, err_msg=lane)


@pytest.mark.parametrize("vectors", ["float16", "pooled"])
def test_a_changed_copy_scores_as_a_library_of_the_changed_documents(tmp_path, vectors):
    documents = [document(tmp_path, number) for number in range(4)]
    changed = replace(
        documents[1], segments=(replace(documents[1].segments[0], text="Other words now stand here."),)
    )
    (left,) = units(changed)
    found = {}
    for name, content in (("before", documents), ("after", [documents[0], changed, *documents[2:]])):
        with Library(tmp_path / name, encoder=TinyEncoder(), settings=Settings(vectors=vectors)) as library:
            library.add_documents(content)
            query = Query.of("other workshop words", image=documents[2].segments[1].picture.path)
            if name == "after":
                found[name] = library.searcher().scores(query)
                continue
            rows = np.array([0, 1, 2, 4, 5, 6, 7])  # the changed document has one unit now
            whole = [unit for row, unit in enumerate(library.units()) if row in rows]
            found[name] = IndexCopy.of(library.searcher(), vectors, rows, whole, {left.id: left}).scores(
                query
            )
    for lane, expected in found["after"].items():
        np.testing.assert_allclose(found["before"][lane], expected, rtol=1e-6, err_msg=lane)


def test_a_large_library_is_asked_in_part(library):
    part = evaluate_own(library, OwnOptions(count=4, units=11))
    assert part.looked_at == {"documents": 5, "units": 10, "of documents": 24, "of units": 48}
    assert len(part.units) == 10
    assert "5 of 24 documents, 10 of 48 sections and pages (21 %)" in to_text(part)
    assert part.grouped_by == "stretch"
    assert "expected 40 from 20 or more" in part.recommendation.reason


def test_few_documents_are_halved_by_stretches_of_them(own):
    part = replace(own, grouped_by="stretch", recommendation=replace(own.recommendation, tried=60))
    assert "documents are few" in to_text(part)
    assert "documents are few" not in to_text(own)


def test_what_a_library_is_set_to_is_what_is_evaluated(folder):
    settings = Settings(method="rrf", lane_weights={"bm25": 2.0})
    with Library(folder, settings=settings, encoder=TinyEncoder(), create=False) as library:
        own = evaluate_own(library, OPTIONS)
    names = list(own.evaluation.systems)
    assert names[:2] == ["as set: rrf, bm25 x 2", "plait's default"]
    assert own.evaluation.manifest.options["search"] == "rrf, bm25 x 2"


@pytest.mark.parametrize(
    ("wrong", "message"),
    [({"lane_weights": {"ret": 1.0}}, "unknown lane ret"), ({"method": "best"}, "'best'")],
)
def test_settings_that_no_search_takes_are_refused_before_the_work(folder, wrong, message):
    encoder, settings = TinyEncoder(), Settings(**wrong)
    with (
        Library(folder, settings=settings, encoder=encoder, create=False) as library,
        pytest.raises(InputError, match=message),
    ):
        evaluate_own(library, OPTIONS)


class TextEncoder(TinyEncoder):
    """Words alone."""

    def encode_units(self, units):
        return [UnitVectors({"text": unit.fields["text"]}) for unit in super().encode_units(units)]


def test_a_model_that_reads_only_text_is_not_shown_pictures(tmp_path):
    encoder = TextEncoder(fields=(TEXT,))
    with Library(tmp_path / "text", encoder=encoder) as library:
        library.add_documents([document(tmp_path, number) for number in range(4)])
        own = evaluate_own(library, OwnOptions(count=2))
        with pytest.raises(InputError, match="tiny reads no pictures"):
            evaluate_own(library, OwnOptions(kinds=["figure"]))
    assert {question.kind for question in own.questions.asked} == {"sentence", "caption", "title"}
    assert own.questions.short["figure+heading"] == "tiny reads no pictures"


class JointEncoder(TinyEncoder):
    """One field for both sides, as ReT has; it reads the words of both."""

    def encode_units(self, units):
        return [UnitVectors({"ret": unit.fields["text"]}) for unit in super().encode_units(units)]

    def encode_query(self, query):
        vectors = super().encode_query(query).fields.get("text", np.zeros((1, 1, TEXT.width), np.float32))
        return QueryVectors({"ret": vectors}, {"ret": np.ones(1, np.float32)})


def test_beside_a_model_of_one_lane_stand_the_baselines_of_the_default_model(tmp_path):
    documents = [document(tmp_path, number) for number in range(8)]
    joint = JointEncoder(fields=(VectorField("ret", TEXT.width, 1, "unit", "joint"),))
    found = {}
    for name, encoder, baselines in (("joint", joint, True), ("alone", joint, False), ("mini", None, True)):
        with Library(tmp_path / name, encoder=encoder) as library:
            library.add_documents(documents)
            found[name] = evaluate_own(library, OwnOptions(count=3, baselines=baselines)).evaluation.systems
    assert list(found["alone"]) == ["plait's default", "BM25", "ret alone"]
    assert {*found["joint"]} - {*found["alone"]} == {
        "text backbone", "image features", "score sum", "rank fusion"
    }  # fmt: skip
    for name in found["alone"]:  # what the library's own search says is not changed by what stands beside it
        assert found["joint"][name].run == found["alone"][name].run
    for name in ("text backbone", "image features", "score sum", "rank fusion"):
        assert found["joint"][name].per_query == found["mini"][name].per_query


def test_a_library_with_nothing_to_ask_says_why(tmp_path):
    with Library(tmp_path, encoder=TinyEncoder()) as library:
        library.add_documents([replace(document(tmp_path, 1), segments=document(tmp_path, 1).segments[1:2])])
        with pytest.raises(InputError, match="sentence: no unit has a sentence of 6 to 60 words"):
            evaluate_own(library, OwnOptions(kinds=["sentence"]))
        library.remove(["doc01"])
        with pytest.raises(InputError, match="holds no documents to ask: run  plait add"):
            evaluate_own(library)
    with pytest.raises(InputError, match="at least 1, got 0"):
        OwnOptions(units=0)


def test_a_result_is_stored_and_read_again(own, tmp_path):
    stored = load(save(own.evaluation, tmp_path / "result"))
    assert list(stored.systems) == list(own.evaluation.systems)
    assert stored.model.per_query == own.evaluation.model.per_query
    assert {name for grades in stored.qrels.values() for name in grades} <= set(stored.documents)


def test_the_questions_are_written_as_a_collection_that_holds_what_the_copy_held(own, tmp_path):
    write_collection(own, tmp_path / "collection")
    collection = read_jsonl(tmp_path / "collection")
    assert collection.qrels == own.questions.qrels
    assert [query.kind for query in collection.queries] == [question.kind for question in own.questions.asked]
    documents = {document.id: document for document in collection.documents()}
    for unit in own.units:
        (cut,) = units(documents[unit.id])
        assert cut.title == unit.title
        assert cut.section == unit.section
        assert " ".join(passage.text for passage in cut.passages) == " ".join(p.text for p in unit.passages)
        assert [figure.caption for figure in cut.figures] == [figure.caption for figure in unit.figures]
    with pytest.raises(InputError, match="is there already"):
        write_collection(own, tmp_path / "collection")


def test_a_sentence_that_two_passages_share_is_written_once():
    shared = Unit("a:0", "a", 0, "A", passages=(Passage("One is. Two are."), Passage("Two are. Three be.")))
    assert [segment.text for segment in document_of(shared).segments] == ["One is. Two are.", "Three be."]


def test_the_report_names_every_kind_and_what_to_do(own):
    text = to_text(own)
    _, kinds, questions, *systems = text.split("\n\n")[1].splitlines()
    assert kinds.split() == [*KINDS, "all"]
    assert questions.split() == ["questions", *["4"] * 6, "24"]
    assert [line.split("  ")[0] for line in systems] == list(own.evaluation.systems)
    of_bm25 = re.split(" {2,}", systems[1])[1:]
    assert [cell == "-" for cell in of_bm25] == [kind == "figure" for kind in (*KINDS, "all")]
    assert text.rstrip().endswith(recommendation_text(own.recommendation))
    values = json.loads(json.dumps(to_dict(own), default=str))
    assert values["looked_at"]["units"] == 2 * DOCUMENTS
    assert values["recommendation"]["tried"] == own.recommendation.tried
