"""A store that repstore 0.1 wrote in format 1, kept with the tests, is read as it is and migrated.

What it holds was written down from its Parquet files by pyarrow alone, when it was made.
"""

from __future__ import annotations

import json
import os
import shutil
import tarfile
from pathlib import Path

import pytest
from folders import files_of
from jsonschema import Draft202012Validator
from program import repstore as program

import repstore
from repstore.errors import StoreVersionError
from repstore.schemas import FORMAT_VERSION, json_schema
from repstore.schemas.migrations import MIGRATIONS
from repstore.storage import files

ARCHIVE = Path(__file__).parent / "stores" / "format-1.tar.xz"
LAYER_2 = {
    "tiny/base@senses": (
        28,
        55504000000000,
        [-0.303955078125, 0.4091796875, -0.54150390625],
        161.6822109222412,
    ),
    "tiny/base@trees-all": (
        31,
        38618000000000,
        [1.2080078125, 1.244140625, -2.212890625],
        -89.52570533752441,
    ),
    "tiny/repeat": (27, 55504000000000, [-1.46875, -0.65771484375, -0.1279296875], 123.04855346679688),
}
"""By run: words with vectors, the first of them, how its vector of layer 2 begins, the sum of that layer."""


@pytest.fixture
def old(tmp_path) -> Path:
    with tarfile.open(ARCHIVE) as archive:
        archive.extractall(tmp_path, filter="data")
    return tmp_path / "format-1"


def holds_what_it_held(root: Path) -> None:
    with repstore.open(root) as store:
        for run, (n_words, first, begins, total) in LAYER_2.items():
            layer = store.vectors(run=run, layer=2)
            assert (len(layer.word_ids), layer.word_ids[0]) == (n_words, first)
            assert layer.values[0, :3].tolist() == begins
            assert layer.values.sum(dtype="float64") == pytest.approx(total, abs=1e-9)
        assert set(store.sql("SELECT origin FROM runs")["origin"]) == {"encoded"}
        assert store.words(lemma="bank", limit=1)["sense"] == ["bank.N.river"]
        assert (
            len(store.transformed("white").neighbors(55504000000014, run="tiny/base@senses", layer=1, k=3))
            == 3
        )
    assert repstore.list_probes(root)["state"] == ["current"]
    assert repstore.list_indexes(root)["state"] == ["current"]
    assert len(repstore.verify(root)) == 0


def test_there_is_a_migration_to_every_format_after_the_first():
    assert [migration.to for migration in MIGRATIONS] == list(range(2, FORMAT_VERSION + 1))


def test_a_store_of_format_1_is_read_as_it_is(old):
    before = files_of(old)
    holds_what_it_held(old)
    assert repstore.open(old).info()["value"][1] == "1"
    assert files_of(old) == before


def test_a_store_of_format_1_is_not_written_to(old):
    before = files_of(old)
    with pytest.raises(StoreVersionError, match=r"has format 1: it can be read.*repstore migrate"):
        repstore.fit_transform(old, "mean", kind="center", run="tiny/repeat")
    with pytest.raises(StoreVersionError, match="repstore migrate"):
        repstore.ingest("text:nowhere.txt", old, model="nothing")
    assert files_of(old) == before


@pytest.mark.parametrize("line", [["STORE", "SELECT 1", "--save", "x"], ["--save", "x", "STORE", "SELECT 1"]])
def test_what_cannot_be_saved_in_a_store_of_format_1_is_not_asked(old, line):
    outcome = program("sql", *(old if word == "STORE" else word for word in line))
    assert (outcome.code, outcome.out) == (1, "")
    assert "repstore migrate" in outcome.err


def test_a_migrated_store_holds_the_same_and_can_be_written_to(old):
    kept = {path: held for path, held in files_of(old).items() if "parts/" in path or "corpora/" in path}
    assert repstore.migrate(old) == [f"Format {one.to}: {one.what}" for one in MIGRATIONS]
    assert repstore.migrate(old) == []
    holds_what_it_held(old)
    assert kept.items() <= files_of(old).items()
    repstore.fit_transform(old, "mean", kind="center", run="tiny/repeat")
    for name, path in (
        ("store", old / "store.json"),
        *(("run", path) for path in old.glob("runs/*/run.json")),
    ):
        Draft202012Validator(json_schema(name)).validate(json.loads(path.read_text(encoding="utf-8")))


def test_a_migration_that_dies_at_any_step_leaves_a_store_that_is_read_and_migrates(
    old, tmp_path, monkeypatch
):
    shutil.copytree(old, tmp_path / "whole")
    repstore.migrate(tmp_path / "whole")
    whole = files_of(tmp_path / "whole")
    n_steps = 0
    for dies_at in range(100):
        root = tmp_path / f"dies-{dies_at}"
        shutil.copytree(old, root)
        if not _dies(root, dies_at, monkeypatch):
            n_steps = dies_at
            break
        holds_vectors(root)
        repstore.migrate(root)
        assert files_of(root) == whole
        shutil.rmtree(root)
    assert n_steps == 3 + 3  # three runs; the catalog, its digest, the marker


def _dies(root: Path, at: int, monkeypatch: pytest.MonkeyPatch) -> bool:
    """Whether a migration that ends at its rename number `at` got that far."""
    n_renames = 0
    rename = os.replace

    def replace(self: Path, target: Path) -> None:
        nonlocal n_renames
        if n_renames == at:
            raise KeyboardInterrupt
        n_renames += 1
        rename(self, target)

    with monkeypatch.context() as patched:
        patched.setattr(files.Path, "replace", replace)
        try:
            repstore.migrate(root)
        except KeyboardInterrupt:
            return True
    return False


def holds_vectors(root: Path) -> None:
    with repstore.open(root) as store:
        for run, (n_words, *_) in LAYER_2.items():
            assert len(store.vectors(run=run, layer=2).word_ids) == n_words
        assert set(store.sql("SELECT origin FROM runs")["origin"]) == {"encoded"}


def test_a_damaged_store_of_format_1_is_repaired_as_one_of_format_1(old):
    (old / "catalog.duckdb").unlink()
    assert repstore.repair(old) == ["Rebuilt the catalog."]
    assert repstore.open(old).info()["value"][1] == "1"
    holds_what_it_held(old)
