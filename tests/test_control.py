"""Control tasks, against plain loops."""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from repstore.analysis.control import control_labels

SEEDS = st.integers(0, 999)


@given(st.integers(1, 60), st.integers(1, 12), st.integers(1, 5), st.booleans(), SEEDS)
def test_a_type_has_one_label_in_all_its_uses_and_it_is_that_of_an_example(
    n, n_types, n_classes, several, seed
):
    random = np.random.default_rng(seed)
    types = random.integers(-1, n_types, n)
    targets = random.integers(0, n_classes, n)
    if several:
        targets = random.random((n, n_classes)) < 0.3
    labels = control_labels(types, targets, seed)
    assert (labels.shape, labels.dtype) == (targets.shape, targets.dtype)
    of_type: dict[int, list] = {}
    for name, label in zip(types.tolist(), labels.tolist(), strict=True):
        assert of_type.setdefault(name, label) == label
        assert label in targets.tolist()
    assert np.array_equal(labels, control_labels(types, targets, seed))
    assert np.array_equal(labels, control_labels(types * 3, targets, seed))


def test_labels_are_as_frequent_as_in_the_task():
    targets = np.repeat([0, 1, 2], [700, 250, 50])
    labels = control_labels(np.arange(20_000), np.tile(targets, 20), 0)
    shares = np.bincount(labels) / len(labels)
    assert np.abs(shares - [0.7, 0.25, 0.05]).max() < 0.015  # four standard errors


def test_a_label_is_independent_of_the_type_and_of_its_own_label():
    """Over many seeds, a type gets its own label no more often than chance."""
    types, targets = np.repeat([0, 1], 10), np.repeat([0, 1], 10)
    own = [control_labels(types, targets, seed)[0] == 0 for seed in range(2000)]
    both = [len(set(control_labels(types, targets, seed).tolist())) == 1 for seed in range(2000)]
    assert abs(np.mean(own) - 0.5) < 0.05
    assert abs(np.mean(both) - 0.5) < 0.05
