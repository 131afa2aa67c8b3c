"""Files of transforms are whole or absent, checked byte by byte, and never used if not as written."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from deaths import after_every_death
from folders import files_of
from indexed import problems
from program import repstore as command
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.errors import ArgumentError, StoreDamagedError, StoreLockedError
from repstore.spec import Progress
from repstore.storage.layout import Layout
from repstore.storage.lock import writing

N_WORDS = 60
OPTIONS = {"kind": "pca", "k": 2, "where": "lemma <> 'palm'", "sample": 30, "seed": 3}
FILES = ("layer-01.npz", "words.npy", "transform.json")


def store_of(root: Path, n_committed: int | None = None) -> Path:
    run = SyntheticRun("m/base", random_layers(N_WORDS, 5, 2), 20, n_committed=n_committed)
    return build_store(root, small_corpus(N_WORDS, 0, 0), [run])


def fit(store: Path, **options: object) -> None:
    repstore.fit_transform(store, "t", **OPTIONS | options)


def the(store: Path, name: str) -> Path:
    (path,) = store.glob(f"runs/*/transforms/t/{name}")
    return path


@pytest.fixture
def plain(tmp_path) -> Path:
    return store_of(tmp_path / "store")


@pytest.fixture
def store(plain) -> Path:
    fit(plain)
    return plain


@pytest.fixture
def stale(tmp_path) -> Path:
    """A store whose transform was fitted on two of its three parts."""
    half = store_of(tmp_path / "store", n_committed=2)
    fit(half)
    whole = store_of(tmp_path / "whole")
    for path in [*whole.glob("runs/*/*/part-00002*"), *whole.glob("catalog.*")]:
        shutil.copy2(path, half / path.relative_to(whole))
    return half


def flipped(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[len(data) // 2] ^= 4
    path.write_bytes(data)


def truncated(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-1])


DAMAGES: dict[str, tuple[Callable[[Path], None], str]] = {
    "flipped": (flipped, "damaged"),
    "truncated": (truncated, "damaged"),
    "removed": (Path.unlink, "missing"),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_said_not_used_and_mended(store, name, damage):
    sound = files_of(store)
    spoil, problem = DAMAGES[damage]
    spoil(the(store, name))
    if (name, damage) == ("transform.json", "removed"):  # then there is none, and its files are litter
        assert set(problems(store).values()) == {"unfinished"}
        assert not len(repstore.list_transforms(store))
    else:
        (finding,) = repstore.verify(store)
        assert (Path(finding["path"]).name, finding["problem"]) == (name, problem)
        said = (
            "the command that fitted transform"
            if name == "transform.json"
            else (
                f"repstore transform fit {store} t --run m/base@synthetic --kind pca -k 2 --layer 0,1 "
                "--where 'lemma <> '\"'\"'palm'\"'\"'' --sample 30 --seed 3"
            )
        )
        assert f"not used; {said}" in finding["detail"]
        assert command("verify", store).code == 1
        if name != "words.npy":
            with pytest.raises(StoreDamagedError, match="repstore verify"):
                repstore.open(store).transformed("t").vectors(layer=1)
    repaired = shutil.copytree(store, store.with_name("repaired"))
    lines = " ".join(repstore.repair(repaired))
    assert "transform" in lines
    assert not list(repaired.glob("runs/*/transforms/*"))
    assert problems(repaired) == {}
    for each in (repaired, store):
        fit(each)
        assert {path: data for path, data in files_of(each).items() if "quarantine" not in path} == sound
    assert problems(store) == {}


def test_any_flipped_bit_of_a_map_is_noticed(store):
    path = the(store, "layer-01.npz")
    sound = path.read_bytes()
    for bit in np.random.default_rng(0).integers(8 * len(sound), size=20).tolist():
        data = bytearray(sound)
        data[bit // 8] ^= 1 << bit % 8
        path.write_bytes(data)
        with pytest.raises(StoreDamagedError, match="is not what was written"):
            repstore.open(store).transformed("t").vectors(layer=1)
    path.write_bytes(sound)
    assert len(repstore.open(store).transformed("t").vectors(layer=1).word_ids) == N_WORDS


def test_a_stale_transform_is_used_as_it_is_and_said_to_be_stale(stale):
    (finding,) = repstore.verify(stale)
    assert finding["problem"] == "stale"
    assert "it is used as it is; to fit it anew, drop it first: repstore transform fit" in finding["detail"]
    assert command("verify", stale).code == 0
    assert repstore.list_transforms(stale)["state"] == ["stale"]
    with repstore.open(stale) as opened:
        assert len(opened.transformed("t").vectors(layer=0).values) == N_WORDS
    before = files_of(stale)
    assert any("repstore transform fit" in line for line in repstore.repair(stale))
    assert files_of(stale) == before
    with pytest.raises(ArgumentError, match=r"fitted otherwise \(parts\)"):
        fit(stale)
    assert repstore.drop_transform(stale, "t")
    fit(stale)
    assert repstore.list_transforms(stale)["state"] == ["current"]


@pytest.mark.parametrize("work", ["fit", "fit anew", "drop"])
def test_a_death_at_any_step_leaves_the_whole_transform_or_none(plain, work):
    def fit_one(root: Path) -> None:
        fit(root, layer=1)

    fit_one(whole := shutil.copytree(plain, plain.with_name("whole")))
    with_it, without = files_of(whole), files_of(plain)
    if work != "fit":
        fit_one(plain)
    if work == "fit anew":
        flipped(the(plain, "layer-01.npz"))
    do = (lambda root: repstore.drop_transform(root, "t")) if work == "drop" else fit_one
    n_died = 0
    for died in after_every_death(plain, do):
        n_died += 1
        found = problems(died)
        counts = {path: data for path, data in files_of(died).items() if Path(path).name not in found}
        if set(found.values()) <= {"unfinished"}:
            assert counts in (with_it, without)
        else:
            assert work == "fit anew", "only what was damaged before is damaged"
        repstore.repair(died)
        assert problems(died) == {}
        fit_one(died)
        assert {path: data for path, data in files_of(died).items() if "quarantine" not in path} == with_it
    assert n_died > 3


def test_a_fit_that_is_interrupted_leaves_nothing_that_counts(plain):
    def stop(progress: Progress) -> None:
        if progress.n_done == 1:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        fit(plain, progress=stop)
    assert not len(repstore.list_transforms(plain))
    assert set(problems(plain).values()) == {"unfinished"}
    fit(plain, layer=1)
    assert problems(plain) == {}, "what the first fit left is gone"


def test_a_second_writer_is_refused(store):
    before = files_of(store)
    for work in (lambda: fit(store), lambda: repstore.drop_transform(store, "t")):
        with writing(Layout(store)), pytest.raises(StoreLockedError):
            work()
    assert files_of(store) == before


def test_verify_does_not_judge_transforms_while_another_process_writes(store):
    the(store, "words.npy").unlink()
    with writing(Layout(store)):
        assert list(problems(store).values()) == ["writing"]


def test_what_does_not_belong_to_a_transform_is_left_alone(store):
    notes = the(store, "transform.json").with_name("notes.txt")
    notes.write_text("mine")
    assert problems(store) == {"notes.txt": "foreign"}
    assert repstore.drop_transform(store, "t")
    assert notes.read_text() == "mine"
