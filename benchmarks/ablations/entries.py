"""Who takes part: the rivals of the main table, and variants of the cell, one change each."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from torch import nn

from benchmarks.ablations.contest import Rival
from benchmarks.ablations.rivals import CellOnPlain, PlainHeads, cell
from plait.model.mini.configuration_mini import JointHeadConfig, MiniConfig
from plait.train.mini.distilling import DistilRecipe, Lesson

UNITS = {  # of each manual, that are read
    "python-skimage-doc": 350,
    "python-sklearn-doc": 350,
    "python-silx-doc": 350,
    "opencv-doc": 220,
    "python-astropy-doc": 220,
}
VALIDATION = "opencv-doc"  # every setting was chosen here; it is no test
ASKED_LAST = "python-skimage-doc"  # after the weights of the lanes below were fixed
LANES = {"cell, contrastive": 2.0, "cell, distilled": 4.0}
HELD = ("python-sklearn-doc", "python-silx-doc", "python-astropy-doc")
_SIZE = JointHeadConfig(width=64, inner=128)  # 8 tokens of 64


def _cell(joint: JointHeadConfig, _: Sequence[Lesson]) -> nn.Module:
    return cell(joint)


def _open_gates(joint: JointHeadConfig, _: Sequence[Lesson]) -> nn.Module:
    return cell(joint, gates=20.0)


def _half_gates(joint: JointHeadConfig, _: Sequence[Lesson]) -> nn.Module:
    return cell(joint, gates=0.0)


def _plain(joint: JointHeadConfig, lessons: Sequence[Lesson]) -> nn.Module:
    return PlainHeads(joint, lessons)


def _on_plain(joint: JointHeadConfig, lessons: Sequence[Lesson]) -> nn.Module:
    return CellOnPlain(replace(MiniConfig(), joint=joint), lessons)


DISTILLED = DistilRecipe()
CONTRASTIVE = DistilRecipe(contrastive=1.0, distillation=0.0)
GENTLE = 1e-4  # plain heads start well: larger steps forget that

MAIN = (
    Rival("plain heads, untrained", _plain, replace(DISTILLED, steps=0), _SIZE),
    Rival("plain heads, distilled", _plain, replace(DISTILLED, learning_rate=GENTLE), _SIZE),
    Rival("cell, untrained", _cell, replace(DISTILLED, steps=0), _SIZE),
    Rival("cell, distilled", _cell, DISTILLED, _SIZE),
    Rival("cell on plain heads, distilled", _on_plain, DISTILLED, _SIZE),
    Rival("cell, contrastive", _cell, CONTRASTIVE, _SIZE),
)

_ONE_LEVEL = replace(_SIZE, layers=(6,), stages=(5,))
_TWO_LEVELS = replace(_SIZE, layers=(4, 6), stages=(4, 5))
VARIANTS = (
    Rival("cell, both losses", _cell, replace(DISTILLED, contrastive=1.0), _SIZE),
    Rival(
        "cell, both losses, 300 drawings", _cell, replace(DISTILLED, contrastive=1.0), _SIZE, drawings=True
    ),
    Rival("cell, one manual to learn from", _cell, DISTILLED, _SIZE, manuals=1),
    Rival("cell, two manuals to learn from", _cell, DISTILLED, _SIZE, manuals=2),
    Rival("cell, one level", _cell, DISTILLED, _ONE_LEVEL),
    Rival("cell, two levels", _cell, DISTILLED, _TWO_LEVELS),
    Rival("cell, 4 tokens", _cell, DISTILLED, replace(_SIZE, tokens=4)),
    Rival("cell, 16 tokens", _cell, DISTILLED, replace(_SIZE, tokens=16)),
    Rival("cell, 32 tokens", _cell, DISTILLED, replace(_SIZE, tokens=32)),
    Rival("cell, gates fixed open", _open_gates, DISTILLED, _SIZE),
    Rival("cell, gates fixed at one half", _half_gates, DISTILLED, _SIZE),
    Rival("cell, 12 units of another manual", _cell, replace(DISTILLED, foreign=12), _SIZE),
    Rival("cell, figures of a unit read together", _cell, DISTILLED, _SIZE, fused=True),
    Rival("cell, width 128", _cell, DISTILLED, JointHeadConfig()),
    Rival("cell, 450 steps, decay 0.3", _cell, replace(DISTILLED, steps=450, weight_decay=0.3), _SIZE),
    Rival("cell, 1500 steps, decay 0.3", _cell, replace(DISTILLED, steps=1500, weight_decay=0.3), _SIZE),
    Rival("cell, teacher's temperature 4", _cell, replace(DISTILLED, teacher_temperature=4.0), _SIZE),
    Rival("cell on plain heads, 450 steps", _on_plain, replace(DISTILLED, steps=450), _SIZE),
    Rival(
        "plain heads, 16 tokens, untrained", _plain, replace(DISTILLED, steps=0), replace(_SIZE, tokens=16)
    ),
    Rival(
        "plain heads, 32 tokens, untrained", _plain, replace(DISTILLED, steps=0), replace(_SIZE, tokens=32)
    ),
)
