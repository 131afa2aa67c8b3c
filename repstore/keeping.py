"""What is frozen of the runs of a store, whatever it is: listed and removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from repstore.errors import StoreDamagedError
from repstore.storage.frozen import Info, check_name, drop_frozen, if_there, is_cut
from repstore.storage.layout import FrozenKind, FrozenLayout
from repstore.storage.lock import writing
from repstore.storage.lookup import looking_up
from repstore.storage.opened import Run
from repstore.storage.runs import open_store


def rows_of(
    runs: Sequence[Run],
    kind: FrozenKind,
    read: Callable[[FrozenLayout], Info],
    about: Callable[[Info], dict[str, Any]],
) -> list[dict[str, Any]]:
    """A row for all of a kind that some runs have.

    Each has run, the name under the `kind`, state, n_words, bytes, and what is said `about` it. The state is
    "current"; "stale": the run has more or other vectors since; or "damaged": another file than the JSON file
    is missing or of another size, or that is not as it was written, when no more is said than the state.
    """
    rows = (_row(run, place, read, about) for run in runs for place in run.folder.all_frozen(kind))
    return [row for row in rows if row is not None]


def _row(
    run: Run,
    place: FrozenLayout,
    read: Callable[[FrozenLayout], Info],
    about: Callable[[Info], dict[str, Any]],
) -> dict[str, Any] | None:
    """What is listed of one; None if it was dropped meanwhile."""
    row: dict[str, Any] = {"run": run.label, place.kind: place.name}
    try:
        info = if_there(place, read)
    except StoreDamagedError:
        return row | {"state": "damaged"}
    if info is None:
        return None
    state = "stale" if info.outdated(run.parts) else "current"
    state = "damaged" if is_cut(place, info) else state
    return row | {"state": state, "n_words": info.n_words, "bytes": info.n_bytes} | about(info)


def drop(store: str | Path, kind: FrozenKind, name: str, run: str | None) -> bool:
    """Remove what is frozen of a run under a name. Vectors are not touched.

    Returns:
        Whether there was one.
    """
    check_name(kind, name)
    layout = open_store(Path(store).absolute())
    with writing(layout), looking_up(layout) as lookup:
        return drop_frozen(lookup.run(run).folder.frozen(kind, name))
