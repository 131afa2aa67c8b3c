"""Uniformity and alignment on the sphere, against loops over all pairs in float64."""

import tracemalloc
from itertools import combinations
from math import exp, isnan, log
from statistics import mean

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from synthetic import in_parts

from repstore.analysis import kernels
from repstore.analysis import uniformity as module
from repstore.analysis.aligned import Aligned
from repstore.analysis.space import space_of
from repstore.analysis.uniformity import alignment, uniformity
from repstore.errors import ResultError

rows16 = st.tuples(st.integers(2, 14), st.integers(1, 5)).flatmap(
    lambda shape: arrays(np.float16, shape, elements=st.floats(-100, 100, width=16))
)


def words_of(rows, *cuts):
    vectors = in_parts(rows, *cuts)
    return Aligned(vectors, np.arange(len(rows)), space_of(vectors, "none"))


def aligned(rows, groups, *cuts):
    return alignment(words_of(rows, *cuts), np.asarray(groups, np.int64))


def directions(rows):
    return [kernels.unit(row[None].astype(np.float64))[0] for row in rows]


def naive_uniformity(rows):
    potentials = [exp(-2 * float((u - v) @ (u - v))) for u, v in combinations(directions(rows), 2)]
    return log(mean(potentials))


def naive_alignment(rows, groups):
    words = zip(directions(rows), groups, strict=True)
    pairs = [(u - v) @ (u - v) for (u, a), (v, b) in combinations(words, 2) if a == b >= 0]
    return mean(map(float, pairs)) if pairs else float("nan")


def rotation(d_model, seed):
    return np.linalg.qr(np.random.default_rng(seed).normal(size=(d_model, d_model)))[0]


@given(rows16)
def test_uniformity_equals_a_loop_over_all_pairs(rows):
    assert uniformity(words_of(rows)) == pytest.approx(naive_uniformity(rows), abs=5e-6)


@pytest.mark.parametrize("memory", [8 * 16 * (5 + 16), 2 * 8 * 16 * (5 + 16), 2 << 30])
@pytest.mark.parametrize("n_words", [15, 16, 17, 48, 75])
def test_tiles_and_stripes_cover_every_pair_once(n_words, memory, monkeypatch):
    monkeypatch.setattr(module, "TILE", 16)
    rows = np.random.default_rng(0).normal(size=(n_words, 5)).astype(np.float16)
    assert uniformity(words_of(rows, 7, 3), memory) == pytest.approx(naive_uniformity(rows), abs=5e-6)


@given(rows16, st.data())
def test_alignment_equals_a_loop_over_all_pairs(rows, data):
    groups = data.draw(st.lists(st.integers(-1, 3), min_size=len(rows), max_size=len(rows)))
    wanted = naive_alignment(rows, groups)
    assert aligned(rows, groups) == pytest.approx(wanted, abs=1e-9, nan_ok=True)


@pytest.mark.parametrize("block", [1, 2, 5, 100])
def test_groups_may_break_anywhere_between_blocks(block, monkeypatch):
    monkeypatch.setattr(kernels, "block_rows", lambda d_model: block)
    rows = np.random.default_rng(0).normal(size=(40, 6)).astype(np.float16)
    groups = np.random.default_rng(1).choice([-1, 0, 0, 0, 3, 4, 7, 8], 40)
    assert aligned(rows, groups, 11) == pytest.approx(naive_alignment(rows, groups.tolist()), rel=1e-9)


@given(st.integers(0, 1000), st.floats(0.01, 100))
def test_rotating_and_scaling_leave_both_alone(seed, scale):
    rows = np.random.default_rng(seed).normal(0.5, 1, (30, 7))
    turned = (scale * rows @ rotation(7, seed)).astype(np.float32)
    plain, groups = rows.astype(np.float32), np.arange(30) % 4
    assert uniformity(words_of(turned)) == pytest.approx(uniformity(words_of(plain)), abs=5e-6)
    assert aligned(turned, groups) == pytest.approx(aligned(plain, groups), rel=1e-5)


