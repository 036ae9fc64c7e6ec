"""Held-out queries: who answers them, and the numbers that measures give, worked out by hand."""

from __future__ import annotations

import pytest
import torch
from tests.helpers.tiny_ret import tiny_model, tiny_processor

from plait.data.training.examples import Side
from plait.encode.st import RetMultiVectorEncoder, RetSentenceTransformer
from plait.errors import InputError
from plait.scoring.maxsim import maxsim
from plait.train import evaluating
from plait.train.evaluating import HeldOut, RetrievalEvaluator, held_out_of


def row(query, *documents, label="", grades=()):
    sides = [query if isinstance(query, dict) else {"text": query, "image": ""}]
    sides += [{"text": text, "image": ""} for text in documents]
    return {"query": sides[0], "documents": sides[1:], "label": label, "grades": list(grades)}


def answers(held_out, query):
    grades = held_out.qrels[f"q{query:08}"]
    return {held_out.documents[name].text: grade for name, grade in grades.items()}


def test_documents_of_all_rows_are_asked_each_once():
    held_out = held_out_of([row("a", "left", "red"), row("b", "red", "blue", "left")])
    assert sorted(side.text for side in held_out.documents.values()) == ["blue", "left", "red"]
    assert [answers(held_out, k) for k in (0, 1)] == [{"left": 1.0}, {"red": 1.0}]


def test_rows_of_a_label_share_their_answers_and_grades_are_kept():
    rows = [row("a", "left", label="x"), row("b", "red", "blue", label="x"), row("c", "blue", "red")]
    rows.append(row("d", "left", "red", "blue", grades=(0, 2, 1)))
    held_out = held_out_of(rows)
    assert answers(held_out, 0) == answers(held_out, 1) == {"left": 1.0, "red": 1.0}
    assert answers(held_out, 2) == {"blue": 1.0}
    assert answers(held_out, 3) == {"red": 2.0, "blue": 1.0}


class Fixed:
    """An encoder whose vectors are given."""

    def __init__(self, vectors):
        self.vectors = vectors

    def encode_query(self, inputs, **_):
        return [torch.tensor(self.vectors[one.get("text", "picture")]) for one in inputs]

    encode_document = encode_query


def test_metrics_are_means_over_queries_kinds_and_the_kinds_of_kinds():
    vectors = {"near": [1.0, 0.0], "middle": [0.6, 0.8], "far": [0.0, 1.0]}
    vectors |= {"a": [1.0, 0.0], "b": [1.0, 0.0], "picture": [0.0, 1.0]}  # ranked near, middle, far; far, ...
    rows = [row("a", "near", "middle"), row("b", "middle"), row({"text": "", "image": "p.png"}, "far")]
    evaluate = RetrievalEvaluator(held_out_of(rows), metric="validation_mrr", measures=("mrr", "success@1"))
    found = evaluate(Fixed(vectors))
    assert found == {
        "validation_mrr": pytest.approx((1 + 1 / 2 + 1) / 3),
        "validation_success@1": pytest.approx(2 / 3),
        "validation_text_mrr": pytest.approx(3 / 4),
        "validation_text_success@1": pytest.approx(1 / 2),
        "validation_image_mrr": pytest.approx(1),
        "validation_image_success@1": pytest.approx(1),
        "validation_macro_mrr": pytest.approx(7 / 8),
        "validation_macro_success@1": pytest.approx(3 / 4),
    }
    assert list(found) != evaluate.metrics  # in another order,
    assert sorted(found) == sorted(evaluate.metrics)  # but the same


def test_one_kind_has_no_metrics_of_kinds():
    evaluate = RetrievalEvaluator(held_out_of([row("a", "b")]), metric="validation_mrr", measures=("mrr",))
    assert evaluate.metrics == ["validation_mrr"]


def test_equal_scores_flatter_no_order():
    rows = [row(f"query {k}", f"document {k:02}") for k in range(20)]
    same = {one: [1.0, 0.0] for k in range(20) for one in (f"query {k}", f"document {k:02}")}
    evaluate = RetrievalEvaluator(held_out_of(rows), metric="validation_success@1", measures=("success@1",))
    assert evaluate(Fixed(same))["validation_success@1"] == pytest.approx(1 / 20)


@pytest.mark.parametrize("pooled", [False, True], ids=["token vectors", "single vectors"])
@pytest.mark.parametrize("room", [1, 2**24], ids=["a query at a time", "all at once"])
def test_scores_are_those_of_the_model_in_any_blocks(monkeypatch, pooled, room):
    monkeypatch.setattr(evaluating, "_SIMILARITIES", room)
    kind = RetSentenceTransformer if pooled else RetMultiVectorEncoder
    encoder = kind.from_ret(tiny_model(pooled=pooled), tiny_processor(), device="cpu")
    words = ("red square", "blue circle", "green paper", "turn left")
    held_out = held_out_of([row(f"the {one}", one) for one in words])
    evaluate = RetrievalEvaluator(held_out, metric="validation_mrr", measures=("mrr",), batch_size=3)
    run = evaluate._run(encoder)
    queries = encoder.encode_query([f"the {one}" for one in words], convert_to_numpy=False)
    documents = encoder.encode_document(
        [side.text for side in held_out.documents.values()], convert_to_numpy=False
    )
    queries, documents = torch.stack(list(queries)), torch.stack(list(documents))
    expected = queries @ documents.T if pooled else maxsim(queries, documents)
    for scores, (query, answer) in zip(expected.tolist(), run.items(), strict=True):
        assert answer == pytest.approx(dict(zip(held_out.documents, scores, strict=True)), abs=1e-6), query


def test_token_vectors_of_unlike_numbers_are_compared_without_their_padding():
    one, two = torch.tensor([[1.0, 0.0]]), torch.tensor([[-1.0, 0.0], [0.0, 1.0]])
    best, places = evaluating._best([one], [two, -one], several=True, count=2)
    assert best.tolist() == [[0.0, -1.0]]  # padding of the second, all zeros, would score 0
    assert places.tolist() == [[0, 1]]


@pytest.mark.parametrize(
    ("held_out", "options", "said"),
    [
        (
            HeldOut({}, {}, {}),
            {"metric": "validation_mrr", "measures": ("mrr",)},
            "validation holds no query",
        ),
        (None, {"metric": "validation_mrr", "measures": ("mrp",)}, "unknown measure 'mrp'"),
        (None, {"metric": "mrr", "measures": ("mrr",)}, "'mrr' is not measured: use one of validation_mrr"),
    ],
)
def test_what_cannot_be_measured_is_refused(held_out, options, said):
    held_out = held_out or HeldOut({"q": Side("a")}, {"d": Side("b")}, {"q": {"d": 1}})
    with pytest.raises(InputError, match=said):
        RetrievalEvaluator(held_out, **options)
