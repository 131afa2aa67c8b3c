"""The Word-in-Context probe, against the procedure written out in plain loops."""

from typing import get_args

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import in_parts

from repstore.analysis import kernels
from repstore.analysis.pairs import PairSet, accuracy, best_threshold, similarities
from repstore.analysis.standardize import moments
from repstore.spec import Standardize

STANDARDIZATIONS = get_args(Standardize)
everywhere = pytest.mark.parametrize("standardize", STANDARDIZATIONS)


def vectors_of(n_words: int, d_model: int, seed: int = 0) -> np.ndarray:
    """Like those of a language model: a common direction, two outlier dimensions, a constant one."""
    rows = np.random.default_rng(seed).normal(size=(n_words, d_model)) + 1
    rows[:, 0] *= 300
    rows[:, 1] += 2000
    rows[:, 2] = 0.5
    return rows.astype(np.float16)


def pairs_of(n_pairs: int, n_words: int, seed: int = 0) -> list[tuple[int, int, bool]]:
    random = np.random.default_rng(seed)
    sides = random.integers(0, n_words, (n_pairs, 2))
    return [(int(a), int(b), bool(random.random() < 0.4)) for a, b in sides]


def pair_set(pairs: list[tuple[int, int, bool]]) -> PairSet:
    a, b, same = (np.array(column) for column in zip(*pairs, strict=True))
    return PairSet(a, b, same)


@everywhere
@pytest.mark.parametrize("n_pairs", [1, 2, 29, 30, 31, 60, 61, 75])  # 31 and 61 leave a last batch of one
@pytest.mark.parametrize(("sizes", "widened"), [((), ()), ((7, 20), (1,))])
def test_similarities_equal_the_procedure_in_plain_loops(standardize, n_pairs, sizes, widened):
    rows, pairs = vectors_of(50, 12), pairs_of(n_pairs, 50)
    got = similarities(in_parts(rows, *sizes, widened=widened), pair_set(pairs), standardize)
    assert got == pytest.approx(oracles.pair_similarities(rows, pairs, standardize), abs=1e-6)


@everywhere
def test_threshold_and_accuracy_equal_the_procedure_in_plain_loops(standardize):
    rows, selection, evaluation = vectors_of(60, 12), pairs_of(65, 60, seed=1), pairs_of(61, 60, seed=2)
    layer, same = in_parts(rows, 33), np.array([same for _, _, same in evaluation])
    threshold = best_threshold(
        similarities(layer, pair_set(selection), standardize), pair_set(selection).same
    )
    scored = accuracy(similarities(layer, pair_set(evaluation), standardize), same, threshold)
    assert (threshold, scored) == oracles.wic(rows, selection, evaluation, standardize)


@everywhere
@settings(deadline=None, max_examples=25)
@given(
    n_words=st.integers(1, 12),
    n_pairs=st.integers(1, 40),
    d_model=st.integers(3, 6),
    seed=st.integers(0, 999),
)
def test_similarities_equal_plain_loops_at_any_shape(standardize, n_words, n_pairs, d_model, seed):
    rows, pairs = vectors_of(n_words, d_model, seed), pairs_of(n_pairs, n_words, seed)
    got = similarities(in_parts(rows), pair_set(pairs), standardize)
    # Deviations of a few words can be near 0; dividing by them magnifies the last digit of the mean.
    assert got == pytest.approx(oracles.pair_similarities(rows, pairs, standardize), abs=1e-4)


def test_standardizing_over_the_corpus_uses_the_words_outside_the_pairs_too():
    rows, pairs = vectors_of(50, 12), pairs_of(20, 10)
    whole = similarities(in_parts(rows), pair_set(pairs), "corpus")
    part = similarities(in_parts(rows[:10]), pair_set(pairs), "corpus")
    given_moments = similarities(in_parts(rows[:10]), pair_set(pairs), "corpus", moments([rows]))
    assert np.abs(whole - part).max() > 0.01
    assert given_moments == pytest.approx(whole, abs=1e-12)


