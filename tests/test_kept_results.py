"""Results are kept with all that they were computed from: the same bytes when the same is asked again."""

from __future__ import annotations

import dataclasses
import hashlib
import importlib.metadata
import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from folders import files_of
from kept import QUESTIONS, RUNS, similar, store_of
from mixing import arrays_of, put_mix

import repstore
from repstore.errors import ArgumentError, NotFoundError
from repstore.results import Figure, ResultTable
from repstore.storage.catalog.refusals import told

NAN, INFINITY = float("nan"), float("inf")


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    return store_of(tmp_path_factory.mktemp("plain") / "store")


@pytest.fixture
def root(plain, tmp_path) -> Path:
    return shutil.copytree(plain, tmp_path / "store")


@pytest.fixture
def store(root):
    with repstore.open(root) as opened:
        yield opened


def wic(store) -> ResultTable:
    return store.probe("wic", run="m/base", resamples=20)


@pytest.mark.parametrize("question", QUESTIONS)
def test_any_answer_is_had_again_as_it_was_and_asked_again_it_has_the_same_bytes(root, question):
    with repstore.open(root) as store:
        asked = QUESTIONS[question](store)
        assert repstore.save_result(store, "x", asked)
        had = store.result("x")
    first = files_of(root / "results" / "x")
    assert had.table.schema.equals(asked.table.schema)
    assert had.table.equals(asked.table)
    assert (had.title, had.units, list(had.notes)) == (asked.title, asked.units, list(asked.notes))
    assert (had.about, repr(had)) == (asked.about, repr(asked))
    assert sorted(first) == ["made.json", "result.json", "rows.parquet"]
    assert json.loads(first["result.json"])["sha256"] == hashlib.sha256(first["rows.parquet"]).hexdigest()
    assert repstore.drop_result(root, "x")
    with repstore.open(root) as store:
        assert repstore.save_result(root, "x", QUESTIONS[question](store), command="another")
    again = files_of(root / "results" / "x")
    assert again["rows.parquet"] == first["rows.parquet"]
    assert again["result.json"] == first["result.json"]
    assert again["made.json"] != first["made.json"]
    assert not list(repstore.verify(root))


@pytest.mark.parametrize("question", ["wic", "against", "cka", "geometry", "trajectory"])
def test_a_result_that_was_kept_is_drawn_as_it_was(store, tmp_path, question):
    asked = QUESTIONS[question](store)
    repstore.save_result(store, "x", asked)
    for name, result in (("asked.png", asked), ("had.png", store.result("x"))):
        result.plot(tmp_path / name)
    assert (tmp_path / "asked.png").read_bytes() == (tmp_path / "had.png").read_bytes()


def test_the_provenance_says_the_question_with_its_defaults_and_the_runs_with_their_parts(store):
    asked = store.probe("wic", run=["m/repeat"], against="m/base", layer=iter([1, 2]), resamples=20)
    said = asked.provenance["asked"]
    assert said["question"] == "probe"
    assert said["arguments"] == {
        "name": "wic",
        "run": "m/repeat",
        "run_b": None,
        "layer": [1, 2],
        "target": None,
        "standardize": "corpus",
        "threshold": "exact",
        "pos": None,
        "select_on": "dev",
        "evaluate_on": None,
        "against": "m/base",
        "resamples": 20,
        "seed": 0,
    }
    runs = {run["run"]: run for run in said["runs"]}
    assert sorted(runs) == RUNS
    for name, run in runs.items():
        row = next(row for row in store.sql("FROM runs") if row["name"] == name)
        shas = [
            row["sha256"] for row in store.sql("FROM parts ORDER BY part") if row["run_id"] == run["run_id"]
        ]
        assert (run["run_id"], run["corpus"], run["corpus_id"]) == (
            row["run_id"],
            row["corpus"],
            row["corpus_id"],
        )
        listed = json.dumps(shas, separators=(",", ":")).encode()
        assert run["parts"] == hashlib.sha256(listed).hexdigest()[:16]


