"""What a probe's score is held against: labels that mean nothing, and the most frequent label.

Source: Hewitt & Liang 2019, "Designing and Interpreting Probes with Control Tasks", section 2
(arXiv 1909.03368).
"""

from __future__ import annotations

from dataclasses import dataclass

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


@dataclass(frozen=True, eq=False)
class Majority:
    """The answer that is most often right in training, whatever the example.

    Attributes:
        answer: the class, *Shape:* (), int64; or whether it has each class, *Shape:* (n_classes,), bool.
        is_right: whether that is right for each test example, *Shape:* (n_test,), bool; or for each of its
            classes, *Shape:* (n_test, n_classes), bool.
    """

    answer: np.ndarray
    is_right: np.ndarray


def majority(train: np.ndarray, test: np.ndarray) -> Majority:
    """The most frequent class of training; the lowest of several.

    Where an example may have several classes, each is decided for itself: yes if more than half of the
    training examples have it.

    Args:
        train, test: targets. *Shape of each:* (n,), int64; or (n, n_classes), bool.
    """
    answer = np.asarray(train.mean(axis=0) > 0.5 if train.ndim == 2 else np.bincount(train).argmax())
    return Majority(answer, test == answer)
