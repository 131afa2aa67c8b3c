"""Cosines of pairs after standardization, and the thresholds of the grid, against plain loops."""

from typing import get_args

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import in_parts

from repstore.analysis import kernels
from repstore.analysis.bootstrap import Resampling
from repstore.analysis.pairs import Side, similarities
from repstore.analysis.scoring import label_scores
from repstore.analysis.thresholds import best_on_grid
from repstore.spec import Standardize
from repstore.storage.vectors import LayerVectors

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


def similar(layer: LayerVectors, pairs: oracles.Pairs, standardize: Standardize) -> np.ndarray:
    """Similarities of pairs within one layer."""
    a, b, _ = (np.array(column) for column in zip(*pairs, strict=True))
    return similarities(Side(layer, a), Side(layer, b), standardize)


def same_of(pairs: oracles.Pairs) -> np.ndarray:
    return np.array([same for _, _, same in pairs])


def best_threshold(cosines: np.ndarray, same: np.ndarray) -> float:
    (threshold,) = best_on_grid(cosines[None], same)
    return float(threshold)


def accuracy(cosines: np.ndarray, same: np.ndarray, threshold: float) -> float:
    """With the threshold that a single pair would choose on the grid, as it is the first above its cosine."""
    chosen_on = np.array([[threshold]]), np.array([False])
    scores = label_scores(chosen_on, (cosines[None], same), "grid", Resampling(0))
    assert scores.columns["threshold"] == threshold
    return float(scores.columns["accuracy"][0])


@everywhere
@pytest.mark.parametrize("n_pairs", [1, 2, 29, 30, 31, 60, 61, 75])  # 31 and 61 leave a last batch of one
@pytest.mark.parametrize(("sizes", "widened"), [((), ()), ((7, 20), (1,))])
def test_similarities_equal_the_procedure_in_plain_loops(standardize, n_pairs, sizes, widened):
    rows, pairs = vectors_of(50, 12), pairs_of(n_pairs, 50)
    got = similar(in_parts(rows, *sizes, widened=widened), pairs, standardize)
    assert got == pytest.approx(oracles.pair_similarities(rows, pairs, standardize), abs=1e-6)


@everywhere
def test_threshold_and_accuracy_equal_the_procedure_in_plain_loops(standardize):
    rows, selection, evaluation = vectors_of(60, 12), pairs_of(65, 60, seed=1), pairs_of(61, 60, seed=2)
    layer = in_parts(rows, 33)
    threshold = best_threshold(similar(layer, selection, standardize), same_of(selection))
    scored = accuracy(similar(layer, evaluation, standardize), same_of(evaluation), threshold)
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
    got = similar(in_parts(rows), pairs, standardize)
    # Deviations of a few words can be near 0; dividing by them magnifies the last digit of the mean.
    assert got == pytest.approx(oracles.pair_similarities(rows, pairs, standardize), abs=1e-4)


def test_standardizing_over_the_corpus_uses_the_words_outside_the_pairs_too():
    rows, pairs = vectors_of(50, 12), pairs_of(20, 10)
    whole = similar(in_parts(rows), pairs, "corpus")
    part = similar(in_parts(rows[:10]), pairs, "corpus")
    assert np.abs(whole - part).max() > 0.01
    assert whole == pytest.approx(oracles.pair_similarities(rows, pairs, "corpus"), abs=1e-6)


def test_the_order_of_pairs_matters_to_batches_only():
    rows, pairs = vectors_of(50, 12), pairs_of(60, 50)
    shuffled = pairs[::2] + pairs[1::2]
    for standardize in STANDARDIZATIONS:
        before, after = (similar(in_parts(rows), p, standardize) for p in (pairs, shuffled))
        moved = np.abs(np.concatenate([before[::2], before[1::2]]) - after).max()
        assert moved > 0.01 if standardize == "batch30" else moved < 1e-9


def test_pairs_beyond_one_block_equal_one_block(monkeypatch):
    rows, pairs = vectors_of(50, 12), pairs_of(100, 50)
    whole = {s: similar(in_parts(rows), pairs, s) for s in STANDARDIZATIONS}
    monkeypatch.setattr(kernels, "BLOCK_BYTES", 7 * 12 * 4)
    for standardize in STANDARDIZATIONS:
        got = similar(in_parts(rows, 11), pairs, standardize)
        assert got == pytest.approx(whole[standardize], abs=1e-9)


@everywhere
@pytest.mark.parametrize("value", [0.0, 0.1, -2.5])
def test_a_constant_layer_has_no_nan(standardize, value):
    rows, pairs = np.full((20, 6), value, np.float16), pairs_of(61, 20)
    cosines = similar(in_parts(rows), pairs, standardize)
    # As stored, equal vectors are alike; standardized, nothing is left of them, and its cosine is 0.
    expected = 1.0 if standardize == "none" and value else 0.0
    assert cosines == pytest.approx(expected, abs=1e-6)


@everywhere
def test_a_constant_layer_scores_the_share_of_one_answer(standardize):
    rows, pairs = np.full((20, 6), 0.1, np.float16), pairs_of(61, 20)
    cosines, same = similar(in_parts(rows), pairs, standardize), same_of(pairs)
    share = same.mean()
    scored = accuracy(cosines, same, best_threshold(cosines, same))
    assert scored == pytest.approx(share if standardize == "none" else 1 - share)


