"""Which words have the same vector, against a dictionary of their bytes."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import in_parts

from repstore.analysis import distinct
from repstore.analysis.distinct import distinct_of


def expected_leaders(rows: np.ndarray) -> list[int]:
    seen: dict[tuple[float, ...], int] = {}
    return [seen.setdefault(tuple(row), n) for n, row in enumerate(rows.tolist())]


@given(
    n_words=st.integers(1, 60),
    n_vectors=st.integers(1, 30),
    d_model=st.integers(1, 40),
    seed=st.integers(0, 99),
)
def test_words_are_put_together_as_their_bytes_are(n_words, n_vectors, d_model, seed):
    random = np.random.default_rng(seed)
    vectors = random.normal(size=(n_vectors, d_model)).astype(np.float16)
    rows = vectors[random.integers(0, n_vectors, n_words)]
    found = distinct_of(in_parts(rows, n_words // 3, n_words // 3, widened=(1,)))
    assert found.first[found.of_word].tolist() == expected_leaders(rows)
    assert (np.diff(found.first) > 0).all()
    for vector in range(len(found.first)):
        words = found.words[found.starts[vector] :][: found.sizes[vector]]
        assert words.tolist() == np.flatnonzero(found.of_word == vector).tolist()


@pytest.mark.parametrize("d_model", [1, 15, 577, 3000])
def test_equal_vectors_are_found_wherever_they_stand(d_model):
    row = np.random.default_rng(0).normal(size=(1, d_model)).astype(np.float16)
    for sizes in ((), (1,), (7, 300)):
        found = distinct_of(in_parts(np.tile(row, (700, 1)), *sizes, widened=(1,)))
        assert (found.first.tolist(), found.sizes.tolist()) == ([0], [700])


def test_both_zeros_are_one():
    assert distinct_of(in_parts(np.array([[0.0, 1], [-0.0, 1]], np.float16))).first.tolist() == [0]


def test_vectors_that_project_alike_are_told_apart(monkeypatch):
    monkeypatch.setattr(distinct, "_projections", lambda vectors: np.zeros(len(vectors.word_ids)))
    rows = np.array([[1, 2], [3, 4], [1, 2], [5, 6]], np.float16)
    assert distinct_of(in_parts(rows)).of_word.tolist() == [0, 1, 0, 2]


def test_a_layer_is_looked_through_once(monkeypatch):
    vectors = in_parts(np.ones((5, 2), np.float16))
    first = distinct_of(vectors)
    monkeypatch.setattr(distinct, "_projections", None)
    assert distinct_of(vectors) is first
