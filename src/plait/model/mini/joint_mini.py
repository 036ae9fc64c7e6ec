"""The recurrent cell of plait-mini: a few tokens that read both towers, layer by layer."""

from __future__ import annotations

from collections.abc import Sequence

from torch import Tensor, nn
from torch.nn import functional

from plait.model.mini.configuration_mini import JointHeadConfig
from plait.model.recurrence import LayerStates, RecurrenceConfig, RecurrentCell


class JointHead(nn.Module):
    """ReT's cell over MiniLM's hidden states and the figure's cells, one layer of each a step.

    A side that an input lacks is left out exactly: the cell then reads the other alone.

    Args:
        text_width: of MiniLM's states.
        vision_widths: channels of each stage that is read, in the order of `config.stages`.
    """

    def __init__(self, config: JointHeadConfig, text_width: int, vision_widths: Sequence[int]) -> None:
        super().__init__()
        self.config = config
        self.cell = RecurrentCell(
            RecurrenceConfig(width=config.width, tokens=config.tokens, heads=config.heads, inner=config.inner)
        )
        self.text = nn.ModuleList(nn.Linear(text_width, config.width) for _ in config.layers)
        self.vision = nn.ModuleList(nn.Linear(width, config.width) for width in vision_widths)
        self.project = nn.Linear(config.width, config.token_width, bias=False)

    def forward(
        self,
        batch: int,
        text: Sequence[Tensor] | None = None,
        text_mask: Tensor | None = None,
        text_rows: Tensor | None = None,
        vision: Sequence[Tensor] | None = None,
        vision_rows: Tensor | None = None,
        vision_mask: Tensor | None = None,
    ) -> Tensor:
        """Return (B, tokens, token_width), unit length.

        Args:
            batch: B.
            text: for each step (P, n, text_width), of the P rows of the batch that have text.
            text_mask: (P, n) True at words; None when nothing is padded.
            text_rows: (P,) which rows those are, ascending; None: all.
            vision: for each step (P, cells, channels), of the rows that have a figure.
            vision_rows: (P,) which rows those are, ascending; None: all.
            vision_mask: (P, cells) True at cells; None when nothing is padded.
        """
        h = self.cell.start(batch)
        for step, (adapt_text, adapt_vision) in enumerate(zip(self.text, self.vision, strict=True)):
            words = None if text is None else LayerStates(adapt_text(text[step]), text_mask, text_rows)
            cells = (
                None if vision is None else LayerStates(adapt_vision(vision[step]), vision_mask, vision_rows)
            )
            h = self.cell(h, words, cells)
        return functional.normalize(self.project(h), dim=-1)
