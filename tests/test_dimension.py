"""Intrinsic dimension, against brute force, the likelihood itself, scikit-dimension, and known dimensions."""

import math
import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from synthetic import in_parts

from repstore.analysis import dimension
from repstore.analysis.aligned import Aligned
from repstore.analysis.bootstrap import Resampling
from repstore.analysis.dimension import Dimension, dimensions, most_likely
from repstore.analysis.space import space_of
from repstore.errors import ArgumentError, ResultError

FEW = Resampling(50)


def aligned(rows: np.ndarray, *sizes: int, frame: str = "none", widened: tuple[int, ...] = ()) -> Aligned:
    vectors = in_parts(rows, *sizes, widened=widened)
    return Aligned(vectors, np.arange(len(rows)), space_of(vectors, frame))


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def embedded(rows: np.ndarray, d_model: int = 50) -> np.ndarray:
    """The same points among more dimensions, turned."""
    wide = np.zeros((len(rows), d_model))
    wide[:, : rows.shape[1]] = rows
    return (wide @ np.linalg.qr(normal(d_model, d_model, seed=99).astype(float))[0]).astype(np.float32)


def ratios(d: float, scale: int, n: int, seed: int = 0) -> np.ndarray:
    """Logarithms of ratios from their law: mu to the -d is of the beta distribution of (n, n)."""
    return -np.log(np.random.default_rng(seed).beta(scale, scale, n)) / d


def brute_ratios(rows: np.ndarray, scale: int) -> np.ndarray:
    logarithms = []
    for n, row in enumerate(rows.astype(np.float64)):
        others = sorted(math.dist(row, other) for m, other in enumerate(rows.astype(np.float64)) if m != n)
        logarithms.append(math.log(others[2 * scale - 1] / others[scale - 1]))
    return np.array(logarithms)


def likeliest(logarithms: np.ndarray, scale: int) -> float:
    """The maximum of the likelihood, with one word less before log d."""

    def loss(log_d: float) -> float:
        x = math.exp(log_d) * logarithms
        powers = x + np.log(-np.expm1(-x))  # log(mu^d - 1)
        return -((len(x) - 1) * log_d + (scale - 1) * powers.sum() - (2 * scale - 1) * x.sum())

    if scale == 1:
        return float((len(logarithms) - 1) / logarithms.sum())
    return math.exp(minimize_scalar(loss, bounds=(-10, 15), method="bounded", options={"xatol": 1e-9}).x)


def values(found) -> list[float]:
    return [one.value for one in found.by_scale]


@settings(deadline=None, max_examples=100)
@given(
    scale=st.sampled_from([1, 2, 8, 64]),
    d=st.sampled_from([0.01, 0.5, 3.0, 40.0, 1000.0]),
    n=st.integers(2, 30),
    seed=st.integers(0, 999),
)
def test_the_dimension_is_that_of_highest_likelihood(scale, d, n, seed):
    logarithms = ratios(d, scale, n, seed)
    counts = np.random.default_rng(seed).integers(0, 4, (n, 3))
    counts[:2] += 1
    found = most_likely(logarithms, scale, counts)
    expected = [likeliest(np.repeat(logarithms, column), scale) for column in counts.T]
    np.testing.assert_allclose(found, expected, rtol=1e-5)


@pytest.mark.parametrize("scale", [1, 4, 64])
def test_ratios_far_apart_and_ratios_of_1_keep_the_likelihood_solvable(scale):
    logarithms = np.array([0, 0, 1e-300, 1e-12, 0.3, 80])
    (found,) = most_likely(logarithms, scale, np.ones((6, 1)))
    x = found * logarithms[2:]
    terms = (2 + (x / -np.expm1(-x)).sum()) if scale > 1 else 0
    assert 5 + (scale - 1) * terms == pytest.approx((2 * scale - 1) * found * logarithms.sum())


