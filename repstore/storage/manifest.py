"""The record of committed parts. A file that no entry names does not exist."""

from __future__ import annotations

import dataclasses
from pathlib import Path

from repstore.spec import LayerStats, Part
from repstore.storage.files import read_json, write_json
from repstore.storage.layout import RunLayout


def commit(run: RunLayout, part: Part) -> None:
    """Commit a part whose files are on the disk. After this it belongs to the run for good."""
    write_json(run.entry(part.part), dataclasses.asdict(part))


def is_committed(run: RunLayout, part: int) -> bool:
    """Whether a part belongs to the run."""
    return run.entry(part).exists()


def committed_parts(run: RunLayout) -> list[Part]:
    """The committed parts, in order."""
    return [read_entry(path) for path in run.entries()]


def read_entry(path: Path) -> Part:
    """One entry of the manifest.

    Raises:
        StoreDamagedError: it is not what was written.
    """
    entry = read_json(path)
    layers = tuple(LayerStats(**layer) for layer in entry["layers"])
    return Part(**entry | {"layers": layers, "n_not_finite": tuple(entry["n_not_finite"])})
