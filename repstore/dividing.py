"""Which examples of a task train, choose and test: by lemma or by text, drawn or as the corpus says."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

import numpy as np

from repstore.analysis.divisions import Division, check_divided, divide
from repstore.errors import ArgumentError, NotFoundError, ResultError, check_choice, did_you_mean
from repstore.spec import SplitBy
from repstore.tasks import Task


@dataclass(frozen=True, slots=True)
class Dividing:
    """How examples are divided.

    Attributes:
        split_by: no lemma, or no text, is both in training and in the test; None: lemma, where that can be.
        train_on, select_on, evaluate_on: splits of the corpus; None: drawn.
    """

    split_by: SplitBy | None
    train_on: str | None
    select_on: str | None
    evaluate_on: str | None

    def __post_init__(self) -> None:
        if self.split_by is not None:
            check_choice("split_by", self.split_by, get_args(SplitBy))
        if (self.train_on is None) != (self.evaluate_on is None):
            raise ArgumentError("train_on and evaluate_on go together: give both splits, or none.")
        if self.select_on is not None and self.train_on is None:
            raise ArgumentError("select_on is a split beside train_on and evaluate_on. Give all three.")
        given = [split for split in (self.train_on, self.select_on, self.evaluate_on) if split is not None]
        if len(set(given)) < len(given):
            raise ArgumentError(
                f"Splits {', '.join(given)} overlap: what is tested must not train or choose. Give different "
                "ones, or none, and they are drawn."
            )


@dataclass(frozen=True, eq=False)
class Plan:
    """How the examples are divided for one seed.

    Attributes:
        seed: which.
        strict: for the score: no lemma on two sides, if that is asked for.
        loose: for the score without it, and for control tasks, which can be learned only if word types are
            on both sides. The same as `strict` if lemmas are not asked to be apart.
    """

    seed: int
    strict: Division
    loose: Division


def splits_by(task: Task, dividing: Dividing) -> SplitBy:
    """By what examples are divided.

    Raises:
        ArgumentError: by lemma, where that cannot be.
        ResultError: by lemma, where every class is of one lemma.
    """
    by = dividing.split_by
    if task.by_text_since is not None:
        if by == "lemma":
            raise ArgumentError(f"{task.by_text_since} Divide by text (--split-by text), or leave it out.")
        return "text"
    if by == "text":
        return "text"
    if len(np.unique(task.lemmas)) < 3:
        raise ResultError(
            "There are fewer than three lemmas, too few to keep apart in training, choice and test. Divide "
            "by text (--split-by text), or label words of more lemmas."
        )
    if not any(len(np.unique(task.lemmas[has])) > 1 for has in _members(task)):
        raise ResultError(
            f"Every {task.name} is of one lemma, so none in the test could be learned in training. Divide by "
            "text (--split-by text), give labels that lemmas share (--label FILE), or ask about pairs "
            "(--label pairs)."
        )
    return "lemma"


def plans_of(task: Task, dividing: Dividing, by: SplitBy, seeds: range) -> list[Plan]:
    """How the examples are divided for each seed.

    Raises:
        NotFoundError: no example is in a split.
        ResultError: too few groups to draw from, none left to train on, or splits that share words.
    """
    if dividing.train_on is None:
        return [_drawn(task, by, seed) for seed in seeds]
    return [_given(task, dividing, by, seed) for seed in seeds]


def _drawn(task: Task, by: SplitBy, seed: int) -> Plan:
    if by == "text":
        loose = divide(task.texts, seed, targets=task.targets)
        return Plan(seed, loose, loose)
    # Pairs join the texts of a lemma, all of them where senses made the pairs: texts that are kept apart
    # would keep lemmas apart, too.
    shared = np.arange(len(task)) if task.is_of_pairs else task.texts
    strict, loose = (divide(groups, seed, targets=task.targets) for groups in (task.lemmas, shared))
    return Plan(seed, strict, loose)


def _given(task: Task, dividing: Dividing, by: SplitBy, seed: int) -> Plan:
    """As the splits of the corpus say; for `strict`, training loses the lemmas of the test."""
    train, test = (_split(task, name) for name in (dividing.train_on, dividing.evaluate_on))
    if dividing.select_on is None:
        drawn = divide(task.texts[train], seed, targets=task.targets[train])
        train, select = train[np.union1d(drawn.train, drawn.test)], train[drawn.select]
    else:
        select = _split(task, dividing.select_on)
    if task.by_text_since is not None or not task.is_of_pairs:
        # Splits of treebanks have sentences in common, such as "Yes." Pairs link texts of all splits.
        train, select = (rows[~np.isin(task.texts[rows], task.texts[test])] for rows in (train, select))
        train = train[~np.isin(task.texts[train], task.texts[select])]
        if not (len(train) and len(select)):
            raise ResultError(
                f'All texts of split "{dividing.train_on}" are in "{dividing.evaluate_on}", too: none is '
                "left to train on. Leave the splits out, and they are drawn."
            )
    loose = Division(train, select, test)
    check_divided(loose, task.words, "words")
    if by == "text":
        return Plan(seed, loose, loose)
    in_test = np.isin(task.lemmas, task.lemmas[test])
    apart = Division(train[~in_test[train]], select[~in_test[select]], test)
    if not (len(apart.train) and len(apart.select)):
        raise ResultError(
            f'All lemmas of split "{dividing.train_on}" are in "{dividing.evaluate_on}", too: none is left '
            "to train on. Divide by text (--split-by text)."
        )
    return Plan(seed, apart, loose)


def _split(task: Task, name: str | None) -> np.ndarray:
    """The examples of a split. *Shape:* (n,), int64."""
    rows = np.flatnonzero(task.splits == name)
    if not len(rows):
        known = {split for split in task.splits.tolist() if split is not None}
        hint = did_you_mean(str(name), known) if known else "They are in none: leave the splits out."
        raise NotFoundError(f'No example of {task.name} is in split "{name}". {hint}')
    return rows


def _members(task: Task) -> Iterator[np.ndarray]:
    """The examples of each class. *Shape of each:* (n_members,), int64."""
    for n in range(len(task.classes)):
        yield np.flatnonzero(task.targets[:, n] if task.targets.ndim == 2 else task.targets == n)
