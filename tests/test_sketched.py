"""Answers from candidates are exact, or all words are scanned: with sketches that a test chose."""

from __future__ import annotations

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import in_parts

from repstore.analysis.sketched import Candidates, clear_answer, nearest_by_sketch
from repstore.analysis.space import space_of
from repstore.storage.vectors import LayerVectors

N_WORDS, N_CANDIDATES = 400, 60


def clusters(n_words: int = N_WORDS, d_model: int = 16, seed: int = 0) -> np.ndarray:
    """Twenty directions, and words close to them."""
    random = np.random.default_rng(seed)
    centers = random.normal(size=(20, d_model))
    return (centers[np.arange(n_words) % 20] + random.normal(size=(n_words, d_model)) / 5).astype(np.float32)


def units(rows: np.ndarray) -> np.ndarray:
    lengths = np.linalg.norm(rows.astype(np.float64), axis=1, keepdims=True)
    return rows / np.where(lengths > 0, lengths, 1)


def sketch_of(
    rows: np.ndarray, error: float = 0.0, bias: float = 0.0, hidden: tuple[int, ...] = ()
) -> Candidates:
    """Estimates that are off by a normal error and a bias, and never find the hidden rows."""
    noise = np.random.default_rng(7).normal(scale=error, size=len(rows)) + bias if error or bias else 0.0

    def ask(unit: np.ndarray, n: int) -> tuple[np.ndarray, np.ndarray]:
        estimates = units(rows) @ unit + noise
        estimates[list(hidden)] = -np.inf
        best = np.argsort(-estimates, kind="stable")[: min(n, len(rows) - len(hidden))]
        return best, estimates[best]

    return ask


def answer(
    rows: np.ndarray, ask: Candidates, word: int, k: int, layer: LayerVectors | None = None
) -> tuple[list[int], list[float], bool]:
    layer = layer or in_parts(rows)
    found, scanned = nearest_by_sketch(
        layer, space_of(layer, "none"), rows[word], k, ask, N_CANDIDATES, exclude=word
    )
    return found.rows.tolist(), found.scores.tolist(), scanned


def assert_true_neighbors(rows: np.ndarray, ask: Candidates, word: int, k: int) -> bool:
    found, cosines, scanned = answer(rows, ask, word, k)
    expected = oracles.nearest(rows, rows[word], k, [word])
    assert found == [row for row, _ in expected]
    assert cosines == pytest.approx([cosine for _, cosine in expected], abs=1e-9)
    return scanned


@pytest.mark.parametrize("error", [0.0, 0.01])
def test_a_sketch_that_tells_words_apart_answers_without_a_scan(error):
    rows = clusters()
    assert not any(assert_true_neighbors(rows, sketch_of(rows, error), word, 10) for word in range(30))


def test_a_sketch_that_errs_more_than_words_differ_is_not_believed():
    rows = clusters()
    assert all(assert_true_neighbors(rows, sketch_of(rows, 1.0), word, 10) for word in range(30))


def test_a_sketch_that_knows_nothing_of_the_query_is_not_believed():
    """Its estimates are those of other vectors."""
    rows = clusters()
    ask = sketch_of(clusters(seed=1))
    assert all(assert_true_neighbors(rows, ask, word, 10) for word in range(30))


def test_a_sketch_that_hides_words_is_believed_but_its_cosines_are_exact():
    """What it does not say, its estimates cannot show: this is what recall is measured for."""
    rows = clusters()
    (nearest, _), *_ = oracles.nearest(rows, rows[0], 1, [0])
    found, cosines, scanned = answer(rows, sketch_of(rows, hidden=(nearest,)), 0, 10)
    expected = oracles.nearest(rows, rows[0], 10, [0, nearest])
    assert not scanned
    assert found == [row for row, _ in expected]
    assert cosines == pytest.approx([cosine for _, cosine in expected], abs=1e-9)


def test_a_sketch_that_underestimates_every_word_alike_proves_nothing_by_it():
    """The k-th stands above the last estimate only since all estimates are too low."""
    rows = np.tile(clusters(1), (N_WORDS, 1))
    assert assert_true_neighbors(rows, sketch_of(rows, bias=-0.2), 3, 10)


def test_a_bias_is_not_an_error():
    rows = clusters()
    for bias in (-0.2, 0.05):
        assert not any(
            assert_true_neighbors(rows, sketch_of(rows, 0.001, bias), word, 10) for word in range(9)
        )


@pytest.mark.parametrize("rows", [np.tile(clusters(1), (N_WORDS, 1)), np.zeros((N_WORDS, 16), np.float32)])
def test_equal_vectors_are_scanned_and_come_in_the_order_of_the_words(rows):
    found, _, scanned = answer(rows, sketch_of(rows), 3, 5)
    assert scanned
    assert found == [0, 1, 2, 4, 5]


def test_as_many_equal_words_as_candidates_come_in_the_order_of_the_words():
    rows = clusters()
    rows[::4] = rows[0]  # a hundred of them, of which any may be left out of the candidates
    assert assert_true_neighbors(rows, sketch_of(rows), 8, 10)


def test_few_equal_words_come_in_the_order_of_the_words():
    rows = clusters()
    rows[[300, 20, 140]] = rows[0]
    assert not assert_true_neighbors(rows, sketch_of(rows), 0, 3)


@settings(deadline=None, max_examples=60)
@given(
    n_words=st.integers(1, 90),
    k=st.integers(1, 100),
    error=st.sampled_from([0.0, 0.1]),
    word=st.integers(0, 89),
    split=st.integers(0, 90),
)
def test_any_number_of_words_and_neighbors_is_answered(n_words, k, error, word, split):
    rows, word = clusters(n_words), word % n_words
    layer = (
        in_parts(rows.astype(np.float16), min(split, n_words), widened=(1,)) if 0 < split < n_words else None
    )
    rows = rows.astype(np.float16) if layer else rows
    found, cosines, scanned = answer(rows, sketch_of(rows, error), word, k, layer)
    expected = oracles.nearest(rows, rows[word], k, [word])
    assert cosines == pytest.approx([oracles.cosine(rows[row], rows[word]) for row in found], abs=1e-9)
    assert len(found) == len(expected) == min(k, n_words - 1)
    if scanned or not error:
        assert found == [row for row, _ in expected]


def test_a_query_of_zeros_has_no_direction_to_ask_for():
    rows = clusters()
    layer = in_parts(rows)
    zeros = np.zeros(16, np.float32)
    assert clear_answer(layer, space_of(layer, "none"), zeros, 5, sketch_of(rows), N_CANDIDATES) is None
