"""What a probe's score is held against: labels that mean nothing.

Source: Hewitt & Liang 2019, "Designing and Interpreting Probes with Control Tasks", section 2
(arXiv 1909.03368).
"""

from __future__ import annotations

import numpy as np

OF_CONTROL = 1
"""Beside a seed, so that what is drawn for a control task goes with nothing else drawn by the seed."""


def control_labels(types: np.ndarray, targets: np.ndarray, seed: int) -> np.ndarray:
    """The control task: each word type gets a random label, and has it wherever it is used.

    A probe can only learn them by heart; it scores above chance where types of the test were in training.

    The types are laid end to end in a random order, each as long as it has examples, beside the labels of all
    examples, sorted and turned at random; a type gets the label beside its middle. So each label is as likely
    for each type as it is frequent, and as frequent in the control task as in the task, up to the examples of
    one type. Drawn independently, as in the paper, labels of few types are often less mixed than those of the
    task, or all the same, and what answers the most frequent one seems to have learned something.

    Args:
        types: the word type of each example. *Shape:* (n,), int64.
        targets: the class of each example, *Shape:* (n,), int64; or which classes, *Shape:* (n, n_classes),
            bool, which are then one label together.
        seed: of what is random.

    *Shape:* that of `targets`.
    """
    _, type_of, sizes = np.unique(types, return_inverse=True, return_counts=True)
    random = np.random.default_rng([seed, OF_CONTROL])  # not that of the division, or labels follow its sides
    order = random.permutation(len(sizes))
    middles = np.empty_like(sizes)
    middles[order] = np.cumsum(sizes[order]) - (sizes[order] + 1) // 2
    label_of = targets if targets.ndim == 1 else np.unique(targets, axis=0, return_inverse=True)[1]
    by_label = np.roll(np.argsort(label_of.reshape(-1), kind="stable"), random.integers(len(targets)))
    labels: np.ndarray = targets[by_label[middles]][type_of]
    return labels
