"""plait models list, info, download."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from plait.cli.console import JsonOption, fail, print_json

if TYPE_CHECKING:
    from plait.model.catalogue import KnownModel, ListedModel
    from plait.model.description import ModelInfo
    from plait.model.fetching import Progress
    from plait.model.shapes import Backbone

app = typer.Typer(no_args_is_help=True, help="Find, look at and download models.")

NameArgument = Annotated[
    str, typer.Argument(help="plait-mini, a folder, a pip package, or owner/name on the hub.")
]


@app.command("list")
def list_models(as_json: JsonOption = False) -> None:
    """List the models known by name, carried by packages, or downloaded before."""
    from plait.model.catalogue import available

    models = available()
    if as_json:
        print_json([model.to_dict() for model in models])
        return
    width = max(len(model.name) for model in models)
    for model in models:
        print(_row(model, width))
    print("\nplait models info NAME says more; plait models download NAME brings one")


@app.command()
def info(name: NameArgument, as_json: JsonOption = False) -> None:
    """Say what a model is, and whether a library can use it; nothing is loaded or fetched."""
    from plait.model.catalogue import describe, known
    from plait.model.hub import find

    published = known(name)
    if published is not None and find(name) is None:
        print_json(published.to_dict()) if as_json else print(_known_shown(published))
        return
    found = describe(name)
    print_json(_described(found)) if as_json else print(_shown(found))


@app.command()
def download(
    name: Annotated[str, typer.Argument(help="owner/name on the hub, or owner/name@revision.")],
    revision: Annotated[
        str | None, typer.Option("--revision", help="A branch, tag or commit; default: the latest.")
    ] = None,
    to: Annotated[
        Path | None, typer.Option("--to", help="Folder to download into; default: the hub's cache.")
    ] = None,
    as_json: JsonOption = False,
) -> None:
    """Download a model, or bring it up to date; what came completely before is not fetched again."""
    from plait.model.description import describe_folder
    from plait.model.fetching import fetch

    name = _with_revision(name, revision)
    _quiet_hub()
    try:
        with _bar(name) as progress:
            folder = fetch(name, to=to, progress=progress)
    except KeyboardInterrupt:
        fail("interrupted; files that came completely stay, and the same command goes on from there", 130)
    found = describe_folder(folder, name=name if to is None else str(to))
    if as_json:
        print_json(_described(found))
        return
    print(f"{name} is in {found.folder} ({found.bytes_on_disk / 1e6:,.1f} MB)")
    print(_next_step(found))


def _with_revision(name: str, revision: str | None) -> str:
    from plait.errors import InputError

    if revision is None:
        return name
    if "@" in name:
        raise InputError(f"two revisions, {name.partition('@')[2]} in the name and {revision}: give one")
    return f"{name}@{revision}"


def _quiet_hub() -> None:
    """Keep huggingface_hub's own bars and remarks off the terminal: errors are ours to tell."""
    from huggingface_hub.utils import disable_progress_bars, logging

    logging.set_verbosity_error()  # type: ignore[no-untyped-call]
    disable_progress_bars()


