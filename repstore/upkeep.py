"""Looking after a store: is it as it was written, and mending it if not."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pyarrow as pa

from repstore.errors import StoreDamagedError, StoreNotFoundError
from repstore.results import ResultTable
from repstore.storage import migration
from repstore.storage import repair as mending
from repstore.storage import verify as verification
from repstore.storage.layout import Layout
from repstore.storage.lock import holding
from repstore.storage.runs import check_not_newer, check_path, open_store


def verify(path: str | Path, *, progress: Callable[[str], None] = lambda _: None) -> ResultTable:
    """Read every byte of a store and compare it with what was recorded when it was written.

    Args:
        path: folder of the store.
        progress: told each file before it is read.

    Returns:
        One row per finding: path, problem (damaged, missing, stale, incomplete, unfinished, foreign, writing)
        and detail; none is good. An incomplete run waits for its ingest to be resumed; unfinished and foreign
        files do no harm; while another process is writing, only what is committed is judged.

    Raises:
        StoreNotFoundError, StoreVersionError: there is no store, or it is of a newer format.
    """
    layout = _layout(path)
    found = [
        {"path": finding.path, "problem": finding.problem, "detail": finding.detail}
        for finding in verification.verify(layout, progress)
    ]
    columns = pa.schema([("path", pa.string()), ("problem", pa.string()), ("detail", pa.string())])
    summary = f"findings: {len(found)}" if found else "everything is as it was written"
    return ResultTable(pa.Table.from_pylist(found, columns), f"{path}: {summary}")


def repair(path: str | Path) -> list[str]:
    """Rebuild what is derived, and move what is damaged to ``quarantine/``, so that ingest can make it again.

    Returns:
        What was done and what is left to do, a line each.

    Raises:
        StoreVersionError: the store was written by a newer version of repstore.
        StoreLockedError: another process is writing to the store.
        StoreError: ``store.json`` itself is damaged.
    """
    layout = _layout(path)
    with holding(layout):  # of any format: a store has to be sound to be migrated
        return mending.repair(layout)


def migrate(path: str | Path) -> list[str]:
    """Bring a store of an older format up to the present one. Its parts and corpora stay as they are.

    It may be interrupted at any instant: the store can be read, and the same call completes it.

    Returns:
        What each step brought, a line each; none if the store has the present format.

    Raises:
        StoreNotFoundError, StoreVersionError: there is no store, or it is of a newer format.
        StoreLockedError: another process is writing to the store.
    """
    layout = open_store(Path(path).absolute())
    with holding(layout):
        return migration.migrate(layout)


def _layout(path: str | Path) -> Layout:
    """The store at `path`, even if its marker is lost or damaged."""
    layout = Layout(Path(path).absolute())
    check_path(layout.root)
    if not any(place.exists() for place in (layout.marker, layout.runs, layout.corpora)):
        raise StoreNotFoundError(f'No store at {path}. Make one with "repstore ingest".')
    with suppress(StoreDamagedError):
        check_not_newer(layout)
    return layout
