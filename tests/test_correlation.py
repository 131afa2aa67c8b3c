"""AUC and correlations, against scipy and against counting pairs in plain loops."""

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import mannwhitneyu, pearsonr, spearmanr

from repstore.analysis import correlation
from repstore.analysis.bootstrap import Resampling
from repstore.analysis.scoring import label_scores, rating_scores

ROUNDING = 1e-12
tied = st.integers(-4, 4).map(lambda n: n / 4)
cosines_of = st.sampled_from([tied, st.floats(-1, 1), st.just(0.5)])
# No rating is so small that its square vanishes.
finely = st.floats(-1e3, 1e3).map(lambda rating: round(rating, 3))
ratings_of = st.sampled_from([st.integers(0, 3).map(float), finely, st.just(2.0)])


@st.composite
def rated(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of 1 to 3 layers, and ratings."""
    n_pairs, values, ratings = draw(st.integers(1, 25)), draw(cosines_of), draw(ratings_of)
    rows = st.lists(values, min_size=n_pairs, max_size=n_pairs)
    cosines = draw(st.lists(rows, min_size=1, max_size=3))
    return np.array(cosines), np.array(draw(st.lists(ratings, min_size=n_pairs, max_size=n_pairs)))


def random_scores(n_pairs: int = 300) -> tuple[np.ndarray, np.ndarray]:
    """Two layers and ratings, related, with many ties."""
    random = np.random.default_rng(0)
    ratings = random.integers(1, 6, n_pairs).astype(float)
    cosines = (ratings + random.normal(0, 3, (2, n_pairs))).round() / 20
    assert len(np.unique(cosines)) < n_pairs / 10
    return cosines, ratings


@settings(deadline=None, max_examples=100)
@given(rated())
def test_auc_equals_counting_pairs(scores):
    cosines, ratings = scores
    same = ratings > 1
    expected = [oracles.auc(oracles.rounded(layer), same) for layer in cosines]
    assert correlation.auc(cosines, same) == pytest.approx(expected, abs=ROUNDING, nan_ok=True)


def test_auc_equals_that_of_scipy():
    cosines, ratings = random_scores()
    same = ratings > 3
    expected = [
        mannwhitneyu(layer[same], layer[~same]).statistic / (same.sum() * (~same).sum()) for layer in cosines
    ]
    assert correlation.auc(cosines, same) == pytest.approx(expected, abs=ROUNDING)


@pytest.mark.parametrize("labels", [[True, True], [False, False], [True], [False]])
def test_auc_of_one_class_is_not_defined(labels):
    cosines = np.random.default_rng(0).random((3, len(labels)))
    assert np.isnan(correlation.auc(cosines, np.array(labels))).tolist() == [True] * 3


def test_auc_of_constant_cosines_is_a_half():
    assert correlation.auc(np.full((1, 5), 0.3), np.array([True, False, False, True, True])).tolist() == [0.5]


@pytest.mark.parametrize("sign", [1, -1])
def test_auc_of_a_perfect_order_is_one_and_of_its_reverse_zero(sign):
    cosines = sign * np.array([[0.1, 0.2, 0.3, 0.4]])
    same = np.array([False, False, True, True])
    assert correlation.auc(cosines, same).tolist() == [1.0 if sign == 1 else 0.0]


@settings(deadline=None, max_examples=100)
@given(rated())
def test_correlations_equal_plain_loops(scores):
    cosines, ratings = scores
    rounded = [oracles.rounded(layer) for layer in cosines]
    spearman = [oracles.rank_correlation(layer, ratings) for layer in rounded]
    assert correlation.spearman(cosines, ratings) == pytest.approx(spearman, abs=1e-9, nan_ok=True)
    pearson = [oracles.correlation(layer, ratings) for layer in rounded]
    assert correlation.pearson(np.array(rounded), ratings) == pytest.approx(pearson, abs=1e-6, nan_ok=True)


@settings(deadline=None, max_examples=100)
@given(rated())
def test_correlations_never_leave_their_range(scores):
    cosines, ratings = scores
    for found in (correlation.spearman(cosines, ratings), correlation.pearson(cosines, ratings)):
        assert (np.isnan(found) | (np.abs(found) <= 1)).all()


def test_correlations_equal_those_of_scipy():
    cosines, ratings = random_scores()
    spearman = [spearmanr(layer, ratings).statistic for layer in cosines]
    pearson = [pearsonr(layer, ratings).statistic for layer in cosines]
    assert correlation.spearman(cosines, ratings) == pytest.approx(spearman, abs=ROUNDING)
    assert correlation.pearson(cosines, ratings) == pytest.approx(pearson, abs=ROUNDING)
    assert min(np.abs(spearman + pearson)) > 0.2


@pytest.mark.parametrize("value", [0.0, 0.1, 1 / 3, 0.9999999])
def test_constant_cosines_or_ratings_have_no_correlation(value):
    varied, constant = np.arange(7) / 7, np.full(7, value)
    for measure in (correlation.spearman, correlation.pearson):
        assert np.isnan(measure(np.array([constant, varied]), varied)).tolist() == [True, False]
        assert np.isnan(measure(np.array([varied]), constant)).all()


def test_cosines_that_differ_by_rounding_only_tie():
    varied = np.arange(6)
    cosines = 0.4 + np.array([[0, 1, -1, 2, 3, -2]]) * 1e-8
    assert np.isnan(correlation.spearman(cosines, varied)).all()
    assert correlation.auc(cosines, varied > 2).tolist() == [0.5]


@settings(deadline=None, max_examples=60)
@given(rated())
def test_a_probe_of_ratings_reports_the_correlations_of_every_layer(scores):
    cosines, ratings = scores
    found = rating_scores(cosines, ratings, Resampling(0))
    assert (found.main, list(found.columns)) == ("spearman", ["spearman", "pearson"])
    rounded = [oracles.rounded(layer) for layer in cosines]
    expected = [oracles.rank_correlation(layer, ratings) for layer in rounded]
    assert found.columns["spearman"] == pytest.approx(expected, abs=1e-9, nan_ok=True)
    expected = [oracles.correlation(layer, ratings) for layer in rounded]
    assert found.columns["pearson"] == pytest.approx(expected, abs=1e-6, nan_ok=True)


@settings(deadline=None, max_examples=60)
@given(rated(), rated(), st.sampled_from(["exact", "grid"]))
def test_a_probe_of_labels_reports_auc_and_rank_correlation_with_them(selection, evaluation, rule):
    n_layers = min(len(selection[0]), len(evaluation[0]))
    chosen_on, scored_on = ((cosines[:n_layers], ratings > 1) for cosines, ratings in (selection, evaluation))
    found = label_scores(chosen_on, scored_on, rule, Resampling(0))
    assert (found.main, list(found.columns)) == (
        "accuracy",
        ["threshold", "selection", "accuracy", "auc", "spearman"],
    )
    cosines, same = scored_on
    rounded = [oracles.rounded(layer) for layer in cosines]
    expected = [oracles.auc(layer, same) for layer in rounded]
    assert found.columns["auc"] == pytest.approx(expected, abs=1e-9, nan_ok=True)
    expected = [oracles.rank_correlation(layer, same) for layer in rounded]
    assert found.columns["spearman"] == pytest.approx(expected, abs=1e-9, nan_ok=True)
