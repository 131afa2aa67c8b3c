"""The labelled pairs of a run that something is learned from, and those by which it is chosen."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repstore.analysis.divisions import held_out
from repstore.analysis.labelled import LabelledRows
from repstore.errors import NotFoundError, ResultError, did_you_mean
from repstore.storage.labelled_pairs import LabelledPairs
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Run
from repstore.storage.pairs import ALL

DRAWN = 0.2
"""Share of the pairs to choose by, where they are drawn from those of one split."""


@dataclass(frozen=True, eq=False)
class PairSides:
    """Pairs whose words have vectors; none is on both sides.

    Attributes:
        train, select: to learn from, and to choose by.
        n_missing: pairs of these splits that are left out: a word of theirs has no vector.
    """

    train: LabelledRows
    select: LabelledRows
    n_missing: int

    @property
    def notes(self) -> list[str]:
        """What a reader must know of pairs that are left out."""
        if not self.n_missing:
            return []
        return [f"{self.n_missing:,} pairs are left out: a word of theirs has no vector."]


def pair_sides(lookup: Lookup, run: Run, train_on: str, select_on: str, seed: int) -> PairSides:
    """The pairs of two splits, and no others: those to be tested on are not read.

    Where both are the same, lemmas are drawn from it, with the seed, until their pairs are a fifth of it:
    these are the pairs to choose by. The lemma of a pair is that of its first word.

    Args:
        lookup: of the store.
        run: whose vectors are learned from.
        train_on, select_on: splits; "all" for every pair.
        seed: of the draw.

    Raises:
        NotFoundError: no such split.
        ResultError: the corpus has no labelled pairs, or too few lemmas to draw from.
    """
    found = lookup.labelled_pairs(run)
    splits = [_of_split(found, run, split) for split in dict.fromkeys((train_on, select_on))]
    sides = [LabelledRows(run.vectors.rows(pairs.words), pairs.lemmas, pairs.same) for pairs in splits]
    kept = [side.where(np.all(side.rows >= 0, axis=1)) for side in sides]
    n_missing = sum(map(len, sides)) - sum(map(len, kept))
    if len(kept) == 2:
        return PairSides(kept[0], kept[1], n_missing)
    both = kept[0]
    lemmas = both.lemmas[:, 0]
    if (n_lemmas := len(np.unique(lemmas))) < 2:
        raise ResultError(
            f'The pairs of split "{train_on}" that have vectors in {run.label} are of {n_lemmas} lemma; some '
            "to choose by cannot be set apart. Give another split with select_on."
        )
    is_drawn = held_out(lemmas, seed, DRAWN)
    return PairSides(both.where(~is_drawn), both.where(is_drawn), n_missing)


def _of_split(found: LabelledPairs, run: Run, split: str) -> LabelledPairs:
    if split == ALL:
        return found
    pairs = found.where(found.splits == split)
    if not len(pairs.words):
        known = [*found.known_splits, ALL]
        raise NotFoundError(
            f'Corpus "{run.info.corpus}" has no labelled pairs in split "{split}". '
            f"{did_you_mean(split, known)}"
        )
    return pairs
