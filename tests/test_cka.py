"""CKA, against its definitions on whole kernel matrices in float64 and against its invariances."""

import tracemalloc

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import in_parts

from repstore.analysis import cka, features, gaussian, gram
from repstore.analysis.aligned import Aligned
from repstore.analysis.cka import linear_cka, rbf_cka
from repstore.analysis.space import space_of
from repstore.errors import ArgumentError, ResultError
from repstore.storage.vectors import LayerVectors

ESTIMATORS = ["unbiased", "biased"]


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def aligned(layer: np.ndarray | LayerVectors) -> Aligned:
    vectors = in_parts(layer) if isinstance(layer, np.ndarray) else layer
    return Aligned(vectors, np.arange(len(vectors.word_ids)), space_of(vectors, "none"))


def cka_of(*layers: np.ndarray | LayerVectors, **options) -> np.ndarray:
    return linear_cka([aligned(layer) for layer in layers], **options)


def rbf_of(*layers: np.ndarray, **options) -> np.ndarray:
    return rbf_cka([aligned(layer) for layer in layers], **options)


def related(n_words: int, d_model: int, n_layers: int, seed: int = 0) -> list[np.ndarray]:
    """Layers that share half of what is in them."""
    common = normal(n_words, d_model, seed=seed)
    return [common + normal(n_words, d_model, seed=seed + 1 + layer) for layer in range(n_layers)]


def whole_cka(kernels: list[np.ndarray], estimator: str) -> np.ndarray:
    """By whole kernel matrices, float64."""
    n = len(kernels[0])
    if estimator == "biased":
        center = np.eye(n) - 1 / n
        hsic = np.array([[np.trace(a @ center @ b @ center) for b in kernels] for a in kernels])
    else:
        hsic = np.array([[oracles.unbiased_hsic(a, b) for b in kernels] for a in kernels])
    own = np.sqrt(np.diag(hsic))
    return hsic / np.outer(own, own)


def centered_cka(kernels: list[np.ndarray], estimator: str = "unbiased") -> np.ndarray:
    """By whole kernel matrices that are centered first, float64, so that nothing large cancels.

    The unbiased estimator is the inner product of U-centered matrices (Szekely and Rizzo 2014, eq. 3.2).
    """
    flat, n = [], len(kernels[0])
    for kernel in kernels:
        if estimator == "biased":
            centered = kernel - kernel.mean(axis=0) - kernel.mean(axis=1)[:, None] + kernel.mean()
        else:
            bare = kernel - np.diag(np.diag(kernel))
            rows = bare.sum(axis=1)
            centered = bare - (rows[:, None] + rows) / (n - 2) + rows.sum() / ((n - 1) * (n - 2))
            np.fill_diagonal(centered, 0)
        flat.append(centered.ravel() / np.linalg.norm(centered))
    return np.array(flat) @ np.array(flat).T


def inner(x: np.ndarray) -> np.ndarray:
    x = x.astype(np.float64) - np.median(x.astype(np.float64), axis=0)
    return x @ x.T


def gaussian_kernel(x: np.ndarray, bandwidth: float) -> np.ndarray:
    x = x.astype(np.float64)
    distances = np.sqrt(((x[:, None] - x) ** 2).sum(axis=2))
    sigma = bandwidth * np.median(distances[np.triu_indices(len(x), 1)])
    return np.exp(-(distances**2) / (2 * sigma**2))


@settings(deadline=None, max_examples=10)
@given(st.integers(4, 8), st.integers(0, 999))
def test_the_oracle_agrees_with_the_definition_over_tuples(n, seed):
    a, b = (oracles.gram(normal(n, 3, seed=seed + side)) for side in (0, 1))
    for estimator in ESTIMATORS:
        kernels = [np.array(a), np.array(b)]
        np.testing.assert_allclose(centered_cka(kernels, estimator), whole_cka(kernels, estimator), atol=1e-8)
    assert oracles.unbiased_hsic(a, b) == pytest.approx(
        oracles.unbiased_hsic_by_tuples(a, b), rel=1e-9, abs=1e-9
    )


