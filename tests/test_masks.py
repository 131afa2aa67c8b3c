"""Transforms that keep the dimensions which tell senses apart: fitted, frozen, asked through and shown."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from folders import files_of
from program import repstore as command
from synthetic import SyntheticRun, build_store, corpus_of

import repstore
from repstore import plots
from repstore.errors import ArgumentError, MissingExtraError, NotFoundError, ResultError
from repstore.spec import Pair, Text, Word
from repstore.storage.layout import Layout
from repstore.storage.remaking import fit_command
from repstore.storage.runs import read_run

D, PLANTED = 16, [2, 3, 7, 11]
SPLITS = {"train": 200, "dev": 60, "test": 60}
N_PAIRS = sum(SPLITS.values())


def world(splits: dict[str | None, int] = SPLITS, n_lemmas: int = 20, seed: int = 0, **given: Any):
    """A corpus of two words to a pair, and their vectors at two layers.

    At layer 0, labels depend on planted dimensions; dimension 5 is far larger than the others, and
    dimension 9 has one value. Layer 1 says nothing.
    """
    n_pairs = sum(splits.values())
    random = np.random.default_rng(seed)
    same = given["same"] if "same" in given else random.random(n_pairs) < 0.5
    texts, pairs = [], []
    of_pair = np.repeat(list(splits), list(splits.values()))
    for n in range(n_pairs):
        for side in "ab":
            word = Word(1, 4, 8, "word", f"lemma{n % n_lemmas}")
            texts.append(Text(f"The word {n} {side}.", (word,), of_pair[n]))
        pairs.append(Pair(2 * n, 2 * n + 1, of_pair[n], bool(same[n])))
    a, b = random.normal(size=(2, n_pairs, D))
    alike = np.where(np.isin(np.arange(D), PLANTED), 0.9 * same[:, None], random.random((n_pairs, 1)))
    planted = np.stack([a, alike * a + np.sqrt(1 - alike**2) * b], axis=1).reshape(-1, D)
    planted[:, 5] *= 1000
    planted[:, 9] = 3
    layers = [planted.astype(np.float32), random.normal(size=(2 * n_pairs, D)).astype(np.float32)]
    return corpus_of(texts, pairs), layers


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    corpus, layers = world()
    run = SyntheticRun("m/base", layers, 150)
    return build_store(tmp_path_factory.mktemp("plain") / "store", corpus, [run])


@pytest.fixture(scope="module")
def fitted(plain, tmp_path_factory) -> Path:
    root = shutil.copytree(plain, tmp_path_factory.mktemp("fitted") / "store")
    repstore.fit_transform(root, "senses", kind="select", seed=3)
    return root


@pytest.fixture
def store(plain, tmp_path) -> Path:
    return shutil.copytree(plain, tmp_path / "store")


def maps_of(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in root.glob("runs/*/transforms/senses/*.np*")}


def test_a_mask_keeps_what_tells_senses_apart_in_z_scores_of_the_training_words(fitted):
    masks = repstore.show_transform(fitted, "senses")
    kept = masks["kept"]
    assert kept[0] == PLANTED
    with repstore.open(fitted) as store:
        seen = store.transformed("senses")
        for layer in (0, 1):
            stored = store.vectors(layer=layer).values.astype(np.float64)
            words = stored[: 2 * SPLITS["train"]]
            mask = np.isin(np.arange(D), kept[layer])
            expected = (stored - words.mean(0)) / (words.std(0, ddof=1) + 1e-6) * mask
            assert np.allclose(seen.vectors(layer=layer).values, expected, rtol=1e-5, atol=1e-6)
        as_stored, masked = (
            one.probe("wic", standardize="none", resamples=0)["accuracy"] for one in (store, seen)
        )
    assert as_stored[0] < 0.7  # dimension 5 drowns the others
    assert masked[0] > 0.85
    assert abs(masked[1] - 0.5) < 3 * 0.5 / SPLITS["test"] ** 0.5


def test_it_says_what_was_kept_and_of_which_pairs(store):
    table = repstore.fit_transform(store, "senses", kind="select", seed=3)
    assert "on 400 words (pairs of train, selected on dev; seed 3)" in table.title
    assert table["width"] == [D, D]
    assert table["n_kept"] == repstore.show_transform(store, "senses")["n_kept"]
    with repstore.open(store) as opened:
        variances = opened.vectors(layer=0).values[:400].astype(float).var(axis=0)
    assert table["variance"][0] == pytest.approx(variances[PLANTED].sum() / variances.sum(), rel=1e-5)
    assert table.notes == [
        "Learned from 200 pairs, chosen by 60; 20 of the 20 lemmas of these are among those learned from."
    ]
    (row,) = repstore.list_transforms(store)
    assert (row["kind"], row["n_words"]) == ("select", 400)
    assert row["words"] == "pairs of train, selected on dev; seed 3"


def test_pairs_to_test_on_are_not_looked_at(fitted, tmp_path):
    corpus, layers = world()
    of_test = slice(-2 * SPLITS["test"], None)
    for layer in layers:
        layer[of_test] = np.random.default_rng(9).normal(size=layer[of_test].shape) * 50
    other = build_store(tmp_path / "vectors", corpus, [SyntheticRun("m/base", layers)])
    repstore.fit_transform(other, "senses", kind="select", seed=3)
    assert maps_of(other) == maps_of(fitted)

    flipped = tuple(Pair(p.word_a, p.word_b, p.split, p.label ^ (p.split == "test")) for p in corpus.pairs())
    corpus, layers = corpus_of(list(corpus.texts()), flipped), world()[1]
    other = build_store(tmp_path / "labels", corpus, [SyntheticRun("m/base", layers)])
    repstore.fit_transform(other, "senses", kind="select", seed=3)
    layers_of = [{name: of[name] for name in of if "layer" in name} for of in map(maps_of, (other, fitted))]
    assert layers_of[0] == layers_of[1]


def test_fitted_again_as_it_was_nothing_is_done_and_otherwise_it_is_refused(fitted):
    before = files_of(fitted)
    again = repstore.fit_transform(
        fitted, "senses", kind="select", train_on="train", select_on="dev", seed=3, layer=[1, 0]
    )
    assert again.notes == ["It was there already: nothing was done."]
    for other in ({"seed": 4}, {"seed": 3, "train_on": "dev"}, {"seed": 3, "select_on": "train"}):
        with pytest.raises(ArgumentError, match=r"fitted otherwise \(words\)"):
            repstore.fit_transform(fitted, "senses", kind="select", **other)
    with pytest.raises(ArgumentError, match="fitted otherwise"):
        repstore.fit_transform(fitted, "senses", kind="standardize")
    assert files_of(fitted) == before


def test_the_command_that_fits_it_anew_gives_the_same_bytes(fitted, store):
    layout = Layout(fitted)
    (folder,) = layout.root.glob("runs/*")
    place = layout.run(folder.name).frozen("transform", "senses")
    said = fit_command(layout, read_run(layout, folder.name), place)
    assert said == (
        f"repstore transform fit {fitted} senses --run m/base@synthetic --kind select --layer 0,1 --seed 3 "
        "--train-on train --select-on dev"
    )
    done = command(*said.replace(str(fitted), str(store)).split()[1:])
    assert (done.code, "Selecting dimensions of layer 1" in done.err) == (0, True)
    assert files_of(store) == files_of(fitted)
    assert not len(repstore.verify(store))


def test_pairs_to_choose_by_are_drawn_by_lemma_from_the_one_split_there_is_to_learn_from(tmp_path):
    corpus, layers = world({"dev": 200, "test": 40})
    root = build_store(tmp_path / "store", corpus, [SyntheticRun("m/base", layers)])
    with pytest.raises(NotFoundError, match=r'no labelled pairs in split "train"[.] Known: dev, test'):
        repstore.fit_transform(root, "senses", kind="select")
    lemmas = []
    for seed in (0, 1):
        table = repstore.fit_transform(root, f"senses{seed}", kind="select", train_on="dev", seed=seed)
        assert table.notes == [
            "Learned from 160 pairs, chosen by 40; 0 of the 4 lemmas of these are among those learned from."
        ]
        assert repstore.show_transform(root, f"senses{seed}")["kept"][0] == PLANTED
        (path,) = root.glob(f"runs/*/transforms/senses{seed}/words.npy")
        with repstore.open(root) as store:
            words = {row["word_id"]: row for row in store.words()}
        learned_from = [words[word_id] for word_id in np.load(path).tolist()]
        assert len(learned_from) == 320
        assert {word["split"] for word in learned_from} == {"dev"}
        lemmas.append({word["lemma"] for word in learned_from})
        assert len(lemmas[-1]) == 16
    assert lemmas[0] != lemmas[1]


def test_pairs_without_vectors_are_left_out_and_said_to_be(tmp_path):
    corpus, layers = world()
    run = SyntheticRun("m/base", layers, skipped=frozenset({0, 5, 411, 700}))  # 2 of train, 1 of dev and test
    root = build_store(tmp_path / "store", corpus, [run])
    table = repstore.fit_transform(root, "senses", kind="select", layer=0)
    assert table.notes[0].startswith("Learned from 198 pairs, chosen by 59;")
    assert table.notes[1] == "3 pairs are left out: a word of theirs has no vector."
    assert repstore.show_transform(root, "senses")["kept"] == [PLANTED]


def test_each_layer_has_a_start_of_its_own(tmp_path):
    corpus, (_, random) = world()
    root = build_store(tmp_path / "store", corpus, [SyntheticRun("m/base", [random, random])])
    repstore.fit_transform(root, "senses", kind="select")
    one, other = repstore.show_transform(root, "senses")["kept"]
    assert one != other


@pytest.mark.parametrize(
    ("given", "error", "message"),
    [
        ({"kind": "select", "k": 3}, ArgumentError, "k is 3; select takes none"),
        (
            {"kind": "select", "where": "pos = 'N'"},
            ArgumentError,
            "train_on and select_on .* Leave out where",
        ),
        ({"kind": "select", "side": "a", "sample": 9}, ArgumentError, "Leave out side and sample"),
        ({"kind": "select", "split": "dev"}, ArgumentError, "Leave out split"),
        ({"kind": "pca", "k": 2, "train_on": "train"}, ArgumentError, "fitted on words.* Leave out train_on"),
        ({"kind": "center", "select_on": "dev"}, ArgumentError, "Leave out select_on"),
        ({"kind": "select", "seed": -1}, ArgumentError, "seed is -1; it must not be negative"),
        ({"kind": "select", "seed": 0.5}, ArgumentError, "whole number"),
        ({"kind": "select", "train_on": "trian"}, NotFoundError, 'split "trian". Did you mean "train"'),
        ({"kind": "select", "select_on": "all"}, NotFoundError, 'split "all". Known: dev, test, train'),
        ({"kind": "select", "memory": 1 << 20}, ArgumentError, "Fitting select takes about 0.03 GB"),
    ],
)
def test_what_cannot_be_fitted_is_refused_before_anything_is_written(plain, given, error, message):
    before = files_of(plain)
    with pytest.raises(error, match=message):
        repstore.fit_transform(plain, "senses", **given)
    assert files_of(plain) == before


@pytest.mark.parametrize(
    ("splits", "given", "message"),
    [
        ({"train": 20, "dev": 9}, {"same": np.arange(29) > 8}, 'The 9 pairs of split "dev" .* both labels'),
        (
            {"train": 20, "dev": 9},
            {"same": np.arange(29) > 19},
            'The 20 pairs of split "train" .* both labels',
        ),
        ({"train": 20}, {"n_lemmas": 1, "select_on": "train"}, "are of 1 lemma; some to choose by cannot be"),
        ({None: 20}, {}, "They are in none, so none would be left to test on"),
        ({}, {}, "has no labelled pairs; this needs them"),
    ],
    ids=["one label in dev", "one label in train", "one lemma", "no split", "no pairs"],
)
def test_pairs_that_cannot_be_learned_from_are_refused(tmp_path, splits, given, message):
    select_on = given.pop("select_on", None)
    corpus, layers = world(splits or {"train": 20}, **given)
    if not splits:
        corpus = corpus_of(list(corpus.texts()))
    root = build_store(tmp_path / "store", corpus, [SyntheticRun("m/base", layers)])
    with pytest.raises((ResultError, NotFoundError), match=message):
        repstore.fit_transform(root, "senses", kind="select", select_on=select_on)
    assert not list(root.glob("runs/*/transforms"))


def test_without_torch_the_extra_is_named_and_nothing_is_left(store, monkeypatch):
    monkeypatch.setitem(sys.modules, "torch", None)
    for name in ("repstore.training", "repstore.training.selecting"):
        monkeypatch.delitem(sys.modules, name, raising=False)
    with pytest.raises(MissingExtraError, match=r"pip install 'repstore\[train\]'"):
        repstore.fit_transform(store, "senses", kind="select")
    assert not list(store.glob("runs/*/transforms/*"))


def test_the_overlap_of_layers_is_shown_beside_that_of_chance(fitted):
    table = repstore.show_transform(fitted, "senses")
    kept = [set(one) for one in table["kept"]]
    assert table["n_kept"] == list(map(len, kept))
    assert table["share"] == [len(one) / D for one in kept]
    assert table["overlap"] == [None, len(kept[0] & kept[1]) / len(kept[0] | kept[1])]
    n_both = len(kept[0]) * len(kept[1]) / D
    assert table["chance"] == [None, pytest.approx(n_both / (len(kept[0]) + len(kept[1]) - n_both))]


def test_other_transforms_are_shown_if_they_keep_dimensions(store):
    repstore.fit_transform(store, "out", kind="drop-outliers", layer=0)
    assert repstore.show_transform(store, "out")["kept"] == [[n for n in range(D) if n != 5]]
    for kind, k in (("pca", 2), ("whiten", None), ("all-but-the-top", 1)):
        repstore.fit_transform(store, kind, kind=kind, k=k, layer=0)
        with pytest.raises(ArgumentError, match=r"directions.* Show one of kind select"):
            repstore.show_transform(store, kind)
    with pytest.raises(NotFoundError, match=r'no transform "outt"[.] Did you mean "out"'):
        repstore.show_transform(store, "outt")


def test_masks_are_printed_as_numbers_and_drawn(fitted, tmp_path):
    done = command("transform", "show", fitted, "senses", "--plot", tmp_path / "masks.png")
    assert done.code == 0
    assert done.out.splitlines()[1].split() == [
        "run",
        "layer",
        "d_model",
        "n_kept",
        "share",
        "overlap",
        "chance",
    ]
    assert (tmp_path / "masks.png").read_bytes().startswith(b"\x89PNG")
    rows = json.loads(command("transform", "show", fitted, "senses", "--format", "json").out)
    assert rows[0]["kept"] == PLANTED
    drawn = repstore.show_transform(fitted, "senses")
    for name in ("one.png", "two.png"):
        drawn.plot(tmp_path / name)
    assert (tmp_path / "one.png").read_bytes() == (tmp_path / "two.png").read_bytes()


@pytest.mark.parametrize("width", [5, 1024, 1025, 4096])
def test_a_map_of_masks_has_a_column_for_few_neighbors_and_loses_none(width, tmp_path, monkeypatch):
    from matplotlib.axes import Axes

    drawn = []
    draw = Axes.imshow
    monkeypatch.setattr(
        Axes, "imshow", lambda axes, grid, **look: drawn.append(grid) or draw(axes, grid, **look)
    )
    kept = [[0, width - 1], [], list(range(width))]
    plots.masks(tmp_path / "masks.png", [0, 4, 9], kept, width, "masks")
    (grid,) = drawn
    step = -(-width // 1024)
    assert grid.shape == (3, -(-width // step))
    assert grid.shape[1] <= 1024
    last = (width - 1) % step + 1  # dimensions in the last column
    assert (grid[0, 0], grid[0, -1], grid[0].astype(bool).sum()) == (1 / step, 1 / last, 2)
    assert (set(grid[1]), set(grid[2])) == ({0.0}, {1.0})


def test_masks_are_part_of_a_result_like_any_other(fitted, tmp_path):
    table = repstore.show_transform(fitted, "senses")
    table.to_parquet(tmp_path / "masks.parquet")
    assert pa.parquet.read_table(tmp_path / "masks.parquet")["kept"].to_pylist() == table["kept"]
    assert table.to_csv().splitlines()[0] == "run,layer,d_model,n_kept,share,overlap,chance,kept"
