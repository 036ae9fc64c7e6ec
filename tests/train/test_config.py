"""Settings are read strictly: what is not understood is an error that says what would be."""

from __future__ import annotations

import dataclasses
import inspect
from pathlib import Path
from typing import Literal

import pytest
import yaml
from hypothesis import given
from hypothesis import settings as settings_of_hypothesis
from hypothesis import strategies as st

from plait.errors import InputError, MissingPathError
from plait.model.ret.configuration_ret import RetConfig
from plait.train.config import MatryoshkaSize, TrainConfig
from plait.train.data_config import HuggingFaceData, JsonlData
from plait.train.model_config import SideConfig
from plait.train.settings_file import ModelName, differences, read_settings, to_plain

ROWS = {"format": "jsonl", "paths": "rows.jsonl"}
LEAST = {
    "model": {"start": "some/model"},
    "data": [ROWS],
    "output": {"folder": "run"},
}


@dataclasses.dataclass(frozen=True)
class Inner:
    size: int = 1


@dataclasses.dataclass(frozen=True)
class Red:
    format: Literal["red"]
    shade: float = 0.5


@dataclasses.dataclass(frozen=True)
class Blue:
    format: Literal["blue"]
    depth: int


@dataclasses.dataclass(frozen=True)
class Outer:
    name: str
    rate: float = 1.0
    count: int | None = None
    is_new: bool = False
    kind: Literal["a", "b"] = "a"
    place: Path | None = None
    model: ModelName | None = None
    inner: Inner = dataclasses.field(default_factory=Inner)
    colours: tuple[Red | Blue, ...] = ()
    words: tuple[str, ...] = ()
    one_or_more: Path | tuple[Path, ...] = ()


def read(folder, text, kind=Outer, changes=()):
    file = folder / "settings.yaml"
    file.write_text(text if isinstance(text, str) else yaml.safe_dump(text))
    return read_settings(kind, file, changes=changes)


def test_values_become_what_the_annotations_say(tmp_path):
    (tmp_path / "there").mkdir()
    text = """
        name: x
        rate: 5e-5   # which YAML takes for a text
        count: 3
        is_new: true
        kind: b
        place: down/file
        model: there
        inner: {size: 2}
        colours: [{format: red, shade: 1}, {format: blue, depth: 4}]
        words: [a, b]
        one_or_more: [f, ../g]
    """
    assert read(tmp_path, text) == Outer(
        name="x",
        rate=5e-5,
        count=3,
        is_new=True,
        kind="b",
        place=tmp_path / "down" / "file",
        model=ModelName(str(tmp_path / "there")),
        inner=Inner(2),
        colours=(Red("red", 1.0), Blue("blue", 4)),
        words=("a", "b"),
        one_or_more=(tmp_path / "f", tmp_path / ".." / "g"),
    )


def test_a_model_that_is_no_folder_here_keeps_its_name(tmp_path):
    assert read(tmp_path, "{name: x, model: owner/name}").model == "owner/name"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("{name: x, rat: 1}", r"unknown key 'rat' at the top: did you mean 'rate'\?"),
        ("{name: x, inner: {zzz: 1}}", "unknown key 'zzz' in inner: use one of size"),
        ("{rate: 1}", "at the top the key 'name' is missing"),
        ("{name: x, rate: fast}", "rate is 'fast', expected a number"),
        ("{name: x, rate: true}", "rate is True, expected a number"),
        ("{name: x, count: 1.5}", "count is 1.5, expected a whole number"),
        ("{name: x, count: true}", "count is True, expected a whole number"),
        ("{name: 3}", "name is 3, expected a text"),
        ("{name: x, is_new: 1}", "is_new is 1, expected true or false"),
        ("{name: x, kind: c}", "kind is 'c', expected one of a, b"),
        ("{name: x, place: ~/runs}", "place is '~/runs', expected a path, .* without ~"),
        ("{name: x, inner: 3}", r"inner is 3, expected settings by name \(size\)"),
        ("{name: x, words: a}", "words is 'a', expected a list"),
        ("{name: x, words: [a, 1]}", r"words\.1 is 1, expected a text"),
        ("{name: x, colours: [{shade: 1}]}", r"colours\.0\.format is None, expected one of red, blue"),
        (
            "{name: x, colours: [{format: green}]}",
            r"colours\.0\.format is 'green', expected",
        ),
        ("{name: x, colours: [{format: red, depth: 1}]}", r"unknown key 'depth' in colours\.0"),
        ("{name: x, colours: [{format: blue}]}", r"in colours\.0 the key 'depth' is missing"),
        ("name: x\nrate: 1\nrate: 2", "the key 'rate' is there twice"),
        ("inner: {size: 1, size: 2}", "the key 'size' is there twice"),
        ("- x", "holds a list, expected settings by name"),
        ("", "holds a NoneType, expected settings by name"),
        ("name: [", "is not YAML"),
        ("{name: x, [1]: 2}", "is not YAML|unknown key"),
        ("name: !!python/object/apply:os.getcwd []", "is not YAML"),
    ],
)
def test_what_is_not_understood_is_refused_with_its_place(tmp_path, text, said):
    with pytest.raises(InputError, match=said) as error:
        read(tmp_path, text)
    assert "settings.yaml" in str(error.value)


