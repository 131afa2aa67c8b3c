"""What is frozen of the runs of a store, whatever it is: found as it was, listed and removed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from repstore.errors import ArgumentError, StoreDamagedError
from repstore.storage.frozen import Info, check_name, drop_frozen, if_there, is_cut, is_damaged
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


def as_it_was(
    place: FrozenLayout,
    run: Run,
    read: Callable[[FrozenLayout], Info],
    differs: Callable[[Info], Sequence[str]],
) -> Info | None:
    """What is frozen under a name, if it is as it is asked for and sound; None if it is to be fitted.

    Args:
        place: where it would be.
        run: whose it is.
        read: reads what is said of it.
        differs: what was asked for otherwise, in words; nothing if it was fitted as it is asked for.

    Raises:
        ArgumentError: another one is there, or the run has other vectors since.
        StoreDamagedError: one is there, and nobody knows which.
    """
    kind, name = place.kind, place.name
    what = f'{run.label} has a frozen {kind} "{name}"'
    remove = f'remove it: "repstore {kind} drop STORE {name} --run {run.label}"'
    try:
        info = if_there(place, read)
    except StoreDamagedError as error:
        raise StoreDamagedError(f"{what}, but {error} Take another name, or {remove}.") from None
    if info is None:
        return None
    if otherwise := differs(info):
        raise ArgumentError(
            f"{what} that was fitted otherwise ({', '.join(otherwise)}). Take another name, or {remove}."
        )
    if outdated := info.outdated(run.parts):
        raise ArgumentError(
            f"{what} that is stale: the run has {outdated}. To fit it anew, {remove}; then do this again."
        )
    return None if is_damaged(place, info) else info


def drop(store: str | Path, kind: FrozenKind, name: str, run: str | None) -> bool:
    """Remove what is frozen of a run under a name. Vectors are not touched.

    Returns:
        Whether there was one.
    """
    check_name(kind, name)
    layout = open_store(Path(store).absolute())
    with writing(layout), looking_up(layout) as lookup:
        return drop_frozen(lookup.run(run).folder.frozen(kind, name))
