"""`Store.compare`: how alike the layers of runs are."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pyarrow as pa

from repstore.analysis import cca, cka
from repstore.analysis.aligned import Aligned
from repstore.analysis.graph import NeighborGraph, neighbor_graph
from repstore.analysis.overlap import overlap
from repstore.analysis.procrustes import procrustes
from repstore.analysis.ridge import predictivity
from repstore.analysis.rsa import rsa
from repstore.analysis.space import space_of
from repstore.errors import ArgumentError, NotFoundError, ResultError, check_choice, did_you_mean
from repstore.results import Figure, ResultTable
from repstore.sampling import check_sample, meeting, sampled
from repstore.searching import check_neighborhood
from repstore.spec import Correlation, Estimator, Frame, Progress, Similarity
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers, Run
from repstore.storage.vectors import LayerVectors

NAMES: dict[Similarity, str] = {
    "cka": "CKA",
    "rbf-cka": "RBF CKA",
    "rsa": "Representational similarity",
    "svcca": "SVCCA",
    "pwcca": "PWCCA",
    "procrustes": "Procrustes similarity",
    "knn": "Common neighbors",
    "ridge": "Linear predictivity",
}
DEFAULTS: dict[str, dict[str, Any]] = {
    "cka": {"estimator": "unbiased"},
    "rbf-cka": {"estimator": "unbiased", "bandwidth": 1.0},
    "rsa": {"correlation": "spearman"},
    "knn": {"k": 10},
}
"""The options that a metric has of its own, and what they are unless given."""

LEAST = 4
"""Words that any metric needs; some need more."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """How layers are compared. Options of other metrics must be None.

    Attributes:
        metric: which similarity.
        standardize: the space in which vectors are compared.
        k: neighbors of each word, for ``knn``.
        estimator: of HSIC, for ``cka`` and ``rbf-cka``.
        bandwidth: of the Gaussian kernel, as a share of the median distance, for ``rbf-cka``.
        correlation: of similarities, for ``rsa``.
        sample: over how many words; None for all.
        seed: decides which, and the folds of ``ridge``.
        memory: bytes to work in.
        where: an SQL condition on the words; None for all.
    """

    metric: Similarity
    standardize: Frame
    k: int | None
    estimator: Estimator | None
    bandwidth: float | None
    correlation: Correlation | None
    sample: int | None
    seed: int
    memory: int
    where: str | None

    def __post_init__(self) -> None:
        if self.metric not in get_args(Similarity):
            raise NotFoundError(
                f'No metric "{self.metric}". {did_you_mean(str(self.metric), get_args(Similarity))}'
            )
        for name in ("k", "estimator", "bandwidth", "correlation"):
            if getattr(self, name) is not None and name not in DEFAULTS.get(self.metric, {}):
                of = ", ".join(metric for metric, options in DEFAULTS.items() if name in options)
                raise ArgumentError(f'The metric "{self.metric}" has no {name}; it is an option of {of}.')
        check_neighborhood(1 if self.k is None else self.k, "cosine", self.standardize)
        for name, choices in (("estimator", Estimator), ("correlation", Correlation)):
            if getattr(self, name) is not None:
                check_choice(name, getattr(self, name), get_args(choices))
        if self.bandwidth is not None and not 0 < self.bandwidth < np.inf:
            raise ArgumentError(f"bandwidth is {self.bandwidth}; it must be above 0.")
        check_sample(self.sample, self.seed, LEAST)

    def option(self, name: str) -> Any:
        """An option of the metric, as given or as it is by default; None if the metric has none such."""
        given = getattr(self, name)
        return DEFAULTS.get(self.metric, {}).get(name) if given is None else given


def compare_layers(
    lookup: Lookup,
    runs: Sequence[Run],
    layers: Layers,
    asked: Comparison,
    progress: Callable[[Progress], None],
) -> ResultTable:
    """Every layer of a run against every layer of it or of a second, as `Store.compare` returns it."""
    if len(runs) > 2:
        raise ArgumentError(f"{len(runs)} runs are given. Compare two, or the layers of one.")
    first, second = runs[0], runs[-1]
    asked_layers = layers if isinstance(layers, int | str) else list(layers)
    across, up = first.layers(asked_layers), second.layers(asked_layers)
    common = _common(lookup, first, second, asked.where)
    word_ids = sampled(common, asked.sample, asked.seed)
    values, notes = _values(
        _aligned(first, across, word_ids, asked.standardize),
        None if second is first else _aligned(second, up, word_ids, asked.standardize),
        asked,
        progress,
    )
    best = _best(values, across, up, is_self=second is first)
    table = pa.table(
        {
            "layer_a": np.repeat(across, len(up)),
            "layer_b": np.tile(up, len(across)),
            asked.metric: pa.array(values.ravel(), from_pandas=True),  # none is null
            "best": best.ravel(),
        }
    )
    between = first.label if second is first else f"{first.label} (a) and {second.label} (b)"
    of_all = "" if len(word_ids) == len(common) else f" of {len(common):,}"
    return ResultTable(
        table,
        f"{NAMES[asked.metric]} between the layers of {between} over {len(word_ids):,}{of_all} words"
        + ("" if asked.where is None else f" where {asked.where}"),
        units={asked.metric: _unit(asked)},
        provenance={
            "runs": [run.info.run_id for run in runs],
            "run_a": first.label,
            "run_b": second.label,
            "metric": asked.metric,
            **{name: asked.option(name) for name in DEFAULTS.get(asked.metric, {})},
            "standardize": asked.standardize,
            "where": asked.where,
            "n_words": len(word_ids),
            "n_common": len(common),
            "sample": asked.sample,
            "seed": asked.seed,
        },
        figure=Figure("matrix", "layer_a", asked.metric, "layer_b", mark="best"),
        notes=[*notes, *_empty_notes(values, across, up)],
    )


def _unit(asked: Comparison) -> str:
    match asked.metric:
        case "cka":
            return f"{asked.option('estimator')} linear CKA"
        case "rbf-cka":
            return f"{asked.option('estimator')} CKA, bandwidth {asked.option('bandwidth'):g}"
        case "rsa":
            return f"{asked.option('correlation')} correlation of cosines"
        case "svcca":
            return "mean canonical correlation"
        case "pwcca":
            return "canonical correlation weighted by layer_a"
        case "procrustes":
            return "1: alike up to rotation and scale"
        case "knn":
            return f"share of {asked.option('k')} neighbors in common"
        case "ridge":
            return "cross-validated R² of layer_b from layer_a"


def _common(lookup: Lookup, first: Run, second: Run, where: str | None) -> np.ndarray:
    """Words with vectors in both runs for which a condition holds. *Shape:* (n_words,), int64, ascending."""
    common = np.intersect1d(first.vectors.word_ids, second.vectors.word_ids, assume_unique=True)
    if not len(common):
        raise ResultError(
            f"{first.label} and {second.label} have no words in common: they are over {first.info.corpus} "
            f"and {second.info.corpus}. Compare runs over one corpus."
        )
    common = meeting(lookup, first, common, where)
    if len(common) < LEAST:
        such = "" if where is None else f" for which {where} holds"
        raise ResultError(
            f"Comparing layers needs at least {LEAST} words in common{such}; there are {len(common)}."
        )
    return common


def _aligned(run: Run, layers: Sequence[int], word_ids: np.ndarray, standardize: Frame) -> list[Aligned]:
    rows = run.vectors.rows(word_ids)
    vectors = [run.vectors.layer(layer) for layer in layers]
    return [Aligned(layer, rows, space_of(layer, standardize)) for layer in vectors]


def _values(
    first: Sequence[Aligned],
    second: Sequence[Aligned] | None,
    asked: Comparison,
    progress: Callable[[Progress], None],
) -> tuple[np.ndarray, list[str]]:
    """Similarities, and what a reader has to know. *Shape:* (len(first), len(second)), float64."""
    memory = asked.memory
    match asked.metric:
        case "cka":
            estimator = asked.option("estimator")
            return cka.linear_cka(first, second, estimator=estimator, memory=memory, progress=progress), []
        case "rbf-cka":
            estimator, bandwidth = asked.option("estimator"), asked.option("bandwidth")
            found = cka.rbf_cka(
                first, second, bandwidth=bandwidth, estimator=estimator, memory=memory, progress=progress
            )
            return found, []
        case "rsa":
            correlation = asked.option("correlation")
            return rsa(first, second, correlation=correlation, memory=memory, progress=progress), []
        case "svcca":
            return _with_chance(cca.svcca(first, second, memory=memory, progress=progress))
        case "pwcca":
            return _with_chance(cca.pwcca(first, second, memory=memory, progress=progress))
        case "procrustes":
            return procrustes(first, second, memory=memory, progress=progress), []
        case "ridge":
            return predictivity(first, second, seed=asked.seed, memory=memory, progress=progress), []
        case "knn":
            return _common_neighbors(first, second, asked.option("k"), progress)


def _with_chance(found: cca.Canonical) -> tuple[np.ndarray, list[str]]:
    """Canonical correlations, beside what independent layers would have."""
    kept = np.concatenate([found.n_kept_first, found.n_kept_second])
    kept, chance = kept[kept > 0], found.chance[np.isfinite(found.chance)]
    if not len(chance):
        return found.values, []
    note = (
        f"99 % of the variance of a layer is in {kept.min()} to {kept.max()} directions. Independent layers "
        f"of as many directions would have about {chance.min():.2f} to {chance.max():.2f} over "
        f"{found.n_words:,} words; more words lower that."
    )
    return found.values, [note]


def _common_neighbors(
    first: Sequence[Aligned],
    second: Sequence[Aligned] | None,
    k: int,
    progress: Callable[[Progress], None],
) -> tuple[np.ndarray, list[str]]:
    graphs = _graphs([*first, *(second or ())], k, progress)
    across, up = graphs[: len(first)], graphs[len(first) :] or graphs
    found = [[overlap(a, b) for b in up] for a in across]
    note = f"{graphs[0].k} neighbors of each word among these words; by chance {found[0][0].chance:.4f}."
    return np.array([[one.mean for one in row] for row in found]), [note]


def _graphs(layers: Sequence[Aligned], k: int, progress: Callable[[Progress], None]) -> list[NeighborGraph]:
    graphs = []
    for n, words in enumerate(layers):
        progress(Progress("Finding neighbors", n, len(layers), unit="layers"))
        taken = words.vectors.take(words.rows)
        some = LayerVectors(words.vectors.layer, np.arange(words.n_words), (taken,))
        graphs.append(neighbor_graph(some, words.space, k))
    return graphs


def _best(values: np.ndarray, across: Sequence[int], up: Sequence[int], *, is_self: bool) -> np.ndarray:
    """Whether layer_a is, of its run, the most like layer_b; of one run, the most like of the others.

    *Shape:* as `values`, bool; True once in every column that has a value.
    """
    candidates = np.where(np.isnan(values), -np.inf, values)
    if is_self:
        candidates[np.equal.outer(across, up)] = -np.inf
    best = np.zeros(values.shape, bool)
    best[candidates.argmax(axis=0), np.arange(len(up))] = True
    return best & np.isfinite(candidates)


def _empty_notes(values: np.ndarray, across: Sequence[int], up: Sequence[int]) -> list[str]:
    """Why there is no value where there is none: a layer in which all words are alike."""
    empty = [
        *(f"{layer} (a)" for layer, row in zip(across, values, strict=True) if np.isnan(row).all()),
        *(f"{layer} (b)" for layer, column in zip(up, values.T, strict=True) if np.isnan(column).all()),
    ]
    return [f"No value where all words have one vector: layer {', '.join(empty)}."] if empty else []