def test_a_file_that_is_not_there_is_named(tmp_path):
    with pytest.raises(MissingPathError, match=r"nowhere\.yaml is not there"):
        read_settings(Outer, tmp_path / "nowhere.yaml")


def test_changes_are_made_one_after_another(tmp_path):
    changes = [
        "rate=2", "inner.size=5", "colours.0.shade=0.25", "place=null", "words=[c]", "count=1", "count=2",
        "name=a=b",
    ]  # fmt: skip
    found = read(tmp_path, "{name: x, place: p, colours: [{format: red}]}", changes=changes)
    assert found == Outer("a=b", 2.0, count=2, inner=Inner(5), colours=(Red("red", 0.25),), words=("c",))


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ("rate", "'rate' changes nothing: expected place=value"),
        (".rate=1", "changes nothing"),
        ("rat=1", "unknown key 'rat'"),
        ("colours.1.shade=1", "the list has the places 0 to 0, not '1'"),
        ("colours.first=1", "the list has the places 0 to 0, not 'first'"),
        ("name.first=1", "name is 'x', which holds nothing further"),
        ("rate=[", "'\\[' is not YAML"),
    ],
)
def test_changes_that_change_nothing_are_refused(tmp_path, change, said):
    with pytest.raises(InputError, match=said):
        read(tmp_path, "{name: x, colours: [{format: red}]}", changes=[change])


NAMES = st.sampled_from(["name", "rate", "inner", "size", "x"])
SCALARS = st.none() | st.booleans() | st.integers() | st.floats() | st.text()
ANY = st.recursive(SCALARS, lambda inner: st.lists(inner) | st.dictionaries(NAMES, inner), max_leaves=6)


@given(ANY)
@settings_of_hypothesis(deadline=None, max_examples=60)
def test_any_yaml_is_read_or_refused_never_a_crash(tmp_path_factory, value):
    folder = tmp_path_factory.mktemp("any")
    try:
        found = read(folder, {"name": "x", "inner": value, "rate": value})
    except InputError:
        return
    assert isinstance(found, Outer)


def test_plain_settings_hold_no_types_of_ours_and_differ_where_they_differ(tmp_path):
    one = to_plain(read(tmp_path, "{name: x, place: p, colours: [{format: red}, {format: red}]}"))
    other = to_plain(read(tmp_path, "{name: y, place: p, colours: [{format: red}, {format: red, shade: 1}]}"))
    assert yaml.safe_load(yaml.safe_dump(one)) == one
    assert differences(one, other) == {"name": ("x", "y"), "colours.1.shade": (0.5, 1.0)}
    assert differences({"a": [1]}, {"a": [1, 2], "b": 3}) == {"a": ([1], [1, 2]), "b": (None, 3)}
    assert differences(one, one) == {}


# --- the settings of a run ---


def settings(folder, **changes):
    values = yaml.safe_load(yaml.safe_dump(LEAST))
    for place, value in changes.items():
        *path, last = place.split("__")
        inner = values
        for name in path:
            inner = inner.setdefault(name, {})
        inner[last] = value
    return read(folder, values, TrainConfig)


