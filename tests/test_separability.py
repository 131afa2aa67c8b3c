"""How far senses lie apart, against plain loops, scikit-learn, and what chance gives exactly."""

import math
import tracemalloc
from itertools import permutations

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import in_parts

from repstore.analysis import kernels
from repstore.analysis.aligned import Aligned
from repstore.analysis.separability import separability
from repstore.analysis.space import space_of


def aligned(rows: np.ndarray, *sizes: int, frame: str = "none", widened: tuple[int, ...] = ()) -> Aligned:
    vectors = in_parts(rows, *sizes, widened=widened)
    return Aligned(vectors, np.arange(len(rows)), space_of(vectors, frame))


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def mean_of(rows: list[np.ndarray]) -> list[float]:
    return [math.fsum(column) / len(rows) for column in zip(*rows, strict=True)]


def scatter(rows: list[np.ndarray]) -> float:
    mean = mean_of(rows)
    return math.fsum((x - m) ** 2 for row in rows for x, m in zip(row, mean, strict=True))


def silhouettes(senses: list[list[np.ndarray]]) -> list[float]:
    found = []
    for n, own in enumerate(senses):
        for m, word in enumerate(own):
            inside = np.mean([1 - oracles.cosine(word, x) for k, x in enumerate(own) if k != m])
            outside = min(
                np.mean([1 - oracles.cosine(word, x) for x in other])
                for k, other in enumerate(senses)
                if k != n
            )
            # Words of one vector have a distance of 0, which the oracle misses by a rounding.
            inside, outside = (0.0 if abs(value) < 1e-12 else value for value in (inside, outside))
            larger = max(inside, outside)
            found.append((outside - inside) / larger if larger else 0.0)
    return found


def expected_of(rows: np.ndarray, lemmas: np.ndarray, senses: np.ndarray) -> list[tuple[float, float, float]]:
    found = []
    for lemma in sorted(set(lemmas) - {-1}):
        groups: dict[int, list[np.ndarray]] = {}
        for row, of_lemma, sense in zip(rows, lemmas, senses, strict=True):
            if of_lemma == lemma and sense != -1:
                groups.setdefault(sense, []).append(row)
        kept = [group for group in groups.values() if len(group) >= 2]
        if len(kept) < 2:
            continue
        words = [word for group in kept for word in group]
        total, within = scatter(words), math.fsum(scatter(group) for group in kept)
        chance = (len(kept) - 1) / (len(words) - 1)
        between = 1 - within / total if total > 1e-20 else chance
        adjusted = 1 - (1 - between) * (len(words) - 1) / (len(words) - len(kept))  # as adjusted R squared
        found.append((between, adjusted, float(np.mean(silhouettes(kept)))))
    return found


@settings(deadline=None, max_examples=80)
@given(
    n_words=st.integers(1, 24),
    d_model=st.integers(1, 5),
    n_vectors=st.integers(1, 24),
    frame=st.sampled_from(["none", "center", "corpus"]),
    seed=st.integers(0, 999),
)
def test_separability_equals_plain_loops(n_words, d_model, n_vectors, frame, seed):
    random = np.random.default_rng(seed)
    rows = (random.normal(size=(n_vectors, d_model)) + 1).astype(np.float16)
    rows[random.random(n_vectors) < 0.1] = 0
    words = aligned(rows[random.integers(0, n_vectors, n_words)], frame=frame)
    lemmas, senses = random.integers(-1, 2, n_words), random.integers(-1, 3, n_words)
    expected = expected_of(words.matrix(), lemmas, senses)
    found = separability(words, lemmas, senses)
    assert found.n_lemmas == len(expected)
    values = (found.between, found.adjusted, found.silhouette)
    if expected:
        assert values == pytest.approx(np.mean(expected, axis=0), abs=1e-6)
    else:
        assert all(map(math.isnan, values))


def test_silhouettes_equal_those_of_scikit_learn():
    from sklearn.metrics import silhouette_score

    rows, senses = normal(90, 12) + 0.3, np.repeat([0, 1, 2], [50, 10, 30])
    rows[senses == 1] += normal(1, 12, seed=1)
    expected = silhouette_score(rows.astype(np.float64), senses, metric="cosine")
    assert separability(aligned(rows), np.zeros(90, np.int64), senses).silhouette == pytest.approx(
        expected, abs=1e-10
    )


