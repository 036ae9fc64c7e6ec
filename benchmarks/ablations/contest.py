"""Teaching a rival on all manuals but one, and asking it that one's questions."""

from __future__ import annotations

import json
import logging
import pickle
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from safetensors.torch import load_file
from torch import nn

from benchmarks.ablations.drawings import drawings
from benchmarks.ablations.lessons import asked_of, heads_without, lesson_of
from benchmarks.ablations.material import Material, material
from plait.encode.mini import MiniEncoder
from plait.model.mini.configuration_mini import JointHeadConfig, MiniConfig
from plait.model.mini.modeling_mini import PictureHeads
from plait.scoring.mixture import MixtureParameters, mixture
from plait.search.fusion import z_sum
from plait.train.mini.distilling import DistilRecipe, Lesson, distil, scores
from plait.train.mini.gate import reciprocal_rank
from plait.train.mini.heads import HeadsRecipe
from plait.train.mini.lanes import Asked
from plait.train.mini.queries import Kind
from plait.train.mini.sources import MANUALS

logger = logging.getLogger(__name__)

Scores = NDArray[np.float32]
Ranks = NDArray[np.float64]
Build = Callable[[JointHeadConfig, Sequence[Lesson]], nn.Module]
_SUMMED = ("bm25", "text", "image_tokens")


@dataclass(frozen=True, slots=True)
class Rival:
    """One way to read units into tokens, and how it is taught.

    Attributes:
        fused: whether all figures of a unit are one reading.
        drawings: whether captioned drawings are one more manual to learn from.
        manuals: to learn from, at most; 0 means all but the held one.
    """

    name: str
    build: Build
    recipe: DistilRecipe
    joint: JointHeadConfig
    fused: bool = False
    drawings: bool = False
    manuals: int = 0


@dataclass
class Results:
    """Reciprocal ranks of every rival; written after each run, so that a long evening can be interrupted."""

    file: Path
    ranks: dict[str, dict[str, dict[str, list[float]]]] = field(default_factory=dict)  # held, rival, seed

    def add(self, held: str, rival: str, seed: int, ranks: Sequence[float]) -> None:
        self.ranks.setdefault(held, {}).setdefault(rival, {})[str(seed)] = [round(float(r), 5) for r in ranks]
        self.file.write_text(json.dumps(self.ranks), "utf-8")

    def scores_file(self, held: str, rival: str, seed: int) -> Path:
        """Return where the scores of one run lie."""
        folder = self.file.with_suffix("")
        folder.mkdir(parents=True, exist_ok=True)
        return folder / f"{held}--{rival.replace(' ', '_')}--{seed}.npz"

    def scores(self, held: str, rival: str, seed: int) -> Scores:
        """Return (Q, N) of one run."""
        with np.load(self.scores_file(held, rival, seed)) as stored:
            found: Scores = stored["scores"]
        return found

    def has(self, held: str, rival: str, seed: int) -> bool:
        return str(seed) in self.ranks.get(held, {}).get(rival, {})

    @classmethod
    def read(cls, file: Path) -> Results:
        return cls(file, json.loads(file.read_text("utf-8"))) if file.exists() else cls(file)


@dataclass(frozen=True, slots=True)
class Bench:
    """All manuals, with the shipped model's lanes."""

    materials: Mapping[str, Material]
    asked: Mapping[str, list[Asked]]
    mixture: MixtureParameters
    packages: Path
    work: Path

    @classmethod
    def open(cls, packages: Path, work: Path, units: Mapping[str, int]) -> Bench:
        """Return the bench, with so many units of each manual."""
        sources = [source for source in MANUALS if source.package in units]
        materials = {s.package: material(s, packages, work, most_units=units[s.package]) for s in sources}
        encoder = MiniEncoder.load(threads=1)
        heads = shipped_heads(encoder)
        asked = {name: asked_of(one, heads) for name, one in materials.items()}
        return cls(materials, asked, encoder.mixture, packages, work)

    def lessons(self, rival: Rival) -> dict[str, Lesson]:
        return {
            name: lesson_of(one, self.asked[name], self.mixture, layers=rival.joint.layers, fused=rival.fused)
            for name, one in self.materials.items()
        }

    def kinds(self, names: Sequence[str]) -> dict[str, list[Kind]]:
        """Return manual -> the kind of each question."""
        return {name: [one.kind for one in self.asked[name]] for name in names}

    def baselines(self, names: Sequence[str]) -> dict[str, dict[str, Ranks]]:
        """Return what needs no student: the mixture, with two kinds of picture heads, and a z-sum."""
        found: dict[str, dict[str, Ranks]] = {}
        for name in names:
            few = asked_of(self.materials[name], self.few_heads(name))
            ways = {
                "mixture, as shipped": [mixture(one.lanes, self.mixture) for one in self.asked[name]],
                "mixture, picture heads of the other manuals": [
                    mixture(one.lanes, self.mixture) for one in few
                ],
                "sum of z-scores: BM25, MiniLM, image tokens": [
                    z_sum({lane: one.lanes[lane] for lane in _SUMMED if lane in one.lanes})
                    for one in self.asked[name]
                ],
            }
            for way, scored in ways.items():
                found.setdefault(way, {})[name] = np.array([self.ranks(name, np.stack(scored))])
        return found

    def few_heads(self, held: str) -> PictureHeads:
        """Return heads trained on the asked pictures of the other manuals, far fewer than the shipped had."""
        file = self.work / f"heads--{held}.pkl"
        if not file.exists():
            heads = heads_without(held, list(self.materials.values()), HeadsRecipe(batch=48))
            file.write_bytes(pickle.dumps(heads))
        heads = pickle.loads(file.read_bytes())  # our own file, in our own working folder
        assert isinstance(heads, PictureHeads)
        return heads

    def with_lane(self, held: str, lane: Scores, weight: float) -> list[float]:
        """Return the ranks by the mixture with some scores, (Q, N), as the lane "ret"."""
        parameters = replace(self.mixture, ret=weight)
        joined = zip(self.asked[held], lane, strict=True)
        return self.ranks(held, np.stack([mixture({**one.lanes, "ret": s}, parameters) for one, s in joined]))

    def ranks(self, held: str, found: Scores) -> list[float]:
        return [reciprocal_rank(row, one) for row, one in zip(found, self.asked[held], strict=True)]

    def run(self, rival: Rival, held: str, seed: int, results: Results) -> None:
        """Teach a rival on the other manuals, and ask it the held one's questions."""
        if results.has(held, rival.name, seed):
            return
        started = time.process_time()
        lessons = self.lessons(rival)
        others = [lesson for name, lesson in lessons.items() if name != held]
        others = others[: rival.manuals or None]
        if rival.drawings:
            others.append(drawings(self.packages, self.work))
        torch.manual_seed(seed)
        student = distil(others, rival.build(rival.joint, others), replace(rival.recipe, seed=seed))
        found = scores(student, lessons[held])
        np.savez(results.scores_file(held, rival.name, seed), scores=found)
        results.add(held, rival.name, seed, self.ranks(held, found))
        logger.info("%s, %s, seed %d: %.0f CPU s", rival.name, held, seed, time.process_time() - started)


def shipped_heads(encoder: MiniEncoder) -> PictureHeads:
    """Return the picture heads that ship, read from the encoder's folder."""
    tensors = load_file(encoder.folder / "model.safetensors")
    heads = PictureHeads(MiniConfig.read(encoder.folder / "config.json").heads, 424)
    heads.load_state_dict({k: v for k, v in tensors.items() if not k.startswith(("words.", "joint."))})
    return heads.eval().requires_grad_(False)
