"""ReT and ReT-2 as encoders of sentence-transformers, which trains, evaluates, stores and shares them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, ClassVar, Self

from sentence_transformers import MultiVectorEncoder, SentenceTransformer

from plait.encode.st.cards import RetMultiVectorCardData, RetSentenceCardData, with_our_class
from plait.encode.st.module import RetModule
from plait.errors import ModelError
from plait.model.ret.modeling_ret import RetForRetrieval
from plait.model.ret.processing_ret import RetProcessor

_OURS = {f"{RetModule.__module__}.{RetModule.__qualname__}": RetModule}  # as stored in modules.json


class _RetEncoder:
    """What both encoders below do otherwise than those they extend."""

    @classmethod
    def from_ret(
        cls,
        model: RetForRetrieval,
        processor: RetProcessor,
        *,
        device: str | None = None,
        prompts: Mapping[str, str] | None = None,
        card: RetMultiVectorCardData | RetSentenceCardData | None = None,
    ) -> Self:
        """Return the encoder of a model in memory, which it shares.

        Args:
            device: where to move it; None leaves the choice to sentence-transformers.
            prompts: texts that go before all queries ("query") or documents ("document").
            card: what its model card says; None fills it in where that is known.

        Raises:
            ModelError: the model gives another kind of vectors than the encoder compares.
        """
        return cls(  # type: ignore[call-arg]
            modules=[RetModule(model, processor)],
            device=device,
            prompts=None if prompts is None else dict(prompts),
            model_card_data=card,
        )

    def preprocess(
        self,
        inputs: Sequence[Any],
        prompt: str | None = None,
        *,
        task: str | None = None,
        max_length: int | None = None,
        processing_kwargs: Mapping[str, Any] | None = None,
    ) -> dict[str, Any]:
        """Return what the model reads of a batch, as `RetModule.preprocess` does; nothing of an empty one."""
        # Theirs would first look for one kind of input that the whole batch has in common.
        if not inputs:
            return {}
        module: RetModule = self[0]  # type: ignore[index]
        return module.preprocess(
            inputs, prompt, task=task, max_length=max_length, processing_kwargs=processing_kwargs
        )

    def _load_module_class_from_ref(self, class_ref: str, *where: Any, **options: Any) -> Any:
        # Theirs imports nothing outside its own package unless told to trust the checkpoint's code; our
        # module is installed, not downloaded, so its exact name needs no such trust.
        return _OURS.get(class_ref) or super()._load_module_class_from_ref(class_ref, *where, **options)  # type: ignore[misc]

    def _load_default_modules(
        self, model_name_or_path: str, **options: Any
    ) -> tuple[list[RetModule], dict[str, Any]]:
        """Return the modules of a checkpoint that is none of sentence-transformers': a bare ReT's."""
        module = RetModule.load(model_name_or_path, backend=self.backend, **options)  # type: ignore[attr-defined]
        if not options.get("local_files_only"):
            self.model_card_data.set_base_model(model_name_or_path, revision=options.get("revision"))  # type: ignore[attr-defined]
        return [module], {}

    def _load_converted_modules(
        self, model_name_or_path: str, *, model_type: str | None = None, **options: Any
    ) -> tuple[list[RetModule], dict[str, Any]]:
        """Return the modules of what the other of both encoders stored: a ReT checkpoint as well."""
        return self._load_default_modules(model_name_or_path, **options)

    def _post_init(self) -> None:
        first = self[0]  # type: ignore[index]
        if not isinstance(first, RetModule):
            raise ModelError(
                f"{type(self).__name__} begins with a RetModule, this model with a {type(first).__name__}: "
                f"load it with the {type(self).__mro__[2].__name__} of sentence-transformers"
            )
        super()._post_init()  # type: ignore[misc]

    def _push_to_hub_usage_tip(self, repo_id: str) -> str:
        return with_our_class(super()._push_to_hub_usage_tip(repo_id), type(self).__name__)  # type: ignore[misc]


class RetMultiVectorEncoder(_RetEncoder, MultiVectorEncoder):  # type: ignore[misc]  # not typed
    """ReT as a `MultiVectorEncoder`: a fixed number of token vectors an input, compared by MaxSim.

        encoder = RetMultiVectorEncoder("folder/or/hub-name")
        queries = encoder.encode_query([{"text": "what part is this?", "image": "part.jpg"}])
        documents = encoder.encode_document(["a valve", {"text": "a pump", "image": "pump.png"}])
        scores = encoder.similarity(queries, documents)  # (1, 2)

    An input is a text, a picture, or a dict of both, mixed freely in a batch: see `inputs.read_input`.
    Arguments are those of `MultiVectorEncoder`. The folder or repository holds what one of these encoders
    stored, with `save_pretrained` or `push_to_hub`; or a bare ReT checkpoint with its tokenizer and image
    processor, ours or the official release's. None of these needs `trust_remote_code`.

    Raises:
        ModelError: no such model, one that cannot be loaded, or one that gives no token vectors.
    """

    model_card_data_class: ClassVar[type] = RetMultiVectorCardData


class RetSentenceTransformer(_RetEncoder, SentenceTransformer):  # type: ignore[misc]  # not typed
    """ReT-2, or ReT with pooled output, as a `SentenceTransformer`: one vector an input.

    Everything else is as of `RetMultiVectorEncoder`.

    Raises:
        ModelError: no such model, one that cannot be loaded, or one that gives only token vectors.
    """

    model_card_data_class: ClassVar[type] = RetSentenceCardData
