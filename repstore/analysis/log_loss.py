"""Log losses of classes, of which an example has one (softmax) or any number (a sigmoid for each)."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

import numpy as np

from repstore.analysis.learned import Problem


@dataclass(frozen=True, eq=False)
class Columns:
    """The classes of a problem about which its training examples can teach.

    Of several classes, those that some have and others have not; of one class each, those that some have,
    unless that is one alone.

    Attributes:
        classes: which they are. *Shape:* (n,), int64, ascending.
        targets: of the training examples: which of `classes` each has, *Shape:* (n_train,), int64; or, of
            several, whether it has each, *Shape:* (n, n_train), float32.
        start: bias of each that fits best without weights. *Shape:* (n,), float64.
        curvature: mean of p (1 - p) there, over columns and examples.
        unlearned: bias of the other classes. *Shape:* (n_classes,), float64.
    """

    classes: np.ndarray
    targets: np.ndarray
    start: np.ndarray
    curvature: float
    unlearned: np.ndarray

    @property
    def n(self) -> int:
        """How many."""
        return len(self.classes)


def columns_of(problem: Problem) -> Columns:
    """What there is to learn.

    The logits of classes are 0 on average over those learned, so the largest is not below 0, and a class that
    no training example has gets one at which it is at most as likely as once in n_train + 1. Of several
    classes, one that all training examples have is as likely not to be had.
    """
    targets, n = problem.targets[problem.train], len(problem.train)
    rare = -np.log(n + 1.0)
    if problem.is_multi_label:
        has = targets.sum(axis=0)
        classes = np.flatnonzero((has > 0) & (has < n))
        share = has[classes] / n
        unlearned = np.where(has == n, -rare, rare)
        start = np.log(share / (1 - share))
        taught = np.ascontiguousarray(targets[:, classes].T, np.float32)
    else:
        has = np.bincount(targets, minlength=problem.n_classes)
        classes = np.flatnonzero(has)
        unlearned = np.where(has > 0, 0.0, rare)
        if len(classes) == 1:
            classes = classes[:0]
        share = has[classes] / n
        start = np.log(share) - np.log(share).mean() if len(classes) else share
        taught = np.searchsorted(classes, targets)
    curvature = float((share * (1 - share)).mean()) if len(classes) else 0.0
    return Columns(classes, taught, start, curvature, unlearned)


def curvature(slope: np.ndarray) -> np.ndarray:
    """Sum of p (1 - p) over columns and examples, for several fits: the trace of the Hessian by the logits.

    Args:
        slope: p - 1 where an example has a class, else p. *Shape:* (n_fits, n_columns, n_examples).

    *Shape:* (n_fits,), float64.
    """
    flat = slope.reshape(len(slope), -1)
    total: np.ndarray = np.abs(flat).sum(axis=1, dtype=np.float64) - np.vecdot(flat, flat)
    return total


def value_and_slope(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Sum of the log losses of some examples, for several fits; the logits become its derivatives by them.

    Args:
        logits: *Shape:* (n_fits, n_columns, n_examples), float32; overwritten.
        targets: as those of `Columns`.

    *Shape:* (n_fits,), float64.
    """
    if targets.ndim == 2:
        return _of_sigmoids(logits, targets)
    examples = np.arange(len(targets))
    logits -= logits.max(axis=1, keepdims=True)
    losses: np.ndarray = -logits[:, targets, examples].sum(axis=1, dtype=np.float64)
    np.exp(logits, out=logits)
    sums = logits.sum(axis=1, keepdims=True)
    losses += np.log(sums).sum(axis=(1, 2), dtype=np.float64)
    logits /= sums
    logits[:, targets, examples] -= 1
    return losses


def _of_sigmoids(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    from scipy.special import expit

    losses = np.maximum(logits, 0) - logits * targets + np.log1p(np.exp(-np.abs(logits)))
    expit(logits, out=logits)
    logits -= targets
    total: np.ndarray = losses.sum(axis=(1, 2), dtype=np.float64)
    return total


def mean_loss(logits: Iterable[np.ndarray], targets: np.ndarray, n_fits: int) -> np.ndarray:
    """Mean log loss of examples, for several fits; summed over the classes where there are several.

    Args:
        logits: in blocks. *Shape of each:* (n, n_fits, n_classes), float32; not overwritten.
        targets: as those of `Problem`, of these examples.
        n_fits: how many.

    *Shape:* (n_fits,), float64.
    """
    total, first = np.zeros(n_fits), 0
    for block in logits:
        by_fit: np.ndarray = block.transpose(1, 2, 0).astype(np.float64)
        of = targets[first : first + len(block)]
        total += value_and_slope(by_fit, of.T.astype(np.float64) if of.ndim == 2 else of)
        first += len(block)
    return total / max(first, 1)
