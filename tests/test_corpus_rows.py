"""Any block of rows of a corpus, without reading what precedes it."""

from __future__ import annotations

from pathlib import Path

import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import corpus_of

from repstore.corpus.plain import words_of
from repstore.spec import Text
from repstore.storage.corpora import identify, read_rows, write_corpus
from repstore.storage.layout import Layout
from repstore.storage.runs import create_store

N_MANY = 40_000


@pytest.fixture(scope="module")
def many_words(tmp_path_factory) -> Path:
    """Words in three row groups."""
    layout = Layout(tmp_path_factory.mktemp("many") / "store")
    create_store(layout.root)
    text = " ".join(f"w{n}" for n in range(N_MANY))
    corpus = corpus_of([Text(text, tuple(words_of(text)))])
    info = identify(corpus)
    write_corpus(layout, corpus, info)
    path = layout.corpus(info.corpus_id).words
    assert pq.read_metadata(path).num_row_groups == 3
    return path


@given(st.integers(0, N_MANY), st.integers(0, 20_000))
def test_any_rows_are_those_of_the_whole_table(many_words, start, n_rows):
    whole = pq.read_table(many_words)
    found = read_rows(many_words, start, start + n_rows)
    assert found.equals(whole.slice(start, n_rows))


@pytest.mark.parametrize("edge", [16_384, 32_768, N_MANY])
@pytest.mark.parametrize("before", [0, 1])
@pytest.mark.parametrize("after", [0, 1])
def test_rows_at_the_edges_of_row_groups(many_words, edge, before, after):
    found = read_rows(many_words, edge - before, edge + after)
    expected = [f"w{n}" for n in range(edge - before, min(edge + after, N_MANY))]
    assert found["form"].to_pylist() == expected
