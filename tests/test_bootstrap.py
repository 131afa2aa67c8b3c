"""Resamples of pairs, against drawing the pairs one by one, and intervals, against what they promise."""

import itertools

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import spearmanr

from repstore.analysis import bootstrap
from repstore.analysis.bootstrap import BLOCK, Resampling, interval, of_means, of_spearman
from repstore.analysis.scoring import Scores, best_layers, label_scores, rating_scores

sizes = pytest.mark.parametrize("n", [1, 2, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK + 3])


def counts_of(resampling: Resampling, n_pairs: int) -> np.ndarray:
    """*Shape:* (n_resamples, n_pairs)."""
    return np.concatenate(list(resampling.counts(n_pairs)), axis=1).T


def drawn(resampling: Resampling, n_pairs: int) -> list[list[int]]:
    """The pairs of each resample, one by one."""
    return [
        [pair for pair, count in enumerate(counts) for _ in range(count)]
        for counts in counts_of(resampling, n_pairs).tolist()
    ]


@sizes
@pytest.mark.parametrize("n_pairs", [1, 2, 7, 300])
def test_a_resample_draws_as_many_pairs_as_there_are(n, n_pairs):
    counts = counts_of(Resampling(n), n_pairs)
    assert counts.shape == (n, n_pairs)
    assert set(counts.sum(axis=1, dtype=int).tolist()) == {n_pairs}


def test_pairs_are_drawn_alike_often_and_independently():
    n_pairs, n = 20, 20_000
    counts = counts_of(Resampling(n), n_pairs).astype(float)
    # Binomial: n_pairs draws of chance 1 / n_pairs. Four standard errors of 20 means (and of variances).
    variance = 1 - 1 / n_pairs
    assert np.abs(counts.mean(axis=0) - 1).max() < 4 * (variance / n) ** 0.5
    assert counts.var(axis=0) == pytest.approx(variance, abs=0.06)
    correlations = np.corrcoef(counts, rowvar=False)[~np.eye(n_pairs, dtype=bool)]
    assert correlations == pytest.approx(-1 / (n_pairs - 1), abs=0.035)


def test_every_resample_of_two_pairs_is_as_likely_as_it_should_be():
    counts = counts_of(Resampling(20_000), 2)[:, 0]
    shares = [float((counts == times).mean()) for times in range(3)]
    assert shares == pytest.approx([0.25, 0.5, 0.25], abs=0.02)


@sizes
def test_the_seed_decides_the_resamples(n):
    once, again, other = (counts_of(Resampling(n, seed), 50) for seed in (3, 3, 4))
    assert np.array_equal(once, again)
    assert not np.array_equal(once, other)


def test_the_same_resamples_are_drawn_again_when_they_are_no_longer_held():
    before = counts_of(Resampling(700, 1), 40)
    for n_pairs in range(1, 20):
        counts_of(Resampling(3), n_pairs)
    assert np.array_equal(counts_of(Resampling(700, 1), 40), before)


def test_resamples_differ_from_each_other_across_blocks():
    counts = counts_of(Resampling(2 * BLOCK), 40)
    assert len(np.unique(counts, axis=0)) == 2 * BLOCK


@settings(deadline=None, max_examples=40)
@given(st.data(), st.integers(1, 12), st.integers(1, 3), st.integers(1, 5), st.integers(0, 9))
def test_means_equal_those_of_the_pairs_drawn_one_by_one(data, n_pairs, n_scores, n, seed):
    rows = st.lists(st.booleans(), min_size=n_pairs, max_size=n_pairs)
    right = data.draw(st.lists(rows, min_size=n_scores, max_size=n_scores))
    got = of_means(np.array(right), Resampling(n, seed))
    expected = [
        [sum(row[pair] for pair in pairs) / n_pairs for pairs in drawn(Resampling(n, seed), n_pairs)]
        for row in right
    ]
    assert got.shape == (n_scores, n)
    assert got.tolist() == expected


def test_means_over_several_blocks_equal_those_of_the_pairs_drawn_one_by_one():
    right = np.random.default_rng(0).random((3, 101)) < 0.7
    resampling = Resampling(BLOCK + 7, 5)
    expected = [[right[n, pairs].mean() for pairs in drawn(resampling, 101)] for n in range(3)]
    np.testing.assert_allclose(of_means(right, resampling), expected, rtol=1e-14)


