"""Nearest neighbors, against brute force in float64 with ties in the order of the words."""

from collections.abc import Iterable
from typing import Any

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import in_parts

from repstore.analysis.neighbors import Found, nearest
from repstore.analysis.space import space_of
from repstore.errors import ArgumentError
from repstore.storage.vectors import LayerVectors

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
        case "ruled by few dimensions":
            noise[:, :2] = 500 + noise[:, :2]
            return noise
        case _:
            raise AssertionError(kind)


def allowed_without(n_words: int, exclude: Iterable[int]) -> np.ndarray:
    allowed = np.ones(n_words, bool)
    allowed[list(exclude)] = False
    return allowed


def found_in(
    layer: LayerVectors, query: np.ndarray, k: int, exclude: Iterable[int] = (), **options: Any
) -> Found:
    space = space_of(layer, options.pop("frame", "none"))
    allowed = allowed_without(len(layer.word_ids), exclude)
    first = nearest(layer, space, query, k, allowed=allowed, **options)
    again = nearest(layer, space, query, k, allowed=allowed, **options)  # with norms known
    assert first.rows.tolist() == again.rows.tolist()
    return again


def assert_nearest(
    rows: np.ndarray, query: np.ndarray, k: int, exclude: list[int], sizes: tuple[int, ...] = ()
) -> None:
    found = found_in(in_parts(rows, *sizes), query, k, exclude)
    expected = oracles.nearest(rows, query, k, exclude)
    assert found.rows.tolist() == [row for row, _ in expected]
    assert found.scores == pytest.approx([cosine for _, cosine in expected], abs=1e-6)


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
    uniform = found_in(in_parts(rows), rows[3], 20)
    mixed = found_in(in_parts(rows, 50, 70, widened=(1,)), rows[3].astype(np.float32), 20)
    assert mixed.rows.tolist() == uniform.rows.tolist()
    assert mixed.scores == pytest.approx(uniform.scores, abs=1e-6)


def test_equal_words_come_in_order_wherever_their_parts_end():
    rows = np.tile(rows_of("random", 1, 577).astype(np.float16), (300, 1))
    for sizes in ((), (1,), (7, 100)):
        found = found_in(in_parts(rows, *sizes), rows[5], 300, [5])
        assert found.rows.tolist() == [row for row in range(300) if row != 5]
        assert len(set(found.scores)) == 1


def test_more_neighbors_than_words_gives_all_of_them():
    rows = rows_of("random", 6, 8).astype(np.float16)
    found = found_in(in_parts(rows), rows[2], 100, [2])
    assert sorted(found.rows) == [0, 1, 3, 4, 5]
    assert len(found.scores) == 5


def test_the_only_word_has_no_neighbors():
    rows = rows_of("random", 1, 8).astype(np.float16)
    found = found_in(in_parts(rows), rows[0], 10, [0])
    assert found.rows.shape == found.scores.shape == (0,)


def test_a_word_is_its_own_nearest_unless_it_is_left_out():
    rows = rows_of("random", 50, 8).astype(np.float16)
    assert found_in(in_parts(rows), rows[7], 1).rows.tolist() == [7]
    assert 7 not in found_in(in_parts(rows), rows[7], 50, [7]).rows


def test_a_zero_vector_is_as_near_to_everything_as_a_right_angle():
    rows = rows_of("random", 5, 8).astype(np.float16)
    rows[1] = 0
    found = found_in(in_parts(rows), rows[1], 4, [1])
    assert found.rows.tolist() == [0, 2, 3, 4]
    assert found.scores.tolist() == [0, 0, 0, 0]
    found = found_in(in_parts(rows), rows[0], 5)
    assert found.scores[found.rows.tolist().index(1)] == 0


def brute_force(
    rows: np.ndarray, frame: str, metric: str, query: np.ndarray, hubs: np.ndarray, n_words: int
) -> np.ndarray:
    """Scores in float64 of the first `n_words`, higher is nearer."""
    wide, target = rows.astype(np.float64), query.astype(np.float64)
    if frame != "none":
        mean, std = wide.mean(axis=0), wide.std(axis=0, ddof=1)
        scale = 1 / (std + 1e-6) if frame == "corpus" else np.ones_like(std)
        wide, target = (wide - mean) * scale, (target - mean) * scale
    if metric == "l2":
        return -np.linalg.norm(wide - target, axis=1)[:n_words]
    norms = np.linalg.norm(wide, axis=1) * np.linalg.norm(target)
    cosines = wide @ target / np.where(norms > 0, norms, 1)
    return (2 * cosines - hubs if metric == "csls" else cosines)[:n_words]


