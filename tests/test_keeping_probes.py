"""A probe that is kept is the one that was scored, of what was asked for; damaged, it can be made again."""

from __future__ import annotations

import shlex
from pathlib import Path

import numpy as np
import program
import pytest
from synthetic import SyntheticRun, build_store, corpus_of

import repstore
from repstore.analysis.divisions import divide
from repstore.errors import ArgumentError
from repstore.spec import Text, Word

N_WORDS, N_LEMMAS, SEED = 240, 24, 2
ASKED = {"layer": [0, 1], "n_seeds": 2, "seed": SEED, "resamples": 0}


@pytest.fixture
def store(tmp_path) -> Path:
    """A word to a text; its class is that of its lemma, and partly in its vector."""
    random = np.random.default_rng(1)
    lemmas = np.arange(N_WORDS) % N_LEMMAS
    texts = [
        Text(f"w{lemma:02} {n:03}", (Word(0, 0, 3, f"w{lemma:02}", f"w{lemma:02}", "NVA"[lemma % 3]),))
        for n, lemma in enumerate(lemmas)
    ]
    means = random.normal(size=(3, 6))
    layers = [
        (layer * means[lemmas % 3] + random.normal(size=(N_WORDS, 6))).astype(np.float32)
        for layer in range(2)
    ]
    return build_store(tmp_path / "store", corpus_of(texts), [SyntheticRun("m/base", layers)])


def files_of(store: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in store.glob("runs/*/probes/p/*")}


def labels_by(key: str, path: Path) -> Path:
    path.write_text(f"{key},label\n" + "".join(f"w{n:02},{'ab'[n % 2]}\n" for n in range(N_LEMMAS)))
    return path


def test_applied_to_the_test_words_it_has_the_score_that_it_was_kept_with(store):
    repstore.fit_probe(store, "p", label="pos", **ASKED)
    lemmas = np.arange(N_WORDS) % N_LEMMAS
    names, so = np.unique(["NVA"[lemma % 3] for lemma in lemmas], return_inverse=True)
    sides = divide(lemmas, SEED, targets=so)
    with repstore.open(store) as opened:
        scored = opened.probe("linear", label="pos", **(ASKED | {"n_seeds": 1})).table.to_pylist()
        applied = opened.apply_probe("p").table.to_pylist()
    for row in scored:
        of_layer = [one for one in applied if one["layer"] == row["layer"]]
        right = np.array([one["predicted"] for one in of_layer]) == names[so]
        assert row["accuracy"] == pytest.approx(right[sides.test].mean())
        assert np.flatnonzero([one["was_trained_on"] for one in of_layer]).tolist() == sides.train.tolist()


def test_a_table_joined_by_another_column_is_another_probe(store, tmp_path):
    """Forms and lemmas may be spelled alike, and are not the same words."""
    table = tmp_path / "labels.csv"
    repstore.fit_probe(store, "p", label=labels_by("form", table), **ASKED)
    before = files_of(store)
    repstore.fit_probe(store, "p", label=table.rename(tmp_path / "moved.csv"), **ASKED)
    with pytest.raises(ArgumentError, match=r"fitted otherwise \(content\).*Take another name"):
        repstore.fit_probe(store, "p", label=labels_by("lemma", table), **ASKED)
    assert files_of(store) == before


@pytest.mark.parametrize("probe", ["ridge", "wic", "Linear"])
def test_what_cannot_be_kept_is_refused_by_its_name(store, probe):
    with pytest.raises(ArgumentError, match="linear"):
        repstore.fit_probe(store, "p", probe=probe, label="pos", **ASKED)


def test_damaged_it_is_found_put_aside_and_made_again_byte_by_byte_as_it_is_told(store):
    repstore.fit_probe(store, "p", label="pos", **ASKED)
    before = files_of(store)
    (path,) = store.glob("runs/*/probes/p/layer-01.npz")
    changed = bytearray(before[path.name])
    changed[len(changed) // 2] ^= 1
    path.write_bytes(changed)
    (found,) = repstore.verify(store).table.to_pylist()
    assert (found["path"], found["problem"]) == (str(path.relative_to(store)), "damaged")
    command = shlex.split(found["detail"].split("; ", 1)[1])
    repstore.repair(store)
    assert files_of(store) == {}
    assert command.pop(0) == "repstore"
    assert program.repstore(*command).code == 0
    assert files_of(store) == before
