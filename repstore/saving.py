"""Training a probe and keeping it under a name, to apply it later."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from repstore.analysis.regression import fit
from repstore.corpus.matrices import read_matrix
from repstore.errors import ArgumentError, check_choice
from repstore.fitted_probes import Fitted
from repstore.kept_probes import LearnedProbe, keep_probe
from repstore.learning import IN_A_SPACE, pairs_of
from repstore.matrix_in_use import TEXTS, MatrixInUse, RidgeProbe, matrix_in_use
from repstore.results import ResultTable
from repstore.ridge_probe import probe_ridge
from repstore.spec import MEMORY, PairFeature, Progress, SplitBy, TrainedName, digest
from repstore.storage.frozen import check_name
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers, Run
from repstore.storage.saved_probes import (
    Trained,
    WordSpace,
)
from repstore.tasks import ARCS, OF_PAIRS, RELATIONS
from repstore.trained_probing import fit_probes, table_of
from repstore.trained_questions import asked_of


def fit_probe(
    store: str | Path,
    name: str,
    *,
    probe: TrainedName = "linear",
    label: str | Path,
    feature: PairFeature | None = None,
    edges: str | None = None,
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
        probe: ``linear`` or ``mlp``; for ``ridge`` there is `fit_ridge`.
        feature: what pairs are seen by, if the label is one of pairs: one of those of `Store.probe`.
        transform: train on vectors as this transform of the run shows them.
        label, edges, run, layer: as in `Store.probe`; of one run, and one kind of edges.
        split_by, train_on, select_on, evaluate_on: the same.
        at_least, where, sample, n_seeds, seed: the same.
        resamples, memory, progress: the same.

    Returns:
        What `Store.probe` returns.

    Raises:
        ArgumentError: the probe is none that can be kept, or there is another one of that name.
        StoreError: the disk is full, above all; then nothing is kept.
        StoreLockedError: another process is writing to the store.
    """
    check_name("probe", name)
    if probe not in ("linear", "mlp"):
        raise ArgumentError(
            f'The probe "{probe}" is not kept by this: "linear" and "mlp" are, and "ridge" by fit_ridge. No '
            "other gives answers about single words or pairs; ask it with Store.probe."
        )
    if feature is not None:
        check_choice("feature", feature, get_args(PairFeature))
    if label in OF_PAIRS and feature is None:
        raise ArgumentError(
            f'A probe of "{label}" that is kept sees pairs by one feature. Say which: '
            f"{', '.join(get_args(PairFeature))}."
        )
    asked = asked_of(
        probe,
        label=label,
        features="all" if feature is None else feature,
        edges=edges,
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
    task = asked.tasks[0]
    options = {
        "label": str(label),
        "feature": feature,
        "split-by": split_by,
        "train-on": train_on,
        "select-on": select_on,
        "evaluate-on": evaluate_on,
        "at-least": at_least,
        "where": where,
        "sample": sample,
        "seeds": n_seeds,
        "seed": seed,
    }
    # What is in a table of labels counts, not where it stands.
    table = None if isinstance(task.label, str) else task.label
    content = table and digest([table.key, *sorted(map(repr, table.labels.items()))])

    def question(lookup: Lookup, run: Run) -> dict[str, Any]:
        kind = lookup.edges(run, edges).kind if label in (ARCS, RELATIONS) else None
        return options | {"edges": kind, "probe": probe, "content": content}

    def learn(lookup: Lookup, run: Run, layers: list[int]) -> LearnedProbe:
        fitted = fit_probes(lookup, [run], layers, asked, progress)
        return _learned(fitted[-1], table_of(fitted, [run], asked))

    return keep_probe(store, name, run, layer, transform, question, learn)


def fit_ridge(
    store: str | Path,
    name: str,
    *,
    matrix: str | Path,
    run: str | None = None,
    layer: Layers = "all",
    transform: str | None = None,
    split_by: SplitBy = "lemma",
    where: str | None = None,
    sample: int | None = None,
    n_seeds: int = 5,
    seed: int = 0,
    resamples: int = 10_000,
    memory: int = MEMORY,
    progress: Callable[[Progress], None] = lambda _: None,
) -> ResultTable:
    """Ask the probe ``ridge`` as `Store.probe` does, and keep a map of all examples under a name.

    So no draw of folds has a part in the map. Each number has a penalty of its own, chosen as in each fold
    (`analysis.regression.fit`). All that is said of names in `fit_probe` holds here.

    Args:
        store, name, transform: see `fit_probe`.
        matrix, run, layer, split_by, where, sample, n_seeds, seed, resamples, memory, progress: see
            `Store.probe`; of one run. The table is of words, be it by their forms, lemmas or senses.

    Returns:
        What `Store.probe` returns.

    Raises:
        ArgumentError: the table is of texts, or there is another probe of that name.
        StoreError: the disk is full, above all; then nothing is kept.
        StoreLockedError: another process is writing to the store.
    """
    check_name("probe", name)
    check_choice("split_by", split_by, get_args(SplitBy))
    asked = RidgeProbe(
        Path(matrix),
        split_by=split_by,
        n_seeds=n_seeds,
        seed=seed,
        where=where,
        sample=sample,
        resamples=resamples,
        memory=memory,
    )
    table = read_matrix(asked.matrix)
    if table.key in TEXTS:
        raise ArgumentError(
            f"{asked.matrix} is of texts, and a map that is kept reads words. Ask without keeping it."
        )
    options = {
        "matrix": str(matrix),
        "split-by": split_by,
        "where": where,
        "sample": sample,
        "seeds": n_seeds,
        "seed": seed,
    }
    numbers = hashlib.sha256(table.values.tobytes()).hexdigest()

    def learn(lookup: Lookup, run: Run, layers: list[int]) -> LearnedProbe:
        answer = probe_ridge(lookup, [run], layers, asked, progress)
        found = matrix_in_use(lookup, [run], table, asked)
        return LearnedProbe(
            answer,
            np.unique(found.word_ids),
            _maps(found, run, layers, answer["r_squared"], memory),
            {
                "probe": "ridge",
                "label": asked.matrix.name,
                "classes": table.columns,
                "outputs": "numbers",
                "feature": None,
            },
        )

    content = digest([table.key, table.keys, table.columns, numbers])
    question = options | {"probe": "ridge", "content": content}
    return keep_probe(store, name, run, layer, transform, lambda *_: question, learn)


def _learned(fitted: Fitted, table: ResultTable) -> LearnedProbe:
    """What the probes of the first seed are."""
    task = fitted.lesson.task
    about = {
        "probe": fitted.method.name,
        "label": task.name,
        "classes": task.classes,
        "outputs": "classes" if task.targets.ndim == 2 else "class",
        "feature": fitted.feature,
    }
    words = np.unique(task.words[fitted.lesson.strict[0].train])
    return LearnedProbe(table, words, _networks(fitted), about)


def _networks(fitted: Fitted) -> Iterator[Trained]:
    run, problem = fitted.run, fitted.lesson.strict[0]
    for layer in fitted.layers:
        outcome, space = fitted.outcomes[str(layer)], None
        assert outcome.first is not None
        if fitted.feature in IN_A_SPACE:
            rows = run.vectors.rows(fitted.lesson.task.words)
            pairs = pairs_of(run.vectors.layer(layer), rows, fitted.feature, problem)
            space = WordSpace(pairs.shift, pairs.scale)
        score = float(outcome.score.of_seeds[0])
        yield Trained(int(layer), outcome.first.network, space, outcome.first.setting, score)


def _maps(
    found: MatrixInUse, run: Run, layers: list[int], scores: Sequence[float | None], memory: int
) -> Iterator[Trained]:
    for layer, score in zip(layers, scores, strict=True):
        network, penalties = fit(found.inputs(run, layer), found.targets, found.groups, memory=memory)
        yield Trained(layer, network, None, float(np.median(penalties)), score)
