"""Distances in trees, and how well they are predicted."""

from itertools import combinations

import numpy as np
import oracles
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from repstore.analysis.trees import (
    Sentence,
    chain_distances,
    control_heads,
    spanning_tree,
    tree_distances,
    tree_scores,
    weights_of_lengths,
)
from repstore.errors import ArgumentError


@st.composite
def trees(draw, least: int = 1) -> np.ndarray:
    """Heads of the words of a tree, the words in any order."""
    n_words = draw(st.integers(least, 12))
    above = [draw(st.integers(0, n - 1)) for n in range(1, n_words)]
    names = draw(st.permutations(range(n_words)))
    heads = np.full(n_words, -1)
    for n, head in enumerate(above, start=1):
        heads[names[n]] = names[head]
    return heads


@st.composite
def sentences(draw) -> tuple[np.ndarray, Sentence]:
    """A tree, and predicted distances with many that are equal, 0 among them."""
    heads = draw(trees(least=2))
    n_words = len(heads)
    half = draw(arrays(np.int64, (n_words, n_words), elements=st.integers(0, 6)))
    predicted = np.triu(half, 1) + np.triu(half, 1).T
    return predicted / 4, Sentence(np.arange(n_words), tree_distances(heads))


def shortest_ways(heads: np.ndarray) -> list[list[float]]:
    """Floyd and Warshall: through every word in turn."""
    n_words = len(heads)
    ways = [[0.0 if i == j else float("inf") for j in range(n_words)] for i in range(n_words)]
    for word, head in enumerate(heads):
        if head >= 0:
            ways[word][head] = ways[head][word] = 1.0
    for k in range(n_words):
        for i in range(n_words):
            for j in range(n_words):
                ways[i][j] = min(ways[i][j], ways[i][k] + ways[k][j])
    return ways


def kruskal(distances: np.ndarray) -> list[tuple[int, int]]:
    """The shortest edges that join what was apart."""
    n_words = len(distances)
    group, edges = list(range(n_words)), []
    for i, j in sorted(combinations(range(n_words), 2), key=lambda pair: distances[pair]):
        if group[i] != group[j]:
            edges.append((i, j))
            group = [group[i] if one == group[j] else one for one in group]
    return edges


@given(trees())
def test_distances_are_the_shortest_ways_in_the_tree(heads):
    assert tree_distances(heads).tolist() == shortest_ways(heads)


@pytest.mark.parametrize(
    ("heads", "said"),
    [
        ([-1, 0, 3, 2], "No way leads from word 2 to the root: its heads go in a circle"),
        ([-1, 1], "No way leads from word 1 to the root"),
        ([-1, 0, -1], "have 2 roots"),
        ([1, 0], "have 0 roots"),
        ([], "have 0 roots"),
        ([-1, 2], "The head of word 1 is word 2, and there are 2 words"),
        ([0, -2], "The head of word 1 is word -2"),
    ],
)
def test_what_is_no_tree_is_refused(heads, said):
    with pytest.raises(ArgumentError, match=said):
        tree_distances(np.array(heads, np.int64))


def test_chain_distances_are_those_of_the_tree_of_words_in_a_row():
    assert (chain_distances(6) == tree_distances(np.arange(6) - 1)).all()


@given(sentences())
def test_a_spanning_tree_joins_all_words_at_the_least_cost(case):
    predicted, _ = case
    edges = spanning_tree(predicted)
    heads = np.full(len(predicted), -1)
    heads[edges[:, 1]] = edges[:, 0]
    assert np.isfinite(shortest_ways(heads)).all()
    assert predicted[tuple(edges.T)].sum() == sum(predicted[edge] for edge in kruskal(predicted))


@given(trees(least=2), st.integers(0, 2**32 - 1))
def test_edges_are_counted_as_by_another_algorithm(heads, seed):
    half = np.triu(np.random.default_rng(seed).random((len(heads), len(heads))), 1)
    predicted, true = half + half.T, tree_distances(heads)
    scores = tree_scores([predicted], [Sentence(np.arange(len(heads)), true)])
    assert scores.n_right.tolist() == [sum(true[edge] == 1 for edge in kruskal(predicted))]
    assert scores.n_edges.tolist() == [len(heads) - 1]


@given(sentences())
def test_correlations_are_means_over_the_words(case):
    predicted, sentence = case
    expected = [
        oracles.rank_correlation(mine, true) if np.ptp(mine) else 0.0
        for mine, true in zip(predicted.tolist(), sentence.distances.tolist(), strict=True)
    ]
    scores = tree_scores([predicted], [sentence])
    np.testing.assert_allclose(scores.correlations, [np.mean(expected)], atol=1e-12)


@given(trees(least=2))
def test_true_distances_score_best(heads):
    true = tree_distances(heads)
    scores = tree_scores([3.0 * true**2], [Sentence(np.arange(len(heads)), true)])
    assert scores.n_right.tolist() == scores.n_edges.tolist() == [len(heads) - 1]
    np.testing.assert_allclose(scores.correlations, 1)


def test_edges_to_words_that_are_left_out_are_not_asked_for():
    whole, kept = tree_distances(np.array([-1, 0, 1, 1])), np.array([0, 2, 3])
    sentence = Sentence(kept, whole[np.ix_(kept, kept)])
    assert tree_scores([chain_distances(3)], [sentence]).n_edges.tolist() == [0]


def test_a_sentence_of_one_word_has_no_correlation_and_no_edges():
    scores = tree_scores([np.zeros((1, 1))], [Sentence(np.array([4]), tree_distances(np.array([-1])))])
    assert np.isnan(scores.correlations).tolist() == [True]
    assert (scores.n_words.tolist(), scores.n_right.tolist(), scores.n_edges.tolist()) == ([1], [0], [0])


def test_lengths_count_alike_however_many_sentences_have_them():
    weights = weights_of_lengths(np.array([5, 5, 50, 4, 51]))
    assert np.average([0.1, 0.3, 0.8, 1.0, 1.0], weights=weights) == pytest.approx(0.5)
    assert not weights_of_lengths(np.array([4, 51])).any()


@given(st.lists(st.lists(st.integers(0, 9), max_size=9).map(np.array), max_size=5), st.integers(0, 99))
def test_controls_are_trees_that_the_types_of_words_decide(types, seed):
    types = [words.astype(np.int64) for words in types]
    controls = control_heads(types, seed)
    ways: dict[int, set[str]] = {}
    for words, heads in zip(types, controls, strict=True):
        if len(words):
            assert (tree_distances(heads) >= 0).all()
            assert heads[0] == -1
        for place in range(2, len(words) - 1):  # where the three ways are apart
            way = {0: "first", len(words) - 1: "last", place - 1: "before"}[int(heads[place])]
            ways.setdefault(int(words[place]), set()).add(way)
    assert all(len(of_type) == 1 for of_type in ways.values())


def test_controls_take_all_three_ways():
    (heads,) = control_heads([np.arange(60)], seed=3)
    inner = np.arange(2, 59)
    of_inner = heads[inner]
    assert all(
        10 < n < 30 for n in ((of_inner == 0).sum(), (of_inner == 59).sum(), (of_inner == inner - 1).sum())
    )
