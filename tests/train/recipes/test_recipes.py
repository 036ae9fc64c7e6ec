"""Every recipe is read, says of each setting whose it is, and the small one really trains."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path

import pytest
import torch

from plait.model.ret.configuration_ret import RetRetrievalConfig
from plait.model.ret2.configuration_ret2 import Ret2RetrievalConfig
from plait.train.config import TrainConfig
from plait.train.settings_file import read_settings
from plait.train.trainer import train

RECIPES = Path(__file__).parents[3] / "recipes"
OFFICIAL = ["ret-m2kr.yaml", "ret2-m2kr.yaml", "ret2-mbeir.yaml"]
LARGE = {"num_hidden_layers": 24, "hidden_size": 1024, "num_attention_heads": 16}


def settings(name, *changes):
    return read_settings(TrainConfig, RECIPES / name, changes=changes)


@pytest.mark.parametrize("name", sorted(file.name for file in RECIPES.glob("*.yaml")))
def test_a_recipe_is_read(name):
    assert settings(name).data


@pytest.mark.parametrize("name", OFFICIAL)
def test_every_setting_of_an_official_recipe_says_whose_it_is(name):
    text = (RECIPES / name).read_text()
    body = text[text.index("\nmodel:") :]
    for section in ("model", "validation", "objective", "trainer", "evaluation"):
        lines = re.search(rf"\n{section}:\n((?:[ #].*\n)+)", body)[1].splitlines()
        unsaid = [
            line for line in lines if re.search(r": [^#\s]", line) and not re.search(r"# \[\w+\]", line)
        ]
        allowed = ["family: ret", "keep_checkpoints"]
        assert [line for line in unsaid if line.strip() not in allowed] == []


def test_the_ret_recipe_is_the_one_the_authors_told():
    found = settings("ret-m2kr.yaml")
    trainer, contrast = found.trainer, found.objective.contrastive
    assert (trainer.batch_size, trainer.epochs, trainer.stop_after_steps) == (512, 30, 75_000)
    assert (trainer.schedule, trainer.learning_rate, trainer.weight_decay) == ("cosine", 5e-5, 0)
    assert (contrast.temperature, contrast.symmetric, found.objective.hard_negatives) == (1, False, 0)


def test_the_mix_of_parquet_files_is_the_one_the_authors_told():
    parts = {part.name: (part.repeats, part.rows) for part in settings("ret-m2kr-parquet.yaml").data}
    assert "MSMARCO" not in parts
    assert (parts["E-VQA"], parts["OKVQA"]) == ((2, None), (9, None))
    assert parts["InfoSeek"][1] < 100_000
    assert all(parts[name] == (1, None) for name in ("WIT", "CC3M", "LLaVA", "KVQA", "OVEN"))


@pytest.mark.parametrize(
    ("name", "kind"), [("ret-m2kr.yaml", RetRetrievalConfig), ("ret2-m2kr.yaml", Ret2RetrievalConfig)]
)
def test_an_official_recipe_describes_a_model_that_can_be_made(name, kind):
    new = settings(name).model.from_backbones
    given = {field: value for field, value in dataclasses.asdict(new.side).items() if value is not None}
    backbones = {"vision_config": LARGE} if "large" in new.vision else {}
    shared = {field: getattr(new, field) for field in ("share_sides", "late_interaction")}
    config = kind(query_config=given | backbones, **shared)
    assert config.query_config.late_proj_output_size == new.side.late_proj_output_size
    assert len(config.query_config.layers.text) == (12 if new.family == "ret" else 3)


def test_the_small_recipe_trains(tmp_path):
    config = settings(
        "quickstart.yaml",
        f"output.folder={tmp_path / 'run'}",
        "model.from_backbones.side.hidden_size=32",
        "model.from_backbones.side.num_queries=2",
        "model.max_text_tokens=24",
        "trainer.batch_size=4",
        "trainer.steps=2",
        "trainer.log_every=1",
        "validation.rows=4",
    )
    report = train(config)
    assert (report.ended, report.step) == ("finished", 2)
    assert report.loss is not None
    assert torch.isfinite(torch.tensor(report.loss))
    assert [one.step for one in report.evaluations] == [0, 2]
