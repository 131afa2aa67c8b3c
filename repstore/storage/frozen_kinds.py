"""Everything that is frozen of a run, whatever it is."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from repstore.storage.frozen import LearnedInfo
from repstore.storage.layout import FROZEN_FOLDERS, FrozenKind, FrozenLayout, RunLayout
from repstore.storage.mixes import read_mix_info
from repstore.storage.saved_probes import read_probe_info
from repstore.storage.transforms import TransformInfo
from repstore.storage.transforms import read_info as read_transform_info

READERS: dict[FrozenKind, Callable[[FrozenLayout], TransformInfo | LearnedInfo]] = {
    "transform": read_transform_info,
    "probe": read_probe_info,
    "mix": read_mix_info,
}


def read_frozen(place: FrozenLayout) -> TransformInfo | LearnedInfo:
    """What the JSON file says.

    Raises:
        StoreDamagedError: it is not what was written, or not there.
    """
    return READERS[place.kind](place)


def frozen_of(run: RunLayout) -> Iterator[FrozenLayout]:
    """All that is frozen of a run and counts, a kind after the other, in order of their names."""
    for kind in FROZEN_FOLDERS:
        yield from run.all_frozen(kind)