def test_a_last_batch_of_one_pair_has_cosine_zero():
    cosines = similar(in_parts(vectors_of(50, 12)), pairs_of(31, 50), "batch30")
    assert cosines[30] == 0
    assert np.abs(cosines[:30]).max() > 0.1


@pytest.mark.parametrize("standardize", ["none", "corpus"])
def test_a_word_paired_with_itself_has_cosine_one(standardize):
    pairs = [(n, n, True) for n in range(20)]
    assert similar(in_parts(vectors_of(20, 12)), pairs, standardize) == pytest.approx([1.0] * 20)


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


@everywhere
@pytest.mark.parametrize("n_pairs", [1, 31, 75])
@pytest.mark.parametrize("second_sizes", [(), (7, 20)])
def test_each_side_of_another_run_is_standardized_by_its_own(standardize, n_pairs, second_sizes):
    """The runs differ in scale, in their words, in their parts, and in which of these are float32."""
    first, second = vectors_of(50, 12), vectors_of(41, 12, seed=5) * np.float16(0.25) + np.float16(3)
    pairs = [(a, b % 41, same) for a, b, same in pairs_of(n_pairs, 50)]
    a, b, _ = (np.array(column) for column in zip(*pairs, strict=True))
    got = similarities(
        Side(in_parts(first, 30, widened=(1,)), a),
        Side(in_parts(second, *second_sizes, widened=(0,)), b),
        standardize,
    )
    assert got == pytest.approx(oracles.pair_similarities(first, pairs, standardize, second), abs=1e-6, rel=0)
    swapped = similarities(Side(in_parts(second), b), Side(in_parts(first), a), standardize)
    assert swapped == pytest.approx(got, abs=2e-6)


@everywhere
@settings(deadline=None, max_examples=25)
@given(n_pairs=st.integers(1, 40), seed=st.integers(0, 999), wide=st.booleans())
def test_two_sides_equal_plain_loops_at_any_shape(standardize, n_pairs, seed, wide):
    first, second = vectors_of(9, 5, seed), vectors_of(7, 5, seed + 1)
    pairs = [(a, b % 7, same) for a, b, same in pairs_of(n_pairs, 9, seed)]
    a, b, _ = (np.array(column) for column in zip(*pairs, strict=True))
    sides = Side(in_parts(first, 4), a), Side(in_parts(second, 2, widened=(wide,)), b)
    # As in the test above: deviations of a few words can be near 0.
    expected = oracles.pair_similarities(first, pairs, standardize, second)
    assert similarities(*sides, standardize) == pytest.approx(expected, abs=1e-4)


@everywhere
@pytest.mark.parametrize("scale", [1e-20, 1.0, 1e30])
def test_float32_of_any_size_have_the_cosines_of_plain_loops(standardize, scale):
    rows = (np.random.default_rng(0).normal(size=(40, 8)) * scale).astype(np.float32)
    pairs = pairs_of(61, 40)
    expected = oracles.pair_similarities(rows, pairs, standardize)
    assert similar(in_parts(rows, 13), pairs, standardize) == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("threshold", oracles.GRID)
def test_a_cosine_on_the_grid_is_on_the_same_side_of_it_as_in_plain_loops(threshold):
    """Sums in float32 would put some of these on the wrong side."""
    random = np.random.default_rng(0)
    rows = []
    for _ in range(300):
        a, ortho = np.linalg.qr(random.normal(size=(24, 2)))[0].T
        rows += [a, threshold * a + np.sqrt(1 - threshold**2) * ortho]
    layer = np.array(rows).astype(np.float16)
    pairs = [(n, n + 1, True) for n in range(0, 600, 2)]
    expected = oracles.pair_similarities(layer, pairs, "none")
    beside = np.abs(np.array(expected) - threshold) < 8e-6
    assert beside.any()
    got = similar(in_parts(layer), pairs, "none")
    assert got[beside] == pytest.approx(np.array(expected)[beside], abs=1e-12)
    assert [c > threshold for c in got] == [c > threshold for c in expected]


@pytest.mark.parametrize("n_ones", [20, 40, 100, 320])
@pytest.mark.parametrize("value", [1.0, 3.0, 0.1, 7.3])
@pytest.mark.parametrize("dtype", [np.float16, np.float32])
def test_a_cosine_exactly_on_the_grid_does_not_exceed_it(n_ones, value, dtype):
    """Vectors of equal numbers at `n_ones` places, of which n/20 are shared: the cosine is n/20."""
    rows = []
    for n in range(21):
        shift = n_ones - n * n_ones // 20
        for start in (0, shift):
            row = np.zeros(2 * n_ones)
            row[start : start + n_ones] = value
            rows.append(row)
    pairs = [(2 * n, 2 * n + 1, True) for n in range(21)]
    got = similar(in_parts(np.array(rows).astype(dtype)), pairs, "none")
    above = (got[:, None] > np.array(oracles.GRID)).tolist()
    assert above == [[n > step for step in range(20)] for n in range(21)]