@contextmanager
def _bar(name: str) -> Iterator[Progress]:
    """Give a callback that draws bytes, rate and time left on a terminal's standard error."""
    from rich.console import Console
    from rich.progress import (
        BarColumn,
        DownloadColumn,
        Progress,
        TextColumn,
        TimeRemainingColumn,
        TransferSpeedColumn,
    )

    columns = (
        TextColumn("{task.description}"),
        BarColumn(),
        DownloadColumn(),
        TransferSpeedColumn(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Progress(*columns, console=console, disable=not console.is_terminal, transient=True) as bar:
        task = bar.add_task(f"looking for {name}", total=None)

        def show(file: str, done: int, size: int) -> None:
            bar.update(task, description=file, completed=done, total=size)

        yield show


def _row(model: ListedModel, width: int) -> str:
    """Return a model in the list: name, where it is, size and family; below, what is to be said of it."""
    size = f"{model.bytes_on_disk / 1e6:,.0f} MB" if model.folder else ""
    row = f"{model.name:<{width}}  {model.where:<10}  {size:>8}  {model.family}"
    said = model.problem or model.purpose
    return f"{row}\n    {said}" if said else row


def _shown(found: ModelInfo) -> str:
    shape = found.shape
    has = [part for part, there in _companions(found).items() if there]
    return _table(
        model=found.name,
        family=found.family,
        folder=str(found.folder),
        revision=found.revision,
        text=_backbone(shape.text),
        vision=_backbone(shape.vision),
        output=_output(found),
        reads=_reads(shape.max_text_tokens, shape.image_px),
        parameters=_parameters(found.parameters),
        stored=f"{found.dtype}, {found.bytes_on_disk / 1e6:,.1f} MB",
        comes_with=" and ".join(has) or "no tokenizer, no image processor",
        licence=found.licence,
        library=_library(found),
    )


def _known_shown(model: KnownModel) -> str:
    return _table(
        model=model.name,
        family=model.family,
        folder=f"not here: plait models download {model.name}",
        text=_backbone(model.text),
        vision=_backbone(model.vision),
        output=_vectors(model.tokens, model.width),
        trained=f"{model.trained:,} parameters on each side",
        licence=model.licence,
        purpose=model.purpose,
    )


def _described(found: ModelInfo) -> dict[str, object]:
    return found.to_dict() | {"library": not _why_not(found), "next": _next_step(found)}


def _next_step(found: ModelInfo) -> str:
    why_not = _why_not(found)
    return f"for a library, {why_not}" if why_not else f"next: PLAIT_MODEL={found.name} plait add FOLDER"


def _library(found: ModelInfo) -> str:
    why_not = _why_not(found)
    return f"no: {why_not}" if why_not else f"yes: PLAIT_MODEL={found.name}"


def _why_not(found: ModelInfo) -> str:
    """Return what to do before a library can encode with a model; "" when it can."""
    from plait.encode.checkpoint import kind_of
    from plait.errors import ModelError

    try:
        kind = kind_of(found.folder)
    except ModelError as error:
        return str(error)
    missing = [part for part, there in _companions(found).items() if not there]
    if kind == "ReT" and missing:
        return f"copy its backbone's {' and '.join(missing)} into its folder first"
    if kind in ("SentenceTransformer", "MultiVectorEncoder") and not find_spec("sentence_transformers"):
        return 'run  pip install "plait[embedders]"  first'
    return ""


def _companions(found: ModelInfo) -> dict[str, bool]:
    return {"tokenizer": found.has_tokenizer, "image processor": found.has_image_processor}


def _table(**rows: str) -> str:
    return "\n".join(f"{name.replace('_', ' '):<12}{value}" for name, value in rows.items())


def _backbone(backbone: Backbone | None) -> str:
    if backbone is None:
        return "none"
    size = f", {backbone.layers} layers" if backbone.layers else ""
    size += f" of {backbone.width}" if backbone.width else ""
    read = f"; layers read: {_layers(backbone.read)}" if backbone.read else ""
    return f"{backbone.kind}{size}{read}"


def _layers(read: tuple[int, ...]) -> str:
    if len(read) > 2 and read == tuple(range(read[0], read[-1] + 1)):
        return f"{read[0]}-{read[-1]}"
    return ", ".join(map(str, read))


def _output(found: ModelInfo) -> str:
    shape = found.shape
    if found.model_type == "plait-mini" and shape.text is not None:
        passage = _vectors(1, shape.text.width)
        return f"a picture gives {_vectors(shape.tokens, shape.width)}, a passage {passage}"
    return _vectors(shape.tokens, shape.width)


def _vectors(tokens: int | None, width: int | None) -> str:
    if tokens is None or width is None:
        return f"width {width}" if width else "not known"
    return f"{tokens} vector{'' if tokens == 1 else 's'} of {width}"


def _parameters(parts: dict[str, int]) -> str:
    total = f"{sum(parts.values()):,}"
    counts = ", ".join(f"{part} {count:,}" for part, count in parts.items())
    return f"{total} ({counts})" if len(parts) > 1 else total


def _reads(max_text_tokens: int | None, image_px: int | None) -> str:
    text = f"texts up to {max_text_tokens:,} tokens" if max_text_tokens else ""
    image = f"pictures at {image_px} x {image_px}" if image_px else ""
    return ", ".join(part for part in (text, image) if part) or "not known"
