"""What a probe's score is held against: labels that mean nothing.

Source: Hewitt & Liang 2019, "Designing and Interpreting Probes with Control Tasks", section 2
(arXiv 1909.03368).
"""

from __future__ import annotations

import numpy as np


def control_labels(types: np.ndarray, targets: np.ndarray, seed: int) -> np.ndarray:
    """The control task: each word type gets a random label, and has it wherever it is used.

    A label is that of an example drawn at random, so that labels are as frequent as they are in the task. A
    probe can only learn them by heart; it scores above chance where types of the test were in training.

    Args:
        types: the word type of each example. *Shape:* (n,), int64.
        targets: the class of each example, *Shape:* (n,), int64; or which classes, *Shape:* (n, n_classes),
            bool, which are then drawn together.
        seed: of the draw.

    *Shape:* that of `targets`.
    """
    names, type_of = np.unique(types, return_inverse=True)
    drawn = np.random.default_rng(seed).integers(0, len(targets), len(names))
    labels: np.ndarray = targets[drawn][type_of]
    return labels
