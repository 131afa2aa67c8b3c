"""The learner ``linear``: logistic regression with an L2 penalty that the selection examples choose.

A problem is fitted under all penalties at once: one pass over the training rows serves them all, in products
wide enough for a processor to be fast at. Few passes are needed, as the steps are preconditioned by what
bounds the Hessian (Böhning 1992), scaled to the classes at hand. No problem changes what comes of another.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from repstore.analysis.descent import minimize, n_arrays
from repstore.analysis.inputs import Inputs
from repstore.analysis.learned import Learned, Network, Problem
from repstore.analysis.log_loss import Columns, columns_of, mean_loss, value_and_slope
from repstore.analysis.memory import check_fits
from repstore.analysis.one_thread import one_thread
from repstore.analysis.training_rows import (
    TrainingRows,
    block_rows,
    blocks_of,
    bytes_to_make,
)
from repstore.spec import MEMORY

PENALTIES = (1e-4, 1e-3, 1e-2, 1e-1, 1.0)
"""What is minimized is the mean log loss of the training examples + penalty / 2 * the sum of the squared
weights of standardized inputs; biases are free. scikit-learn says 1 / (C * n_train) for it, and, of two
classes, has one row of weights that is the difference of ours: there its penalty is half of ours."""

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

    Inputs are standardized by the training examples, and each penalty of `PENALTIES` is fitted until the
    gradient is at most `descent.TOLERANCE` long. The one with the lowest mean log loss of the selection
    examples is taken; of equal ones the largest.

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
        check_fits("A linear probe", _work(inputs, problem), memory)
    groups: dict[bytes, list[int]] = {}
    for n, problem in enumerate(problems):
        groups.setdefault(problem.train.tobytes(), []).append(n)
    learned: dict[int, Learned] = {}
    with one_thread():
        for group in groups.values():
            room = memory - max(_work(inputs, problems[n]) for n in group)
            rows = TrainingRows(inputs, problems[group[0]].train, room)
            gram = rows.gram()
            for n in group:
                learned[n] = _learn(inputs, rows, gram, problems[n], progress)
            del rows, gram  # before the next are made
    return [learned[n] for n in range(len(problems))]


def _work(inputs: Inputs, problem: Problem) -> int:
    """Bytes that a problem takes, without those of its rows if they can be read again."""
    width, n_fits = inputs.width, len(PENALTIES) * problem.n_classes
    k = min(len(problem.train), width)
    factors = 4 * len(PENALTIES) * k**2 + 8 * 3 * k**2
    paths = 8 * n_fits * (n_arrays() * (k + 1) + 2 * width)
    blocks = 4 * 6 * min(block_rows(k), len(problem.train)) * n_fits
    return OVERHEAD + bytes_to_make(len(problem.train), width) + factors + paths + blocks


def _learn(
    inputs: Inputs, rows: TrainingRows, gram: np.ndarray, problem: Problem, progress: Callable[[], None]
) -> Learned:
    """Fit a problem and let the selection examples choose."""
    columns = columns_of(problem)
    networks = [
        _network(rows, columns, fitted, problem.n_classes) for fitted in _fit(rows, gram, columns, progress)
    ]
    losses = _selection_losses(inputs, networks, problem)
    best = max(range(len(PENALTIES)), key=lambda n: (-losses[n], PENALTIES[n]))
    logits = [networks[best].apply(block) for block in blocks_of(inputs, problem.test)]
    empty = np.empty((0, problem.n_classes), np.float32)
    return Learned(networks[best], np.concatenate([empty, *logits]), PENALTIES[best])


def _fit(rows: TrainingRows, gram: np.ndarray, columns: Columns, progress: Callable[[], None]) -> np.ndarray:
    """Weights under every penalty, for each column of classes, and the bias at their end.

    *Shape:* (n_penalties, columns.n, rows.n_columns + 1), float64.
    """
    from scipy.linalg import cho_solve

    penalties = np.array(PENALTIES)
    start = np.zeros((len(penalties), columns.n, rows.n_columns + 1))
    if not columns.n:
        return start
    start[..., -1] = columns.start
    curvature = columns.curvature
    factors = [_factor(gram, curvature, penalty) for penalty in PENALTIES]

    def evaluate(active: Sequence[int], points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        values, gradients = _pass(rows, columns, points)
        weights, own = points[..., :-1], penalties[list(active), None, None]
        gradients[..., :-1] += own * weights
        return values + 0.5 * (own * weights**2).sum(axis=(1, 2)), gradients

    def precondition(number: int, gradient: np.ndarray) -> np.ndarray:
        turned = np.empty_like(gradient)
        ahead = gradient[:, :-1].T.astype(np.float32, order="F")
        turned[:, :-1] = cho_solve((factors[number], True), ahead, overwrite_b=True, check_finite=False).T
        turned[:, -1] = gradient[:, -1] / curvature
        return turned

    return minimize(evaluate, start, precondition, progress)


def _factor(gram: np.ndarray, curvature: float, penalty: float) -> np.ndarray:
    """Cholesky factor of about the Hessian of a class's weights. *Shape:* as `gram`, float32, by columns."""
    from scipy.linalg import cholesky

    about = np.array(gram, order="F")
    about *= curvature
    about.flat[:: len(about) + 1] += penalty
    return np.asarray(
        cholesky(about, lower=True, overwrite_a=True, check_finite=False), np.float32, order="F"
    )


def _pass(rows: TrainingRows, columns: Columns, points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Mean log loss and its gradient, at several points. *Shapes:* (n,) and as `points`, float64."""
    n, n_columns, _ = points.shape
    weights = points[..., :-1].reshape(n * n_columns, -1).astype(np.float32)
    biases = points[..., -1:].reshape(n * n_columns, 1).astype(np.float32)
    losses, gradients = np.zeros(n), np.zeros((n * n_columns, points.shape[2]))
    first = 0
    for block in rows.blocks():
        logits = weights @ block.T
        logits += biases
        targets = columns.targets[..., first : first + len(block)]
        losses += value_and_slope(logits.reshape(n, n_columns, -1), targets)
        gradients[:, :-1] += logits @ block
        gradients[:, -1] += logits.sum(axis=1, dtype=np.float64)
        first += len(block)
    gradients /= rows.n_rows
    return losses / rows.n_rows, gradients.reshape(points.shape)


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
