"""plait compact."""

from __future__ import annotations

from plait.cli.console import JsonOption, LibraryOption, open_library, print_json, warn


def compact(library: LibraryOption = None, as_json: JsonOption = False) -> None:
    """Make the library as small as it can be: of what was removed, no byte is left."""
    with open_library(library) as opened:
        report = opened.compact()
    if as_json:
        print_json(report.to_dict())
    else:
        print(f"{report.bytes_before / 1e6:,.1f} MB before, {report.bytes_after / 1e6:,.1f} MB now")
    if report.snapshots:
        warn(
            f"snapshots still hold what was there when they were saved: {', '.join(report.snapshots)}; "
            "plait snapshot delete NAME"
        )
    if report.has_quarantine:
        warn("the folder quarantine holds what a repair set aside; delete it when you need it no more")
