"""Vectors like those of a layer, and a store of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from random_runs import write_run_of

from repstore.corpus import Corpus
from repstore.spec import Text, Word
from repstore.storage.catalog import publish_catalog
from repstore.storage.corpora import identify, write_corpus
from repstore.storage.layout import Layout
from repstore.storage.runs import create_store

N_QUERIES = 200
"""Words held out, to be asked for their neighbors among the others."""

WORDS_OF_A_CLUSTER = 20
"""On average; the largest clusters have hundreds."""

SPREAD = 0.5
"""Within clusters, relative to between them."""


@dataclass(frozen=True, eq=False)
class Layer:
    """Vectors to search, and others to ask for. *Shape:* (n, d_model) and (n_queries, d_model), float16."""

    vectors: np.ndarray
    queries: np.ndarray


def hold_out(rows: np.ndarray) -> Layer:
    """Some rows at random become queries."""
    held_out = np.zeros(len(rows), bool)
    held_out[np.random.default_rng(0).choice(len(rows), N_QUERIES, replace=False)] = True
    return Layer(rows[~held_out], rows[held_out])


def draw(n_words: int, d_model: int) -> Layer:
    """Clusters in a space of unequal directions, away from the origin.

    Words of a kind stand in clusters, whose sizes follow Zipf's law; the variance along the i-th principal
    direction, turned at random, is as 1/i; and a mean shared by all makes the cosine of any two about 0.5.
    """
    random = np.random.default_rng(0)
    n_clusters = n_words // WORDS_OF_A_CLUSTER
    weights = 1 / (np.arange(n_clusters) + 10)
    of_word = random.choice(n_clusters, n_words + N_QUERIES, p=weights / weights.sum())
    centers = random.standard_normal((n_clusters, d_model), np.float32)
    rows = random.standard_normal((n_words + N_QUERIES, d_model), np.float32)
    rows *= np.float32(SPREAD)
    rows += centers[of_word]
    deviations = (1 / np.sqrt(np.arange(1, d_model + 1))).astype(np.float32)
    rotation = np.linalg.qr(random.standard_normal((d_model, d_model), np.float32))[0]
    mean = random.standard_normal(d_model, np.float32)
    mean *= np.linalg.norm(deviations) * np.sqrt(1 + SPREAD**2) / np.linalg.norm(mean)
    rows = rows @ (deviations[:, None] * rotation)
    rows += mean
    return hold_out(rows.astype(np.float16))


def write_store_of(root: Path, vectors: np.ndarray) -> None:
    """A store of one run, which has one layer. Each word has a text of its own."""
    text = "Text {} has a word."
    texts = [text.format(n) for n in range(len(vectors))]
    ends = [len(one) - 1 for one in texts]
    corpus = Corpus(
        "lifelike",
        "benchmark:lifelike",
        lambda: (
            Text(one, (Word(4, end - 4, end, "word", "word", "N"),))
            for one, end in zip(texts, ends, strict=True)
        ),
        lambda: iter(()),
    )
    create_store(root)
    layout = Layout(root)
    info = write_corpus(layout, corpus, identify(corpus))
    write_run_of(layout, info, "lifelike", 1, vectors.shape[1], lambda _, words: [vectors[words]])
    publish_catalog(layout)