@pytest.mark.parametrize(
    "run",
    [["m/base"], ("m/base",), np.array(["m/base"]), np.array(["m/base"], object)],
    ids=["list", "tuple", "text", "objects"],
)
def test_however_a_run_and_a_layer_are_given_the_provenance_is_the_same(store, run):
    plain = store.hubness(run="m/base", layer=1, k=3)
    for layer in ([1], (1,), np.array([1]), range(1, 2), {1}):
        assert store.hubness(run="m/base", layer=layer, k=np.int64(3)).about == plain.about
    assert store.geometry(["norms"], run=run).about == store.geometry("norms", run="m/base").about


def test_the_provenance_says_transforms_mixes_and_files_by_what_is_in_them(store):
    seen = QUESTIONS["transformed"](store).provenance["asked"]["runs"]
    (digest,) = [
        json.loads(path.read_text()) for path in Path(store).glob("runs/*/transforms/*/transform.json")
    ]
    assert [run["run_id"].partition("+")[2].partition("@")[0] for run in seen] == [digest["name"]]
    (mix,) = QUESTIONS["wic-of-mix"](store).provenance["asked"]["mixes"]
    assert (mix["run"], mix["mix"], len(mix["digest"])) == ("m/base", "two", 16)
    answer = QUESTIONS["with"](store).provenance["asked"]["files"]
    assert answer == {"table": hashlib.sha256(similar(store).read_bytes()).hexdigest()}


def test_what_may_differ_says_when_how_and_by_what_it_was_computed(store):
    repstore.save_result(store, "x", wic(store), command="repstore probe wic store/ --save x")
    made = store.result("x").made
    assert made["command"] == "repstore probe wic store/ --save x"
    assert made["versions"]["numpy"] == importlib.metadata.version("numpy")
    assert made["versions"]["repstore"] == repstore.__version__
    assert made["computed"] <= made["saved"]
    assert made["seconds"] >= 0


def test_a_table_that_no_store_answered_is_kept_too(store):
    types = {
        "whole": pa.array([1, None, -(2**62)]),
        "real": pa.array([NAN, INFINITY, None]),
        "half": pa.array([0.5, -0.0, None], pa.float16()),
        "decimal": pa.array([None, 10**20, 1], pa.decimal128(38, 0)),
        "time": pa.array([0, None, 10**12], pa.timestamp("us", "UTC")),
        "list": pa.array([[1, 2], [], None], pa.list_(pa.field("element", pa.int64()))),
        "text": pa.chunked_array([["a", None], ["\x00'\"漢"]]),
    }
    result = ResultTable(
        pa.table(types),
        "[bold]It's[/bold]",
        provenance={"path": Path("a/b"), "nan": NAN, "tuple": (1, {2: 3})},
        figure=Figure("panels", "whole", "real", panels=[("real", ("low", "high")), ("half", None)]),
    )
    assert repstore.save_result(store, "x", result)
    had = store.result("x")
    assert (had.table.schema, repr(had.table.to_pydict())) == (
        result.table.schema,
        repr(result.table.to_pydict()),
    )
    assert had.provenance == {"path": "a/b", "nan": "nan", "tuple": [1, {"2": 3}]}
    assert had.figure == result.figure
    assert had.made["computed"] is None
    assert not repstore.save_result(store, "x", had), "what is had is what was kept"


def test_what_parquet_cannot_hold_is_refused_and_nothing_is_left(store, root):
    column = pa.array([(1, 2, 3)], pa.month_day_nano_interval())
    with pytest.raises(ArgumentError, match="cannot be written to a Parquet file"):
        repstore.save_result(store, "x", ResultTable(pa.table({"x": column}), "T"))
    assert not (root / "results").exists()


def test_saved_again_nothing_is_done_and_another_result_is_refused(store, root):
    assert repstore.save_result(store, "x", wic(store))
    before = files_of(root)
    assert not repstore.save_result(store, "x", wic(store), command="another", replace=True)
    for other, differs in (
        (store.probe("wic", run="m/repeat", resamples=20), "other rows, asked otherwise"),
        (dataclasses.replace(wic(store), title="T"), "another title"),
    ):
        with pytest.raises(
            ArgumentError, match=f'There is another result "x" .{differs}.*results drop STORE x'
        ):
            repstore.save_result(store, "x", other)
        assert files_of(root) == before
    assert repstore.save_result(store, "x", other, replace=True)
    assert store.result("x").title == "T"


