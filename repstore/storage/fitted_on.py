"""Which words of a run a transform is fitted on."""

from __future__ import annotations

from dataclasses import dataclass
from operator import index
from typing import Literal, SupportsIndex, get_args

from repstore.errors import ArgumentError, check_choice

Side = Literal["a", "b"]


@dataclass(frozen=True, slots=True)
class FittedOn:
    """Words of a run: those for which all of this holds.

    Attributes:
        where: an SQL condition over the columns of words and their texts.
        side: they stand first (``a``) or second (``b``) in a pair of the corpus.
        split: their text is of this split.
        sample: so many of them, drawn with `seed`; None for all.
        seed: decides the sample; 0 where there is none.
    """

    where: str | None = None
    side: Side | None = None
    split: str | None = None
    sample: int | None = None
    seed: int = 0

    def __str__(self) -> str:
        """Which words, in words."""
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
    seed = whole("seed", seed)
    if seed < 0:
        raise ArgumentError(f"seed is {seed}; it must not be negative.")
    if sample is None:
        return FittedOn(where, side, split)
    sample = whole("sample", sample)
    if sample < 2:
        raise ArgumentError(f"sample is {sample}; fitting needs at least 2 words.")
    return FittedOn(where, side, split, sample, seed)


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
