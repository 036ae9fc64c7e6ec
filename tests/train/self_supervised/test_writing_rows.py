"""A folder of rows as training reads it: pictures, split, bytes, and what goes wrong on the way."""

from __future__ import annotations

import hashlib
import json
import weakref
from collections.abc import Iterator
from dataclasses import fields, replace
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from tests.train.self_supervised.sections import SENTENCES, drawn, named, section

from plait.data.training.examples import Example
from plait.errors import InputError, PlaitError
from plait.schema import Unit
from plait.train.config import TrainConfig
from plait.train.data_config import source_of
from plait.train.self_supervised.questions import KINDS
from plait.train.self_supervised.writing import write_rows
from plait.train.settings_file import read_settings


def manual(folder: Path, documents: int = 10, *, sections: int = 2) -> list[Unit]:
    """Return sections of several documents, each with a figure of its own, with a file and a caption."""
    return [
        section(
            drawn(folder, 25 * number + place, f"The part of page {number} and section {place}"),
            passages=(" ".join(f"{words[:-1]} of type {number}." for words in SENTENCES),),
            document=f"d{number}", ordinal=place, headings=(f"Page {number}", f"Part {place}"),
        )
        for number in range(documents)
        for place in range(sections)
    ]  # fmt: skip


def rows_in(folder: Path, part: str) -> dict[str, list[dict]]:
    return {
        file.stem: [json.loads(line) for line in file.read_text().splitlines()]
        for file in sorted((folder / part).glob("*.jsonl"))
    }


def every_row(folder: Path) -> list[tuple[str, dict]]:
    parts = [rows_in(folder, part) for part in ("training", "held-out")]
    return [(kind, row) for part in parts for kind, rows in part.items() for row in rows]


def pixels(file: Path) -> np.ndarray:
    """Return (height, width, 3) of a picture."""
    with Image.open(file) as picture:
        return np.asarray(picture, dtype=float)


def test_rows_are_what_training_reads_by_kind(tmp_path):
    report = write_rows(manual(tmp_path), tmp_path / "rows", seed=1)
    config = read_settings(TrainConfig, report.settings)
    for data, counts in ((config.data, report.training), (config.validation.data, report.held_out)):
        read = {one.name: list(source_of(one, store=tmp_path)) for one in data}
        assert {kind: len(examples) for kind, examples in read.items()} == counts
        assert all(isinstance(one, Example) for examples in read.values() for one in examples)
    assert list(report.training) == list(KINDS)
    assert (report.documents, report.sections, report.silent) == (10, 20, 0)
    assert report.pictures == len(list((tmp_path / "rows" / "pictures").iterdir()))
    assert {path.name for path in (tmp_path / "rows").iterdir()} == {
        "training", "held-out", "pictures", "train.yaml"
    }  # fmt: skip


def test_no_document_and_no_label_is_on_both_sides(tmp_path):
    for seed in range(4):
        folder = tmp_path / f"rows-{seed}"
        report = write_rows(manual(tmp_path), folder, seed=seed)
        labels = [
            {row["label"] for rows in rows_in(folder, part).values() for row in rows}
            for part in ("training", "held-out")
        ]
        documents = [{label.partition(":")[0] for label in side} for side in labels]
        assert documents[0] | documents[1] == {f"d{number}" for number in range(10)}
        assert not documents[0] & documents[1]
        held = sum(report.held_out.values())
        assert 0.1 < held / (held + sum(report.training.values())) <= 0.2


def test_a_row_is_labelled_by_its_section(tmp_path):
    write_rows(manual(tmp_path), tmp_path / "rows")
    for _, row in every_row(tmp_path / "rows"):
        number, _, place = row["label"].removeprefix("d").partition(":")
        said = row["query"].get("text", "") + row["positive"].get("text", "")
        assert f"type {number}." in said or f"page {number} and section {place}" in said.lower()
        assert row["id"].startswith(row["label"] + ":")