def test_the_order_of_pairs_matters_to_batches_only():
    rows, pairs = vectors_of(50, 12), pairs_of(60, 50)
    shuffled = pairs[::2] + pairs[1::2]
    for standardize in STANDARDIZATIONS:
        before, after = (similarities(in_parts(rows), pair_set(p), standardize) for p in (pairs, shuffled))
        moved = np.abs(np.concatenate([before[::2], before[1::2]]) - after).max()
        assert moved > 0.01 if standardize == "batch30" else moved < 1e-9


def test_pairs_beyond_one_block_equal_one_block(monkeypatch):
    rows, pairs = vectors_of(50, 12), pair_set(pairs_of(100, 50))
    whole = {s: similarities(in_parts(rows), pairs, s) for s in STANDARDIZATIONS}
    monkeypatch.setattr(kernels, "BLOCK_BYTES", 7 * 12 * 4)
    for standardize in STANDARDIZATIONS:
        got = similarities(in_parts(rows, 11), pairs, standardize)
        assert got == pytest.approx(whole[standardize], abs=1e-9)


@everywhere
@pytest.mark.parametrize("value", [0.0, 0.1, -2.5])
def test_a_constant_layer_has_no_nan(standardize, value):
    rows, pairs = np.full((20, 6), value, np.float16), pairs_of(61, 20)
    cosines = similarities(in_parts(rows), pair_set(pairs), standardize)
    # As stored, equal vectors are alike; standardized, nothing is left of them, and its cosine is 0.
    expected = 1.0 if standardize == "none" and value else 0.0
    assert cosines == pytest.approx(expected, abs=1e-6)


@everywhere
def test_a_constant_layer_scores_the_share_of_one_answer(standardize):
    rows, pairs = np.full((20, 6), 0.1, np.float16), pair_set(pairs_of(61, 20))
    cosines = similarities(in_parts(rows), pairs, standardize)
    share = pairs.same.mean()
    scored = accuracy(cosines, pairs.same, best_threshold(cosines, pairs.same))
    assert scored == pytest.approx(share if standardize == "none" else 1 - share)


def test_a_last_batch_of_one_pair_has_cosine_zero():
    cosines = similarities(in_parts(vectors_of(50, 12)), pair_set(pairs_of(31, 50)), "batch30")
    assert cosines[30] == 0
    assert np.abs(cosines[:30]).max() > 0.1


@pytest.mark.parametrize("standardize", ["none", "corpus"])
def test_a_word_paired_with_itself_has_cosine_one(standardize):
    pairs = [(n, n, True) for n in range(20)]
    assert similarities(in_parts(vectors_of(20, 12)), pair_set(pairs), standardize) == pytest.approx(
        [1.0] * 20
    )


@settings(deadline=None, max_examples=100)
@given(
    st.lists(
        st.tuples(st.sampled_from([*oracles.GRID, -1.0, 1.0, 0.475]), st.booleans()), min_size=1, max_size=40
    )
)
def test_the_threshold_is_the_first_best_and_a_cosine_must_exceed_it(scored):
    cosines, same = (list(column) for column in zip(*scored, strict=True))
    threshold = best_threshold(np.array(cosines), np.array(same))
    assert threshold == oracles.first_best_threshold(cosines, same)
    expected = oracles.n_correct(cosines, same, threshold) / len(same)
    assert accuracy(np.array(cosines), np.array(same), threshold) == expected


def test_a_cosine_equal_to_the_threshold_means_different_senses():
    assert accuracy(np.array([0.5, 0.5]), np.array([True, False]), 0.5) == 0.5
    assert accuracy(np.array([0.5]), np.array([False]), 0.5) == 1
    # 0.95 is in the grid, 1.00 is not.
    assert best_threshold(np.array([0.95, 0.96]), np.array([False, True])) == 0.95