def spearman_by_scipy(x: list[float], y: list[float]) -> float:
    """scipy warns of constant input; it is NaN there."""
    return float(spearmanr(x, y).statistic) if len(set(x)) > 1 and len(set(y)) > 1 else np.nan


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(1, 12), st.integers(1, 3), st.integers(0, 20))
def test_correlations_equal_those_of_scipy_over_pairs_repeated_literally(data, n_pairs, n_scores, seed):
    value = data.draw(st.sampled_from([st.integers(0, 2), st.floats(-1, 1), st.just(1)]))
    row = st.lists(value, min_size=n_pairs, max_size=n_pairs)
    x = np.array(data.draw(st.lists(row, min_size=n_scores, max_size=n_scores)), float)
    y = np.array(data.draw(st.lists(st.integers(0, 3), min_size=n_pairs, max_size=n_pairs)), float)
    resampling = Resampling(6, seed)
    got = of_spearman(x, y, resampling)
    assert got.shape == (n_scores, 6)
    for n, counts in enumerate(counts_of(resampling, n_pairs)):
        for score in range(n_scores):
            expected = spearman_by_scipy(np.repeat(x[score], counts), np.repeat(y, counts))
            assert got[score, n] == pytest.approx(expected, abs=1e-9, nan_ok=True)


def test_correlations_over_several_blocks_equal_those_of_scipy():
    random = np.random.default_rng(0)
    y = random.integers(1, 6, 80).astype(float)
    x = np.stack([y + random.normal(0, 3, 80), random.integers(0, 4, 80).astype(float)])
    resampling = Resampling(BLOCK + 3, 2)
    got = of_spearman(x, y, resampling)
    for n, counts in itertools.islice(enumerate(counts_of(resampling, 80)), 0, None, 29):
        for score in (0, 1):
            expected = spearman_by_scipy(np.repeat(x[score], counts), np.repeat(y, counts))
            assert got[score, n] == pytest.approx(expected, abs=1e-12)


@settings(deadline=None, max_examples=100)
@given(st.lists(st.lists(st.floats(-1, 1) | st.just(np.nan), min_size=5, max_size=5), min_size=1, max_size=4))
def test_intervals_are_percentiles_of_what_is_defined(resampled):
    low, high = interval(np.array(resampled))
    for row, lowest, highest in zip(resampled, low, high, strict=True):
        assert lowest == pytest.approx(oracles.percentile(row, 0.025), abs=1e-12, nan_ok=True)
        assert highest == pytest.approx(oracles.percentile(row, 0.975), abs=1e-12, nan_ok=True)


@sizes
def test_intervals_equal_those_of_numpy(n):
    resampled = np.random.default_rng(0).normal(size=(4, n))
    resampled[1, ::3] = np.nan
    resampled[2] = np.nan
    low, high = interval(resampled)
    for row in (0, 3, 1) if n > 1 else (0, 3):
        assert (low[row], high[row]) == pytest.approx(tuple(np.nanpercentile(resampled[row], [2.5, 97.5])))
    assert np.isnan([low[2], high[2]]).all()


def test_no_resamples_give_no_interval():
    right = np.ones((3, 10), bool)
    for resampled in (of_means(right, Resampling(0)), of_spearman(right, right[0], Resampling(0))):
        assert resampled.shape == (3, 0)
        assert np.isnan(interval(resampled)).all()


def test_the_interval_of_an_accuracy_covers_the_true_one_about_as_often_as_it_says():
    """400 draws of 200 pairs of which 70 % are right on average.

    The number of draws covered is binomial: at 95 % its standard deviation is 1.1 %. Accuracies come in steps
    of 0.5 %, and percentile intervals are a little short at this size; 92 % to 98 % leaves room for both.
    """
    random = np.random.default_rng(0)
    right = random.random((400, 200)) < 0.7
    low, high = interval(of_means(right, Resampling(1000)))
    covered = np.mean((low <= 0.7) & (high >= 0.7))
    assert 0.92 <= covered <= 0.98
    # 1.96 standard errors to either side, as the normal distribution has it
    assert np.mean(high - low) == pytest.approx(2 * 1.96 * (0.7 * 0.3 / 200) ** 0.5, rel=0.05)


