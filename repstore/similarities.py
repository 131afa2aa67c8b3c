"""What `Store.compare` can say of two layers: one similarity for each metric, and its options."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np

from repstore.analysis import cca, cka
from repstore.analysis.aligned import Aligned
from repstore.analysis.graph import NeighborGraph, neighbor_graph
from repstore.analysis.overlap import by_chance, overlap
from repstore.analysis.procrustes import procrustes
from repstore.analysis.ridge import predictivity
from repstore.analysis.rsa import rsa
from repstore.errors import ArgumentError, NotFoundError, check_choice, did_you_mean
from repstore.sampling import check_memory, check_sample
from repstore.searching import check_neighborhood
from repstore.spec import Correlation, Estimator, Frame, Progress, Similarity
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
        check_memory(self.memory)

    def option(self, name: str) -> Any:
        """An option of the metric, as given or as it is by default; None if the metric has none such."""
        given = getattr(self, name)
        return DEFAULTS.get(self.metric, {}).get(name) if given is None else given


def unit_of(asked: Comparison) -> str:
    """What the numbers of a comparison mean."""
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


def similarities(
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
            return _common_neighbors(first, second, asked.option("k"), memory, progress)


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
    memory: int,
    progress: Callable[[Progress], None],
) -> tuple[np.ndarray, list[str]]:
    graphs = _graphs([*first, *(second or ())], k, memory, progress)
    across, up = graphs[: len(first)], graphs[len(first) :] or graphs
    values = [[np.nan if a is None or b is None else overlap(a, b).mean for b in up] for a in across]
    n_words, n_found = first[0].n_words, min(k, first[0].n_words - 1)
    note = (
        f"{n_found} neighbors of each word among these words; by chance {by_chance(n_words, n_found):.4f}, "
        "and more where many words have equal vectors."
    )
    return np.array(values), [note]


def _graphs(
    layers: Sequence[Aligned], k: int, memory: int, progress: Callable[[Progress], None]
) -> list[NeighborGraph | None]:
    """The neighbors of every word at each layer; None where all words have one vector."""
    graphs: list[NeighborGraph | None] = []
    for n, words in enumerate(layers):
        progress(Progress("Finding neighbors", n, len(layers), unit="layers"))
        if words.is_flat:
            graphs.append(None)
            continue
        taken = words.vectors.take(words.rows)
        some = LayerVectors(words.vectors.layer, np.arange(words.n_words), (taken,))
        graphs.append(neighbor_graph(some, words.space, k, memory=memory))
    return graphs