def test_over_all_ways_to_give_senses_the_share_is_that_of_chance():
    rows, lemma = normal(6, 3), np.zeros(6, np.int64)
    ways = sorted(set(permutations([0, 0, 0, 0, 1, 1])))
    found = [separability(aligned(rows), lemma, np.array(senses)) for senses in ways]
    assert np.mean([one.between for one in found]) == pytest.approx(1 / 5)
    assert np.mean([one.adjusted for one in found]) == pytest.approx(0, abs=1e-12)


def test_senses_of_one_vector_each_are_wholly_separate():
    rows = np.repeat(np.array([[0.1, 0.0], [0.0, 0.7]], np.float16), [3, 4], axis=0)
    found = separability(aligned(rows), np.zeros(7, np.int64), np.repeat([0, 1], [3, 4]))
    assert (found.between, found.adjusted, found.silhouette) == pytest.approx((1, 1, 1))


@pytest.mark.parametrize("frame", ["none", "center", "corpus"])
@pytest.mark.parametrize("value", [0.1, 0.0, 65504.0])
def test_a_lemma_of_one_vector_tells_nothing_apart(value, frame):
    rows = normal(12, 50).astype(np.float16)
    rows[3:10] = np.float16(value) * np.sign(rows[3])
    senses, lemmas = np.array([0, 0, 0, 1, 1, 0, 2, 2, 0, 0, 1, 1]), np.repeat([-1, 5, -1], [3, 7, 2])
    found = separability(aligned(rows, frame=frame), lemmas, senses)
    assert (found.between, found.adjusted, found.silhouette) == (2 / 6, 0, 0)


@pytest.mark.parametrize("order", [1, -1])
def test_senses_of_the_same_vectors_have_silhouette_0_beside_a_third(order):
    rows = np.repeat(normal(2, 50).astype(np.float16), [6, 3], axis=0)
    senses = order * np.array([0, 0, 0, 1, 1, 1, 2, 2, 2]) + 2
    found = separability(aligned(rows), np.zeros(9, np.int64), senses)
    assert found.silhouette == pytest.approx(1 / 3)  # 1 for the words of the third


def test_words_that_differ_by_little_have_the_silhouettes_of_their_differences():
    # Cosines are 1 but for 1e-10: far above what float64 can tell, far below its last decimals.
    rows = 100 + 1e-3 * normal(40, 8)
    senses = np.repeat([0, 1], 20)
    rows[senses == 1, 0] += 1e-3
    wide = rows.astype(np.float64)
    units = wide / np.sqrt((wide**2).sum(axis=1, keepdims=True))
    distances = ((units[:, None] - units) ** 2).sum(axis=2)
    expected = []
    for word in range(40):
        own, other = (distances[word, senses == s] for s in (senses[word], 1 - senses[word]))
        inside, outside = own.sum() / (len(own) - 1), other.mean()
        expected.append((outside - inside) / max(inside, outside))
    found = separability(aligned(rows), np.zeros(40, np.int64), senses)
    assert found.silhouette == pytest.approx(np.mean(expected), rel=1e-5)


@pytest.mark.parametrize("n_bytes", [1, 100, 300])
def test_blocks_change_nothing_but_roundings(n_bytes, monkeypatch):
    rows, lemmas = normal(60, 8).astype(np.float16), np.repeat([0, 1], [40, 20])
    senses = np.random.default_rng(1).integers(0, 4, 60)
    rows[::9] = 0
    expected = separability(aligned(rows), lemmas, senses)
    monkeypatch.setattr(kernels, "BLOCK_BYTES", n_bytes)
    found = separability(aligned(rows), lemmas, senses)
    for name in ("between", "adjusted", "silhouette"):
        assert getattr(found, name) == pytest.approx(getattr(expected, name), abs=1e-12)
    flat = separability(aligned(np.full((9, 5), 0.1, np.float16)), np.zeros(9, int), np.arange(9) % 2)
    assert (flat.between, flat.adjusted, flat.silhouette) == (1 / 8, 0, 0)


def test_memory_does_not_grow_with_a_lemma():
    rows, senses = normal(40_000, 64), np.arange(40_000) % 3
    words = aligned(rows)
    tracemalloc.start()
    try:
        separability(words, np.zeros(len(rows), np.int64), senses)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < 10 * kernels.BLOCK_BYTES + 100 * len(rows)  # float64 rows would take 512 a word


