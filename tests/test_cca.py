"""SVCCA and PWCCA, against canonical correlations from covariance matrices and against their invariances."""

import numpy as np
import pytest
from aligning import aligned, normal, rotation
from budgets import check_budget, of_ones, with_room_for
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import in_parts

from repstore.analysis import cca, directions
from repstore.analysis.cca import chance, pwcca, svcca
from repstore.errors import ResultError
from repstore.spec import MEMORY

MEASURES = pytest.mark.parametrize("measure", [svcca, pwcca])


def reduced(layer: np.ndarray) -> np.ndarray:
    """A layer on its fewest principal components that hold 99 % of the variance."""
    centered = layer.astype(np.float64) - layer.astype(np.float64).mean(axis=0)
    variances, axes = np.linalg.eigh(centered.T @ centered)
    k = 1
    while variances[-k:].sum() < 0.99 * variances.sum():
        k += 1
    return centered @ axes[:, -k:]


def plainly(a: np.ndarray, b: np.ndarray) -> tuple[float, float]:
    """SVCCA and PWCCA by the eigenvectors of inv(Saa) Sab inv(Sbb) Sba."""
    a, b = reduced(a), reduced(b)
    product = np.linalg.solve(a.T @ a, a.T @ b) @ np.linalg.solve(b.T @ b, b.T @ a)
    squares, vectors = np.linalg.eig(product)
    order = np.argsort(-squares.real)[: min(a.shape[1], b.shape[1])]
    correlations = np.sqrt(np.clip(squares.real[order], 0, 1))
    weights = []
    for vector in vectors.real[:, order].T:
        variate = a @ vector / np.linalg.norm(a @ vector)
        weights.append(sum(abs(variate @ dimension) for dimension in a.T))
    return float(correlations.mean()), float(np.average(correlations, weights=weights))


