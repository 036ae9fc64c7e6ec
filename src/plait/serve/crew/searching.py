"""The process that searches: it reads requests, answers those that came together as one, and so on."""

from __future__ import annotations

import gc
import os
import queue
import threading
from collections.abc import Iterator, Sequence
from typing import BinaryIO

from plait.encode.base import Encoder
from plait.errors import PlaitError
from plait.library import Library
from plait.schema import Query, SearchRequest
from plait.serve.crew.frames import Asked, Opening, Said, frame, frames, sendable
from plait.serve.processes import private_streams

_MOST = 8  # requests that are answered together: the first of them waits for the rest to be encoded


def main(encoder: Encoder | None = None) -> None:
    """Open the library of the first frame, and answer until the input ends.

    Args:
        encoder: the library's; None loads it.
    """
    requests, answers = private_streams()
    arriving = frames(requests)
    opening = next(arriving, None)
    if not isinstance(opening, Opening):
        return
    teller = _Teller(answers)
    try:
        library = Library(opening.folder, settings=opening.settings, encoder=encoder, create=False)
        library.follow()
        library.search(SearchRequest(Query.of("first"), k=1))
    except PlaitError as error:
        teller.say(Said(0, error=error))
        return
    gc.collect()
    gc.freeze()  # to look for garbage among all that a library holds takes a quarter of a second
    teller.say(Said(0))
    waiting: queue.SimpleQueue[Asked] = queue.SimpleQueue()
    threading.Thread(target=_listen, args=(arriving, waiting, library, teller), daemon=True).start()
    while True:
        _answer(library, _together(waiting), teller)


class _Teller:
    """Sends answers, from several threads."""

    def __init__(self, answers: BinaryIO) -> None:
        self._answers = answers
        self._turn = threading.Lock()

    def say(self, said: Said) -> None:
        if said.error is not None:
            said = Said(said.number, error=sendable(said.error))
        try:
            with self._turn:
                self._answers.write(frame(said))
                self._answers.flush()
        except OSError:
            os._exit(0)  # nobody is left to answer


def _listen(
    arriving: Iterator[Asked], waiting: queue.SimpleQueue[Asked], library: Library, teller: _Teller
) -> None:
    for asked in arriving:
        if asked.request is None:  # a large library takes a while to be read: searches go on meanwhile
            threading.Thread(target=_renew, args=(library, asked, teller), daemon=True).start()
        else:
            waiting.put(asked)
    os._exit(0)


def _renew(library: Library, asked: Asked, teller: _Teller) -> None:
    try:
        library.renew()
        teller.say(Said(asked.number))
    except PlaitError as error:
        teller.say(Said(asked.number, error=error))


def _together(waiting: queue.SimpleQueue[Asked]) -> list[Asked]:
    """Return what waits, as soon as anything does."""
    every = [waiting.get()]
    while len(every) < _MOST and not waiting.empty():
        every.append(waiting.get())
    return every


def _answer(library: Library, every: Sequence[Asked], teller: _Teller) -> None:
    """Answer what was asked together; an error of one is its own answer."""
    searches = [asked for asked in every if not asked.explain]
    left = iter(searches)
    try:
        for hits in library.search_each([asked.request for asked in searches if asked.request is not None]):
            number = next(left).number
            teller.say(Said(number, error=hits) if isinstance(hits, PlaitError) else Said(number, hits))
    except Exception as error:  # a defect, or a store that cannot be read: of each of them
        for asked in left:
            teller.say(Said(asked.number, error=error))
    for asked in every:
        if asked.explain and asked.request is not None:
            try:
                teller.say(Said(asked.number, library.explain(asked.request, asked.explain)))
            except Exception as error:
                teller.say(Said(asked.number, error=error))


if __name__ == "__main__":
    main()