@settings(deadline=None, max_examples=25)
@given(n=st.integers(4, 24), widths=st.tuples(st.integers(2, 9), st.integers(2, 9)), seed=st.integers(0, 999))
def test_cka_equals_plain_loops(n, widths, seed):
    a, b = (normal(n, width, seed=seed + side) for side, width in enumerate(widths))
    b[:, 0] = a[:, 0]
    expected = [[oracles.cka(x, y) for y in (a, b)] for x in (a, b)]
    np.testing.assert_allclose(cka_of(a, b), expected, atol=1e-4)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("tile", [1, 7, 20, 39, 40, 41, 512])
def test_cka_does_not_depend_on_the_tiles(tile, estimator, monkeypatch):
    a = normal(40, 6)
    layers = [a, a + normal(40, 6, seed=1), normal(40, 9, seed=2)]
    expected = whole_cka([np.array(oracles.gram(layer)) for layer in layers], estimator)
    monkeypatch.setattr(gram, "TILE", tile)
    np.testing.assert_allclose(cka_of(*layers, estimator=estimator), expected, atol=1e-6)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("measure", [cka_of, rbf_of])
def test_memory_does_not_change_the_result(measure, estimator):
    layers = related(400, 100, 4)
    expected = measure(*layers, estimator=estimator)
    for memory in (450_000, 800_000):  # too little for the layers' 640 KB, so that panels are read
        found = measure(*layers, estimator=estimator, memory=memory)
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize(("memory", "group"), [(24_000, 1), (33_000, 2), (42_000, 3), (1 << 28, 4)])
def test_many_words_are_compared_by_features_and_agree_with_tiles(estimator, memory, group, monkeypatch):
    layers = [aligned(layer) for layer in related(700, 5, 4)]
    monkeypatch.setattr(features, "BLOCK", 64)
    widths, pairs = [5] * 4, np.triu(np.ones((4, 4), bool))
    assert features.features_are_cheaper(widths, pairs, 700, memory=memory, held=False)
    assert features._group(widths, 700, memory, False) == group
    by_features = linear_cka(layers, estimator=estimator, memory=memory)
    monkeypatch.setattr(cka, "features_are_cheaper", lambda *_, **__: False)
    by_tiles = linear_cka(layers, estimator=estimator)
    np.testing.assert_allclose(by_features, by_tiles, atol=1e-6)


@pytest.mark.parametrize("n_words", [40, 400])  # by tiles, and by features
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_two_sets_of_layers_are_a_block_of_their_union(n_words, estimator):
    layers = [aligned(layer) for layer in (*related(n_words, 6, 3), *related(n_words, 9, 2, seed=9))]
    union = linear_cka(layers, estimator=estimator)
    across = linear_cka(layers[:2], layers[2:], estimator=estimator)
    np.testing.assert_allclose(across, union[:2, 2:], atol=1e-6)
    both = rbf_cka(layers[:2], layers[2:], estimator=estimator)
    np.testing.assert_allclose(both, rbf_cka(layers, estimator=estimator)[:2, 2:], atol=1e-6)


def test_layers_that_fit_into_memory_are_read_once(monkeypatch):
    rows_read = 0
    block = Aligned.block

    def counting(self, start, stop):
        nonlocal rows_read
        rows_read += stop - start
        return block(self, start, stop)

    monkeypatch.setattr(Aligned, "block", counting)
    layers = related(700, 300, 4)
    cka_of(*layers)
    assert rows_read == 4 * (700 + cka.SAMPLE)
    rows_read = 0
    cka_of(*layers, memory=2_800_000)  # two panels: one and a half times
    assert 4 * 700 < rows_read - 4 * cka.SAMPLE <= 4 * 700 * 1.5


@pytest.mark.parametrize(("n_words", "unit"), [(100, "tiles"), (5000, "blocks")])
def test_progress_goes_to_the_end(n_words, unit):
    told = []
    cka_of(*related(n_words, 100, 2), progress=told.append)
    assert {one.unit for one in told} == {unit}
    assert [one.n_done for one in told] == list(range(1, told[-1].n_total + 1))


