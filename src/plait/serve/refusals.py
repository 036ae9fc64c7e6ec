"""A request that is answered with a problem: what was wrong, for programs and for people."""

from __future__ import annotations

import json
from http import HTTPStatus

MEDIA_TYPE = "application/problem+json"


class Refusal(Exception):
    """A request that is answered with a problem document.

    Attributes:
        status: HTTP status.
        kind: name of the problem, for programs.
        message: what was wrong and the next step, for people.

    Source of the document's form: RFC 9457, Problem Details for HTTP APIs.
    """

    def __init__(self, status: int, kind: str, message: str) -> None:
        super().__init__(message)
        self.status = status
        self.kind = kind
        self.message = message

    def body(self) -> bytes:
        """Return the JSON that the client gets."""
        title = HTTPStatus(self.status).phrase
        said = {"type": "about:blank", "title": title, "status": self.status, "detail": self.message}
        return json.dumps({**said, "kind": self.kind}).encode()
