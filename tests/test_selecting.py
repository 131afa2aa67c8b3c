"""Learning which dimensions tell senses apart, from pairs whose answer is known."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch

from repstore.training import selecting
from repstore.training.selecting import select_dimensions

N_PAIRS, D, N_PLANTED = 1200, 64, 12
TRAIN, SELECT, TEST = np.split(np.arange(N_PAIRS), [600, 800])


def planted(seed: int) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
    """Both sides, labels and the dimensions that they depend on.

    In the others, the words of a pair are alike to a degree that says nothing about its label.
    """
    random = np.random.default_rng(seed)
    is_planted = np.isin(np.arange(D), random.choice(D, N_PLANTED, replace=False))
    same = random.random(N_PAIRS) < 0.5
    a, b = random.normal(size=(2, N_PAIRS, D))
    alike = np.where(is_planted, 0.8 * same[:, None], random.random((N_PAIRS, 1)))
    b = alike * a + np.sqrt(1 - alike**2) * b
    return a.astype(np.float32), b.astype(np.float32), same, is_planted


def naive_accuracy(a, b, same, kept, train, judged) -> float:
    """By the first threshold, of those between the cosines, that tells most training pairs right."""
    a, b = a[:, kept].astype(float), b[:, kept].astype(float)
    cosines = np.array([x @ y / (x @ x * (y @ y)) ** 0.5 for x, y in zip(a, b, strict=True)])
    between = [(low + high) / 2 for low, high in pairwise([-2.0, *sorted(cosines[train]), 2.0])]
    right = [((cosines[train] > threshold) == same[train]).sum() for threshold in between]
    threshold = between[right.index(max(right))]
    return float(((cosines[judged] > threshold) == same[judged]).mean())


@pytest.mark.parametrize("seed", range(3))
def test_dimensions_that_labels_depend_on_are_found(seed):
    a, b, same, is_planted = planted(seed)
    found = select_dimensions(a, b, same, TRAIN, SELECT, seed=seed)
    n_right = (found.kept & is_planted).sum()
    assert n_right / found.kept.sum() >= 0.9  # precision
    assert n_right / N_PLANTED >= 0.75  # recall
    before, after = (naive_accuracy(a, b, same, kept, TRAIN, TEST) for kept in (np.ones(D, bool), found.kept))
    assert before < 0.7
    assert after > 0.9


@pytest.mark.parametrize("seed", range(3))
def test_of_labels_at_random_a_mask_tells_other_pairs_no_better_than_chance(seed):
    a, b, _, _ = planted(seed)
    same = np.random.default_rng(100 + seed).random(N_PAIRS) < 0.5
    found = select_dimensions(a, b, same, TRAIN, SELECT, seed=seed)
    deviation = 0.5 / len(TEST) ** 0.5
    assert abs(naive_accuracy(a, b, same, found.kept, TRAIN, TEST) - 0.5) < 3 * deviation


def test_the_accuracy_is_that_of_the_mask_on_the_selection_pairs():
    a, b, same, _ = planted(0)
    few = np.arange(90)
    found = select_dimensions(a[few], b[few], same[few], few[:60], few[60:], seed=1)
    assert found.accuracy == naive_accuracy(a, b, same, found.kept, few[:60], few[60:])


def test_the_same_arguments_give_the_same_mask_on_any_number_of_threads():
    a, b, same, _ = planted(1)
    n_threads = torch.get_num_threads()
    try:
        kept = []
        for n in (1, 3):
            torch.set_num_threads(n)
            kept.append(select_dimensions(a, b, same, TRAIN[:200], SELECT, seed=5).kept)
            assert torch.get_num_threads() == n
    finally:
        torch.set_num_threads(n_threads)
    assert np.array_equal(*kept)
    other = select_dimensions(a, b, same, TRAIN[:200], SELECT, seed=6)
    assert not np.array_equal(kept[0], other.kept)


def test_what_pairs_to_test_on_are_makes_no_difference():
    a, b, same, _ = planted(2)
    found = select_dimensions(a, b, same, TRAIN[:200], SELECT, seed=0)
    a[TEST], b[TEST], same[TEST] = np.nan, np.nan, ~same[TEST]
    again = select_dimensions(a, b, same, TRAIN[:200], SELECT, seed=0)
    assert np.array_equal(found.kept, again.kept)


def test_of_masks_that_do_as_well_the_smallest_is_kept_and_one_dimension_is_left(monkeypatch):
    monkeypatch.setattr(selecting, "SPARSITY", 1e3)
    a, _, same, _ = planted(3)
    b = np.where(same[:, None], a, -a)  # any dimension tells
    found = select_dimensions(a, b, same, TRAIN, SELECT, seed=0)
    assert (found.kept.sum(), found.accuracy) == (1, 1.0)


def test_the_gradient_of_the_mask_is_that_of_dimensions_that_come_and_go_slowly():
    a, b, _, _ = planted(0)
    vectors = torch.from_numpy(a[:7]).double(), torch.from_numpy(b[:7]).double()
    mask = torch.from_numpy(np.arange(D) % 3 > 0).double().requires_grad_()
    torch.autograd.gradcheck(lambda at: selecting._cosines(vectors, at), mask)
    kept = np.arange(D) % 3 > 0
    for n, cosine in enumerate(selecting._cosines(vectors, mask).tolist()):
        x, y = a[n, kept].astype(float), b[n, kept].astype(float)
        assert cosine == pytest.approx(x @ y / np.sqrt(x @ x * (y @ y)), abs=1e-12)


def test_a_dimension_of_zeros_and_words_without_a_vector_in_the_mask_do_no_harm():
    a, b, same, _ = planted(0)
    a[:, :8], b[:, :8] = 0, 0
    a[5] = 0
    found = select_dimensions(a, b, same, TRAIN[:200], SELECT, seed=0)
    assert found.kept[8:].any()
    assert found.accuracy > 0.8
