"""Files of transforms are whole or absent, checked byte by byte, and never used if not as written."""

from __future__ import annotations

import errno
import os
import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from deaths import after_every_death
from folders import files_of
from indexed import problems
from program import repstore as command
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.errors import ArgumentError, NotFoundError, StoreDamagedError, StoreError, StoreLockedError
from repstore.spec import Progress
from repstore.storage import frozen, verify
from repstore.storage.files import read_json, sha256_of
from repstore.storage.layout import Layout, RunLayout
from repstore.storage.lock import writing
from repstore.storage.transforms import read_info

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
            f"drop it first: repstore transform drop {store} t --run m/base@synthetic; then: the command that"
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
    if name == "transform.json" and damage != "removed":
        with pytest.raises(
            StoreDamagedError, match=r"transform\.json .*or remove it: .*transform drop STORE t"
        ):
            fit(store)
        assert repstore.drop_transform(store, "t")
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
    assert 'transform "t": m/base has more words than when it was fitted; it is used as' in finding["detail"]
    assert command("verify", stale).code == 0
    assert repstore.list_transforms(stale)["state"] == ["stale"]
    with repstore.open(stale) as opened:
        seen = opened.transformed("t")
        assert len(seen.vectors(layer=0).values) == N_WORDS
        assert set(seen.hubness(k=2)["run"]) == {"m/base, t (stale)"}
    before = files_of(stale)
    assert any("repstore transform fit" in line for line in repstore.repair(stale))
    assert files_of(stale) == before
    with pytest.raises(
        ArgumentError, match=r"is stale: the run has more words than when .*transform drop STORE t"
    ):
        fit(stale)
    assert repstore.drop_transform(stale, "t")
    fit(stale)
    assert repstore.list_transforms(stale)["state"] == ["current"]


def test_the_commands_that_make_a_stale_and_damaged_transform_anew_do(stale):
    flipped(the(stale, "layer-01.npz"))
    (finding,) = repstore.verify(stale)
    assert finding["problem"] == "damaged"
    assert "m/base has more words than when it was fitted" in finding["detail"]
    commands = re.findall(r"repstore (transform [^;]+)", finding["detail"])
    assert [shlex.split(one)[1] for one in commands] == ["drop", "fit"]
    repaired = shutil.copytree(stale, stale.with_name("repaired"))
    assert "used as it is" not in " ".join(repstore.repair(repaired))
    assert command(*shlex.split(commands[1])).code == 1, "what is there has to be dropped first"
    for one in commands:
        assert command(*shlex.split(one)).code == 0
    assert problems(stale) == {}
    assert repstore.list_transforms(stale)["state"] == ["current"]
    fit(repaired)
    assert problems(repaired) == {}


def test_a_run_whose_parts_were_replaced_has_other_vectors(store):
    (info,) = (read_info(place) for place in RunLayout(next(store.glob("runs/*"))).all_frozen("transform"))
    assert info.outdated(info.parts) is None
    assert info.outdated([*info.parts, "f" * 64]) == "more words than when it was fitted"
    for parts in (info.parts[1:], [*info.parts[1:], "f" * 64], []):
        assert info.outdated(parts) == "other vectors than when it was fitted"


def test_a_reader_is_told_that_a_transform_was_dropped_or_fitted_anew(store):
    with repstore.open(store) as opened:
        seen = opened.transformed("t")
        held = seen.vectors(layer=0)
        repstore.drop_transform(store, "t")
        with pytest.raises(
            StoreError, match=r'"t" of m/base was dropped or fitted anew .*Open it again'
        ) as told:
            seen.vectors(layer=1)
        assert not isinstance(told.value, StoreDamagedError)
        fit(store)
        assert len(seen.vectors(layer=1).values) == N_WORDS, "the same again"
        repstore.drop_transform(store, "t")
        fit(store, kind="center", k=None)
        del held
        with pytest.raises(StoreError, match="was dropped or fitted anew"):
            seen.vectors(layer=0)


def test_a_transform_that_is_dropped_while_it_is_looked_for_is_not_there(store, monkeypatch):
    def late(path: Path) -> dict[str, Any]:
        repstore.drop_transform(store, "t")
        return read_json(path)

    monkeypatch.setattr(frozen, "read_json", late)
    with repstore.open(store) as opened, pytest.raises(NotFoundError, match='no transform "t"'):
        opened.transformed("t").vectors(layer=0)
    assert not len(repstore.list_transforms(store))


def test_a_file_that_is_removed_while_it_is_verified_is_missing(store, monkeypatch):
    def late(path: Path) -> str:
        if path.suffix == ".npy":
            path.unlink()
        return sha256_of(path)

    monkeypatch.setattr(verify, "sha256_of", late)
    assert problems(store) == {"words.npy": "missing"}


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


@pytest.mark.parametrize("there", ["nothing", "a damaged one"])
@pytest.mark.parametrize("why", ["the disk is full", "a mistake"])
def test_a_fit_that_fails_leaves_nothing(plain, there, why, monkeypatch):
    before = files_of(plain)
    if there == "a damaged one":
        fit(plain)
        flipped(the(plain, "layer-01.npz"))

    def full(*_: object) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    def fail(progress: Progress) -> None:
        if progress.n_done == 1:
            if why == "a mistake":
                raise ZeroDivisionError
            monkeypatch.setattr(os, "fsync", full)

    with pytest.raises((StoreError, ZeroDivisionError)):
        fit(plain, progress=fail)
    monkeypatch.undo()
    assert files_of(plain) == before
    assert not list(plain.glob("runs/*/transforms/*"))
    assert problems(plain) == {}


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


def test_what_looks_like_a_map_but_is_none_is_left_alone(store):
    mine = [the(store, "words.npy").with_name(name) for name in ("layer-mine.npz", "layer-1.npz")]
    for path in mine:
        path.write_text("mine")
    assert problems(store) == {path.name: "foreign" for path in mine}
    flipped(the(store, "transform.json"))
    assert problems(store) == {path.name: "foreign" for path in mine} | {"transform.json": "damaged"}
    assert repstore.drop_transform(store, "t")
    assert [path.read_text() for path in mine] == ["mine"] * 2


@pytest.mark.parametrize("work", ["drop", "fit"])
@pytest.mark.parametrize("name", [f"{name}.tmp" for name in FILES])
def test_what_a_crash_left_goes_with_the_next_fit_or_drop(store, work, name):
    left = the(store, "words.npy").with_name(name)
    left.write_text("half")
    assert problems(store) == {name: "unfinished"}
    if work == "fit":
        the(store, "transform.json").unlink()
        fit(store, layer=0)
    else:
        assert repstore.drop_transform(store, "t")
    assert not left.exists()
    assert problems(store) == {}
