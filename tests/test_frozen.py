"""Probes and mixes are kept as transforms are: whole or absent, checked byte by byte, and never changed."""

from __future__ import annotations

import re
import shlex
import shutil
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
from deaths import after_every_death
from folders import files_of
from indexed import problems
from saved import COMMANDS, mix_in, probe_in, run_of, store_of, word_ids_of

import repstore
from repstore.errors import ArgumentError, StoreDamagedError, StoreError
from repstore.storage import files
from repstore.storage.frozen import check_name, drop_frozen, is_cut, is_damaged
from repstore.storage.layout import FROZEN_FOLDERS, FrozenKind, FrozenLayout, Layout
from repstore.storage.lock import writing
from repstore.storage.mixes import read_mix, read_mix_arrays


@pytest.fixture(scope="module")
def plain(tmp_path_factory) -> Path:
    return store_of(tmp_path_factory.mktemp("plain") / "store")


@pytest.fixture
def store(plain, tmp_path) -> Path:
    return shutil.copytree(plain, tmp_path / "store")


def test_a_mix_is_read_as_it_was_written(store):
    place = mix_in(store)
    info = read_mix(place.run, "m")
    assert info is not None
    assert (info.name, info.kind, info.layers, info.n_words) == ("m", "scalar", (0, 1), 6)
    assert info.asked == {"command": COMMANDS["mix"], "seed": 3}
    found = read_mix_arrays(place, info)
    assert {name: array.tolist() for name, array in found.items()} == {"weights": [0.25, 0.75], "scale": 1.5}
    assert np.array_equal(np.load(place.words), word_ids_of(store)[3:9])
    assert not is_damaged(place, info)
    assert info.n_bytes == sum(path.stat().st_size for path in (place.words, place.mix))


def test_written_twice_a_mix_has_the_same_bytes(store):
    place = mix_in(store)
    before = {path.name: path.read_bytes() for path in place.files()}
    assert sorted(before) == ["mix.json", "mix.npz", "words.npy"]
    mix_in(store)
    assert {path.name: path.read_bytes() for path in place.files()} == before


def test_a_mix_that_is_dropped_leaves_nothing_but_what_is_not_its(store):
    place = mix_in(store)
    assert drop_frozen(place)
    assert not place.root.exists()
    assert not drop_frozen(place)
    assert read_mix(place.run, "m") is None
    mix_in(store)
    (place.root / "layer-00.npz").write_text("mine: a mix has no such file")
    assert drop_frozen(place)
    assert [path.name for path in place.root.iterdir()] == ["layer-00.npz"]


def test_a_mix_of_another_name_or_run_is_not_used(store):
    place = mix_in(store)
    place.root.rename(place.root.with_name("other"))
    with pytest.raises(StoreDamagedError, match="is of mix m of run"):
        read_mix(place.run, "other")


def test_a_mix_whose_arrays_changed_is_not_used(store):
    place = mix_in(store)
    info = read_mix(place.run, "m")
    assert info is not None
    sound = place.mix.read_bytes()
    place.mix.write_bytes(sound[:-1] + bytes([sound[-1] ^ 1]))
    assert (is_cut(place, info), is_damaged(place, info)) == (False, True)
    with pytest.raises(StoreDamagedError, match="is not what was written"):
        read_mix_arrays(place, info)
    place.mix.unlink()
    assert is_cut(place, info)
    with pytest.raises(StoreDamagedError, match="cannot be read"):
        read_mix_arrays(place, info)


@pytest.mark.parametrize("kind", ["transform", "probe", "mix"])
def test_a_name_that_is_none_is_refused_by_the_kind(kind):
    with pytest.raises(ArgumentError, match=f"is no name for a {kind}"):
        check_name(kind, "../x")


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"command": ["mix", "train"]},
        {"command": ("mix", "STORE")},
        {"command": ["STORE"], "layers": (0, 1)},
    ],
)
def test_what_could_not_be_asked_again_is_not_kept(store, asked):
    before = files_of(store)
    with pytest.raises(ValueError, match="asked is not JSON"):
        probe_in(store, asked=asked)
    assert files_of(store) == before


KEEP: dict[FrozenKind, Callable[[Path], FrozenLayout]] = {"probe": probe_in, "mix": mix_in}
FILES = [
    *(("probe", name) for name in ("layer-01.npz", "words.npy", "probe.json")),
    *(("mix", name) for name in ("mix.npz", "words.npy", "mix.json")),
]


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