def test_little_needs_to_be_said(tmp_path):
    found = settings(tmp_path)
    assert found.model.start == "some/model"
    assert found.data == (JsonlData(format="jsonl", paths=tmp_path / "rows.jsonl"),)
    assert found.objective.contrastive.temperature is None
    assert (found.trainer.batch_size, found.trainer.schedule, found.validation) == (64, "cosine", None)


def test_everything_of_the_objective_can_be_said(tmp_path):
    found = settings(
        tmp_path,
        objective__contrastive={"symmetric": True, "false_negative_margin": 0.1, "gather": False},
        objective__distillation={"kind": "margin_mse", "weight": 0.5},
        objective__matryoshka=[{"tokens": 8, "width": 64}, {"width": 32, "weight": 0.5}],
        objective__modality_dropout={"text": 0.1, "document_image": 0.3},
        objective__hard_negatives=4,
        objective__mini_batch_size=16,
    ).objective
    assert found.matryoshka == (MatryoshkaSize(8, 64), MatryoshkaSize(None, 32, 0.5))
    assert (found.distillation.kind, found.contrastive.false_negative_margin) == ("margin_mse", 0.1)


def test_a_hugging_face_data_set_can_be_said(tmp_path):
    columns = {"query_text": "question", "document_image": "page", "negatives": ["n1", "n2"]}
    (found,) = settings(tmp_path, data=[{"format": "hugging_face", "folder": "set", "columns": columns}]).data
    assert isinstance(found, HuggingFaceData)
    assert (found.folder, found.columns.negatives) == (tmp_path / "set", ("n1", "n2"))


@pytest.mark.parametrize(
    ("place", "value", "said"),
    [
        ("model", {}, "give either start, a model that is there, or from_backbones"),
        ("model__from_backbones", {"text": "a", "vision": "b"}, "give either start"),
        ("data", [], "data names no source"),
        ("data", [{"format": "csv"}], "expected one of jsonl, ret_m2kr, m2kr, mbeir, hugging_face"),
        ("data", [ROWS | {"repeats": 2, "rows": 3}], "give repeats or rows, not both"),
        ("data", [ROWS | {"repeats": 0}], "repeats 0, rows None: expected 1 or more"),
        ("data", [{"format": "hugging_face", "columns": {}}], "give either folder, .* or dataset"),
        ("objective__contrastive", None, "nothing would be minimised"),
        ("objective__mini_batch_size", 0, "mini_batch_size is 0, expected 1 or more"),
        ("trainer__batch_size", 1, "batch_size is 1, expected 2 or more"),
        ("trainer__learning_rate", 0, "learning_rate is 0.0, expected more than 0"),
        ("trainer__steps", 0, "steps is 0, expected 1 or more"),
        ("trainer__warmup", -1, "warmup is -1.0, expected 0 or more"),
        ("trainer__precision", "fp16", "expected one of float32, bfloat16"),
        ("trainer__report_to", ["mlflow"], r"trainer\.report_to\.0 is 'mlflow', expected one of tensorboard"),
        ("validation", {}, "give either data, sources of its own, or share"),
        ("validation__share", 1.0, "share is 1.0, expected more than 0 and less than 1"),
        ("evaluation__patience", 2, "evaluation.patience needs validation"),
        ("max_bad_share", 2.0, "max_bad_share is 2.0, expected 0 to 1"),
    ],
)  # fmt: skip
def test_settings_that_cannot_be_meant_are_refused(tmp_path, place, value, said):
    with pytest.raises(InputError, match=said):
        settings(tmp_path, **{place: value})


def test_every_choice_of_a_side_can_be_made_under_its_own_name():
    ours = {field.name for field in dataclasses.fields(SideConfig)}
    theirs = {
        name
        for name, one in inspect.signature(RetConfig.__init__).parameters.items()
        if one.kind is one.KEYWORD_ONLY
    }
    of_backbones = {"text_config", "vision_config", "lora_alpha", "lora_dropout"}
    of_backbones |= {f"{side}_lora_rank" for side in ("text", "vision")}
    of_backbones |= {f"is_{side}_frozen" for side in ("text", "vision")}
    assert ours == theirs - of_backbones  # which model.from_backbones and model.backbones say
