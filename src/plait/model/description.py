"""What a model is, read from its configuration and the headers of its weights: no tensor is loaded."""

from __future__ import annotations

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from plait.model.files import StoredTensor, module_folders, stored_tensors
from plait.model.hub import resolve
from plait.model.shapes import NOT_KNOWN, Config, Shape, configuration, shape_of

SENTENCE_TRANSFORMERS = "sentence-transformers"
_FAMILIES = {  # "model_type" of config.json -> family
    "plait-mini": "plait-mini",
    "plait-ret": "ReT, one side",
    "plait-ret-retrieval": "ReT",
    "plait-ret2": "ReT-2, one side",
    "plait-ret2-retrieval": "ReT-2",
    "retriever": "ReT, official release",
}
_DTYPES = {"F64": "float64", "F32": "float32", "F16": "float16", "BF16": "bfloat16", "I8": "int8"}
_TOKENIZERS = ("tokenizer.json", "vocab.json", "vocab.txt", "*.model")
_IMAGE_PROCESSORS = ("preprocessor_config.json", "processor_config.json")
_LICENCE = re.compile(r"^license:\s*(\S.*?)\s*$", re.MULTILINE)
_END = 1 << 20  # bytes of a file's end that tell checkpoints apart

# Stored beside the parameters and not one of them: position tables and counters, and the official priors.
_NO_PARAMETER = re.compile(r"(\.position|position_ids|query_state_ids|gate_bias_prior)$")
_PARTS = tuple(
    (re.compile(pattern), part)
    for pattern, part in (
        (r"(towers|query_model)\.text(_model)?\.", "text backbone"),
        (r"(towers|query_model)\.vision(_model)?\.", "vision backbone"),
        (r"(document_towers|passage_model)\.text(_model)?\.", "text backbone of documents"),
        (r"(document_towers|passage_model)\.vision(_model)?\.", "vision backbone of documents"),
        (r"(query_head|query_model|head)\.", "query head"),
        (r"(document_head|passage_model)\.", "document head"),
    )
)


@dataclass(frozen=True, slots=True)
class ModelInfo:
    """What is known of a model.

    Attributes:
        name: as it was asked for.
        folder: where it lies.
        family: "plait-mini", "ReT", "ReT-2", "ReT, official release", "sentence-transformers", ...
        model_type: the configuration's own word for it.
        parameters: part -> how many, as stored.
        dtype: of the stored numbers.
        bytes_on_disk: of the model's own files.
        revision: the hub's commit, or else a hash of the files.
    """

    name: str
    folder: Path
    family: str
    model_type: str
    shape: Shape
    parameters: dict[str, int]
    dtype: str
    bytes_on_disk: int
    has_tokenizer: bool
    has_image_processor: bool
    licence: str
    revision: str

    def to_dict(self) -> dict[str, Any]:
        """Return the JSON form."""
        values = asdict(self)
        values |= values.pop("shape")
        return values | {"folder": str(self.folder)}


def describe(name: str) -> ModelInfo:
    """Return what a model is; it must be here, see `hub.resolve`.

    Raises:
        ModelError: it is not here, incomplete, or its files cannot be read.
    """
    return describe_folder(resolve(name), name=name)


def describe_folder(folder: Path, *, name: str) -> ModelInfo:
    """Return what the model in a folder is.

    Raises:
        ModelError: its files cannot be read.
    """
    config = configuration(folder)
    tensors = [tensor for tensor in stored_tensors(folder) if not _NO_PARAMETER.search(tensor.name)]
    files = _files(folder)
    is_mini = config.get("model_type") == "plait-mini"  # its packages bring what reads texts and pictures
    return ModelInfo(
        name=name,
        folder=folder,
        family=family(folder, config),
        model_type=str(config.get("model_type", NOT_KNOWN)),
        shape=shape_of(folder, config),
        parameters=_parameters(tensors),
        dtype=" and ".join(sorted({_DTYPES.get(t.dtype, t.dtype.lower()) for t in tensors})) or NOT_KNOWN,
        bytes_on_disk=bytes_on_disk(folder),
        has_tokenizer=is_mini or _holds(files, _TOKENIZERS),
        has_image_processor=is_mini or _holds(files, _IMAGE_PROCESSORS),
        licence=_licence(folder),
        revision=_revision(folder, files),
    )


def family(folder: Path, config: Config) -> str:
    """Return what kind of model a configuration is of."""
    kind = config.get("model_type")
    if kind in _FAMILIES:
        return _FAMILIES[str(kind)]
    if (folder / "modules.json").is_file():
        return SENTENCE_TRANSFORMERS
    if "base_model_name_or_path" in config:
        return f"adapter of {config['base_model_name_or_path']}"
    return f"backbone ({kind or NOT_KNOWN})"


def bytes_on_disk(folder: Path) -> int:
    """Return how much a model's own files take."""
    return sum(file.stat().st_size for file in _files(folder))


def is_encoder(folder: Path, config: Config) -> bool:
    """Return whether a model is made to give vectors that are compared, and no mere backbone."""
    return config.get("model_type") in _FAMILIES or (folder / "modules.json").is_file()


# --- what lies in the files ---


def _files(folder: Path) -> list[Path]:
    """Return the model's own files: not those of checkpoints or caches below it."""
    places = (folder, *module_folders(folder))
    return sorted({file for place in places for file in place.glob("*") if file.is_file()})


def _holds(files: Sequence[Path], patterns: Sequence[str]) -> bool:
    return any(file.match(pattern) for file in files for pattern in patterns)


def _parameters(tensors: Sequence[StoredTensor]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for tensor in tensors:
        counts[_part(tensor.name)] += tensor.size
    return dict(counts)


def _part(tensor: str) -> str:
    return next((part for pattern, part in _PARTS if pattern.match(tensor)), "model")


def _licence(folder: Path) -> str:
    """Return what the first lines of the model's card declare, those between "---" and "---"."""
    try:
        card = (folder / "README.md").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return NOT_KNOWN
    before, _, rest = card.partition("---\n")
    found = None if before else _LICENCE.search(rest.partition("\n---")[0])
    return found[1] if found else NOT_KNOWN


def _revision(folder: Path, files: Sequence[Path]) -> str:
    """Return the commit of a snapshot in the hub's cache; of any other folder, a hash of its files.

    Of large files only size and end are read: enough to tell checkpoints apart, and quick.
    """
    if folder.parent.name == "snapshots":
        return folder.name
    digest = hashlib.sha256()
    for file in files:
        size = file.stat().st_size
        with file.open("rb") as stream:
            stream.seek(max(0, size - _END))
            digest.update(f"{file.relative_to(folder)} {size} ".encode() + stream.read())
    return digest.hexdigest()[:12]