@pytest.mark.parametrize("name", ["", "../x", "a/b", ".x", "x" * 65, "é", "a'b", "*", "x\n"])
def test_a_name_that_is_none_is_refused(store, name):
    for ask in (
        lambda: repstore.save_result(store, name, wic(store)),
        lambda: repstore.drop_result(store, name),
        lambda: store.result(name),
    ):
        with pytest.raises(ArgumentError, match="is no name for a result"):
            ask()


def test_results_are_listed_with_what_they_are_of(store):
    repstore.save_result(store, "b", wic(store))
    repstore.save_result(store, "a", QUESTIONS["cka"](store))
    listed = store.results()
    assert listed["name"] == ["a", "b"]
    assert listed["question"] == ["compare", "probe wic"]
    assert listed["runs"] == ["m/base, m/repeat", "m/base"]
    assert listed["n_rows"] == [9, 3]
    assert listed["seed"] == [0, 0]
    assert listed["state"] == ["current", "current"]
    assert listed["saved"] == [store.result(name).made["saved"] for name in ("a", "b")]
    with pytest.raises(NotFoundError, match=r'No result "c"\. Known: a, b\.'):
        store.result("c")
    assert repstore.drop_result(store, "a")
    assert not repstore.drop_result(store, "a")
    assert store.results()["name"] == ["b"]


def test_a_result_of_other_parts_than_its_run_has_now_is_stale(tmp_path):
    half, whole = store_of(tmp_path / "half", n_committed=1), store_of(tmp_path / "whole")
    with repstore.open(half) as store:
        repstore.save_result(store, "x", store.geometry("norms", run="m/base"))
        repstore.save_result(store, "y", store.geometry("norms", run="m/repeat"))
        repstore.save_result(store, "all", store.sql("SELECT 1 AS one"))
        assert set(store.results()["state"]) == {"current"}
        run_id = store.result("x").provenance["asked"]["runs"][0]["run_id"]
    for path in [*whole.glob(f"runs/{run_id}/*/part-00001*"), *whole.glob("catalog.*")]:
        shutil.copy2(path, half / path.relative_to(whole))
    repstore.repair(half)  # the catalog is of both runs
    with repstore.open(half) as store:
        states = dict(zip(store.results()["name"], store.results()["state"], strict=True))
        assert states == {"all": "stale", "x": "stale", "y": "current"}
        assert any('"x" is stale' in note for note in store.diff_results("x", "y").notes)
        assert len(store.result("x")) == 3, "it is still what it was"


@pytest.mark.parametrize("kind", ["transform", "mix", "probe"])
@pytest.mark.parametrize("anew", [True, False], ids=["anew", "dropped"])
def test_a_result_of_what_was_made_anew_or_dropped_is_stale(store, root, kind, anew):
    question = {"transform": "transformed", "mix": "wic-of-mix", "probe": "apply"}[kind]
    repstore.save_result(store, "of", QUESTIONS[question](store))
    repstore.save_result(store, "other", wic(store))
    assert store.results()["state"] == ["current", "current"]
    name = {"transform": "centered", "mix": "two", "probe": "pos"}[kind]
    place = next(root.glob(f"runs/*/*/{name}"))
    before = shutil.move(place, root.parent / "before")
    if anew:
        {
            "transform": lambda: repstore.fit_transform(root, name, kind="standardize", run="m/base"),
            "mix": lambda: put_mix(root, name, "scalar", [0, 2], arrays_of("scalar", 2, 5), run="m/base"),
            "probe": lambda: repstore.fit_probe(
                root, name, label="pos", run="m/base", layer=0, seed=7, n_seeds=1, resamples=5
            ),
        }[kind]()
    with repstore.open(root) as opened:
        assert dict(zip(opened.results()["name"], opened.results()["state"], strict=True)) == {
            "of": "stale",
            "other": "current",
        }
    shutil.rmtree(place, ignore_errors=True)
    shutil.move(before, place)
    assert store.results()["state"] == ["current", "current"]


def test_any_parquet_reader_sees_the_rows(store, root):
    asked = wic(store)
    repstore.save_result(store, "x", asked)
    table = pq.read_table(root / "results" / "x" / "rows.parquet")
    assert table.to_pylist() == list(asked)


