"""The overlap of two neighbor graphs, against sets."""

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import in_parts
from test_hubness import drawn, graph_of

from repstore.analysis import overlap as module
from repstore.analysis.graph import neighbor_graph
from repstore.analysis.overlap import overlap
from repstore.analysis.space import space_of
from repstore.errors import ResultError


@given(n_words=st.integers(2, 20), k=st.integers(1, 19), seed=st.integers(0, 999))
def test_overlap_equals_sets(n_words, k, seed):
    k = min(k, n_words - 1)
    a, b = drawn(n_words, k, seed), drawn(n_words, k, seed + 1)
    shares = [len(set(x) & set(y)) / k for x, y in zip(a.rows.tolist(), b.rows.tolist(), strict=True)]
    found = overlap(a, b)
    assert found.mean == pytest.approx(np.mean(shares))
    assert found.chance == pytest.approx(k / (n_words - 1))
    assert overlap(b, a) == found
    assert overlap(a, a).mean == 1


def test_neighbors_may_come_in_any_order():
    assert overlap(graph_of([[1, 2], [0, 2], [0, 1]]), graph_of([[2, 1], [2, 0], [1, 0]])).mean == 1


def test_words_do_not_depend_on_how_many_are_compared_together(monkeypatch):
    a, b = drawn(50, 4, 0), drawn(50, 4, 1)
    whole = overlap(a, b)
    monkeypatch.setattr(module, "WORDS_AT_ONCE", 7)
    assert overlap(a, b) == whole


def test_neighbors_drawn_at_random_overlap_by_chance():
    means = [overlap(drawn(60, 6, seed), drawn(60, 6, seed + 100)) for seed in range(20)]
    assert np.mean([found.mean for found in means]) == pytest.approx(means[0].chance, abs=0.02)


def test_a_rotated_layer_agrees_and_an_independent_one_by_chance():
    random = np.random.default_rng(0)
    rows = random.normal(size=(300, 16)).astype(np.float32)
    rotation = np.linalg.qr(random.normal(size=(16, 16)))[0].astype(np.float32)
    layers = [in_parts(layer) for layer in (rows, rows @ rotation, random.normal(size=rows.shape))]
    layers[2] = in_parts(layers[2].values.astype(np.float32))
    plain, rotated, other = (neighbor_graph(layer, space_of(layer, "none"), 10) for layer in layers)
    assert overlap(plain, rotated).mean > 0.999
    independent = overlap(plain, other)
    assert independent.mean == pytest.approx(independent.chance, abs=0.01)


def test_independent_layers_of_few_distinct_vectors_have_more_in_common_than_by_chance():
    random = np.random.default_rng(0)
    layers = [
        in_parts(random.normal(size=(20, 16)).astype(np.float32)[random.integers(0, 20, 2000)])
        for _ in range(2)
    ]
    found = overlap(*(neighbor_graph(layer, space_of(layer, "none"), 10) for layer in layers))
    assert found.mean > 5 * found.chance


def test_a_word_alone_has_nothing_in_common():
    found = overlap(graph_of(np.empty((1, 0))), graph_of(np.empty((1, 0))))
    assert math.isnan(found.mean)
    assert math.isnan(found.chance)


def test_graphs_of_other_words_or_another_k_are_refused():
    with pytest.raises(ResultError, match="over 5 words with 2 neighbors and 5 with 3"):
        overlap(drawn(5, 2, 0), drawn(5, 3, 0))
    with pytest.raises(ResultError, match="over the same words with the same k"):
        overlap(drawn(5, 2, 0), drawn(6, 2, 0))
