"""Probe of numbers known from elsewhere: how well does each layer predict them by a linear map?"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from repstore.analysis import bootstrap, scoring
from repstore.analysis.bootstrap import Resampling
from repstore.analysis.regression import predict
from repstore.analysis.scoring import Scores
from repstore.analysis.targets import control_targets
from repstore.corpus.matrices import ExternalMatrix, read_matrix
from repstore.matrix_in_use import TEXTS, MatrixInUse, RidgeProbe, matrix_in_use
from repstore.results import Figure, ResultTable, column_of
from repstore.spec import LayerKey, Progress
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers, Run, lasting

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
    "see split_by."
)


@dataclass(frozen=True, eq=False)
class LayerScores:
    """How well layers of a run predict a table, summed over draws of folds.

    Attributes:
        explained: SST - SSE of each group. *Shape:* (n_layers, n_groups), float64.
        total: SST of each group, the same at every layer. *Shape:* (n_groups,), float64.
        by_seed: R² of every draw. *Shape:* (n_layers, n_seeds), float64.
        control: R² of the control, the mean of draws. *Shape:* (n_layers,), float64.
        r: mean correlation over targets and draws. *Shape:* (n_layers,), float64.
    """

    explained: np.ndarray
    total: np.ndarray
    by_seed: np.ndarray
    control: np.ndarray
    r: np.ndarray

    @property
    def r_squared(self) -> np.ndarray:
        """1 - SSE / SST, over all groups and draws; NaN if all targets are constant. *Shape:* (n_layers,)."""
        total = float(self.total.sum())
        values: np.ndarray = self.explained.sum(axis=1) / (total or math.nan)
        return values

    def resampled(self, resampling: Resampling) -> np.ndarray:
        """R² over resamples of the groups. *Shape:* (n_layers, n_resamples), float64."""
        return bootstrap.of_ratios(self.explained, self.total, resampling)

    def of_seeds(self) -> tuple[np.ndarray, np.ndarray]:
        """The ends of Student's 95 % interval over draws; NaN of one. *Shape of each:* (n_layers,)."""
        from scipy.stats import t

        n = self.by_seed.shape[1]
        if n == 1:
            return (np.full(len(self.by_seed), np.nan),) * 2
        mean = self.by_seed.mean(axis=1)
        half = t.ppf((1 + bootstrap.LEVEL) / 2, n - 1) * self.by_seed.std(axis=1, ddof=1) / math.sqrt(n)
        return mean - half, mean + half


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
    parts, notes = [], []
    for corpus in dict.fromkeys(run.info.spec.corpus_id for run in runs):
        together = [run for run in runs if run.info.spec.corpus_id == corpus]
        found = matrix_in_use(lookup, together, matrix, asked)
        notes += notes_on(found, together[0], matrix, asked)
        for run in together:
            wanted = run.after_layer_0(of_runs[run.label])
            scores = score_layers(found, run, wanted, asked, progress)
            parts.append(_table(found, scores, run, wanted, of_runs[run.label], asked))
    return _result(pa.concat_tables(parts), matrix, runs, asked, [*notes, NOTE_CONTROL])


def score_layers(
    found: MatrixInUse,
    run: Run,
    layers: Sequence[LayerKey],
    asked: RidgeProbe,
    progress: Callable[[Progress], None],
) -> LayerScores:
    """Predict the targets, and the control, from some layers of a run, with every draw of folds.

    Raises:
        ResultError: fewer than 10 groups, or too little memory.
    """
    explained, total = np.zeros((len(layers), found.n_groups)), np.zeros(found.n_groups)
    by_seed, control, r = np.empty((3, len(layers), asked.n_seeds))
    for n, layer in enumerate(layers):
        progress(Progress(f"Predicting from {run.label}", n, len(layers), unit="layers"))
        inputs = found.inputs(run, layer)
        for draw in range(asked.n_seeds):
            seed = asked.seed + draw
            both = [found.targets, control_targets(found.targets, seed)]
            of_table, of_control = predict(inputs, both, found.groups, seed=seed, memory=asked.memory)
            explained[n] += np.bincount(found.groups, of_table.explained)
            if n == 0:
                total += np.bincount(found.groups, of_table.total)
            by_seed[n, draw], control[n, draw] = of_table.pooled, of_control.pooled
            defined = of_table.r[~np.isnan(of_table.r)]
            r[n, draw] = defined.mean() if len(defined) else np.nan
    return LayerScores(explained, total, by_seed, control.mean(axis=1), r.mean(axis=1))


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


def _table(
    found: MatrixInUse,
    scores: LayerScores,
    run: Run,
    scored: Sequence[LayerKey],
    layers: Sequence[LayerKey],
    asked: RidgeProbe,
) -> pa.Table:
    """The answer for one run, a row per layer."""
    places = [scored.index(layer) for layer in layers]
    values = scores.r_squared
    resampled = scores.resampled(Resampling(asked.resamples, asked.seed))[places]
    low, high = bootstrap.interval(resampled)
    seeds_low, seeds_high = scores.of_seeds()
    verdicts = scoring.best_layers(
        Scores("r_squared", {"r_squared": values[places]}, resampled, found.n_groups)
    )
    n = len(layers)
    columns: dict[str, Any] = {
        "run": [run.label] * n,
        "layer": list(layers),
        "r_squared": values[places],
        "low": low,
        "high": high,
        "seeds_low": seeds_low[places],
        "seeds_high": seeds_high[places],
        "r": scores.r[places],
        "layer_0": [float(values[0]) if str(scored[0]) == "0" else math.nan] * n,
        "control": scores.control[places],
        "selectivity": (values - scores.control)[places],
    }
    table = {name: column_of(list(of)) for name, of in columns.items()}
    table["best"] = pa.array(verdicts, pa.string())
    counts = {
        "n_words": len(found.word_ids),
        "n_keys": len(found.targets.values),
        "n_targets": found.targets.n_targets,
        "n_missing": found.n_missing,
    }
    return pa.table(table | {name: pa.array([count] * n) for name, count in counts.items()})


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
        figure=Figure("curve", "layer", "r_squared", "run", band=("low", "high"), level="layer_0"),
        notes=notes,
    )
