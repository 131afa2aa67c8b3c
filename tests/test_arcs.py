"""Arcs between words as examples: each beside a pair of the same dependent that is none."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstore.edge_tasks import arcs_of
from repstore.storage.edges import FoundEdges


def found(sizes: list[int], edges: list[tuple[int, int, str]]) -> FoundEdges:
    """Edges (head, dependent, label) over texts of these many words."""
    texts = np.repeat(np.arange(len(sizes)), sizes)
    heads, dependents = (np.array([edge[n] for edge in edges], np.int64) for n in (0, 1))
    labels = np.array([edge[2] for edge in edges], object)
    of_edges = texts[dependents]
    splits = np.array([f"split{text}" for text in of_edges], object)
    return FoundEdges(
        "dm", heads, dependents, labels, of_edges, splits, np.arange(len(texts)), texts, texts + 100
    )


@st.composite
def graphs(draw) -> FoundEdges:
    sizes = draw(st.lists(st.integers(3, 6), min_size=2, max_size=4))
    ends = np.cumsum(sizes)
    edges = [(0, 1, "a")]
    for start, end in zip(ends - sizes, ends, strict=True):
        word = st.integers(int(start), int(end) - 1)
        edges += draw(st.lists(st.tuples(word, word, st.sampled_from("ab")), max_size=8))
    return found(sizes, sorted(set(edges), key=lambda edge: (edge[1], edge[0], edge[2])))


@given(graphs(), st.integers(0, 9), st.sets(st.integers(0, 9)))
def test_each_arc_has_a_pair_beside_it_of_the_same_dependent_that_is_not_joined(graph, seed, left_out):
    asked = np.setdiff1d(graph.word_ids, list(left_out))
    task = arcs_of(graph, seed, asked)
    joined = {frozenset(edge) for edge in zip(graph.heads.tolist(), graph.dependents.tolist(), strict=True)}
    arcs = [tuple(row) for row in task.words[task.targets == 1].tolist()]
    none = [tuple(row) for row in task.words[task.targets == 0].tolist()]
    texts = dict(zip(graph.word_ids.tolist(), graph.word_texts.tolist(), strict=True))
    assert np.isin(task.words, asked).all()
    assert len(set(arcs)) == len(arcs)
    assert len(set(none)) == len(none)
    assert Counter(word for _, word in arcs) == Counter(word for _, word in none)
    assert set(arcs) <= set(zip(graph.heads.tolist(), graph.dependents.tolist(), strict=True))
    assert all(head != word for head, word in [*arcs, *none])
    assert all(texts[head] == texts[word] and frozenset((head, word)) not in joined for head, word in none)
    assert task.texts.tolist() == [texts[word] + 100 for word in task.words[:, 1].tolist()]
    assert task.splits.tolist() == [f"split{texts[word]}" for word in task.words[:, 1].tolist()]


@pytest.mark.parametrize(
    ("edges", "n_arcs", "left_out"),
    [
        ([(0, 1, "a"), (0, 1, "b")], 1, 0),
        ([(1, 1, "a"), (0, 1, "b")], 1, 1),
        ([(0, 1, "a"), (2, 1, "a")], 0, 2),
        ([(0, 1, "a"), (4, 3, "a")], 2, 0),
    ],
    ids=["two labels are one arc", "a word and itself", "joined to all words", "two texts"],
)
def test_arcs_left_out_are_counted(edges, n_arcs, left_out):
    task = arcs_of(found([3, 4], [*edges, (6, 4, "a")]), 0, np.arange(7))
    assert (task.targets == 1).sum() == n_arcs + 1
    assert task.notes == (
        (f"{left_out} arcs are left out: the dependent is joined to itself, or to all words of its text.",)
        if left_out
        else ()
    )


def test_arcs_of_words_that_are_not_asked_for_are_counted():
    task = arcs_of(found([4, 4], [(0, 1, "a"), (0, 2, "a"), (5, 4, "a")]), 0, np.array([1, 2, 4, 5, 6]))
    assert task.words[task.targets == 1].tolist() == [[5, 4]]
    assert task.words[task.targets == 0].tolist() == [[6, 4]]
    assert task.notes == ("2 arcs are left out: a word of theirs is not asked for, or has no vector.",)


def test_arcs_of_no_word_are_no_examples():
    task = arcs_of(found([3], [(0, 1, "a")]), 0, np.empty(0, np.int64))
    assert len(task) == 0
