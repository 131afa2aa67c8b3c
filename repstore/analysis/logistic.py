"""The learner ``linear``: logistic regression with an L2 penalty that the selection examples choose.

A problem is fitted under all penalties at once: one pass over the training rows serves them all, in products
wide enough for a processor to be fast at. Few passes are needed, as steps are preconditioned by the Gram
matrix of the rows: Böhning 1992 bounds the Hessian by 1/2 of it, or 1/4 for a sigmoid, and the mean of
p (1 - p) of it, which is less, is near it. No problem changes what comes of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from repstore.analysis.inputs import Inputs
from repstore.analysis.lbfgs import minimize, n_arrays
from repstore.analysis.learned import Learned, Problem
from repstore.analysis.log_loss import Columns, columns_of, curvature, mean_loss, value_and_slope
from repstore.analysis.memory import check_fits
from repstore.analysis.one_thread import one_thread
from repstore.analysis.preconditioner import Ridges, bytes_to_solve
from repstore.analysis.training_rows import (
    TrainingRows,
    block_rows,
    blocks_of,
    bytes_to_make,
)
from repstore.spec import MEMORY
from repstore.storage.saved_probes import Network

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""What is minimized is the mean log loss of the training examples + penalty / 2 * the sum of the squared
weights of standardized inputs; biases are free. scikit-learn says 1 / (C * n_train) for it, and, of two
classes, has one row of weights that is the difference of ours: there its penalty is half of ours."""

LEAST_CURVATURE = 1e-12
"""Of p (1 - p), where rounding leaves none."""

OVERHEAD = 1 << 24
"""Bytes that fitting takes beside its matrices."""


def logistic(
    inputs: Inputs,
    problems: Sequence[Problem],
    *,
    memory: int = MEMORY,
    progress: Callable[[], None] = lambda: None,
) -> list[Learned]:
    """Fit logistic regressions: multinomial, or, where an example may have several classes, one for each.

    Inputs are standardized by the training examples, and each penalty of `PENALTIES` is fitted until no
    component of the gradient is above `descent.TOLERANCE`. The one with the lowest mean log loss of the
    selection examples is taken; of equal ones the largest.

    A class that no training example has is never more likely than once in n_train + 1, nor is one of several
    less likely that all have.

    The answer to a problem has the same bytes alone and among others, and in any `memory`. While this works,
    BLAS has one thread in the whole process; callers that have several layers can give each a thread.

    Args:
        inputs: all examples.
        problems: which are which. Those of the same training examples share the work of preparing them.
        memory: bytes to work in. Training examples that do not fit are read again at each pass.
        progress: called before every pass.

    Raises:
        ResultError: too little memory.
    """
    for problem in problems:
        check_fits("A linear probe", bytes_to_fit(inputs, problem), memory)
    groups: dict[bytes, list[int]] = {}
    for n, problem in enumerate(problems):
        groups.setdefault(problem.train.tobytes(), []).append(n)
    learned: dict[int, Learned] = {}
    with one_thread():
        for group in groups.values():
            room = memory - max(bytes_to_fit(inputs, problems[n]) for n in group)
            rows = TrainingRows(inputs, problems[group[0]].train, room)
            ridges = Ridges(rows.gram())
            for n in group:
                learned[n] = _learn(inputs, rows, ridges, problems[n], progress)
            del rows, ridges  # before the next are made
    return [learned[n] for n in range(len(problems))]


def bytes_to_fit(inputs: Inputs, problem: Problem) -> int:
    """About how much memory a problem takes at least, its training examples being read again at each pass."""
    width, n_fits = inputs.width, len(PENALTIES) * problem.n_classes
    k = min(len(problem.train), width)
    paths = 8 * n_fits * (n_arrays() * (k + 1) + 2 * width)
    blocks = 4 * 6 * min(block_rows(k), len(problem.train)) * n_fits
    return OVERHEAD + bytes_to_make(len(problem.train), width) + bytes_to_solve(k) + paths + blocks


def _learn(
    inputs: Inputs, rows: TrainingRows, ridges: Ridges, problem: Problem, progress: Callable[[], None]
) -> Learned:
    """Fit a problem and let the selection examples choose."""
    columns = columns_of(problem)
    networks = [
        _network(rows, columns, fitted, problem.n_classes) for fitted in _fit(rows, ridges, columns, progress)
    ]
    losses = _selection_losses(inputs, networks, problem)
    best = max(range(len(PENALTIES)), key=lambda n: (-losses[n], PENALTIES[n]))
    logits = [networks[best].apply(block) for block in blocks_of(inputs, problem.test)]
    empty = np.empty((0, problem.n_classes), np.float32)
    return Learned(networks[best], np.concatenate([empty, *logits]), PENALTIES[best])


