"""Being asked to stop: SIGTERM, as schedulers of clusters send it, is to an ingest what Ctrl-C is."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import contextmanager


class TerminatedError(KeyboardInterrupt):
    """The process was asked to end."""


@contextmanager
def sigterm_interrupts() -> Iterator[None]:
    """Within, SIGTERM raises `TerminatedError`."""

    def interrupt(*_: object) -> None:
        raise TerminatedError

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
