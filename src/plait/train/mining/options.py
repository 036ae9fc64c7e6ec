"""Which documents become hard negatives: the choices of `plait mine`, each with its source."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

from plait.errors import InputError


@dataclass(frozen=True, slots=True, kw_only=True)
class MiningOptions:
    """What becomes a hard negative of a row.

    Never does a document that is known to answer the row: its own relevant ones, those of rows with its
    label or its query, and any with the same words and the same picture as one of these; nor one that the
    row has already. Ranks are counted among all others, 1 the best.

    Attributes:
        negatives: so many a row, at most.
        from_rank: those ranked before are left out, as likely to answer the query: "top-k shifted by N" in
            NV-Retriever (arXiv 2407.15831). 1: none are.
        to_rank: none is taken from below.
        margin: documents that score more than this share of the row's relevant one are left out, as likely
            to answer the query too: "TopK-PercPos" of NV-Retriever, which found 0.95 best. A share is of use
            while the relevant document scores above 0; below, the ceiling lies as far under its score as it
            would above: score - (1 - margin) * |score|. Infinity leaves none out.
        wrong_modality: so many documents more of another modality than the relevant one's (words, a
            picture, or both), out of those that rank before it; 0: modality is not looked at. As MM-Embed
            (arXiv 2411.02571) has it: what the query wishes is what its relevant document is, `negatives`
            are of that modality, and ranked among such only. The margin does not apply to these: they are
            wrong for what they are, however well they fit. So they are right where queries say what they
            wish ("find an image of"), and false negatives where any modality would do.
        stripped: where the relevant document is of words and a picture, it becomes two negatives of its own:
            without its picture, and without its words. Right only where a query wishes both at once; not
            where either half would answer, nor with dropout of documents' modalities.
        choose: the highest-ranked that are left, or some at random.
        seed: of the choice at random, which depends on it and on the row's id alone.
        teacher: the model's own scores become the teacher's, for all documents of every row, in place of
            scores that were there.

    Raises:
        InputError: a value out of range, or stripped negatives with a teacher's scores.
    """

    negatives: int = 7
    from_rank: int = 1
    to_rank: int = 100
    margin: float = 0.95
    wrong_modality: int = 0
    stripped: bool = False
    choose: Literal["hardest", "random"] = "hardest"
    seed: int = 0
    teacher: bool = False

    def __post_init__(self) -> None:
        for name, least in (("negatives", 0), ("wrong_modality", 0), ("from_rank", 1), ("to_rank", 1)):
            if getattr(self, name) < least:
                raise InputError(f"{name} is {getattr(self, name)}, expected {least} or more")
        if self.to_rank < self.from_rank:
            raise InputError(f"from_rank {self.from_rank} lies below to_rank {self.to_rank}")
        if math.isnan(self.margin) or self.margin <= 0:
            raise InputError(f"margin is {self.margin}, expected more than 0, such as 0.95, or inf for none")
        if self.choose not in ("hardest", "random"):
            raise InputError(f"choose is {self.choose!r}, expected hardest or random")
        if not (self.negatives or self.wrong_modality or self.stripped):
            raise InputError(
                "negatives and wrong_modality are 0 and stripped is not asked for: nothing to do"
            )
        if self.stripped and self.teacher:
            raise InputError(
                "stripped and teacher contradict each other: the model gives a stripped document nearly the "
                "score of the whole one, which is what stripping is to unlearn; leave one of them out"
            )

    def ceiling(self, relevant: float) -> float:
        """Return the highest score of a document that is not taken for another answer.

        Args:
            relevant: the score of the row's relevant document.
        """
        if math.isinf(self.margin):
            return math.inf
        return relevant - (1 - self.margin) * abs(relevant)
