"""Hubness, against counts by loops and against scipy."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats
from synthetic import in_parts

from repstore.analysis.graph import NeighborGraph, neighbor_graph
from repstore.analysis.hubness import hubness
from repstore.analysis.space import space_of


def graph_of(rows: list[list[int]] | np.ndarray) -> NeighborGraph:
    neighbors = np.array(rows, np.int64).reshape(len(rows), -1)
    return NeighborGraph("cosine", neighbors, np.zeros(neighbors.shape, np.float32))


def drawn(n_words: int, k: int, seed: int) -> NeighborGraph:
    random = np.random.default_rng(seed)
    return graph_of(
        [random.choice([n for n in range(n_words) if n != word], k, replace=False) for word in range(n_words)]
    )


@given(n_words=st.integers(2, 20), k=st.integers(1, 19), seed=st.integers(0, 999))
def test_hubness_equals_plain_counts(n_words, k, seed):
    graph = drawn(n_words, min(k, n_words - 1), seed)
    counts = [sum(word in neighbors for neighbors in graph.rows.tolist()) for word in range(n_words)]
    found = hubness(graph)
    assert found.occurrences.tolist() == counts
    assert found.occurrences.mean() == pytest.approx(graph.k)
    assert found.largest == max(counts)
    assert found.anti_hubs == pytest.approx(counts.count(0) / n_words)
    if len(set(counts)) > 1:
        assert found.skewness == pytest.approx(stats.skew(counts), abs=1e-9)
    else:
        assert math.isnan(found.skewness)


def test_a_word_near_all_is_a_hub():
    found = hubness(graph_of([[1], [0], [0], [0], [0]]))
    assert found.occurrences.tolist() == [4, 1, 0, 0, 0]
    assert (found.largest, found.anti_hubs) == (4, 0.6)
    assert found.skewness == pytest.approx(stats.skew([4, 1, 0, 0, 0]))


def test_high_dimensions_have_more_hubs_than_low():
    # Radovanovic et al. 2010, figure 1: independent dimensions, Euclidean distance.
    skewness = []
    for d_model in (3, 100):
        rows = np.random.default_rng(0).normal(size=(400, d_model)).astype(np.float32)
        vectors = in_parts(rows)
        graph = neighbor_graph(vectors, space_of(vectors, "none"), 5, metric="l2")
        skewness.append(hubness(graph).skewness)
    assert skewness[0] < 1 < skewness[1]


def test_a_word_alone_is_never_a_neighbor():
    found = hubness(graph_of(np.empty((1, 0))))
    assert (found.occurrences.tolist(), found.largest, found.anti_hubs) == ([0], 0, 1.0)
    assert math.isnan(found.skewness)
