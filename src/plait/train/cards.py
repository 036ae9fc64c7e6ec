"""The card of a trained model: what sentence-transformers writes, and how the model came to be."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from plait.data.training.report import ReadReport
from plait.extras import require
from plait.train.building import ret_of
from plait.train.config import TrainConfig
from plait.train.data_config import DataSource, HuggingFaceData
from plait.train.report import TrainReport
from plait.train.settings_file import to_plain

_ORIGINS = {
    "RetForRetrieval": "ReT (Caffagni et al., arXiv 2503.01980)",
    "Ret2ForRetrieval": "ReT-2 (Caffagni et al., arXiv 2509.08897)",
}


def write_card(
    encoder: Any, folder: Path, *, config: TrainConfig, report: TrainReport, read: ReadReport
) -> None:
    """Write README.md into a model's folder.

    No row of the training data and no path is in it: documents may be private.
    """
    card = encoder.model_card_data
    card.add_tags("generated_from_trainer")  # without it, a base model's own card would be kept
    card.generate_widget_examples = False
    output = config.output
    if output.licence:
        card.set_license(output.licence)
    if output.languages:
        card.set_language(list(output.languages))
    card.model_name = output.name or card.model_name
    card.train_datasets = []
    card.best_model_step = report.best_step
    encoder._create_model_card(str(folder), model_name=output.name)
    text = (folder / "README.md").read_text(encoding="utf-8")
    ours = _how(encoder, config=config, report=report, read=read)
    (folder / "README.md").write_text(_inserted(text, ours), encoding="utf-8")


def _inserted(card: str, ours: str) -> str:
    """Return a card with our part before its details of training, or at its end."""
    before, heading, after = card.partition("## Training Details")
    return f"{before}{ours}\n{heading}{after}" if heading else f"{card.rstrip()}\n\n{ours}"


def _how(encoder: Any, *, config: TrainConfig, report: TrainReport, read: ReadReport) -> str:
    parts = [
        "## How it was trained",
        config.output.description,
        _table(("what", ""), _facts(encoder, config, report)),
        "### Data",
        _table(("source", "format", "taken", "licence", "made by"), map(_source_row, config.data)),
        "; ".join(f"{one.name}: {one.rows:,} rows, {one.bad:,} left out" for one in read.sources) + ".",
    ]
    if report.best is not None:
        held_out = f"Held out, never trained on; the best of step {report.best_step}"
        parts += ["### Held-out queries", held_out + " was kept.", _table(*_metrics(report))]
    settings = _yaml(_without_folders(to_plain(config)))
    parts += ["<details><summary>All settings</summary>", f"```yaml\n{settings}```", "</details>"]
    return "\n\n".join(part for part in parts if part) + "\n"


def _facts(encoder: Any, config: TrainConfig, report: TrainReport) -> list[tuple[str, str]]:
    epochs = report.step * report.batch_size / report.rows
    plan = f"{report.step:,} of {report.schedule_steps:,} scheduled ({report.ended})"
    rows = [
        ("steps", f"{plan}; {epochs:.2f} epochs of {report.rows:,} rows, {report.batch_size} a step"),
        ("objective", _objective(config)),
        ("seed", str(config.trainer.seed)),
        ("hardware", f"{report.hardware}; processes: {report.processes}"),
        ("time", f"{_duration(report.seconds)}, {report.rows_per_second:.1f} rows/s (last session)"),
        ("versions", ", ".join(f"{name} {number}" for name, number in report.versions.items())),
        ("begun from", _begun_from(config)),
    ]
    ret = ret_of(encoder)
    if ret is not None:
        rows.append(("architecture", _ORIGINS.get(type(ret).__name__, type(ret).__name__)))
    if config.output.authors:
        rows.append(("trained by", ", ".join(config.output.authors)))
    return rows


def _objective(config: TrainConfig) -> str:
    """Return what was minimised, in words."""
    objective, parts = config.objective, []
    if (contrastive := config.objective.contrastive) is not None:
        parts.append("symmetric contrastive loss" if contrastive.symmetric else "contrastive loss")
    if (distillation := objective.distillation) is not None:
        parts.append(f"distillation ({distillation.kind})")
    sizes = f", also at {len(objective.matryoshka)} smaller sizes" if objective.matryoshka else ""
    return " and ".join(parts) + sizes


def _begun_from(config: TrainConfig) -> str:
    new = config.model.from_backbones
    if new is None:
        return _shown(str(config.model.start))
    return f"{_shown(new.text)} (text) and {_shown(new.vision)} (vision), under a random head"


def _shown(name: str) -> str:
    """Return a name; of an absolute path, its last part."""
    return Path(name).name if Path(name).is_absolute() else name


def _source_row(data: DataSource) -> tuple[str, ...]:
    taken = f"{data.rows:,} rows" if data.rows else f"{data.repeats} x"
    name = data.name or _first(data)
    return name, data.format, taken, data.licence or "not said", data.made_by or "not said"


def _first(data: DataSource) -> str:
    if isinstance(data, HuggingFaceData):
        return data.dataset or (data.folder.name if data.folder is not None else "")
    return data.paths.name if isinstance(data.paths, Path) else data.paths[0].name


def _metrics(report: TrainReport) -> tuple[tuple[str, ...], list[tuple[str, ...]]]:
    best, first = report.best, report.evaluations[0]
    assert best is not None, "asked only where something was held out"
    began = first if first.step == 0 else None
    heads = ("metric", "before", "after") if began else ("metric", "after")
    rows = [
        (name, *([f"{began.metrics[name]:.4f}"] if began else []), f"{value:.4f}")
        for name, value in best.metrics.items()
    ]
    return heads, rows


def _without_folders(settings: Any) -> Any:
    """Return plain settings in which paths have lost their folders, which are nobody's business."""
    if isinstance(settings, dict):
        return {name: _without_folders(value) for name, value in settings.items()}
    if isinstance(settings, list):
        return [_without_folders(value) for value in settings]
    return _shown(settings) if isinstance(settings, str) else settings


def _duration(seconds: float) -> str:
    return f"{seconds:.0f} seconds" if seconds < 120 else f"{seconds / 60:.0f} minutes"


def _table(heads: Sequence[str], rows: Any) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(cell.replace('|', '/') for cell in line)} |" for line in lines)


def _yaml(settings: Any) -> str:
    return str(require("yaml").safe_dump(settings, sort_keys=False, allow_unicode=True))
