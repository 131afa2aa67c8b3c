"""Results that a store keeps: saved with all that they were computed from, listed, and had again."""

from __future__ import annotations

import errno
import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from repstore.diffing import diff
from repstore.errors import ArgumentError, NotFoundError, StoreDamagedError, StoreError, did_you_mean
from repstore.provenance import ASKED, utc, versions
from repstore.results import Figure, ResultTable
from repstore.storage.frozen import check_name, drop_frozen
from repstore.storage.frozen_kinds import read_frozen
from repstore.storage.layout import FrozenKind, Layout, ResultLayout
from repstore.storage.lock import writing
from repstore.storage.lookup import Lookup
from repstore.storage.run_names import stored_id
from repstore.storage.runs import check_format, open_store
from repstore.storage.saved_results import (
    PYTHON,
    SavedResult,
    as_json,
    is_damaged,
    read_made,
    read_result,
    read_rows,
    write_result,
    written_as,
)

RESULT_COLUMNS = pa.schema(
    [
        *(("name", pa.string()), ("title", pa.string()), ("question", pa.string()), ("runs", pa.string())),
        *(("n_rows", pa.int64()), ("bytes", pa.int64()), ("seed", pa.int64()), ("saved", pa.string())),
        ("state", pa.string()),
    ]
)


def save_result(
    store: str | Path | os.PathLike[str],
    name: str,
    result: ResultTable,
    *,
    command: str | None = None,
    replace: bool = False,
) -> bool:
    """Keep a result under a name, with all that it was computed from (docs/results.md).

    Args:
        store: folder of the store, or the store opened.
        name: what it will be called: letters, digits, ``.``, ``_`` and ``-``.
        result: any answer of the store.
        command: the command line that asked for it.
        replace: put it in the place of another result of that name. Should the process die just then,
            neither may be left.

    Returns:
        Whether it was written: not if the same result is there already under that name.

    Raises:
        ArgumentError: this is no name, another result has it, or a column cannot be kept.
        StoreError: the disk is full, above all; then everything is as it was.
        StoreLockedError: another process is writing to the store.
    """
    check_name("result", name)
    layout = open_store(Path(store).absolute())
    info, data = written_as(result.table, result.about)
    known = {"computed": None, "seconds": None, "versions": versions()} | dict(result.made)
    made = as_json(known | {"saved": utc(datetime.now(UTC)), "command": command or PYTHON})
    place = layout.result(name)
    with writing(layout):
        if not is_damaged(place):
            there = read_result(place)
            differs = [] if there is None else _differences(there, info)
            if there is not None and not differs:
                return False
            if there is not None and not replace:
                raise ArgumentError(
                    f'There is another result "{name}" ({", ".join(differs)}). Take another name, or remove '
                    f'it: "repstore results drop STORE {name}".'
                )
        write_result(place, info, data, made)
    return True


def check_can_keep(store: str | Path | os.PathLike[str]) -> None:
    """Refuse a store that keeps nothing, before anything is asked that takes long.

    Raises:
        StoreVersionError: it has an older format.
        StoreError: it cannot be written to.
    """
    layout = open_store(Path(store).absolute())
    check_format(layout)
    if not os.access(layout.root, os.W_OK):
        is_disk = os.statvfs(layout.root).f_flag & os.ST_RDONLY
        reason = os.strerror(errno.EROFS if is_disk else errno.EACCES)
        raise StoreError(f"{layout.root} cannot be written to: {reason}.")


def drop_result(store: str | Path | os.PathLike[str], name: str) -> bool:
    """Remove a result that is kept.

    Returns:
        Whether there was one.
    """
    check_name("result", name)
    layout = open_store(Path(store).absolute())
    with writing(layout):
        return drop_frozen(layout.result(name))


