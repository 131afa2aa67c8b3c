"""Stores and runs on disk: ``store.json`` and ``run.json``."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

from repstore.errors import StoreError, StoreNotFoundError, StoreVersionError
from repstore.schemas import FORMAT_VERSION
from repstore.spec import ModelIdentity, RunInfo, RunSpec
from repstore.storage.files import read_json, write_json
from repstore.storage.layout import Layout


def check_place(root: Path) -> None:
    """Refuse a place where no store is and none can be made.

    Raises:
        StoreError: the folder holds something else, or a store of a newer version.
    """
    _check_path(root)
    if Layout(root).marker.exists():
        open_store(root)
    elif root.exists() and (not root.is_dir() or any(root.iterdir())):
        raise StoreError(f"{root} is not a store and not empty. Give a new or an empty folder.")


def create_store(root: Path) -> None:
    """Make a store at `root`, if there is none."""
    layout = Layout(root)
    if not layout.marker.exists():
        write_json(layout.marker, {"format_version": FORMAT_VERSION})


def open_store(root: Path) -> Layout:
    """The layout of the store at `root`.

    Raises:
        StoreNotFoundError: there is none.
        StoreVersionError: it was written by a newer version of repstore.
    """
    _check_path(root)
    layout = Layout(root)
    if not layout.marker.exists():
        raise StoreNotFoundError(f'No store at {root}. Make one with "repstore ingest".')
    version = read_json(layout.marker)["format_version"]
    if version > FORMAT_VERSION:
        raise StoreVersionError(
            f"{root} has format {version}; this repstore reads up to {FORMAT_VERSION}. Upgrade repstore."
        )
    return layout


def _check_path(root: Path) -> None:
    if set("*?") & set(str(root.absolute())):
        raise StoreError(f"{root} has * or ? in its path, which DuckDB reads as a pattern. Rename it.")


def write_run(layout: Layout, info: RunInfo) -> None:
    """Record a run before its first part. Does nothing if the run is there.

    Raises:
        StoreError: another run over the same corpus has this name.
    """
    path = layout.run(info.run_id).info
    if path.exists():
        return
    for other in read_runs(layout):
        if (other.name, other.spec.corpus_id) == (info.name, info.spec.corpus_id):
            raise StoreError(
                f'{layout.root} has a run "{info.name}" over corpus "{info.corpus}" made with other '
                "weights or settings. Give the new one a name of its own with --name."
            )
    write_json(path, dataclasses.asdict(info))


def read_runs(layout: Layout) -> list[RunInfo]:
    """The runs of a store, by name."""
    found = [_run(read_json(path)) for path in layout.runs.glob("*/run.json")]
    return sorted(found, key=lambda run: (run.name, run.corpus))


def read_run(layout: Layout, run_id: str) -> RunInfo:
    """A run by its id.

    Raises:
        StoreDamagedError: its ``run.json`` is missing or damaged.
    """
    return _run(read_json(layout.run(run_id).info))


def _run(value: dict[str, Any]) -> RunInfo:
    spec = value["spec"]
    model = ModelIdentity(**spec["model"])
    return RunInfo(**value | {"spec": RunSpec(**spec | {"model": model}), "group": tuple(value["group"])})
