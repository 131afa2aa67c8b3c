"""Waiting for another thread, with an ear for Ctrl-C."""

from __future__ import annotations

from concurrent.futures import Future, wait
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
