"""Control tasks, against plain loops."""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from repstore.analysis.control import control_labels
from repstore.analysis.divisions import divide

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
    assert np.array_equal(shares, [0.7, 0.25, 0.05])


@given(st.integers(1, 60), st.integers(1, 12), st.integers(1, 4), st.booleans(), SEEDS)
def test_a_label_is_as_frequent_as_in_the_task_up_to_the_examples_of_a_type(
    n, n_types, n_classes, several, seed
):
    random = np.random.default_rng(seed)
    types = random.integers(0, n_types, n)
    targets = random.integers(0, n_classes, n)
    if several:
        targets = random.random((n, n_classes)) < 0.3
    before, after = (
        Counter(map(str, labels.tolist())) for labels in (targets, control_labels(types, targets, seed))
    )
    most = max(Counter(types.tolist()).values())
    assert all(abs(before[label] - after[label]) <= most for label in before)


def test_every_type_gets_every_label_as_often_as_it_is_in_the_task():
    """Over many seeds, whatever its size, and no more often its own."""
    types = np.repeat([0, 1, 2, 3], [1, 3, 6, 10])
    targets = np.where(types == 2, 0, 1)  # 30 % are 0
    drawn = np.array([control_labels(types, targets, seed) for seed in range(3000)])
    for name in range(4):
        assert abs((drawn[:, types == name] == 0).mean() - 0.3) < 0.03  # 3.6 standard errors


def test_labels_do_not_go_with_the_sides_that_the_same_seed_divides_examples_into():
    targets = np.arange(200) % 2
    shares = []
    for seed in range(100):
        labels = control_labels(np.arange(200), targets, seed)
        shares.append([labels[side].mean() for side in divide(np.arange(200), seed, targets=targets).sides])
    by_chance = np.array([120, 40, 40]) ** -0.5 * 0.5 * 0.8  # mean deviation from 0.5
    assert (np.abs(np.array(shares) - 0.5).mean(axis=0) < 1.3 * by_chance).all()


def test_two_types_get_the_same_label_no_more_often_than_chance_has_it():
    targets = np.arange(40) % 2
    drawn = np.array([control_labels(np.repeat(np.arange(20), 2), targets, seed) for seed in range(2000)])
    same = (drawn[:, 0] == drawn[:, 2]).mean()
    assert abs(same - 9 / 19) < 0.045  # each other of 19 types is one of the 9 that have its label
