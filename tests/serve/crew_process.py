"""A searching process with an encoder that needs no model, and that ends where a query says so."""

from __future__ import annotations

import os
import signal
from collections.abc import Sequence
from dataclasses import dataclass

from tests.helpers.tiny_encoder import TinyEncoder

from plait.schema import Query
from plait.scoring.vectors import QueryVectors
from plait.serve.crew import searching

FATAL = "fatal"


@dataclass(frozen=True)
class EndingEncoder(TinyEncoder):
    """Encodes several queries at once; of one that says so, the whole process ends."""

    def encode_query(self, query: Query) -> QueryVectors:
        if FATAL in query.texts:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().encode_query(query)

    def encode_queries(self, queries: Sequence[Query]) -> list[QueryVectors]:
        return [self.encode_query(query) for query in queries]


if __name__ == "__main__":
    searching.main(EndingEncoder())
