"""Dimension beside predictivity, over layers whose dimension and relation to a table are planted."""

import math
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import pearsonr, spearmanr
from synthetic import SyntheticRun, build_store, corpus_of

from repstore.abstraction import Abstraction, abstraction, correlation_interval
from repstore.errors import ArgumentError
from repstore.matrix_in_use import RidgeProbe
from repstore.ridge_probe import probe_ridge
from repstore.spec import Text, Word
from repstore.storage.layout import Layout
from repstore.storage.lookup import looking_up

N_WORDS, D_MODEL = 300, 16
DIMENSIONS = (2, 4, 8, 5, 1)
"""Of the layers of a run: words lie on flats of so many dimensions."""

RANDOM = np.random.default_rng(0)
KNOWN = RANDOM.normal(size=(N_WORDS, 8))
"""A flat of k dimensions holds the first k of these numbers, and the table is of all of them."""


def flat(k: int) -> np.ndarray:
    turn = np.linalg.qr(RANDOM.normal(size=(D_MODEL, D_MODEL)))[0]
    return (KNOWN[:, :k] @ turn[:k]).astype(np.float32)


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    texts = [Text(f"w{n} {n}", (Word(0, 0, len(f"w{n}"), f"w{n}"),)) for n in range(N_WORDS)]
    falling = [flat(k) for k in (8, 6, 4, 2)]
    runs = [SyntheticRun("m/two-phases", [flat(k) for k in DIMENSIONS]), SyntheticRun("m/falling", falling)]
    return build_store(tmp_path_factory.mktemp("abstraction") / "store", corpus_of(texts), runs)


@pytest.fixture(scope="module")
def norms(tmp_path_factory) -> Path:
    path = tmp_path_factory.mktemp("norms") / "norms.npz"
    np.savez(path, keys=[f"w{n}" for n in range(N_WORDS)], values=KNOWN, key="form")
    return path


def asked(store: Path, norms: Path, *names: str, layers="all", scale: int = 1, **options):
    question = Abstraction(RidgeProbe(norms, **({"n_seeds": 1, "resamples": 100} | options)), scale)
    with looking_up(Layout(store)) as lookup:
        return abstraction(lookup, lookup.several(list(names or ("m/two-phases",))), layers, question)


def test_layers_have_the_dimension_that_was_planted_and_predict_as_much_of_the_table(store, norms):
    found = asked(store, norms)
    for row, k in zip(found, DIMENSIONS, strict=True):
        assert row["dimension"] == pytest.approx(k, rel=0.25)
        assert row["dimension_low"] < row["dimension"] < row["dimension_high"]
        assert row["r_squared"] == pytest.approx(k / 8, abs=0.05)
        assert row["low"] - 1e-6 <= row["r_squared"] <= row["high"] + 1e-6  # resampled as float32
    assert found["pearson"][0] > 0.95
    assert found["spearman"] == [1.0] * 5
    assert found.notes[0].startswith("m/two-phases: highest are dimension ")
    assert found.notes[0].count("at layer 2") == 2
    assert any("the intervals of the correlations are too short" in note for note in found.notes)


def test_correlations_are_over_the_layers_of_a_run(store, norms):
    found = asked(store, norms, "m/two-phases", "m/falling")
    for run in ("m/two-phases", "m/falling"):
        rows = [row for row in found if row["run"] == run]
        both = np.array([[row["dimension"], row["r_squared"]] for row in rows]).T
        expected = pearsonr(*both)
        assert rows[0]["pearson"] == pytest.approx(expected.statistic)
        ends = expected.confidence_interval(0.95)
        said = f"{run}: over {len(rows)} layers, pearson {expected.statistic:.3f} "
        said += f"({ends.low:.3f} to {ends.high:.3f}) and spearman"
        assert any(note.startswith(said) for note in found.notes)
        assert rows[0]["spearman"] == pytest.approx(spearmanr(*both).statistic)
    fewer = asked(store, norms, layers=[0, 2, 4])
    assert fewer["pearson"][0] == pytest.approx(pearsonr(fewer["dimension"], fewer["r_squared"]).statistic)
    assert not any("layers, pearson" in note for note in fewer.notes)


