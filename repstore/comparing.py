"""`Store.compare`: how alike the layers of runs are."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import pyarrow as pa

from repstore.analysis.aligned import Aligned
from repstore.analysis.space import space_of
from repstore.errors import ArgumentError, ResultError
from repstore.results import Figure, ResultTable
from repstore.sampling import meeting, sampled
from repstore.similarities import DEFAULTS, LEAST, NAMES, Comparison, similarities, unit_of
from repstore.spec import Frame, LayerKey, Progress
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers, Run, lasting


def compare_layers(
    lookup: Lookup,
    runs: Sequence[Run],
    layers: Layers,
    asked: Comparison,
    progress: Callable[[Progress], None],
) -> ResultTable:
    """Every layer of a run against every layer of it or of a second, as `Store.compare` returns it."""
    if len(runs) > 2:
        raise ArgumentError(f"{len(runs)} runs are given. Compare two, or the layers of one.")
    first, second = runs[0], runs[-1]
    layers = lasting(layers)
    across, up = first.layers(layers), second.layers(layers)
    common = _common(lookup, first, second, asked.where)
    word_ids = sampled(common, asked.sample, asked.seed)
    of_first = _aligned(first, across, word_ids, asked.standardize)
    of_second = None if second is first else _aligned(second, up, word_ids, asked.standardize)
    values, notes = similarities(of_first, of_second, asked, progress)
    best = _best(values, across, up, is_self=second is first)
    table = pa.table(
        {
            "layer_a": np.repeat(across, len(up)),
            "layer_b": np.tile(up, len(across)),
            asked.metric: pa.array(values.ravel(), from_pandas=True),  # none is null
            "best": best.ravel(),
        }
    )
    between = first.label if second is first else f"{first.label} (a) and {second.label} (b)"
    of_all = "" if len(word_ids) == len(common) else f" of {len(common):,}"
    return ResultTable(
        table,
        f"{NAMES[asked.metric]} between the layers of {between} over {len(word_ids):,}{of_all} words"
        + ("" if asked.where is None else f" where {asked.where}"),
        units={asked.metric: unit_of(asked)},
        provenance={
            "runs": [run.info.run_id for run in runs],
            "run_a": first.label,
            "run_b": second.label,
            "metric": asked.metric,
            **{name: asked.option(name) for name in DEFAULTS.get(asked.metric, {})},
            "standardize": asked.standardize,
            "where": asked.where,
            "n_words": len(word_ids),
            "n_common": len(common),
            "sample": asked.sample,
            "seed": asked.seed,
        },
        figure=Figure("matrix", "layer_a", asked.metric, "layer_b", mark="best"),
        notes=[*notes, *_empty_notes(values, of_first, of_second or of_first)],
    )


def _common(lookup: Lookup, first: Run, second: Run, where: str | None) -> np.ndarray:
    """Words with vectors in both runs for which a condition holds. *Shape:* (n_words,), int64, ascending."""
    common = np.intersect1d(first.vectors.word_ids, second.vectors.word_ids, assume_unique=True)
    if not len(common):
        over = f"they are over {first.info.corpus} and {second.info.corpus}; compare runs over one corpus"
        if first.info.spec.corpus_id == second.info.spec.corpus_id:
            over = "what one has, the other skipped or has not reached yet"
        raise ResultError(f"{first.label} and {second.label} have no words in common: {over}.")
    common = meeting(lookup, first, common, where)
    if len(common) < LEAST:
        such = "" if where is None else f" for which {where} holds"
        raise ResultError(
            f"Comparing layers needs at least {LEAST} words in common{such}; there are {len(common)}."
        )
    return common


def _aligned(run: Run, layers: Sequence[LayerKey], word_ids: np.ndarray, standardize: Frame) -> list[Aligned]:
    rows = run.vectors.rows(word_ids)
    vectors = [run.vectors.layer(layer) for layer in layers]
    return [Aligned(layer, rows, space_of(layer, standardize)) for layer in vectors]


def _best(
    values: np.ndarray, across: Sequence[LayerKey], up: Sequence[LayerKey], *, is_self: bool
) -> np.ndarray:
    """Whether layer_a is, of its run, the most like layer_b; of one run, the most like of the others.

    *Shape:* as `values`, bool; True once in every column that has a value.
    """
    candidates = np.where(np.isnan(values), -np.inf, values)
    if is_self:
        candidates[np.equal.outer(across, up)] = -np.inf
    best = np.zeros(values.shape, bool)
    best[candidates.argmax(axis=0), np.arange(len(up))] = True
    return best & np.isfinite(candidates)


def _empty_notes(values: np.ndarray, first: Sequence[Aligned], second: Sequence[Aligned]) -> list[str]:
    """Why there is no value where there is none."""
    sides = (
        [(" (a)", first, values), (" (b)", second, values.T)]
        if second is not first
        else [("", first, values)]
    )
    notes = []
    for side, layers, rows in sides:
        empty = [words for words, row in zip(layers, rows, strict=True) if np.isnan(row).all()]
        flat = [words.vectors.layer for words in empty if words.is_flat]
        near = [words.vectors.layer for words in empty if words.vectors.layer not in flat]
        for numbers, why in (
            (flat, "all words have one vector"),
            (near, "its words differ too little"),
        ):
            if numbers:
                notes.append(f"No value at layer {', '.join(map(str, numbers))}{side}: {why}.")
    return notes