@pytest.mark.parametrize(
    "kind", ["random", "clustered", "anisotropic", "duplicates", "ruled by few dimensions"]
)
@pytest.mark.parametrize("frame", ["none", "center", "corpus"])
@pytest.mark.parametrize("metric", ["cosine", "l2", "csls"])
def test_every_space_and_metric_is_searched_exactly(kind, frame, metric):
    rows = rows_of(kind, 700, 20).astype(np.float16)
    hubs = np.random.default_rng(3).uniform(0, 0.5, 700)
    layer = in_parts(rows, 300, 1)
    for word in (0, 300, 699):
        options = {"metric": metric, "frame": frame, "hubs": hubs if metric == "csls" else None}
        found = found_in(layer, rows[word], 30, [word], **options)
        truth = brute_force(rows, frame, metric, rows[word], hubs, 700)
        truth[word] = -np.inf
        reached = truth[found.rows]
        assert (np.diff(reached) <= 1e-9).all()
        assert np.sort(truth)[::-1][:30] == pytest.approx(reached, abs=1e-9)
        assert np.abs(found.scores) == pytest.approx(np.abs(reached), abs=1e-9)
        tied = np.diff(found.scores) == 0
        assert (np.diff(found.rows)[tied] > 0).all()


@settings(deadline=None, max_examples=40)
@given(
    share=st.floats(0, 1),
    k=st.integers(1, 60),
    seed=st.integers(0, 99),
    frame=st.sampled_from(["none", "corpus"]),
)
def test_a_filtered_answer_is_the_filtered_full_ranking(share, k, seed, frame):
    random = np.random.default_rng(seed)
    rows = rows_of("duplicates", 300, 12, seed).astype(np.float16)
    layer, allowed = in_parts(rows, 77), random.random(300) < share
    space = space_of(layer, frame)
    ranking = nearest(layer, space, rows[9], 300)
    filtered = nearest(layer, space, rows[9], k, allowed=allowed)
    assert filtered.rows.tolist() == [row for row in ranking.rows.tolist() if allowed[row]][:k]


def test_csls_without_hubs_is_refused():
    rows = rows_of("random", 5, 8).astype(np.float16)
    with pytest.raises(ArgumentError, match="CSLS"):
        nearest(in_parts(rows), space_of(in_parts(rows), "none"), rows[0], 3, metric="csls")


@pytest.mark.parametrize("frame", ["center", "corpus"])
@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_words_that_are_all_but_the_mean_are_searched_exactly(frame, metric):
    # Nearly all words have one vector, as first words of sentences do, and a few have others.
    rows = np.full((4000, 16), 300.5)
    rows[:40] += np.random.default_rng(0).normal(size=(40, 16)) * 3
    rows = rows.astype(np.float16)
    layer = in_parts(rows, 1000)
    for word in (0, 39, 40, 3999):
        found = found_in(layer, rows[word], 20, [word], frame=frame, metric=metric)
        truth = brute_force(rows, frame, metric, rows[word], np.zeros(0), 4000)
        truth[word] = -np.inf
        assert truth[found.rows] == pytest.approx(np.sort(truth)[::-1][:20], abs=1e-9)


@pytest.mark.parametrize("scale", [1e-22, 1e8, 1e19])
@pytest.mark.parametrize("metric", ["cosine", "l2"])
def test_float32_layers_of_any_size_are_searched_exactly(scale, metric):
    rows = (rows_of("clustered", 300, 8) * scale).astype(np.float32)
    found = found_in(in_parts(rows), rows[5], 10, [5], frame="center", metric=metric)
    truth = brute_force(rows, "center", metric, rows[5], np.zeros(0), 300)
    truth[5] = -np.inf
    assert truth[found.rows] == pytest.approx(np.sort(truth)[::-1][:10], rel=1e-9, abs=1e-12 * scale)
