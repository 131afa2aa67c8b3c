"""Fitting transforms, listing and removing them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

import numpy as np
import pyarrow as pa

from repstore.analysis.fitting import COUNTING, OWN_AXES, bytes_to_fit, fit
from repstore.errors import ArgumentError, ResultError, StoreDamagedError, check_choice
from repstore.results import ResultTable
from repstore.spec import MEMORY, Progress, TransformKind
from repstore.storage import transforms
from repstore.storage.layout import TransformLayout
from repstore.storage.lock import writing
from repstore.storage.lookup import Lookup, looking_up
from repstore.storage.opened import Layers, Run
from repstore.storage.runs import open_store
from repstore.storage.transforms import FittedOn, LayerMap, TransformInfo, check_name

Side = Literal["a", "b"]


def fit_transform(
    store: str | Path,
    name: str,
    *,
    kind: TransformKind,
    k: int | None = None,
    run: str | None = None,
    layer: Layers = "all",
    where: str | None = None,
    side: Side | None = None,
    split: str | None = None,
    sample: int | None = None,
    seed: int = 0,
    memory: int = MEMORY,
    progress: Callable[[Progress], None] = lambda _: None,
) -> ResultTable:
    """Fit a transform of each of some layers of a run, and keep it under a name, with the words fitted on.

    It is frozen: fitted again as it was, nothing is done; otherwise it has to be dropped first. Ask through
    it with `Store.transformed`, or on the command line with ``--transform NAME``.

    Args:
        store: folder of the store.
        name: what it will be called: letters, digits, ``.``, ``_`` and ``-``.
        kind: which (`analysis.fitting.fit`).
        k: how many directions ``all-but-the-top`` removes, or ``pca`` keeps.
        run: a run; not needed if the store has one.
        layer: a layer, several, or "all".
        where: only words for which this SQL condition over the columns of words and their texts holds.
        side: only words that stand first (``a``) or second (``b``) in a pair of the corpus, each once.
        split: only words whose text is of this split.
        sample: only so many of these words, drawn with `seed`.
        seed: decides the sample.
        memory: most bytes that fitting a layer may take.
        progress: told how many layers are done.

    Returns:
        One row per layer: run, transform, layer, kind, width (of a mapped vector), n_kept (dimensions or
        directions that are left) and variance (share of it that lies in them, null if there is none).

    Raises:
        ArgumentError: an argument cannot be used, or there is another transform of that name.
        NotFoundError: no such run or layer.
        ResultError: too few words to fit on.
        QueryError: `where` is not a condition on words.
        StoreLockedError: another process is writing to the store.
    """
    on = FittedOn(where, side, split, sample, seed)
    _check(name, kind, k, on)
    layout = open_store(Path(store).absolute())
    with writing(layout), looking_up(layout) as lookup:
        opened = lookup.run(run)
        layers = sorted(opened.layers(layer))
        place = opened.folder.transform(name)
        about = {
            "kind": kind,
            "k": k,
            "run_id": opened.info.run_id,
            "own_axes": kind in OWN_AXES,
            "fitted_on": on,
            "parts": opened.parts,
        }
        info = _known(place, opened, layers, about)
        if info is not None:
            return _fitted(opened, info, ["It was there already: nothing was done."])
        rows = _rows(lookup, opened, kind, k, on)
        _check_size(opened, kind, k, memory)
        maps = _maps(opened, layers, rows, kind, k, progress)
        info = transforms.write_transform(place, opened.vectors.word_ids[rows], maps, about)
    return _fitted(opened, info, [])


def list_transforms(store: str | Path) -> ResultTable:
    """The transforms of a store.

    Returns:
        One row per transform: run, transform (its name), kind, k, state, n_layers, n_words (fitted on), words
        (which), bytes. The state is "current"; "stale": fitted while the run had other parts, and used as it
        is; or "damaged": not used.
    """
    layout = open_store(Path(store).absolute())
    with looking_up(layout) as lookup:
        runs = [lookup.run(run_id) for run_id in lookup.labels]
    rows = [_row(run, place) for run in runs for place in run.folder.transform_layouts()]
    return ResultTable(pa.Table.from_pylist(rows, COLUMNS), f"Transforms of {layout.root}")


def drop_transform(store: str | Path, name: str, *, run: str | None = None) -> bool:
    """Remove a transform of a run. Vectors are not touched.

    Returns:
        Whether there was one.
    """
    check_name(name)
    layout = open_store(Path(store).absolute())
    with writing(layout), looking_up(layout) as lookup:
        return transforms.drop_transform(lookup.run(run).folder.transform(name))


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


def _check(name: str, kind: TransformKind, k: int | None, on: FittedOn) -> None:
    check_name(name)
    check_choice("kind", kind, get_args(TransformKind))
    if kind in COUNTING and (not isinstance(k, int) or k < 1):
        raise ArgumentError(f"k is {k}; {kind} takes a number of directions, at least 1.")
    if kind not in COUNTING and k is not None:
        raise ArgumentError(f"k is {k}; {kind} takes none. Leave it out.")
    if on.side is not None:
        check_choice("side", on.side, get_args(Side))
    if on.sample is not None and on.sample < 2:
        raise ArgumentError(f"sample is {on.sample}; fitting needs at least 2 words.")
    if on.seed < 0:
        raise ArgumentError(f"seed is {on.seed}; it must not be negative.")


def _known(
    place: TransformLayout, run: Run, layers: Sequence[int], about: dict[str, Any]
) -> TransformInfo | None:
    """The transform, if it is there as it is asked for and sound; None if it is to be fitted.

    Raises:
        ArgumentError: another one is there.
    """
    try:
        info = transforms.read_info(place) if place.info.exists() else None
    except StoreDamagedError:
        return None  # it is fitted anew
    if info is None:
        return None
    asked = about | {"layers": layers}
    there = {key: getattr(info, key) for key in about} | {"layers": [one.layer for one in info.layers]}
    differs = [key for key in asked if asked[key] != there[key] and key != "own_axes"]
    if differs:
        names = ", ".join(differs).replace("fitted_on", "words")
        raise ArgumentError(
            f'{run.label} has a frozen transform "{place.name}" that was fitted otherwise ({names}). Take '
            f'another name, or remove it: "repstore transform drop STORE {place.name} --run {run.label}".'
        )
    return None if transforms.is_damaged(place, info) else info


def _rows(lookup: Lookup, run: Run, kind: TransformKind, k: int | None, on: FittedOn) -> np.ndarray:
    """The rows of the words to fit on. *Shape:* (n_words,), int64, ascending."""
    rows = run.vectors.rows(lookup.matching(run, on.where, side=on.side, split=on.split))
    rows = np.unique(rows[rows >= 0])
    if on.sample is not None and on.sample < len(rows):
        drawn = np.random.default_rng(on.seed).choice(len(rows), on.sample, replace=False)
        rows = rows[np.sort(drawn)]
    if len(rows) <= max(k or 0, 1):
        raise ResultError(
            f"{run.label} has {len(rows):,} words with vectors that fit ({_said(on)}); {kind} needs at least "
            f"{max(k or 0, 1) + 1:,}."
        )
    return rows


def _check_size(run: Run, kind: TransformKind, k: int | None, memory: int) -> None:
    d_model = run.info.spec.model.d_model
    if k is not None and k > d_model - (kind == "all-but-the-top"):
        raise ArgumentError(f"k is {k}, but vectors of {run.label} have {d_model} dimensions.")
    needed = bytes_to_fit(kind, d_model)
    if needed > memory:
        raise ArgumentError(
            f"Fitting {kind} takes about {needed / 1e9:.2f} GB of memory, and {memory / 1e9:.2f} GB are "
            "allowed. Allow more with memory."
        )


def _maps(
    run: Run,
    layers: Sequence[int],
    rows: np.ndarray,
    kind: TransformKind,
    k: int | None,
    progress: Callable[[Progress], None],
) -> Iterator[tuple[int, LayerMap, int, float | None]]:
    for n, layer in enumerate(layers):
        progress(Progress(f"Fitting layer {layer}", n, len(layers), unit="layers"))
        fitted = fit(run.vectors.layer(layer), rows, kind, k)
        yield layer, fitted.map, fitted.n_kept, fitted.variance


def _fitted(run: Run, info: TransformInfo, notes: Sequence[str]) -> ResultTable:
    """What was fitted, layer by layer."""
    about = {"run": run.label, "transform": info.name, "kind": info.kind}
    rows = [
        about | {"layer": one.layer, "width": one.width, "n_kept": one.n_kept, "variance": one.variance}
        for one in info.layers
    ]
    notes = list(notes)
    constant = [str(one.layer) for one in info.layers if one.variance is None]
    if constant:
        notes.append(f"All these words have one vector at layer {', '.join(constant)}.")
    d_model = run.info.spec.model.d_model
    if info.kind == "whiten" and info.n_words <= d_model:
        notes.append(
            f"With {info.n_words:,} words in {d_model:,} dimensions, whitening makes all of them equally far "
            "from each other. Fit on more words."
        )
    how = info.kind + (f", k {info.k}" if info.k else "")
    return ResultTable(
        pa.Table.from_pylist(rows, FITTED),
        f'Transform "{info.name}" of {run.label}: {how}, on {info.n_words:,} words ({_said(info.fitted_on)})',
        units={"n_kept": "dimensions or directions", "variance": "share of it in these"},
        provenance={"run": info.run_id, "transform": info.name, "digest": info.digest},
        notes=notes,
    )


def _row(run: Run, place: TransformLayout) -> dict[str, Any]:
    about = {"run": run.label, "transform": place.name}
    try:
        info = transforms.read_info(place)
    except StoreDamagedError:
        return about | {"state": "damaged"}
    state = "current" if info.is_of(run.parts) else "stale"
    return about | {
        "kind": info.kind,
        "k": info.k,
        "state": "damaged" if transforms.is_cut(place, info) else state,
        "n_layers": len(info.layers),
        "n_words": info.n_words,
        "words": _said(info.fitted_on),
        "bytes": info.n_bytes,
    }


def _said(on: FittedOn) -> str:
    """Which words, in words."""
    parts = [f"where {on.where}"] if on.where is not None else []
    parts += [f"side {on.side}"] if on.side is not None else []
    parts += [f"split {on.split}"] if on.split is not None else []
    parts += [f"sample {on.sample:,}, seed {on.seed}"] if on.sample is not None else []
    return "; ".join(parts) or "all"