def test_too_little_memory_is_refused_with_what_it_takes():
    with pytest.raises(ResultError, match="4 layers of 300 dimensions takes at least 2 MiB of memory; 0 are"):
        cka_of(*related(700, 300, 4), memory=500_000)


def test_parts_and_stored_dtypes_do_not_change_cka():
    a, b = normal(60, 6).astype(np.float16), (normal(60, 6) + normal(60, 6, seed=1)).astype(np.float16)
    in_pieces = cka_of(in_parts(a, 11, 30, widened=(1,)), in_parts(b, 40))
    np.testing.assert_allclose(in_pieces, cka_of(a, b), rtol=1e-6)


def test_only_the_rows_asked_for_are_compared_in_their_order():
    a, b = normal(50, 6), normal(50, 6, seed=1)
    shuffled = np.random.default_rng(2).permutation(50)
    one, other = in_parts(a), in_parts(b[shuffled])
    none = space_of(one, "none")
    found = linear_cka([Aligned(one, shuffled[:30], none), Aligned(other, np.arange(30), none)])
    np.testing.assert_allclose(found, cka_of(a[shuffled[:30]], b[shuffled[:30]]), rtol=1e-5, atol=1e-6)


def test_layers_are_compared_in_their_space():
    a, b = normal(50, 6) * np.arange(1, 7, dtype=np.float32), normal(50, 6, seed=1)
    layer = in_parts(a)
    scored = Aligned(layer, np.arange(50), space_of(layer, "corpus"))
    z = (a - a.mean(axis=0)) / a.std(axis=0, ddof=1)
    np.testing.assert_allclose(linear_cka([scored], [aligned(b)])[0, 0], cka_of(z, b)[0, 1], atol=1e-5)


def test_a_layer_is_itself():
    layers = [normal(100, 8), normal(100, 30, seed=1), normal(100, 3, seed=2) * 1000 + 500]
    assert np.diag(cka_of(*layers)) == pytest.approx(1)


def test_cka_is_symmetric():
    values = cka_of(normal(100, 8), normal(100, 8) + normal(100, 8, seed=1), normal(100, 5, seed=2))
    np.testing.assert_allclose(values, values.T, rtol=1e-12)


@settings(deadline=None, max_examples=20)
@given(
    seed=st.integers(0, 999),
    scale=st.floats(0.01, 1000),
    shift=st.floats(-50, 50),
    estimator=st.sampled_from(ESTIMATORS),
)
def test_rotation_scale_and_translation_leave_cka_alone(seed, scale, shift, estimator):
    a, b = related(60, 8, 2, seed)
    rotation = np.linalg.qr(np.random.default_rng(seed).normal(size=(8, 8)))[0].astype(np.float32)
    moved = np.float32(scale) * (b @ rotation + np.float32(shift))
    for measure in (cka_of, rbf_of):
        expected = measure(a, b, estimator=estimator)[0, 1]
        assert measure(a, moved, estimator=estimator)[0, 1] == pytest.approx(expected, abs=2e-5)
        assert measure(b, moved, estimator=estimator)[0, 1] == pytest.approx(1, abs=1e-5)


def test_a_large_common_vector_does_not_drown_the_rest():
    a, b = normal(60, 6), normal(60, 6) + normal(60, 6, seed=1)
    assert cka_of(a + 1000, b - 3000)[0, 1] == pytest.approx(oracles.cka(a, b), abs=1e-3)


@pytest.mark.parametrize("by_features", [True, False])
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("times", [30, 1000, 10_000, 30_000])
def test_one_word_far_out_leaves_the_rest_their_digits(times, estimator, by_features, monkeypatch):
    layers = related(500, 64, 8)
    for layer in layers[:3]:
        layer[17] *= times
    expected = centered_cka([inner(layer) for layer in layers], estimator)
    monkeypatch.setattr(cka, "features_are_cheaper", lambda *_, **__: by_features)
    for memory in (900_000, 1 << 28):  # read in panels or groups, and held
        found = cka_of(*layers, estimator=estimator, memory=memory)
        np.testing.assert_allclose(found, expected, atol=1e-6)


