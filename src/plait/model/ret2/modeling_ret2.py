"""ReT-2: one vector of text, image, or both, by ReT's recurrence over three layers of each backbone.

Source: arXiv 2509.08897; what of it is known, and what is our choice, `configuration_ret2.py` says.
"""

from __future__ import annotations

from plait.model.ret.modeling_ret import RetForRetrieval, RetModel
from plait.model.ret2.configuration_ret2 import Ret2Config, Ret2RetrievalConfig


class Ret2Model(RetModel):
    """The encoder: backbones, recurrence, pooling, and the backbones' own features added."""

    config_class = Ret2Config
    config: Ret2Config


class Ret2ForRetrieval(RetForRetrieval):
    """The encoder for both sides: encodes queries and documents, scores them, computes the loss."""

    config_class = Ret2RetrievalConfig
    config: Ret2RetrievalConfig