@pytest.mark.parametrize(("kind", "name"), FILES)
@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_said_and_mended(store, kind, name, damage):
    plain = files_of(store)
    place = KEEP[kind](store)
    assert problems(store) == {}
    sound = files_of(store)
    spoil, problem = DAMAGES[damage]
    spoil(place.root / name)
    if (name, damage) == (f"{kind}.json", "removed"):  # then there is none, and its files are litter
        assert set(problems(store).values()) == {"unfinished"}
        assert place.run.all_frozen(kind) == []
    else:
        (finding,) = repstore.verify(store)
        assert (Path(finding["path"]).name, finding["problem"]) == (name, problem)
        fit = shlex.join(["repstore", *COMMANDS[kind]]).replace("STORE", str(store))
        said = (
            f"drop it first: repstore {kind} drop {store} {place.name} --run m/base@synthetic; then: the "
            f'command that fitted {kind} "{place.name}" of m/base'
            if name == f"{kind}.json"
            else fit
        )
        assert f"not used; {said}" in finding["detail"]
        if name != f"{kind}.json":
            repaired = shutil.copytree(store, store.with_name("repaired"))
            assert repstore.repair(repaired)[-2].strip() == fit.replace(str(store), str(repaired))
    repstore.repair(store)
    assert problems(store) == {}
    assert {path: data for path, data in files_of(store).items() if "quarantine" not in path} == plain
    KEEP[kind](store)
    assert {path: data for path, data in files_of(store).items() if "quarantine" not in path} == sound


@pytest.mark.parametrize("kind", KEEP)
def test_what_was_fitted_on_fewer_parts_is_stale_and_left_as_it_is(tmp_path, kind):
    half = store_of(tmp_path / "store", n_committed=2)
    place = KEEP[kind](half)
    whole = store_of(tmp_path / "whole")
    for path in [*whole.glob("runs/*/*/part-00002*"), *whole.glob("catalog.*")]:
        shutil.copy2(path, half / path.relative_to(whole))
    (finding,) = repstore.verify(half)
    said = (
        f'{kind} "{place.name}": m/base has more words than when it was fitted; it is used as it is; to fit'
    )
    assert finding["problem"] == "stale"
    assert said in finding["detail"]
    commands = [shlex.split(one) for one in re.findall(r"repstore ([^;]+)", finding["detail"])]
    assert commands[0] == [kind, "drop", str(half), place.name, "--run", "m/base@synthetic"]
    assert commands[1] == [str(half) if one == "STORE" else one for one in COMMANDS[kind]]
    before = files_of(half)
    assert any("to fit it anew" in line for line in repstore.repair(half))
    assert files_of(half) == before
    flipped(place.words)
    (finding,) = repstore.verify(half)
    assert finding["problem"] == "damaged"
    assert "not used; m/base has more words than when it was fitted, so drop it first" in finding["detail"]


@pytest.mark.parametrize("kind", KEEP)
def test_kinds_of_one_name_are_apart(store, kind):
    repstore.fit_transform(store, "p", kind="center")
    places = {"probe": probe_in(store, "p"), "mix": mix_in(store, "p")}
    assert problems(store) == {}
    flipped(places[kind].words)
    repstore.repair(store)
    assert problems(store) == {}
    left = [one for one in FROZEN_FOLDERS if run_of(store).all_frozen(one)]
    assert left == [one for one in FROZEN_FOLDERS if one != kind]


@pytest.mark.parametrize("kind", KEEP)
def test_files_of_another_kind_are_foreign(store, kind):
    place = KEEP[kind](store)
    other = "mix.npz" if kind == "probe" else "layer-00.npz"
    (place.root / other).write_text("mine")
    (place.root / "transform.json").write_text("mine")
    assert problems(store) == {other: "foreign", "transform.json": "foreign"}


@pytest.mark.parametrize("kind", KEEP)
def test_what_a_crash_left_is_unfinished_and_goes_with_the_next(store, kind):
    place = KEEP[kind](store)
    names = [f"{path.name}.tmp" for path in place.files()]
    for name in names:
        (place.root / name).write_text("half")
    assert problems(store) == dict.fromkeys(names, "unfinished")
    KEEP[kind](store)
    assert problems(store) == {}


@pytest.mark.parametrize("kind", KEEP)
def test_verify_does_not_judge_it_while_another_process_writes(store, kind):
    KEEP[kind](store).words.unlink()
    with writing(Layout(store)):
        assert list(problems(store).values()) == ["writing"]


def test_a_death_at_any_step_leaves_the_whole_of_it_or_none(store):
    """Files of transforms and probes are written by the same steps, tests/test_transform_files.py."""
    whole = shutil.copytree(store, store.with_name("whole"))
    mix_in(whole)
    with_it, without = files_of(whole), files_of(store)
    n_died = 0
    for died in after_every_death(store, mix_in):
        n_died += 1
        found = problems(died)
        assert set(found.values()) <= {"unfinished"}
        counts = {path: data for path, data in files_of(died).items() if Path(path).name not in found}
        assert counts in (with_it, without)
        mix_in(died)
        assert files_of(died) == with_it
    assert n_died > 3


@pytest.mark.parametrize("there", ["nothing", "an older one"])
@pytest.mark.parametrize("kind", KEEP)
def test_a_full_disk_leaves_nothing(store, kind, there, monkeypatch):
    before = files_of(store)
    if there == "an older one":
        KEEP[kind](store)
    publish = files.publish

    def full(temporary: Path, final: Path) -> None:
        if final.suffix == ".npz":
            raise StoreError("the disk is full")
        publish(temporary, final)

    monkeypatch.setattr(files, "publish", full)
    with pytest.raises(StoreError, match="the disk is full"):
        KEEP[kind](store)
    monkeypatch.undo()
    assert files_of(store) == before
    assert not list(store.glob(f"runs/*/{FROZEN_FOLDERS[kind]}/*"))
    assert problems(store) == {}
