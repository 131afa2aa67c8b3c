"""Probes of edges are kept, and asked about the words of texts, joined or not."""

from __future__ import annotations

import dataclasses
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from saved import run_of, told
from synthetic import SyntheticRun, build_store, corpus_of, random_layers

import repstore
from repstore.corpus import Corpus
from repstore.errors import NotFoundError, ResultError
from repstore.spec import Edge, Text, Word
from repstore.storage.saved_probes import read_probe_info

WIDTH = 6
SPLITS = ("train", "dev", "test")
N_TEXTS, LENGTH = 40, 6


def trees(name: str, kind: str | None) -> Corpus:
    """Sentences whose first word is the head of all others, by two relations; every fifth is a word short."""
    texts, edges, first = [], [], 0
    for n in range(N_TEXTS):
        forms = [f"w{(n * LENGTH + k) % 50}" for k in range(LENGTH - (n % 5 == 0))]
        starts = np.cumsum([0, *(len(form) + 1 for form in forms[:-1])]).tolist()
        words = [
            Word(k, at, at + len(form), form) for k, (at, form) in enumerate(zip(starts, forms, strict=True))
        ]
        texts.append(Text(" ".join(forms), tuple(words), SPLITS[n % 3]))
        edges += [Edge(str(kind), first, first + k, "odd" if k % 2 else "even") for k in range(1, len(forms))]
        first += len(forms)
    return dataclasses.replace(corpus_of(texts, name=name), edges=lambda: iter(edges if kind else []))


def layers_of_trees(seed: int) -> list[np.ndarray]:
    """Layer 1 says which word is the first of its text, and which of the others are odd."""
    places = [k for n in range(N_TEXTS) for k in range(LENGTH - (n % 5 == 0))]
    layers = random_layers(len(places), WIDTH, 2, seed=seed)
    layers[1][:, 0] = 6.0 * (np.array(places) == 0)
    layers[1][:, 1] = 6.0 * (np.array(places) % 2)
    return layers


@pytest.fixture(scope="module")
def treebank(tmp_path_factory) -> Path:
    """A probe of arcs and one of relations, of a run over trees; a corpus without edges, and
    one of another kind."""
    root = tmp_path_factory.mktemp("trees") / "store"
    build_store(root, trees("trees", "ud"), [SyntheticRun("m", layers_of_trees(1), 50, frozenset({8}))])
    build_store(root, trees("bare", None), [SyntheticRun("bare", layers_of_trees(2))])
    build_store(root, trees("other", "dm"), [SyntheticRun("other", layers_of_trees(3))])
    asked: dict[str, Any] = {"run": "m", "feature": "concat", "layer": [1], "n_seeds": 1, "resamples": 0}
    for label in ("arcs", "relations"):
        repstore.fit_probe(root, label, label=label, **asked)
    return root


def texts_of(root: Path, corpus: str, left_out: str = "") -> list[list[int]]:
    with repstore.open(root) as store:
        rows = store.sql(
            "SELECT text_id, list(word_id ORDER BY word_id) AS words FROM words JOIN texts USING (text_id) "
            f"JOIN corpora USING (corpus_id) WHERE name = '{corpus}' {left_out} GROUP BY ALL ORDER BY text_id"
        )
        return [row["words"] for row in rows]


def test_a_probe_of_arcs_is_asked_about_every_two_words_of_a_text_as_a_parser_would(treebank):
    for run, corpus, left_out in (("m", "trees", "AND word_id % 1000000000 <> 8"), ("bare", "bare", "")):
        texts = texts_of(treebank, corpus, left_out)
        with repstore.open(treebank) as store:
            table = store.apply_probe("arcs", run=run, of_run="m")
            layer = store.vectors(run=run, layer=1)
            a, b = (layer.of(table[side]).astype(np.float64) for side in ("word_a", "word_b"))
        assert list(zip(table["word_a"], table["word_b"], strict=True)) == [
            (head, dependent) for words in texts for dependent in words for head in words if head != dependent
        ]
        firsts = {words[0] for words in texts}
        is_arc = [row["word_a"] in firsts for row in table]
        assert (
            np.mean([(row["predicted"] == "arc") == one for row, one in zip(table, is_arc, strict=True)])
            > 0.95
        )
        expected = told(
            run_of(treebank, "m").frozen("probe", "arcs"), 1, map(np.concatenate, zip(a, b, strict=True))
        )
        assert table["predicted"] == [name for name, _ in expected]
        np.testing.assert_allclose(table["probability"], [share for _, share in expected], rtol=1e-3)


def test_texts_are_drawn_and_both_words_of_an_arc_meet_the_condition(treebank):
    with repstore.open(treebank) as store:
        every = list(store.apply_probe("arcs", run="bare", of_run="m"))
        drawn = list(store.apply_probe("arcs", run="bare", of_run="m", sample=4, seed=1))
        met = list(store.apply_probe("arcs", run="bare", of_run="m", where="position < 2"))
    texts = [set(words) for words in texts_of(treebank, "bare")]
    hit = [words for words in texts if any(row["word_a"] in words for row in drawn)]
    assert len(hit) == 4
    assert drawn == [row for row in every if any(row["word_a"] in words for words in hit)]
    pairs = {(min(words), min(words) + 1) for words in texts}
    assert met == [row for row in every if tuple(sorted((row["word_a"], row["word_b"]))) in pairs]


def test_more_pairs_than_memory_holds_are_refused_before_they_are_made(treebank, monkeypatch):
    n = sum(len(words) * (len(words) - 1) for words in texts_of(treebank, "bare"))
    monkeypatch.setattr(np, "tile", None)
    with (
        repstore.open(treebank) as store,
        pytest.raises(ResultError, match=f"{n:,} pairs of words at 1 layers"),
    ):
        store.apply_probe("arcs", run="bare", of_run="m", memory=100_000)


def test_memory_is_for_all_runs_together(treebank):
    with repstore.open(treebank) as store:
        asked: dict[str, Any] = {"of_run": "m", "memory": 900_000}
        for run in ("bare", "other"):
            assert len(store.apply_probe("arcs", run=run, **asked))
        with pytest.raises(ResultError, match="allow more with memory"):
            store.apply_probe("arcs", run=["bare", "other"], **asked)


def test_a_probe_of_relations_is_asked_about_words_that_are_joined(treebank):
    with repstore.open(treebank) as store:
        table = store.apply_probe("relations", run="m")
        edges = store.sql(
            "SELECT word_a, word_b, label FROM edges WHERE kind = 'ud' AND word_a IS NOT NULL ORDER BY word_b"
        )
        with pytest.raises(ResultError, match='"bare" has no edges'):
            store.apply_probe("relations", run="bare", of_run="m")
        with pytest.raises(NotFoundError, match='no edges of kind "ud"'):
            store.apply_probe("relations", run="other", of_run="m")
    kept = [row for row in edges if 8 not in (row["word_a"] % 10**9, row["word_b"] % 10**9)]
    assert [(row["word_a"], row["word_b"]) for row in table] == [
        (row["word_a"], row["word_b"]) for row in kept
    ]
    assert table["predicted"] == [row["label"] for row in kept]
    assert table.notes[0].startswith("1 pairs of trees are left out")


def test_a_kind_that_was_not_named_is_kept_with_the_probe(treebank):
    info = read_probe_info(run_of(treebank, "m").frozen("probe", "arcs"))
    assert info.asked["edges"] == "ud"
    assert info.asked["command"][:3] == ["probe", "linear", "STORE"]
    assert {"--edges", "ud", "--feature", "concat"} < set(info.asked["command"])
