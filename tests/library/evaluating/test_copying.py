"""Collections put into libraries: once for each model and settings, whole after an interruption."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import pytest
from tests.helpers.small_collection import DOCUMENTS, write_collection
from tests.helpers.tiny_encoder import TinyEncoder

from plait.errors import InputError, MissingPathError, ReadError
from plait.library.evaluating.copying import Copy, copied, work_folder
from plait.library.evaluating.corpora import opened
from plait.schema import Query, Unit
from plait.scoring.vectors import UnitVectors
from plait.settings import Settings


@dataclass(frozen=True)
class Counting(TinyEncoder):
    """Keeps the titles of what it encodes; stops, or fails, at one of them."""

    seen: list[str] = field(default_factory=list)
    stops_at: str = ""
    fails_at: str = ""

    def encode_units(self, units: Sequence[Unit]) -> list[UnitVectors]:
        for unit in units:
            if unit.title == self.stops_at:
                raise KeyboardInterrupt
            if unit.title == self.fails_at:
                raise ReadError(unit.title, "cannot be decoded", "save it again")
        self.seen.extend(unit.title for unit in units)
        return super().encode_units(units)


ONE_BY_ONE = Settings(batch_documents=1)


def copy_of(
    folder: Path | str,
    work: Path,
    encoder: TinyEncoder,
    *,
    strict: bool = False,
    settings: Settings = ONE_BY_ONE,
) -> Copy:
    corpus = opened(str(folder), strict=strict)
    return copied(
        corpus, work, fingerprint=corpus.fingerprint(), encoder=encoder, settings=settings, strict=strict
    )


def test_a_copy_is_made_once_for_each_corpus_model_and_settings(tmp_path: Path) -> None:
    folder, work = write_collection(tmp_path / "c"), tmp_path / "work"
    first, second = Counting(), Counting()
    made = copy_of(folder, work, first)
    assert made.is_new
    assert sorted(first.seen) == sorted(row["title"] for row in DOCUMENTS)
    (folder / "qrels.tsv").write_text("t1\t0\those\t1\n")
    again = copy_of(folder, work, second)
    assert (again.is_new, second.seen, again.library.folder) == (False, [], made.library.folder)
    assert copy_of(folder, work, second, settings=Settings(threads=1, recall=0.5)).is_new is False
    assert copy_of(folder, work, second, settings=Settings(vectors="int8")).is_new
    assert copy_of(folder, work, replace(second, fingerprint="tiny-2")).is_new
    corpus = (folder / "corpus.jsonl").read_text()
    (folder / "corpus.jsonl").write_text(corpus.replace("citric", "acetic"))
    assert copy_of(folder, work, second).is_new
    (folder / "corpus.jsonl").write_text(corpus)
    (folder / "red.png").write_bytes((folder / "blue.png").read_bytes())
    assert copy_of(folder, work, second).is_new


def test_an_interrupted_copy_goes_on_and_answers_as_one_that_was_not(tmp_path: Path) -> None:
    folder = write_collection(tmp_path / "c")
    with pytest.raises(KeyboardInterrupt):
        copy_of(folder, tmp_path / "work", Counting(stops_at="Hose"))
    rest = Counting()
    whole, resumed = copy_of(folder, tmp_path / "other", Counting()), copy_of(folder, tmp_path / "work", rest)
    assert resumed.is_new
    assert sorted(rest.seen) == ["Hose", "Warranty"]
    for query in (Query.of("acid"), Query.of(image=str(folder / "blue.png"))):
        one, other = (copy.library.search(query, k=4) for copy in (whole, resumed))
        assert [(hit.unit_id, hit.score) for hit in one] == [(hit.unit_id, hit.score) for hit in other]


def test_what_cannot_be_found_is_named_also_when_nothing_is_copied_again(tmp_path: Path) -> None:
    empty = {"id": "blank", "title": "Blank", "text": "", "color": ""}
    folder = write_collection(tmp_path / "c", documents=[*DOCUMENTS, empty])
    (folder / "red.png").write_bytes(b"no picture")
    (folder / "green.png").unlink()
    copies = [copy_of(folder, tmp_path / "work", Counting(fails_at="Grinder")) for _ in range(2)]
    assert [copy.is_new for copy in copies] == [True, False]
    assert copies[0].problems == copies[1].problems
    corpus = folder / "corpus.jsonl"
    said = [str(problem) for problem in copies[0].problems]
    assert [line.partition(": ")[0] for line in said] == [
        f"{corpus}:1",
        f"{corpus}:3",
        "grinder",
        "document 'blank'",
    ]
    assert "red.png" in said[0]
    assert "green.png" in said[1]
    assert "cannot be decoded" in said[2]
    with pytest.raises(InputError, match=r"red\.png"):
        copy_of(folder, tmp_path / "work", Counting(), strict=True)


def test_files_are_copied_without_their_labels_and_one_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    folder = tmp_path / "files"
    (folder / "eval").mkdir(parents=True)
    (folder / "good.md").write_text("# Valve\n\nClose the valve.\n")
    (folder / "bad.pdf").write_bytes(b"%PDF-1.7\nnothing of the kind")
    (folder / "eval" / "queries.jsonl").write_text('{"id": "q", "text": "valve", "kind": "text"}\n')
    (folder / "eval" / "qrels.tsv").write_text("q\t0\tgood.md\t1\nq\t0\tbad.pdf\t1\n")
    work, encoder = tmp_path / "work", Counting()
    copy = copy_of(f"files:{folder}", work, encoder)
    assert encoder.seen == ["Valve"]
    assert [problem.place for problem in copy.problems] == ["bad.pdf"]
    (folder / "eval" / "queries.jsonl").write_text('{"id": "q", "text": "close", "kind": "text"}\n')
    assert not copy_of(f"files:{folder}", work, encoder).is_new
    (folder / "good.md").write_text("# Valve\n\nOpen the valve.\n")
    assert copy_of(f"files:{folder}", work, encoder).is_new
    with pytest.raises(InputError, match=r"bad\.pdf"):
        copy_of(f"files:{folder}", work, encoder, strict=True)


def test_a_folder_that_is_no_collection_is_refused_with_what_is_expected(tmp_path: Path) -> None:
    with pytest.raises(MissingPathError, match="no such folder"):
        opened(str(tmp_path / "nowhere"))
    (tmp_path / "eval").mkdir()
    (tmp_path / "eval" / "queries.jsonl").touch()
    with pytest.raises(MissingPathError, match="say files:"):
        opened(str(tmp_path))


def test_a_temporary_work_folder_goes_and_a_named_one_stays(tmp_path: Path) -> None:
    with work_folder(None) as temporary:
        assert temporary.is_dir()
    assert not temporary.exists()
    with work_folder(tmp_path / "a" / "b") as named:
        pass
    assert named.is_dir()
    (tmp_path / "file").touch()
    with pytest.raises(InputError, match="name another folder"), work_folder(tmp_path / "file"):
        pass
