"""The benchmark of search: its made-up vectors are as stated, its truth is exact, its tables add up."""

from __future__ import annotations

import sys
import tracemalloc
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from benchmarks.search import making, run, tables, worker
from benchmarks.search.collection import Collection, read, write
from benchmarks.search.making import Sizes, collection
from benchmarks.search.synthetic import BLOCK, Synthetic, queries
from benchmarks.search.truth import maxsim, recalls, tenth_best

LENGTH_2 = 0.6**2 + 1.0**2 + 0.55**2 + 0.6**2  # of a token before it is made unit length, on average


@pytest.fixture(scope="module")
def source() -> Synthetic:
    return Synthetic(20_000, seed=3)


@pytest.fixture(scope="module")
def block(source: Synthetic) -> np.ndarray:
    return source.block(0).astype(np.float32)


@pytest.fixture(scope="module")
def followed(source: Synthetic, block: np.ndarray) -> np.ndarray:
    """(documents, tokens) the topic that each token is nearest to."""
    return (block @ source.topics.T).argmax(axis=2)


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Collection:
    return collection(Sizes("synthetic", 2_000, 12), tmp_path_factory.mktemp("cache"))


@pytest.fixture(scope="module")
def rows(made: Collection, tmp_path_factory: pytest.TempPathFactory) -> list[dict[str, Any]]:
    cache, sizes = tmp_path_factory.mktemp("stores"), Sizes("synthetic", 2_000, 12)
    return [run.measured(name, sizes, made, cache, [], keep=False) for name in ("plait", "numpy_scan")]


class TestSynthetic:
    def test_a_block_depends_on_seed_and_number_alone(self, source: Synthetic) -> None:
        assert np.array_equal(Synthetic(20_000, seed=3).block(2), source.block(2))
        assert not np.array_equal(source.block(2), source.block(1))
        assert not np.array_equal(source.block(2), Synthetic(20_000, seed=4).block(2))

    def test_blocks_yield_every_document_once_in_order(self) -> None:
        source = Synthetic(BLOCK + 7, tokens=2, width=8)
        whole = np.concatenate(list(source.blocks()))
        assert whole.shape == (BLOCK + 7, 2, 8)
        assert np.array_equal(whole[BLOCK:], source.block(1)[:7])

    def test_memory_is_that_of_a_block_whatever_the_number_of_documents(self) -> None:
        tracemalloc.start()
        for _ in islice(Synthetic(1_000_000).blocks(), 3):
            pass
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
        assert peak < 200e6  # three blocks kept would be within it too; a million documents are 8 GB

    def test_tokens_have_unit_length(self, block: np.ndarray) -> None:
        assert np.linalg.norm(block, axis=2) == pytest.approx(1, abs=2e-3)

    def test_tokens_at_one_place_share_its_position(self, source: Synthetic, block: np.ndarray) -> None:
        likeness = np.einsum("bd,d->b", block[:, 5], source.positions[5]).mean()
        assert likeness == pytest.approx(0.6 / LENGTH_2**0.5, abs=0.03)

    @pytest.mark.parametrize(("same_topic", "shared"), [(True, 1 + 0.55**2), (False, 0.55**2)])
    def test_tokens_of_a_document_share_it_and_maybe_their_topic(
        self, block: np.ndarray, followed: np.ndarray, same_topic: bool, shared: float
    ) -> None:
        chosen = (followed[:, 3] == followed[:, 20]) == same_topic
        likeness = np.einsum("bd,bd->b", block[chosen, 3], block[chosen, 20]).mean()
        assert likeness == pytest.approx(shared / LENGTH_2, abs=0.04)

    def test_topics_are_as_many_as_stated_and_lie_in_half_of_the_space(self) -> None:
        assert [len(Synthetic(size).topics) for size in (10_000, 100_000)] == [200, 1_000]
        assert np.linalg.matrix_rank(Synthetic(10_000).topics) == 64

    def test_topics_are_drawn_with_zipf_exponent_one_half(self, followed: np.ndarray) -> None:
        shares = np.arange(1, 201) ** -0.5
        expected = shares[:10].sum() / shares[100:].sum()
        assert (followed < 10).sum() / (followed >= 100).sum() == pytest.approx(expected, rel=0.15)

    def test_two_tokens_follow_one_topic_as_often_as_dirichlet_shares_of_four_say(
        self, followed: np.ndarray
    ) -> None:
        # The mean of the sum of squared shares is 4 * 1 * 2 / (4 * 5).
        assert (followed[:, 0] == followed[:, 31]).mean() == pytest.approx(0.4, abs=0.05)

    def test_a_query_keeps_a_quarter_of_its_target_under_noise(self, block: np.ndarray) -> None:
        asked, targets = queries(block.astype(np.float16), 200)
        likeness = np.einsum("qtd,qtd->qt", asked, block[targets])
        kept = likeness > 0.45
        assert len(set(targets.tolist())) == 200
        assert np.linalg.norm(asked, axis=2) == pytest.approx(1, abs=1e-5)
        assert kept.mean() == pytest.approx(0.25, abs=0.03)
        assert likeness[kept].mean() == pytest.approx(1 / (1 + 1.1**2) ** 0.5, abs=0.02)


