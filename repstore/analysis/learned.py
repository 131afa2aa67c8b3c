"""What learners of trained probes share: the problem they are given, and what they give back."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np

from repstore.analysis.inputs import Inputs
from repstore.spec import MEMORY
from repstore.storage.saved_probes import Network


@dataclass(frozen=True, eq=False)
class Problem:
    """Examples to learn from, to choose by, and to be tested on; no example is in two of these.

    Attributes:
        targets: the class of each example of the inputs, *Shape:* (n,), int64, from 0; or which classes each
            has, of several, *Shape:* (n, n_classes), bool.
        n_classes: how many classes.
        train, select, test: which examples. *Shape of each:* (n_train,), ..., int64, ascending.
        seed: of what is random in learning.
    """

    targets: np.ndarray
    n_classes: int
    train: np.ndarray
    select: np.ndarray
    test: np.ndarray
    seed: int = 0

    @property
    def is_multi_label(self) -> bool:
        """Whether an example may have several classes, or none."""
        return self.targets.ndim == 2


@dataclass(frozen=True, eq=False)
class Learned:
    """What came of a problem.

    Attributes:
        network: the fitted probe.
        logits: of the test examples, as `Network.apply` gives them up to rounding. *Shape:* (n_test,
            n_classes), float32.
        setting: what the selection examples chose: the penalty of ``linear``, the epoch of ``mlp``.
    """

    network: Network
    logits: np.ndarray
    setting: float


class Learner(Protocol):
    """Fits several problems over the same inputs: together, if that is faster."""

    def __call__(
        self,
        inputs: Inputs,
        problems: Sequence[Problem],
        *,
        memory: int = MEMORY,
        progress: Callable[[], None] = lambda: None,
    ) -> list[Learned]:
        """Fit each problem.

        Args:
            inputs: all examples.
            problems: which are which.
            memory: bytes to work in.
            progress: called now and then, so that a long fit can be interrupted or shown.

        Raises:
            ResultError: too little memory.
        """
