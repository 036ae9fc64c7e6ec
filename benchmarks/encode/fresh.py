"""Loading time and peak memory of one way to encode, in this process; `run.py` starts one for each.

python -m benchmarks.encode.fresh CHECKPOINT {model,float32,bfloat16,mixed,int8}
python -m benchmarks.encode.fresh plait-mini model
"""

from __future__ import annotations

import json
import sys
import time
from pathlib import Path


def main() -> None:
    name, way = sys.argv[1:]
    print(json.dumps(mini() if name == "plait-mini" else ret(name, way)))


def mini() -> dict[str, float]:
    started = time.perf_counter()
    from plait.encode.mini import MiniEncoder
    from plait.schema import Query

    imported = time.perf_counter()
    encoder = MiniEncoder.load(threads=1)
    loaded = time.perf_counter()
    encoder.encode_query(Query(texts=("how do I set this",)))
    return times(started, imported, loaded) | {"first_query_s": time.perf_counter() - loaded}


def ret(folder: str, way: str) -> dict[str, float]:
    started = time.perf_counter()
    import torch
    import transformers

    from benchmarks.encode import inputs
    from plait.model.inference.fast import prepare
    from plait.model.ret.modeling_ret import RetForRetrieval

    torch.set_num_threads(1)
    transformers.utils.logging.disable_progress_bar()
    imported = time.perf_counter()
    model = RetForRetrieval.from_pretrained(folder, local_files_only=True)
    loaded = time.perf_counter()
    encoder = model if way == "model" else prepare(model, precision=way)  # type: ignore[arg-type]
    prepared = time.perf_counter()
    del model
    with torch.inference_mode():
        encoder.encode_documents(**inputs.batch(inputs.items(16, seed=0), "text+image"))
    return times(started, imported, loaded) | {"prepare_s": prepared - loaded}


def times(started: float, imported: float, loaded: float) -> dict[str, float]:
    # Not getrusage's: that one remembers the parent's pages, from before this program was started.
    status = Path("/proc/self/status").read_text(encoding="utf-8")
    peak = int(status.partition("VmHWM:")[2].split()[0]) / 1024
    return {"import_s": imported - started, "load_s": loaded - imported, "peak_mb": peak}


if __name__ == "__main__":
    main()