@pytest.mark.parametrize("by_features", [True, False])
def test_lengths_of_all_magnitudes_are_compared(by_features, monkeypatch):
    lengths = np.exp(3 * normal(400, 1, seed=5))
    layers = [layer * lengths for layer in related(400, 16, 3)]
    layers[2][3] = 0
    layers[2][4:150] = layers[2][4]
    expected = centered_cka([inner(layer) for layer in layers])
    monkeypatch.setattr(cka, "features_are_cheaper", lambda *_, **__: by_features)
    np.testing.assert_allclose(cka_of(*layers), expected, atol=1e-6)


def test_a_float16_word_near_the_largest_is_no_matter_whatever_the_memory():
    a, b = (0.3 * layer for layer in (normal(2000, 64), normal(2000, 64, seed=1)))
    a[0, :2] = b[0, 1:3] = 60_000, -60_000
    layers = [layer.astype(np.float16) for layer in (a, b)]
    expected = centered_cka([inner(layer) for layer in layers])[0, 1]
    for memory in (2 << 20, 8 << 20, 2 << 30):
        assert cka_of(*layers, memory=memory)[0, 1] == pytest.approx(expected, abs=1e-6)


@pytest.mark.parametrize("tile", [1, 2, 3, 7, 24, 25])
def test_sums_are_those_of_whole_matrices_however_large_what_rows_have_in_common(tile, monkeypatch):
    matrices = [inner(layer) for layer in related(24, 5, 3)]
    points = [np.eye(24, dtype=np.float32)] * 3
    for matrix, common in zip(matrices, (1000.0, 0.0, -1.0), strict=True):
        matrix[:, :1] += common
        matrix[:1, :] += common

    def kernel(matrix: np.ndarray) -> gram.Kernel:
        def finish(products, left, right):  # points that say which word each is
            products[:] = matrix[np.ix_(left.argmax(axis=1), right.argmax(axis=1))]

        return gram.Kernel(lambda start, stop, _: points[0][start:stop], 24, True, finish)

    monkeypatch.setattr(gram, "TILE", tile)
    kernels = [kernel(matrix) for matrix in matrices]
    found = gram.sums(kernels, 24, memory=1 << 20, progress=lambda _: None)
    whole = [matrix.astype(np.float32) * (1 - np.eye(24)) for matrix in matrices]
    products = [[(a * b).sum() for b in whole] for a in whole]
    np.testing.assert_allclose(found.products, products, rtol=1e-6, atol=1e-3)
    np.testing.assert_allclose(found.rows, [matrix.sum(axis=1) for matrix in whole], rtol=1e-6, atol=1e-3)
    np.testing.assert_array_equal(found.own, [np.diag(matrix).astype(np.float32) for matrix in matrices])


def test_outlier_words_and_dimensions_do_not_drown_the_rest():
    a = normal(60, 8)
    b = a + normal(60, 8, seed=1)
    a[0] *= 1000  # the first word of a text, in most decoders
    b[:, 3] *= 3000
    assert cka_of(a, b)[0, 1] == pytest.approx(oracles.cka(a, b), abs=1e-3)


@pytest.mark.parametrize("n_words", [20, 50, 1100])  # the last takes several tiles
def test_independent_layers_are_near_zero_even_with_fewer_words_than_dimensions(n_words):
    # The biased estimator gives about d / (n + d) here: 0.98 for 20 words of 1,000 dimensions.
    values = [
        cka_of(normal(n_words, 1000, seed=s), normal(n_words, 1000, seed=s + 1))[0, 1]
        for s in range(0, 10, 2)
    ]
    assert abs(np.mean(values)) < 3 / n_words


def test_the_biased_estimator_does_not_see_that_layers_are_independent():
    found = cka_of(normal(256, 1024), normal(256, 1024, seed=1), estimator="biased")[0, 1]
    assert found == pytest.approx(1024 / (256 + 1024), abs=0.01)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("bandwidth", [0.2, 0.5, 1.0, 3.0])
