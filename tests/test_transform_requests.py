"""How a transform is asked for: numbers, conditions, splits, and more directions than there are."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from folders import files_of
from program import repstore as command
from synthetic import SyntheticRun, build_store, corpus_of, random_layers, small_corpus

import repstore
from repstore.errors import ArgumentError, NotFoundError, QueryError
from repstore.spec import Text, Word

N_WORDS, D_MODEL = 40, 6


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    """A store without a transform. At layer 1 words vary in two directions, at layer 2 in none."""
    random, flat, constant = random_layers(N_WORDS, D_MODEL, 3, dtype=np.float32)
    flat[:, 2:] = 0.5
    constant[:] = 3
    run = SyntheticRun("m/base", [random, flat, constant], 15)
    return build_store(tmp_path_factory.mktemp("plain") / "store", small_corpus(N_WORDS, 9, 9), [run])


@pytest.fixture
def store(plain, tmp_path) -> Path:
    return shutil.copytree(plain, tmp_path / "store")


def test_whole_numbers_of_numpy_are_those_of_python(store, plain, tmp_path):
    other = shutil.copytree(plain, tmp_path / "other")
    repstore.fit_transform(other, "t", kind="pca", k=2, sample=20, seed=5)
    repstore.fit_transform(
        store, "t", kind="pca", k=np.int64(2), sample=np.int32(20), seed=np.uint8(5), layer=np.arange(3)
    )
    assert files_of(store) == files_of(other)
    again = repstore.fit_transform(
        other, "t", kind="pca", k=np.int8(2), sample=np.int64(20), seed=np.int64(5)
    )
    assert again.notes[0] == "It was there already: nothing was done."


@pytest.mark.parametrize("given", [True, np.True_, 2.0, np.float64(3), "2"])
@pytest.mark.parametrize("name", ["k", "sample", "seed"])
def test_what_is_no_whole_number_is_refused_before_anything_is_written(plain, name, given):
    before = files_of(plain)
    asked: dict[str, Any] = {"kind": "pca", "k": 2, "sample": 20}
    with pytest.raises(ArgumentError, match=f"^{name} is .*whole number"):
        repstore.fit_transform(plain, "t", **asked | {name: given})
    assert files_of(plain) == before


@pytest.mark.parametrize("where", [5, b"true", True, "form = '\udcff'", "\ud800 = 'a'"])
def test_a_condition_that_is_no_text_is_refused_by_all_that_take_one(plain, where):
    with repstore.open(plain) as store:
        for ask in (
            lambda: repstore.fit_transform(plain, "t", kind="center", where=where),
            lambda: store.neighbors("bank", text="004", layer=0, where=where),
            lambda: store.geometry("norms", where=where),
            lambda: store.compare("cka", where=where),
        ):
            with pytest.raises(QueryError, match="is not a condition on words: it has to be text, in UTF-8"):
                ask()
        assert len(store.neighbors("bank", text="004", layer=0, where="form <> 'é\U0001f600'", k=3)) == 3


def test_bytes_that_are_no_text_are_one_message_on_the_command_line(plain):
    outcome = command("geometry", plain, "--where", "form = '\udcff'")
    assert (outcome.code, outcome.out) == (1, "")
    assert "it has to be text, in UTF-8" in outcome.err


def test_a_seed_of_no_sample_makes_no_other_request(store):
    repstore.fit_transform(store, "t", kind="center", seed=7)
    for seed in (0, 3):
        again = repstore.fit_transform(store, "t", kind="center", seed=seed)
        assert again.notes[0] == "It was there already: nothing was done."
    with pytest.raises(ArgumentError, match=r"fitted otherwise \(words\)"):
        repstore.fit_transform(store, "t", kind="center", sample=39, seed=7)


def test_a_split_that_is_not_there_is_refused_with_those_that_are(tmp_path):
    texts = [Text(f"{n} bank", (Word(1, 2, 6, "bank"),), split=("dev", "test")[n % 2]) for n in range(8)]
    root = build_store(tmp_path / "store", corpus_of(texts), [SyntheticRun("r", random_layers(8, 3, 1))])
    with pytest.raises(NotFoundError, match=r'"synthetic" is in split "x7"[.] Known: dev, test'):
        repstore.fit_transform(root, "t", kind="center", split="x7")
    with pytest.raises(NotFoundError, match=r'"tset"[.] Did you mean "test"'):
        repstore.fit_transform(root, "t", kind="center", split="tset")
    with pytest.raises(NotFoundError, match='in split "5"'):
        repstore.fit_transform(root, "t", kind="center", split=5)
    assert not list(root.glob("runs/*/transforms"))
    assert repstore.fit_transform(root, "t", kind="center", split="test")["n_kept"] == [3]


def test_more_directions_than_there_are_is_said(store):
    fit = repstore.fit_transform
    few = "At layer 1 these words vary in fewer than k directions: the other coordinates are 0."
    none = "At layer 1 these words vary in no more than k directions: nothing is left."
    one = "All these words have one vector at layer 2."
    for name, kind, k, n_kept, notes in (
        ("pca 1", "pca", 1, [1, 1, 0], [one]),
        ("pca 2", "pca", 2, [2, 2, 0], [one]),
        ("pca 3", "pca", 3, [3, 2, 0], [one, few]),
        ("top 1", "all-but-the-top", 1, [5, 1, 0], [one]),
        ("top 2", "all-but-the-top", 2, [4, 0, 0], [one, none]),
        ("top 3", "all-but-the-top", 3, [3, 0, 0], [one, none]),
    ):
        fitted = fit(store, name.replace(" ", "-"), kind=kind, k=k)
        assert (fitted["n_kept"], fitted.notes) == (n_kept, notes), name
