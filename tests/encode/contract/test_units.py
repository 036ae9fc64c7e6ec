"""What every encoder promises of the vectors of units."""

from __future__ import annotations

import logging
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from tests.encode.contract.conftest import figure, long_text, unit
from tests.helpers.encoders import Case

from plait.encode import Encoder
from plait.errors import ReadError
from plait.schema import Unit
from plait.scoring.vectors import UnitVectors, VectorField

Units = dict[str, Unit]


@pytest.fixture(scope="session")
def encoded(encoder: Encoder, units: Units) -> dict[str, UnitVectors]:
    return dict(zip(units, encoder.encode_units(list(units.values())), strict=True))


def assert_equal(left: UnitVectors, right: UnitVectors) -> None:
    assert left.fields.keys() == right.fields.keys()
    for name, vectors in left.fields.items():
        np.testing.assert_allclose(vectors, right.fields[name], atol=2e-5)


def test_vectors_are_as_the_fields_say(encoder: Encoder, encoded: dict[str, UnitVectors]) -> None:
    assert len({field.name for field in encoder.fields}) == len(encoder.fields)
    for vectors in encoded.values():
        assert vectors.fields.keys() == {field.name for field in encoder.fields}
        for field in encoder.fields:
            found = vectors.fields[field.name]
            assert found.shape[1:] == (field.tokens, field.width)
            assert found.dtype == np.float32
            np.testing.assert_allclose(np.linalg.norm(found, axis=-1), 1, atol=1e-4)


def test_item_k_is_passage_k_or_figure_k(
    encoder: Encoder, units: Units, encoded: dict[str, UnitVectors]
) -> None:
    for name, given in units.items():
        for field in encoder.fields:
            check_count(field, given, len(encoded[name].fields[field.name]))


def check_count(field: VectorField, given: Unit, items: int) -> None:
    if field.items == "figure":
        assert items == len(given.figures)
    elif field.items == "passage":
        assert items == len(given.passages) or (not given.passages and items <= 1)
    else:
        assert items >= len(given.figures)
        assert items or not (given.passages or given.figures)


def test_a_unit_without_words_is_found_by_its_captions(
    encoder: Encoder, encoded: dict[str, UnitVectors]
) -> None:
    assert any(len(vectors) for vectors in encoded["without words"].fields.values())


def test_units_together_equal_units_alone(
    encoder: Encoder, units: Units, encoded: dict[str, UnitVectors]
) -> None:
    for name, given in units.items():
        assert_equal(encoder.encode_units([given])[0], encoded[name])


def test_vectors_follow_the_order_of_the_units(
    encoder: Encoder, units: Units, encoded: dict[str, UnitVectors]
) -> None:
    backwards = list(reversed(units))
    for name, found in zip(backwards, encoder.encode_units([units[name] for name in backwards]), strict=True):
        assert_equal(found, encoded[name])


def test_the_same_units_give_the_same_vectors(encoder: Encoder, units: Units) -> None:
    first, second = (encoder.encode_units(list(units.values())) for _ in range(2))
    for one, other in zip(first, second, strict=True):
        for name, vectors in one.fields.items():
            assert np.array_equal(vectors, other.fields[name])


def test_no_units_give_no_vectors(encoder: Encoder) -> None:
    assert encoder.encode_units([]) == []


def test_the_last_word_of_a_very_long_passage_counts(encoder: Encoder) -> None:
    windows, truncated = encoder.windows, encoder.truncated
    (one,) = encoder.encode_units([unit(0, texts=[long_text("red"), "turn left"])])
    assert encoder.windows > windows
    (other,) = encoder.encode_units([unit(0, texts=[long_text("square"), "turn left"])])
    assert encoder.truncated == truncated
    for field in encoder.fields:
        if field.items != "figure":
            assert np.abs(one.fields[field.name] - other.fields[field.name]).max() > 1e-4


@pytest.mark.parametrize("damage", ["gone", "cut off", "no picture"])
def test_a_figure_that_cannot_be_opened_is_refused_or_takes_no_other_ones_place(
    case: Case,
    encoder: Encoder,
    pictures: dict[str, str],
    tmp_path: Path,
    damage: str,
    caplog: pytest.LogCaptureFixture,
) -> None:
    bad = tmp_path / "bad.png"
    if damage != "gone":
        content = Path(pictures["red"]).read_bytes()
        bad.write_bytes(content[: len(content) // 2] if damage == "cut off" else b"words")
    good = figure(pictures["blue"])
    given = unit(0, texts=["a red square"], figures=[figure(str(bad)), good])
    if case.bad_figure == "refused":
        with pytest.raises(ReadError, match=r"bad\.png.*; .+") as error:
            encoder.encode_units([given])
        assert error.value.source == str(bad)
        return
    with caplog.at_level(logging.WARNING):
        (found,) = encoder.encode_units([given])
    assert ("bad.png" in caplog.text) == (case.bad_figure == "replaced")
    (whole,) = encoder.encode_units([replace(given, figures=(good, good))])
    for field in encoder.fields:
        vectors, expected = found.fields[field.name], whole.fields[field.name]
        assert len(vectors) == len(expected)
        np.testing.assert_allclose(vectors[-1], expected[-1], atol=2e-5)


def test_a_copy_of_the_model_elsewhere_gives_the_same_vectors_and_fingerprint(
    case: Case, encoder: Encoder, saved: Path, units: Units, tmp_path: Path
) -> None:
    shutil.copytree(saved, tmp_path / "copy", symlinks=True)
    (tmp_path / "copy" / "README.md").unlink(missing_ok=True)
    copy = case.load(tmp_path / "copy")
    assert copy.fingerprint == encoder.fingerprint
    assert copy.fields == encoder.fields
    given = [units["usual"], units["without words"]]
    for one, other in zip(copy.encode_units(given), encoder.encode_units(given), strict=True):
        assert_equal(one, other)


@pytest.mark.parametrize("change", ["other_weights", "other_settings"])
def test_other_weights_or_settings_have_another_fingerprint(
    case: Case, encoder: Encoder, saved: Path, tmp_path: Path, change: str
) -> None:
    shutil.copytree(saved, tmp_path / "changed", symlinks=True)
    getattr(case, change)(tmp_path / "changed")
    assert case.load(tmp_path / "changed").fingerprint != encoder.fingerprint
