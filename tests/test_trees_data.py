"""The constructed trees and graphs: as committed, and sound by rules that know nothing of the grammar."""

from __future__ import annotations

from pathlib import Path

import constructed
import pytest

DATA = Path(__file__).parents[1] / "data"
RELATIONS = {
    *("root", "det", "nsubj", "nsubj:pass", "obj", "iobj", "obl", "obl:agent", "nmod", "nmod:poss", "amod"),
    *("nummod", "compound", "compound:prt", "case", "mark", "punct", "advmod", "advcl", "acl", "acl:relcl"),
    *("xcomp", "ccomp", "cop", "aux", "aux:pass", "cc", "conj", "expl"),
}
LABELS = {"BV", "ARG1", "ARG2", "ARG3", "poss", "compound", "neg", "_and_c"}
WITHOUT_EDGES = {"AUX", "PUNCT", "PART", "CCONJ"}

Rows = list[list[str]]


def sentences(path: Path) -> list[Rows]:
    blocks = path.read_text(encoding="utf-8").strip().split("\n\n")
    return [[line.split("\t") for line in block.split("\n") if not line.startswith("#")] for block in blocks]


TREES, GRAPHS = sentences(DATA / "trees.conllu"), sentences(DATA / "trees.dm.sdp")


def edges_of(graph: Rows) -> list[tuple[int, int, str]]:
    """Predicate, argument (from 0) and label."""
    predicates = [n for n, row in enumerate(graph) if row[5] == "+"]
    return [
        (predicates[k], n, label)
        for n, row in enumerate(graph)
        for k, label in enumerate(row[7:])
        if label != "_"
    ]


@pytest.mark.parametrize(("name", "make"), [("trees.conllu", "conllu"), ("trees.dm.sdp", "sdp")])
def test_the_committed_file_is_what_the_grammar_makes(name, make):
    assert (DATA / name).read_bytes() == getattr(constructed, make)().encode()


def test_both_files_have_the_same_words():
    assert [[(r[1], r[2], r[4]) for r in rows] for rows in TREES] == [
        [(r[1], r[2], r[3]) for r in rows] for rows in GRAPHS
    ]


def test_there_is_variety():
    texts = {" ".join(row[1] for row in rows) for rows in TREES}
    assert len(texts) == len(TREES) >= 240
    assert len({row[2] for rows in TREES for row in rows}) >= 200
    lengths = [len(rows) for rows in TREES]
    assert (min(lengths), max(lengths)) == (4, 16)


def test_every_tree_is_a_tree_whose_lines_do_not_cross():
    for rows in TREES:
        heads = [int(row[6]) for row in rows]
        assert heads.count(0) == 1
        for n in range(1, len(rows) + 1):
            at, steps = n, 0
            while at:
                at, steps = heads[at - 1], steps + 1
                assert steps <= len(rows)
        arcs = [(min(n, head), max(n, head)) for n, head in enumerate(heads, 1) if head]
        assert not any(a < c < b < d for a, b in arcs for c, d in arcs)


def test_relations_and_labels_are_of_closed_sets_and_all_of_them_occur():
    assert {row[7] for rows in TREES for row in rows} == RELATIONS
    assert {label for graph in GRAPHS for _, _, label in edges_of(graph)} == LABELS


def test_every_graph_has_one_top_which_reaches_or_is_reached_by_all_words_that_have_edges():
    for graph in GRAPHS:
        (top,) = [n for n, row in enumerate(graph) if row[4] == "+"]
        edges = edges_of(graph)
        assert len({(a, b) for a, b, _ in edges}) == len(edges)
        assert all(a != b for a, b, _ in edges)
        together = {top}
        while more := {n for a, b, _ in edges if {a, b} & together for n in (a, b)} - together:
            together |= more
        assert together == {n for a, b, _ in edges for n in (a, b)}


def test_words_of_grammar_alone_have_no_edges_in_the_graph_and_words_of_content_have():
    for rows, graph in zip(TREES, GRAPHS, strict=True):
        joined = {n for a, b, _ in edges_of(graph) for n in (a, b)}
        for n, row in enumerate(rows):
            if row[3] in WITHOUT_EDGES and row[2] not in ("not", "be"):
                assert n not in joined
            elif row[3] in ("NOUN", "VERB", "ADJ", "PROPN", "DET", "NUM"):
                assert n in joined


def test_syntax_and_semantics_differ_where_they_should():
    n_passive = n_shared = n_raised = 0
    for rows, graph in zip(TREES, GRAPHS, strict=True):
        edges = edges_of(graph)
        subjects = {(int(row[6]) - 1, n) for n, row in enumerate(rows) if row[7] == "nsubj"}
        of_passives = {(int(row[6]) - 1, n) for n, row in enumerate(rows) if row[7] == "nsubj:pass"}
        first = [(a, b) for a, b, label in edges if label == "ARG1" and rows[a][3] == "VERB"]
        assert of_passives <= {(a, b) for a, b, label in edges if label == "ARG2"}
        n_passive += len(of_passives)
        n_shared += len({word for _, word in first}) < len(first)
        n_raised += any(rows[a][2] in ("seem", "appear", "happen") for a, _ in subjects - set(first))
    assert n_passive >= 20
    assert n_shared >= 30
    assert n_raised >= 9
    in_tree = {(s, n, int(row[6]) - 1) for s, rows in enumerate(TREES) for n, row in enumerate(rows)}
    in_graph = {(s, b, a) for s, graph in enumerate(GRAPHS) for a, b, _ in edges_of(graph)}
    assert 0.2 < len(in_tree & in_graph) / len(in_graph) < 0.8
    assert 0.2 < len(in_tree & in_graph) / len(in_tree) < 0.8
