"""Tables of masks: which dimensions of every layer a transform keeps."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import pyarrow as pa

from repstore.errors import ArgumentError
from repstore.results import Figure, ResultTable
from repstore.storage.opened import Run
from repstore.storage.transforms import LayerMap

COLUMNS = pa.schema(
    [
        *(("run", pa.string()), ("layer", pa.int64()), ("d_model", pa.int64()), ("n_kept", pa.int64())),
        *(("share", pa.float64()), ("overlap", pa.float64()), ("chance", pa.float64())),
        ("kept", pa.list_(pa.int64())),
    ]
)


def table_of_masks(run: Run, maps: Mapping[int, LayerMap]) -> ResultTable:
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
