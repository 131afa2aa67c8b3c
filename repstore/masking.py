"""Masks of dimensions, learned from the labelled pairs of a corpus: transforms of kind ``select``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import partial

import numpy as np

from repstore.analysis.fitting import Fitted
from repstore.analysis.standardize import moments_of_rows
from repstore.errors import NotFoundError, ResultError, did_you_mean
from repstore.pair_sides import PairSides, pair_sides
from repstore.spec import Progress
from repstore.storage.fitted_on import FittedOn
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Run
from repstore.storage.transforms import LayerMap
from repstore.storage.vectors import LayerVectors


def pairs_to_select(lookup: Lookup, run: Run, on: FittedOn) -> tuple[PairSides, list[str]]:
    """The pairs that a mask is learned from and chosen by, and what a reader must know of them.

    Raises:
        NotFoundError: no such split.
        ResultError: no labelled pairs, or all of one label, or too few lemmas to draw from.
    """
    assert on.train_on is not None
    assert on.select_on is not None
    known = lookup.labelled_pairs(run).known_splits
    for split in (on.train_on, on.select_on):
        if split not in known:  # nor "all", which leaves none to test on
            hint = (
                did_you_mean(split, known) if known else "They are in none, so none would be left to test on."
            )
            raise NotFoundError(
                f'Corpus "{run.info.corpus}" has no labelled pairs in split "{split}". {hint} Say with '
                "train_on which to learn from, and with select_on which to choose by; with the same for "
                "both, a fifth of its pairs is set apart to choose by."
            )
    pairs = pair_sides(lookup, run, on.train_on, on.select_on, on.seed)
    for split, side in ((on.train_on, pairs.train), (on.select_on, pairs.select)):
        if len(set(side.is_same)) < 2:
            raise ResultError(
                f'The {len(side):,} pairs of split "{split}" that have vectors in {run.label} do not have '
                "both labels; to choose dimensions, pairs of the same sense and others are needed."
            )
    lemmas = np.unique(pairs.select.lemmas[:, 0])
    n_shared = int(np.isin(lemmas, pairs.train.lemmas[:, 0]).sum())
    note = (
        f"Learned from {len(pairs.train):,} pairs, chosen by {len(pairs.select):,}; {n_shared:,} of the "
        f"{len(lemmas):,} lemmas of these are among those learned from."
    )
    return pairs, [note, *pairs.notes]


def bytes_to_select(n_pairs: int, d_model: int) -> int:
    """About how much memory it takes to learn the mask of a layer."""
    return (1 << 25) + 16 * n_pairs * d_model


def fitted_masks(
    run: Run, layers: Sequence[int], pairs: PairSides, seed: int, progress: Callable[[Progress], None]
) -> Iterator[tuple[int, Fitted]]:
    """The masks of some layers, each learned by itself, with another start: so that what masks of several
    layers have in common comes of the layers.

    Raises:
        MissingExtraError: torch is not installed.
    """
    for n, layer in enumerate(layers):
        told = partial(
            progress, Progress(f"Selecting dimensions of layer {layer}", n, len(layers), unit="layers")
        )
        own_seed = int(np.random.SeedSequence([seed, layer]).generate_state(1)[0])
        yield layer, _fitted(run.vectors.layer(layer), pairs, own_seed, told)


def _fitted(vectors: LayerVectors, pairs: PairSides, seed: int, progress: Callable[[], None]) -> Fitted:
    """z-scores by the words of the training pairs, and 0 for the dimensions that are not kept.

    z-scores, since cosines of stored vectors are made by a few huge dimensions: of the others, no choice
    would make a difference.
    """
    from repstore.training.selecting import select_dimensions

    of = moments_of_rows(vectors, pairs.train.words)
    z_scores = LayerMap(of.mean, of.scale)
    rows = np.concatenate([pairs.train.rows, pairs.select.rows])
    is_same = np.concatenate([pairs.train.is_same, pairs.select.is_same])
    train, select = np.split(np.arange(len(rows)), [len(pairs.train)])
    a, b = (z_scores.apply(vectors.take(rows[:, side])) for side in (0, 1))
    chosen = select_dimensions(a, b, is_same, train, select, seed=seed, progress=progress)
    kept = chosen.kept & (of.std > 0)
    variances = of.std**2
    share = min(float(variances[kept].sum() / variances.sum()), 1.0) if variances.any() else None
    return Fitted(LayerMap(of.mean, kept * z_scores.scale), int(kept.sum()), share)
