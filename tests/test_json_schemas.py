"""The JSON files of a store obey the schemas that are published with the project."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from saved import mix_in, probe_in
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.schemas import json_schema

NAMES = ("store", "corpus", "run", "part", "index", "transform", "probe", "mix", "result", "made")
PLACES = {
    "store": "store.json",
    "corpus": "corpora/*/corpus.json",
    "run": "runs/*/run.json",
    "part": "runs/*/manifest/*.json",
    "index": "runs/*/index/*.json",
    "transform": "runs/*/transforms/*/transform.json",
    "probe": "runs/*/probes/*/probe.json",
    "mix": "runs/*/mixes/*/mix.json",
    "result": "results/*/result.json",
    "made": "results/*/made.json",
}
FREE = {"asked", "provenance", "units", "versions"}
"""Keys that every command fills with what is its own. That a command is in `asked` is all that is fixed."""


@pytest.fixture(scope="module")
def ingested(tmp_path_factory, tiny_model, sentences) -> Path:
    """Two runs; a sentence exceeds the model's context, and another has a word without a token."""
    folder = tmp_path_factory.mktemp("ingested")
    lines = sentences.read_text(encoding="utf-8")
    long = {"text": "bank " * 400, "start": 1995, "end": 1999, "lemma": "bank", "sense": "bank.long"}
    control = {"text": "a \x00 b", "start": 2, "end": 3, "lemma": "nothing", "sense": "nothing"}
    (folder / "corpus.jsonl").write_text(lines + json.dumps(long) + "\n" + json.dumps(control) + "\n")
    source = f"senses:{folder / 'corpus.jsonl'}"
    repstore.ingest(
        source, folder / "store", model=str(tiny_model("bert")), templates=["base", "repeat", "repeat_prev"]
    )
    for kind, standardize in (("rabitq", "none"), ("ivf", "center"), ("hnsw", "corpus")):
        repstore.build_index(folder / "store", run="bert/base", layer=1, kind=kind, standardize=standardize)
    for name, kind, options in (
        ("pca2", "pca", {"k": 2, "where": "lemma <> 'nothing'", "sample": 20}),
        ("std", "standardize", {"layer": [0, 1]}),
    ):
        repstore.fit_transform(folder / "store", name, kind=kind, run="bert/base", **options)
    mix_in(folder / "store", run="bert/base")
    probe_in(folder / "store", run="bert/base")
    with repstore.open(folder / "store") as store:
        result = store.geometry("dimension", run="bert/base", resamples=2)
        repstore.save_result(store, "geometry", result)
    return folder / "store"


@pytest.fixture(scope="module")
def synthetic(tmp_path_factory) -> Path:
    """Parts with every word, some, and none."""
    layers = random_layers(25, 4, 3)
    run = SyntheticRun(
        "a",
        layers,
        rows_per_part=10,
        skipped=frozenset([3, *range(10, 20)]),
        widened=frozenset([(0, 1)]),
    )
    return build_store(tmp_path_factory.mktemp("synthetic") / "store", small_corpus(25), [run])


def values(root: Path, name: str) -> list[dict[str, Any]]:
    found = [json.loads(path.read_text(encoding="utf-8")) for path in sorted(root.glob(PLACES[name]))]
    assert found
    return found


def problems(name: str, value: Any) -> list[str]:
    return [error.message for error in Draft202012Validator(json_schema(name)).iter_errors(value)]