def test_rbf_cka_equals_whole_kernel_matrices(bandwidth, estimator):
    layers = related(40, 5, 3)
    layers[1][::4] = layers[1][1]  # the same vector at several words
    expected = whole_cka([gaussian_kernel(layer, bandwidth) for layer in layers], estimator)
    found = rbf_of(*layers, bandwidth=bandwidth, estimator=estimator)
    np.testing.assert_allclose(found, expected, atol=1e-5)


@pytest.mark.parametrize("bandwidth", [0.3, 1.0, 30.0])
def test_far_words_near_each_other_keep_their_rbf_kernel(bandwidth):
    layers = related(60, 8, 2)
    for layer in layers:  # the first words of texts, in most decoders
        layer[::5] = 3000 + layer[::5]
    expected = whole_cka([gaussian_kernel(layer, bandwidth) for layer in layers], "biased")
    found = rbf_of(*layers, bandwidth=bandwidth, estimator="biased")
    np.testing.assert_allclose(found, expected, atol=1e-4)


def test_a_wide_gaussian_is_as_good_as_linear():
    layers = related(60, 8, 3)
    for estimator in ESTIMATORS:
        found = rbf_of(*layers, bandwidth=300.0, estimator=estimator)
        np.testing.assert_allclose(found, cka_of(*layers, estimator=estimator), atol=1e-4)


@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("bandwidth", [0.3, 1.0, 1.1, 10.0, 100.0])
@pytest.mark.parametrize("times", [150, 30_000])
def test_one_word_far_out_leaves_rbf_kernels_their_digits(times, bandwidth, estimator):
    layers = related(400, 64, 2)
    for layer in layers:
        layer[17] *= times
    expected = centered_cka([gaussian_kernel(layer, bandwidth) for layer in layers], estimator)
    found = rbf_of(*layers, bandwidth=bandwidth, estimator=estimator)
    np.testing.assert_allclose(found, expected, atol=2e-6)


@pytest.mark.parametrize("bandwidth", [1e6, 1e12, 1e40, 1e300])
@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_gaussians_of_any_width_come_to_linear_cka(estimator, bandwidth):
    layers = related(200, 16, 3)
    layers[0][5] *= 1000
    found = rbf_of(*layers, bandwidth=bandwidth, estimator=estimator)
    np.testing.assert_allclose(found, cka_of(*layers, estimator=estimator), atol=2e-6)


def test_a_gaussian_too_narrow_for_any_two_words_has_no_unbiased_cka():
    layers = related(100, 64, 2)
    for bandwidth in (0.04, 1e-6, 1e-300):
        assert np.isnan(rbf_of(*layers, bandwidth=bandwidth)).all()
        found = rbf_of(*layers, bandwidth=bandwidth, estimator="biased")
        np.testing.assert_allclose(found, 1, atol=1e-6)  # all matrices are near to the unit matrix
    layers[0][1], layers[1][1] = layers[0][0], layers[1][0]
    np.testing.assert_allclose(rbf_of(*layers, bandwidth=1e-6), 1, atol=1e-6)


def test_the_median_distance_is_that_of_distances_not_of_their_squares():
    layer = np.array([[0], [1], [2], [10]], np.float32)  # 1, 1, 2, 8, 9, 10
    assert gaussian._median_distance(aligned(layer))[1] == 5


def test_the_median_distance_of_many_words_is_near_that_of_a_sample():
    layer = normal(1200, 4)
    x = layer.astype(np.float64)
    squares = (x**2).sum(axis=1)
    every = np.sqrt((squares[:, None] + squares - 2 * x @ x.T)[np.triu_indices(1200, 1)])
    assert gaussian._median_distance(aligned(layer))[1] == pytest.approx(np.median(every), rel=0.02)


@pytest.mark.parametrize("times", [1, 300])
def test_the_memory_that_features_take_is_within_the_budget(times):
    layers = related(9000, 96, 4)
    for layer in layers:
        layer[::50] *= times
    words = [aligned(layer.astype(np.float16)) for layer in layers]
    for memory in (4 << 20, 8 << 20):
        tracemalloc.start()
        linear_cka(words, memory=memory)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < memory + 8 * 4 * 9000  # and a number for every word and layer


