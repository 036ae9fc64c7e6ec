"""The one object users hold: a folder of documents that can be searched."""

from plait.library.library import Library
from plait.library.reports import AddReport, Failure, LibraryStatus, Progress

__all__ = ["AddReport", "Failure", "Library", "LibraryStatus", "Progress"]
