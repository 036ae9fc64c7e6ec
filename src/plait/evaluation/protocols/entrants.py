"""Who takes part: a model with the systems that are made of its lanes, and the baselines."""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch

from plait.encode import checkpoint, load_encoder
from plait.encode.quiet import no_progress_bars
from plait.errors import InputError
from plait.evaluation.protocols.side_encoders import MODEL, OneLane, SideEncoder, UnitLanes
from plait.evaluation.systems import BASELINE_MODEL, BM25, IMAGE, TEXT, System, baselines
from plait.model import hub
from plait.scoring.mixture import MixtureParameters


@dataclass(frozen=True, slots=True)
class Entrant:
    """A model and the systems made of its lanes and BM25.

    Attributes:
        name: for reports and folders.
        encoder: gives its lanes' vectors.
        systems: the model under evaluation is the first.
        mixture: of gated systems.
        device: of torch, where its lanes are searched.
    """

    name: str
    encoder: SideEncoder
    systems: tuple[System, ...]
    mixture: MixtureParameters | None = None
    device: str = "cpu"


def entrants_of(
    model: str,
    *,
    device: str = "auto",
    batch_size: int = 32,
    baselines: bool = True,
    approximate: bool = False,
) -> list[Entrant]:
    """Return a stored model and, if wished, the baselines.

    Args:
        model, device, batch_size: as of `entrant_of`.
        approximate: whether the model shall be searched approximately, which only some can.

    Raises:
        ModelError: there is no such model, or it cannot be loaded.
        InputError: there is no such device, or nothing to approximate.
    """
    with no_progress_bars():
        entrant = entrant_of(model, device=device, batch_size=batch_size, with_bm25=baselines)
    if approximate and not (isinstance(entrant.encoder, OneLane) and entrant.encoder.several):
        raise InputError(
            f"--approximate is for models of one lane with many vectors for a candidate: {model} is searched "
            "exactly, as models of its kind were when figures were published"
        )
    return [entrant, *([baseline_entrant(entrant.device)] if baselines else [])]


def entrant_of(model: str, *, device: str = "auto", batch_size: int = 32, with_bm25: bool = True) -> Entrant:
    """Return a stored model as it takes part.

    A model of one lane takes part alone and, if wished, summed with BM25; plait-mini as it searches a
    library, by its mixture of all its lanes and BM25.

    Args:
        model: "plait-mini"; a folder, a pip package, or a downloaded hub name.
        device: "cpu", "cuda", or "auto", which takes a GPU where there is one; plait-mini encodes on the CPU.
        batch_size: sides encoded at a time.

    Raises:
        ModelError: there is no such model, or it cannot be loaded.
        InputError: there is no such device.
    """
    folder = hub.resolve(model)
    name = model if model == BASELINE_MODEL else os.path.basename(os.path.abspath(model))
    place = _device(device)
    if checkpoint.kind_of(folder) == "plait-mini":
        encoder = load_encoder(model)
        lanes = UnitLanes(encoder)
        system = System(name, (*lanes.widths, BM25), "gated")
        return Entrant(name, lanes, (system,), encoder.mixture, place)
    return one_lane(
        name,
        OneLane(model, device=place, batch_size=batch_size),
        device=place,
        with_bm25=with_bm25,
    )


def one_lane(name: str, encoder: SideEncoder, *, device: str = "cpu", with_bm25: bool = True) -> Entrant:
    """Return an encoder whose one lane is called `side_encoders.MODEL`."""
    both = System(f"{name} + BM25", (MODEL, BM25), "zsum")
    return Entrant(name, encoder, (System(name, (MODEL,)), *([both] if with_bm25 else [])), device=device)


def baseline_entrant(device: str = "cpu") -> Entrant:
    """Return what every evaluation prints beside a model: BM25, and plait-mini's two backbones."""
    lanes = UnitLanes(load_encoder(BASELINE_MODEL), lanes=(TEXT, IMAGE))
    return Entrant(BASELINE_MODEL, lanes, baselines((BM25, TEXT, IMAGE)), device=device)


def _device(name: str) -> str:
    if name not in ("auto", "cpu", "cuda"):
        raise InputError(f"device is {name!r}, expected auto, cpu or cuda")
    there = torch.cuda.is_available()
    if name == "cuda" and not there:
        raise InputError("device is cuda, but torch sees no GPU: give cpu, or auto")
    return ("cuda" if there else "cpu") if name == "auto" else name
