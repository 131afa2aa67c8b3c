"""What of a run is there, and what came of making it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from repstore.corpus.source import is_whole
from repstore.errors import ArgumentError
from repstore.groups import missing_parts
from repstore.spec import RunSpec
from repstore.storage import manifest
from repstore.storage.layout import Layout
from repstore.storage.runs import read_run


@dataclass(frozen=True, slots=True)
class RunReport:
    """One run after an ingest. `n_new` of its vectors and skipped words were made by this ingest."""

    run: str
    run_id: str
    n_words: int
    n_vectors: int
    n_skipped: int
    n_windowed: int
    n_new: int


def check_storable(*given: str | Path | None) -> None:
    """Refuse what a store would have to write down and cannot.

    Raises:
        ArgumentError: one of these has bytes in it that are not UTF-8.
    """
    for text in given:
        if not is_whole(str(text)):
            raise ArgumentError(f"{str(text)!r} has bytes in it that are not UTF-8. Rename it.")


def check_same_name(layout: Layout, name: str | None, spec: RunSpec) -> None:
    """Refuse a name for a run that the store has under another."""
    if name is not None and layout.run(spec.run_id).info.exists():
        known = read_run(layout, spec.run_id).name
        if known != name:
            raise ArgumentError(f'{layout.root} has this run already, as "{known}".')


def is_complete(layout: Layout, run_id: str) -> bool:
    """Whether a run is there with all its parts."""
    return layout.run(run_id).info.exists() and not missing_parts(layout, read_run(layout, run_id))


def n_accounted(layout: Layout, run_id: str) -> int:
    """Words of a run that have a vector or were skipped."""
    parts = manifest.committed_parts(layout.run(run_id))
    return sum(part.n_words + part.n_skipped for part in parts)


def report_of(layout: Layout, run_id: str, n_before: int) -> RunReport:
    """What became of a run, of whose words so many were accounted for before."""
    info = read_run(layout, run_id)
    parts = manifest.committed_parts(layout.run(run_id))
    return RunReport(
        run=info.name,
        run_id=run_id,
        n_words=info.n_words,
        n_vectors=sum(part.n_words for part in parts),
        n_skipped=sum(part.n_skipped for part in parts),
        n_windowed=sum(part.n_windowed for part in parts),
        n_new=n_accounted(layout, run_id) - n_before,
    )
