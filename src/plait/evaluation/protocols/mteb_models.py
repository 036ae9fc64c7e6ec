"""plait's models as mteb asks them: by vectors, compared with MaxSim or the model's own similarity."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import torch
from mteb.models.abs_encoder import AbsEncoder, get_prompt
from mteb.models.model_meta import ModelMeta, ScoringFunction
from mteb.models.sentence_transformer_wrapper import MultiVectorSearchEncoderWrapper
from torch import Tensor
from torch.nn.utils.rnn import pad_sequence

from plait.evaluation.protocols.mteb_inputs import Encoding, Reading
from plait.scoring.maxsim import maxsim

_CHUNK = 8192  # documents encoded, then scored, at a time
_QUERIES_AT_ONCE = 256
_NUMBERS_AT_ONCE = 1 << 26  # similarities of tokens, 256 MB


def wrapped(
    encoder: Any, *, name: str, revision: str, allow_partial: bool = False
) -> VectorModel | TokenModel:
    """Return an encoder of sentence-transformers, ReT's among them, as mteb asks it.

    Args:
        encoder: a SentenceTransformer or MultiVectorEncoder, on its device.
        name: what the user calls it.
        revision: what tells it from other weights of the same name.
        allow_partial: as of `mteb.model_of`.
    """
    encoding = Encoding(encoder.eval(), name=name, allow_partial=allow_partial)
    kind = TokenModel if encoding.several else VectorModel
    return kind(encoding, _meta(encoding, name=_public_name(name), revision=revision))


class _Asked:
    """What checks and counts know of both kinds of model."""

    def __init__(self, encoding: Encoding, meta: Any) -> None:
        self.encoding, self.mteb_model_meta = encoding, meta

    @property
    def name(self) -> str:
        """What the user calls it."""
        return self.encoding.name

    @property
    def reads_pictures(self) -> bool:
        """Whether it reads a picture alone."""
        return self.encoding.reads_pictures

    @property
    def reads_both(self) -> bool:
        """Whether it reads words and a picture in one input."""
        return self.encoding.reads_both

    @property
    def reading(self) -> Reading:
        """What became of all items so far."""
        return self.encoding.reading


class VectorModel(_Asked, AbsEncoder):  # type: ignore[misc]  # mteb's types are not read
    """A model of one vector an item, which can do every kind of task that mteb gives an encoder."""

    does_all = True

    def encode(
        self,
        inputs: Any,
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        prompt_type: Any = None,
        **options: Any,
    ) -> Tensor:
        """Return (items, d), as mteb's `EncoderProtocol` has it."""
        return torch.stack(_vectors(self.encoding, inputs, task_metadata, prompt_type, options))

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Return (items of the first, of the second) scores by the similarity that the model declares."""
        return self.encoding.encoder.similarity(_tensor(embeddings1), _tensor(embeddings2))

    def similarity_pairwise(self, embeddings1: Any, embeddings2: Any) -> Any:
        """Return (items,) scores of the first with the first, the second with the second, and so on."""
        return self.encoding.encoder.similarity_pairwise(_tensor(embeddings1), _tensor(embeddings2))


class TokenModel(_Asked, MultiVectorSearchEncoderWrapper):  # type: ignore[misc]
    """A model of many vectors an item, which can find and rerank; every document is compared, by MaxSim.

    mteb pads documents with zeros, which raises a negative best similarity to 0; here padding is masked.
    """

    does_all = False
    corpus_chunk_size = _CHUNK

    def _encode(
        self,
        inputs: Any,
        *,
        task_metadata: Any,
        hf_split: str,
        hf_subset: str,
        prompt_type: Any = None,
        **options: Any,
    ) -> list[Tensor]:
        """Return (n, d) for each item, as mteb's class calls it."""
        return _vectors(self.encoding, inputs, task_metadata, prompt_type, options)

    def similarity(self, embeddings1: Any, embeddings2: Any) -> Tensor:
        """Return (queries, documents) scores, on the CPU.

        Args:
            embeddings1: (q, d) for each query.
            embeddings2: (n, d) for each document.
        """
        device = self.encoding.encoder.device
        queries = pad_sequence(list(embeddings1), batch_first=True).to(device)
        longest = max(len(one) for one in embeddings2)
        rows = min(len(queries), _QUERIES_AT_ONCE)
        columns = max(1, _NUMBERS_AT_ONCE // (rows * queries.shape[1] * longest))
        scores = torch.empty(len(queries), len(embeddings2))
        for start in range(0, len(embeddings2), columns):
            some = list(embeddings2[start : start + columns])
            lengths = torch.tensor([len(one) for one in some])
            documents = pad_sequence(some, batch_first=True).to(device)
            mask = (torch.arange(documents.shape[1]) < lengths[:, None]).to(device)
            for first in range(0, len(queries), rows):
                found = maxsim(queries[first : first + rows], documents, mask)
                scores[first : first + rows, start : start + columns] = found.cpu()
        return scores


def _public_name(name: str) -> str:
    """Return a name of the form that mteb wants, "owner/name": that of a hub, or "local/name" of a folder."""
    is_folder = Path(name).expanduser().is_dir()
    return name if name.count("/") == 1 and not is_folder else f"local/{Path(name).resolve().name}"


def _meta(encoding: Encoding, *, name: str, revision: str) -> Any:
    """Return what mteb stores of a model beside its results."""
    encoder = encoding.encoder
    similarity = ScoringFunction.MAX_SIM if encoding.several else ScoringFunction(encoder.similarity_fn_name)
    return ModelMeta.create_empty(
        overwrites={
            "name": name,
            "revision": revision,
            "modalities": ["text", "image"] if encoding.reads_pictures else ["text"],
            "similarity_fn_name": similarity,
            "model_type": ["late-interaction"] if encoding.several else ["dense"],
            "embed_dim": encoding.width,
            "n_parameters": sum(weights.numel() for weights in encoder.parameters()),
            "use_instructions": any((encoder.prompts or {}).values()),
            "framework": ["PyTorch", "Sentence Transformers"],
        }
    )


def _vectors(
    encoding: Encoding, inputs: Any, task_metadata: Any, prompt_type: Any, options: dict[str, Any]
) -> list[Tensor]:
    prompts = {name: text for name, text in (encoding.encoder.prompts or {}).items() if text}
    return encoding.vectors(
        inputs,
        None if prompt_type is None else prompt_type.value,
        prompt=get_prompt(prompts, task_metadata, prompt_type),
        batch_size=options.get("batch_size", 32),
    )


def _tensor(values: Any) -> Tensor:
    return torch.as_tensor(values).float()
