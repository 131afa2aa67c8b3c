"""What changed between formats, as functions on the JSON files of a store; nothing else has changed yet.

A store of an older format is read through them as it is, and written to after ``repstore migrate`` has put
the result on disk. Parts and corpora are never migrated: their bytes have been the same since format 1.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

Document = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Migration:
    """The step to a format from the one before it.

    Attributes:
        to: number of the format.
        what: what it brought, in one line.
        documents: by JSON schema, what becomes of a file. One that is migrated already stays as it is, so
            that nobody need know the format of a single file: a migration may have been interrupted.
    """

    to: int
    what: str
    documents: Mapping[str, Callable[[Document], Document]]


def _with_origin(run: Document) -> Document:
    return run | {"origin": run.get("origin", "encoded")}


MIGRATIONS = (
    Migration(2, "Runs may be imported, and results kept; run.json says its origin.", {"run": _with_origin}),
)
"""Every migration, in order."""


def migrated(kind: str, document: Document) -> Document:
    """A JSON file of a store of any format as the present one has it.

    Args:
        kind: which JSON schema it obeys, such as ``run``.
        document: its content.
    """
    for migration in MIGRATIONS:
        if kind in migration.documents:
            document = migration.documents[kind](document)
    return document
