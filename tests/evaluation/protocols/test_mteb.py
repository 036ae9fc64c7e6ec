"""mteb's own protocol on tiny tasks: hand-worked scores, every picture accounted for, clear refusals."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from mteb.abstasks import retrieval_dataset_loaders as loaders
from tests.helpers.mteb_tasks import colour_of, given_tokens, picture, retrieval_task, sts_task
from tests.helpers.sentence_models import given_model
from tests.helpers.tiny_encoder import TinyEncoder
from tests.helpers.tiny_ret import save_tiny_checkpoint

from plait.errors import InputError, ModelError
from plait.evaluation.evaluate import MEASURES
from plait.evaluation.measures import per_query
from plait.evaluation.protocols.mteb import model_of, run
from plait.evaluation.protocols.mteb_cache import seen_without_the_hub
from plait.evaluation.protocols.mteb_models import wrapped
from plait.evaluation.protocols.mteb_search import SearchModel
from plait.evaluation.stored import load
from plait.index.bm25 import Bm25
from plait.index.lexical import term_counts
from plait.library import Library
from plait.schema import Document, Query, Segment
from plait.scoring.maxsim import maxsim

VECTORS = {"east": (1.0, 0.0), "north": (0.0, 1.0), "slant": (0.6, 0.8)}
COLOUR_VECTORS = {"red": (1.0, 0.0, 0.0), "green": (0.0, 1.0, 0.0), "blue": (0.0, 0.0, 1.0)}
PAIR = ("image", "text")

# "1" finds b, a, c and wants a; "2" finds c, a, b and wants b and c.
WORDS = retrieval_task(
    "t2t",
    {"1": ("east", None), "2": ("north", None)},
    {"a": ("slant", None), "b": ("east", None), "c": ("north", None)},
    {"1": {"a": 1}, "2": {"b": 1, "c": 1}},
)
PICTURES = retrieval_task(
    "t2i",
    {"1": ("red", None), "2": ("blue", None)},
    {"a": (None, "green"), "b": (None, "blue"), "c": (None, "red")},
    {"1": {"c": 1}, "2": {"b": 1}},
    name="TinyPictures",
)
BOTH = retrieval_task(
    "it2it",
    {"1": ("red", "red"), "2": (None, "blue"), "3": ("green", None)},
    {"a": ("red", None), "b": ("green", "blue"), "c": (None, "green")},
    {"1": {"a": 1}, "2": {"b": 1}, "3": {"c": 1}},
    name="TinyBoth",
)


def words_only(*, reads=("text",)):
    return given_model(*reads, answer=lambda text: VECTORS.get(text, (0.0, 0.0)))


def colours(*reads, blind=False):
    """Return a model for which a colour is the same in words and in pictures; one that is blind sees red."""

    def answer(given):
        text, image = given.get("text"), given.get("image")
        seen = [text] if text else []
        seen += [] if image is None else ["red" if blind else colour_of(image)]
        vectors = [COLOUR_VECTORS.get(one, (0.0, 0.0, 0.0)) for one in seen]
        return [sum(of) / len(seen) for of in zip(*vectors, strict=True)]

    return given_model(*(reads or ("text", "image", PAIR)), answer=answer)


def asked(encoder, task, **options):
    return run([task()], wrapped(encoder, name="told", revision="1", **options), **options)


def value(outcome, name="ndcg_at_10"):
    return next(one for one in outcome.scores if one.system == outcome.model).values[name]


def kinds_given(encoder):
    return sorted("+".join(sorted(one)) for one in encoder[0].given if isinstance(one, dict))


def report_of(outcome):
    ((_, evaluation),) = outcome.evaluations.items()
    return evaluation.model


def test_scores_of_words_are_those_worked_out_by_hand_and_plaits_own():
    outcome = asked(words_only(), WORDS)
    first, second = 1 / math.log2(3), (1 + 1 / math.log2(4)) / (1 + 1 / math.log2(3))
    assert value(outcome) == pytest.approx((first + second) / 2, abs=1e-5)  # mteb keeps five digits
    assert (value(outcome, "recall_at_1"), value(outcome, "hit_rate_at_1")) == (0.25, 0.5)
    assert value(outcome, "mrr_at_10") == 0.75
    report = report_of(outcome)
    assert report.per_query["1"]["ndcg@10"] == pytest.approx(first, abs=1e-9)
    assert report.per_query["2"]["ndcg@10"] == pytest.approx(second, abs=1e-9)
    assert report.run["1"] == pytest.approx({"a": 0.6, "b": 1, "c": 0}, abs=1e-6)


def test_a_model_that_sees_pictures_scores_otherwise_than_one_that_does_not():
    sees = colours()
    outcome = asked(sees, PICTURES)
    assert value(outcome) == 1
    assert [kind for kind in kinds_given(sees) if "image" in kind] == ["image"] * 3
    assert outcome.reading["TinyPictures"]["pictures"] == {"document": 3}
    # All documents are red to it: equal scores, which trec_eval ranks c, b, a.
    assert value(asked(colours(blind=True), PICTURES)) == pytest.approx((1 + 1 / math.log2(3)) / 2, abs=1e-5)


def test_an_item_of_both_goes_in_as_both_and_one_that_lacks_either_alone():
    encoder = colours()
    outcome = asked(encoder, BOTH)
    trial = ["text"]
    assert kinds_given(encoder) == sorted(trial + ["image+text"] * 2 + ["image"] * 2 + ["text"] * 2)
    assert outcome.reading["TinyBoth"]["pictures"] == {"document": 2, "query": 2}
    third = 1 / math.sqrt(2)  # of "green" with green words under a blue picture, below c's picture of green
    assert report_of(outcome).run["3"] == pytest.approx({"a": 0, "b": third, "c": 1}, abs=1e-6)
    assert value(outcome) == 1


def test_token_vectors_are_compared_by_maxsim_whatever_a_longer_neighbour_is_padded_with():
    tokens = {
        "ask": [(1.0, 0.0), (0.0, 1.0)],
        "short": [(-0.6, -0.8)],  # best similarities -0.6 and -0.8: padding with zeros would make them 0
        "long": [(-0.8, 0.6), (-1.0, 0.0), (-0.6, 0.8)],  # -0.6 and 0.8
    }
    encoder = given_tokens("text", answer=lambda text: tokens.get(text, [(1.0, 0.0)]))
    task = retrieval_task(
        "t2t", {"1": ("ask", None)}, {"a": ("short", None), "b": ("long", None)}, {"1": {"a": 1}}
    )
    outcome = asked(encoder, task)
    assert report_of(outcome).run["1"] == pytest.approx({"a": -1.4, "b": 0.2}, abs=1e-6)
    assert value(outcome) == pytest.approx(1 / math.log2(3), abs=1e-5)


@pytest.mark.parametrize("pooled", [False, True])
def test_a_stored_ret_is_asked_as_one_by_one_through_its_own_heads(tmp_path, pooled):
    folder = save_tiny_checkpoint(tmp_path / "ret", pooled=pooled)
    outcome = run([BOTH()], str(folder), device="cpu", batch_size=2)
    model = model_of(str(folder), device="cpu")
    encoder = model.encoding.encoder
    rows = {"1": {"text": "red", "image": picture("red")}, "2": {"image": picture("blue")}}
    rows |= {"3": {"text": "green"}}
    corpus = {"a": {"text": "red"}, "b": {"text": "green", "image": picture("blue")}}
    corpus |= {"c": {"image": picture("green")}}
    expected = {}
    for query, given in rows.items():
        one = np.atleast_2d(encoder.encode_query(given, convert_to_numpy=True))
        for document, stored in corpus.items():
            other = np.atleast_2d(encoder.encode_document(stored, convert_to_numpy=True))
            expected.setdefault(query, {})[document] = maxsim(one[None], other[None]).item()
    found = report_of(outcome).run
    for query, scores in expected.items():
        assert found[query] == pytest.approx(scores, abs=1e-5)
    values = per_query(found, {"1": {"a": 1}, "2": {"b": 1}, "3": {"c": 1}}, MEASURES)["ndcg@10"]
    assert value(outcome) == pytest.approx(sum(values.values()) / 3, abs=1e-5)
    meta = model.mteb_model_meta
    assert (meta.name, meta.modalities) == ("local/ret", ["text", "image"])
    assert meta.similarity_fn_name.value == ("cosine" if pooled else "MaxSim")
    assert len(meta.revision) == 64


def test_batches_of_any_size_give_the_same(tmp_path):
    model = model_of(str(save_tiny_checkpoint(tmp_path / "ret")), device="cpu")
    one, many = (report_of(run([BOTH()], model, batch_size=size)).run for size in (1, 5))
    for query in one:
        assert one[query] == pytest.approx(many[query], abs=1e-5)


def test_what_a_model_does_not_read_is_refused_before_anything_is_loaded():
    unloadable = type("Unloadable", (PICTURES,), {"load_data": lambda self, **_: pytest.fail("loaded")})
    with pytest.raises(InputError, match=r"documents are of image, and told reads no image.*use a model"):
        asked(words_only(), unloadable)
    with pytest.raises(InputError, match=r"reads no image: use a model that does$"):
        asked(words_only(), PICTURES, allow_partial=True)  # nothing would be left of the documents
    with pytest.raises(InputError, match=r"queries are of image and text.*reads no image.*--allow-partial"):
        asked(words_only(), BOTH)
    heard = retrieval_task("t2at", {"1": ("red", None)}, {"a": ("red", None)}, {"1": {"a": 1}})
    with pytest.raises(
        InputError, match=r"audio and text, and told reads no audio: no model of plait's does$"
    ):
        asked(colours(), heard, allow_partial=True)
    with pytest.raises(InputError, match=r"does not read both in one input.*ReT.*--allow-partial"):
        asked(colours("text", "image"), BOTH)


def test_what_may_go_unread_is_counted_and_told():
    encoder = colours("text", "image")
    outcome = asked(encoder, BOTH, allow_partial=True)
    assert outcome.reading["TinyBoth"] == {
        "pictures": {"document": 2, "query": 2},
        "unread": {},
        "wordless": {"document": 1, "query": 1},
        "blank": {},
    }
    assert (
        "TinyBoth: 1 texts of queries were left out: the model does not read them there" in outcome.warnings
    )
    blind = asked(words_only_of_colours(), BOTH, allow_partial=True)
    assert blind.reading["TinyBoth"]["unread"] == {"document": 2, "query": 2}
    assert blind.reading["TinyBoth"]["blank"] == {"document": 1, "query": 1}


def words_only_of_colours():
    return given_model("text", answer=lambda text: COLOUR_VECTORS.get(text, (0.0, 0.0, 1.0)))


def test_pictures_that_mteb_drops_are_missed_before_results_are_kept(tmp_path):
    # Its metadata says that documents are words, so mteb takes their column of pictures away.
    task = retrieval_task(
        "t2t", {"1": ("red", None)}, {"a": ("red", "blue"), "b": ("blue", None)}, {"1": {"a": 1}}
    )
    with pytest.raises(InputError, match="mteb handed over 0 of the 1 pictures of its documents"):
        run([task()], wrapped(colours(), name="told", revision="1"), out=tmp_path / "out")
    assert not (tmp_path / "out").exists()
    outcome = asked(colours(), task, allow_partial=True)
    assert outcome.warnings == ("TinyRetrieval: mteb handed over 0 of the 1 pictures of its documents",)


def test_a_task_that_compares_single_vectors_is_for_models_that_give_one():
    pairs = [("east", "east", 5.0), ("east", "slant", 3.0), ("east", "north", 0.0)]
    outcome = asked(words_only(), lambda: sts_task(pairs))
    assert value(outcome, "cosine_spearman") == pytest.approx(1)
    assert outcome.evaluations == {}
    tokens = given_tokens("text", answer=lambda _: [(1.0, 0.0)])
    with pytest.raises(InputError, match=r"TinySTS is of the type STS.*told gives none: it does retrieval"):
        asked(tokens, lambda: sts_task(pairs))


def test_reranking_ranks_only_what_it_is_given_and_the_query_itself_is_left_out_where_mteb_does():
    options = {"top_ranked": {"1": ["a", "c"]}, "name": "TinyReranking"}
    task = retrieval_task(
        "t2t",
        {"1": ("east", None)},
        {"a": ("slant", None), "b": ("east", None), "c": ("north", None)},
        {"1": {"a": 1}},
        **options,
    )
    for encoder in (words_only(), given_tokens("text", answer=lambda text: [VECTORS.get(text, (1.0, 0.0))])):
        assert set(report_of(asked(encoder, task)).run["1"]) == {"a", "c"}
    same = retrieval_task(
        "t2t",
        {"b": ("east", None)},
        {"a": ("slant", None), "b": ("east", None), "c": ("north", None)},
        {"b": {"a": 1}},
        ignore_identical_ids=True,
    )
    outcome = asked(words_only(), same)
    assert value(outcome) == report_of(outcome).per_query["b"]["ndcg@10"] == 1


def test_blank_items_are_like_no_other():
    task = retrieval_task(
        "t2t",
        {"1": ("east", None)},
        {"a": (" ", None), "b": ("slant", None), "c": ("north", None)},
        {"1": {"b": 1}},
    )
    outcome = asked(words_only(), task)
    assert report_of(outcome).run["1"]["a"] == 0
    assert outcome.warnings == (
        "TinyRetrieval: 1 documents hold nothing that the model reads, and are like no other",
    )


def test_bm25_stands_beside_on_tasks_of_words_and_on_no_other():
    task = retrieval_task(
        "t2t",
        {"1": ("northern winds", None), "2": ("a desert", None)},
        {"a": ("northern", None), "b": ("wind of northern lands", None), "c": ("south", None)},
        {"1": {"b": 1}, "2": {"c": 1}},
    )
    encoder = given_model("text", answer=lambda _: (1.0, 0.0))
    ((_, evaluation),) = asked(encoder, task).evaluations.items()
    texts = ["northern", "wind of northern lands", "south"]
    scores = Bm25.of([term_counts(text) for text in texts]).scores(["northern winds"])
    assert evaluation.systems["BM25"].run == {
        "1": {"b": float(scores[1]), "a": float(scores[0])},  # "winds" is "wind" in English
        "2": {},
    }
    ((_, pictures),) = asked(colours(), PICTURES).evaluations.items()
    assert list(pictures.systems) == ["told"]


def test_a_model_of_lanes_is_measured_by_its_own_search(tmp_path):
    corpus = {"a": ("a red kayak", "red"), "b": ("the blue lake " * 300, "blue"), "c": ("a kayak", None)}
    task = retrieval_task(
        "it2it",
        {"1": ("kayak", "red"), "2": ("lake", None), "3": (None, "blue")},
        corpus,
        {"1": {"a": 1}, "2": {"b": 1}, "3": {"b": 1}},
    )
    model = SearchModel(TinyEncoder())
    outcome = run([task()], model)
    assert value(outcome) == 1
    assert outcome.reading["TinyRetrieval"]["pictures"] == {"document": 2, "query": 2}
    documents = [
        Document(name, "", name, segments=(Segment("text", text),)) for name, (text, _) in corpus.items()
    ]
    words = retrieval_task("t2t", {"2": ("the kayak", None)}, {n: (t, None) for n, (t, _) in corpus.items()},
                           {"2": {"a": 1}})  # fmt: skip
    found = report_of(run([words()], model)).run["2"]
    with Library(tmp_path / "library", encoder=TinyEncoder()) as library:
        library.add_documents(documents)
        hits = library.searcher().search(Query.of("the kayak"), k=9, per_document=1)
    assert found == pytest.approx({hit.document_id: hit.score for hit in hits})


def test_plait_mini_finds_and_does_nothing_else():
    model = model_of("plait-mini")
    assert model.mteb_model_meta.name == "plait/plait-mini"
    task = retrieval_task(
        "i2i",
        {"1": (None, "red"), "2": (None, "blue")},
        {"a": (None, "blue"), "b": (None, "red"), "c": (None, "green")},
        {"1": {"b": 1}, "2": {"a": 1}},
    )
    assert value(run([task()], model)) == 1
    with pytest.raises(InputError, match="plait-mini gives none: it does retrieval"):
        run([sts_task([("east", "east", 5.0)])], model)


def test_results_are_kept_as_mteb_and_plait_read_them(tmp_path):
    out = tmp_path / "out"
    model = wrapped(words_only(), name="told", revision="1")
    outcome = run([WORDS()], model, out=out, command=("eval", "mteb:TinyRetrieval"))
    theirs = json.loads((out / "mteb/results/local__told/1/TinyRetrieval.json").read_text())
    assert theirs["scores"]["test"][0]["main_score"] == value(outcome)
    stored = load(out / "TinyRetrieval-default-test")
    assert list(stored.systems) == ["told", "BM25"]
    assert stored.model.run["1"] == report_of(outcome).run["1"]
    assert stored.manifest.command == ("eval", "mteb:TinyRetrieval")
    assert outcome.to_markdown() in (out / "table.md").read_text()
    assert json.loads((out / "scores.json").read_text()) == outcome.to_dict()
    with pytest.raises(InputError, match="--force replaces"):
        run([WORDS()], model, out=out)
    run([WORDS()], model, out=out, force=True)
    with pytest.raises(InputError, match="no result"):
        run([WORDS()], model, out=tmp_path)


def test_tasks_are_named_as_mteb_names_them():
    with pytest.raises(
        InputError, match=r"no such task: 'NanoArguAnaRetrieva' not found\. Did you mean: 'Nano"
    ):
        run(["NanoQuoraRetrieval", "NanoArguAnaRetrieva"], "plait-mini")
    with pytest.raises(InputError, match="CQADupstackRetrieval gathers other tasks: name them, mteb:CQA"):
        run(["CQADupstackRetrieval"], wrapped(words_only(), name="told", revision="1"))
    with pytest.raises(InputError, match="each once"):
        run(["STS12", "STS12"], "plait-mini")
    with pytest.raises(InputError, match="name one or more"):
        run([], "plait-mini")


def test_data_that_cannot_be_had_is_named_with_a_remedy(monkeypatch, tmp_path):
    monkeypatch.setattr("huggingface_hub.constants.HF_HUB_OFFLINE", True)
    monkeypatch.setattr("datasets.config.HF_HUB_OFFLINE", True)
    model = wrapped(words_only(), name="told", revision="1")
    with pytest.raises(InputError, match=r"mteb/NanoArguAnaRetrieval, revision \w+\) is not on this machine"):
        run(["NanoArguAnaRetrieval"], model)


def test_the_parts_of_a_cached_data_set_are_found_where_the_hub_cannot_be_asked(monkeypatch, tmp_path):
    monkeypatch.setattr("datasets.config.HF_DATASETS_CACHE", tmp_path)
    for part in ("corpus/0.0.0/abc", "queries/0.0.0/abc", "qrels/0.0.0/abc", "default/0.0.0/older"):
        (tmp_path / "mteb___nano_argu_ana_retrieval" / part).mkdir(parents=True)
    told = {"mteb/NanoArguAnaRetrieval": ["default"], "mteb/other": ["corpus", "queries"]}
    monkeypatch.setattr(loaders, "get_dataset_config_names", lambda path, revision: told[path])
    with seen_without_the_hub():
        names = loaders.get_dataset_config_names
        assert names("mteb/NanoArguAnaRetrieval", "abc") == ["corpus", "qrels", "queries"]
        assert names("mteb/NanoArguAnaRetrieval", "older") == ["default"]
        assert names("mteb/NanoArguAnaRetrieval", "unknown") == ["default"]
        assert names("mteb/other", "abc") == ["corpus", "queries"]
    assert loaders.get_dataset_config_names("mteb/NanoArguAnaRetrieval", "abc") == ["default"]


def test_a_failure_inside_mteb_names_task_and_model():
    broken = type("Broken", (WORDS,), {"task_specific_scores": lambda *_, **__: 1 // 0})
    broken_too = type("Broken", (WORDS,), {"task_specific_scores": lambda *_, **__: {}["gone"]})
    with pytest.raises(InputError, match=r"mteb cannot run TinyRetrieval on told \(KeyError: 'gone'\)"):
        asked(words_only(), broken_too)
    with pytest.raises(InputError, match="ZeroDivisionError"):
        asked(words_only(), broken)


def test_vectors_that_are_no_numbers_end_it():
    encoder = given_model("text", answer=lambda text: (math.nan, 0.0) if text == "slant" else (1.0, 0.0))
    with pytest.raises(ModelError, match="NaN"):
        asked(encoder, WORDS)
