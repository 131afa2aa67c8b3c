"""What answers are worth, against scikit-learn and plain loops."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sklearn.metrics import f1_score

from repstore.analysis.answers import best_threshold, worth, worth_of_most_frequent

SEEDS = st.integers(0, 999)


def share(of: tuple[np.ndarray, np.ndarray]) -> float:
    reached, possible = of
    return reached.sum() / possible.sum()


def test_an_answer_is_right_where_its_logit_is_highest_the_first_of_equals():
    logits = np.array([[1, 2, 0], [3, 3, 1], [0, 0, 0]], np.float32)
    reached, possible = worth(logits, np.array([1, 1, 0]))
    assert reached.tolist() == [1, 0, 1]
    assert possible.tolist() == [1, 1, 1]


@given(st.integers(1, 20), st.integers(1, 4), SEEDS)
def test_answers_of_several_classes_are_worth_their_micro_averaged_f1(n, n_classes, seed):
    random = np.random.default_rng(seed)
    logits, targets = random.normal(size=(n, n_classes)), random.random((n, n_classes)) < 0.5
    logits[0, 0], targets[0, 0] = 1, True
    expected = f1_score(targets.reshape(-1), logits.reshape(-1) > 0)
    assert share(worth(logits, targets)) == pytest.approx(expected)


@given(st.integers(1, 12), st.integers(1, 3), SEEDS)
def test_no_threshold_reaches_more_than_the_best(n, n_classes, seed):
    random = np.random.default_rng(seed)
    logits = random.integers(-3, 4, (n, n_classes)).astype(np.float32)
    targets = random.random((n, n_classes)) < 0.5
    targets[0, 0] = True
    found = share(worth(logits - best_threshold(logits, targets), targets))
    assert found == max(share(worth(logits - at, targets)) for at in np.arange(-3.5, 3))


@given(st.lists(st.integers(0, 5), min_size=1, max_size=30), st.lists(st.integers(0, 5), max_size=30))
def test_the_most_frequent_class_of_training_is_the_answer_and_the_lowest_of_several(train, test):
    counts = Counter(train)
    expected = min(counts, key=lambda label: (-counts[label], label))
    ends = np.split(np.arange(len(train) + len(test)), [len(train)])
    reached, possible = worth_of_most_frequent(np.array(train + test), *ends, 6)
    assert reached.tolist() == [label == expected for label in test]
    assert possible.tolist() == [1] * len(test)


def test_of_several_classes_the_most_frequent_is_said_of_every_example_and_no_other():
    targets = np.array([[1, 1, 0], [0, 1, 1], [1, 1, 0], [0, 0, 1], [0, 1, 0]], bool)
    reached, possible = worth_of_most_frequent(targets, np.arange(3), np.array([3, 4]), 3)
    assert reached.tolist() == [0, 2]
    assert possible.tolist() == [2, 2]
