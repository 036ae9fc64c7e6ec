"""Data sets that lie in the local cache, as mteb finds them where the hub cannot be asked."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import datasets
from datasets.naming import camelcase_to_snakecase
from mteb.abstasks import retrieval_dataset_loaders as loaders


@contextmanager
def seen_without_the_hub() -> Iterator[None]:
    """Let mteb find corpus, queries and judgements in the cache meanwhile.

    It asks `datasets` which parts a data set has. Without the hub the answer is one part, "default", also
    where the cache holds them all by their names, and mteb then asks for what is not there.
    """
    asked = loaders.get_dataset_config_names

    def names(path: str, revision: str | None = None, **options: Any) -> list[str]:
        found = list(asked(path, revision, **options))
        cached = cached_parts(path, revision)
        return cached if found == ["default"] and cached and "default" not in cached else found

    loaders.get_dataset_config_names = names
    try:
        yield
    finally:
        loaders.get_dataset_config_names = asked


def cached_parts(path: str, revision: str | None) -> list[str]:
    """Return the names of the parts of a hub's data set that were loaded before in that revision."""
    owner, _, name = path.rpartition("/")
    folder = "___".join(part for part in (owner, camelcase_to_snakecase(name)) if part)
    there = Path(datasets.config.HF_DATASETS_CACHE, folder).glob(f"*/*/{revision or '*'}")
    return sorted({place.parts[-3] for place in there if place.is_dir()})