class TestTruth:
    documents = np.array([[[1, 0], [0, 1]], [[0.6, 0.8], [0, 0]], [[-1, 0], [0, -1]]], np.float16)
    query = np.array([[[1, 0], [0.6, 0.8]]], np.float32)

    def test_scores_are_the_mean_over_query_tokens_of_the_best_document_token(self) -> None:
        assert maxsim(self.documents, self.query)[0] == pytest.approx([0.9, 0.8, -0.3], abs=1e-3)

    def test_scores_in_blocks_are_those_of_a_plain_product(self, made: Collection) -> None:
        documents, asked = made.documents[:333].astype(np.float32), made.queries
        plain = np.einsum("ntd,qsd->qnst", documents, asked).max(axis=3).mean(axis=2)
        assert maxsim(made.documents[:333], asked) == pytest.approx(plain, abs=1e-5)

    def test_the_kth_best_is_of_all_and_of_the_wanted_group(self) -> None:
        groups, wanted = np.array([0, 1, 1], np.uint8), np.array([1], np.uint8)
        best = tenth_best(self.documents, self.query, groups, wanted, k=2)
        assert best[:, 0] == pytest.approx([0.8, -0.3], abs=1e-3)

    def test_a_group_with_too_few_documents_is_refused(self) -> None:
        groups = np.array([0, 1, 1], np.uint8)
        with pytest.raises(ValueError, match="1 documents, fewer than the 2"):
            tenth_best(self.documents, self.query, groups, np.array([0], np.uint8), k=2)

    @pytest.mark.parametrize(
        ("found", "share"), [([0, 1], 1), ([1, 0, 2], 1), ([0, 2], 0.5), ([0, 0, 1], 1), ([0], 0.5), ([], 0)]
    )
    def test_recall_counts_documents_as_near_as_the_kth(self, found: list[int], share: float) -> None:
        tenth = np.array([0.8], np.float32)
        assert recalls(self.documents, self.query, [found], tenth, k=2) == [share]

    def test_of_equally_near_documents_any_will_do(self) -> None:
        twins = np.repeat(self.documents[:1], 3, axis=0)
        assert recalls(twins, self.query, [[2]], np.array([0.9], np.float32), k=1) == [1]