@pytest.mark.parametrize("scale", [1, 4, 64])
def test_ratios_that_say_nothing_have_no_dimension(scale):
    logarithms = np.array([0.0, 0.0, 0.5])
    counts = np.array([[1, 0, 0, 2], [1, 0, 0, 0], [0, 0, 1, 1]])
    found = most_likely(logarithms, scale, counts)
    assert np.isnan(found).tolist() == [True, True, True, False]


@pytest.mark.parametrize("scale", [1, 4, 64])
@pytest.mark.parametrize("d", [1, 5, 100])
def test_on_average_the_dimension_of_the_law_is_found(d, scale):
    found = [most_likely(ratios(d, scale, 200, seed), scale, np.ones((200, 1)))[0] for seed in range(200)]
    assert np.mean(found) == pytest.approx(d, rel=0.02)


@settings(deadline=None, max_examples=30)
@given(
    n_words=st.integers(5, 30),
    d_model=st.integers(2, 8),  # on a line two of thirty may be as near as rounding
    frame=st.sampled_from(["none", "center", "corpus"]),
    seed=st.integers(0, 99),
)
def test_dimensions_equal_those_of_brute_force(n_words, d_model, frame, seed):
    words = aligned(normal(n_words, d_model, seed=seed), frame=frame)
    found = dimensions(words, (1, 2), resampling=FEW)
    expected = [likeliest(brute_ratios(words.matrix(), scale), scale) for scale in (1, 2)]
    assert found.n_distinct == n_words
    assert values(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("d", [5, 10])
def test_dimensions_equal_those_of_scikit_dimension(d):
    import skdim

    rows = embedded(normal(300, d))
    theirs = skdim.id.GRIDE(multiscale=True, range_max=64).fit(rows.astype(np.float64))
    found = dimensions(aligned(rows), theirs.scales_.tolist(), resampling=FEW)
    assert values(found) == pytest.approx(theirs.dimension_scales_, rel=1e-5)
    as_published = skdim.id.TwoNN().fit(rows.astype(np.float64))  # a line through nine tenths of the ratios
    assert found.by_scale[0].value == pytest.approx(as_published.dimension_, rel=0.1)


@pytest.mark.parametrize("d", [1, 2, 5])
def test_known_dimensions_are_within_most_intervals(d):
    found = [
        one
        for seed in range(12)
        for one in dimensions(
            aligned(embedded(normal(400, d, seed=seed))), (1, 4), resampling=Resampling(200)
        ).by_scale
    ]
    assert np.mean([one.low <= d <= one.high for one in found]) > 0.7
    assert np.mean([one.value for one in found]) == pytest.approx(d, rel=0.03)


def test_ten_dimensions_are_seen_but_for_the_borders():
    # Most words are near the border, beyond which they have no neighbors: known to pull down.
    found = dimensions(aligned(embedded(normal(1500, 10))), (1, 4), resampling=FEW)
    assert all(8 < one.value < 10.5 for one in found.by_scale)


def test_small_noise_is_seen_at_small_scales_only():
    plane = embedded(np.random.default_rng(0).uniform(size=(1500, 2)))
    noisy = plane + 0.004 * normal(*plane.shape, seed=1)
    small, _, large = values(dimensions(aligned(noisy), (1, 8, 64), resampling=FEW))
    assert small > 6
    assert 1.7 < large < 2.6


def test_rotation_scale_and_translation_leave_dimensions_alone():
    rows = normal(200, 6).astype(np.float64)
    rotation = np.linalg.qr(normal(6, 6, seed=1).astype(np.float64))[0]
    moved = (37 * rows @ rotation + 100).astype(np.float32)
    expected = dimensions(aligned(rows.astype(np.float32)), resampling=FEW)
    assert values(dimensions(aligned(moved), resampling=FEW)) == pytest.approx(values(expected), rel=1e-3)


def test_words_of_the_same_vector_count_once():
    rows = normal(80, 5).astype(np.float16)
    expected = dimensions(aligned(rows), (1, 8))
    again = np.concatenate([rows, rows[::-1], np.repeat(rows[:2], 50, axis=0)])
    assert dimensions(aligned(again), (1, 8)) == expected
    assert expected.n_distinct == 80


def test_only_the_words_asked_for_have_neighbors():
    rows = normal(120, 5).astype(np.float16)
    some = np.random.default_rng(1).permutation(120)[:70]
    vectors = in_parts(rows, 50)
    found = dimensions(Aligned(vectors, some, space_of(vectors, "none")), (1, 8))
    expected = dimensions(aligned(rows[np.sort(some)]), (1, 8))
    assert found.n_distinct == 70
    assert values(found) == pytest.approx(values(expected), rel=1e-6)


def test_parts_and_stored_dtypes_change_nothing():
    rows = normal(150, 20).astype(np.float16)
    assert dimensions(aligned(rows, 40, 70, widened=(1,))) == dimensions(aligned(rows))


@pytest.mark.parametrize("n_words", [1, 2, 3, 8, 9])
def test_a_scale_needs_twice_as_many_neighbors(n_words):
    found = dimensions(aligned(normal(n_words, 5)), (1, 4), resampling=FEW)
    for one in found.by_scale:
        finite = [math.isfinite(number) for number in (one.value, one.low, one.high)]
        assert finite == [n_words > 2 * one.scale] * 3


@pytest.mark.parametrize("value", [0.0, 0.1, 65504.0])
def test_a_constant_layer_has_no_dimension(value):
    found = dimensions(aligned(np.full((30, 4), value, np.float16)), (1,))
    assert found.n_distinct == 1
    assert all(math.isnan(number) for number in (found.by_scale[0].value, found.by_scale[0].low))


def test_words_all_at_one_distance_have_no_dimension():
    found = dimensions(aligned(np.eye(20, dtype=np.float16)), (1, 4), resampling=FEW)
    assert found.n_distinct == 20
    assert np.isnan(values(found)).all()


def test_a_lattice_has_a_dimension_though_many_distances_tie():
    grid = np.stack(np.meshgrid(*[np.arange(20)] * 2), axis=-1).reshape(-1, 2).astype(np.float16)
    found = dimensions(aligned(grid), (4, 64), resampling=FEW)
    expected = [most_likely(brute_ratios(grid, scale), scale, np.ones((400, 1)))[0] for scale in (4, 64)]
    assert values(found) == pytest.approx(expected, rel=1e-5)
    assert found.by_scale[1].value == pytest.approx(2, rel=0.2)


def test_near_duplicates_beside_an_outlier_dimension_keep_their_distances():
    rows = normal(40, 6)
    rows[:, 2] = 3000
    rows[1::2] = rows[::2]
    rows[1::2, 0] += np.exp(normal(20, seed=1) - 4)
    words = aligned(rows)
    found = dimensions(words, (1, 2), resampling=FEW)
    expected = [likeliest(brute_ratios(words.matrix(), scale), scale) for scale in (1, 2)]
    assert found.n_distinct == 40
    assert values(found) == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("apart", [1e-20, 1e-7, 3e-5])
def test_words_that_differ_by_rounding_are_one(apart):
    """Nine words of one vector but for rounding, among them some that are not each other's nearest."""
    rows = normal(60, 6).astype(np.float64)
    rows[1:9] = rows[0]
    rows[:9, 3] += apart * np.arange(9) / 9
    rows = np.random.default_rng(3).permutation(rows)
    found = dimensions(aligned(rows.astype(np.float32)), (1, 4), resampling=FEW)
    kept = [n for n, row in enumerate(rows) if min(np.linalg.norm(rows[:n] - row, axis=1), default=1) > 1e-4]
    assert found.n_distinct == len(kept) == 52
    expected = [likeliest(brute_ratios(rows[kept], scale), scale) for scale in (1, 4)]
    assert values(found) == pytest.approx(expected, rel=1e-4)


def test_words_near_each_other_about_a_far_mean_are_not_one():
    rows = normal(60, 4) / 1000
    alone = dimensions(aligned(rows), (1, 2), resampling=FEW)
    far = dimensions(aligned(rows + np.float32(8)), (1, 2), resampling=FEW)
    assert alone.n_distinct == far.n_distinct == 60
    assert values(far) == pytest.approx(values(alone), rel=1e-2)


def test_the_ends_of_float16_have_a_dimension():
    rows = normal(40, 6)
    rows[:20] *= 60000 / np.abs(rows[:20]).max()
    rows[20:] *= 2**-18
    words = aligned(rows.astype(np.float16))
    found = dimensions(words, (1, 2), resampling=FEW)
    expected = [likeliest(brute_ratios(words.matrix(), scale), scale) for scale in (1, 2)]
    assert values(found) == pytest.approx(expected, rel=1e-5)


def test_the_interval_is_the_middle_of_resampled_ratios():
    rows = normal(60, 4)
    (found,) = dimensions(aligned(rows), (1,), resampling=Resampling(4000, seed=1)).by_scale
    logarithms, random = brute_ratios(rows, 1), np.random.default_rng(5)
    drawn = [59 / logarithms[random.integers(0, 60, 60)].sum() for _ in range(4000)]
    assert (found.low, found.high) == pytest.approx(np.percentile(drawn, [2.5, 97.5]), rel=0.03)


def test_the_seed_decides_the_interval_and_nothing_else():
    rows = aligned(normal(60, 4))
    first, again, other = (dimensions(rows, resampling=Resampling(100, seed)) for seed in (1, 1, 2))
    assert str(first) == str(again)  # NaN at scale 64
    assert values(first)[:3] == values(other)[:3]
    assert first.by_scale[0].low != other.by_scale[0].low


def test_without_resamples_there_is_a_value_and_no_interval():
    words = aligned(normal(60, 4))
    found = dimensions(words, (1, 4), resampling=Resampling(0))
    assert values(found) == values(dimensions(words, (1, 4), resampling=FEW))
    assert all(math.isnan(one.low) and math.isnan(one.high) for one in found.by_scale)


@pytest.mark.parametrize("kind", ["random", "close", "copied"])
def test_memory_is_kept_and_changes_nothing(kind):
    rows = normal(6_000, 16)
    if kind == "close":  # so many candidates that they are weighed in float64
        rows = 10 * normal(1, 16, seed=1) + rows / 1000
    if kind == "copied":
        rows[-1] = rows[0]
    words = aligned(rows, 2500)
    memory = dimension.LEAST + dimension.PER_WORD * len(rows) + (rows.nbytes if kind == "copied" else 0)
    tracemalloc.start()
    try:
        found = dimensions(words, (1, 16), resampling=Resampling(128), memory=memory)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < memory
    assert found == dimensions(words, (1, 16), resampling=Resampling(128))


@pytest.mark.parametrize("memory", [-1, 0, 50 << 20])
def test_too_little_memory_is_refused(memory):
    rows = np.repeat(normal(10_000, 256).astype(np.float16), 2, axis=0)
    with pytest.raises(ResultError, match=rf"takes at least \d+ MiB of memory; {max(memory, 0) >> 20} are"):
        dimensions(aligned(rows), memory=memory)


def test_scales_are_answered_in_the_order_asked_for():
    found = dimensions(aligned(normal(60, 4)), (8, 1), resampling=FEW)
    assert [one.scale for one in found.by_scale] == [8, 1]
    assert isinstance(found.by_scale[0], Dimension)


@pytest.mark.parametrize("scales", [(), (1, 0)])
def test_scales_that_name_no_neighbor_are_refused(scales):
    with pytest.raises(ArgumentError, match="each at least 1"):
        dimensions(aligned(normal(10, 4)), scales)


def test_progress_counts_the_distinct_words():
    seen = []
    dimensions(aligned(np.repeat(normal(30, 4), 2, axis=0)), (1,), resampling=FEW, progress=seen.append)
    assert (seen[-1].n_done, seen[-1].n_total) == (30, 30)