def test_the_interval_of_a_difference_covers_the_true_one_about_as_often_as_it_says():
    """Two scores of the same pairs, right together more often than not; one is 10 % better."""
    random = np.random.default_rng(1)
    chance = random.random((400, 200))
    better, worse = chance < 0.7, (chance < 0.5) | (chance > 0.9)
    assert np.mean(better) - np.mean(worse) == pytest.approx(0.1, abs=0.01)
    resampling = Resampling(1000)
    low, high = interval(of_means(better, resampling) - of_means(worse, resampling))
    assert 0.92 <= np.mean((low <= 0.1) & (high >= 0.1)) <= 0.98


def test_the_interval_of_a_correlation_covers_the_true_one_about_as_often_as_it_says():
    """150 draws of 200 pairs from a bivariate normal distribution, whose rank correlation is known."""
    pearson = 0.5
    true = 6 / np.pi * np.arcsin(pearson / 2)
    random = np.random.default_rng(2)
    covered = 0
    for _ in range(150):
        x, y = random.multivariate_normal([0, 0], [[1, pearson], [pearson, 1]], 200).T
        low, high = interval(of_spearman(x[None], y, Resampling(300)))
        covered += bool(low[0] <= true <= high[0])
    assert 0.89 <= covered / 150 <= 0.99  # standard deviation 1.8 %


def test_the_difference_of_equal_answers_is_exactly_zero():
    random = np.random.default_rng(0)
    cosines, same = random.random((1, 90)), random.random(90) < 0.5
    both = np.concatenate([cosines, cosines])
    for scores in (
        label_scores((both, same), (both, same), "exact", Resampling(300)),
        rating_scores(both, random.integers(1, 6, 90).astype(float), Resampling(300)),
    ):
        low, high = interval(scores.resampled[:1] - scores.resampled[1:])
        assert (low[0], high[0]) == (0, 0)
        assert best_layers(scores) == ["best", "as good"]


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(1, 6), st.integers(0, 30))
def test_a_layer_is_as_good_as_the_best_unless_all_of_the_interval_is_above_zero(data, n_layers, n):
    def numbers(shape: tuple[int, ...]) -> np.ndarray:
        values = st.sampled_from([0.25, 0.5, 0.75, np.nan])
        size = int(np.prod(shape))
        return np.array(data.draw(st.lists(values, min_size=size, max_size=size))).reshape(shape)

    scores = Scores("accuracy", {"accuracy": numbers((n_layers,))}, numbers((n_layers, n)), 1)
    verdicts = best_layers(scores)
    values = [float(value) for value in scores.values]
    known = [value for value in values if value == value]
    if not known:
        assert verdicts == [None] * n_layers
        return
    best = values.index(max(known))
    for layer in range(n_layers):
        differences = (scores.resampled[best] - scores.resampled[layer]).tolist()
        low = oracles.percentile(differences, 0.025)
        not_worse = low <= 0 and values[layer] == values[layer]
        assert verdicts[layer] == ("best" if layer == best else "as good" if not_worse else None)


def test_the_first_of_equally_good_layers_is_the_best():
    right = np.array([[1, 0, 1, 0], [1, 1, 1, 0], [0, 1, 1, 1], [1, 1, 1, 0]], bool)
    scores = Scores(
        "accuracy", {"accuracy": right.mean(axis=1)}, of_means(right, Resampling(100)), right.shape[1]
    )
    assert best_layers(scores)[1] == "best"
    assert best_layers(scores)[3] == "as good"


def test_resamples_are_drawn_once_for_all_scores_over_as_many_pairs():
    """So that differences are those of paired samples, and thirty layers cost one drawing."""
    bootstrap._kept.cache_clear()
    right = np.ones((1, 33), bool)
    of_means(right, Resampling(5, 77))
    of_means(right, Resampling(5, 77))
    of_spearman(right, right[0], Resampling(5, 77))
    assert bootstrap._kept.cache_info().misses == 1
