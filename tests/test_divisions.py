"""Divisions of examples: what holds of every one, and what is refused."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from repstore.analysis.divisions import SHARES, divide, held_out
from repstore.errors import ArgumentError, ResultError

SEEDS = st.integers(0, 999)
SIZES = st.lists(st.integers(1, 30), min_size=3, max_size=40)


def shuffled_groups(sizes: list[int], seed: int) -> np.ndarray:
    """Groups of these sizes, under any numbers, in any order."""
    random = np.random.default_rng(seed)
    names = random.choice(10_000, len(sizes), replace=False) - 1
    return random.permutation(np.repeat(names, sizes))


@given(SIZES, SEEDS)
def test_every_example_is_on_one_side_and_no_group_on_two(sizes, seed):
    groups = shuffled_groups(sizes, seed)
    division = divide(groups, seed)
    assert sorted(np.concatenate(division.sides).tolist()) == list(range(len(groups)))
    for rows in division.sides:
        assert len(rows)
        assert rows.dtype == np.int64
        assert (np.diff(rows) > 0).all()
    on_sides = [set(groups[rows].tolist()) for rows in division.sides]
    assert sum(map(len, on_sides)) == len(sizes)


@given(SIZES, SEEDS, st.booleans(), st.sampled_from([SHARES, (0.2, 0.4, 0.4), (0.8, 0.1, 0.1)]))
def test_shares_of_examples_are_near(sizes, seed, has_targets, shares):
    groups = shuffled_groups(sizes, seed)
    targets = np.unique(groups, return_inverse=True)[1] // 2 if has_targets else None
    division = divide(groups, seed, shares=shares, targets=targets)
    two_largest = sum(sorted(sizes)[-2:])
    for rows, share in zip(division.sides, shares, strict=True):
        assert abs(len(rows) - share * len(groups)) <= two_largest


def test_shares_are_exact_where_they_can_be():
    groups = np.repeat(np.arange(40), 5)
    for targets in (None, groups // 2, np.arange(200) % 5):
        for shares in (SHARES, (0.2, 0.4, 0.4)):
            sides = divide(groups, 3, shares=shares, targets=targets).sides
            assert [len(rows) for rows in sides] == [round(200 * share) for share in shares]


@given(SIZES, SEEDS)
def test_the_same_seed_divides_in_the_same_way_whatever_groups_are_called(sizes, seed):
    groups = shuffled_groups(sizes, seed)
    renamed = groups * 7 - 3
    for a, b in zip(divide(groups, seed).sides, divide(renamed, seed).sides, strict=True):
        assert a.tolist() == b.tolist()


def test_another_seed_divides_otherwise_and_any_group_can_be_tested():
    groups = np.repeat(np.arange(10), 4)
    tested = [divide(groups, seed).test // 4 for seed in range(60)]
    assert set(np.concatenate(tested).tolist()) == set(range(10))


def of_classes(n_classes: int, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """30 groups of 4 examples; a rare class for each of the first pairs of groups, else class 0."""
    groups = np.random.default_rng(seed).permutation(np.repeat(np.arange(30), 4))
    targets = np.where(groups < 2 * (n_classes - 1), groups // 2 + 1, 0)
    return groups, targets


@given(st.integers(2, 9), SEEDS)
def test_every_class_of_several_groups_is_in_training(n_classes, seed):
    groups, targets = of_classes(n_classes, seed)
    division = divide(groups, seed, targets=targets)
    assert set(targets[division.train].tolist()) == set(range(n_classes))
    several = np.eye(n_classes, dtype=bool)[targets]
    for a, b in zip(division.sides, divide(groups, seed, targets=several).sides, strict=True):
        assert a.tolist() == b.tolist()


def test_without_targets_a_rare_class_may_be_missing_from_training():
    groups, targets = of_classes(9, 0)
    seen = [len(set(targets[divide(groups, seed).train].tolist())) for seed in range(20)]
    assert min(seen) < 9


@given(st.integers(2, 5), st.booleans(), SEEDS)
def test_classes_are_as_frequent_on_all_sides_up_to_a_group(n_classes, several, seed):
    """So that what is more frequent in training is not less frequent in the test."""
    groups = np.repeat(np.arange(10 * n_classes), 4)
    targets = groups % n_classes
    sides = divide(groups, seed, targets=np.eye(n_classes, dtype=bool)[targets] if several else targets)
    counts = np.array([np.bincount(targets[rows], minlength=n_classes) for rows in sides.sides])
    assert counts.tolist() == [[24] * n_classes, [8] * n_classes, [8] * n_classes]


def test_any_group_of_a_class_of_several_can_be_tested():
    groups, targets = np.repeat(np.arange(12), 4), np.repeat(np.arange(12) // 3, 4)
    tested = [divide(groups, seed, targets=targets).test[::4] // 4 for seed in range(100)]
    assert set(np.concatenate(tested).tolist()) == set(range(12))


def test_an_example_may_have_no_class():
    groups = np.repeat(np.arange(6), 3)
    targets = np.zeros((18, 2), bool)
    targets[[0, 3], 1] = True
    division = divide(groups, 0, targets=targets)
    assert targets[division.train, 1].any()
    assert sorted(np.concatenate(division.sides).tolist()) == list(range(18))


def test_a_class_of_one_group_is_left_to_chance():
    """As senses are, if words are divided by lemma."""
    groups = np.repeat(np.arange(10), 4)
    targets = np.where(groups == 7, 1, 0)
    tested = [7 in groups[divide(groups, seed, targets=targets).test] for seed in range(200)]
    assert 0.1 < np.mean(tested) < 0.3


@given(st.integers(3, 12), SEEDS)
def test_classes_that_share_groups_in_pairs_leave_something_to_test(n_groups, seed):
    random = np.random.default_rng(seed)
    groups = random.permutation(np.repeat(np.arange(n_groups), random.integers(1, 20, n_groups)))
    targets = random.integers(0, 40, len(groups))
    assert all(len(rows) for rows in divide(groups, seed, targets=targets).sides)


@pytest.mark.parametrize("n_groups", [0, 1, 2])
def test_fewer_groups_than_sides_are_refused(n_groups):
    with pytest.raises(ResultError, match=f"of {n_groups} groups.*divide them by text"):
        divide(np.repeat(np.arange(n_groups), 50), 0)


@pytest.mark.parametrize("shares", [(0.6, 0.2, 0.3), (1.0, 0.0, 0.0), (1.2, -0.1, -0.1)])
def test_shares_that_are_none_are_refused(shares):
    with pytest.raises(ArgumentError, match="add up to 1"):
        divide(np.arange(9), 0, shares=shares)


@given(st.lists(st.integers(0, 6), min_size=2, max_size=40), st.floats(0.05, 0.95), SEEDS)
def test_whole_groups_are_held_out_until_they_have_their_share(groups, share, seed):
    given = np.array(groups)
    assume(len(set(groups)) > 1)
    held = held_out(given, seed, share)
    assert np.array_equal(held, held_out(given, seed, share))
    inside, outside = set(given[held].tolist()), set(given[~held].tolist())
    assert inside
    assert outside
    assert not inside & outside
    largest = max(Counter(groups).values())
    assert held.sum() < share * len(groups) + largest
    assert held.sum() >= share * len(groups) or len(outside) == 1


def test_another_seed_holds_out_other_groups():
    groups = np.arange(20)
    held = [held_out(groups, seed, 0.2) for seed in (0, 1)]
    assert held[0].sum() == held[1].sum() == 4
    assert not np.array_equal(*held)