@pytest.mark.parametrize("measure", [linear_cka, rbf_cka])
def test_the_memory_taken_is_within_the_budget(measure):
    layer = normal(1000, 1200)
    layer[::3] *= 300  # far out, so that float64 is taken
    words = [aligned(layer.astype(np.float16))]
    for memory in (8 << 20, 1 << 24):
        tracemalloc.start()
        measure(words, memory=memory)
        most = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        assert most < memory


def test_a_bandwidth_has_to_be_above_0():
    with pytest.raises(ArgumentError, match="bandwidth is 0"):
        rbf_of(normal(20, 4), bandwidth=0.0)


@pytest.mark.parametrize("n_words", [30, 400])  # by tiles, and by features
@pytest.mark.parametrize("estimator", ESTIMATORS)
@pytest.mark.parametrize("measure", [cka_of, rbf_of])
def test_a_constant_layer_has_no_cka_and_leaves_the_others_alone(measure, estimator, n_words):
    a, b = normal(n_words, 6), normal(n_words, 6, seed=1)
    constant = np.full((n_words, 6), 0.1, np.float16)
    values = measure(a, constant, b, estimator=estimator)
    assert np.isnan(values[1]).all()
    assert np.isnan(values[:, 1]).all()
    others = measure(a, b, estimator=estimator)
    np.testing.assert_allclose(values[np.ix_([0, 2], [0, 2])], others, atol=1e-6)


def test_words_as_far_apart_as_any_have_no_unbiased_cka():
    assert np.isnan(cka_of(np.eye(20, dtype=np.float32))).all()
    assert cka_of(np.eye(20, dtype=np.float32), estimator="biased") == pytest.approx(1)


@pytest.mark.parametrize("bandwidth", [0.3, 1.0, 1000.0])
def test_words_as_far_apart_in_float32_have_none_either(bandwidth):
    turned = np.linalg.qr(np.random.default_rng(0).normal(size=(64, 64)))[0].astype(np.float32)
    assert np.isnan(cka_of(turned)).all()
    assert np.isnan(rbf_of(turned, bandwidth=bandwidth)).all()


@pytest.mark.parametrize("by_features", [True, False])
def test_a_layer_of_one_vector_but_for_a_word_has_only_biased_cka(by_features, monkeypatch):
    monkeypatch.setattr(cka, "features_are_cheaper", lambda *_, **__: by_features)
    layer = np.full((300, 8), 0.1, np.float32)
    layer[7] += 1000 * normal(8)
    assert np.isnan(cka_of(layer, normal(300, 8))[0]).all()
    assert np.isfinite(cka_of(layer, normal(300, 8), estimator="biased")).all()


def test_a_layer_of_mostly_one_vector_has_no_rbf_cka():
    a = np.ones((20, 5), np.float32)
    a[:4] += normal(4, 5)
    assert np.isnan(rbf_of(a)).all()
    assert np.isfinite(cka_of(a)).all()


def test_the_largest_and_smallest_float16_are_compared():
    for scale in (1e4, 1e-6):
        a, b = ((scale * layer).astype(np.float16) for layer in related(60, 6, 2))
        expected = oracles.cka(a.astype(np.float64) / scale, b.astype(np.float64) / scale)
        assert cka_of(a, b)[0, 1] == pytest.approx(expected, abs=1e-5)


@pytest.mark.parametrize(("estimator", "fewest"), [("unbiased", 4), ("biased", 2)])
@pytest.mark.parametrize("measure", [cka_of, rbf_of])
def test_few_words_are_enough_and_fewer_are_refused(measure, estimator, fewest):
    enough = measure(normal(fewest, 6), normal(fewest, 6, seed=1), estimator=estimator)
    assert np.isfinite(enough).all()
    with pytest.raises(ResultError, match=f"at least {fewest} words in common; there are {fewest - 1}"):
        measure(normal(fewest - 1, 6), estimator=estimator)
