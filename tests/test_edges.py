"""Labelled edges between words: kept with a corpus, carried along by its filters, found in a store."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import SyntheticRun, build_store, corpus_of, random_layers

import repstore
from repstore.corpus import Corpus, read
from repstore.corpus.plain import with_all_words
from repstore.corpus.splits import with_splits
from repstore.errors import ArgumentError, CorpusError, NotFoundError, ResultError
from repstore.schemas import EDGES
from repstore.spec import Edge, Text, Word
from repstore.storage.corpora import identify, read_corpora
from repstore.storage.edges import FoundEdges
from repstore.storage.layout import Layout
from repstore.storage.lookup import looking_up

DATA = Path(__file__).parents[1] / "data"
SPLITS = ("dev", "test", "train")


def text_of(*forms: str, split: str | None = None) -> Text:
    text, words = " ".join(forms), []
    for n, form in enumerate(forms):
        start = len(" ".join(forms[:n])) + (n > 0)
        words.append(Word(n, start, start + len(form), form))
    return Text(text, tuple(words), split)


def with_edges(texts: list[Text], edges: list[Edge], name: str = "made") -> Corpus:
    return dataclasses.replace(corpus_of(texts, name=name), edges=lambda: iter(edges))


TEXTS = [
    text_of("She", "left", split="train"),
    text_of("Yes", split="dev"),
    text_of("He", "wants", "to", "go", split="test"),
]
MADE = [
    *(Edge("ud", None, 1, "root"), Edge("ud", 1, 0, "nsubj"), Edge("ud", None, 2, "root")),
    *(
        Edge("ud", 4, 3, "nsubj"),
        Edge("ud", None, 4, "root"),
        Edge("ud", 6, 5, "mark"),
        Edge("ud", 4, 6, "xcomp"),
    ),
    *(
        Edge("dm", 4, 3, "ARG1"),
        Edge("dm", 6, 3, "ARG1"),
        Edge("dm", 4, 6, "ARG2"),
        Edge("dm", None, 4, "top"),
    ),
]


def found(root: Path, kind: str | None, run: str | None = None) -> FoundEdges:
    with looking_up(Layout(root)) as lookup:
        return lookup.edges(lookup.run(run), kind)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """Edges of two kinds; a corpus beside it has one kind, and another none."""
    root = tmp_path_factory.mktemp("edges") / "store"
    layers = random_layers(7, 4, 2)
    build_store(root, with_edges(TEXTS, MADE), [SyntheticRun("both", layers)])
    trees = [edge for edge in MADE if edge.kind == "ud"]
    build_store(root, with_edges(TEXTS, trees, "trees"), [SyntheticRun("one", layers)])
    return build_store(root, corpus_of(TEXTS, name="bare"), [SyntheticRun("none", layers)])


def test_edges_are_stored_in_order_with_the_ids_of_their_words(store):
    infos = {info.name: info for info in read_corpora(Layout(store))}
    assert {name: info.n_edges for name, info in infos.items()} == {"made": 11, "trees": 7, "bare": 0}
    for name, expected in (("made", MADE), ("bare", [])):
        info = infos[name]
        table = pq.read_table(Layout(store).corpus(info.corpus_id).edges)
        assert table.schema == EDGES
        base = info.code * 10**9
        assert [tuple(row.values()) for row in table.to_pylist()] == [
            (info.corpus_id, e.kind, None if e.head is None else base + e.head, base + e.dependent, e.label)
            for e in expected
        ]
    assert list(repstore.verify(store)) == []


def test_edges_are_asked_in_sql(store):
    with repstore.open(store) as opened:
        rows = opened.sql(
            """
            SELECT a.form AS head, b.form AS dependent, label
            FROM edges JOIN corpora USING (corpus_id) LEFT JOIN words a ON a.word_id = word_a
            JOIN words b ON b.word_id = word_b
            WHERE kind = 'dm' AND corpora.name = 'made' ORDER BY word_b, word_a
            """
        )
        assert [tuple(row.values()) for row in rows] == [
            *(("wants", "He", "ARG1"), ("go", "He", "ARG1"), (None, "wants", "top"), ("wants", "go", "ARG2"))
        ]
        assert opened.corpora()["n_edges"] == [0, 11, 7]


def test_edges_are_found_by_kind_less_roots_in_the_order_of_their_dependents(store):
    (base,) = {i.code * 10**9 for i in read_corpora(Layout(store)) if i.name == "made"}
    ud = found(store, "ud", "both")
    assert ud.kind == "ud"
    assert [
        *zip(ud.heads - base, ud.dependents - base, ud.labels, ud.texts - base, ud.splits, strict=True)
    ] == [
        (1, 0, "nsubj", 0, "train"),
        (4, 3, "nsubj", 2, "test"),
        (6, 5, "mark", 2, "test"),
        (4, 6, "xcomp", 2, "test"),
    ]
    assert list(ud.word_ids - base) == list(range(7)), "with the one that is all of its text"
    assert list(ud.word_texts - base) == [0, 0, 1, 2, 2, 2, 2]
    dm = found(store, "dm", "both")
    assert [*zip(dm.heads - base, dm.dependents - base, dm.labels, strict=True)] == [
        (4, 3, "ARG1"),
        (6, 3, "ARG1"),
        (4, 6, "ARG2"),
    ]
    assert list(dm.word_ids - base) == [3, 4, 5, 6], "texts without an edge of the kind are left out"
    for array in (dm.heads, dm.dependents, dm.texts, dm.word_ids, dm.word_texts):
        assert array.dtype == "int64"


def test_the_only_kind_need_not_be_named(store):
    assert found(store, None, "one").kind == "ud"
    with pytest.raises(ArgumentError, match=r'"made" has edges of several kinds: dm, ud\. Say which'):
        found(store, None, "both")
    with pytest.raises(NotFoundError, match=r'no edges of kind "du"\. Did you mean "ud"'):
        found(store, "du", "both")
    for kind in (None, "ud"):
        with pytest.raises(ResultError, match='"bare" has no edges; this probe needs words joined by them'):
            found(store, kind, "none")


def test_other_edges_are_another_corpus():
    variants = [
        [],
        [Edge("ud", 0, 1, "x")],
        [Edge("ud", 1, 0, "x")],
        [Edge("ud", None, 1, "x")],
        [Edge("ud", 0, 1, "y")],
        [Edge("dm", 0, 1, "x")],
        [Edge("ud", 0, 1, "x")] * 2,
    ]
    ids = {identify(with_edges(TEXTS, edges)).corpus_id for edges in variants}
    assert len(ids) == len(variants)


@st.composite
def drawn_corpora(draw) -> Corpus:
    """Texts of some words, some of which are not annotated; edges between annotated words of one text."""
    texts, edges, n = [], [], 0
    for k in range(draw(st.integers(1, 8))):
        forms = draw(st.lists(st.sampled_from(["a", "bb", "ccc"]), min_size=1, max_size=5))
        text = text_of(*forms, split=SPLITS[k % 3])
        is_word = [draw(st.booleans()) for _ in forms]
        words = tuple(word for word, yes in zip(text.words, is_word, strict=True) if yes)
        others = tuple(word for word, yes in zip(text.words, is_word, strict=True) if not yes)
        texts.append(dataclasses.replace(text, words=words, others=others))
        ordinals = list(range(n, n + len(words)))
        for dependent in ordinals:
            head = draw(st.sampled_from([None, *ordinals]))
            edges.append(Edge(draw(st.sampled_from(["ud", "dm"])), head, dependent, f"label {len(edges)}"))
        n += len(words)
    return with_edges(texts, edges)


def named(corpus: Corpus) -> dict[str, tuple[object, object]]:
    """For each label, which is unique, its two words; each with its split and the number of its text."""
    words, n_of = [], dict.fromkeys(SPLITS, 0)
    for text in corpus.texts():
        words += [(text.split, n_of[text.split], word) for word in text.words]
        n_of[text.split] += 1
    return {
        edge.label: (None if edge.head is None else words[edge.head], words[edge.dependent])
        for edge in corpus.edges()
    }


@given(drawn_corpora(), st.sets(st.sampled_from(SPLITS), min_size=1))
def test_filters_leave_edges_between_the_words_that_they_joined(whole, kept):
    there = {text.split for text in whole.texts()}
    expected = named(whole)
    assert named(with_all_words(whole)) == expected
    if kept <= there:
        of_splits = {label: ends for label, ends in expected.items() if ends[1][0] in kept}
        some = with_splits(whole, sorted(kept))
        assert named(some) == of_splits
        assert named(with_all_words(some)) == of_splits


@pytest.mark.parametrize(("head", "dependent"), [(0, 3), (3, 0)])
def test_an_edge_across_splits_is_refused(head, dependent):
    corpus = with_edges(TEXTS, [Edge("ud", head, dependent, "x")])
    for split in ("train", "test"):
        with pytest.raises(CorpusError, match="test:made: an edge joins words of different splits"):
            identify(with_splits(corpus, [split]))
    assert list(with_splits(corpus, ["dev"]).edges()) == []


def test_filters_do_not_read_a_corpus_again_that_has_no_edges():
    n_reads = 0

    def texts():
        nonlocal n_reads
        n_reads += 1
        return iter(TEXTS)

    corpus = dataclasses.replace(corpus_of(TEXTS), texts=texts)
    assert list(with_all_words(with_splits(corpus, ["train"])).edges()) == []
    assert n_reads == 0


def naive(name: str) -> list[tuple[int, int, str]]:
    """Edges of a file of data/ without its roots, by the ordinals of words: head, dependent, label."""
    edges, before = [], 0
    for block in (DATA / name).read_text(encoding="utf-8").strip().split("\n\n"):
        rows = [line.split("\t") for line in block.split("\n") if line[0] != "#"]
        predicates = [n for n, row in enumerate(rows) if row[5] == "+"]
        for n, row in enumerate(rows):
            if name.endswith(".conllu") and row[6] != "0":
                edges.append((before + int(row[6]) - 1, before + n, row[7]))
            elif name.endswith(".sdp"):
                labels = zip(predicates, row[7:], strict=True)
                edges += [(before + head, before + n, label) for head, label in labels if label != "_"]
        before += len(rows)
    return edges


def test_the_treebank_in_data_is_ingested_with_both_kinds(tmp_path, tiny_model: Callable[[str], Path]):
    root = tmp_path / "store"
    source = f"conllu:{DATA / 'trees.conllu'}"
    report = repstore.ingest(source, root, model=str(tiny_model("bert")))
    n_words = report.runs[0].n_vectors
    assert (report.corpus.name, report.corpus.n_words, n_words) == ("trees", 1952, 1952)
    base = report.corpus.code * 10**9
    for kind, name in (("ud", "trees.conllu"), ("dm", "trees.dm.sdp")):
        edges = found(root, kind)
        pairs = zip(edges.heads - base, edges.dependents - base, edges.labels, strict=True)
        assert [*pairs] == naive(name)
        assert list(edges.word_ids) == list(range(base, base + n_words))
    graph = read(f"sdp:{DATA / 'trees.dm.sdp'}")
    assert [(e.head, e.dependent, e.label) for e in graph.edges() if e.head is not None] == naive(
        "trees.dm.sdp"
    )
    assert list(repstore.verify(root)) == []
