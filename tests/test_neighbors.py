"""Nearest neighbors, against brute force in float64 with ties in the order of the words."""

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import in_parts

from repstore.analysis.neighbors import nearest

DTYPES = (np.float16, np.float32)


def rows_of(kind: str, n_words: int, d_model: int, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    noise = random.normal(size=(n_words, d_model))
    match kind:
        case "random":
            return noise
        case "clustered":
            return random.normal(size=(5, d_model))[random.integers(0, 5, n_words)] + noise / 20
        case "anisotropic":  # cosines above 0.999: most of every vector is shared
            return random.normal(size=d_model) * 10 + noise / 10
        case "duplicates":
            return noise[random.integers(0, max(1, n_words // 5), n_words)]
        case _:
            raise AssertionError(kind)


def assert_nearest(
    rows: np.ndarray, query: np.ndarray, k: int, exclude: list[int], sizes: tuple[int, ...] = ()
) -> None:
    found, cosines = nearest(in_parts(rows, *sizes), query, k, np.array(exclude, np.int64))
    expected = oracles.nearest(rows, query, k, exclude)
    assert found.tolist() == [row for row, _ in expected]
    assert cosines == pytest.approx([cosine for _, cosine in expected], abs=1e-6)


@pytest.mark.parametrize("kind", ["random", "clustered", "anisotropic", "duplicates"])
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("sizes", [(), (1, 150)])
def test_neighbors_equal_brute_force(kind, dtype, sizes):
    rows = rows_of(kind, 400, 24).astype(dtype)
    for word in (0, 1, 150, 399):
        assert_nearest(rows, rows[word], 25, [word], sizes)


@pytest.mark.parametrize("dtype", DTYPES)
@settings(deadline=None, max_examples=30)
@given(n_words=st.integers(1, 30), d_model=st.integers(1, 20), k=st.integers(1, 40), seed=st.integers(0, 999))
def test_vectors_of_signs_are_ranked_exactly_with_their_ties(dtype, n_words, d_model, k, seed):
    # All have one norm and whole products: many ties, and each must be broken by the order of the words.
    rows = np.random.default_rng(seed).choice([-1, 1], (n_words, d_model)).astype(dtype)
    assert_nearest(rows, rows[0], k, [0] if n_words > 1 else [])


def test_a_mixed_layer_ranks_like_a_uniform_one():
    rows = rows_of("clustered", 200, 24).astype(np.float16)
    uniform = nearest(in_parts(rows), rows[3], 20)
    mixed = nearest(in_parts(rows, 50, 70, widened=(1,)), rows[3].astype(np.float32), 20)
    assert mixed[0].tolist() == uniform[0].tolist()
    assert mixed[1] == pytest.approx(uniform[1], abs=1e-6)


def test_equal_words_come_in_order_wherever_their_parts_end():
    rows = np.tile(rows_of("random", 1, 577).astype(np.float16), (300, 1))
    for sizes in ((), (1,), (7, 100)):
        found, cosines = nearest(in_parts(rows, *sizes), rows[5], 300, np.array([5]))
        assert found.tolist() == [row for row in range(300) if row != 5]
        assert len(set(cosines)) == 1


def test_more_neighbors_than_words_gives_all_of_them():
    rows = rows_of("random", 6, 8).astype(np.float16)
    found, cosines = nearest(in_parts(rows), rows[2], 100, np.array([2]))
    assert sorted(found) == [0, 1, 3, 4, 5]
    assert len(cosines) == 5


def test_the_only_word_has_no_neighbors():
    rows = rows_of("random", 1, 8).astype(np.float16)
    found, cosines = nearest(in_parts(rows), rows[0], 10, np.array([0]))
    assert found.shape == cosines.shape == (0,)


def test_a_word_is_its_own_nearest_unless_it_is_excluded():
    rows = rows_of("random", 50, 8).astype(np.float16)
    assert nearest(in_parts(rows), rows[7], 1)[0].tolist() == [7]
    assert 7 not in nearest(in_parts(rows), rows[7], 50, np.array([7]))[0]


def test_a_row_excluded_twice_is_excluded_once():
    rows = rows_of("random", 5, 8).astype(np.float16)
    assert len(nearest(in_parts(rows), rows[0], 10, np.array([0, 0, 3]))[0]) == 3


def test_a_zero_vector_is_as_near_to_everything_as_a_right_angle():
    rows = rows_of("random", 5, 8).astype(np.float16)
    rows[1] = 0
    found, cosines = nearest(in_parts(rows), rows[1], 4, np.array([1]))
    assert found.tolist() == [0, 2, 3, 4]
    assert cosines.tolist() == [0, 0, 0, 0]
    found, cosines = nearest(in_parts(rows), rows[0], 5)
    assert cosines[found.tolist().index(1)] == 0
