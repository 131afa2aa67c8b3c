"""Dividing examples for learning, choosing and testing, so that what belongs together stays on one side."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from repstore.errors import ArgumentError, ResultError

SHARES = (0.6, 0.2, 0.2)


@dataclass(frozen=True, eq=False)
class Division:
    """Which examples are for what.

    Attributes:
        train, select, test: to learn from, to choose by, to be tested on. *Shape of each:* (n_train,), ...,
            int64, ascending.
    """

    train: np.ndarray
    select: np.ndarray
    test: np.ndarray

    @property
    def sides(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """The three, in this order."""
        return self.train, self.select, self.test


def divide(
    groups: np.ndarray,
    seed: int,
    *,
    shares: tuple[float, float, float] = SHARES,
    targets: np.ndarray | None = None,
) -> Division:
    """Divide examples by whole groups, such as the words of a lemma or of a text.

    Groups are taken in a random order. Each goes to a side that lacks examples, so that no side is farther
    from its share than the two largest groups have examples: to that which lacks most; the last groups go to
    the sides that are still empty.

    With `targets`, training is served first: class by class, those of the fewest groups first, a group that
    has the class goes there, unless one is there already, as long as there is room. Then a group goes to the
    side that lacks most of its classes, so that classes are as frequent on all sides as can be. Otherwise
    what is more frequent in training is less frequent in the test, and a probe that has nothing to learn from
    scores less than chance: of 60 groups of 3 equal classes 0.27. A class of one group is left to chance:
    wherever it goes, it is not both learned and tested.

    Args:
        groups: of each example. *Shape:* (n,), int64.
        seed: of the order.
        shares: of the examples: for training, selection and test.
        targets: the class of each example, *Shape:* (n,), int64; or which classes, *Shape:* (n, n_classes),
            bool.

    Raises:
        ArgumentError: the shares are not positive or do not add up to 1.
        ResultError: there are fewer than three groups.
    """
    if min(shares) <= 0 or abs(sum(shares) - 1) > 1e-9:
        raise ArgumentError(f"Shares are {shares}. Give three above 0 that add up to 1.")
    names, group_of = np.unique(groups, return_inverse=True)
    if len(names) < len(SHARES):
        raise ResultError(
            f"The {len(groups)} examples are of {len(names)} groups; training, selection and test need one "
            "each. Take more words, or divide them by text instead of lemma."
        )
    sizes = np.bincount(group_of)
    random = np.random.default_rng(seed)
    order = random.permutation(len(names))
    lacks = np.array(shares) * len(groups)
    side_of = np.full(len(names), -1)
    if targets is None:  # one class, that all have
        targets = np.zeros(len(groups), np.int64)
    has = _classes(group_of, targets)
    first = _first(order, has, sizes, lacks[0])
    classes = _Classes(group_of, targets, has.sum(axis=0) > 1, shares, random)
    side_of[first] = 0
    lacks[0] -= sizes[first].sum()
    for group in first:
        classes.took(0, group)
    is_empty = np.array([not first, True, True])
    left = order[side_of[order] < 0]
    for n, group in enumerate(left):
        must_fill = is_empty.any() and is_empty.sum() == len(left) - n
        side = classes.side(group, np.where(is_empty | (not must_fill), lacks, 0))
        side_of[group], is_empty[side] = side, False
        lacks[side] -= sizes[group]
        classes.took(side, group)
    return Division(*(np.flatnonzero(side_of[group_of] == side) for side in range(len(SHARES))))


def held_out(groups: np.ndarray, seed: int, share: float) -> np.ndarray:
    """Which examples are set apart: whole groups, drawn until they have a share of the examples.

    One group is left in any case.

    Args:
        groups: of each example, of two groups at least. *Shape:* (n,), int64.
        seed: of the draw.
        share: of the examples.

    *Shape:* (n,), bool.
    """
    names, group_of, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    order = np.random.default_rng(seed).permutation(len(names))
    n_before = np.cumsum(sizes[order]) - sizes[order]
    drawn = order[n_before < share * len(groups)][: len(names) - 1]
    is_drawn: np.ndarray = np.isin(group_of, drawn)
    return is_drawn


def check_divided(division: Division, groups: np.ndarray, what: str = "groups") -> None:
    """Refuse a division in which what is learned from is also tested on.

    Args:
        division: of examples.
        groups: of each example, one or several. *Shape:* (n,) or (n, n_groups), int64.
        what: they are, in the plural.

    Raises:
        ResultError: a side is empty, an example is on two sides, or a group is.
    """
    sides = dict(zip(("train", "select", "test"), division.sides, strict=True))
    for name, rows in sides.items():
        if not len(rows):
            raise ResultError(f'No examples are in "{name}". Give words for it, or let the words be divided.')
    _refuse_shared("examples", sides)
    _refuse_shared(what, {name: np.unique(groups[rows]) for name, rows in sides.items()})


def _refuse_shared(what: str, sides: dict[str, np.ndarray]) -> None:
    for a, b in (("train", "select"), ("train", "test"), ("select", "test")):
        n_shared = len(np.intersect1d(sides[a], sides[b]))
        if n_shared:
            raise ResultError(
                f'{n_shared} {what} are both in "{a}" and in "{b}", so that what was learned by heart would '
                "count. Give splits that do not overlap, or let the words be divided."
            )


class _Classes:
    """Which side a group goes to, by its classes; those of one group alone do not count."""

    def __init__(
        self,
        group_of: np.ndarray,
        targets: np.ndarray,
        counts: np.ndarray,
        shares: Sequence[float],
        random: np.random.Generator,
    ) -> None:
        """Nobody has any yet. `counts`: which classes do. *Shape:* (n_classes,), bool."""
        examples, classes = targets.nonzero() if targets.ndim == 2 else (np.arange(len(targets)), targets)
        examples, classes = examples[counts[classes]], classes[counts[classes]]
        by_group = np.argsort(group_of[examples], kind="stable")
        ends = np.cumsum(np.bincount(group_of[examples], minlength=int(group_of.max()) + 1))
        # Lists, since most groups are too small for numpy to be fast.
        self._of_group = [of.tolist() for of in np.split(classes[by_group], ends[:-1])]
        self._lacks = np.outer(shares, np.bincount(classes, minlength=1)).tolist()
        self._random = random

    def side(self, group: int, lacks: np.ndarray, /) -> int:
        """That which lacks most of its classes; by chance if it has none that count.

        `lacks`: examples; 0 or less where it may not go. *Shape:* (n_sides,).
        """
        classes = self._of_group[group]
        if not classes:
            chances = np.maximum(lacks, 0)
            return int(self._random.choice(len(SHARES), p=chances / chances.sum()))
        lacking = [sum(of_side[one] for one in classes) for of_side in self._lacks]
        return max(np.flatnonzero(lacks > 0).tolist(), key=lambda side: (lacking[side], lacks[side]))

    def took(self, side: int, group: int) -> None:
        """A group went to a side."""
        for one in self._of_group[group]:
            self._lacks[side][one] -= 1


def _classes(group_of: np.ndarray, targets: np.ndarray) -> np.ndarray:
    """Which classes each group has. *Shape:* (n_groups, n_classes), bool."""
    n_classes = targets.shape[1] if targets.ndim == 2 else int(targets.max()) + 1
    has = np.zeros((int(group_of.max()) + 1, n_classes), bool)
    examples, classes = targets.nonzero() if targets.ndim == 2 else (np.arange(len(targets)), targets)
    has[group_of[examples], classes] = True
    return has


def _first(order: np.ndarray, has: np.ndarray, sizes: np.ndarray, room: float) -> list[int]:
    """The groups that training is served first, so that every class of several groups is in it.

    Args:
        order: the groups, in the order they are taken. *Shape:* (n_groups,), int64.
        has: which classes each has. *Shape:* (n_groups, n_classes), bool.
        sizes: examples of each. *Shape:* (n_groups,), int64.
        room: examples that training takes.
    """
    n_groups = has.sum(axis=0)
    chosen: list[int] = []
    is_there = np.zeros(len(n_groups), bool)
    for label in np.argsort(n_groups, kind="stable"):
        if n_groups[label] < 2 or is_there[label]:
            continue
        if room <= 0 or len(chosen) >= len(order) - 2:
            break
        group = int(order[has[order, label].argmax()])
        chosen.append(group)
        is_there |= has[group]
        room -= sizes[group]
    return chosen
