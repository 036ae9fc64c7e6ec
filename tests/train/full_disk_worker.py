"""A run whose disk fills up while it trains, and has room again when it goes on (run by test_checkpoints).

Its output folder is a small file system of its own, in a mount namespace that `unshare` made.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from plait.errors import TrainError
from plait.train import checkpoints
from plait.train.config import TrainConfig
from plait.train.settings_file import read_settings
from plait.train.trainer import train


def main(settings: Path) -> None:
    config = read_settings(TrainConfig, settings)
    folder = config.output.folder
    folder.mkdir()
    subprocess.run(["mount", "-t", "tmpfs", "-o", "size=6m", "tmpfs", folder], check=True)
    ballast = folder / "ballast"

    def fill(progress) -> None:
        if progress.step == 3:
            with ballast.open("wb", buffering=0) as file:
                try:
                    while True:
                        file.write(bytes(4096))
                except OSError:
                    file.truncate(file.tell() - 40_960)  # a checkpoint needs more than 40 kB

    told = {}
    try:
        train(config, progress=fill)
    except TrainError as error:
        told["error"] = str(error)
    places = folder / "checkpoints"
    told["left"] = sorted(place.name for place in places.iterdir())
    told["whole"] = [checkpoints.checked(one.folder).step for one in checkpoints.whole(places)]
    ballast.unlink()
    report = train(config)
    told |= {"resumed_from": report.resumed_from, "ended": report.ended}
    last = places / f"checkpoint-{report.step}" / "model.safetensors"
    (settings.parent / "end.safetensors").write_bytes(last.read_bytes())
    print(json.dumps(told))


if __name__ == "__main__":
    main(Path(sys.argv[1]))
