"""How a command starts and ends sooner: of its packages it loads what it needs, and no more."""

from __future__ import annotations

import gc
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from importlib.machinery import ModuleSpec
from importlib.util import find_spec, module_from_spec
from types import ModuleType

_OBJECTS = 1_000_000  # more than loading makes; a long search that leaves so many is still tidied up
_CATALOGUE = "lance_namespace_urllib3_client"


@contextmanager
def hurried() -> Iterator[None]:
    """Do what ends soon: with hardly a look for garbage, of which loading leaves next to none, and no pandas.

    pyarrow imports pandas, where it is installed, while LanceDB imports pyarrow; here it finds none, which it
    holds to as long as the process lives.
    """
    before = gc.get_threshold()
    gc.set_threshold(_OBJECTS, *before[1:])
    try:
        defer_catalogue()
        with _without("pandas"):
            import lancedb  # noqa: F401
        yield
    finally:
        gc.set_threshold(*before)


def defer_catalogue() -> None:
    """Let a client of remote catalogues, which LanceDB imports, be loaded when a name of it is asked for.

    A local library never asks; its hundreds of checked calls took longer to be made than all else that
    LanceDB imports. The modules within it load as ever.
    """
    spec = find_spec(_CATALOGUE)
    if spec is not None and _CATALOGUE not in sys.modules:
        package = module_from_spec(spec)
        package.__class__ = _Later
        sys.modules[_CATALOGUE] = package


class _Later(ModuleType):
    """A package whose own body runs when a name that it has not yet is asked for."""

    def __getattr__(self, name: str) -> object:
        self.__class__ = ModuleType  # type: ignore[assignment]  # from now on a module like others
        spec = self.__spec__
        assert spec is not None
        assert spec.loader is not None
        spec.loader.exec_module(self)
        return getattr(self, name)


@contextmanager
def _without(name: str) -> Iterator[None]:
    """Let a package seem not installed, unless it is loaded already."""
    finder = _Absent(name)
    sys.meta_path.insert(0, finder)
    try:
        yield
    finally:
        sys.meta_path.remove(finder)


class _Absent:
    """A finder of modules that finds one package missing."""

    def __init__(self, name: str) -> None:
        self._name = name

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        if fullname == self._name:
            raise ModuleNotFoundError(f"{fullname} is left out here", name=fullname)
        return None
