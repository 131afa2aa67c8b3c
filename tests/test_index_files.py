"""Index files are whole or absent, of the parts they say, and never used if they are not."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from folders import files_of
from indexed import (
    build,
    clustered,
    index_files,
    neighbors,
    problems,
    stale_store,
    store_of,
    the,
)
from program import repstore as command

import repstore
from repstore import searching
from repstore.errors import NotFoundError, StoreLockedError
from repstore.spec import Progress
from repstore.storage.layout import Layout
from repstore.storage.lock import writing

N_WORDS = 300
FAISS, JSON = "runs/*/index/layer-00-none-*.faiss", "runs/*/index/layer-00-none.json"


@pytest.fixture(scope="module")
def plain_store(tmp_path_factory) -> Path:
    layers = [clustered(N_WORDS, seed) for seed in (0, 1, 2)]
    return store_of(tmp_path_factory.mktemp("plain") / "store", *layers, rows_per_part=100)


@pytest.fixture
def plain(plain_store, tmp_path) -> Path:
    return shutil.copytree(plain_store, tmp_path / "store")


@pytest.fixture
def store(plain) -> Path:
    build(plain)
    return plain


@pytest.fixture
def stale(tmp_path) -> Path:
    return stale_store(tmp_path / "store", N_WORDS)


def flip(path: Path, bit: int) -> None:
    data = bytearray(path.read_bytes())
    data[bit // 8] ^= 1 << bit % 8
    path.write_bytes(data)


def flipped(path: Path) -> None:
    flip(path, 4321)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "flipped": (flipped, "damaged"),
    "truncated": (truncated, "damaged"),
    "removed": (Path.unlink, "missing"),
}


def test_an_index_belongs_to_a_sound_store(store):
    assert problems(store) == {}
    assert command("verify", store).code == 0
    assert repstore.list_indexes(store)["state"] == ["current"]


def test_what_is_there_and_current_is_kept(store):
    before = {path: path.stat().st_mtime_ns for path in store.glob("runs/*/index/*")}
    inodes = {path: path.stat().st_ino for path in before}
    build(store)
    assert {path: path.stat().st_mtime_ns for path in store.glob("runs/*/index/*")} == before
    assert {path: path.stat().st_ino for path in before} == inodes


def test_a_build_that_was_interrupted_goes_on_where_it_stopped(plain):
    def stop(progress: Progress) -> None:
        if progress.n_done == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        build(plain, layer="all", progress=stop)
    first = {path: path.stat().st_ino for path in plain.glob("runs/*/index/*")}
    assert len(first) == 4
    build(plain, layer="all")
    assert {path: path.stat().st_ino for path in first} == first
    assert repstore.list_indexes(plain)["layer"] == [0, 1, 2]
    assert problems(plain) == {}


def test_another_kind_takes_the_place_of_the_first(store):
    (first,) = store.glob(FAISS)
    build(store, kind="ivf")
    assert not first.exists()
    assert repstore.list_indexes(store)["kind"] == ["ivf"]
    assert problems(store) == {}


@pytest.mark.parametrize("pattern", [FAISS, JSON])
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_said_not_used_and_mended(store, pattern, damage, monkeypatch):
    sound = index_files(store)
    path = the(store, pattern)
    spoil, problem = DAMAGES[damage]
    spoil(path)
    if (pattern, damage) == (JSON, "removed"):  # then there is no index, and its file is litter
        assert problems(store) == {the(store, FAISS).name: "unfinished"}
    else:
        (finding,) = repstore.verify(store)
        assert (Path(finding["path"]).name, finding["problem"]) == (path.name, problem)
        assert f"repstore index build {store} --run model/base@synthetic --layer 0" in finding["detail"]
        assert command("verify", store).code == 1
    with pytest.raises(NotFoundError, match="repstore index build"):
        neighbors(store)
    monkeypatch.setattr(searching, "EXACT_UP_TO", 0)
    found, how, notes = neighbors(store, "auto")
    assert (found, how) == (neighbors(store, "exact")[0], ["exact"])
    assert "so all words were scanned" in notes
    repaired = shutil.copytree(store, store.with_name("repaired"))
    lines = " ".join(repstore.repair(repaired))
    assert "repstore index build" in lines or damage == "removed"
    assert index_files(repaired) == {}
    assert problems(repaired) == {}
    for each in (repaired, store):
        build(each)
        assert index_files(each) == sound
    assert problems(store) == {}


def test_any_flipped_bit_is_noticed(store):
    path = the(store, FAISS)
    sound = path.read_bytes()
    for bit in np.random.default_rng(0).integers(8 * len(sound), size=20):
        flip(path, int(bit))
        with pytest.raises(NotFoundError, match="is not what was written"):
            neighbors(store)
        path.write_bytes(sound)
    assert neighbors(store)[1] == ["rabitq"]


def test_an_index_of_fewer_parts_is_stale_and_not_used(stale, monkeypatch):
    (finding,) = repstore.verify(stale)
    assert finding["problem"] == "stale"
    assert "--layer 0 --kind rabitq --standardize none" in finding["detail"]
    assert command("verify", stale).code == 0
    assert repstore.list_indexes(stale)["state"] == ["stale"]
    with pytest.raises(NotFoundError, match="index of other parts"):
        neighbors(stale)
    monkeypatch.setattr(searching, "EXACT_UP_TO", 0)
    found, how, notes = neighbors(stale, "auto")
    assert (found, how) == (neighbors(stale, "exact")[0], ["exact"])
    assert "stale" in notes


def test_repair_leaves_a_stale_index_and_says_how_to_build_it_anew(stale):
    before = index_files(stale)
    assert any("repstore index build" in line for line in repstore.repair(stale))
    assert index_files(stale) == before


def test_a_stale_index_is_built_anew_as_if_it_had_not_been_there(stale):
    whole = stale.with_name("whole")
    build(stale)
    build(whole)
    assert index_files(stale) == index_files(whole)
    assert problems(stale) == {}
    assert neighbors(stale)[1] == ["rabitq"]


def test_a_reader_that_opened_before_an_index_was_built_anew_is_not_misled(stale):
    with repstore.open(stale) as opened:
        build(stale)
        word_id = int(opened.vectors(layer=0).word_ids[0])
        by_index, exact = (opened.neighbors(word_id, layer=0, k=5, search=how) for how in ("index", "exact"))
        assert by_index["word_id"] == exact["word_id"]


def test_an_index_of_another_layer_is_not_used(store):
    """Somebody copied the files of layer 0 to the name of layer 1."""
    path = the(store, JSON)
    shutil.copy2(path, path.with_name("layer-01-none.json"))
    assert problems(store) == {"layer-01-none.json": "damaged"}
    with repstore.open(store) as opened, pytest.raises(NotFoundError, match="is of layer 0"):
        opened.neighbors(int(opened.vectors(layer=1).word_ids[0]), layer=1, search="index")


def test_unnamed_and_unfinished_files_are_harmless_and_removed(store):
    sound = files_of(store)
    folder = the(store, JSON).parent
    for name in ("layer-00-none-0123abcd.faiss", "layer-01-corpus.faiss.tmp", "layer-00-none.json.tmp"):
        (folder / name).write_bytes(b"half")
    (folder / "notes.txt").write_text("mine")
    assert sorted(problems(store).values()) == ["foreign", *3 * ["unfinished"]]
    assert neighbors(store)[1] == ["rabitq"]
    repstore.repair(store)
    assert problems(store) == {"notes.txt": "foreign"}
    (folder / "notes.txt").unlink()
    assert files_of(store) == sound


def test_a_dropped_index_leaves_nothing(plain):
    before = files_of(plain)
    build(plain, layer="all")
    assert repstore.drop_index(plain, layer=[0, 1]) == 2
    assert repstore.list_indexes(plain)["layer"] == [2]
    assert problems(plain) == {}
    assert repstore.drop_index(plain) == 1
    assert repstore.drop_index(plain) == 0
    assert files_of(plain) == before


@pytest.mark.parametrize("work", [build, repstore.drop_index])
def test_a_second_writer_is_refused(store, work):
    before = index_files(store)
    with writing(Layout(store)), pytest.raises(StoreLockedError):
        work(store)
    assert index_files(store) == before


def test_verify_does_not_judge_indexes_while_another_process_writes(store):
    the(store, FAISS).unlink()
    with writing(Layout(store)):
        assert list(problems(store).values()) == ["writing"]