def objects(schema: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """Every object that a schema describes, at any depth."""
    if schema.get("type") == "object":
        yield schema
        for value in schema["properties"].values():
            yield from objects(value)
    if "items" in schema:
        yield from objects(schema["items"])
    for value in schema.get("$defs", {}).values():
        yield from objects(value)


def without_a_key(value: Any) -> Iterator[Any]:
    """A copy for every key at any depth, without it."""
    if isinstance(value, dict):
        for key in value:
            yield {other: value[other] for other in value if other != key}
            changes = [{}] if key == "asked" else [] if key in FREE else without_a_key(value[key])
            yield from (value | {key: changed} for changed in changes)
    elif isinstance(value, list):
        for n, item in enumerate(value):
            yield from ([*value[:n], changed, *value[n + 1 :]] for changed in without_a_key(item))


def with_a_key(value: Any) -> Iterator[Any]:
    """A copy for every object at any depth, with a key more."""
    if isinstance(value, dict):
        yield value | {"more": 1}
        for key in value:
            if key not in FREE:
                yield from (value | {key: changed} for changed in with_a_key(value[key]))
    elif isinstance(value, list):
        for n, item in enumerate(value):
            yield from ([*value[:n], changed, *value[n + 1 :]] for changed in with_a_key(item))


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_schemas(name):
    Draft202012Validator.check_schema(json_schema(name))


@pytest.mark.parametrize("name", NAMES)
def test_schemas_are_strict_and_describe_every_property(name):
    for described in objects(json_schema(name)):
        assert described["additionalProperties"] is False
        assert set(described["required"]) == set(described["properties"])
        assert all(value["description"].endswith(".") for value in described["properties"].values())


@pytest.mark.parametrize("name", NAMES)
def test_an_ingested_store_obeys_them(ingested, name):
    assert [problems(name, value) for value in values(ingested, name)] == [[] for _ in values(ingested, name)]


def test_the_ingested_store_has_words_of_every_fate(ingested):
    """Else the test above says less than it seems to."""
    parts = values(ingested, "part")
    assert any(part["n_skipped"] for part in parts)
    assert any(part["n_words"] for part in parts)
    assert len(values(ingested, "run")) == 3


@pytest.mark.parametrize("name", ["store", "corpus", "part"])
def test_parts_with_every_word_some_and_none_obey_them(synthetic, name):
    for value in values(synthetic, name):
        assert problems(name, value) == []
    assert [part["n_words"] for part in values(synthetic, "part")] == [9, 0, 5]


@pytest.mark.parametrize("name", NAMES)
def test_a_key_too_few_or_too_many_is_noticed(ingested, name):
    value = values(ingested, name)[0]
    changed = [*without_a_key(value), *with_a_key(value)]
    assert len(changed) > len(value)
    assert all(problems(name, one) for one in changed)


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("store", {"format_version": 1}),
        ("store", {"checksum": "00"}),
        ("corpus", {"n_words": 0}),
        ("corpus", {"n_edges": -1}),
        ("corpus", {"code": 9_999}),
        ("corpus", {"corpus_id": "0123456789ABCDEF"}),
        ("run", {"group": []}),
        ("run", {"rows_per_part": 8193}),
        ("run", {"name": ""}),
        ("run", {"origin": "found"}),
        ("part", {"n_words": 0}),
        ("part", {"file": None}),
        ("part", {"file": "../parts/part-00000.parquet"}),
        ("part", {"layers": []}),
        ("part", {"sha256": None}),
        ("part", {"first_word_id": None}),
        ("index", {"kind": "flat"}),
        ("index", {"file": "index/layer-01-none.faiss"}),
        ("index", {"parts": []}),
        ("index", {"held_out": []}),
        ("index", {"n_words": 1}),
        ("transform", {"name": "../pca"}),
        ("transform", {"kind": "ica"}),
        ("transform", {"k": 0}),
        ("transform", {"parts": []}),
        ("transform", {"n_words": 1}),
        ("transform", {"layers": []}),
        ("transform", {"words_sha256": None}),
        ("probe", {"probe": ""}),
        ("probe", {"classes": []}),
        ("probe", {"classes": ["N", "N"]}),
        ("probe", {"feature": "sum"}),
        ("probe", {"outputs": "numbers or classes"}),
        ("probe", {"layers": []}),
        ("probe", {"asked": {"command": "probe linear"}}),
        ("mix", {"kind": "softmax"}),
        ("mix", {"layers": [1, 1]}),
        ("mix", {"asked": []}),
        ("mix", {"asked": {"command": []}}),
        ("mix", {"file": "layer-00.npz"}),
        ("result", {"n_rows": -1}),
        ("result", {"sha256": None}),
        ("result", {"title": None}),
        ("result", {"units": {"cka": 1}}),
        ("result", {"figure": {"kind": "curve"}}),
        ("result", {"provenance": []}),
        ("made", {"saved": "yesterday"}),
        ("made", {"seconds": -1}),
        ("made", {"versions": {"numpy": 2}}),
        ("made", {"command": ""}),
    ],
)
def test_values_that_cannot_be_are_noticed(ingested, name, change):
    assert problems(name, values(ingested, name)[0] | change)
