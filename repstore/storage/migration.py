"""Bringing a store of an older format up to the present one."""

from __future__ import annotations

from repstore.schemas.migrations import MIGRATIONS, migrated
from repstore.storage.catalog import publish_catalog
from repstore.storage.files import read_json, write_json
from repstore.storage.layout import Layout
from repstore.storage.runs import format_of, write_marker


def migrate(layout: Layout) -> list[str]:
    """Write every JSON file as the present format has it. The caller holds the lock of the store.

    The format in ``store.json`` is raised last. Until then the store is one of the old format, some of whose
    files are new already, which readers understand and a second try completes.

    Returns:
        What each step brought, a line each; none if there was nothing to do.
    """
    version = format_of(layout)
    steps = [f"Format {one.to}: {one.what}" for one in MIGRATIONS if one.to > version]
    if steps:
        for run in layout.all_runs():
            write_json(run.info, migrated("run", read_json(run.info)))
        publish_catalog(layout)
        write_marker(layout)
    return steps
