"""Which dimensions of every layer a transform keeps."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from repstore.errors import ArgumentError
from repstore.results import Figure, ResultTable
from repstore.storage.frozen import check_name
from repstore.storage.lookup import looking_up
from repstore.storage.opened import Run
from repstore.storage.runs import open_store
from repstore.storage.transformed import TransformedVectors, through
from repstore.storage.transforms import LayerMap

COLUMNS = pa.schema(
    [
        *(("run", pa.string()), ("layer", pa.int64()), ("d_model", pa.int64()), ("n_kept", pa.int64())),
        *(("share", pa.float64()), ("overlap", pa.float64()), ("chance", pa.float64())),
        ("kept", pa.list_(pa.int64())),
    ]
)


def show_transform(store: str | Path, name: str, *, run: str | None = None) -> ResultTable:
    """Which dimensions a transform keeps of each layer, of kind ``select`` or ``drop-outliers``.

    Args:
        store: folder of the store.
        name: of the transform.
        run: which run; not needed if the store has one.

    Returns:
        One row per layer: layer, d_model, n_kept, share (of all dimensions), overlap with the layer before
        (kept by both, of those kept by either: the index of Jaccard), chance (the overlap that two masks of
        these sizes, drawn at random, would have on average, about), and kept (which dimensions, from 0). Its
        plot is the masks, a row for each layer.

    Raises:
        NotFoundError: no such run or transform.
        ArgumentError: it maps vectors by directions, as ``pca`` does.
        StoreDamagedError: it is damaged.
    """
    check_name("transform", name)
    layout = open_store(Path(store).absolute())
    with looking_up(layout) as lookup:
        seen = through(lookup.run(run), name)
        assert isinstance(seen.vectors, TransformedVectors)
        return _table(seen, {layer: seen.vectors.layer(layer).map for layer in seen.vectors.layers})


def _table(run: Run, maps: Mapping[int, LayerMap]) -> ResultTable:
    """Which dimensions of each layer are left.

    Raises:
        ArgumentError: a map mixes dimensions.
    """
    rows = []
    before: np.ndarray | None = None
    for layer, of_layer in maps.items():
        if of_layer.matrix is not None or of_layer.removed is not None:
            raise ArgumentError(
                f"{run.label} maps vectors by directions, so it keeps and drops no dimensions. Show one of "
                "kind select or drop-outliers."
            )
        kept = of_layer.scale != 0
        rows.append({"run": run.label, "layer": layer} | _mask_row(kept, before))
        before = kept
    return ResultTable(
        pa.Table.from_pylist(rows, COLUMNS),
        f"Dimensions kept of each layer of {run.label}",
        units={
            "share": "of all dimensions",
            "overlap": "with the layer before",
            "chance": "of this overlap",
        },
        provenance={"run": run.info.run_id, "transform": run.transform},
        figure=Figure("masks", "d_model", "kept", "layer"),
        notes=[
            "overlap: of the dimensions that this layer or the one before keeps, the share that both keep; "
            "chance: what it would be if the same numbers were drawn at random."
        ],
    )


def _mask_row(kept: np.ndarray, before: np.ndarray | None) -> dict[str, Any]:
    """What is said of a mask. *Shape of each:* (d_model,), bool."""
    n_kept = int(kept.sum())
    row: dict[str, Any] = {"d_model": len(kept), "n_kept": n_kept, "share": n_kept / len(kept)}
    if before is not None:
        both = n_kept * int(before.sum()) / len(kept)
        row |= {"overlap": _share_of_both(float((kept & before).sum()), kept, before)}
        row |= {"chance": _share_of_both(both, kept, before)}
    return row | {"kept": np.flatnonzero(kept).tolist()}


def _share_of_both(n_both: float, kept: np.ndarray, before: np.ndarray) -> float | None:
    """Index of Jaccard of masks that have so many dimensions in common; None if neither has any."""
    either = int(kept.sum()) + int(before.sum()) - n_both
    return n_both / either if either else None
