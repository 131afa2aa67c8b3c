"""Telling how far something is that takes many runs and layers."""

from __future__ import annotations

from collections.abc import Callable

from repstore.spec import Progress


class Told:
    """Progress over many layers.

    A progress callback is called by the thread that asks; from others nothing is told.
    """

    def __init__(self, progress: Callable[[Progress], None], n_total: int) -> None:
        self._progress, self._n_total, self._n_done = progress, n_total, 0
        self._message = ""

    def begin(self, message: str) -> None:
        """What is done from here on."""
        self._message = message
        self._tell()

    def done(self) -> None:
        """Another layer is done."""
        self._n_done += 1
        self._tell()

    def _tell(self) -> None:
        self._progress(Progress(self._message, self._n_done, self._n_total, unit="layers"))