def test_the_numbers_are_those_of_geometry_and_of_the_probe(store, norms):
    import repstore

    found = asked(store, norms, seed=2, scale=4)
    with repstore.open(store) as opened:
        geometry = opened.geometry("dimension", run="m/two-phases", resamples=100, seed=2)
    for end in ("", "_low", "_high"):
        assert found[f"dimension{end}"] == geometry[f"dimension_4{end}"]
    with looking_up(Layout(store)) as lookup:
        options = {"n_seeds": 1, "resamples": 100, "seed": 2}
        probe = probe_ridge(lookup, lookup.several("m/two-phases"), "all", RidgeProbe(norms, **options))
    for name in ("r_squared", "low", "high"):
        assert found[name] == probe[name]


def test_the_examples_of_a_table_of_texts_are_measured_as_means(tmp_path):
    """The two words of a text lie apart by a vector of their own; their mean is on the flat."""
    apart = RANDOM.normal(size=(N_WORDS, D_MODEL))
    layer = np.stack([flat(3) + apart, flat(3) * 0 - apart], axis=1).reshape(-1, D_MODEL)
    texts = [Text(f"a b {n}", (Word(0, 0, 1, "a"), Word(1, 2, 3, "b"))) for n in range(N_WORDS)]
    run = SyntheticRun("m", [layer.astype(np.float32)])
    root = build_store(tmp_path / "s", corpus_of(texts), [run])
    path = tmp_path / "texts.npz"
    np.savez(path, keys=[f"a b {n}" for n in range(N_WORDS)], values=KNOWN, key="text")
    found = asked(root, path, "m")
    assert found["dimension"] == pytest.approx([3], rel=0.25)
    assert found["r_squared"] == pytest.approx([3 / 8], abs=0.05)
    assert found["n_words"] == [2 * N_WORDS]


def test_runs_of_several_depths_are_drawn_by_depth_and_a_flat_layer_leaves_no_value(store, norms, tmp_path):
    both = asked(store, norms, "m/two-phases", "m/falling")
    both.plot(tmp_path / "a.png")
    assert both.figure.x == "depth"
    assert asked(store, norms).figure.x == "layer"
    assert both["depth"][:5] == [0, 0.25, 0.5, 0.75, 1]
    root = build_store(
        tmp_path / "s",
        corpus_of([Text(f"w{n} {n}", (Word(0, 0, len(f"w{n}"), f"w{n}"),)) for n in range(20)]),
        [SyntheticRun("m/flat", [np.ones((20, 4), np.float32)] * 2)],
    )
    found = asked(root, norms, "m/flat")
    assert found["dimension"] == found["pearson"] == [None] * 2
    assert found["r_squared"] == [0.0] * 2


def test_the_same_question_gives_the_same_bytes(store, norms):
    assert asked(store, norms, seed=5).to_csv() == asked(store, norms, seed=5).to_csv()


@pytest.mark.parametrize("r", [-0.9, 0.0, 0.4])
def test_the_interval_of_ranks_is_wider_and_a_perfect_correlation_has_none_to_either_side(r):
    low, high = correlation_interval(r, 12, is_of_ranks=False)
    wider = correlation_interval(r, 12, is_of_ranks=True)
    assert wider[0] <= low < r < high <= wider[1]
    assert correlation_interval(1.0, 12, is_of_ranks=True) == (1.0, 1.0)
    assert math.isnan(correlation_interval(r, 3, is_of_ranks=False)[0])


def test_a_scale_without_neighbors_is_refused(norms):
    with pytest.raises(ArgumentError, match="scale is 0"):
        Abstraction(RidgeProbe(norms), 0)
