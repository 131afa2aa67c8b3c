"""Stores and runs on disk: ``store.json`` and ``run.json``."""

from __future__ import annotations

import dataclasses
import os
from pathlib import Path
from typing import Any

from repstore.errors import StoreError, StoreNotFoundError, StoreVersionError, is_utf8
from repstore.schemas import FORMAT_VERSION
from repstore.schemas.migrations import migrated
from repstore.spec import ModelIdentity, RunInfo, RunSpec
from repstore.storage.files import draft_of, read_json, write_json
from repstore.storage.layout import Layout


def check_place(root: Path) -> None:
    """Refuse a place where no store is and none can be made.

    Raises:
        StoreError: the folder holds something else, or a store of another format.
    """
    check_path(root)
    if Layout(root).marker.exists():
        check_format(open_store(root))
        return
    for place in (root, *root.absolute().parents):
        if place.is_file():
            raise StoreError(f"{place} is a file, not a store. Give a new or an empty folder.")
    layout = Layout(root)
    begun = {layout.lock, layout.lock_holder, draft_of(layout.marker)}
    if root.exists() and set(root.iterdir()) - begun:
        raise StoreError(f"{root} is not a store and not empty. Give a new or an empty folder.")


def create_store(root: Path) -> None:
    """Make a store at `root`, if there is none."""
    layout = Layout(root)
    if not layout.marker.exists():
        write_marker(layout)


def write_marker(layout: Layout) -> None:
    """Say that a store is of the present format."""
    write_json(layout.marker, {"format_version": FORMAT_VERSION})


def format_of(layout: Layout) -> int:
    """The format of a store; the present one, if its marker is lost."""
    if not layout.marker.exists():
        return FORMAT_VERSION
    version: int = read_json(layout.marker)["format_version"]
    return version


def check_format(layout: Layout) -> None:
    """Refuse to write to a store of an older format.

    Raises:
        StoreVersionError: it is one.
    """
    version = format_of(layout)
    if version < FORMAT_VERSION:
        raise StoreVersionError(
            f"{layout.root} has format {version}: it can be read, and written to once it has format "
            f'{FORMAT_VERSION}. Bring it there with "repstore migrate".'
        )


def open_store(root: Path) -> Layout:
    """The layout of the store at `root`.

    Raises:
        StoreNotFoundError: there is none.
        StoreVersionError: it was written by a newer version of repstore.
    """
    check_path(root)
    layout = Layout(root)
    if not layout.marker.exists():
        raise StoreNotFoundError(f'No store at {root}. Make one with "repstore ingest".')
    check_not_newer(layout)
    return layout


def check_not_newer(layout: Layout) -> None:
    """Refuse a store of which this version of repstore cannot know what belongs to it.

    Raises:
        StoreVersionError: it was written by a newer version.
        StoreDamagedError: its marker does not say by which.
    """
    version = format_of(layout)
    if version > FORMAT_VERSION:
        raise StoreVersionError(
            f"{layout.root} has format {version}; this repstore reads up to {FORMAT_VERSION}. "
            "Upgrade repstore."
        )


def check_path(root: Path) -> None:
    """Refuse a place that DuckDB cannot name.

    Raises:
        StoreError: it is one.
    """
    path = str(root.absolute())
    if not is_utf8(path):
        raise StoreError(f"{path!a} has bytes in it that are not UTF-8, which DuckDB cannot read. Rename it.")
    if set("*?") & set(path):
        raise StoreError(f"{root} has * or ? in its path, which DuckDB reads as a pattern. Rename it.")
    if os.sep != "\\" and "\\" in path:
        raise StoreError(f"{root} has \\ in its path, which DuckDB reads as /. Rename it.")


def check_name(layout: Layout, name: str, spec: RunSpec) -> None:
    """Refuse a name for a run that another run over the same corpus has.

    Raises:
        StoreError: it is taken.
    """
    for other in read_runs(layout):
        taken = (other.name, other.spec.corpus_id) == (name, spec.corpus_id)
        if taken and other.run_id != spec.run_id:
            raise StoreError(
                f'{layout.root} has a run "{name}" over corpus "{other.corpus}" made with other weights or '
                "settings. Give the new one a name of its own with --name."
            )


def write_run(layout: Layout, info: RunInfo) -> None:
    """Record a run before its first part, unless it is there."""
    path = layout.run(info.run_id).info
    if not path.exists():
        check_name(layout, info.name, info.spec)
        write_json(path, dataclasses.asdict(info))


def read_runs(layout: Layout) -> list[RunInfo]:
    """The runs of a store, by name."""
    found = [_run(read_json(run.info)) for run in layout.all_runs()]
    return sorted(found, key=lambda run: (run.name, run.corpus))


def read_run(layout: Layout, run_id: str) -> RunInfo:
    """A run by its id.

    Raises:
        StoreDamagedError: its ``run.json`` is missing or damaged.
    """
    return _run(read_json(layout.run(run_id).info))


def _run(document: dict[str, Any]) -> RunInfo:
    value = migrated("run", document)
    spec = value["spec"]
    model = ModelIdentity(**spec["model"])
    return RunInfo(**value | {"spec": RunSpec(**spec | {"model": model}), "group": tuple(value["group"])})
