"""Probe of numbers known from elsewhere: how well does each layer predict them by a linear map?"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from repstore.analysis import bootstrap, scoring
from repstore.analysis.bootstrap import Resampling
from repstore.analysis.regression import Predicted, predict
from repstore.analysis.tallies import Tally
from repstore.analysis.targets import control_targets
from repstore.corpus.matrices import ExternalMatrix, read_matrix
from repstore.matrix_in_use import TEXTS, MatrixInUse, RidgeProbe, matrix_in_use
from repstore.results import Figure, ResultTable, table_of_rows
from repstore.spec import LayerKey, Progress
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers, Run, lasting
from repstore.telling import Told
from repstore.trained_tables import scored

UNITS = {
    "r_squared": "1 - SSE / SST, of folds with other groups",
    "r": "mean correlation with targets",
    "layer_0": "r_squared of layer 0",
    "control": "r_squared of rows dealt out anew",
    "selectivity": "r_squared - control",
    "n_keys": "rows of the table in use",
    "n_missing": "rows of the table without an example",
}
NOTE_CONTROL = (
    "A control above 0 says that examples which are alike are in folds that are predicted from each other; "
    "keep more together (split_by, --split-by)."
)


@dataclass(frozen=True, eq=False)
class LayerScores:
    """How well layers of a run predict a table.

    Attributes:
        scores: of each layer, SST - SSE of SST, for every draw of folds and group.
        controls: the same of the control.
        r: mean correlation over targets and draws. *Shape:* (n_layers,), float64.
    """

    scores: Sequence[Tally]
    controls: Sequence[Tally]
    r: np.ndarray


def probe_ridge(
    lookup: Lookup,
    runs: Sequence[Run],
    layers: Layers,
    asked: RidgeProbe,
    progress: Callable[[Progress], None] = lambda _: None,
) -> ResultTable:
    """Predict a table of numbers from every layer of some runs, with groups of examples kept apart.

    Runs over the same corpus are scored over the same examples: words with vectors in all of them, or texts.

    Args:
        lookup: of the store.
        runs: what to score.
        layers: which layers; layer 0 is scored in any case, to compare with.
        asked: the question.
        progress: told how many layers are done.

    Raises:
        CorpusError: the table cannot be read.
        NotFoundError: no such layer.
        QueryError: `asked.where` is no condition on words.
        ResultError: no row of the table is of a word with a vector, there are fewer than 10 groups, or too
            little memory.
    """
    matrix, layers = read_matrix(asked.matrix), lasting(layers)
    of_runs = {run.label: run.layers(layers) for run in runs}
    told = Told(progress, sum(len(run.after_layer_0(of_runs[run.label])) for run in runs))
    rows, notes = [], []
    for corpus in dict.fromkeys(run.info.spec.corpus_id for run in runs):
        together = [run for run in runs if run.info.spec.corpus_id == corpus]
        found = matrix_in_use(lookup, together, matrix, asked)
        notes += notes_on(found, together[0], matrix, asked)
        for run in together:
            rows += _rows(found, run, of_runs[run.label], asked, told)
    table = table_of_rows(rows)
    if any(row["control"] > 0 for row in rows):
        notes.append(NOTE_CONTROL)
    return _result(table, matrix, runs, asked, notes)


def score_layers(
    found: MatrixInUse, run: Run, layers: Sequence[LayerKey], asked: RidgeProbe, told: Told
) -> LayerScores:
    """Predict the targets, and the control, from some layers of a run, with every draw of folds.

    Raises:
        ResultError: fewer than 10 groups, or too little memory.
    """
    scores, controls, r = [], [], np.empty((len(layers), asked.n_seeds))
    for n, layer in enumerate(layers):
        inputs = found.inputs(run, layer)
        of_table, of_control = [], []
        for draw in range(asked.n_seeds):
            seed = asked.seed + draw
            both = [found.targets, control_targets(found.targets, seed)]
            predicted, control = predict(inputs, both, found.groups, seed=seed, memory=asked.memory)
            of_table.append(predicted)
            of_control.append(control)
            defined = predicted.r[~np.isnan(predicted.r)]
            r[n, draw] = defined.mean() if len(defined) else np.nan
        scores.append(_tally(of_table, found))
        controls.append(_tally(of_control, found))
        told.done()
    return LayerScores(scores, controls, r.mean(axis=1))


def _tally(draws: Sequence[Predicted], found: MatrixInUse) -> Tally:
    every = np.arange(len(found.groups))
    return Tally.of([(every, one.explained, one.total) for one in draws], found.groups, found.n_groups)


def notes_on(found: MatrixInUse, run: Run, matrix: ExternalMatrix, asked: RidgeProbe) -> list[str]:
    """What a reader must know of the examples: what was left out, and what was kept apart."""
    corpus, of = run.info.corpus, asked.matrix.name
    notes = []
    if matrix.n_incomplete:
        notes.append(f"{matrix.n_incomplete} rows of {of} are left out: they lack a number.")
    if found.n_missing:
        notes.append(
            f"{found.n_missing} of the {len(matrix.keys)} complete rows of {of} have no word with a vector "
            f"in {corpus}; keys are matched as they are written."
        )
    if found.n_unknown:
        notes.append(f"{found.n_unknown} words of {corpus} are left out: {of} has no row for them.")
    alike: list[str] = [matrix.key]
    if asked.split_by not in (None, matrix.key) and matrix.key not in TEXTS:
        alike.append(str(asked.split_by))
    notes.append(
        f"The {len(found.groups):,} examples of {corpus} are in {found.n_groups:,} groups: those that have "
        f"one {' or '.join(alike)} are together in a fold."
    )
    constant = found.targets.values.max(axis=0) == found.targets.values.min(axis=0)
    if constant.any():
        names = ", ".join(np.array(matrix.columns)[constant][:8].tolist())
        notes.append(
            f"{int(constant.sum())} targets are the same for all examples and do not count: {names}."
        )
    return notes


def _rows(
    found: MatrixInUse, run: Run, layers: Sequence[LayerKey], asked: RidgeProbe, told: Told
) -> list[dict[str, Any]]:
    """The answer for one run, a row per layer."""
    told.begin(f"Predicting from {run.label}")
    fitted = run.after_layer_0(layers)
    of_layers = score_layers(found, run, fitted, asked, told)
    places = [fitted.index(layer) for layer in layers]
    first = [of for layer, of in zip(fitted, of_layers.scores, strict=True) if str(layer) == "0"]
    scores = scored(
        "r_squared",
        [of_layers.scores[at] for at in places],
        [of_layers.controls[at] for at in places],
        first[0] if first else None,
        Resampling(asked.resamples, asked.seed),
    )
    counts = {
        "n_words": len(found.word_ids),
        "n_keys": len(found.targets.values),
        "n_targets": found.targets.n_targets,
        "n_missing": found.n_missing,
    }
    return [
        {"run": run.label, "layer": layer} | score | {"r": of_layers.r[at]} | counts
        for layer, at, score in zip(layers, places, scores, strict=True)
    ]


def _result(
    table: pa.Table, matrix: ExternalMatrix, runs: Sequence[Run], asked: RidgeProbe, notes: list[str]
) -> ResultTable:
    corpora = ", ".join(dict.fromkeys(run.info.corpus for run in runs))
    how = f"{len(matrix.columns)} targets by {matrix.key}"
    how += f", split by {asked.split_by}" if asked.split_by is not None and matrix.key not in TEXTS else ""
    how += "" if asked.where is None else f", where {asked.where}"
    units = dict(UNITS)
    if asked.resamples:
        interval = f"{bootstrap.LEVEL:.0%} interval, {asked.resamples:,} resamples of the groups"
        units |= {"low": interval, "high": interval}
        notes = [scoring.NOTE_BEST, *notes]
    if asked.n_seeds > 1:
        interval = f"{bootstrap.LEVEL:.0%} interval of the mean of {asked.n_seeds} draws of folds"
        units |= {"seeds_low": interval, "seeds_high": interval}
    provenance = {
        "probe": "ridge",
        "runs": [run.info.run_id for run in runs],
        **{name: value for name, value in dataclasses.asdict(asked).items() if name != "memory"},
        "matrix": str(asked.matrix),
        "key": matrix.key,
        "columns": list(matrix.columns),
    }
    return ResultTable(
        table,
        f"Ridge regression of {asked.matrix.name} by layer ({corpora}; {how})",
        units=units,
        provenance=provenance,
        figure=Figure(
            "panels",
            "layer",
            "r_squared",
            "run",
            panels=[
                ("r_squared", ("low", "high")),
                ("r", None),
                ("selectivity", ("selectivity_low", "selectivity_high")),
            ],
        ),
        notes=notes,
    )