class _Fits:
    """A problem under every penalty, as `minimize` asks for it."""

    def __init__(self, rows: TrainingRows, ridges: Ridges, columns: Columns) -> None:
        self._rows, self._ridges, self._columns = rows, ridges, columns
        self._penalties = np.array(PENALTIES)
        self._curvatures = np.full(len(PENALTIES), columns.curvature)

    def evaluate(self, active: Sequence[int], points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Values and gradients under some of the penalties."""
        numbers = list(active)
        values, gradients, self._curvatures[numbers] = _pass(self._rows, self._columns, points)
        weights, penalties = points[..., :-1], self._penalties[numbers, None, None]
        gradients[..., :-1] += penalties * weights
        return values + 0.5 * (penalties * weights**2).sum(axis=(1, 2)), gradients

    def precondition(self, number: int, gradient: np.ndarray) -> np.ndarray:
        """Times about the inverse of (curvature * Gram matrix + penalty), class by class.

        The Hessian is a sum over examples of what their p (1 - p) make of them; here all have the mean.
        """
        curvature = max(self._curvatures[number], LEAST_CURVATURE)
        turned: np.ndarray = gradient / curvature
        turned[:, :-1] = self._ridges.solve(PENALTIES[number] / curvature, turned[:, :-1])
        return turned


def _fit(rows: TrainingRows, ridges: Ridges, columns: Columns, progress: Callable[[], None]) -> np.ndarray:
    """Weights under every penalty, for each column of classes, and the bias at their end.

    *Shape:* (n_penalties, columns.n, rows.n_columns + 1), float64.
    """
    start = np.zeros((len(PENALTIES), columns.n, rows.n_columns + 1))
    if not columns.n:
        return start
    start[..., -1] = columns.start
    fits = _Fits(rows, ridges, columns)
    return minimize(fits.evaluate, start, fits.precondition, progress)


def _pass(
    rows: TrainingRows, columns: Columns, points: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Mean log loss, its gradient and mean p (1 - p), at several points.

    *Shapes:* (n,), as `points`, (n,), float64.
    """
    n, n_columns, _ = points.shape
    weights = points[..., :-1].reshape(n * n_columns, -1).astype(np.float32)
    biases = points[..., -1:].reshape(n * n_columns, 1).astype(np.float32)
    losses, curvatures = np.zeros((2, n))
    gradients = np.zeros((n * n_columns, points.shape[2]))
    first = 0
    for block in rows.blocks():
        logits = weights @ block.T
        logits += biases
        by_point = logits.reshape(n, n_columns, -1)
        losses += value_and_slope(by_point, columns.targets[..., first : first + len(block)])
        curvatures += curvature(by_point)
        gradients[:, :-1] += logits @ block
        gradients[:, -1] += logits.sum(axis=1, dtype=np.float64)
        first += len(block)
    gradients /= rows.n_rows
    curvatures /= rows.n_rows * n_columns
    return losses / rows.n_rows, gradients.reshape(points.shape), curvatures


def _network(rows: TrainingRows, columns: Columns, fitted: np.ndarray, n_classes: int) -> Network:
    """What was fitted, and what is said of the classes that could not be."""
    weights = np.zeros((n_classes, len(rows.shift)), np.float32)
    weights[columns.classes] = rows.to_inputs(fitted[:, :-1])
    biases = columns.unlearned.astype(np.float32)
    biases[columns.classes] = fitted[:, -1]
    return Network(rows.shift, rows.scale, (weights,), (biases,))


def _selection_losses(inputs: Inputs, networks: Sequence[Network], problem: Problem) -> np.ndarray:
    """Mean log loss of the selection examples by each network. *Shape:* (n_networks,), float64."""
    first = networks[0]
    weights = np.concatenate([network.weights[0] for network in networks])
    biases = np.concatenate([network.biases[0] for network in networks])
    all_at_once = Network(first.shift, first.scale, (weights,), (biases,))

    def logits() -> Iterator[np.ndarray]:
        for block in blocks_of(inputs, problem.select):
            yield all_at_once.apply(block).reshape(len(block), len(networks), -1)

    return mean_loss(logits(), problem.targets[problem.select], len(networks))
