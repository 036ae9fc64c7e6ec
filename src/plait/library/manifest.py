"""`library.json`: which model filled the library, with which fields, and in which format."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import Any

from plait.errors import LibraryFormatError
from plait.scoring.vectors import VectorField

FORMAT = 2  # 1 had no checksums: neither of rows nor of this file


@dataclass(frozen=True, slots=True)
class Manifest:
    """What `library.json` says.

    Attributes:
        model, fingerprint, fields: of the encoder whose vectors the library holds.
        format: of the folder.
        language: whose stems its words are reduced to; see `index.languages`.
    """

    model: str
    fingerprint: str
    fields: tuple[VectorField, ...]
    format: int = FORMAT
    language: str = "english"

    def to_json(self) -> str:
        """Return the file's text, with a checksum of what it says."""
        values = json.loads(json.dumps(asdict(self)))
        return json.dumps({**values, "checksum": _checksum(values)}, indent=1)

    @classmethod
    def from_json(cls, text: str) -> Manifest:
        """Return what a file's text says.

        Raises:
            LibraryFormatError: a newer plait wrote it.
            ValueError: it is damaged; also KeyError or TypeError.
        """
        values = json.loads(text)
        found = int(values["format"])
        if found > FORMAT:
            raise LibraryFormatError(
                f"the library has format {found}, this plait reads up to {FORMAT}: upgrade plait"
            )
        checksum = values.pop("checksum", None)
        if found != 1 and checksum != _checksum(values):
            raise ValueError("its checksum does not fit")
        fields = tuple(VectorField(**field) for field in values["fields"])
        language = str(values.get("language", "english"))
        return cls(str(values["model"]), str(values["fingerprint"]), fields, found, language)


def _checksum(values: Mapping[str, Any]) -> str:
    return hashlib.blake2b(json.dumps(values, sort_keys=True).encode(), digest_size=16).hexdigest()
