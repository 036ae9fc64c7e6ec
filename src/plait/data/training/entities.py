"""What two documents have in common when they are about the same thing: one number."""

from __future__ import annotations

import hashlib

from plait.data.training.examples import Example, Side


def label_entity(label: str) -> int:
    """Return the entity of a label: 63 bits, the same in every process."""
    return _hashed("label", label)


def content_entity(side: Side) -> int:
    """Return the entity of a document about which no label says anything: its text and picture's path."""
    return _hashed("content", side.text, side.image)


def positive_entity(example: Example) -> int:
    """Return the entity of an example: its label's, else that of its most relevant document, the first."""
    if example.label:
        return label_entity(example.label)
    grades = example.relevance
    return content_entity(example.documents[grades.index(max(grades))])


def _hashed(*parts: str) -> int:
    digest = hashlib.blake2b(digest_size=8)
    for part in parts:
        data = part.encode()
        digest.update(len(data).to_bytes(8, "big"))  # so that ("ab", "c") is not ("a", "bc")
        digest.update(data)
    return int.from_bytes(digest.digest(), "big") >> 1
