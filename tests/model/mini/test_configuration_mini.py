"""What config.json says of calibration, and that vectors do not depend on it."""

import json
from dataclasses import replace

import pytest

from plait.encode.mini import MiniEncoder
from plait.errors import ModelError
from plait.model.mini.configuration_mini import MiniConfig

SHIPPED = MiniEncoder.load().folder / "config.json"


def test_a_calibration_is_read_as_it_was_written(tmp_path) -> None:
    config = MiniConfig.read(SHIPPED)
    assert config.calibration is not None
    config.write(tmp_path / "config.json")
    assert MiniConfig.read(tmp_path / "config.json") == config
    assert (tmp_path / "config.json").read_text() == SHIPPED.read_text()


def test_models_from_before_have_none() -> None:
    values = json.loads(SHIPPED.read_text())
    del values["calibration"]
    assert MiniConfig.from_dict(values).calibration is None
    assert "calibration" not in MiniConfig.from_dict(values).to_dict()


def test_vectors_do_not_depend_on_it() -> None:
    """Nor on the mixture: libraries encoded before either was fitted stay usable."""
    config = MiniConfig.read(SHIPPED)
    before = replace(config, calibration=None)
    assert config.encoding == before.encoding == {**before.to_dict(), "mixture": None}
    assert list(config.encoding) == list(before.to_dict())  # their order counts in the fingerprint


def test_a_damaged_one_is_refused(tmp_path) -> None:
    values = json.loads(SHIPPED.read_text())
    values["calibration"]["text"]["least"] = "low"
    (tmp_path / "config.json").write_text(json.dumps(values))
    with pytest.raises(ModelError, match="low"):
        MiniConfig.read(tmp_path / "config.json")
