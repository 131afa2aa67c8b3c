"""Putting the catalog of a store in place, and telling whether it still fits."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import duckdb

from repstore.errors import StoreDamagedError
from repstore.storage.catalog.filling import fill
from repstore.storage.catalog.reading import Catalog
from repstore.storage.corpora import read_corpora
from repstore.storage.files import draft_of, publish, read_json, sha256_of, sync_file, unwritten, write_json
from repstore.storage.layout import Layout
from repstore.storage.manifest import committed_parts
from repstore.storage.runs import read_runs
from repstore.storage.waiting import hearing

LISTED_PARTS = """
SELECT runs.run_id, coalesce(list(sha256 ORDER BY part) FILTER (WHERE part IS NOT NULL), []) AS shas
FROM runs LEFT JOIN parts USING (run_id) GROUP BY runs.run_id ORDER BY runs.run_id
"""
LISTED_CORPORA = "SELECT corpus_id FROM corpora ORDER BY corpus_id"


def publish_catalog(layout: Layout) -> None:
    """Build the catalog anew from the other files of the store, and put it in place by rename.

    Its digest is written first and names the catalog that is replaced, too, so that there is no instant at
    which a sound catalog looks damaged.
    """
    draft = draft_of(layout.catalog)
    _remove(draft)
    try:
        with hearing(), closing(duckdb.connect(str(draft))) as connection:
            fill(connection, layout)
            connection.execute("CHECKPOINT")  # closing would not say that the disk is full
    except duckdb.Error as error:
        _remove(draft)
        raise unwritten(layout.catalog, error) from error
    sync_file(draft)
    replaces = sha256_of(layout.catalog) if layout.catalog.exists() else None
    digest = {"file": layout.catalog.name, "sha256": sha256_of(draft), "replaces": replaces}
    write_json(layout.catalog_digest, digest)
    publish(draft, layout.catalog)


def _remove(draft: Path) -> None:
    """Remove an unfinished catalog, and what DuckDB keeps beside it."""
    for path in draft.parent.glob(f"{draft.name}*"):
        path.unlink()


def is_current(layout: Layout) -> bool:
    """Whether the catalog lists just the corpora and runs that exist, and the parts of their manifests."""
    if not layout.catalog.exists() or not layout.catalog_digest.exists():
        return False
    try:
        if read_json(layout.catalog_digest)["sha256"] != sha256_of(layout.catalog):
            return False
        with closing(Catalog(layout)) as catalog:
            listed, corpora = (catalog.query(sql).to_pylist() for sql in (LISTED_PARTS, LISTED_CORPORA))
    except StoreDamagedError:
        return False
    runs = [
        {"run_id": run.run_id, "shas": [part.sha256 for part in committed_parts(layout.run(run.run_id))]}
        for run in sorted(read_runs(layout), key=lambda run: run.run_id)
    ]
    there = sorted(corpus.corpus_id for corpus in read_corpora(layout))
    return listed == runs and [row["corpus_id"] for row in corpora] == there
