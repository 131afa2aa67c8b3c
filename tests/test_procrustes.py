"""Procrustes similarity, against scipy's rotations and against its invariances."""

import numpy as np
import pytest
from aligning import aligned, normal, rotation
from budgets import check_budget, with_room_for
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.linalg import orthogonal_procrustes
from synthetic import in_parts

from repstore.analysis import directions
from repstore.analysis.procrustes import procrustes
from repstore.errors import ResultError


def plainly(a: np.ndarray, b: np.ndarray) -> float:
    """1 - half the squared distance that is left after the best rotation, both of norm 1."""
    width = max(a.shape[1], b.shape[1])
    sides = []
    for layer in (a, b):
        padded = np.pad(layer.astype(np.float64), ((0, 0), (0, width - layer.shape[1])))
        padded -= padded.mean(axis=0)
        sides.append(padded / np.linalg.norm(padded))
    turn, _ = orthogonal_procrustes(*sides)
    return 1 - np.square(sides[0] @ turn - sides[1]).sum() / 2


def values_of(*layers: np.ndarray) -> np.ndarray:
    return procrustes([aligned(layer) for layer in layers])


@settings(max_examples=25)
@given(
    n=st.integers(3, 40), widths=st.tuples(st.integers(1, 50), st.integers(1, 50)), seed=st.integers(0, 999)
)
def test_similarity_is_what_the_best_rotation_leaves(n, widths, seed):
    a, b = (normal(n, width, seed=seed + side) for side, width in enumerate(widths))
    b[:, 0] += 2 * a[:, 0]
    values = values_of(a, b)
    assert values[0, 1] == values[1, 0] == pytest.approx(plainly(a, b), rel=1e-6)


@settings(max_examples=20)
@given(seed=st.integers(0, 999), scale=st.sampled_from([-3.0, 0.01, 1.0, 500.0]))
def test_rotation_reflection_scale_and_translation_change_nothing(seed, scale):
    a, b = normal(50, 6, seed=seed), normal(50, 9, seed=seed + 1)
    moved = (scale * (b @ rotation(9, seed)) + 2).astype(np.float32)
    values = values_of(a, b, moved)
    assert values[0, 2] == pytest.approx(values[0, 1], rel=1e-4)
    assert values[1, 2] == pytest.approx(1, abs=1e-6)


def test_other_linear_maps_do_change_it():
    a = normal(50, 6)
    assert values_of(a, a * np.array([1, 2, 3, 4, 5, 60], np.float32))[0, 1] < 0.8


def test_layers_that_vary_at_right_angles_have_none():
    a = np.array([[1], [-1], [0], [0]], np.float32)
    b = np.array([[0], [0], [2], [-2]], np.float32)
    assert values_of(a, b)[0, 1] == pytest.approx(0, abs=1e-12)


def test_outlying_dimensions_and_a_large_mean_cost_no_digits():
    a, b = normal(30, 40), normal(30, 40) + normal(30, 40, seed=1)
    a[:, 3] *= 3000
    b[:, 7] *= 3000
    assert values_of(a, b)[0, 1] == pytest.approx(plainly(a, b), rel=1e-9)
    moved = (b + np.float32(2048)).astype(np.float32)
    assert values_of(a, moved)[0, 1] == pytest.approx(plainly(a, moved), rel=1e-9)


def test_a_budget_changes_nothing():
    firsts = [aligned(normal(40, 5 + n, seed=n)) for n in range(5)]
    seconds = [aligned(normal(40, 50, seed=n)) for n in range(3)]
    for layers, widest in (((firsts,), 9), ((firsts, seconds), 50)):
        amply = procrustes(*layers)
        for n_held in (1, 2):
            memory = with_room_for(n_held, 40, widest)
            assert next(directions.within(memory, firsts, layers[-1])) == slice(0, n_held)
            np.testing.assert_array_equal(procrustes(*layers, memory=memory), amply)


@pytest.mark.parametrize("shape", [(1000, 200), (300, 1000), (500, 500)])
def test_memory_stays_within_the_budget_and_too_little_is_refused(shape):
    check_budget(procrustes, [aligned(normal(*shape, seed=n).astype(np.float16)) for n in range(3)])


def test_against_others_is_a_block_of_all_against_all():
    layers = [aligned(normal(40, 5 + n) + normal(40, 5 + n, seed=1 + n)) for n in range(5)]
    np.testing.assert_allclose(procrustes(layers[:2], layers[2:]), procrustes(layers)[:2, 2:], rtol=1e-12)


def test_parts_rows_and_stored_dtypes_do_not_matter():
    a, b = normal(60, 6).astype(np.float16), normal(60, 6, seed=1).astype(np.float16)
    shuffled = np.random.default_rng(2).permutation(60)[:50]
    in_pieces = aligned(in_parts(a, 11, 30, widened=(1,)), shuffled)
    expected = procrustes([aligned(a[shuffled])], [aligned(b[shuffled])])
    np.testing.assert_array_equal(procrustes([in_pieces], [aligned(b, shuffled)]), expected)


def test_the_space_decides_what_is_compared():
    a = normal(50, 6)
    b = a * np.array([1, 2, 3, 4, 5, 60], np.float32)
    standardized = procrustes([aligned(layer, frame="corpus") for layer in (a, b)])
    assert standardized[0, 1] == pytest.approx(1, abs=1e-5)


def test_a_constant_layer_has_none_and_leaves_the_others_alone():
    a, b = normal(30, 6), normal(30, 6, seed=1)
    values = values_of(a, np.full((30, 6), 0.1, np.float16), b)
    assert np.isnan(values[1]).all()
    assert np.isnan(values[:, 1]).all()
    np.testing.assert_array_equal(values[np.ix_([0, 2], [0, 2])], values_of(a, b))


def test_float16_extremes_and_equal_words_have_values():
    extremes = normal(24, 6).astype(np.float16)
    extremes[0], extremes[1], extremes[2], extremes[3] = 65504, -65504, 6e-8, 0
    tiny = (normal(24, 6) > 0).astype(np.float16) * np.float16(6e-8)
    layers = [extremes, tiny, normal(24, 4)[:3].repeat(8, axis=0)]
    expected = [[plainly(a, b) for b in layers] for a in layers]
    np.testing.assert_allclose(values_of(*layers), expected, rtol=1e-6)


def test_three_words_are_enough_and_two_are_refused():
    assert np.isfinite(values_of(normal(3, 6), normal(3, 6, seed=1))).all()
    with pytest.raises(
        ResultError, match="Procrustes similarity needs at least 3 words in common; there are 2"
    ):
        values_of(normal(2, 6))
