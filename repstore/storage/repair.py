"""Mending a store: what is derived is built anew; what is damaged is set aside, to be ingested again."""

from __future__ import annotations

from pathlib import Path

from repstore.errors import StoreDamagedError, StoreError
from repstore.storage.catalog import publish_catalog
from repstore.storage.files import TEMPORARY, make_folder, publish
from repstore.storage.layout import FROZEN_FOLDERS, RESULTS, Layout, RunLayout
from repstore.storage.remaking import (
    brings_corpus,
    fit_command,
    index_command,
    ingest_command,
    result_command,
)
from repstore.storage.runs import read_run
from repstore.storage.verify import check


def repair(layout: Layout) -> list[str]:
    """Rebuild what is derived, and move what is damaged to ``quarantine/``, so that ingest can make it again.

    Call it with the writer lock held. Nothing is deleted but unfinished files of a crash.

    Returns:
        What was done and what is left to do, a line each.
    """
    done: list[str] = []
    units = []
    for finding in check(layout):
        if finding.problem == "incomplete" or (
            finding.problem == "stale" and finding.path.startswith("runs/")
        ):
            done.append(f"{finding.detail[0].upper()}{finding.detail[1:]}")
        elif finding.problem == "unfinished" and finding.path != layout.catalog.name:
            _remove(layout.root / finding.path)
            done.append(f"Removed {finding.path}, which a crash left unfinished.")
        elif finding.unit is not None:
            units.append(finding.unit)
        elif finding.problem == "foreign":
            done.append(f"Left {finding.path} alone: it does not belong to the store.")
        elif finding.path == layout.marker.name:
            raise StoreError(f"{layout.marker} is damaged. Restore it from a copy of the store.")
    for unit in dict.fromkeys(units):
        if not any(unit.startswith(f"{other}/") for other in units):  # it goes with what holds it
            done += _quarantine(layout, unit)
    publish_catalog(layout)
    return [*done, "Rebuilt the catalog."]


def _remove(unfinished: Path) -> None:
    """Remove a file, and the folder that was to be renamed with it, or to hold what has a name."""
    unfinished.unlink()
    folder = unfinished.parent
    is_named = folder.parent.name in {*FROZEN_FOLDERS.values(), RESULTS}
    if (folder.suffix == TEMPORARY or is_named) and not any(folder.iterdir()):
        folder.rmdir()


def _command_of_corpus(layout: Layout, corpus_id: str) -> str | None:
    """The command of a run over the corpus, which brings the corpus back; None if no run says it."""
    for place in layout.all_runs():
        try:
            run = read_run(layout, place.root.name)
        except StoreDamagedError:
            continue
        if run.spec.corpus_id == corpus_id and brings_corpus(run):
            return ingest_command(layout, run)
    return None


def _quarantine(layout: Layout, unit: str) -> list[str]:
    """Move a corpus, run, result, what is frozen, a part (named by its entry) or an index (its JSON)."""
    source = layout.root / unit
    moved = [source]
    command = "run the command that ingested it"
    if source.parent.name == "manifest":
        run = RunLayout(source.parent.parent)
        number = int(source.stem.removeprefix("part-"))
        moved += [path for path in (run.part(number), run.skipped(number)) if path.exists()]
        command = ingest_command(layout, read_run(layout, run.root.name))
    elif source.parent.name == "index":
        run = RunLayout(source.parent.parent)
        moved += run.editions(source)
        command = index_command(layout, read_run(layout, run.root.name), source)
    elif source.parent.name in FROZEN_FOLDERS.values():
        run = RunLayout(source.parent.parent)
        (kind,) = (kind for kind, folder in FROZEN_FOLDERS.items() if folder == source.parent.name)
        command = fit_command(layout, read_run(layout, run.root.name), run.frozen(kind, source.name))
    elif source.parent == layout.results:
        command = result_command(layout.result(source.name))
    elif source.parent == layout.corpora:
        command = _command_of_corpus(layout, source.name) or command
    for path in moved:  # the manifest entry or JSON first: what it no longer names does not exist
        if not path.exists():
            continue
        target = layout.quarantine / path.relative_to(layout.root)
        while target.exists():
            target = target.with_name(target.name + ".again")
        make_folder(target.parent)
        publish(path, target)
    names = ", ".join(path.relative_to(layout.root).as_posix() for path in moved)
    return [f"Moved to {layout.quarantine.name}/: {names}", "To make it again:", f"  {command}"]
