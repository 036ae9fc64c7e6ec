"""The process that reads rows for `plait doctor`: LanceDB may end it when it meets damage, and then only it.

Run as a script: `row_reader.py STORE`. Each line on standard input asks for rows: a JSON object with "rows"
(row ids; null: all ids instead of rows) and "columns" (null: all). Each answer on standard output is a number
of 8 bytes, then so many bytes of an Arrow stream; or, with the highest bit set, of a reason.
"""

from __future__ import annotations

import json
import resource
import sys
from pathlib import Path
from typing import Any

import lancedb
import pyarrow as pa

_TABLE = "units"
_MEMORY_BYTES = 32 << 30  # address space; a damaged length asks for far more
FAILED = 1 << 63


def main() -> None:
    """Answer until standard input ends."""
    resource.setrlimit(resource.RLIMIT_AS, (_MEMORY_BYTES, resource.getrlimit(resource.RLIMIT_AS)[1]))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    table = None
    for line in sys.stdin:
        try:
            table = table or opened(Path(sys.argv[1]))
            answer, failed = _bytes(asked(table, **json.loads(line))), 0
        except BaseException as error:  # a panic of LanceDB's is no Exception
            answer, failed = f"{type(error).__name__}: {error}".splitlines()[0][:200].encode(), FAILED
        sys.stdout.buffer.write((len(answer) | failed).to_bytes(8, "little") + answer)
        sys.stdout.buffer.flush()


def opened(store: Path) -> Any:
    """Return the newest version of a library's table."""
    table = lancedb.connect(store).open_table(_TABLE)
    table.checkout(table.version)
    return table


def asked(table: Any, *, rows: list[int] | None, columns: list[str] | None) -> pa.Table:
    """Return some rows and columns, with "_rowid"; see above."""
    if rows is None:
        return table.search().select(["_rowid"]).with_row_id(True).to_arrow()
    wanted = [*(table.schema.names if columns is None else columns), "_rowid"]
    return table.take_row_ids(rows).select(wanted).to_arrow()


def _bytes(table: pa.Table) -> bytes:
    table.validate(full=True)
    sink = pa.BufferOutputStream()
    with pa.ipc.new_stream(sink, table.schema) as stream:
        stream.write_table(table)
    made: bytes = sink.getvalue().to_pybytes()
    return made


if __name__ == "__main__":
    main()
