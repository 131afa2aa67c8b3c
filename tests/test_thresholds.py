"""The best threshold of all, against trying every threshold that makes a difference."""

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repstore.analysis.bootstrap import Resampling
from repstore.analysis.scoring import label_scores
from repstore.analysis.thresholds import best_exact, best_on_grid

DECIMAL = 1e-6  # the last at which cosines are told apart

few = st.sampled_from([-1.0, -0.5, 0.0, 0.05, 0.1, 0.5, 0.95, 1.0])
near = st.integers(-9, 9).map(lambda n: 0.3 + n * DECIMAL / 4)  # some tie, some differ, some are just between
scored = st.sampled_from([few, st.floats(-1, 1), near, few | near, st.just(0.25)]).flatmap(
    lambda values: st.lists(st.tuples(values, st.booleans()), min_size=1, max_size=30)
)


def columns(scored: list[tuple[float, bool]]) -> tuple[np.ndarray, np.ndarray]:
    """Cosines of one layer, *Shape:* (1, n_pairs), and labels."""
    cosines, same = zip(*scored, strict=True)
    return np.array([cosines]), np.array(same)


def n_right(cosines: np.ndarray, same: np.ndarray, rule: str) -> int:
    """Right answers about the pairs that chose the threshold, as the probe counts them."""
    scores = label_scores((cosines, same), (cosines, same), rule, Resampling(0))
    return round(scores.columns["accuracy"][0] * len(same))


@settings(deadline=None, max_examples=200)
@given(scored)
def test_no_threshold_gives_more_right_answers_to_the_last_pair(scored):
    cosines, same = columns(scored)
    most, _ = oracles.most_correct(oracles.rounded(cosines[0]), same)
    assert n_right(cosines, same, "exact") == most


@settings(deadline=None, max_examples=200)
@given(scored)
def test_the_threshold_is_the_lowest_of_the_best_and_in_the_middle(scored):
    cosines, same = columns(scored)
    _, (lowest, *_) = oracles.most_correct(oracles.rounded(cosines[0]), same)
    assert best_exact(cosines, same) == pytest.approx([lowest], abs=1e-12)


@settings(deadline=None, max_examples=200)
@given(scored)
def test_cosines_that_tie_get_the_same_answer(scored):
    cosines, same = columns(scored)
    (threshold,) = best_exact(cosines, same)
    values = np.array(oracles.rounded(cosines[0]))
    assert not np.isclose(values, threshold, rtol=0, atol=DECIMAL / 4).any()


@settings(deadline=None, max_examples=200)
@given(scored.map(lambda scored: [(float(oracles.rounded([cosine])[0]), same) for cosine, same in scored]))
def test_it_is_at_least_as_good_as_the_best_of_the_grid(scored):
    cosines, same = columns(scored)
    assert n_right(cosines, same, "exact") >= n_right(cosines, same, "grid")


@settings(deadline=None, max_examples=60)
@given(st.data(), st.integers(1, 4), st.integers(1, 20))
def test_every_layer_has_the_threshold_it_would_have_alone(data, n_layers, n_pairs):
    rows = st.lists(few | near, min_size=n_pairs, max_size=n_pairs)
    cosines = np.array(data.draw(st.lists(rows, min_size=n_layers, max_size=n_layers)))
    same = np.array(data.draw(st.lists(st.booleans(), min_size=n_pairs, max_size=n_pairs)))
    for choose in (best_exact, best_on_grid):
        alone = [float(choose(row[None], same)[0]) for row in cosines]
        assert choose(cosines, same).tolist() == alone


@pytest.mark.parametrize(
    ("scored", "expected"),
    [
        ([(0.5, True)], 0.5 - DECIMAL),
        ([(0.5, False)], 0.5 + DECIMAL),
        ([(1.0, False)], 1 + DECIMAL),
        ([(-1.0, True)], -1 - DECIMAL),
        ([(-1.0, False), (1.0, True)], 0.0),
        ([(0.2, False), (0.4, True), (0.6, False), (0.8, True)], 0.3),
        ([(0.2, True), (0.4, False)], 0.2 - DECIMAL),
        ([(0.7, True), (0.7, True), (0.7, False)], 0.7 - DECIMAL),
        ([(0.7, True), (0.7, False), (0.7, False)], 0.7 + DECIMAL),
        ([(0.7, True), (0.7, False)], 0.7 - DECIMAL),
        ([(0.7, False), (0.7 + DECIMAL, True)], 0.7 + DECIMAL / 2),
        ([(0.7, False), (0.7 + DECIMAL / 9, True)], 0.7 - DECIMAL),
    ],
)
def test_thresholds_found_by_hand(scored, expected):
    assert best_exact(*columns(scored)) == pytest.approx([expected], abs=1e-9)


def test_the_order_of_the_pairs_does_not_matter():
    random = np.random.default_rng(0)
    cosines, same = random.integers(-9, 9, (3, 50)) / 9, random.random(50) < 0.5
    order = random.permutation(50)
    assert best_exact(cosines[:, order], same[order]).tolist() == best_exact(cosines, same).tolist()


def test_thousands_of_pairs_are_searched_to_the_last():
    random = np.random.default_rng(0)
    same = random.random(3000) < 0.5
    cosines = random.normal(same * 0.1, 0.2, (2, 3000)).clip(-1, 1)
    for layer in cosines:
        # A count after each pair, from above: one more right answer for a pair of the same sense.
        count = most = int((~same).sum())
        for _, label in sorted(zip(oracles.rounded(layer), same, strict=True), reverse=True):
            count += 1 if label else -1
            most = max(most, count)
        assert n_right(layer[None], same, "exact") == most
