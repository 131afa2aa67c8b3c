"""Layers by name: what accepts a mix of layers, what refuses it, and the type of every layer column."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from mixing import arrays_of, put_mix
from saved import CLASSES, network, probe_in
from synthetic import SyntheticRun, build_store, random_layers, small_corpus
from typer import BadParameter

import repstore
from repstore import plots
from repstore.cli.options import layers_of
from repstore.cli.probes import _against
from repstore.errors import ArgumentError, NotFoundError
from repstore.plots.canvas import named_ticks
from repstore.storage.opened import Layers

N_LAYERS, D_MODEL = 3, 6


def store_at(root: Path) -> Path:
    """Two runs, of which one has a mix x."""
    runs = [
        SyntheticRun(name, random_layers(80, D_MODEL, N_LAYERS, seed=n))
        for n, name in enumerate(("m/a", "m/b"))
    ]
    build_store(root, small_corpus(), runs)
    put_mix(root, "x", "scalar", (0, 1, 2), arrays_of("scalar", N_LAYERS, D_MODEL), "m/a")
    return root


@pytest.fixture(scope="module")
def root(tmp_path_factory) -> Path:
    return store_at(tmp_path_factory.mktemp("stores") / "store")


@pytest.fixture(scope="module")
def store(root) -> Iterator[repstore.Store]:
    with repstore.open(root) as opened:
        yield opened


@pytest.mark.parametrize(
    ("given", "layers"),
    [
        (1, [1]),
        ([2, np.int64(0), 2], [2, 0]),
        ("all", [0, 1, 2]),
        (["all"], [0, 1, 2]),
        ([1, "all"], [1, 0, 2]),
        ("mix:x", ["mix:x"]),
        ([1, "mix:x"], ["1", "mix:x"]),
        (["all", "mix:x"], ["0", "1", "2", "mix:x"]),
        (["mix:x", 0], ["mix:x", "0"]),
    ],
)
def test_layers_are_numbers_unless_a_mix_is_among_them(store, given, layers):
    found = store._lookup.run("m/a").layers(given)
    assert found == layers
    assert {type(key) for key in found} == {type(layers[0])}


@pytest.mark.parametrize("key", [1, "1"])
def test_a_stored_layer_is_the_same_by_its_number_and_by_its_name(store, key):
    vectors = store._lookup.run("m/a").vectors
    assert vectors.layer(key) is vectors.layer(1)
    assert vectors.layer(key).layer == 1


@pytest.mark.parametrize(
    ("given", "error", "match"),
    [
        ("1", ArgumentError, "mix:NAME"),
        ("mix", ArgumentError, "mix:NAME"),
        ("mix:", ArgumentError, "no name for a mix"),
        ("mix:../x", ArgumentError, "no name for a mix"),
        ("mix:X", NotFoundError, 'no mix "X". Did you mean "x"'),
        ([0, "mix:y"], NotFoundError, "repstore mix fit"),
        ([], ArgumentError, "at least one"),
        ([1.5, "mix:x"], ArgumentError, "is no layer"),
        ([7, "mix:x"], NotFoundError, "no layer 7"),
    ],
)
def test_what_is_no_layer_is_refused(store, given, error, match):
    with pytest.raises(error, match=match):
        store.probe("wic", run="m/a", layer=given, resamples=0)


QUESTIONS: dict[str, tuple[str, Callable[[repstore.Store, Layers], repstore.ResultTable]]] = {
    "wic": ("layer", lambda store, layer: store.probe("wic", run="m/a", layer=layer, resamples=0)),
    "knn-wsd": ("layer", lambda store, layer: store.probe("knn-wsd", run="m/a", layer=layer, resamples=0)),
    "wsi": ("layer", lambda store, layer: store.probe("wsi", run="m/a", layer=layer, resamples=0)),
    "neighbors": (
        "layer",
        lambda store, layer: store.neighbors("bank", text="004", run="m/a", layer=layer, k=3),
    ),
    "no neighbors": (
        "layer",
        lambda store, layer: store.neighbors("bank", text="004", run="m/a", layer=layer, where="false"),
    ),
    "hubness": ("layer", lambda store, layer: store.hubness(run="m/a", layer=layer, k=3)),
    "compare": ("layer_a", lambda store, layer: store.compare(run="m/a", layer=layer)),
    "geometry": ("layer", lambda store, layer: store.geometry("norms", run="m/a", layer=layer)),
}


@pytest.mark.parametrize("question", QUESTIONS)
def test_a_column_of_layers_is_of_numbers_and_of_text_if_a_mix_is_among_them(store, question):
    column, ask = QUESTIONS[question]
    assert ask(store, [0, 1]).to_arrow().schema.field(column).type == pa.int64()
    found = ask(store, [0, "mix:x"]).to_arrow()
    assert found.schema.field(column).type == pa.string()
    if found.num_rows:
        assert list(dict.fromkeys(found[column].to_pylist())) == ["0", "mix:x"]


@pytest.mark.parametrize("question", QUESTIONS)
def test_what_is_said_of_a_stored_layer_does_not_change_beside_a_mix(store, question):
    column, ask = QUESTIONS[question]
    names = [column, "layer_b"] if column == "layer_a" else [column]
    alone = [row | {name: str(row[name]) for name in names} for row in ask(store, [0, 1])]
    beside = [row for row in ask(store, [0, 1, "mix:x"]) if "mix:x" not in [row[name] for name in names]]
    for row in (*alone, *beside):
        row.pop("best", None)  # that is among those asked for
    assert alone == beside


def test_vectors_of_a_mix_are_its_values(store):
    found = store.vectors(run="m/a", layer="mix:x")
    assert found.layer == "mix:x"
    assert found.values.shape == (80, D_MODEL)
    assert repr(found) == f"LayerVectors(layer=mix:x, 80 x {D_MODEL}, float32)"


def test_all_layers_are_not_one(store):
    with pytest.raises(ArgumentError, match="One layer"):
        store.vectors(run="m/a", layer="all")
    with pytest.raises(ArgumentError, match="One layer"):
        store.neighbors_graph(run="m/a", layer="all")


def test_two_runs_are_compared_at_a_mix_only_if_both_have_it(store):
    with pytest.raises(NotFoundError, match='m/b has no mix "x"'):
        store.compare(run=["m/a", "m/b"], layer=["all", "mix:x"])
    with pytest.raises(NotFoundError, match='m/b has no mix "x"'):
        store.probe("wic", run="m/a", layer="mix:x", against="m/b", resamples=0)


def test_a_mix_has_no_depth(store):
    found = store.geometry("norms", run="m/a", layer=[0, 2, "mix:x"])
    assert found["depth"] == [0, 1, None]


def test_no_layer_comes_before_a_mix_or_after_it(store):
    found = store.neighbors("bank", text="004", run="m/a", layer=["all", "mix:x"], k=3)
    changes = [row["change"] for row in found if row["layer"] == "mix:x"]
    assert changes == [None] * 3
    assert not any("mix:x" in note for note in found.notes)


def test_an_index_is_of_stored_layers(root, store, monkeypatch):
    with pytest.raises(ArgumentError, match="Indexes are of stored layers, not of mix:x"):
        store.neighbors("bank", text="004", run="m/a", layer=[0, "mix:x"][1:], search="index")
    with pytest.raises(ArgumentError, match="Indexes are of stored layers, not of mix:x"):
        repstore.build_index(root, run="m/a", layer=[0, "mix:x"], kind="rabitq")
    with pytest.raises(ArgumentError, match="Indexes are of stored layers"):
        repstore.drop_index(root, run="m/a", layer="mix:x")


def test_beside_a_mix_a_stored_layer_is_still_searched_by_its_index(tmp_path):
    root = store_at(tmp_path / "store")
    repstore.build_index(root, run="m/a", layer=1, kind="rabitq")
    with repstore.open(root) as store:
        found = store.neighbors("bank", text="004", run="m/a", layer=[1], search="index", k=2)
        assert any("rabitq" in note for note in found.notes) or found.provenance["search"] == ["exact"]
        with pytest.raises(ArgumentError, match="Indexes are of stored layers, not of mix:x"):
            store.neighbors("bank", text="004", run="m/a", layer=[1, "mix:x"], search="index", k=2)


def test_a_large_mix_is_searched_exactly_without_a_word_about_indexes(store, monkeypatch):
    monkeypatch.setattr("repstore.searching.EXACT_UP_TO", 10)
    found = store.neighbors("bank", text="004", run="m/a", layer=["mix:x"], k=3)
    assert found.provenance["search"] == ["exact"]
    assert not any("index" in note for note in found.notes)


def test_a_transform_is_of_stored_layers_and_shows_no_mix(tmp_path):
    root = store_at(tmp_path / "store")
    with pytest.raises(ArgumentError, match="Transforms are of stored layers, not of mix:x"):
        repstore.fit_transform(root, "t", kind="center", run="m/a", layer="mix:x")
    repstore.fit_transform(root, "t", kind="center", run="m/a")
    with repstore.open(root) as store:
        seen = store.transformed("t")
        assert seen._lookup.run("m/a").vectors.layer("1").layer == 1
        with pytest.raises(ArgumentError, match="Ask the store as opened"):
            seen.probe("wic", run="m/a", layer=["all", "mix:x"], resamples=0)


def test_a_mix_is_of_stored_layers(root):
    with pytest.raises(ArgumentError, match="Mixes are of stored layers, not of mix:x"):
        repstore.fit_mix(root, "y", run="m/a", layer=[0, "mix:x"])


def test_a_kept_probe_reads_a_mix_by_the_network_of_a_stored_layer(tmp_path):
    root = store_at(tmp_path / "store")
    probe_in(root, run="m/a", networks={n: network(n, (D_MODEL, 3)) for n in (0, 1)})
    with repstore.open(root) as store:
        alone = [row | {"layer": "0"} for row in store.apply_probe("p", run="m/a", layer=0)]
        found = store.apply_probe("p", run="m/a", layer=[0, "mix:x"], of_layer=0)
        assert [row for row in found if row["layer"] == "0"] == alone
        (row,) = [row for row in found if row["layer"] == "mix:x"][3:4]
        logits = network(0, (D_MODEL, 3)).apply(store.vectors(run="m/a", layer="mix:x").of([row["word_id"]]))
        assert row["predicted"] == CLASSES[logits.argmax()]
        with pytest.raises(NotFoundError, match="not trained on layer mix:x"):
            store.apply_probe("p", run="m/a", layer=[0, "mix:x"])


@pytest.mark.parametrize(
    ("given", "layers"),
    [
        ("all", ["all"]),
        ("mix:x", ["mix:x"]),
        ("0-2,mix:x", [0, 1, 2, "mix:x"]),
        ("all, mix:x", ["all", "mix:x"]),
        ("3", [3]),
    ],
)
def test_the_command_line_takes_mixes_among_layers(given, layers):
    assert layers_of(given) == layers


@pytest.mark.parametrize("given", ["mix", "x", "2-1", "all:x", "", "all,1", "all,all", "mix:x,all,1"])
def test_the_command_line_refuses_other_words(given):
    with pytest.raises(BadParameter, match="mix:NAME"):
        layers_of(given)


@pytest.mark.parametrize(
    ("given", "against"),
    [
        (None, None),
        ("m/a", "m/a"),
        (":8", 8),
        ("m/a:8", ("m/a", 8)),
        (":mix:x", "mix:x"),
        ("mix:8", "mix:8"),
        ("mix:x", "mix:x"),
        ("m/a:mix:x-1.0", ("m/a", "mix:x-1.0")),
    ],
)
def test_the_command_line_compares_with_a_mix(given, against):
    assert _against(given) == against


def test_names_that_are_no_numbers_are_all_written():
    assert named_ticks([*map(str, range(31)), "mix:a", "mix:b"]) == [0, 5, 10, 15, 20, 25, 30, 31, 32]
    assert named_ticks(["mix:a", "all"]) == [0, 1]


class _Drawn:
    """Keeps what is given to matplotlib."""

    def __init__(self, monkeypatch) -> None:
        self.curves: list[plots.Curve] = []
        self.names: list[str] = []
        draw = plots.curves

        def kept(path, panels, **options):
            self.curves += [line for panel in panels for line in panel.lines]
            self.names += options["x_names"]
            draw(path, panels, **options)

        monkeypatch.setattr(plots, "curves", kept)


def test_a_curve_joins_layers_and_shows_a_mix_apart_from_them(store, tmp_path, monkeypatch):
    drawn = _Drawn(monkeypatch)
    found = store.probe("wic", run="m/a", layer=["mix:x", "all"], resamples=50)
    found.plot(tmp_path / "wic.svg")
    assert drawn.names == ["0", "1", "2", "mix:x"]
    (curve,) = drawn.curves
    assert (curve.x, curve.n_joined) == ([0, 1, 2, 3], 3)
    scores = dict(zip(found["layer"], found["accuracy"], strict=True))
    assert curve.y == [scores[name] for name in drawn.names]
    assert "mix:x" in (tmp_path / "wic.svg").read_text()


@pytest.mark.parametrize(
    "ask",
    [
        lambda store: store.geometry(["norms", "uniformity"], run="m/a", layer=["all", "mix:x"]),
        lambda store: store.compare(run="m/a", layer=["all", "mix:x"]),
        lambda store: store.neighbors("bank", text="004", run="m/a", layer=["all", "mix:x"], k=3),
        lambda store: store.hubness(run="m/a", layer=["mix:x"], k=3),
        lambda store: store.probe("wsi", run="m/a", layer=["mix:x", 1], resamples=10),
    ],
)
def test_every_figure_names_a_mix(store, tmp_path, ask):
    ask(store).plot(tmp_path / "figure.svg")
    assert "mix:x" in (tmp_path / "figure.svg").read_text()
