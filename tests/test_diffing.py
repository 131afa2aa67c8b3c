"""What changed from one result to another: against a naive join, and as a researcher would ask for it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from kept import QUESTIONS, RUNS, store_of

import repstore
from repstore.diffing import diff
from repstore.errors import ArgumentError
from repstore.results import Figure, ResultTable

CURVE = Figure("curve", "layer", "accuracy", "run", band=("low", "high"))


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    """Results of both runs."""
    with repstore.open(store_of(tmp_path_factory.mktemp("diffed") / "store")) as opened:
        for run in RUNS:
            for name, options in (("wic", {"resamples": 20}), ("wic1", {"resamples": 30, "layer": 1})):
                repstore.save_result(opened, f"{name}-{run[2:]}", opened.probe("wic", run=run, **options))
            near = opened.neighbors("palm", text="Sentence 007", run=run, layer=[0, 1], k=5)
            repstore.save_result(opened, f"near-{run[2:]}", near)
            repstore.save_result(opened, f"cka-{run[2:]}", opened.compare("cka", run=run))
        for name in ("wic-of-mix", "wic", "geometry", "sql", "graph", "apply"):
            repstore.save_result(opened, name, QUESTIONS[name](opened))
        repstore.save_result(opened, "knn", opened.compare("knn", run="m/base", k=3))
        yield opened


def of(title: str = "T", figure: Figure | None = None, **columns: Any) -> ResultTable:
    return ResultTable(pa.table(columns), title, figure=figure)


def test_the_same_question_about_two_runs_is_compared_layer_by_layer(store):
    found = store.diff_results("wic-base", "wic-repeat")
    a, b = store.result("wic-base"), store.result("wic-repeat")
    assert found.columns[:4] == ["layer", "accuracy_a", "accuracy_b", "accuracy_change"]
    assert found["layer"] == [0, 1, 2]
    assert found["accuracy_a"] == a["accuracy"]
    assert found["accuracy_b"] == b["accuracy"]
    assert found["accuracy_change"] == [
        two - one for one, two in zip(a["accuracy"], b["accuracy"], strict=True)
    ]
    assert "low_change" not in found.columns, "the change of an end of an interval would mean nothing"
    assert found["low_b"] == b["low"]
    assert found["n_pairs"] == a["n_pairs"], "what is the same stands once"
    assert set(found["found_in"]) == {"both"}
    notes = "\n".join(found.notes)
    assert "run: m/base in a, m/repeat in b." in notes
    assert "Asked otherwise (a / b): run m/base / m/repeat." in found.notes
    assert "Intervals are those of each result by itself; there is none for a change." in notes


def test_two_layers_of_two_runs_are_compared_too(store):
    a, b = (
        replace(one, table=one.table.slice(n, 1))
        for n, one in enumerate([store.result("wic-base"), store.result("wic-repeat")])
    )
    found = diff(("a", a), ("b", b))
    assert found["accuracy_change"] == [b["accuracy"][0] - a["accuracy"][0]]
    assert found.notes[1:3] == ["run: m/base in a, m/repeat in b.", "layer: 0 in a, 1 in b."]


def test_rows_of_one_result_alone_are_shown_and_counted(store):
    found = store.diff_results("wic-base", "wic")
    assert [row["found_in"] for row in found] == ["both"] * 3 + ["b"] * 3
    assert found["run"] == ["m/base"] * 3 + ["m/repeat"] * 3
    assert found["accuracy_a"][3:] == found["accuracy_change"][3:] == [None] * 3
    assert "Rows only in a: 0; only in b: 3." in found.notes
    back = store.diff_results("wic", "wic-base")
    assert [row["found_in"] for row in back] == ["both"] * 3 + ["a"] * 3


def test_layers_beside_mixes_are_the_same_layers(store):
    found = store.diff_results("wic-base", "wic-of-mix")
    assert found["layer"] == ["0", "1", "2", "mix:two"]
    assert found["found_in"] == ["both"] * 3 + ["b"]
    assert found["accuracy_change"][:3] == [0.0] * 3


def test_neighbors_are_matched_by_word_and_not_by_rank(store):
    found = store.diff_results("near-base", "near-repeat")
    a, b = (
        {(row["layer"], row["word_id"]): row for row in store.result(name)}
        for name in ("near-base", "near-repeat")
    )
    assert {(row["layer"], row["word_id"]) for row in found} == a.keys() | b.keys()
    for row in found:
        key = (row["layer"], row["word_id"])
        assert row["rank_a"] == (a[key]["rank"] if key in a else None)
        assert row["text"] == (a.get(key) or b[key])["text"]
    by_rank = store.diff_results("near-base", "near-repeat", on=["layer", "rank"])
    assert by_rank["found_in"] == ["both"] * 10
    assert "form_a" in by_rank.columns


def test_a_matrix_is_compared_cell_by_cell_and_drawn(store, tmp_path):
    found = store.diff_results("cka-base", "cka-repeat")
    assert found.figure == Figure("matrix", "layer_a", "cka_change", "layer_b")
    cells = {(row["layer_a"], row["layer_b"]): row["cka"] for row in store.result("cka-base")}
    for row in found:
        assert row["cka_change"] == row["cka_b"] - cells[row["layer_a"], row["layer_b"]]
    found.plot(tmp_path / "cka.png")
    store.diff_results("wic-base", "wic").plot(tmp_path / "wic.png")
    assert (tmp_path / "wic.png").stat().st_size > 1000


@pytest.mark.parametrize("name", ["geometry", "sql", "graph", "apply", "near-base", "knn"])
def test_nothing_changed_from_a_result_to_itself(store, name):
    found = store.diff_results(name, name)
    assert len(found) == len(store.result(name))
    assert set(found["found_in"]) == {"both"}
    assert all(
        value in (0, None)
        for column in found.columns
        if column.endswith("_change")
        for value in found[column]
    )
    assert len(found.notes) <= 2


@pytest.mark.parametrize(
    ("a", "b", "why"),
    [
        ("wic-base", "geometry", '"wic-base" is of probe and "geometry" is of geometry'),
        ("cka-base", "knn", "measure different things: cka, best in a; knn, best in b"),
        ("wic-base", "nothing", 'No result "nothing"'),
    ],
)
def test_what_cannot_be_compared_is_refused_with_a_reason(store, a, b, why):
    with pytest.raises(ArgumentError, match=why):
        store.diff_results(a, b)


@pytest.mark.parametrize(
    ("a", "b", "on", "why"),
    [
        (
            {"run": ["p", "q"], "x": [1.0, 2.0]},
            {"run": ["r", "s"], "x": [1.0, 2.0]},
            None,
            "no row in common",
        ),
        ({"x": [1.0, 1.0]}, {"x": [1.0]}, None, '"a" has several rows. Name columns'),
        ({"k": [1, 1], "x": [1.0, 1.0]}, {"k": [1], "x": [1.0]}, ["k"], "several rows with the same k"),
        ({"k": [1], "x": [1.0]}, {"k": [1], "x": [1.0]}, ["z"], '"a" has no column z, but k, x'),
        ({"k": ["p"]}, {"k": ["p"]}, None, "measure different things"),
        ({"layer": [1], "x": ["p"]}, {"layer": [1], "x": ["q"]}, None, "measure different things"),
    ],
)
def test_rows_that_cannot_be_matched_are_refused_with_a_reason(a, b, on, why):
    with pytest.raises(ArgumentError, match=why):
        diff(("a", of(**a)), ("b", of(**b)), on)


def test_what_differs_in_question_and_versions_is_said(store):
    a, b = (store.result(name) for name in ("wic1-base", "wic-base"))
    older = replace(b, made={**b.made, "versions": {**b.made["versions"], "numpy": "1.0"}})
    notes = diff(("a", a), ("b", older)).notes
    numpy = a.made["versions"]["numpy"]
    assert f"Computed by other versions (a / b): numpy {numpy} / 1.0." in notes
    assert "Asked otherwise (a / b): resamples 30 / 20; layer 1 / all." in notes


def test_runs_are_held_against_those_of_their_names_and_not_of_their_places(store):
    several, repeat = store.result("wic"), store.result("wic-repeat")
    assert len(several.provenance["asked"]["runs"]) > 1
    [said] = [note for note in diff(("a", several), ("b", repeat)).notes if note.startswith("Asked")]
    assert "run_id" not in said, "the run of both is one run"
    assert "parts" not in said, "with the same parts"
    asked = repeat.provenance["asked"]
    [run] = asked["runs"]
    resumed = replace(
        repeat, provenance={**repeat.provenance, "asked": {**asked, "runs": [{**run, "parts": "others"}]}}
    )
    [said] = [note for note in diff(("a", several), ("b", resumed)).notes if note.startswith("Asked")]
    assert said.endswith(f"; m/repeat.parts {run['parts']} / others.")
    seen = replace(repeat, provenance={**repeat.provenance, "asked": {**asked, "runs": []}})
    assert "Asked otherwise (a / b): runs m/repeat / none." in diff(("a", repeat), ("b", seen)).notes


def test_units_that_differ_and_columns_of_one_alone_are_said():
    a = replace(of(layer=[1], x=[1.0], y=[2.0]), units={"x": "bits"})
    b = replace(of(layer=[1], x=[1.5], z=[2.0]), units={"x": "nats"})
    found = diff(("a", a), ("b", b))
    assert found.columns == ["layer", "x_a", "x_b", "x_change", "found_in"]
    assert found.notes[1:] == [
        "x is bits in a, but nats in b.",
        "Left out, as only a has them: y.",
        "Left out, as only b has them: z.",
    ]


def test_numbers_of_any_type_are_subtracted_and_nothing_overflows():
    kinds = {
        "i8": pa.int8(),
        "u64": pa.uint64(),
        "f16": pa.float16(),
        "dec": pa.decimal128(38, 0),
    }
    a, b = (
        of(layer=[1], **{name: pa.array([value], kind) for name, kind in kinds.items()}) for value in (100, 1)
    )
    found = diff(("a", a), ("b", b))
    assert [found[f"{name}_change"] for name in kinds] == [[-99]] * 4
    low, high = (of(layer=[1], i8=pa.array([value], pa.int8())) for value in (-128, 127))
    assert diff(("a", low), ("b", high))["i8_change"] == [255]


@pytest.mark.parametrize(
    ("a", "b", "change"),
    [
        (pa.array([2**63 + 2**60], pa.uint64()), pa.array([2**60], pa.uint64()), -(2.0**63)),
        (pa.array([2**62], pa.int64()), pa.array([0.5]), -(2.0**62)),
        (pa.array([-(2**63)], pa.int64()), pa.array([2**63 - 1], pa.int64()), 2.0**64),
        (pa.array([2**62], pa.int64()), pa.array([2**62 + 1], pa.int64()), 1),
    ],
)
def test_a_change_of_huge_numbers_does_not_wrap_around(a, b, change):
    assert diff(("a", of(layer=[1], x=a)), ("b", of(layer=[1], x=b)))["x_change"] == [change]


def test_a_measure_that_is_null_everywhere_in_one_result_is_the_same_measure():
    a, b = of(layer=[1, 2], x=[0.5, 1.5]), of(layer=[1, 2], x=pa.nulls(2))
    for one, other in ((a, b), (b, a)):
        found = diff(("a", one), ("b", other))
        assert (found["x_a"], found["x_b"]) == (one["x"], other["x"])
        assert found["x_change"] == [None, None]


def test_columns_of_lists_and_bytes_are_shown_though_their_types_differ():
    a = of(layer=[1], x=[1.0], some=[[1, 2]], raw=[b"\xff"])
    b = of(layer=[1], x=[2.0], some=[[0.5]], raw=["text"])
    (row,) = diff(("a", a), ("b", b))
    assert (row["some_a"], row["some_b"], row["raw_a"], row["raw_b"]) == (
        "[1, 2]",
        "[0.5]",
        "b'\\xff'",
        "text",
    )
    with pytest.raises(ArgumentError, match='matched by "some", which holds lists'):
        diff(("a", a), ("b", a), on=["some"])
    assert diff(("a", a), ("b", b), on=["layer", "layer"])["x_change"] == [1.0]


KEYS = st.tuples(st.sampled_from(["m", "n", None]), st.sampled_from([0, 1, 2, None]))
TABLES = st.dictionaries(KEYS, st.one_of(st.none(), st.integers(-9, 9).map(float)), min_size=1, max_size=9)


@given(TABLES, TABLES)
def test_rows_are_those_of_a_naive_join(a, b):
    tables = [
        of(
            run=pa.array([run for run, _ in rows], pa.string()),
            layer=pa.array([layer for _, layer in rows], pa.int64()),
            accuracy=pa.array(list(rows.values()), pa.float64()),
            low=pa.array(list(rows.values()), pa.float64()),
            high=pa.array(list(rows.values()), pa.float64()),
            figure=CURVE,
        )
        for rows in (a, b)
    ]
    keys = [*a, *(key for key in b if key not in a)]
    if not a.keys() & b.keys():
        with pytest.raises(ArgumentError, match="no row in common"):
            diff(("a", tables[0]), ("b", tables[1]), on=["run", "layer"])
        return
    found = diff(("a", tables[0]), ("b", tables[1]), on=["run", "layer"])
    assert [(row["run"], row["layer"]) for row in found] == keys
    for key, row in zip(keys, found, strict=True):
        one, two = a.get(key), b.get(key)
        assert (row["accuracy_a"], row["accuracy_b"]) == (one, two)
        assert row["accuracy_change"] == (None if None in (one, two) else two - one)
        assert row["found_in"] == ("both" if key in a and key in b else "a" if key in a else "b")
