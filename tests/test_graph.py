"""Neighbor graphs and batches of queries, against brute force in float64."""

import tracemalloc

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import in_parts

from repstore.analysis import candidates, graph
from repstore.analysis.graph import batch_neighbors, densities, neighbor_graph
from repstore.analysis.neighbors import nearest
from repstore.analysis.space import space_of
from repstore.storage.vectors import LayerVectors

METRICS = ("cosine", "l2", "csls")
FRAMES = ("none", "center", "corpus")
KINDS = ("random", "clustered", "anisotropic", "duplicates", "outliers", "shifted", "close")


def rows_of(kind: str, n_words: int = 160, d_model: int = 24, seed: int = 0) -> np.ndarray:
    random = np.random.default_rng(seed)
    noise = random.normal(size=(n_words, d_model))
    match kind:
        case "random":
            return noise
        case "clustered":  # in order of the clusters: whole blocks of words are nearer than all before
            return random.normal(size=(5, d_model))[np.sort(random.integers(0, 5, n_words))] + noise / 20
        case "anisotropic":
            return noise * np.where(np.arange(d_model) < 3, 1000, 1)
        case "duplicates":
            return noise[random.integers(0, n_words // 8, n_words)]
        case "outliers":  # the first words of texts: a long vector they share, and little beside it
            return noise + np.where(random.random(n_words) < 0.6, 3000, 0)[:, None] * (
                np.arange(d_model) == 5
            )
        case "shifted":  # what a dimension varies by is small beside its mean
            return noise + np.where(np.arange(d_model) < 4, 500, 0)
        case "close":  # cosines differ by less than float32 shows
            return random.normal(size=d_model) * 10 + noise / 1000
        case _:
            raise AssertionError(kind)


def mapped(vectors: LayerVectors, frame: str) -> np.ndarray:
    z = np.concatenate([block.astype(np.float64) for block in vectors.blocks])
    if frame != "none":
        z = z - z.mean(axis=0)
    if frame == "corpus":
        z = z / (z.std(axis=0, ddof=1) + 1e-6)
    return z


def cosines_of(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    scale = np.sqrt((a**2).sum(axis=1))[:, None] * np.sqrt((b**2).sum(axis=1))
    return np.divide(a @ b.T, scale, out=np.zeros_like(scale), where=scale > 0)


def mean_of_nearest(cosines: np.ndarray) -> np.ndarray:
    """The mean of the ten highest; -inf stands for the word itself."""
    ordered = -np.sort(-cosines, axis=1)[:, :10]
    return np.array([np.mean(row[row > -np.inf]) if (row > -np.inf).any() else 0 for row in ordered])


def without_self(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    np.fill_diagonal(values, -np.inf)
    return values


def brute_force(z: np.ndarray, metric: str) -> np.ndarray:
    """How near every word is to every other: higher is nearer, -inf for itself."""
    if metric == "l2":
        return without_self(-np.sqrt(((z[:, None] - z[None]) ** 2).sum(axis=2)))
    cosines = cosines_of(z, z)
    if metric == "cosine":
        return without_self(cosines)
    r = mean_of_nearest(without_self(cosines))
    return without_self(2 * cosines - r[:, None] - r)


def assert_nearest(
    nearness: np.ndarray, rows: np.ndarray, scores: np.ndarray, metric: str, error: float
) -> None:
    """`scores` are right, and no row left out is nearer than any given; better ones come first."""
    k = rows.shape[1]
    given = np.take_along_axis(nearness, rows, axis=1)
    best = -np.sort(-nearness, axis=1)[:, :k]
    tolerance = error * np.maximum(1, np.abs(best))
    assert (np.abs(given - best) <= tolerance).all()
    np.testing.assert_allclose(-scores if metric == "l2" else scores, given, rtol=2e-7, atol=3e-7)
    assert all(len(set(row)) == k for row in rows.tolist())
    assert rows.min(initial=0) >= 0


def mixed(rows: np.ndarray, sizes: tuple[int, ...] = (70, 1, 40)) -> LayerVectors:
    return in_parts(rows.astype(np.float16), *sizes, widened=(1, 2))


def layer_of(kind: str) -> LayerVectors:
    rows = rows_of(kind)
    return in_parts(rows.astype(np.float32), 50) if kind == "close" else mixed(rows)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("frame", FRAMES)
@pytest.mark.parametrize("metric", METRICS)
def test_graphs_equal_brute_force(kind, frame, metric):
    vectors = layer_of(kind)
    found = neighbor_graph(vectors, space_of(vectors, frame), 12, metric=metric)
    assert (found.rows.dtype, found.scores.dtype) == (np.int64, np.float32)
    assert (found.n_words, found.k, found.metric) == (160, 12, metric)
    nearness = brute_force(mapped(vectors, frame), metric)
    assert_nearest(nearness, found.rows, found.scores, metric, error=1e-11)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("metric", METRICS)
def test_tiles_blocks_and_strips_do_not_change_a_byte(kind, metric, monkeypatch):
    vectors = layer_of(kind)
    space = space_of(vectors, "corpus")
    whole = neighbor_graph(vectors, space, 5, metric=metric)
    monkeypatch.setattr(graph, "TILE", 7)
    monkeypatch.setattr(graph, "AT_ONCE", 4)
    monkeypatch.setattr(candidates, "STRIP", 500)
    pieces = neighbor_graph(vectors, space, 5, metric=metric, memory=1 << 18)
    assert pieces.rows.tobytes() == whole.rows.tobytes()
    assert pieces.scores.tobytes() == whole.scores.tobytes()


@pytest.mark.parametrize("metric", METRICS)
def test_what_float32_cannot_tell_apart_is_told_apart(metric, monkeypatch):
    monkeypatch.setattr(candidates, "SPARE", 2)
    rows = (rows_of("close", 400) + np.where(np.arange(24) == 0, 5000, 0)).astype(np.float32)
    vectors = in_parts(rows, 100)
    found = neighbor_graph(vectors, space_of(vectors, "none"), 5, metric=metric)
    assert_nearest(brute_force(rows.astype(np.float64), metric), found.rows, found.scores, metric, 1e-11)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("frame", FRAMES)
def test_words_of_equal_vectors_come_in_order(metric, frame):
    rows = rows_of("duplicates").astype(np.float16)
    vectors = in_parts(rows, 70, 1, 40, widened=(1, 2))
    found = neighbor_graph(vectors, space_of(vectors, frame), 40, metric=metric)
    for neighbors, scores in zip(found.rows, found.scores, strict=True):
        for n in range(39):
            if (rows[neighbors[n]] == rows[neighbors[n + 1]]).all():
                assert scores[n] == scores[n + 1]
                assert neighbors[n] < neighbors[n + 1]
    if metric != "csls":
        for word, neighbors in enumerate(found.rows):
            same = [row for row in range(160) if row != word and (rows[row] == rows[word]).all()]
            assert neighbors[: len(same)].tolist() == same[:40]


@settings(deadline=None, max_examples=30)
@given(
    n_words=st.integers(1, 40),
    d_model=st.integers(1, 12),
    k=st.integers(0, 50),
    metric=st.sampled_from(["cosine", "l2"]),
    seed=st.integers(0, 999),
)
def test_vectors_of_signs_are_ranked_exactly_with_their_ties(n_words, d_model, k, metric, seed):
    # All have one norm and whole products: many ties, most of them of different vectors.
    rows = np.random.default_rng(seed).choice([-1, 1], (n_words, d_model)).astype(np.float16)
    vectors = in_parts(rows, n_words // 3)
    found = neighbor_graph(vectors, space_of(vectors, "none"), k, metric=metric)
    products = (rows.astype(int) @ rows.astype(int).T).tolist()
    for word, neighbors in enumerate(found.rows.tolist()):
        others = [row for row in range(n_words) if row != word]
        assert neighbors == sorted(others, key=lambda row: (-products[word][row], row))[:k]


@pytest.mark.parametrize("metric", METRICS)
def test_permuted_words_have_the_permuted_graph(metric):
    rows = rows_of("random").astype(np.float16)
    order = np.random.default_rng(1).permutation(160)
    vectors, permuted = in_parts(rows), in_parts(rows[order], 30)
    plain = neighbor_graph(vectors, space_of(vectors, "none"), 7, metric=metric)
    found = neighbor_graph(permuted, space_of(permuted, "none"), 7, metric=metric)
    np.testing.assert_array_equal(order[found.rows], plain.rows[order])
    np.testing.assert_allclose(found.scores, plain.scores[order], rtol=1e-6, atol=1e-6)


@pytest.mark.parametrize("metric", METRICS)
def test_equal_vectors_all_around_have_the_first_rows_as_neighbors(metric):
    vectors = in_parts(np.tile(rows_of("random", 1, 577).astype(np.float16), (200, 1)), 7, 100, widened=(1,))
    found = neighbor_graph(vectors, space_of(vectors, "none"), 3, metric=metric)
    assert found.rows[[0, 1, 2, 3, 199]].tolist() == [[1, 2, 3], [0, 2, 3], [0, 1, 3], [0, 1, 2], [0, 1, 2]]
    assert set(found.scores.reshape(-1).tolist()) == ({1.0} if metric == "cosine" else {0.0})


@pytest.mark.parametrize("metric", METRICS)
def test_zero_vectors_are_at_right_angles_to_all(metric):
    rows = rows_of("random").astype(np.float16)
    rows[[3, 90]] = 0
    vectors = in_parts(rows, 80)
    found = neighbor_graph(vectors, space_of(vectors, "none"), 159, metric=metric)
    assert_nearest(brute_force(rows.astype(np.float64), metric), found.rows, found.scores, metric, 1e-11)
    if metric == "cosine":
        assert not found.scores[[3, 90]].any()
        assert found.rows[3].tolist() == [row for row in range(160) if row != 3]


def test_more_ties_than_candidates_kept_are_cut_in_order_of_the_rows():
    rows = rows_of("random", 400).astype(np.float16)
    rows[90] = 0  # as near to each of the 399 others
    vectors = in_parts(rows, 80)
    space = space_of(vectors, "none")
    assert neighbor_graph(vectors, space, 95).rows[90].tolist() == [n for n in range(96) if n != 90]
    assert batch_neighbors(vectors, space, np.zeros((2, 24)), 5)[0].tolist() == [[0, 1, 2, 3, 4]] * 2


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("frame", FRAMES)
def test_a_word_alone_has_no_neighbors_and_two_have_each_other(metric, frame):
    for n_words, expected in ((1, np.empty((1, 0))), (2, [[1], [0]])):
        vectors = in_parts(rows_of("random", n_words).astype(np.float16))
        found = neighbor_graph(vectors, space_of(vectors, frame), 10, metric=metric)
        np.testing.assert_array_equal(found.rows, expected)
        assert found.scores.shape == (n_words, n_words - 1)
        assert (found.rows.dtype, found.scores.dtype) == (np.int64, np.float32)


@pytest.mark.parametrize("metric", METRICS)
@pytest.mark.parametrize("frame", FRAMES)
def test_batches_of_strange_queries_equal_brute_force(metric, frame):
    vectors = mixed(rows_of("clustered"))
    queries = np.random.default_rng(5).normal(size=(9, 24))
    queries[4] = 0
    found, scores = batch_neighbors(vectors, space_of(vectors, frame), queries, 6, metric=metric)
    stored = np.concatenate([block.astype(np.float64) for block in vectors.blocks])
    z, shift, scale = mapped(vectors, frame), np.zeros(24), np.ones(24)
    if frame != "none":
        shift = stored.mean(axis=0)
    if frame == "corpus":
        scale = 1 / (stored.std(axis=0, ddof=1) + 1e-6)
    q = (queries - shift) * scale
    nearness = -np.sqrt(((q[:, None] - z[None]) ** 2).sum(axis=2)) if metric == "l2" else cosines_of(q, z)
    if metric == "csls":
        r = mean_of_nearest(without_self(cosines_of(z, z)))
        nearness = 2 * nearness - mean_of_nearest(nearness)[:, None] - r
    assert_nearest(nearness, found, scores, metric, 1e-11)


@pytest.mark.parametrize("metric", METRICS)
def test_a_batch_of_words_finds_what_their_graph_says(metric):
    vectors = mixed(rows_of("duplicates"))
    space, words = space_of(vectors, "corpus"), np.array([150, 3, 3, 77, 71])
    whole = neighbor_graph(vectors, space, 8, metric=metric)
    r = densities(vectors, space) if metric == "csls" else None
    found, scores = batch_neighbors(
        vectors, space, vectors.take(words), 8, metric=metric, exclude=words, of_words=r
    )
    np.testing.assert_array_equal(found, whole.rows[words])
    np.testing.assert_array_equal(scores, whole.scores[words])


def test_a_batch_finds_what_one_query_at_a_time_does():
    vectors = in_parts(rows_of("duplicates").astype(np.float16), 70)
    queries = vectors.take(np.arange(0, 160, 7))
    found, cosines = batch_neighbors(vectors, space_of(vectors, "none"), queries, 20)
    for n, query in enumerate(queries):
        expected = nearest(vectors, space_of(vectors, "none"), query, 20)
        assert found[n].tolist() == expected.rows.tolist()
        np.testing.assert_allclose(cosines[n], expected.scores, atol=1e-7)


def test_a_word_finds_itself_unless_it_is_excluded():
    vectors = in_parts(rows_of("random").astype(np.float16))
    space, words = space_of(vectors, "none"), np.arange(160)
    assert batch_neighbors(vectors, space, vectors.values, 1)[0][:, 0].tolist() == words.tolist()
    assert batch_neighbors(vectors, space, vectors.values, 500)[0].shape == (160, 160)
    rows, _ = batch_neighbors(vectors, space, vectors.values, 500, exclude=words)
    assert rows.shape == (160, 159)
    assert not (rows == words[:, None]).any()


@pytest.mark.parametrize("kind", ["random", "close", "duplicates"])
def test_memory_stays_within_the_budget(kind, monkeypatch):
    budget = 1 << 22
    monkeypatch.setattr(candidates, "STRIP", 1 << 12)  # in proportion to the budget
    n_words, k = 3000, 5  # their scores at once: 36 MB
    vectors = in_parts(rows_of(kind, n_words, 8).astype(np.float32), 1000)
    space = space_of(vectors, "none")
    tracemalloc.start()
    try:
        neighbor_graph(vectors, space, k, memory=budget)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < budget + n_words * (k * 28 + 100)


def test_progress_ends_with_all_words():
    vectors = in_parts(rows_of("duplicates").astype(np.float16))
    told = []
    neighbor_graph(vectors, space_of(vectors, "none"), 3, metric="csls", progress=told.append)
    assert [(step.message, step.n_done, step.n_total) for step in told] == [
        ("Measuring densities", 160, 160),
        ("Finding neighbors", 160, 160),
    ]
