"""Folders compared file by file."""

from __future__ import annotations

from pathlib import Path

PASSING = ("catalog.", "writer.")
"""What a store may change at any time: the derived catalog, and the lock of a writer."""


def files_of(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, by its relative path; of a store, those that count."""
    return {
        str(path.relative_to(folder)): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file() and not path.name.startswith(PASSING)
    }