class TestCollection:
    def test_what_is_written_in_blocks_reads_as_one_array(self, tmp_path: Path) -> None:
        whole = np.random.default_rng(0).standard_normal((7, 2, 3)).astype(np.float16)
        write(tmp_path / "a.npy", iter([whole[:4], whole[4:]]), whole.shape)
        assert np.array_equal(np.load(tmp_path / "a.npy"), whole)
        assert [len(part) for part in read(tmp_path / "a.npy", at_once=3)] == [3, 3, 1]
        assert np.array_equal(np.concatenate(list(read(tmp_path / "a.npy", at_once=3))), whole)

    def test_blocks_bring_each_document_with_its_group(self, made: Collection) -> None:
        firsts, parts, groups = zip(*made.blocks(900), strict=True)
        assert firsts == (0, 900, 1800)
        assert np.array_equal(np.concatenate(parts), made.documents)
        assert np.array_equal(np.concatenate(groups), made.groups)

    def test_a_collection_is_made_once(self, made: Collection, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(making, "SOURCES", {})
        assert collection(Sizes("synthetic", 2_000, 12), made.folder.parents[1]) == made

    def test_one_that_was_not_finished_is_made_anew(self, tmp_path: Path) -> None:
        sizes = Sizes("synthetic", 2_000, 2)
        whole = collection(sizes, tmp_path)
        before = whole.tenth.copy()
        (whole.folder / "sizes.json").unlink()
        (whole.folder / "truth.npy").write_bytes(b"half")
        assert np.array_equal(collection(sizes, tmp_path).tenth, before)

    def test_a_real_one_holds_the_first_documents_and_the_next_are_to_be_added(self, tmp_path: Path) -> None:
        draw = np.random.default_rng(0)
        encoded = draw.standard_normal((3_100, 2, 4)).astype(np.float16)
        asked = draw.standard_normal((9, 2, 4)).astype(np.float16)
        (tmp_path / "ret-vectors").mkdir()
        np.save(tmp_path / "ret-vectors" / "documents.npy", encoded)
        np.save(tmp_path / "ret-vectors" / "queries.npy", asked)
        found = collection(Sizes("real", 2_100, 9), tmp_path)
        assert np.array_equal(found.documents, encoded[:2_100])
        assert np.array_equal(found.added, encoded[2_100:])
        lengths = np.linalg.norm(asked.astype(np.float32), axis=2, keepdims=True)
        assert found.queries == pytest.approx(asked / lengths, abs=1e-3)

    def test_too_few_real_documents_are_told_with_what_to_run(self, tmp_path: Path) -> None:
        with pytest.raises(making.TooFewError, match=r"0 real documents .* --documents 3000"):
            collection(Sizes("real", 2_000, 2), tmp_path)

    def test_a_filter_lets_two_percent_through(self, made: Collection) -> None:
        shares = np.bincount(made.groups, minlength=50) / len(made.groups)
        assert len(shares) == 50
        assert shares == pytest.approx(0.02, abs=0.015)


class TestRun:
    def test_plait_and_the_scan_find_the_ten_nearest(self, rows: list[dict[str, Any]]) -> None:
        for row in rows:
            assert "left_out" not in row
            assert [one["recall"] for one in row["ask"]["settings"]] == [1] * len(row["ask"]["settings"])

    def test_added_documents_are_found_and_their_seconds_told(self, rows: list[dict[str, Any]]) -> None:
        assert 0 < rows[0]["add"]["commit_seconds"] < rows[0]["add"]["seconds"]

    def test_tables_show_every_engine_and_setting(self, rows: list[dict[str, Any]]) -> None:
        shown = tables.collection_tables(rows)
        assert shown.count("\n| plait | recall") == 8
        assert shown.count("\n| numpy_scan | exact") == 2
        assert "1,000 encoded documents more" in shown

    def test_an_engine_that_is_not_installed_says_so(self, made: Collection, tmp_path: Path) -> None:
        with pytest.raises(run.FailedError, match="No module named 'qdrant_edge'"):
            run.asked_in(Path(sys.executable), "build", "qdrant", made, tmp_path / "store", run.Limits())

    def test_what_was_built_and_kept_is_not_built_again(
        self, made: Collection, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        first = run.built(Path(sys.executable), "numpy_scan", made, tmp_path / "scan", run.Limits())
        monkeypatch.setattr(run, "asked_in", None)
        assert run.built(Path(sys.executable), "numpy_scan", made, tmp_path / "scan", run.Limits()) == first

    @pytest.mark.parametrize(("seconds", "left_out"), [(5.0, False), (7.0, True)])
    def test_an_engine_is_left_out_where_building_would_take_too_long(
        self, made: Collection, seconds: float, left_out: bool
    ) -> None:
        smaller = {"data": "synthetic", "documents": 40, "build": {"seconds": seconds}}
        sizes = Sizes("synthetic", 2_000, 12)
        slow = [smaller | {"engine": name} for name in ("qdrant", "plait")]
        assert (run.why_not("qdrant", made, slow, sizes, run.Limits()) is not None) == left_out
        assert run.why_not("plait", made, slow, sizes, run.Limits()) is None

    def test_an_engine_left_out_of_fewer_documents_is_left_out_of_more(self, made: Collection) -> None:
        row = {"engine": "plaid", "data": "synthetic", "documents": 40, "left_out": "crashed"}
        sizes = Sizes("synthetic", 2_000, 12)
        assert run.why_not("plaid", made, [row], sizes, run.Limits()) == "as for 40: crashed"
        assert run.why_not("plaid", made, [row | {"data": "real"}], sizes, run.Limits()) is None

    def test_an_engine_is_left_out_where_it_would_fill_the_memory(
        self, made: Collection, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(run, "_machine_bytes", lambda: 60e6)
        sizes = Sizes("synthetic", 2_000, 12)
        assert "more than half" in str(run.why_not("numpy_scan", made, [], sizes, run.Limits()))
        assert run.why_not("qdrant", made, [], sizes, run.Limits()) is None

    def test_a_row_takes_the_place_of_its_like(self) -> None:
        row = {"data": "synthetic", "documents": 10, "engine": "plait", "left_out": "so"}
        found = run.merged(run.merged({}, row | {"engine": "qdrant"}), row)
        assert [one["engine"] for one in found["rows"]] == ["plait", "qdrant"]
        assert run.merged(found, row | {"left_out": "now"})["rows"][0]["left_out"] == "now"


class Slow:
    def nearest(self, query: Any, k: int, group: Any, setting: Any) -> tuple[list[int], dict[str, float]]:
        return [int(query)], {}


def test_a_setting_that_would_take_too_long_is_left_out() -> None:
    asked, groups = np.arange(8), [None] * 8
    assert worker.timed(Slow(), asked, groups, {}, limit_seconds=0).keys() == {"left_out_seconds"}
    assert worker.timed(Slow(), asked, groups, {}, limit_seconds=60)["found"] == [[n] for n in range(8)]


class TestTables:
    @staticmethod
    def row(engine: str, *answers: tuple[float, float]) -> dict[str, Any]:
        settings = [{"filtered": False, "p50_ms": ms, "recall": recall} for ms, recall in answers]
        return {"engine": engine, "ask": {"settings": settings}}

    def test_ratios_are_taken_at_equal_recall_or_not_at_all(self) -> None:
        rows = [
            self.row("plait", (2, 0.99), (1, 0.9)),
            self.row("near", (5, 0.98), (12, 0.99), (10, 1.0)),
            self.row("poor", (1, 0.5)),
        ]
        assert tables.at_equal_recall(rows, filtered=False) == {"near": 5, "poor": None}

    def test_without_plait_there_is_nothing_to_compare_with(self) -> None:
        assert tables.at_equal_recall([self.row("near", (5, 0.98))], filtered=False) == {}

    def test_targets_say_met_or_missed(self) -> None:
        memory = {"anonymous_mb": 150.0, "files_mb": 50.0}
        asked = {"p50_ms": 19.0, "recall": 0.985, "memory": memory}
        plait = {
            "engine": "plait",
            "documents": 100_000,
            "ask": {
                "settings": [asked | {"filtered": False}, asked | {"filtered": True, "p50_ms": 6.0}],
                "before": {"anonymous_mb": 80.0, "files_mb": 40.0},
                "open_seconds": 0.5,
            },
            "add": {"seconds": 1.5},
        }
        lines = list(tables.targets([plait]))
        assert "p50: 19 ms; target at most 20 ms: met" in lines
        assert "recall@10: 0.985; target at least 0.99: **missed**" in lines
        assert [line.rpartition(": ")[2] for line in lines[2:4]] == ["**missed**", "met"]  # 200 and 80 MB
        assert "p50 within the filter: 6 ms; target at most 5 ms: **missed**" in lines

    def test_an_engine_left_out_is_named_with_its_reason(self) -> None:
        row = {"engine": "plaid", "data": "real", "documents": 9, "left_out": "not built in 300 s"}
        assert "- plaid: left out, not built in 300 s" in tables.collection_tables([row])