@given(st.permutations(range(12)), st.permutations(range(4)))
def test_neither_the_order_of_words_nor_the_names_of_groups_matter(order, names):
    rows = np.random.default_rng(0).normal(size=(12, 3)).astype(np.float16)
    groups = np.array([0, 1, 2, 3, 1, 1, 2, 3, 3, 3, 1, 0])
    renamed = np.array(names)[groups]
    assert aligned(rows[order], renamed[order]) == pytest.approx(aligned(rows, groups), rel=1e-9)


def test_orthogonal_words_are_at_a_known_distance():
    rows = np.eye(30, dtype=np.float16)
    assert uniformity(words_of(rows)) == pytest.approx(-4)
    assert aligned(rows, np.zeros(30)) == pytest.approx(2)


def test_the_same_words_are_at_none_and_opposite_words_at_the_largest():
    rows = np.repeat(np.random.default_rng(0).normal(size=(1, 50)), 40, axis=0).astype(np.float16)
    assert uniformity(words_of(rows)) == pytest.approx(0, abs=1e-6)
    assert uniformity(words_of(rows)) <= 0
    assert 0 <= aligned(rows, np.arange(40) % 3) < 1e-12
    opposite = np.concatenate([rows[:1], -rows[:1]])
    assert uniformity(words_of(opposite)) == pytest.approx(-8, abs=1e-5)
    assert aligned(opposite, [2, 2]) == pytest.approx(4)


def test_a_zero_vector_is_at_distance_one_from_others_and_none_from_zero_vectors():
    rows = np.array([[0, 0], [0, 5]], np.float16)
    assert uniformity(words_of(rows)) == pytest.approx(-2, abs=1e-6)
    assert aligned(rows, [0, 0]) == pytest.approx(1)
    assert uniformity(words_of(np.zeros((3, 2), np.float16))) == 0
    assert aligned(np.zeros((3, 2), np.float16), [0, 0, 0]) == 0


def test_pairs_count_alike_whatever_the_size_of_their_group():
    rows = np.array([[1, 0], [0, 1], [1, 0], [1, 0], [1, 0]], np.float16)
    assert aligned(rows, [0, 0, 1, 1, 1]) == pytest.approx(2 / 4)


def test_without_pairs_there_is_nothing_to_measure():
    rows = np.random.default_rng(0).normal(size=(3, 4)).astype(np.float16)
    assert isnan(aligned(rows, [0, 1, 2]))
    assert isnan(aligned(rows, [-1, -1, -1]))
    assert isnan(uniformity(words_of(rows[:1])))


@pytest.mark.parametrize("scale", [1e-30, 1e30])
def test_numbers_that_float16_cannot_hold_make_no_difference(scale):
    rows = np.random.default_rng(0).normal(size=(20, 6))
    huge = (scale * rows).astype(np.float32)
    assert uniformity(words_of(huge)) == pytest.approx(
        uniformity(words_of(rows.astype(np.float32))), abs=5e-6
    )


def test_words_spread_over_a_high_sphere_are_near_minus_four():
    rows = np.random.default_rng(0).normal(size=(2500, 300)).astype(np.float16)
    expected = -4 + log(mean(np.exp(4 * np.random.default_rng(1).normal(0, 300**-0.5, 200_000)).tolist()))
    assert uniformity(words_of(rows)) == pytest.approx(expected, abs=2e-3)


def test_memory_is_kept():
    words = words_of(np.random.default_rng(0).normal(size=(5000, 512)).astype(np.float16))
    for memory in (8 * 1024 * (512 + 1024), 20 << 20):
        tracemalloc.start()
        try:
            uniformity(words, memory)
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert peak < memory + 8 * kernels.BLOCK_BYTES


@pytest.mark.parametrize("memory", [-1, 0, 8 << 20])
def test_too_little_memory_is_refused(memory):
    words = words_of(np.ones((1100, 100), np.float16))
    message = rf"100 dimensions takes at least 9 MiB of memory; {max(memory, 0) >> 20} are"
    with pytest.raises(ResultError, match=message):
        uniformity(words, memory)
