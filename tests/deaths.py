"""Work on a store that dies at any of its steps: what of it is left?"""

from __future__ import annotations

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from repstore.storage.index import Sketch


class Dead(BaseException):
    """A process that is killed: nothing it would do after that is done."""


class Steps:
    """Counts what is done to the files of runs and results, and dies before the step of number `last`."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, last: int | None) -> None:
        self.n, self._last = 0, last
        for owner, name in (
            (Path, "replace"),
            (Path, "unlink"),
            (Path, "mkdir"),
            (Path, "open"),
            (os, "fsync"),
        ):
            monkeypatch.setattr(owner, name, self._counted(getattr(owner, name)))
        write = Sketch.write

        def torn(sketch: Sketch, into: Callable[[bytes], object]) -> None:
            pieces: list[bytes] = []
            write(sketch, pieces.append)
            data = b"".join(pieces)
            into(data[: len(data) // 2])
            self.step()
            into(data[len(data) // 2 :])

        monkeypatch.setattr(Sketch, "write", torn)

    def step(self) -> None:
        if self._last is not None and self.n >= self._last:
            raise Dead
        self.n += 1

    def _counted(self, change: Callable[..., object]) -> Callable[..., object]:
        def counted(*args: object, **options: object) -> object:
            reads = change.__name__ == "open" and "w" not in "".join(map(str, args[1:]))
            if not reads and (not isinstance(args[0], Path) or {"runs", "results"} & set(args[0].parts)):
                self.step()
            return change(*args, **options)

        return counted


def after_every_death(store: Path, work: Callable[[Path], object]) -> Iterator[Path]:
    """Copies of a store in which the work died, before each of its steps in turn."""
    for last in range(1000):
        copy = shutil.copytree(store, store.with_name(f"died-{last}"))
        with pytest.MonkeyPatch.context() as monkeypatch:
            steps = Steps(monkeypatch, last)
            try:
                work(copy)
            except Dead:
                pass
            else:
                assert steps.n == last >= 3
                return
        yield copy
