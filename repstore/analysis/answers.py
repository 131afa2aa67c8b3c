"""What a probe's answers are worth, example by example."""

from __future__ import annotations

import numpy as np

Worth = tuple[np.ndarray, np.ndarray]
"""What each example reached, and what it could have. *Shape of each:* (n,), float64."""


def answers(logits: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """What is said of each example: a class, or of several whether each is there. Arguments as of `worth`.

    *Shape:* (n,), int64; or, of several, (n, n_classes), bool.
    """
    said: np.ndarray = logits.argmax(axis=1) if targets.ndim == 1 else logits > 0
    return said


def is_constant(logits: np.ndarray, targets: np.ndarray) -> bool:
    """Whether all examples get one answer, whatever their vectors. Arguments as of `worth`."""
    said = answers(logits, targets)
    return bool((said == said[:1]).all())


def worth(logits: np.ndarray, targets: np.ndarray) -> Worth:
    """Of one class each: right or not, of 1. Of several classes: the sums of micro-averaged F1.

    F1 is 2 TP / (2 TP + FP + FN) over all examples and classes (van Rijsbergen 1979). A class is said to be
    there if its logit is above 0.

    Args:
        logits: *Shape:* (n, n_classes).
        targets: *Shape:* (n,), int64; or, of several, (n, n_classes), bool.
    """
    said = answers(logits, targets)
    if targets.ndim == 1:
        return (said == targets).astype(np.float64), np.ones(len(targets))
    return _f1(said, targets)


def best_threshold(logits: np.ndarray, targets: np.ndarray) -> float:
    """The logit above which a class should be said to be there, for the best F1 of all classes together.

    Log loss makes a probe that is seldom sure say nothing at all, which F1 counts as worthless; so the
    threshold is chosen, as the penalty is, on the selection examples. Of equal ones the highest.

    Args:
        logits: of the selection examples. *Shape:* (n, n_classes).
        targets: *Shape:* (n, n_classes), bool.
    """
    order = np.argsort(-logits, axis=None, kind="stable")
    sorted_logits = logits.reshape(-1)[order].astype(np.float64)
    right = np.cumsum(targets.reshape(-1)[order])
    said = np.arange(1, len(order) + 1)
    ends = np.append(np.flatnonzero(np.diff(sorted_logits) < 0), len(order) - 1)
    best = ends[np.argmax(2 * right[ends] / (said[ends] + right[-1]))]
    above = sorted_logits[best]
    below = sorted_logits[best + 1] if best + 1 < len(order) else above - 1
    return float((above + below) / 2)


def worth_of_most_frequent(targets: np.ndarray, train: np.ndarray, test: np.ndarray, n_classes: int) -> Worth:
    """What it is worth to answer with the class that is most frequent in training; of equal ones the first.

    Args:
        targets: of all examples.
        train, test: which examples. *Shape:* (n_train,) and (n_test,), int64.
        n_classes: how many there are.
    """
    if targets.ndim == 1:
        most = np.bincount(targets[train], minlength=n_classes).argmax()
        return (targets[test] == most).astype(np.float64), np.ones(len(test))
    said = np.zeros((len(test), n_classes), bool)
    said[:, targets[train].sum(axis=0).argmax()] = True
    return _f1(said, targets[test])


def _f1(said: np.ndarray, targets: np.ndarray) -> Worth:
    both = 2.0 * (said & targets).sum(axis=1)
    return both, both + (said ^ targets).sum(axis=1)
