"""The rerankers that a setting names, made when they are first asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from plait.encode.base import Encoder
from plait.errors import InputError, QueryError
from plait.search.rerank.base import Reranker
from plait.settings import Settings

_FORMS = "late-interaction, refine, cross-encoder:FOLDER, vlm"


class Rerankers:
    """Gives rerankers by name; of those that `Settings.rerank` does not name, none.

    So a request of whoever may search can choose no model, folder or address of its own.

    Args:
        encoder: gives the library's.

    Raises:
        InputError: the setting names one that there is not, or lacks what one needs.
    """

    def __init__(self, settings: Settings, encoder: Callable[[], Encoder]) -> None:
        self._settings = settings
        self._encoder = encoder
        self._known = _read(settings.rerank)
        if "vlm" in self._known and not settings.llm_url:
            raise InputError("the setting rerank names vlm, so llm_url and llm_model must name its endpoint")
        self._made: dict[str, Reranker] = {}

    def named(self, names: Sequence[str] | None) -> Sequence[Reranker]:
        """Return the rerankers of some names, in their order; None means all that the setting names.

        Raises:
            QueryError: a name that the setting lacks.
            ModelError, MissingExtraError: a cross-encoder that cannot be opened.
        """
        known = self._known
        wanted = list(known) if names is None else list(dict.fromkeys(names))
        for name in wanted:
            if name not in known:
                raise QueryError(
                    f"no reranker {name!r} is set up: the setting rerank names "
                    f"{', '.join(known) or 'none'}; ask for those alone, or change it"
                )
        return [self._reranker(name, known[name]) for name in wanted]

    def _reranker(self, name: str, model: str) -> Reranker:
        if name not in self._made:
            self._made[name] = self._new(name, model)
        return self._made[name]

    def _new(self, name: str, model: str) -> Reranker:
        if name == "refine":
            from plait.search.rerank.refining import Refining

            return Refining()
        if name == "late-interaction":
            from plait.search.rerank.interaction import LateInteraction

            return LateInteraction(self._encoder())
        if name == "vlm":
            from plait.library.reranking.vlm import VisionLanguageModel
            from plait.rag.generate import ChatEndpoint

            return VisionLanguageModel(ChatEndpoint(self._settings.llm_url, self._settings.llm_model))
        from plait.library.reranking.cross_encoder import load_cross_encoder

        return load_cross_encoder(model, threads=self._settings.threads)


def _read(setting: str) -> dict[str, str]:
    """Return name -> model, "" for those without, in the setting's order.

    Raises:
        InputError: a name that there is not, or a cross-encoder without a model, or another with one.
    """
    known: dict[str, str] = {}
    for part in filter(None, (part.strip() for part in setting.split(","))):
        name, _, model = (one.strip() for one in part.partition(":"))
        if name not in ("late-interaction", "refine", "vlm", "cross-encoder") or (
            (name == "cross-encoder") != bool(model)
        ):
            raise InputError(f"unknown reranker {part!r} in the setting rerank: use {_FORMS}")
        known[name] = model
    return known
