"""Tables about transforms: what was fitted, and what there is."""

from __future__ import annotations

from collections.abc import Sequence

import pyarrow as pa

from repstore.keeping import rows_of
from repstore.results import ResultTable
from repstore.storage.layout import Layout
from repstore.storage.opened import Run
from repstore.storage.transforms import TransformInfo, read_info

COLUMNS = pa.schema(
    [
        *(("run", pa.string()), ("transform", pa.string()), ("kind", pa.string()), ("k", pa.int64())),
        *(("state", pa.string()), ("n_layers", pa.int64()), ("n_words", pa.int64()), ("words", pa.string())),
        ("bytes", pa.int64()),
    ]
)
FITTED = pa.schema(
    [
        *(("run", pa.string()), ("transform", pa.string()), ("layer", pa.int64()), ("kind", pa.string())),
        *(("width", pa.int64()), ("n_kept", pa.int64()), ("variance", pa.float64())),
    ]
)


def table_of_fitted(run: Run, info: TransformInfo, notes: Sequence[str]) -> ResultTable:
    """What was fitted, layer by layer, as `repstore.fit_transform` returns it."""
    about = {"run": run.label, "transform": info.name, "kind": info.kind}
    rows = [
        about | {"layer": one.layer, "width": one.width, "n_kept": one.n_kept, "variance": one.variance}
        for one in info.layers
    ]
    notes = list(notes)
    constant = [str(one.layer) for one in info.layers if one.variance is None]
    if constant:
        notes.append(f"All these words have one vector at layer {', '.join(constant)}.")
    notes += _rank_notes(info)
    d_model = run.info.spec.model.d_model
    if info.kind == "whiten" and info.n_words <= d_model:
        notes.append(
            f"With {info.n_words:,} words in {d_model:,} dimensions, whitening makes all of them equally far "
            "from each other. Fit on more words."
        )
    how = info.kind + (f", k {info.k}" if info.k else "")
    return ResultTable(
        pa.Table.from_pylist(rows, FITTED),
        f'Transform "{info.name}" of {run.label}: {how}, on {info.n_words:,} words ({info.fitted_on})',
        units={"n_kept": "dimensions or directions", "variance": "share of it in these"},
        provenance={"run": info.run_id, "transform": info.name, "digest": info.digest},
        notes=notes,
    )


def table_of_all(layout: Layout, runs: Sequence[Run]) -> ResultTable:
    """The transforms of some runs, as `repstore.list_transforms` returns them."""
    rows = rows_of(
        runs,
        "transform",
        read_info,
        lambda info: {
            "kind": info.kind,
            "k": info.k,
            "n_layers": len(info.layers),
            "words": str(info.fitted_on),
        },
    )
    return ResultTable(pa.Table.from_pylist(rows, COLUMNS), f"Transforms of {layout.root}")


def _rank_notes(info: TransformInfo) -> list[str]:
    """Where there are fewer directions than were asked for."""
    if info.k is None:
        return []
    left = 0 if info.kind == "all-but-the-top" else info.k - 1
    lacking = [str(one.layer) for one in info.layers if one.variance is not None and one.n_kept <= left]
    if not lacking:
        return []
    at = f"At layer {', '.join(lacking)} these words vary in"
    if info.kind == "all-but-the-top":
        return [f"{at} no more than k directions: nothing is left."]
    return [f"{at} fewer than k directions: the other coordinates are 0."]
