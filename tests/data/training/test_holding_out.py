"""A validation part shares no source, or no label, with the part that is trained on."""

from __future__ import annotations

from collections import Counter

import datasets
import pytest

from plait.data.training.splitting import held_out
from plait.errors import InputError


def rows(*given):
    """Return a data set of (source, label, document) rows."""
    return datasets.Dataset.from_list(
        [
            {"query": {"text": f"q{k}", "image": ""}, "documents": [{"text": text, "image": ""}],
             "label": label, "grades": [], "teacher": [], "id": str(k), "source": source}
            for k, (source, label, text) in enumerate(given)
        ],
        features=datasets.Features(
            {
                "query": {"text": datasets.Value("string"), "image": datasets.Value("string")},
                "documents": datasets.List(
                    {"text": datasets.Value("string"), "image": datasets.Value("string")}
                ),
                "label": datasets.Value("string"),
                "grades": datasets.List(datasets.Value("float32")),
                "teacher": datasets.List(datasets.Value("float32")),
                "id": datasets.Value("string"),
                "source": datasets.Value("string"),
            }
        ),
    )  # fmt: skip


def test_no_source_is_on_both_sides():
    data = rows(*[(f"s{k % 10}", "", f"d{k}") for k in range(200)])
    train, validation = held_out(data, share=0.3, seed=1)
    assert not set(train["source"]) & set(validation["source"])
    assert len(validation) == 60
    assert sorted([*train["id"], *validation["id"]]) == sorted(data["id"])
    again = held_out(data, share=0.3, seed=1)
    assert (again[0]["id"][:], again[1]["id"][:]) == (train["id"][:], validation["id"][:])
    assert set(held_out(data, share=0.3, seed=2)[1]["source"]) != set(validation["source"])


def test_sources_that_share_a_label_stay_together():
    chain = [
        ("a", "1", "x"),
        ("b", "1", "x"),
        ("b", "2", "x"),
        ("c", "2", "x"),
        ("c", "3", "x"),
        ("d", "3", "x"),
    ]
    alone = [(f"e{k}", f"own {k}", "x") for k in range(4)]
    for seed in range(10):
        train, validation = held_out(rows(*chain, *alone), share=0.4, seed=seed)
        sides = [set(train["source"]), set(validation["source"])]
        assert any(set("abcd") <= side for side in sides)
        assert not set(train["label"]) & set(validation["label"])


def test_no_label_is_on_both_sides_and_without_labels_no_document():
    given = [("s", f"l{k % 7}", f"d{k}") for k in range(70)] + [("s", "", f"d{k % 9}") for k in range(90)]
    train, validation = held_out(rows(*given), share=0.25, by="label", seed=3)
    assert len(validation) == 40
    keys = [{(row["label"] or row["documents"][0]["text"]) for row in side} for side in (train, validation)]
    assert not keys[0] & keys[1]
    assert len(keys[0] | keys[1]) == 16


def test_documents_are_told_apart_by_their_best_grade():
    data = rows(*[("s", "", "same")] * 4)
    graded = data.map(
        lambda row, k: {
            "documents": [{"text": "same", "image": ""}, {"text": f"best {k % 2}", "image": ""}],
            "grades": [1.0, 2.0],
        },
        with_indices=True, load_from_cache_file=False, keep_in_memory=True,
    )  # fmt: skip
    train, validation = held_out(graded, share=0.5, by="label")
    assert (len(train), len(validation)) == (2, 2)
    with pytest.raises(InputError, match="all 4 rows belong together by label"):
        held_out(data, share=0.5, by="label")


def test_a_group_larger_than_the_share_is_passed_over():
    data = rows(*[("large", "", f"d{k}") for k in range(90)], *[(f"s{k}", "", f"e{k}") for k in range(10)])
    for seed in range(5):
        assert "large" not in held_out(data, share=0.1, seed=seed)[1]["source"]
    two = rows(*[("a", "", f"d{k}") for k in range(60)], *[("b", "", f"e{k}") for k in range(40)])
    assert Counter(held_out(two, share=0.1)[1]["source"]) == {"b": 40}


def test_what_cannot_be_held_out_is_an_error():
    one = rows(("s", "", "a"), ("s", "", "b"))
    with pytest.raises(InputError, match=r"all 2 rows belong together by source: .* hold out by label"):
        held_out(one, share=0.5)
    for share in (0, 1, -0.5, 2):
        with pytest.raises(InputError, match="expected more than 0 and less than 1"):
            held_out(one, share=share)
    with pytest.raises(InputError, match="all 0 rows"):
        held_out(one.select([]), share=0.5)
