"""Numbers that are known from elsewhere, predicted from a layer by ridge regression, with groups kept apart.

Each target has a penalty of its own, as voxels have in encoding models: Huth et al. 2016
(doi 10.1038/nature17637), la Tour et al. 2022 (doi 10.1016/j.neuroimage.2022.119728). What is to be predicted
differs from target to target in how much of it there is, so that one penalty for all would be wrong for most.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from repstore.analysis.inputs import Inputs
from repstore.analysis.memory import check_fits
from repstore.analysis.one_thread import one_thread
from repstore.analysis.penalties import chosen, fold_of
from repstore.analysis.shrinkage import N_FOLDS
from repstore.analysis.targets import Targets
from repstore.errors import ResultError
from repstore.spec import MEMORY
from repstore.storage.saved_probes import Network

FEWEST_GROUPS = 2 * N_FOLDS
OVERHEAD = 1 << 22
"""Bytes that a regression takes beside its matrices."""


@dataclass(frozen=True, eq=False)
class Predicted:
    """How well targets are predicted of examples that were not learned from.

    Errors are squared and in units of the variance of their target, so that all targets count alike; an
    example's are summed over targets. 1 - SSE / SST over any examples is ``explained.sum() / total.sum()``.

    Attributes:
        explained: SST - SSE of each example, SST being about the mean of the examples learned from.
            *Shape:* (n,), float64.
        total: SST of each example. *Shape:* (n,), float64.
        r_squared: 1 - SSE / SST of each target, over all examples; NaN for one that is constant.
            *Shape:* (n_targets,), float64.
        r: Pearson's correlation of each target with its predictions, both less the mean of the examples
            learned from (else folds, the mean of which is low where that of the others is high, would count
            against it); NaN where either is constant. *Shape:* (n_targets,), float64.
    """

    explained: np.ndarray
    total: np.ndarray
    r_squared: np.ndarray
    r: np.ndarray

    @property
    def pooled(self) -> float:
        """1 - SSE / SST over all examples and targets; NaN if all targets are constant."""
        total = float(self.total.sum())
        return float(self.explained.sum()) / total if total else float("nan")


def predict(
    inputs: Inputs,
    targets: Sequence[Targets],
    groups: np.ndarray,
    *,
    seed: int = 0,
    memory: int = MEMORY,
) -> list[Predicted]:
    """Cross-validated ridge regression of some sets of targets on the same examples.

    Groups are in 5 folds, and each fold is predicted from the other four. Inputs are z-scored by the examples
    learned from; a dimension that is constant there does not count.

    Each target has the penalty by which the examples learned from predict best each group of them that is
    left out (`analysis.penalties.chosen`).

    Args:
        inputs: the examples.
        targets: what is predicted; what is computed of the inputs is shared.
        groups: examples of one number are not learned from when another of them is predicted, or left out.
            *Shape:* (n,), int64.
        seed: decides the folds.
        memory: bytes to work in, on which the results depend by rounding alone.

    Raises:
        ResultError: fewer than 10 groups, two for each fold; too little memory for one target.
    """
    _check_groups(groups)
    step = max(1, _targets_at_once(len(inputs), inputs.width, memory, len(targets)) // len(targets))
    tallies = [_Tally(len(inputs), of.n_targets) for of in targets]
    most = max(of.n_targets for of in targets)
    with one_thread():  # several threads add up in another order each time
        values = inputs.take(np.arange(len(inputs))).astype(np.float64)
        for train, test in grouped_folds(groups, seed):
            fold = fold_of(values, groups, train, test)
            for start in range(0, most, step):
                columns = slice(start, start + step)
                known = np.concatenate([of.scaled(columns) for of in targets], axis=1)
                known -= known[fold.train].mean(axis=0)
                made = fold.axes.on_test @ chosen(fold, known[fold.train])[0]
                ends = np.cumsum([len(range(of.n_targets)[columns]) for of in targets])[:-1]
                of_sets = np.split(known[test], ends, axis=1), np.split(made, ends, axis=1)
                for tally, of_set, made_of_set in zip(tallies, *of_sets, strict=True):
                    tally.add(test, columns, of_set, made_of_set)
    return [tally.predicted() for tally in tallies]


def fit(
    inputs: Inputs, targets: Targets, groups: np.ndarray, *, memory: int = MEMORY
) -> tuple[Network, np.ndarray]:
    """Ridge regression on all examples, as `predict` learns from those of four folds.

    Args:
        inputs, targets, groups, memory: as for `predict`.

    Returns:
        One linear map from vectors to the targets in their own units, and the penalty of each target, in
        units of the mean eigenvalue. *Shape:* (n_targets,), float64.

    Raises:
        ResultError: fewer than 10 groups, two for each fold; too little memory for one target.
    """
    _check_groups(groups)
    n, width, n_targets = len(inputs), inputs.width, targets.n_targets
    maps = 8 * (3 * width**2 + 2 * width * n_targets)  # of dimensions to axes, and of these to targets
    step = _targets_at_once(n, width, memory, 1, beside=maps)
    weights, biases = np.empty((n_targets, width), np.float32), np.empty(n_targets, np.float32)
    penalties = np.empty(n_targets)
    with one_thread():  # several threads add up in another order each time
        values = inputs.take(np.arange(n)).astype(np.float64)
        fold = fold_of(values, groups, np.arange(n))
        directions = fold.axes.on_test  # where one step along each dimension leads to
        for start in range(0, n_targets, step):
            columns = slice(start, start + step)
            known = targets.values[:, columns][targets.keys[fold.train]]
            is_constant = known.max(axis=0) == known.min(axis=0)
            means = np.where(is_constant, known[0], known.mean(axis=0))
            along, penalties[columns] = chosen(fold, known - means)
            weights[columns] = (directions @ along).T
            biases[columns] = means
    return Network(fold.shift, fold.scale, (weights,), (biases,)), penalties


def _check_groups(groups: np.ndarray) -> None:
    """Refuse too few groups to tell a penalty by."""
    n_groups = len(np.unique(groups))
    if n_groups < FEWEST_GROUPS:
        raise ResultError(
            f"Predictions need examples in at least {FEWEST_GROUPS} groups that are kept apart; there are "
            f"{n_groups}. What shares a row of the table is one group, and so is what shares a lemma or a "
            "text, as split_by (--split-by) says. Give more rows, or keep fewer together."
        )


def grouped_folds(groups: np.ndarray, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Which examples are learned from and which predicted, fold by fold; no group is in both.

    *Shapes:* (n_train,) and (n_test,), int64, ascending.
    """
    names, numbers = np.unique(groups, return_inverse=True)
    for drawn in np.array_split(np.random.default_rng(seed).permutation(len(names)), N_FOLDS):
        is_test = np.isin(numbers, drawn)
        yield np.flatnonzero(~is_test), np.flatnonzero(is_test)


