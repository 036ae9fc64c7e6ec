"""ReT and ReT-2 as the input module of a sentence-transformers pipeline."""

from __future__ import annotations

import copy
from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

import torch
from sentence_transformers import MultiVectorEncoder, SentenceTransformer
from sentence_transformers.base.modules import InputModule
from torch import Tensor

from plait.encode.st.inputs import TextAndImage, read_input
from plait.encode.st.loading import check_adapter_base, folder_of, limit_texts, load_model, load_processor
from plait.encode.st.processes import announce_classes, forget_captures, touched_by_all
from plait.errors import InputError, ModelError
from plait.model.ret.inputs import RetInputs
from plait.model.ret.modeling_ret import RetForRetrieval
from plait.model.ret.processing_ret import RetProcessor

Features = dict[str, Any]

_READ = ("input_ids", "attention_mask", "pixel_values", "text_mask", "image_mask")  # of RetInputs


class RetModule(InputModule):  # type: ignore[misc]  # sentence-transformers is not typed
    """A ReT or ReT-2 retrieval model and its processor: all of a pipeline, from inputs to vectors.

    Args:
        model: with one head a side or one for both; the task, "query" or "document", says which.
        processor: of the same checkpoint.
    """

    forward_kwargs: ClassVar[set[str]] = {"task"}
    save_in_root = True

    def __init__(self, model: RetForRetrieval, processor: RetProcessor) -> None:
        super().__init__()
        self.model = model
        self.processor = processor

    @property
    def modalities(self) -> list[str]:
        """Text, images, and both in one input; "message" is how batches that mix these are reported."""
        return ["text", "image", "message"]

    def preprocess(
        self,
        inputs: Sequence[Any],
        prompt: str | None = None,
        *,
        task: str | None = None,
        max_length: int | None = None,
        processing_kwargs: Mapping[str, Any] | None = None,
    ) -> Features:
        """Return what `forward` reads of a batch of B inputs, each as `read_input` takes it.

        Args:
            prompt: goes before each text, and is the text of an input that has none.
            task: not read here: both sides see inputs alike.
            max_length: longer texts are cut to so many tokens, if that is less than the model's limit.
            processing_kwargs: must be empty: how inputs are prepared belongs to the checkpoint.

        Returns:
            "text_mask", "image_mask" and "num_images_per_sample", (B,); where any input has text,
            "input_ids" and "attention_mask", (B, n), all padding in rows without; where any has an
            image, "pixel_values", (P, 3, height, width), of only the P rows that have.

        Raises:
            InputError: an input that cannot be read, or options that do not exist.
        """
        if processing_kwargs:
            raise InputError(
                f"ReT takes no processing_kwargs, got {', '.join(processing_kwargs)}: leave them out"
            )
        items = [_prompted(read_input(given), prompt) for given in inputs]
        features = self._processed([one.text for one in items], [one.image for one in items], max_length)
        # Sentence-transformers cuts batches into mini-batches row by row, and packed pixels by this count.
        return _row_wise(features) | {"num_images_per_sample": features["image_mask"]}

    def forward(self, features: Features, task: str | None = None) -> Features:
        """Return the features with the unit vectors of the task's side.

        Args:
            features: as from `preprocess`; "task" in them counts where `task` is None.

        Returns:
            "token_embeddings", (B, tokens, d), with an "attention_mask" that scores them all;
            "sentence_embedding", (B, d); or both, as the model gives them.

        Raises:
            InputError: no task where both sides differ, or an unknown one.
        """
        inputs = RetInputs(**{name: features.get(name) for name in _READ})
        side = self._side(task or features.get("task"))
        give = self.model.query_output if side == "query" else self.model.document_output
        output = give(inputs).normalized()
        given: Features = {}
        if (tokens := output.token_vectors) is not None:
            given["token_embeddings"] = touched_by_all(tokens, self.model)
            given["attention_mask"] = torch.ones(tokens.shape[:2], dtype=torch.bool, device=tokens.device)
        if (vector := output.vector) is not None:
            given["sentence_embedding"] = touched_by_all(vector, self.model)
        return {**features, **given}

    def on_model_ready(self, model: Any) -> None:
        """Check that a pipeline compares what this model gives.

        Raises:
            ModelError: token vectors are compared, but it gives one vector, or the other way round.
        """
        config, name = self.model.config, type(model).__name__
        sides = (config.query_config, config.document_side)
        if isinstance(model, MultiVectorEncoder) and not all(side.gives_tokens for side in sides):
            raise ModelError(
                f"{name} compares token vectors, but this model gives one: use RetSentenceTransformer"
            )
        if isinstance(model, SentenceTransformer) and not all(side.gives_vector for side in sides):
            raise ModelError(
                f"{name} compares single vectors, but this model gives tokens: use RetMultiVectorEncoder"
            )

    @property
    def tokenizer(self) -> Any:
        """The processor's."""
        return self.processor.tokenizer

    @tokenizer.setter
    def tokenizer(self, tokenizer: Any) -> None:
        self.processor.tokenizer = tokenizer

    @property
    def max_seq_length(self) -> int:
        """Tokens of a text that are read; longer ones are cut."""
        return self.processor.max_tokens

    @max_seq_length.setter
    def max_seq_length(self, tokens: int) -> None:
        limit_texts(self.processor, tokens, model=self.model)

    def get_embedding_dimension(self) -> int:
        """Return d, the width of the vectors."""
        width: int = self.model.config.query_config.late_proj_output_size
        return width

    def get_config_dict(self) -> dict[str, Any]:
        """Return what the module is, as shown in model cards; the model stores its own configuration."""
        side = self.model.config.query_config
        return {
            "architecture": type(self.model).__name__,
            "output": side.output,
            "tokens": side.num_queries,
            "width": side.late_proj_output_size,
            "max_seq_length": self.max_seq_length,
        }

    def save(self, output_path: str, *, safe_serialization: bool = True) -> None:
        """Write model and processor into a folder, which is then a ReT checkpoint too.

        Raises:
            ModelError: the model has an adapter, and nobody could tell on what.
        """
        if not safe_serialization:
            raise InputError("ReT is stored as safetensors only: leave safe_serialization as it is")
        check_adapter_base(self.model)
        self.model.save_pretrained(output_path)
        self.processor.save_pretrained(output_path)

    @classmethod
    def load(
        cls,
        model_name_or_path: str,
        subfolder: str = "",
        token: bool | str | None = None,
        cache_folder: str | None = None,
        revision: str | None = None,
        local_files_only: bool = False,
        *,
        trust_remote_code: bool = False,
        model_kwargs: Mapping[str, Any] | None = None,
        processor_kwargs: Mapping[str, Any] | None = None,
        config_kwargs: Mapping[str, Any] | None = None,
        backend: str = "torch",
    ) -> Self:
        """Return the module stored in a folder or on the hub: any ReT or ReT-2 checkpoint with its processor.

        Args:
            model_name_or_path, subfolder, token, cache_folder, revision, local_files_only: where it lies.
            trust_remote_code: of no effect: a checkpoint holds no code.
            model_kwargs: of transformers' `from_pretrained`: `dtype`, `device_map`, ...
            processor_kwargs: `max_tokens`, where texts are to be cut shorter.
            config_kwargs: must be empty: nothing of a trained model's configuration can be changed.
            backend: "torch".

        Raises:
            ModelError: there is no such checkpoint, or it cannot be loaded.
            InputError: options that do not exist.
        """
        if backend != "torch" or config_kwargs:
            raise InputError(
                f"backend {backend!r}, config_kwargs {config_kwargs}: expected 'torch', and none"
            )
        folder = folder_of(
            model_name_or_path,
            subfolder=subfolder,
            token=token,
            cache_folder=cache_folder,
            revision=revision,
            local_files_only=local_files_only,
        )
        model = load_model(
            folder, name=model_name_or_path, local_files_only=local_files_only, options=model_kwargs or {}
        )
        return cls(model, load_processor(folder, model, options=processor_kwargs or {}))

    def __getstate__(self) -> dict[str, Any]:
        """Return what is pickled, as for another process."""
        forget_captures(self.model)
        state: dict[str, Any] = super().__getstate__()
        return state

    def __setstate__(self, state: dict[str, Any]) -> None:
        super().__setstate__(state)
        announce_classes(self.model)

    def _processed(
        self, texts: Sequence[str | None], images: Sequence[Any], max_length: int | None
    ) -> dict[str, Tensor]:
        if max_length is None:
            return self.processor(texts, images)
        shorter = copy.copy(self.processor)
        limit_texts(shorter, min(max_length, self.processor.max_tokens), model=self.model)
        features = shorter(texts, images)
        self.processor.truncated = shorter.truncated
        return features

    def _side(self, task: str | None) -> str:
        """Return the side of a task.

        Raises:
            InputError: none is given where both sides differ, or an unknown one.
        """
        if task is None and self.model.document_head is not None:
            raise InputError(
                "queries and documents have heads of their own, and no task says which: use encode_query and "
                "encode_document, or task='query'; to train single vectors, say which side a column is with "
                "router_mapping={'query': 'query', 'positive': 'document', ...}"
            )
        if task not in (None, "query", "document"):
            raise InputError(f"unknown task {task!r}: ReT has 'query' and 'document'")
        return task or "document"


def _prompted(one: TextAndImage, prompt: str | None) -> TextAndImage:
    return TextAndImage(prompt + (one.text or ""), one.image) if prompt else one


def _row_wise(features: dict[str, Tensor]) -> dict[str, Tensor]:
    """Return the features with a row of text tensors for every input, all padding where it has no text."""
    rows = features["text_mask"].nonzero().squeeze(1)
    batch = len(features["text_mask"])
    if len(rows) in (0, batch):
        return features
    wide = {}
    for name in ("input_ids", "attention_mask"):
        packed = features[name]
        wide[name] = packed.new_zeros(batch, packed.shape[1]).index_copy(0, rows, packed)
    return features | wide
