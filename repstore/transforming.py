"""Fitting transforms, listing, showing and removing them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, get_args

import numpy as np

from repstore import keeping, masking
from repstore.analysis.fitting import COUNTING, OWN_AXES, Fitted, bytes_to_fit, fit
from repstore.errors import (
    ArgumentError,
    NotFoundError,
    ResultError,
    check_choice,
    did_you_mean,
)
from repstore.mask_tables import table_of_masks
from repstore.results import ResultTable
from repstore.sampling import sampled
from repstore.spec import MEMORY, Progress, TransformKind
from repstore.storage.catalog import Catalog
from repstore.storage.fitted_on import FittedOn, Side, fitted_on, fitted_on_pairs, whole
from repstore.storage.frozen import check_name
from repstore.storage.lock import writing
from repstore.storage.lookup import Lookup, looking_up
from repstore.storage.opened import Layers, Run
from repstore.storage.runs import open_store
from repstore.storage.transformed import TransformedVectors, through
from repstore.storage.transforms import TransformInfo, read_info, write_transform
from repstore.transform_tables import table_of_all, table_of_fitted

SPLITS_OF = """
SELECT DISTINCT split FROM texts WHERE corpus_id = $corpus_id AND split IS NOT NULL ORDER BY split
"""


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
    train_on: str | None = None,
    select_on: str | None = None,
    memory: int = MEMORY,
    progress: Callable[[Progress], None] = lambda _: None,
) -> ResultTable:
    """Fit a transform of each of some layers of a run, and keep it under a name, with the words fitted on.

    It is frozen: fitted again as it was, nothing is done; otherwise it has to be dropped first. Ask through
    it with `Store.transformed`, or on the command line with ``--transform NAME``.

    Args:
        store: folder of the store.
        name: what it will be called: letters, digits, ``.``, ``_`` and ``-``.
        kind: which (`analysis.fitting.fit`); ``select`` learns from labelled pairs which dimensions tell
            senses apart (`training.selecting`), standardizes by the words of these, and drops the others.
        k: how many directions ``all-but-the-top`` removes, or ``pca`` keeps.
        run: a run; not needed if the store has one.
        layer: a layer, several, or "all".
        where: only words for which this SQL condition over the columns of words and their texts holds.
        side: only words that stand first (``a``) or second (``b``) in a pair of the corpus, each once.
        split: only words whose text is of this split.
        sample: only so many of these words, drawn with `seed`.
        seed: decides the sample, and what is random in learning.
        train_on: split of the pairs that ``select`` learns from; "train" unless given. Words are theirs:
            `where`, `side`, `split` and `sample` are of the other kinds.
        select_on: split of the pairs by which it chooses among masks; "dev" unless given. Where it is the
            same, a fifth of the pairs is set apart for it, by lemmas drawn with `seed`.
        memory: most bytes that fitting a layer may take.
        progress: told how many layers are done.

    Returns:
        One row per layer: run, transform, layer, kind, width (of a mapped vector), n_kept (dimensions or
        directions that are left) and variance (share of it that lies in them, null if there is none).

    Raises:
        ArgumentError: an argument cannot be used, or there is another transform of that name.
        NotFoundError: no such run, layer or split.
        ResultError: too few words to fit on, or no labelled pairs of both kinds.
        MissingExtraError: ``select`` needs torch, which is not installed.
        QueryError: `where` is not a condition on words.
        StoreDamagedError: there is a transform of that name, and what it was is damaged.
        StoreError: the disk is full, above all; then nothing is kept.
        StoreLockedError: another process is writing to the store.
    """
    check_name("transform", name)
    k = _directions(kind, k)
    if kind == "select":
        _check_unused(kind, where=where, side=side, split=split, sample=sample)
        on = fitted_on_pairs(train_on or "train", select_on or "dev", seed)
    else:
        _check_unused(kind, train_on=train_on, select_on=select_on)
        on = fitted_on(where, side, split, sample, seed)
    layout = open_store(Path(store).absolute())
    with writing(layout), closing(Catalog(layout)) as catalog:
        lookup = Lookup(layout, catalog)
        opened = lookup.run(run)
        layers = sorted(opened.stored_layers(layer, "Transforms"))
        place = opened.folder.frozen("transform", name)
        about = {
            "kind": kind,
            "k": k,
            "run_id": opened.info.run_id,
            "own_axes": kind in OWN_AXES,
            "fitted_on": on,
            "parts": opened.parts,
        }
        info = keeping.as_it_was(place, opened, read_info, lambda info: _otherwise(info, about, layers))
        if info is not None:
            return table_of_fitted(opened, info, ["It was there already: nothing was done."])
        if split is not None:
            _check_split(catalog, opened, split)
        words, notes, maps = _to_fit(lookup, opened, layers, kind, k, on, memory, progress)
        files = ((layer, one.map, one.n_kept, one.variance) for layer, one in maps)
        info = write_transform(place, words, files, about)
    return table_of_fitted(opened, info, notes)


def list_transforms(store: str | Path) -> ResultTable:
    """The transforms of a store.

    Returns:
        One row per transform: run, transform (its name), kind, k, state, n_layers, n_words (fitted on), words
        (which), bytes. The state is "current"; "stale": the run has more or other vectors since, and it is
        used as it is; or "damaged": its JSON file is not as it was written, or another one is missing or of
        another size; that every byte is right, `repstore.verify` says.
    """
    layout = open_store(Path(store).absolute())
    with looking_up(layout) as lookup:
        return table_of_all(layout, [lookup.run(run_id) for run_id in lookup.labels])


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
        return table_of_masks(seen, {layer: seen.vectors.layer(layer).map for layer in seen.vectors.layers})


def drop_transform(store: str | Path, name: str, *, run: str | None = None) -> bool:
    """Remove a transform of a run. Vectors are not touched.

    Returns:
        Whether there was one.
    """
    return keeping.drop(store, "transform", name, run)


def _directions(kind: TransformKind, k: int | None) -> int | None:
    """How many directions a kind is to take, if it takes any.

    Raises:
        ArgumentError: there is no such kind, or `k` does not go with it.
    """
    check_choice("kind", kind, get_args(TransformKind))
    if kind not in COUNTING:
        if k is not None:
            raise ArgumentError(f"k is {k}; {kind} takes none. Leave it out.")
        return None
    n = None if k is None else whole("k", k)
    if n is None or n < 1:
        raise ArgumentError(f"k is {n}; {kind} takes a number of directions, at least 1.")
    return n


def _otherwise(info: TransformInfo, about: dict[str, Any], layers: Sequence[int]) -> list[str]:
    """What differs from how a transform was fitted."""
    asked = about | {"layers": layers}
    there = {key: getattr(info, key) for key in about} | {"layers": [one.layer for one in info.layers]}
    differs = [key for key in asked if asked[key] != there[key] and key not in ("own_axes", "parts")]
    return ["words" if key == "fitted_on" else key for key in differs]


def _check_split(catalog: Catalog, run: Run, split: str) -> None:
    """Refuse a split that no text of the corpus is of.

    Raises:
        NotFoundError: it is one.
    """
    splits = catalog.query(SPLITS_OF, {"corpus_id": run.info.spec.corpus_id})["split"].to_pylist()
    if split not in splits:
        hint = did_you_mean(str(split), splits) if splits else "They are in none; leave it out."
        raise NotFoundError(f'No text of corpus "{run.info.corpus}" is in split "{split}". {hint}')


def _rows(lookup: Lookup, run: Run, kind: TransformKind, k: int | None, on: FittedOn) -> np.ndarray:
    """The rows of the words to fit on. *Shape:* (n_words,), int64, ascending."""
    rows = run.vectors.rows(lookup.matching(run, on.where, side=on.side, split=on.split))
    rows = np.unique(rows[rows >= 0])
    rows = sampled(rows, on.sample, on.seed)
    if len(rows) <= max(k or 0, 1):
        raise ResultError(
            f"{run.label} has {len(rows):,} words with vectors that fit ({on}); {kind} needs at least "
            f"{max(k or 0, 1) + 1:,}."
        )
    return rows


def _check_unused(kind: TransformKind, **given: object) -> None:
    """Refuse arguments that do not go with a kind.

    Raises:
        ArgumentError: there are some.
    """
    unused = [name for name, value in given.items() if value is not None]
    if unused:
        what = "labelled pairs" if kind == "select" else "words"
        instead = "train_on and select_on" if kind == "select" else "where, side, split and sample"
        raise ArgumentError(
            f"{kind} is fitted on {what}, of which {instead} say which. Leave out {' and '.join(unused)}."
        )


def _d_model(run: Run) -> int:
    return run.info.spec.model.d_model


def _check_directions(run: Run, kind: TransformKind, k: int | None) -> None:
    d_model = _d_model(run)
    most = d_model - (kind == "all-but-the-top")  # which would leave nothing
    if k is not None and k > most:
        raise ArgumentError(
            f"k is {k}, but vectors of {run.label} have {d_model} dimensions; {kind} takes at most {most}."
        )


def _check_memory(kind: TransformKind, needed: int, memory: int) -> None:
    if needed > memory:
        raise ArgumentError(
            f"Fitting {kind} takes about {needed / 1e9:.2f} GB of memory, and {memory / 1e9:.2f} GB are "
            "allowed. Allow more with memory."
        )


def _to_fit(
    lookup: Lookup,
    run: Run,
    layers: Sequence[int],
    kind: TransformKind,
    k: int | None,
    on: FittedOn,
    memory: int,
    progress: Callable[[Progress], None],
) -> tuple[np.ndarray, list[str], Iterator[tuple[int, Fitted]]]:
    """Ids of the words to fit on, ascending; what is to be said of them; and what fits layer after layer."""
    if kind == "select":
        pairs, notes = masking.pairs_to_select(lookup, run, on)
        n_pairs = len(pairs.train) + len(pairs.select)
        _check_memory(kind, masking.bytes_to_select(n_pairs, _d_model(run)), memory)
        masks = masking.fitted_masks(run, layers, pairs, on.seed, progress)
        return run.vectors.word_ids[pairs.train.words], notes, masks
    rows = _rows(lookup, run, kind, k, on)
    _check_directions(run, kind, k)
    _check_memory(kind, bytes_to_fit(kind, _d_model(run)), memory)
    return run.vectors.word_ids[rows], [], _fitted(run, layers, rows, kind, k, progress)


def _fitted(
    run: Run,
    layers: Sequence[int],
    rows: np.ndarray,
    kind: TransformKind,
    k: int | None,
    progress: Callable[[Progress], None],
) -> Iterator[tuple[int, Fitted]]:
    for n, layer in enumerate(layers):
        progress(Progress(f"Fitting layer {layer}", n, len(layers), unit="layers"))
        yield layer, fit(run.vectors.layer(layer), rows, kind, k)
