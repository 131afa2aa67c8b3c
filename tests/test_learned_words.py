"""Mixes and masks learn from labelled pairs: a score over these words says so, and over others does not."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest
from synthetic import SyntheticRun, build_store, corpus_of

import repstore
from repstore.results import ResultTable
from repstore.spec import Pair, Text, Word

N_LEMMAS = 12
N_WORDS = 8 * N_LEMMAS
SPLITS = ("train", "dev", "test")


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Iterator[repstore.Store]:
    """Words of twelve lemmas, in turn, of two senses each; the pairs of a split are of four lemmas."""
    random = np.random.default_rng(0)
    texts, pairs = [], []
    for n in range(N_WORDS):
        lemma, sense = f"l{n % N_LEMMAS:02}", n // N_LEMMAS % 2
        split = SPLITS[n % N_LEMMAS // 4]
        word = Word(1, 5, 8, lemma, lemma, None, f"{lemma}.{sense}")
        texts.append(Text(f"s{n:03} {lemma}", (word,), split))
        pairs += [
            Pair(n, other, split, (other - n) // N_LEMMAS % 2 == 0) for other in range(n % N_LEMMAS, n, 12)
        ]
    senses = np.arange(N_WORDS) // N_LEMMAS % 2
    layers = [random.normal(size=(N_WORDS, 8)).astype(np.float16) for _ in range(2)]
    layers[1][:, 0] += 4 * senses.astype(np.float16)
    root = build_store(
        tmp_path_factory.mktemp("learned") / "store", corpus_of(texts, pairs), [SyntheticRun("run", layers)]
    )
    repstore.fit_mix(root, "mixed", kind="scalar")
    repstore.fit_transform(root, "masked", kind="select")
    repstore.fit_transform(root, "plain", kind="center")
    with repstore.open(root) as opened:
        yield opened


def said(result: ResultTable) -> list[str]:
    return [note for note in result.notes if "learned from, and" in note]


TRAINED = {"label": "pairs", "n_seeds": 1, "resamples": 0, "features": "cosine", "split_by": "text"}
ASKED = {
    "wic": ("wic", {"select_on": "dev", "evaluate_on": "train"}, {"select_on": "dev"}),
    "knn-wsd": ("knn-wsd", {"evaluate_on": "train"}, {"evaluate_on": ("dev", "test")}),
    "linear": (
        "linear",
        TRAINED | {"train_on": "dev", "evaluate_on": "train"},
        TRAINED | {"train_on": "train", "evaluate_on": "test"},
    ),
}


@pytest.mark.parametrize(("name", "seen", "unseen"), ASKED.values(), ids=ASKED)
def test_a_score_over_words_that_were_learned_from_says_how_many(store, name, seen, unseen):
    (note,) = said(store.probe(name, layer=[1, "mix:mixed"], **seen))
    assert note.startswith("Of the 32 words that run is tested on, 32 are in pairs that mix:mixed learned")
    (note,) = said(store.transformed("masked").probe(name, layer=1, **seen))
    assert note.startswith(
        "Of the 32 words that run, masked is tested on, 32 are in pairs that masked learned"
    )
    assert not said(store.probe(name, layer=1, **seen))
    assert not said(store.transformed("plain").probe(name, layer=1, **seen))
    assert not said(store.probe(name, layer=[1, "mix:mixed"], **unseen))
    assert not said(store.transformed("masked").probe(name, layer=1, **unseen))


def test_words_that_only_train_a_probe_are_not_counted(store):
    asked = {"layer": "mix:mixed", "train_on": "train"}
    (note,) = said(store.probe("centroid-wsd", evaluate_on=["train", "test"], **asked))
    assert note.startswith("Of the 64 words that run is tested on, 32 are")
    assert not said(store.probe("centroid-wsd", evaluate_on="test", **asked))
