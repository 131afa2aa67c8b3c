"""Waiting for another thread, or for DuckDB, with an ear for Ctrl-C."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import Future, wait
from contextlib import contextmanager
from typing import TypeVar

T = TypeVar("T")

HEARD = 0.05
"""Seconds in which Ctrl-C is heard."""


def awaited(running: Future[T]) -> T:
    """What another thread returns, or raises. Ctrl-C ends the waiting.

    Python hears of signals between waits, and a wait without end goes on after one where a library has set
    SA_RESTART for SIGINT: polars does, as soon as it is used.
    """
    while not wait([running], timeout=HEARD).done:
        pass
    return running.result()


@contextmanager
def hearing() -> Iterator[None]:
    """Within, Ctrl-C is a KeyboardInterrupt. DuckDB, asked in the main thread, makes a RuntimeError of it."""
    try:
        yield
    except RuntimeError as error:
        if str(error) == "Query interrupted":
            raise KeyboardInterrupt from None
        raise
