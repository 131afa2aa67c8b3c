"""Keeping a trained probe under a name, to apply it later."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any, get_args

import numpy as np

from repstore import keeping
from repstore.errors import ArgumentError, check_choice
from repstore.results import ResultTable
from repstore.spec import MEMORY, Progress, SplitBy, TrainedName, digest
from repstore.storage.catalog import Catalog
from repstore.storage.frozen import STORE, check_name
from repstore.storage.layout import FrozenLayout, Layout
from repstore.storage.lock import writing
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers, Run
from repstore.storage.runs import open_store
from repstore.storage.saved_probes import ProbeInfo, read_probe_info, write_probe
from repstore.storage.transformed import through
from repstore.tasks import OF_PAIRS
from repstore.trained_probing import Fitted, TrainedProbe, fit_probes, table_of
from repstore.trained_questions import asked_of


def fit_probe(
    store: str | Path,
    name: str,
    *,
    probe: TrainedName = "linear",
    label: str | Path,
    run: str | None = None,
    layer: Layers = "all",
    transform: str | None = None,
    split_by: SplitBy | None = None,
    train_on: str | None = None,
    select_on: str | None = None,
    evaluate_on: str | None = None,
    at_least: int | None = None,
    where: str | None = None,
    sample: int | None = None,
    n_seeds: int = 5,
    seed: int = 0,
    resamples: int = 10_000,
    memory: int = MEMORY,
    progress: Callable[[Progress], None] = lambda _: None,
) -> ResultTable:
    """Train a probe as `Store.probe` does, and keep that of the first seed under a name.

    It is frozen: kept again as it was, nothing changes; otherwise it has to be dropped first. Ask it of other
    words, layers and runs with `Store.apply_probe`. Of ``mlp`` the larger one is kept.

    Args:
        store: folder of the store.
        name: what it will be called: letters, digits, ``.``, ``_`` and ``-``.
        probe: ``linear`` or ``mlp``.
        transform: train on vectors as this transform of the run shows them.
        label, run, layer, split_by, train_on, select_on, evaluate_on, at_least, where, sample, n_seeds, seed:
            see `Store.probe`; of one run, and of single words.
        resamples, memory, progress: the same.

    Returns:
        What `Store.probe` returns.

    Raises:
        ArgumentError: the probe is none that can be kept, or there is another one of that name.
        StoreError: the disk is full, above all; then nothing is kept.
        StoreLockedError: another process is writing to the store.
    """
    check_name("probe", name)
    check_choice("probe", probe, get_args(TrainedName))
    if probe == "mdl" or label in OF_PAIRS:
        raise ArgumentError(
            "A probe that is kept is one of single words, linear or mlp, that gives answers; "
            f"{probe} of {label} is none. Ask without keeping it."
        )
    asked = asked_of(
        probe,
        label=label,
        features="all",
        edges=None,
        split_by=split_by,
        train_on=train_on,
        select_on=select_on,
        evaluate_on=evaluate_on,
        at_least=at_least,
        where=where,
        sample=sample,
        n_seeds=n_seeds,
        seed=seed,
        resamples=resamples,
        memory=memory,
    )
    layout = open_store(Path(store).absolute())
    with writing(layout), closing(Catalog(layout)) as catalog:
        lookup = Lookup(layout, catalog) if transform is None else _through(layout, catalog, transform)
        opened = lookup.run(run)
        place = opened.folder.frozen("probe", name)
        layers = sorted(opened.stored_layers(layer, "Probes that are kept"))
        said = _said(asked, name, opened, layers, transform, label)
        there = keeping.as_it_was(place, opened, read_probe_info, lambda info: _otherwise(info, said))
        fitted = fit_probes(lookup, [opened], layers, asked, progress)
        table = table_of(fitted, [opened], asked)
        note = f'The probe was there already as "{name}": nothing changed.'
        if there is None:
            _write(place, fitted[-1], opened, said)
            note = f'Kept the probe of seed {asked.seed} as "{name}". Apply it with: repstore probe apply.'
    return dataclasses.replace(table, notes=[*table.notes, note])


def _through(layout: Layout, catalog: Catalog, transform: str) -> Lookup:
    return Lookup(layout, catalog, partial(through, name=transform))


def _said(
    asked: TrainedProbe,
    name: str,
    run: Run,
    layers: Sequence[int],
    transform: str | None,
    label: str | Path,
) -> dict[str, Any]:
    """What was asked, as JSON can hold it, and the command that asks it again."""
    task, dividing = asked.tasks[0], asked.dividing
    options = {
        "label": str(label),
        "run": f"{run.info.name}@{run.info.corpus}",
        "layers": ",".join(map(str, layers)),
        "transform": transform,
        "split-by": dividing.split_by,
        "train-on": dividing.train_on,
        "select-on": dividing.select_on,
        "evaluate-on": dividing.evaluate_on,
        "at-least": task.at_least,
        "where": task.where,
        "sample": task.sample,
        "seeds": asked.n_seeds,
        "seed": asked.seed,
    }
    arguments = [
        argument
        for option, value in options.items()
        if value is not None
        for argument in (f"--{option}", str(value))
    ]
    # What is in a table of labels counts, not where it stands.
    digest_of = (
        None
        if isinstance(task.label, str)
        else digest([task.label.key, *sorted(map(repr, task.label.labels.items()))])
    )
    return options | {
        "probe": asked.name,
        "labels": digest_of,
        "command": ["probe", asked.name, STORE, *arguments, "--save", name],
    }


def _otherwise(info: ProbeInfo, said: dict[str, Any]) -> list[str]:
    """What differs from how a probe was trained."""
    of_table = {"label"} if said["labels"] is not None else set()
    return [
        name
        for name, value in said.items()
        if info.asked.get(name) != value and name not in ({"command", "run", "seeds"} | of_table)
    ]


def _write(place: FrozenLayout, fitted: Fitted, run: Run, said: dict[str, Any]) -> None:
    task = fitted.lesson.task
    words = np.unique(task.words[fitted.lesson.strict[0].train])
    networks = []
    for layer in fitted.layers:
        outcome = fitted.outcomes[str(layer)]
        assert outcome.first is not None
        score = float(outcome.score.of_seeds[0])
        networks.append((int(layer), outcome.first.network, outcome.first.setting, score))
    about = {
        "run_id": run.folder.root.name,
        "parts": run.parts,
        "asked": said,
        "probe": fitted.method.name,
        "label": task.name,
        "classes": task.classes,
        "is_multi_label": task.targets.ndim == 2,
        "feature": None,
    }
    write_probe(place, words, networks, about)
