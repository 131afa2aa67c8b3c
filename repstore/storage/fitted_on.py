"""Which words of a run a transform is fitted on, or which pairs of words."""

from __future__ import annotations

from dataclasses import dataclass
from operator import index
from typing import Literal, SupportsIndex, get_args

from repstore.errors import ArgumentError, check_choice

Side = Literal["a", "b"]
"""Words that stand first in a pair, or second."""


@dataclass(frozen=True, slots=True)
class FittedOn:
    """Words of a run: those for which all of this holds; or those of pairs of its corpus.

    Attributes:
        where: an SQL condition over the columns of words and their texts.
        side: they stand first (``a``) or second (``b``) in a pair of the corpus.
        split: their text is of this split.
        sample: so many of them, drawn with `seed`; None for all.
        seed: decides the sample, and what is random in learning from pairs; 0 where there is neither.
        train_on: they are of labelled pairs of this split.
        select_on: split of the pairs by which what was learned is chosen; where it is the same, some of its
            lemmas.
    """

    where: str | None = None
    side: Side | None = None
    split: str | None = None
    sample: int | None = None
    seed: int = 0
    train_on: str | None = None
    select_on: str | None = None

    def __str__(self) -> str:
        """Which words, in words."""
        if self.train_on is not None:
            return f"pairs of {self.train_on}, selected on {self.select_on}; seed {self.seed}"
        parts = [f"where {self.where}"] if self.where is not None else []
        parts += [f"side {self.side}"] if self.side is not None else []
        parts += [f"split {self.split}"] if self.split is not None else []
        parts += [f"sample {self.sample:,}, seed {self.seed}"] if self.sample is not None else []
        return "; ".join(parts) or "all"


def fitted_on(
    where: str | None, side: Side | None, split: str | None, sample: int | None, seed: int
) -> FittedOn:
    """What a user asks for, checked as far as it can be without the store; a seed of no sample says nothing.

    Raises:
        ArgumentError: there is no such side, or sample or seed are no such numbers.
    """
    if side is not None:
        check_choice("side", side, get_args(Side))
    seed = _checked_seed(seed)
    if sample is None:
        return FittedOn(where, side, split)
    sample = whole("sample", sample)
    if sample < 2:
        raise ArgumentError(f"sample is {sample}; fitting needs at least 2 words.")
    return FittedOn(where, side, split, sample, seed)


def fitted_on_pairs(train_on: str, select_on: str, seed: int) -> FittedOn:
    """Pairs that a user asks for, checked as far as it can be without the store.

    Raises:
        ArgumentError: seed is no such number.
    """
    return FittedOn(seed=_checked_seed(seed), train_on=str(train_on), select_on=str(select_on))


def _checked_seed(seed: int) -> int:
    seed = whole("seed", seed)
    if seed < 0:
        raise ArgumentError(f"seed is {seed}; it must not be negative.")
    return seed


def whole(name: str, given: SupportsIndex) -> int:
    """A whole number of Python or numpy as one of Python, which JSON can hold.

    Raises:
        ArgumentError: it is none.
    """
    try:
        if isinstance(given, bool):
            raise TypeError
        return index(given)
    except TypeError:
        raise ArgumentError(f"{name} is {given!r}; it has to be a whole number.") from None
