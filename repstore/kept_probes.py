"""The trained probes that a store keeps under names: kept, found, listed, removed."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from repstore import keeping
from repstore.errors import ArgumentError, NotFoundError, did_you_mean
from repstore.provenance import asking
from repstore.results import ResultTable
from repstore.storage.frozen import STORE
from repstore.storage.lock import writing
from repstore.storage.lookup import Lookup, looking_up
from repstore.storage.opened import Layers, Run
from repstore.storage.runs import open_store
from repstore.storage.saved_probes import (
    ProbeInfo,
    Trained,
    read_probe,
    read_probe_info,
    write_probe,
)
from repstore.storage.transformed import through

LISTED = pa.schema(
    [
        *(("run", pa.string()), ("probe", pa.string()), ("kind", pa.string()), ("label", pa.string())),
        *(("state", pa.string()), ("n_layers", pa.int64()), ("n_words", pa.int64()), ("bytes", pa.int64())),
    ]
)


def list_probes(store: str | Path) -> ResultTable:
    """The trained probes that a store keeps.

    Returns:
        One row per probe: run, probe (its name), kind (such as linear), label (what it predicts), state,
        n_layers, n_words (trained on), bytes. The state is "current"; "stale": the run has more or other
        vectors since, and it is used as it is; or "damaged": its JSON file is not as it was written, or
        another one is missing or of another size; that every byte is right, `repstore.verify` says.
    """
    layout = open_store(Path(store).absolute())
    with looking_up(layout) as lookup:
        runs = [lookup.run(run_id) for run_id in lookup.labels]
        rows = keeping.rows_of(
            runs,
            "probe",
            read_probe_info,
            lambda info: {"kind": info.probe, "label": info.label, "n_layers": len(info.layers)},
        )
    return ResultTable(pa.Table.from_pylist(rows, LISTED), f"Probes of {layout.root}")


def drop_probe(store: str | Path, name: str, *, run: str | None = None) -> bool:
    """Remove a trained probe of a run. Vectors are not touched.

    Returns:
        Whether there was one.
    """
    return keeping.drop(store, "probe", name, run)


@dataclass(frozen=True, eq=False)
class Kept:
    """A probe that was kept.

    Attributes:
        run: whose it is.
        info: what it is.
    """

    run: Run
    info: ProbeInfo

    @property
    def title(self) -> str:
        """What it is called in messages."""
        return f'Probe "{self.info.name}" of {self.run.label}'


def kept_probe(run: Run, name: str) -> Kept:
    """A probe of a run that can be applied to what is shown of it.

    Raises:
        NotFoundError: there is none of that name.
        ArgumentError: it reads vectors that are not those shown.
    """
    info = read_probe(run.folder, name)
    if info is None:
        names = [place.name for place in run.folder.all_frozen("probe")]
        hint = (
            did_you_mean(name, names) if names else "It has none; keep one with --keep-probe NAME of a probe."
        )
        raise NotFoundError(f'{run.label} has no probe "{name}". {hint}')
    probe = Kept(run, info)
    transform = info.asked.get("transform")
    if transform != run.transform:
        seen, so = "as they are stored", "as opened, through no transform"
        if transform is not None:
            seen, so = (
                f'seen through transform "{transform}"',
                f"with --transform {transform} (store.transformed)",
            )
        raise ArgumentError(f"{probe.title} was trained on vectors {seen}. Ask the store {so}.")
    return probe


@dataclass(frozen=True, eq=False)
class LearnedProbe:
    """What was learned.

    Attributes:
        table: what it scores.
        words: which were learned from. *Shape:* (n,), int64, ascending.
        networks: of each layer, made when they are asked for.
        about: ``probe``, ``label``, ``classes``, ``outputs`` and ``feature``, as `ProbeInfo` has them.
    """

    table: ResultTable
    words: np.ndarray
    networks: Iterator[Trained]
    about: dict[str, Any]


def keep_probe(
    store: str | Path,
    name: str,
    run: str | None,
    layer: Layers,
    transform: str | None,
    question: Callable[[Lookup, Run], dict[str, Any]],
    learn: Callable[[Lookup, Run, list[int]], LearnedProbe],
) -> ResultTable:
    """Learn, and keep what was learned unless it is there.

    Args:
        store, name, run, layer, transform: see `fit_probe`.
        question: of a run: options of the command beside these, and ``probe`` and ``content``.
        learn: what is asked of some layers.
    """
    layout = open_store(Path(store).absolute())
    seen = (lambda run: run) if transform is None else partial(through, name=transform)
    with writing(layout), looking_up(layout, seen) as lookup:
        asked = {"name": name, "run": run, "layer": layer, "transform": transform}
        with asking(lookup, "fit_probe", asked) as recorded:
            opened = lookup.run(run)
            place = opened.folder.frozen("probe", name)
            layers = sorted(opened.stored_layers(layer, "Probes that are kept"))
            said = _said(name, opened, layers, transform, question(lookup, opened))
            asked |= {key: value for key, value in said.items() if key != "command"}
            there = keeping.as_it_was(place, opened, read_probe_info, lambda info: _otherwise(info, said))
            learned = learn(lookup, opened, layers)
        table = recorded(learned.table)
        note = f'The probe was there already as "{name}": nothing changed.'
        if there is None:
            known = {"run_id": opened.folder.root.name, "parts": opened.parts, "asked": said}
            write_probe(place, learned.words, learned.networks, known | learned.about)
            which = "" if learned.about["outputs"] == "numbers" else f" of seed {said['seed']}"
            note = (
                f'Kept the probe{which} as "{name}". Apply it with: repstore probe apply STORE {name} '
                f"--run {lookup.labels[opened.folder.root.name]}."
            )
    return dataclasses.replace(table, notes=[*table.notes, note])


def _said(
    name: str, run: Run, layers: Sequence[int], transform: str | None, question: dict[str, Any]
) -> dict[str, Any]:
    """What was asked, as JSON can hold it, and the command that asks it again."""
    said = question | {
        "run": f"{run.info.name}@{run.info.corpus}",
        "layers": ",".join(map(str, layers)),
        "transform": transform,
    }
    arguments = [
        argument
        for option, value in said.items()
        if value is not None and option not in ("probe", "content")
        for argument in (f"--{option}", str(value))
    ]
    return said | {"command": ["probe", said["probe"], STORE, *arguments, "--keep-probe", name]}


def _otherwise(info: ProbeInfo, said: dict[str, Any]) -> list[str]:
    """What differs from how a probe was trained."""
    of_table = {"label", "matrix"} if said["content"] is not None else set()
    return [
        name
        for name, value in said.items()
        if info.asked.get(name) != value and name not in ({"command", "run", "seeds"} | of_table)
    ]
