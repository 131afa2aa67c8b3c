"""Which runs a question looks up, noted for the provenance of its answer."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar

_NOTED: ContextVar[dict[str, str] | None] = ContextVar("_NOTED", default=None)


@contextmanager
def noting() -> Iterator[dict[str, str]]:
    """Note the runs that are looked up meanwhile: what they go by, and their run_id as they are seen."""
    runs: dict[str, str] = {}
    before = _NOTED.set(runs)
    try:
        yield runs
    finally:
        _NOTED.reset(before)


def note(label: str, run_id: str) -> None:
    """A run is looked up."""
    noted = _NOTED.get()
    if noted is not None:
        noted[label] = run_id
