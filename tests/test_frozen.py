"""Probes and mixes are kept as transforms are: whole or absent, checked byte by byte, and never changed."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from saved import COMMANDS, mix_in, store_of, word_ids_of

from repstore.errors import ArgumentError, StoreDamagedError
from repstore.storage.frozen import check_name, drop_frozen, is_cut, is_damaged
from repstore.storage.mixes import read_mix, read_mix_arrays


@pytest.fixture
def store(tmp_path) -> Path:
    return store_of(tmp_path / "store")


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
