"""What speed is measured against: ReT in float32, both towers always run, as the official release does."""

from __future__ import annotations

import torch
from torch import Tensor
from torch.nn import functional

from plait.model.recurrence import LayerStates, RecurrentCell
from plait.model.ret.inputs import RetInputs
from plait.model.ret.modeling_ret import RetForRetrieval


@torch.inference_mode()
def encode_documents(
    model: RetForRetrieval,
    input_ids: Tensor,
    attention_mask: Tensor,
    pixel_values: Tensor,
    text_mask: Tensor,
    image_mask: Tensor,
) -> Tensor:
    """Return (B, tokens, d) unit vectors; every row brings a text and a picture, if only an empty one.

    What an absent modality says is multiplied by 0 at the gates.
    """
    head = model.query_head if model.document_head is None else model.document_head
    text = model.towers.text_states(RetInputs(input_ids=input_ids, attention_mask=attention_mask))
    vision = model.towers.vision_states(RetInputs(pixel_values=pixel_values))
    assert text is not None
    assert vision is not None
    h = head.cell.start(len(input_ids))
    for step in range(len(head.text_adapters)):
        words = LayerStates(head.text_adapters[step](text.steps[step].values), text.steps[step].mask)
        picture = LayerStates(head.vision_adapters[step](vision.steps[step].values))
        h = _step(head.cell, h, words, picture, text_mask[:, None, None], image_mask[:, None, None])
    return functional.normalize(head.projection(h), dim=-1)


def _step(
    cell: RecurrentCell,
    h: Tensor,
    text: LayerStates,
    vision: LayerStates,
    has_text: Tensor,
    has_image: Tensor,
) -> Tensor:
    assert cell.text is not None
    assert cell.vision is not None
    h = h + cell.position
    x = cell.norm(h)
    h = h + cell.self_attention(x, x)
    words, forget_text = cell.text(x, text)
    picture, forget_vision = cell.vision(x, vision)
    forget = (forget_text * has_text + forget_vision * has_image + cell.config.forget_gate_prior).sigmoid()
    h = forget * h + words * has_text + picture * has_image
    return h + cell.mlp(cell.mlp_norm(h))
