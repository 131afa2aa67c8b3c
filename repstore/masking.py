"""Masks of dimensions, learned from the labelled pairs of a corpus: transforms of kind ``select``."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial

import numpy as np

from repstore.analysis.fitting import Fitted
from repstore.analysis.standardize import EPSILON, moments
from repstore.errors import NotFoundError, ResultError, did_you_mean
from repstore.spec import Progress
from repstore.storage.fitted_on import FittedOn
from repstore.storage.lookup import Lookup
from repstore.storage.made import ROWS_AT_ONCE
from repstore.storage.opened import Run
from repstore.storage.pairs import ALL, FoundPairs
from repstore.storage.transforms import LayerMap
from repstore.storage.vectors import LayerVectors

DRAWN = 0.2
"""Share of the pairs to select on, where they are drawn from the training split."""


@dataclass(frozen=True, eq=False)
class LabelledPairs:
    """Pairs to learn from and pairs to choose by.

    Attributes:
        rows: which rows of the vectors each pair is. *Shape:* (n_pairs, 2), int64.
        same: whether it has the same sense. *Shape:* (n_pairs,), bool.
        train, select: which pairs are for what; none is for both. *Shape of each:* (n,), int64, ascending.
        notes: what a reader must know of them.
    """

    rows: np.ndarray
    same: np.ndarray
    train: np.ndarray
    select: np.ndarray
    notes: list[str] = field(default_factory=list)

    @property
    def words(self) -> np.ndarray:
        """Rows of the words of the training pairs, each once. *Shape:* (n_words,), int64, ascending."""
        return np.unique(self.rows[self.train])


def labelled_pairs(lookup: Lookup, run: Run, on: FittedOn) -> LabelledPairs:
    """The pairs that a mask is learned from, and no others: those to be tested on are not read.

    Where both splits are the same, lemmas are drawn from it, with the seed, until their pairs are a fifth of
    it: these are the pairs to choose by.

    Raises:
        NotFoundError: no such split.
        ResultError: no labelled pairs, or all of one label, or too few lemmas to draw from.
    """
    assert on.train_on is not None
    assert on.select_on is not None
    splits = [_split(lookup, run, split) for split in dict.fromkeys((on.train_on, on.select_on))]
    found = [np.stack([split.word_a, split.word_b], axis=1) for split in splits]
    word_ids, labels = np.concatenate(found), np.concatenate([split.values == 1 for split in splits])
    of_split = np.repeat(np.arange(len(splits)), list(map(len, found)))
    rows = run.vectors.rows(word_ids)
    there = (rows >= 0).all(axis=1)
    lemmas = _lemmas(lookup, word_ids)[there]
    same, of_split = labels[there], of_split[there]
    is_chosen = of_split == 1 if len(splits) > 1 else _drawn(lemmas, on.seed, on.train_on, run)
    pairs = LabelledPairs(rows[there], same, np.flatnonzero(~is_chosen), np.flatnonzero(is_chosen))
    for split, which in ((on.train_on, pairs.train), (on.select_on, pairs.select)):
        if len(set(same[which])) < 2:
            raise ResultError(
                f'The {len(which):,} pairs of split "{split}" that have vectors in {run.label} do not have '
                "both labels; to choose dimensions, pairs of the same sense and others are needed."
            )
    shared = set(lemmas[pairs.train]) & set(lemmas[pairs.select])
    pairs.notes.append(
        f"Learned from {len(pairs.train):,} pairs, chosen by {len(pairs.select):,}; {len(shared):,} of the "
        f"{len(set(lemmas[pairs.select])):,} lemmas of these are among those learned from."
    )
    if not there.all():
        pairs.notes.append(f"{(~there).sum():,} pairs are left out: a word of theirs has no vector.")
    return pairs


def bytes_to_select(n_pairs: int, d_model: int) -> int:
    """About how much memory it takes to learn the mask of a layer."""
    return (1 << 25) + 16 * n_pairs * d_model


def fitted_masks(
    run: Run, layers: Sequence[int], pairs: LabelledPairs, seed: int, progress: Callable[[Progress], None]
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


def _fitted(vectors: LayerVectors, pairs: LabelledPairs, seed: int, progress: Callable[[], None]) -> Fitted:
    """z-scores by the words of the training pairs, and 0 for the dimensions that are not kept.

    z-scores, since cosines of stored vectors are made by a few huge dimensions: of the others, no choice
    would make a difference.
    """
    from repstore.training.selecting import select_dimensions

    starts = range(0, len(pairs.words), ROWS_AT_ONCE)
    of = moments(vectors.take(pairs.words[start : start + ROWS_AT_ONCE]) for start in starts)
    z_scores = LayerMap(of.mean, (of.std > 0) / (of.std + EPSILON))
    a, b = (z_scores.apply(vectors.take(pairs.rows[:, side])) for side in (0, 1))
    chosen = select_dimensions(a, b, pairs.same, pairs.train, pairs.select, seed=seed, progress=progress)
    kept = chosen.kept & (of.std > 0)
    variances = of.std**2
    share = min(float(variances[kept].sum() / variances.sum()), 1.0) if variances.any() else None
    return Fitted(LayerMap(of.mean, kept * z_scores.scale), int(kept.sum()), share)


def _split(lookup: Lookup, run: Run, split: str) -> FoundPairs:
    """The labelled pairs of a split."""
    splits = lookup.pair_splits(run, "label")
    if split in splits:
        return lookup.pairs(run, "label", split, None)
    lookup.pairs(run, "label", ALL, None)  # refuses a corpus that has none
    hint = did_you_mean(split, splits) if splits else "They are in none, so none would be left to test on."
    raise NotFoundError(
        f'Corpus "{run.info.corpus}" has no labelled pairs in split "{split}". {hint} Say with train_on '
        "which to learn from, and with select_on which to choose by; with the same for both, a fifth of its "
        "pairs is set apart to choose by."
    )


def _lemmas(lookup: Lookup, word_ids: np.ndarray) -> np.ndarray:
    """The lemma of the first word of each pair, or its form. *Shape:* (n_pairs,), str."""
    words = lookup.with_words([{"word_id": word_id} for word_id in word_ids[:, 0].tolist()]).to_pylist()
    return np.array([word["lemma"] or word["form"] for word in words], dtype=np.str_)


def _drawn(lemmas: np.ndarray, seed: int, split: str, run: Run) -> np.ndarray:
    """Which pairs are of the lemmas drawn. *Shape:* (n_pairs,), bool."""
    names, of_pair, counts = np.unique(lemmas, return_inverse=True, return_counts=True)
    if len(names) < 2:
        raise ResultError(
            f'The pairs of split "{split}" that have vectors in {run.label} are of {len(names)} lemma; some '
            "to choose by cannot be set apart. Give another split with select_on."
        )
    order = np.random.default_rng(seed).permutation(len(names))
    n_before = np.cumsum(counts[order]) - counts[order]
    drawn = order[n_before < DRAWN * len(lemmas)][: len(names) - 1]  # one is left to learn from
    is_drawn: np.ndarray = np.isin(of_pair, drawn)
    return is_drawn