def test_rare_senses_and_words_without_sense_are_left_out():
    rows, senses = normal(12, 4), np.array([0, 0, 0, 1, 1, 1, 2, -1, -1, 3, 4, -1])
    few = separability(aligned(rows), np.zeros(12, np.int64), senses)
    assert few == separability(aligned(rows[:6]), np.zeros(6, np.int64), senses[:6])


def test_lemmas_count_the_same_and_share_no_senses():
    rows, senses = normal(20, 4), np.array([0, 0, 1, 1] + [0] * 8 + [1] * 8)
    lemmas = np.repeat([3, 8], [4, 16])
    both = separability(aligned(rows), lemmas, senses)
    each = [separability(aligned(rows), np.where(lemmas == code, 0, -1), senses) for code in (3, 8)]
    for name in ("between", "adjusted", "silhouette"):
        assert getattr(both, name) == pytest.approx(np.mean([getattr(one, name) for one in each]))
    assert (both.n_lemmas, each[0].n_lemmas) == (2, 1)


@settings(deadline=None, max_examples=20)
@given(scale=st.floats(1e-2, 1e2), seed=st.integers(0, 99))
def test_rotation_and_scale_leave_separability_alone_and_translation_its_variance(scale, seed):
    rows, lemmas, senses = normal(24, 6, seed=seed), np.repeat([0, 1], 12), np.tile([0, 0, 1, 2], 6)
    rotation = np.linalg.qr(normal(6, 6, seed=1).astype(np.float64))[0]
    moved = scale * rows.astype(np.float64) @ rotation
    expected = separability(aligned(rows), lemmas, senses)
    turned = separability(aligned(moved.astype(np.float32)), lemmas, senses)
    shifted = separability(aligned((moved + 5 * scale).astype(np.float32)), lemmas, senses)
    for name in ("between", "adjusted", "silhouette"):
        assert getattr(turned, name) == pytest.approx(getattr(expected, name), abs=1e-5)
    assert shifted.between == pytest.approx(expected.between, abs=1e-5)


def test_neither_the_order_of_words_nor_codes_nor_parts_nor_dtypes_count():
    rows = normal(40, 6).astype(np.float16)
    random = np.random.default_rng(1)
    lemmas, senses, order = random.integers(0, 3, 40), random.integers(0, 3, 40), random.permutation(40)
    expected = separability(aligned(rows), lemmas, senses)
    assert separability(aligned(rows, 7, 20, widened=(1,)), lemmas, senses) == expected
    vectors = in_parts(rows, 5)
    shuffled = Aligned(vectors, order, space_of(vectors, "none"))
    found = separability(shuffled, 9 - 2 * lemmas[order], 5 - senses[order])
    assert (found.between, found.silhouette) == pytest.approx((expected.between, expected.silhouette))


def test_outlier_dimensions_and_the_ends_of_float16_are_measured_as_they_are():
    rows = normal(24, 6)
    rows[:, 2] = 3000 + normal(24, seed=1)
    rows[:6] = normal(6, 6, seed=2) * 60000 / 4
    rows[6:9] = 2**-24
    rows = np.clip(rows, -65504, 65504).astype(np.float16)
    lemmas, senses = np.repeat([0, 1], 12), np.tile([0, 0, 1, 1], 6)
    found = separability(aligned(rows), lemmas, senses)
    expected = np.mean(expected_of(rows.astype(np.float64), lemmas, senses), axis=0)
    assert (found.between, found.adjusted, found.silhouette) == pytest.approx(expected, abs=1e-6)


def test_senses_that_drift_apart_are_more_and_more_separate():
    rows, senses = normal(60, 20), np.repeat([0, 1], 30)
    found = []
    for distance in (0, 1, 3, 9):
        apart = rows.copy()
        apart[senses == 1, 0] += distance
        apart[senses == 0, 1] += distance
        found.append(separability(aligned(apart), np.zeros(60, np.int64), senses))
    assert abs(found[0].adjusted) < 0.02
    assert abs(found[0].silhouette) < 0.02
    for name in ("between", "adjusted", "silhouette"):
        values = [getattr(one, name) for one in found]
        assert values == sorted(values)
        assert values[-1] > 0.6
