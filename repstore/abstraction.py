"""Two phases of abstraction: how many dimensions a layer has, beside how well it predicts what is known.

Cheng & Antonello 2024 (arXiv 2409.05771) find that the layers of language models which predict the brain best
are about those of highest intrinsic dimension: a phase that composes comes before one that predicts.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from repstore.analysis import bootstrap
from repstore.analysis.aligned import Aligned
from repstore.analysis.bootstrap import Resampling
from repstore.analysis.correlation import pearson, spearman
from repstore.analysis.dimension import Dimension, dimensions
from repstore.analysis.space import space_of
from repstore.analysis.tallies import resampled
from repstore.corpus.matrices import ExternalMatrix, read_matrix
from repstore.errors import ArgumentError
from repstore.matrix_in_use import MatrixInUse, RidgeProbe, matrix_in_use
from repstore.results import Figure, ResultTable, column_of
from repstore.ridge_probe import notes_on, score_layers
from repstore.spec import Progress
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers, Run, lasting
from repstore.storage.vectors import LayerVectors
from repstore.telling import Told

FEWEST_LAYERS = 4
"""For a correlation to have an interval."""

DIMENSION_RESAMPLES = 1_000
"""At most, for the interval of a dimension: each takes as long as finding the dimension."""

NOTE_LAYERS = (
    "Layers next to each other are alike, so that they are fewer independent observations than layers: the "
    "intervals of the correlations are too short."
)


@dataclass(frozen=True, slots=True)
class Abstraction:
    """What is asked of layers.

    Attributes:
        ridge: the table that is predicted, and how.
        scale: neighbors by which the dimension is seen: the n-th and the 2n-th (`analysis.dimension`).
    """

    ridge: RidgeProbe
    scale: int = 1

    def __post_init__(self) -> None:
        if self.scale < 1:
            raise ArgumentError(f"scale is {self.scale}; it is the number of a neighbor, 1 or more.")


@dataclass(frozen=True, slots=True)
class Correlated:
    """How dimension and R² go together over layers.

    Attributes:
        value: the correlation; NaN if either is the same at all layers.
        low, high: its 95 % interval (`correlation_interval`).
        n: how many layers have both.
    """

    value: float
    low: float
    high: float
    n: int


def abstraction(
    lookup: Lookup,
    runs: Sequence[Run],
    layers: Layers,
    asked: Abstraction,
    progress: Callable[[Progress], None] = lambda _: None,
) -> ResultTable:
    """Intrinsic dimension and predictivity of every layer of some runs, and how they go together over layers.

    Both are of the same examples: words, or means of the words of texts.

    Args:
        lookup: of the store.
        runs: such as several models, or checkpoints of one.
        layers: which layers.
        asked: the question.
        progress: told how many layers are done.

    Raises:
        CorpusError: the table cannot be read.
        NotFoundError: no such layer.
        QueryError: the condition is none on words.
        ResultError: no row of the table is of a word with a vector, there are fewer than 10 groups, or too
            little memory.
    """
    matrix, layers = read_matrix(asked.ridge.matrix), lasting(layers)
    of_runs = {run.label: run.stored_layers(layers, "Phases of abstraction") for run in runs}
    told = Told(progress, 2 * sum(map(len, of_runs.values())))
    parts, notes = [], []
    for corpus in dict.fromkeys(run.info.spec.corpus_id for run in runs):
        together = [run for run in runs if run.info.spec.corpus_id == corpus]
        found = matrix_in_use(lookup, together, matrix, asked.ridge)
        notes += notes_on(found, together[0], matrix, asked.ridge)
        parts += [_table(found, run, of_runs[run.label], asked, told) for run in together]
    table = pa.concat_tables(parts)
    of_layers = [note for run in runs for note in _notes(table, run.label)]
    return _result(table, matrix, runs, asked, [*of_layers, NOTE_LAYERS, *notes])


def _table(
    found: MatrixInUse,
    run: Run,
    layers: Sequence[int],
    asked: Abstraction,
    told: Told,
) -> pa.Table:
    """The answer for one run, a row per layer."""
    of_dimension = []
    told.begin(f"Measuring {run.label}")
    for layer in layers:
        of_dimension.append(_dimension(found, run, layer, asked))
        told.done()
    told.begin(f"Predicting from {run.label}")
    scores = score_layers(found, run, layers, asked.ridge, told).scores
    resampling = Resampling(asked.ridge.resamples, asked.ridge.seed)
    low, high = bootstrap.interval(resampled(scores, resampling))
    r_squared = np.array([one.score for one in scores])
    values = np.array([one.value for one in of_dimension])
    depth = max(1, run.info.spec.model.n_layers - 1)
    columns: dict[str, Any] = {
        "run": [run.label] * len(layers),
        "layer": list(layers),
        "depth": [layer / depth for layer in layers],
        "dimension": values,
        "dimension_low": [one.low for one in of_dimension],
        "dimension_high": [one.high for one in of_dimension],
        "r_squared": r_squared,
        "low": low,
        "high": high,
    }
    both = correlations(values, r_squared)
    columns |= {name: [of.value] * len(layers) for name, of in both.items()}
    columns["n_words"] = [len(found.word_ids)] * len(layers)
    return pa.table({name: column_of(list(of)) for name, of in columns.items()})


def _dimension(found: MatrixInUse, run: Run, layer: int, asked: Abstraction) -> Dimension:
    """The dimension of a layer over the examples that are predicted from."""
    if found.starts is None:
        vectors, rows = run.vectors.layer(layer), run.vectors.rows(found.word_ids)
    else:
        rows = np.arange(len(found.groups))
        vectors = LayerVectors(layer, rows, (found.inputs(run, layer).take(rows),))
    words = Aligned(vectors, rows, space_of(vectors, "none"))
    resampling = Resampling(min(asked.ridge.resamples, DIMENSION_RESAMPLES), asked.ridge.seed)
    return dimensions(words, [asked.scale], resampling=resampling, memory=asked.ridge.memory).by_scale[0]


def correlations(dimension: np.ndarray, r_squared: np.ndarray) -> dict[str, Correlated]:
    """Pearson's and Spearman's correlation over the layers that have both. *Shape of each:* (n_layers,)."""
    both = ~np.isnan(dimension) & ~np.isnan(r_squared)
    n, found = int(both.sum()), {}
    for name, of in (("pearson", pearson), ("spearman", spearman)):
        r = float(of(dimension[None, both], r_squared[both])[0]) if n > 1 else math.nan
        low, high = correlation_interval(r, n, is_of_ranks=name == "spearman")
        found[name] = Correlated(r, low, high, n)
    return found


def correlation_interval(r: float, n: int, *, is_of_ranks: bool) -> tuple[float, float]:
    """The 95 % interval of a correlation of n independent observations, by Fisher's z.

    The variance of z is 1 / (n - 3), and (1 + r^2 / 2) / (n - 3) for ranks (Bonett & Wright 2000,
    doi 10.1007/BF02294183). NaN with fewer than `FEWEST_LAYERS`.
    """
    from scipy.stats import norm

    if n < FEWEST_LAYERS or math.isnan(r):
        return math.nan, math.nan
    if abs(r) >= 1:
        return r, r
    half = norm.ppf((1 + bootstrap.LEVEL) / 2) * math.sqrt((1 + is_of_ranks * r**2 / 2) / (n - 3))
    return math.tanh(math.atanh(r) - half), math.tanh(math.atanh(r) + half)


def _notes(table: pa.Table, run: str) -> list[str]:
    """At which layers of a run both are highest, and how they go together; nothing if either is missing."""
    rows = [row for row in table.to_pylist() if row["run"] == run]
    names = ("dimension", "r_squared")
    values = {name: np.array([row[name] for row in rows], np.float64) for name in names}
    if any(np.isnan(of).all() for of in values.values()):
        return []
    tops = {name: int(np.nanargmax(of)) for name, of in values.items()}  # of equal ones the first
    peaks = [f"{name} {values[name][at]:.3g} at layer {rows[at]['layer']}" for name, at in tops.items()]
    notes = [f"{run}: highest are {' and '.join(peaks)}."]
    found = correlations(*values.values())
    if not math.isnan(found["pearson"].low):
        said = [f"{name} {of.value:.3f} ({of.low:.3f} to {of.high:.3f})" for name, of in found.items()]
        n, level = found["pearson"].n, f"{bootstrap.LEVEL:.0%}"
        notes.append(f"{run}: over {n} layers, {' and '.join(said)}; {level} intervals.")
    return notes


def _result(
    table: pa.Table, matrix: ExternalMatrix, runs: Sequence[Run], asked: Abstraction, notes: list[str]
) -> ResultTable:
    ridge = asked.ridge
    corpora = ", ".join(dict.fromkeys(run.info.corpus for run in runs))
    how = f"{len(matrix.columns)} targets by {matrix.key}"
    how += "" if ridge.where is None else f", where {ridge.where}"
    interval = f"{bootstrap.LEVEL:.0%} interval"
    units = {
        "dimension": f"intrinsic, by neighbors {asked.scale} and {2 * asked.scale}",
        "r_squared": f"1 - SSE / SST of {ridge.matrix.name}, of folds with other groups",
        "pearson": "of dimension and r_squared over layers",
        "spearman": "rank correlation of dimension and r_squared over layers",
    }
    if ridge.resamples:
        units |= {
            "dimension_low": f"{interval}, resamples of the neighbors",
            "dimension_high": f"{interval}, resamples of the neighbors",
            "low": f"{interval}, {ridge.resamples:,} resamples of the groups",
            "high": f"{interval}, {ridge.resamples:,} resamples of the groups",
        }
    provenance = {
        "runs": [run.info.run_id for run in runs],
        **{name: value for name, value in dataclasses.asdict(ridge).items() if name != "memory"},
        "matrix": str(ridge.matrix),
        "key": matrix.key,
        "columns": list(matrix.columns),
        "scale": asked.scale,
    }
    one_depth = len({run.info.spec.model.n_layers for run in runs}) == 1
    return ResultTable(
        table,
        f"Intrinsic dimension and prediction of {ridge.matrix.name} by layer ({corpora}; {how})",
        units=units,
        provenance=provenance,
        figure=Figure(
            "panels",
            "layer" if one_depth else "depth",
            "",
            "run",
            panels=[("dimension", ("dimension_low", "dimension_high")), ("r_squared", ("low", "high"))],
        ),
        notes=notes,
    )
