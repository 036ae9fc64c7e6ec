"""A request that is answered with a problem: what was wrong, for programs and for people."""

from __future__ import annotations

import json
from collections.abc import Mapping
from http import HTTPStatus

MEDIA_TYPE = "application/problem+json"


class Refusal(Exception):
    """A request that is answered with a problem document.

    Attributes:
        status: HTTP status.
        kind: name of the problem, for programs.
        message: what was wrong and the next step, for people.
        headers: of the answer, beside its type.

    Source of the document's form: RFC 9457, Problem Details for HTTP APIs.
    """

    def __init__(
        self, status: int, kind: str, message: str, *, headers: Mapping[str, str] | None = None
    ) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message
        self.headers = dict(headers or {})

    def body(self) -> bytes:
        """Return the JSON that the client gets."""
        title = HTTPStatus(self.status).phrase
        said = {"type": "about:blank", "title": title, "status": self.status, "detail": self.message}
        return json.dumps({**said, "kind": self.kind}).encode()


def too_many(message: str, retry_seconds: float, *, status: int = 429, kind: str = "TooMany") -> Refusal:
    """Return the refusal of what may be asked again after some seconds."""
    seconds = str(max(1, round(retry_seconds + 0.5)))
    return Refusal(status, kind, message, headers={"Retry-After": seconds})
