"""Scanning a layer: near the truth in every space, and never farther from it than it says."""

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import in_parts

from repstore.analysis import scan
from repstore.analysis.space import space_of
from repstore.storage.vectors import LayerVectors

FRAMES = ("none", "center", "corpus")
DTYPES = (np.float16, np.float32)


def vectors_like_a_language_model(n_words: int, d_model: int, dtype, seed: int = 0) -> np.ndarray:
    """A few dimensions are a thousand times larger than the others, and hardly vary."""
    random = np.random.default_rng(seed)
    rows = random.normal(size=(n_words, d_model))
    rows[:, : max(1, d_model // 40)] = 1000 + 20 * random.normal(size=(n_words, max(1, d_model // 40)))
    rows[n_words // 2] = rows[0]
    return rows.astype(dtype)


def in_frame(rows: np.ndarray, frame: str) -> list[list[float]]:
    if frame == "none":
        return rows.astype(float).tolist()
    if frame == "corpus":
        return oracles.z_scores(rows.tolist(), rows.tolist())
    return (rows.astype(float) - rows.astype(float).mean(axis=0)).tolist()


@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("query_dtype", [np.float16, np.float32, np.float64])
def test_every_score_is_within_its_margin_of_the_truth(frame, dtype, query_dtype):
    rows = vectors_like_a_language_model(150, 80, dtype)
    layer = in_parts(rows, 40, 3)
    query = rows[17].astype(query_dtype) * 1.5 + np.linspace(0, 1, 80).astype(query_dtype)
    space = space_of(layer, frame)
    *mapped, target = in_frame(np.concatenate([rows.astype(float), query[None]]), "none")
    mapped = in_frame(rows, frame)
    target = space.map(query).tolist()  # what a space is has a test of its own
    for found, truth in (
        (scan.cosines(layer, space, query), [oracles.cosine(row, target) for row in mapped]),
        (scan.cosines(layer, space, query), [oracles.cosine(row, target) for row in mapped]),  # by norms now
        (
            scan.negative_squares(layer, space, query),
            [-sum((a - b) ** 2 for a, b in zip(row, target, strict=True)) for row in mapped],
        ),
    ):
        away = np.abs(found.values - truth)
        assert (away <= np.broadcast_to(found.margins, away.shape) + 1e-12).all()


@pytest.mark.parametrize("frame", FRAMES)
def test_margins_are_small_where_no_dimension_rules(frame):
    rows = np.random.default_rng(0).normal(size=(300, 64)).astype(np.float16)
    layer = in_parts(rows)
    for _ in range(2):
        assert scan.cosines(layer, space_of(layer, frame), rows[5]).margins.max() < 1e-4


def test_spaces_are_those_of_plain_loops():
    rows = vectors_like_a_language_model(60, 12, np.float16)
    layer = in_parts(rows, 20)
    for frame in FRAMES:
        assert space_of(layer, frame).map(rows) == pytest.approx(np.array(in_frame(rows, frame)), abs=1e-9)


@settings(deadline=None, max_examples=60)
@given(st.data(), st.sampled_from(DTYPES), st.integers(1, 6), st.integers(1, 33))
def test_cosines_equal_plain_loops(data, dtype, n_rows, d_model):
    numbers = st.floats(-60_000, 60_000, width=16, allow_subnormal=True)
    rows = np.array(
        data.draw(
            st.lists(st.lists(numbers, min_size=d_model, max_size=d_model), min_size=n_rows, max_size=n_rows)
        ),
        dtype,
    )
    query = np.array(data.draw(st.lists(numbers, min_size=d_model, max_size=d_model)), np.float16)
    layer = in_parts(rows)
    expected = [oracles.cosine(query, row) for row in rows]
    for _ in range(2):  # the second time by norms
        assert scan.cosines(layer, space_of(layer, "none"), query).values == pytest.approx(expected, abs=1e-5)


def test_a_zero_vector_has_cosine_zero_for_certain():
    rows = np.random.default_rng(0).normal(size=(5, 16)).astype(np.float16)
    rows[2] = 0
    layer, space = in_parts(rows), space_of(in_parts(rows), "none")
    for _ in range(2):
        assert scan.cosines(layer, space, rows[2]).values.tolist() == [0] * 5
        assert scan.cosines(layer, space, rows[0]).values[2] == 0


def test_norms_are_found_once_and_forgotten_with_their_layer():
    rows = np.random.default_rng(0).normal(size=(50, 16)).astype(np.float16)
    layer = in_parts(rows)
    first = scan.lengths_of(layer, space_of(layer, "corpus"))
    assert scan.lengths_of(layer, space_of(layer, "corpus")) is first
    other = LayerVectors(0, layer.word_ids, layer.blocks)
    assert scan.lengths_of(other, space_of(other, "corpus")) is not first


def test_any_number_of_threads_finds_the_same(monkeypatch):
    rows = vectors_like_a_language_model(500, 64, np.float16)
    monkeypatch.setattr(scan, "TASK_BYTES", 4096)
    found = []
    for n_threads in ("1", "3"):
        monkeypatch.setenv("OMP_NUM_THREADS", n_threads)
        layer = in_parts(rows, 100)
        found.append(scan.cosines(layer, space_of(layer, "corpus"), rows[3]).values)
    assert np.array_equal(*found)
