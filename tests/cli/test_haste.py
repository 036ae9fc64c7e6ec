"""What a hurried command leaves out can be had all the same, and other commands leave out less."""

from __future__ import annotations

import subprocess
import sys


def _printed(code: str) -> list[str]:
    run = [sys.executable, "-c", f"import sys\nfrom plait.cli.haste import defer_catalogue, hurried\n{code}"]
    return subprocess.run(run, capture_output=True, text=True, check=True).stdout.split()


def test_what_a_hurried_command_leaves_out_comes_when_it_is_asked_for():
    assert _printed(
        "import gc\n"
        "before = gc.get_threshold()\n"
        "try:\n"
        "    with hurried():\n"
        "        print('lancedb' in sys.modules, gc.isenabled(), gc.get_threshold()[0] > 100_000)\n"
        "        raise ValueError\n"
        "except ValueError:\n"
        "    print(gc.get_threshold() == before)\n"
        "import lance_namespace_urllib3_client as catalogue\n"
        "print('lance_namespace_urllib3_client.api' in sys.modules)\n"
        "from lance_namespace_urllib3_client import TableApi\n"
        "print(TableApi is sys.modules['lance_namespace_urllib3_client.api.table_api'].TableApi)\n"
        "print(catalogue.__version__ > '', hasattr(catalogue, 'no_such_name'))\n"
        "import pandas\n"
        "print(len(pandas.DataFrame({'a': [1, 2]})))\n"
    ) == ["True", "True", "True", "True", "False", "True", "True", "False", "2"]


def test_other_commands_have_pandas_as_ever_and_what_is_loaded_stays():
    assert _printed(
        "defer_catalogue()\n"
        "import lancedb, pyarrow\n"
        "print('lance_namespace_urllib3_client.api' in sys.modules)\n"
        "print(len(pyarrow.table({'a': [1, 2]}).to_pandas()))\n"
        "before, finders = set(sys.modules), list(sys.meta_path)\n"
        "with hurried():\n"
        "    print(set(sys.modules) == before, sys.meta_path == finders)"
    ) == ["False", "2", "True", "True"]