def joined(*numbers: np.ndarray) -> np.ndarray:
    """Examples that have a number in common in any of some columns, directly or by others, have one number.

    Args:
        numbers: at least 0. *Shape of each:* (n,), int64.

    *Shape:* (n,), int64.
    """
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    n = len(numbers[0])
    ends = []
    n_nodes = n
    for column in numbers:
        ends.append(n_nodes + column)
        n_nodes += int(column.max()) + 1
    links = (np.tile(np.arange(n), len(numbers)), np.concatenate(ends))
    graph = coo_array((np.ones(len(links[0]), bool), links), (n_nodes, n_nodes))
    groups: np.ndarray = connected_components(graph, directed=False)[1][:n].astype(np.int64)
    return groups


def _targets_at_once(n: int, width: int, memory: int, least: int, beside: int = 0) -> int:
    """How many targets are predicted together. Three matrices of the size of the inputs, six on the axes,
    four square ones and the bytes `beside` are at work beside them, and for each target eight numbers per
    example.

    Raises:
        ResultError: there is no room for as many as `least`.
    """
    k = min(n, width)
    fixed = OVERHEAD + beside + 8 * (3 * n * width + 6 * n * k + 4 * k**2)
    of_target = 8 * (8 * n + 3 * k)
    check_fits(
        f"A regression on {n:,} examples and {width} dimensions",
        fixed + least * of_target,
        memory,
        "Allow more, or predict fewer examples.",
    )
    return (memory - fixed) // of_target


class _Tally:
    """Sums over examples and over targets, fold by fold."""

    def __init__(self, n: int, n_targets: int) -> None:
        self._explained, self._total = np.zeros((2, n))
        self._errors = np.zeros(n_targets)
        self._sums = np.zeros((5, n_targets))
        self._n = n

    def add(self, test: np.ndarray, columns: slice, known: np.ndarray, predictions: np.ndarray) -> None:
        """Some targets of the examples of a fold. *Shape of both:* (n_test, n_columns), float64."""
        self._sums[:, columns] += [
            known.sum(axis=0),
            predictions.sum(axis=0),
            np.square(known).sum(axis=0),
            np.square(predictions).sum(axis=0),
            (known * predictions).sum(axis=0),
        ]
        squares = np.square(known).sum(axis=1)
        predictions -= known
        np.square(predictions, out=predictions)
        self._errors[columns] += predictions.sum(axis=0)
        self._total[test] += squares
        self._explained[test] += squares - predictions.sum(axis=1)

    def predicted(self) -> Predicted:
        """What came of all folds."""
        of_known, of_predictions, known, predictions, both = self._sums
        spread = (known - of_known**2 / self._n) * (predictions - of_predictions**2 / self._n)
        shared = both - of_known * of_predictions / self._n
        r = np.divide(
            shared, np.sqrt(np.maximum(spread, 0)), out=np.full(len(known), np.nan), where=spread > 0
        )
        unexplained = np.divide(self._errors, known, out=np.full(len(known), np.nan), where=known > 0)
        return Predicted(self._explained, self._total, 1 - unexplained, np.clip(r, -1, 1))
