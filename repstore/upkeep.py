"""Looking after a store: is it as it was written, and mending it if not."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pyarrow as pa

from repstore.errors import StoreNotFoundError
from repstore.results import ResultTable
from repstore.storage import verify as verification
from repstore.storage.layout import Layout
from repstore.storage.lock import writing


def verify(path: str | Path, *, progress: Callable[[str], None] = lambda _: None) -> ResultTable:
    """Read every byte of a store and compare it with what was recorded when it was written.

    Args:
        path: folder of the store.
        progress: told each file before it is read.

    Returns:
        One row per finding: path, problem (damaged, missing, stale, unfinished, foreign) and detail; none is
        good.
    """
    layout = Layout(Path(path))
    if not layout.root.is_dir():
        raise StoreNotFoundError(f"No store at {path}.")
    found = [
        {"path": finding.path, "problem": finding.problem, "detail": finding.detail}
        for finding in verification.verify(layout, progress)
    ]
    columns = pa.schema([("path", pa.string()), ("problem", pa.string()), ("detail", pa.string())])
    summary = f"{len(found)} findings" if found else "everything is as it was written"
    return ResultTable(pa.Table.from_pylist(found, columns), f"{path}: {summary}")


def repair(path: str | Path) -> list[str]:
    """Rebuild what is derived, and move what is damaged to ``quarantine/``, so that ingest can make it again.

    Returns:
        What was done and what is left to do, a line each.

    Raises:
        StoreLockedError: another process is writing to the store.
        StoreError: ``store.json`` itself is damaged.
    """
    layout = Layout(Path(path))
    if not layout.root.is_dir():
        raise StoreNotFoundError(f"No store at {path}.")
    with writing(layout):
        return verification.repair(layout)
