"""What hostile files try to reach: a secret file, a secret picture, and a socket that listens."""

from __future__ import annotations

import socket
from dataclasses import dataclass
from pathlib import Path

from PIL import Image

SECRET = "CANARY-1f0c9d7e-never-to-be-read"
SECRET_COLOUR = (255, 0, 254)


@dataclass(frozen=True, slots=True)
class Lures:
    """Where the secrets lie, outside of everything that may be read, and who listens."""

    text: Path
    picture: Path
    port: int

    @property
    def address(self) -> str:
        """A picture to fetch, if anything fetched."""
        return f"http://127.0.0.1:{self.port}/picture.png"

    @classmethod
    def laid(cls, folder: Path, listener: socket.socket) -> Lures:
        """Write the secrets into a folder."""
        text, picture = folder / "secret.txt", folder / "secret.png"
        text.write_text(f"{SECRET}\n")
        Image.new("RGB", (64, 64), SECRET_COLOUR).save(picture)
        return cls(text, picture, listener.getsockname()[1])
