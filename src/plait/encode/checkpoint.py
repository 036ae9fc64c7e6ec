"""What the folder of a model holds, told from its small files, and what tells two models apart."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any, Literal

from plait.errors import ModelError
from plait.model import hub
from plait.model.files import module_folders, read_json

Kind = Literal["plait-mini", "ReT", "SentenceTransformer", "MultiVectorEncoder"]

_MODELS: dict[str, Kind] = {  # by the model_type of config.json
    "plait-mini": "plait-mini",
    "plait-ret-retrieval": "ReT",
    "plait-ret2-retrieval": "ReT",
    "retriever": "ReT",  # the official release's
}
_PIPELINES: dict[str, Kind] = {  # by the model_type of config_sentence_transformers.json
    "SentenceTransformer": "SentenceTransformer",
    "MultiVectorEncoder": "MultiVectorEncoder",
    "ColBERT": "MultiVectorEncoder",  # PyLate's
}
_INSTALLED = ("sentence_transformers.", "plait.encode.st.", "pylate.")  # where module classes may come from
_FORMAT = "st-1"  # raise when the encoder of sentence-transformers' models changes what is encoded


def kind_of(folder: Path) -> Kind:
    """Return what kind of encoder a folder holds.

    Raises:
        ModelError: one that plait cannot load, or none.
    """
    config = _read(folder / "config.json")
    declared = str(config.get("model_type"))
    is_pipeline = (folder / "modules.json").is_file()
    if declared in _MODELS and not (is_pipeline and _has_prompts(folder)):
        return _MODELS[declared]
    if is_pipeline:
        return _pipeline_kind(folder)
    architectures = [str(name) for name in config.get("architectures") or ()]
    # Late-interaction models that sentence-transformers reads without a modules.json.
    if any(name == "HF_ColBERT" or name.endswith("ForRetrieval") for name in architectures):
        return "MultiVectorEncoder"
    found = f"a {declared!r} model ({', '.join(architectures) or 'no architecture named'})"
    raise ModelError(f"{folder} holds {found} without modules.json: {_EXPECTED}")


def module_types(folder: Path) -> list[str]:
    """Return the classes that modules.json names; none without that file.

    Raises:
        ModelError: it cannot be read.
    """
    listing = folder / "modules.json"
    try:
        return [str(module["type"]) for module in read_json(listing)] if listing.is_file() else []
    except (KeyError, TypeError) as error:
        raise ModelError(f"{listing} is not a list of modules: get the model again") from error


def fingerprint(folder: Path) -> str:
    """Return a hash of every file that a sentence-transformers model's vectors depend on, 64 hex digits.

    Those are the small files and the weights beside modules.json and below the folders that it names; of
    an adapter, also the model that it extends. A copy elsewhere gives the same.

    Raises:
        ModelError: the model that an adapter extends is not here.
    """
    digest = hashlib.sha256(_FORMAT.encode())
    for file in _files(folder):
        with file.open("rb") as stream:
            name = file.relative_to(folder).as_posix()
            digest.update(name.encode() + b"\0" + hashlib.file_digest(stream, "sha256").digest())
    if (adapter := folder / "adapter_config.json").is_file():
        base = str(_read(adapter).get("base_model_name_or_path"))
        digest.update(fingerprint(hub.resolve(base)).encode())
    return digest.hexdigest()


_EXPECTED = (
    'give "plait-mini", a ReT or ReT-2 checkpoint, or a SentenceTransformer or MultiVectorEncoder of '
    "sentence-transformers, which has a modules.json"
)


def _has_prompts(folder: Path) -> bool:
    """Return whether a pipeline says more before a text than its model alone would."""
    prompts = _read(folder / "config_sentence_transformers.json").get("prompts")
    return isinstance(prompts, dict) and any(prompts.values())


def _pipeline_kind(folder: Path) -> Kind:
    foreign = [name for name in module_types(folder) if not name.startswith(_INSTALLED)]
    if foreign:
        raise ModelError(
            f"{folder} needs code of its own ({', '.join(foreign)}), and plait runs no code that comes with "
            "a model: load it yourself, and pass SentenceTransformerEncoder(model, ...) to Library"
        )
    declared = _read(folder / "config_sentence_transformers.json").get("model_type", "SentenceTransformer")
    if declared not in _PIPELINES:
        raise ModelError(f"{folder} holds a {declared} of sentence-transformers: {_EXPECTED}")
    return _PIPELINES[declared]


def _files(folder: Path) -> list[Path]:
    """Return the files that are read, in the order of their names; of doubled weights, the safetensors."""
    found = {file for file in folder.iterdir() if file.is_file()}
    for place in set(module_folders(folder)) - {folder}:
        found |= {file for file in place.rglob("*") if file.is_file()}
    kept = [file for file in found if file.suffix in _READ]
    safe = {file.parent for file in kept if file.suffix == ".safetensors"}
    return sorted(file for file in kept if file.suffix not in _PICKLED or file.parent not in safe)


_PICKLED = {".bin", ".pt"}
_READ = {".safetensors", ".json", ".txt", ".model", ".jinja", ".metadata", *_PICKLED}


def _read(file: Path) -> dict[str, Any]:
    """Return what a JSON file holds, {} where there is none.

    Raises:
        ModelError: it holds something else.
    """
    values = read_json(file) if file.is_file() else {}
    if not isinstance(values, dict):
        raise ModelError(
            f"{file} holds a {type(values).__name__}, expected settings by name: get the model again"
        )
    return values