def test_results_are_queried_in_sql_as_soon_as_they_are_saved(store, root):
    assert store.sql("SELECT count(*) AS n FROM results")["n"] == [0]
    asked = wic(store)
    repstore.save_result(store, "x", asked)
    assert list(store.sql("FROM results")) == list(store.results())
    assert list(store.sql("FROM result('x')")) == list(asked)
    best = store.sql("SELECT layer FROM result(?) ORDER BY accuracy DESC LIMIT 1", ["x"])
    assert best["layer"] == [max(asked, key=lambda row: row["accuracy"])["layer"]]
    joined = store.sql(
        "SELECT r.layer, avg(norm(vector)) AS norm, any_value(accuracy) AS accuracy "
        "FROM result('x') r JOIN vectors v USING (run, layer) GROUP BY ALL ORDER BY ALL"
    )
    assert joined["accuracy"] == asked["accuracy"]
    (root / "results" / "x" / "result.json").unlink()  # as a death leaves it
    with pytest.raises(repstore.RepstoreError, match='there is no result "x"'):
        store.sql("FROM result('x')")
    repstore.save_result(store, "x", store.sql("SELECT 'it' AS name, 1 AS kept"))
    assert store.sql("SELECT name, kept FROM result('x') WHERE name = 'it'")["kept"] == [1]
    repstore.drop_result(store, "x")
    assert len(store.sql("FROM results")) == 0
    with pytest.raises(repstore.RepstoreError, match=r'^No result "x"\. There are none\.$'):
        store.sql("FROM result('x')")


def test_results_are_not_listed_for_a_query_that_names_none(store, monkeypatch):
    repstore.save_result(store, "x", wic(store))
    listed = []
    results = type(store).results
    monkeypatch.setattr(type(store), "results", lambda self: listed.append(1) or results(self))
    store.sql("SELECT count(*) FROM words")
    assert listed == []
    assert store.sql("SELECT name FROM Memory.Main.RESULTS")["name"] == ["x"]
    assert listed == [1]


def test_a_result_that_is_not_there_is_named_in_sql_with_the_one_that_may_be_meant(store):
    repstore.save_result(store, "wic-base", wic(store))
    with pytest.raises(repstore.RepstoreError, match=r'^No result "wicbase"\. Did you mean "wic-base"\?$'):
        store.sql("FROM result('wicbase')")
    Path(store, "results", "wic-base", "rows.parquet").unlink()
    with pytest.raises(repstore.RepstoreError, match='The rows of the result "wic-base" are gone'):
        store.sql("FROM result('wic-base')")


def test_a_result_that_is_dropped_while_sql_opens_it_is_called_gone():
    said = 'IO Error: Cannot open file "/s/results/x/rows.parquet": No such file or directory'
    assert told(said, "", 1, [], ["x"]).startswith('The rows of the result "x" are gone.')
    assert told(said, "", 1, [], ["y"]).startswith('No result "x".')


@pytest.mark.parametrize(
    "name", ["../x", "*", "x'); DROP TABLE words;--", "x/../../corpora", "", "x*", "[x]"]
)
def test_no_name_in_sql_reaches_another_file(store, name):
    repstore.save_result(store, "x", wic(store))
    with pytest.raises(repstore.RepstoreError, match="is no name of a result"):
        store.sql("FROM result(?)", [name])
    with pytest.raises(repstore.RepstoreError, match="is no name of a result"):
        store.sql(f"FROM result('{name.replace(chr(39), chr(39) * 2)}')")


def test_hostile_text_in_a_result_is_data(store):
    title = '\'); DROP TABLE words; -- "$name" ? {0}'
    repstore.save_result(store, "x", ResultTable(pa.table({'it\'s "a"': [title]}), title))
    assert store.sql("SELECT title FROM results")["title"] == [title]
    assert list(store.sql("FROM result('x')")) == [{'it\'s "a"': title}]


def test_results_of_a_store_in_a_folder_of_any_name_are_read(tmp_path, plain):
    root = shutil.copytree(plain, tmp_path / "it's a [folder]" / 'of "stores"')
    with repstore.open(root) as store:
        repstore.save_result(store, "x", wic(store))
        assert len(store.sql("FROM result('x')")) == 3
