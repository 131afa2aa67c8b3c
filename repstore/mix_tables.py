"""Tables about mixes: what was learned, and what there is."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from repstore.errors import StoreDamagedError
from repstore.results import Figure, ResultTable
from repstore.spec import MIX
from repstore.storage.frozen import is_cut
from repstore.storage.layout import FrozenLayout, Layout
from repstore.storage.mixed import Mix, read_mix_of
from repstore.storage.mixes import MixInfo
from repstore.storage.opened import Run

COLUMNS = pa.schema(
    [
        *(("run", pa.string()), ("mix", pa.string()), ("kind", pa.string()), ("state", pa.string())),
        *(("n_layers", pa.int64()), ("center", pa.float64()), ("loss_before", pa.float64())),
        *(("loss_after", pa.float64()), ("n_words", pa.int64()), ("train_on", pa.string())),
        *(("select_on", pa.string()), ("bytes", pa.int64())),
    ]
)
LEARNED = pa.schema(
    [
        *(("run", pa.string()), ("mix", pa.string()), ("query", pa.string()), ("layer", pa.int64())),
        ("weight", pa.float64()),
    ]
)
ALL_QUERIES = "all"


def table_of_learned(run: Run, info: MixInfo, mix: Mix, notes: Sequence[str]) -> ResultTable:
    """What was learned, as `repstore.fit_mix` returns it."""
    rows = [(ALL_QUERIES, mix.weights)]
    if mix.kind == "attention":
        rows = [*zip(map(str, mix.layers), mix.arrays["attention"], strict=True), *rows]
    table = pa.table(
        {
            "run": [run.label] * len(rows) * len(mix.layers),
            "mix": [info.name] * len(rows) * len(mix.layers),
            "query": np.repeat([query for query, _ in rows], len(mix.layers)),
            "layer": list(mix.layers) * len(rows),
            "weight": np.concatenate([weights for _, weights in rows]),
        },
        LEARNED,
    )
    before, after = mix.arrays["losses"].tolist()
    figure = Figure("curve", "layer", "weight", "mix")  # one row would make no map
    if mix.kind == "attention":
        figure = Figure("matrix", "query", "weight", "layer")
    of = "weight of each layer" if mix.kind == "scalar" else "attention that layers (query) pay to layers"
    return ResultTable(
        table,
        f'Mix "{info.name}" of {run.label}: {mix.kind}, {of}',
        units={"weight": "they sum to 1"},
        provenance={
            "run": info.run_id,
            "mix": info.name,
            "digest": info.digest,
            "center": mix.center,
            "loss_before": before,
            "loss_after": after,
            **{key: value for key, value in info.asked.items() if key != "command"},
        },
        figure=figure,
        notes=[
            f"Center of gravity: layer {mix.center:.2f}.",
            f"Loss on the pairs to choose by: {before:.4f} untrained, {after:.4f} at the end.",
            *notes,
            f"Ask about it as layer {MIX}{info.name}.",
        ],
    )


def table_of_all(layout: Layout, runs: Sequence[Run]) -> ResultTable:
    """The mixes of some runs, as `repstore.list_mixes` returns them."""
    rows = [_row(run, place) for run in runs for place in run.folder.all_frozen("mix")]
    return ResultTable(pa.Table.from_pylist(rows, COLUMNS), f"Mixes of {layout.root}")


def _row(run: Run, place: FrozenLayout) -> dict[str, Any]:
    about = {"run": run.label, "mix": place.name}
    try:
        info, mix = read_mix_of(place.run, place.name, run.label)
    except StoreDamagedError:
        return about | {"state": "damaged"}
    state = "stale" if info.outdated(run.parts) else "current"
    before, after = mix.arrays["losses"].tolist()
    return about | {
        "kind": info.kind,
        "state": "damaged" if is_cut(place, info) else state,
        "n_layers": len(info.layers),
        "center": mix.center,
        "loss_before": before,
        "loss_after": after,
        "n_words": info.n_words,
        "train_on": info.asked["train_on"],
        "select_on": info.asked["select_on"],
        "bytes": info.n_bytes,
    }