def test_documents_show_the_figure_itself_and_queries_a_part_of_it(tmp_path):
    units = manual(tmp_path)
    write_rows(units, tmp_path / "rows")
    figures = {unit.id: Path(unit.figures[0].picture.path) for unit in units}
    asked = [(kind, row) for kind, row in every_row(tmp_path / "rows") if kind in ("figure", "removed")]
    assert {kind for kind, _ in asked} == {"figure", "removed"}
    for kind, row in asked:
        original = figures[row["label"]]
        if kind == "figure":
            shown = tmp_path / "rows" / row["positive"]["image"]
            assert shown.read_bytes() == original.read_bytes()
        else:
            assert "image" not in row["positive"]
        query = pixels(tmp_path / "rows" / row["query"]["image"])
        height, width, _ = query.shape
        inner = query[height // 5 : -height // 5, width // 5 : -width // 5]
        assert np.corrcoef(inner[:, :, 0].mean(axis=0), np.arange(inner.shape[1]))[0, 1] > 0.95
        assert np.corrcoef(inner[:, :, 1].mean(axis=1), np.arange(inner.shape[0]))[0, 1] > 0.95
        assert query.shape != pixels(original).shape


def test_each_figures_edits_differ(tmp_path):
    write_rows(manual(tmp_path), tmp_path / "rows", edits_per_figure=3)
    edits = [file.read_bytes() for file in (tmp_path / "rows" / "pictures").glob("*-?.jpg")]
    assert len(set(edits)) == len(edits) == 3 * 20


def test_an_edit_is_of_its_own_figure(tmp_path):
    units = [section(drawn(tmp_path, 0), document="dark"), section(drawn(tmp_path, 250), document="blue")]
    units += [
        replace(unit, document_id=f"{unit.document_id}2", figures=(), id=f"{unit.id}2") for unit in units
    ]
    write_rows(units, tmp_path / "rows", kinds=["figure", "sentence"])
    blue = {}
    for kind, row in every_row(tmp_path / "rows"):
        if kind == "figure":
            edited = pixels(tmp_path / "rows" / row["query"]["image"])
            blue.setdefault(row["label"].partition(":")[0], []).append(np.median(edited[:, :, 2]))
    assert max(blue["dark"]) < 100 < min(blue["blue"])


def test_equal_seeds_give_equal_bytes_and_others_do_not(tmp_path):
    def digests(name: str, seed: int) -> dict[str, str]:
        write_rows(iter(units), tmp_path / name / "rows", seed=seed)
        files = sorted(path for path in (tmp_path / name).rglob("*") if path.is_file())
        return {
            str(path.relative_to(tmp_path / name)): hashlib.sha256(path.read_bytes()).hexdigest()
            for path in files
        }

    units = manual(tmp_path)
    first, again, other = digests("first", 3), digests("again", 3), digests("other", 4)
    assert first == again
    assert first["rows/training/sentence.jsonl"] != other["rows/training/sentence.jsonl"]
    assert {name: first[name] for name in first if "-0.jpg" in name} != {
        name: other[name] for name in other if "-0.jpg" in name
    }


class Tracked(Unit):
    """A unit that can tell whether it is still in memory."""


def test_units_are_let_go_as_they_are_read(tmp_path):
    alive: weakref.WeakSet[Unit] = weakref.WeakSet()
    most = 0

    def units() -> Iterator[Unit]:
        nonlocal most
        for number in range(200):
            unit = section(named("gone"), document=f"d{number}")
            tracked = Tracked(**{field.name: getattr(unit, field.name) for field in fields(Unit)})
            alive.add(tracked)
            most = max(most, len(alive))
            yield tracked
            del tracked

    report = write_rows(units(), tmp_path / "rows")
    assert report.sections == 200
    assert 1 <= most <= 2


def test_a_figure_asks_only_where_it_first_stands_and_once_removed_is_shown_nowhere(tmp_path):
    logo = drawn(tmp_path, 9)
    units = [replace(unit, figures=(logo,)) for unit in manual(tmp_path)]
    for kinds, labels in ((["figure", "sentence"], {"d0:0"}), (["removed", "sentence"], {"d0:0"})):
        folder = tmp_path / kinds[0]
        write_rows(units, folder, kinds=kinds)
        rows = every_row(folder)
        assert {row["label"] for kind, row in rows if kind == kinds[0]} == labels
        shown = {row["label"] for _, row in rows if "image" in row["positive"]}
        assert len(shown) == (20 if kinds[0] == "figure" else 0)


def test_figures_without_a_file_or_damaged_are_left_out_and_counted(tmp_path):
    units = manual(tmp_path)
    Path(units[0].figures[0].picture.path).unlink()
    Path(units[5].figures[0].picture.path).write_bytes(b"\x89PNG\r\n\x1a\n and no more")
    report = write_rows(units, tmp_path / "rows")
    assert (report.missing, report.damaged) == (1, 1)
    said = str(report)
    assert "1 figures are left out: their files are gone" in said
    assert "1 figures are left out: their files cannot be opened" in said
    with_pictures = {
        row["label"]
        for _, row in every_row(tmp_path / "rows")
        if "image" in {**row["query"], **row["positive"]}
    }
    assert with_pictures == {unit.id for unit in units} - {units[0].id, units[5].id}


def test_without_figures_their_kinds_are_none_and_said_and_the_settings_leave_them_out(tmp_path):
    units = [replace(unit, figures=()) for unit in manual(tmp_path)]
    report = write_rows(units, tmp_path / "rows")
    assert [report.training[kind] for kind in ("figure", "removed", "caption")] == [0, 0, 0]
    assert "no figure to ask figure, removed, caption with" in str(report)
    config = read_settings(TrainConfig, report.settings)
    assert [one.name for one in config.data] == ["sentence", "title"]
    assert config.evaluation.metric == "validation_mrr@10"


def test_half_a_character_costs_nothing_but_itself(tmp_path):
    units = [replace(unit, title="A \ud83d smile") for unit in manual(tmp_path)]
    report = write_rows(units, tmp_path / "rows", kinds=["title"])
    assert {row["query"]["text"][:9] for _, row in every_row(tmp_path / "rows")} == {"A ? smile"}
    assert report.training["title"] + report.held_out["title"] == 20


def test_every_kind_can_be_asked_for_alone(tmp_path):
    for kind in KINDS:
        report = write_rows(manual(tmp_path), tmp_path / kind, kinds=[kind])
        assert set(report.training) == {kind}
        labels = {row["label"] for _, row in every_row(tmp_path / kind)}
        assert len(labels) == 20, kind


def test_a_section_that_goes_on_is_asked_for_by_its_heading_once(tmp_path):
    units = [replace(unit, section=("Page", "Long")) for unit in manual(tmp_path, sections=3)]
    write_rows(units, tmp_path / "rows", kinds=["title"])
    assert {row["label"] for _, row in every_row(tmp_path / "rows")} == {f"d{n}:0" for n in range(10)}


def test_of_one_document_sections_are_held_out_and_that_is_said(tmp_path):
    units = manual(tmp_path, documents=1, sections=8)
    report = write_rows(units, tmp_path / "rows")
    assert not report.whole_documents
    assert "too few documents to hold any out whole" in str(report)
    sides = [
        {row["label"] for rows in rows_in(tmp_path / "rows", part).values() for row in rows}
        for part in ("training", "held-out")
    ]
    assert not sides[0] & sides[1]
    assert all(len(side) >= 2 for side in sides)


@pytest.mark.parametrize(
    ("units", "said"),
    [
        ([], "there are no documents"),
        (
            [section(passages=("Too short.",), document=f"d{n}") for n in range(5)],
            "none of 5 sections can be",
        ),
        ([section(document=f"d{n}") for n in range(3)], "about 3 sections: expected 4 or more"),
    ],
    ids=["none", "short", "few"],
)
def test_too_little_is_said_and_leaves_nothing(tmp_path, units, said):
    with pytest.raises(InputError, match=said):
        write_rows(units, tmp_path / "rows")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"kinds": ["sentences"]}, "kinds sentences: expected some of sentence, figure"),
        ({"kinds": []}, "kinds missing"),
        ({"most_per_unit": 0}, "most_per_unit 0"),
        ({"edits_per_figure": 0}, "edits_per_figure 0"),
        ({"seed": -1}, "seed -1"),
        ({"held_out_share": 1.0}, "a share of 1.0"),
    ],
    ids=lambda value: str(value)[:30],
)
def test_options_out_of_range_are_refused(tmp_path, options, said):
    with pytest.raises(InputError, match=said):
        write_rows([section()], tmp_path / "rows", **options)


def test_a_folder_in_use_is_left_alone(tmp_path):
    (tmp_path / "mine.txt").write_text("mine")
    with pytest.raises(InputError, match="is in use: give a folder that is absent or empty"):
        write_rows([section()], tmp_path)
    with pytest.raises(InputError, match="is in use"):
        write_rows([section()], tmp_path / "mine.txt")
    assert [path.name for path in tmp_path.iterdir()] == ["mine.txt"]


def test_an_interruption_leaves_nothing_and_an_empty_folder_is_filled(tmp_path):
    units = manual(tmp_path)
    target = tmp_path / "empty" / "rows"
    target.mkdir(parents=True)

    def interrupted() -> Iterator[Unit]:
        yield from units[:7]
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_rows(interrupted(), target)
    assert list(target.parent.iterdir()) == [target]
    assert list(target.iterdir()) == []
    write_rows(units, target)
    assert (target / "train.yaml").is_file()


def test_a_place_that_cannot_be_written_is_an_error_that_names_it(tmp_path):
    (tmp_path / "file").write_text("")
    with pytest.raises(PlaitError, match="the rows could not be written to"):
        write_rows([section()], tmp_path / "file" / "rows")