class Results:
    """The results of a store, read when they are asked for, so that what is saved is seen at once."""

    _layout: Layout
    _lookup: Lookup

    def results(self) -> ResultTable:
        """The results that are kept.

        Returns:
            One row per result: name, title, question, runs, n_rows, bytes, seed, saved (when, UTC) and state:
            "current"; "stale": a run that it is of has other parts by now, or is gone, or a transform, mix or
            probe was made anew or dropped; or "damaged": it is not as it was written.
        """
        rows = [row for place in self._layout.all_results() if (row := self._row(place)) is not None]
        return ResultTable(pa.Table.from_pylist(rows, RESULT_COLUMNS), f"Results of {self._layout.root}")

    def result(self, name: str) -> ResultTable:
        """A result as it was: the same rows, units, provenance, notes and figure.

        Raises:
            NotFoundError: there is none of that name.
            StoreDamagedError: it is not what was written.
        """
        place, info = self._saved(name)
        about = info.about | {"figure": Figure.read(info.figure)}
        try:
            return ResultTable(read_rows(place, info), **about, made=read_made(place))
        except StoreDamagedError:
            if self._saved(name)[1] == info:
                raise
        return self.result(name)  # it was replaced meanwhile

    def diff_results(self, a: str, b: str, *, on: Sequence[str] | None = None) -> ResultTable:
        """What changed from one result to another, row by row (`diffing.diff`).

        Args:
            a, b: names of results.
            on: columns that say which rows belong together; found unless given.

        Returns:
            One row for each that either has: the columns that rows are matched by; of every number x of both
            x_a, x_b and x_change (b - a); what else there is, once if it is the same in both; and found_in
            ("both", "a" or "b"). Notes say in what the questions, runs and versions differ.

        Raises:
            NotFoundError: there is no such result.
            ArgumentError: they cannot be compared; the message says why.
            StoreDamagedError: one is not what was written.
        """
        stale = [name for name in (a, b) if self._is_stale(self._saved(name)[1])]
        return diff((a, self.result(a)), (b, self.result(b)), on, stale)

    def _saved(self, name: str) -> tuple[ResultLayout, SavedResult]:
        check_name("result", name)
        place = self._layout.result(name)
        info = read_result(place)
        if info is None:
            names = [one.name for one in self._layout.all_results()]
            hint = did_you_mean(name, names) if names else "Keep one with --save NAME, or save_result."
            raise NotFoundError(f'No result "{name}". {hint}')
        return place, info

    def _row(self, place: ResultLayout) -> dict[str, Any] | None:
        """What is listed of a result; None if it was dropped meanwhile."""
        before = _edition(place)
        row = self._listed(place)
        if row is not None and row["state"] == "damaged" and _edition(place) != before:
            return self._row(place)  # it was replaced or dropped meanwhile
        return row

    def _listed(self, place: ResultLayout) -> dict[str, Any] | None:
        try:
            info = read_result(place)
            if info is None:
                return None
            saved = read_made(place)["saved"]
        except StoreDamagedError:
            return {"name": place.name, "state": "damaged"}
        asked = info.provenance.get(ASKED, {})
        try:
            is_cut = place.rows.stat().st_size != info.bytes
        except FileNotFoundError:
            is_cut = True
        return {
            "name": place.name,
            "title": info.title,
            "question": _question(asked),
            "runs": ", ".join(run["run"] for run in asked.get("runs", [])),
            "n_rows": info.n_rows,
            "bytes": info.bytes,
            "seed": asked.get("arguments", {}).get("seed"),
            "saved": saved,
            "state": "damaged" if is_cut else "stale" if self._is_stale(info) else "current",
        }

    def _is_stale(self, info: SavedResult) -> bool:
        """Whether what a result was computed from is gone, or another: parts of runs, and what is frozen."""
        runs = info.provenance.get(ASKED, {}).get("runs", [])
        if any(self._lookup.contents.get(stored_id(run["run_id"])) != run["parts"] for run in runs):
            return True
        return any(self._is_gone(*frozen) for frozen in _frozen_of(info.provenance))

    def _is_gone(self, kind: FrozenKind, name: str, digest: str, run_ids: Sequence[str]) -> bool:
        """Whether none of these runs has a transform, probe or mix of that name and digest."""
        for run_id in run_ids:
            with suppress(StoreDamagedError):  # which is as good as gone
                info = read_frozen(self._lookup.folder(run_id).frozen(kind, name))
                if info.digest.startswith(digest):
                    return False
        return True


def _frozen_of(provenance: Mapping[str, Any]) -> Iterator[tuple[FrozenKind, str, str, list[str]]]:
    """What is frozen that a result was computed from: its kind, name and digest, and whose it may be."""
    asked = provenance.get(ASKED, {})
    ids = {run["run"]: run["run_id"] for run in asked.get("runs", [])}
    for seen in ids.values():
        if through := seen.partition("+")[2]:
            name, _, digest = through.rpartition("@")
            yield "transform", name, digest, [seen]
    for mix in asked.get("mixes", []):
        yield "mix", mix["mix"], mix["digest"], [ids[mix["run"]]]
    if asked.get("question") == "apply_probe":
        for digest in provenance["digests"]:
            yield "probe", provenance["probe"], digest, list(ids.values())


def _edition(place: ResultLayout) -> tuple[int, int] | None:
    """What tells a result from another of the same name, though it be the same; None if there is none."""
    try:
        found = place.info.stat()
    except OSError:
        return None
    return found.st_ino, found.st_mtime_ns


def _question(asked: Mapping[str, Any]) -> str | None:
    """What was asked, in a word or two."""
    if asked.get("question") == "probe":
        return f"probe {asked['arguments']['name']}"
    return asked.get("question")


def _differences(there: SavedResult, new: SavedResult) -> list[str]:
    """What two results differ in, in words. Notes may also say what was done, and are not compared."""
    named = {"sha256": "other rows", "provenance": "asked otherwise", "title": "another title"}
    named |= {"units": "other units", "figure": "another figure"}
    return [words for field, words in named.items() if getattr(there, field) != getattr(new, field)]
