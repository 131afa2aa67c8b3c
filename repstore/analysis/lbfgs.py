"""Several smooth convex functions minimized side by side, so that one pass over the data serves them all.

Source: L-BFGS, Nocedal 1980, with the two-loop recursion of Nocedal & Wright 2006, algorithm 7.4, whose first
matrix is a preconditioner of the function.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

import numpy as np

TOLERANCE = 1e-4
"""Largest component of the gradient at which a minimum is reached: the default of scikit-learn's ``lbfgs``,
which without a preconditioner is farther from the minimum then."""

MAX_PASSES = 1000
"""After so many the best found is taken. Lifelike layers take 15 to 30."""

_REMEMBERED = 10
_DECREASE = 1e-4
_ROUNDING = 1e-6
"""By so much of itself a value may seem to rise that did not: values are sums of float32."""

_SHORTEST = 1e-6

Evaluate = Callable[[Sequence[int], np.ndarray], tuple[np.ndarray, np.ndarray]]
"""Told which functions and a point for each, *Shape:* (n_functions, ...), makes their values, *Shape:*
(n_functions,), and gradients, in the shape of the points."""

Precondition = Callable[[int, np.ndarray], np.ndarray]
"""Told which function and a gradient: about the inverse of the Hessian, times this. In the same shape."""


def n_arrays() -> int:
    """About how many arrays of the size of a point are held for each function."""
    return 2 * _REMEMBERED + 10


def minimize(
    evaluate: Evaluate,
    start: np.ndarray,
    precondition: Precondition,
    progress: Callable[[], None] = lambda: None,
) -> np.ndarray:
    """The points where functions are least.

    All take their steps together, each from its own gradient; those that are done drop out.

    Args:
        evaluate: all functions that are not done, at once.
        start: a point for each function. *Shape:* (n_functions, ...), float64.
        precondition: of one function.
        progress: called before each evaluation.

    *Shape:* as `start`, float64.
    """
    numbers = list(range(len(start)))
    progress()
    values, gradients = evaluate(numbers, start)
    paths = [
        _Path(n, point, float(value), gradient, precondition)
        for n, point, value, gradient in zip(numbers, start, values, gradients, strict=True)
    ]
    for _ in range(MAX_PASSES):
        active = [path for path in paths if not path.done]
        if not active:
            break
        progress()
        trials = np.stack([path.trial() for path in active])
        values, gradients = evaluate([path.number for path in active], trials)
        for path, trial, value, gradient in zip(active, trials, values, gradients, strict=True):
            path.told(trial, float(value), gradient)
    return np.stack([path.point for path in paths])


class _Path:
    """The way of one function down."""

    def __init__(
        self, number: int, point: np.ndarray, value: float, gradient: np.ndarray, precondition: Precondition
    ) -> None:
        self.number = number
        self.point, self._value, self._gradient = point, value, gradient
        self._precondition = precondition
        self._steps: deque[tuple[np.ndarray, np.ndarray, float]] = deque(maxlen=_REMEMBERED)
        self._scale = 1.0
        self.done = False
        self._turn()

    def trial(self) -> np.ndarray:
        """Where to look next. *Shape:* of a point."""
        ahead: np.ndarray = self.point + self._length * self._direction
        return ahead

    def told(self, trial: np.ndarray, value: float, gradient: np.ndarray) -> None:
        """What is there: go, if it is low enough (Armijo), or look nearer."""
        enough = self._value + _DECREASE * self._length * self._slope + _ROUNDING * abs(self._value)
        if value <= enough:
            self._remember(trial - self.point, gradient - self._gradient)
            self.point, self._value, self._gradient = trial, value, gradient
            self._turn()
            return
        # Where the parabola through both values and the slope is least, but next to neither end.
        rise = value - self._value - self._length * self._slope
        best = -0.5 * self._slope * self._length / rise if np.isfinite(rise) and rise > 0 else 0.0
        self._length *= min(max(best, 0.1), 0.5)
        if self._length < _SHORTEST:
            self.done = not self._steps  # else once more, without what it remembers
            self._steps.clear()
            self._scale = 1.0
            if not self.done:
                self._turn()

    def _remember(self, step: np.ndarray, change: np.ndarray) -> None:
        along = float(np.vdot(step, change))
        if along <= 0:  # of a convex function by rounding alone
            return
        self._steps.append((step, change, along))
        self._scale = along / float(np.vdot(change, self._precondition(self.number, change)))

    def _turn(self) -> None:
        """Choose a direction, and be done if there is nowhere to go."""
        self._length = 1.0
        self.done = bool(np.abs(self._gradient).max() <= TOLERANCE)
        if self.done:
            self._steps.clear()
            return
        ahead = self._gradient.copy()
        shares = []
        for step, change, along in reversed(self._steps):
            share = float(np.vdot(step, ahead)) / along
            shares.append(share)
            ahead -= share * change
        ahead = self._scale * self._precondition(self.number, ahead)
        for (step, change, along), share in zip(self._steps, reversed(shares), strict=True):
            ahead += (share - float(np.vdot(change, ahead)) / along) * step
        self._direction = -ahead
        self._slope = -float(np.vdot(self._gradient, ahead))