def both(*layers: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    words = [aligned(layer) for layer in layers]
    return svcca(words).values, pwcca(words).values


# From 20 words on the directions of both fit beside each other: no two correlations have to be 1.
@settings(max_examples=25)
@given(
    n=st.integers(20, 40), widths=st.tuples(st.integers(2, 9), st.integers(2, 9)), seed=st.integers(0, 999)
)
def test_both_equal_their_definition_by_covariances(n, widths, seed):
    a, b = (normal(n, width, seed=seed + side) for side, width in enumerate(widths))
    a *= np.arange(1, widths[0] + 1, dtype=np.float32)
    b[:, 0] += 3 * a[:, 0]
    sv, pw = both(a, b)
    assert (sv[0, 1], pw[0, 1]) == pytest.approx(plainly(a, b), abs=1e-6)
    assert (sv[1, 0], pw[1, 0]) == pytest.approx(plainly(b, a), abs=1e-6)


@MEASURES
def test_a_layer_is_itself(measure):
    layers = [normal(60, 8), normal(60, 30, seed=1) * 1000 + 500, normal(20, 60, seed=2)[:, :9].repeat(3, 0)]
    assert np.diag(measure([aligned(layer) for layer in layers]).values) == pytest.approx(1)


@settings(max_examples=20)
@given(st.integers(0, 999))
def test_an_invertible_map_changes_nothing_where_all_directions_are_kept(seed):
    a, b = normal(80, 6, seed=seed), normal(80, 6, seed=seed) + normal(80, 6, seed=seed + 1)
    stretch = rotation(6, seed) @ np.diag([1, 1.5, 2, 0.7, 1, 3]) @ rotation(6, seed + 1)
    moved = (b @ stretch + 5).astype(np.float32)
    (sv, pw), (sv_moved, pw_moved) = both(a, b), both(a, moved)
    assert sv_moved == pytest.approx(sv, abs=1e-5)
    assert pw_moved[0, 1] == pytest.approx(pw[0, 1], abs=1e-5)
    turned = (a @ rotation(6, seed + 2)).astype(np.float32)
    assert both(turned, b)[1] == pytest.approx(pw, abs=1e-5)


def test_a_linear_map_that_lifts_what_was_not_kept_is_not_seen():
    a = normal(1000, 10)
    a[:, 9] *= 0.01
    lifted = (a * np.array([0.001] * 9 + [1000], np.float32)).astype(np.float32)
    found = svcca([aligned(a)], [aligned(lifted)])
    assert (found.n_kept_first[0], found.n_kept_second[0]) == (9, 1)
    assert found.values[0, 0] < 0.2


def test_pwcca_weighs_by_directions_not_by_neurons():
    a, b = normal(80, 6) * np.array([9, 3, 1, 1, 1, 1], np.float32), normal(80, 6, seed=1)
    b[:, 0] += a[:, 0]
    turned = (a @ rotation(6)).astype(np.float32)
    assert both(turned, b)[1][0, 1] == pytest.approx(both(a, b)[1][0, 1], abs=1e-5)

    def by_neurons(layer: np.ndarray) -> float:
        of_a, of_b = (np.linalg.qr(each - each.mean(axis=0))[0] for each in (layer, b))
        turn, correlations, _ = np.linalg.svd(of_a.T @ of_b)
        weights = np.abs((of_a @ turn).T @ (layer - layer.mean(axis=0))).sum(axis=1)
        return float(np.average(correlations, weights=weights))

    assert abs(by_neurons(turned) - by_neurons(a)) > 0.005


def test_pwcca_weighs_by_the_layer_of_the_row():
    shared, own = normal(400, 1), normal(400, 1, seed=1)
    mostly_shared = np.hstack([shared, 0.2 * own])
    mostly_not = np.hstack([0.2 * shared, normal(400, 1, seed=2)])
    sv, pw = both(mostly_shared, mostly_not)
    assert pw[0, 1] > 0.8 > sv[0, 1] == sv[1, 0] > 0.3 > pw[1, 0]


def test_directions_kept_are_the_fewest_that_hold_99_percent():
    turned = np.linalg.qr(normal(50, 5) - normal(50, 5).mean(axis=0))[0] * np.sqrt([60, 30, 8, 1.5, 0.5])
    flat = np.linalg.qr(normal(50, 5, seed=1) - normal(50, 5, seed=1).mean(axis=0))[0]
    found = svcca([aligned(turned.astype(np.float32))], [aligned(flat.astype(np.float32))])
    assert (found.n_kept_first.tolist(), found.n_kept_second.tolist()) == ([4], [5])
    assert found.n_words == 50
    assert found.chance == pytest.approx(np.array([[chance(4, 5, 50)]]))


@pytest.mark.parametrize(
    ("k_a", "k_b", "n"),
    [(1, 30, 200), (20, 20, 400), (20, 60, 400), (90, 40, 100), (60, 60, 121), (10, 40, 41)],
)
@MEASURES
def test_independent_layers_are_at_chance(measure, k_a, k_b, n):
    firsts = [aligned(normal(n, k_a, seed=seed)) for seed in range(3)]
    seconds = [aligned(normal(n, k_b, seed=seed + 9)) for seed in range(3)]
    found = measure(firsts, seconds)
    expected = chance(int(found.n_kept_first[0]), int(found.n_kept_second[0]), n)
    assert found.values.mean() == pytest.approx(expected, abs=0.035)
    assert found.chance == pytest.approx(expected, abs=0.01)


def test_chance_is_the_mean_over_random_subspaces():
    for k_a, k_b, n in [(30, 30, 301), (50, 150, 401), (120, 250, 301)]:
        spaces = [
            [np.linalg.qr(normal(n - 1, k, seed=seed + 50 * side))[0] for seed in range(4)]
            for side, k in enumerate((k_a, k_b))
        ]
        cosines = [np.linalg.svd(a.T @ b, compute_uv=False) for a, b in zip(*spaces, strict=True)]
        assert chance(k_a, k_b, n) == pytest.approx(np.mean(cosines), abs=0.004)
        assert np.mean(np.square(cosines)) == pytest.approx(k_b / (n - 1), abs=0.004)


def test_chance_without_directions_is_unknown_and_with_all_of_them_1():
    assert np.isnan(chance(0, 3, 10))
    assert chance(9, 9, 10) == chance(2, 9, 10) == 1


@MEASURES
def test_a_budget_changes_nothing(measure):
    firsts = [aligned(normal(40, 5 + n, seed=n)) for n in range(5)]
    seconds = [aligned(normal(40, 50, seed=n)) for n in range(3)]
    for layers, widest in (((firsts,), 9), ((firsts, seconds), 50)):
        amply = measure(*layers)
        for n_held in (1, 2):
            memory = with_room_for(n_held, 40, widest)
            assert next(directions.within(memory, firsts, layers[-1])) == slice(0, n_held)
            narrowly = measure(*layers, memory=memory)
            np.testing.assert_array_equal(narrowly.values, amply.values)
            np.testing.assert_array_equal(narrowly.n_kept_first, amply.n_kept_first)
            np.testing.assert_array_equal(narrowly.n_kept_second, amply.n_kept_second)


@pytest.mark.parametrize(("n_words", "d_model", "n_layers"), [(2000, 4096, 33), (9455, 576, 31)])
def test_the_default_budget_holds_all_layers_of_a_model(n_words, d_model, n_layers):
    layers = [aligned(of_ones(n_words, d_model))] * n_layers
    assert list(directions.within(MEMORY, layers, layers)) == [slice(0, n_layers)]
    assert len(list(directions.within(MEMORY // 2, layers, layers))) == 2


@pytest.mark.parametrize("shape", [(1000, 200), (300, 1000), (500, 500)])
@MEASURES
def test_memory_stays_within_the_budget_and_too_little_is_refused(measure, shape):
    check_budget(measure, [aligned(normal(*shape, seed=n).astype(np.float16)) for n in range(3)])


def test_each_layer_is_decomposed_once_if_all_fit(monkeypatch):
    seen = []
    decompose = cca.directions
    monkeypatch.setattr(cca, "directions", lambda words: seen.append(words) or decompose(words))
    layers = [aligned(normal(20, 5, seed=n)) for n in range(4)]
    svcca(layers)
    assert seen == layers


@MEASURES
def test_against_others_is_a_block_of_all_against_all(measure):
    layers = [aligned(normal(40, 5 + n) + normal(40, 5 + n, seed=1 + n)) for n in range(5)]
    np.testing.assert_allclose(
        measure(layers[:2], layers[2:]).values, measure(layers).values[:2, 2:], rtol=1e-12
    )


def test_progress_counts_pairs():
    told = []
    layers = [aligned(normal(20, 5, seed=n)) for n in range(3)]
    svcca(layers, progress=told.append)
    assert [(at.n_done, at.n_total) for at in told] == [(1, 6), (3, 6), (6, 6)]


@MEASURES
def test_parts_rows_and_stored_dtypes_do_not_matter(measure):
    a, b = normal(60, 6).astype(np.float16), normal(60, 6, seed=1).astype(np.float16)
    shuffled = np.random.default_rng(2).permutation(60)[:50]
    in_pieces = aligned(in_parts(a, 11, 30, widened=(1,)), shuffled)
    expected = measure([aligned(a[shuffled])], [aligned(b[shuffled])]).values
    np.testing.assert_array_equal(measure([in_pieces], [aligned(b, shuffled)]).values, expected)


@MEASURES
def test_a_constant_layer_has_none_and_leaves_the_others_alone(measure):
    a, b = normal(30, 6), normal(30, 6, seed=1)
    constant = np.full((30, 6), 0.1, np.float16)
    found = measure([aligned(layer) for layer in (a, constant, b)])
    assert np.isnan(found.values[1]).all()
    assert np.isnan(found.values[:, 1]).all()
    np.testing.assert_array_equal(
        found.values[np.ix_([0, 2], [0, 2])], measure([aligned(a), aligned(b)]).values
    )
    assert found.n_kept_first[1] == 0
    assert np.isnan(found.chance[1]).all()


@MEASURES
@pytest.mark.parametrize("frame", ["none", "center", "corpus"])
def test_degenerate_layers_have_values_between_0_and_1(measure, frame):
    n = 24
    outlying = normal(n, 40)
    outlying[:, 3] *= 3000
    deviant = np.full((n, 5), 7, np.float32)
    deviant[5] = 65504
    extremes = normal(n, 6).astype(np.float16)
    extremes[0], extremes[1], extremes[2] = 65504, -65504, 6e-8
    layers = [normal(n, 4)[:3].repeat(8, axis=0), outlying, deviant, extremes, np.eye(n, dtype=np.float32)]
    values = measure([aligned(layer, frame=frame) for layer in layers]).values
    assert ((values >= 0) & (values <= 1)).all()
    assert np.diag(values) == pytest.approx(1)


def test_three_words_are_enough_and_two_are_refused():
    assert np.isfinite(svcca([aligned(normal(3, 6)), aligned(normal(3, 6, seed=1))]).values).all()
    with pytest.raises(ResultError, match="SVCCA needs at least 3 words in common; there are 2"):
        svcca([aligned(normal(2, 6))])
    with pytest.raises(ResultError, match="PWCCA needs at least 3 words"):
        pwcca([aligned(normal(1, 6))])
