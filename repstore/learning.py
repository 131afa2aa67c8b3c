"""Fitting a probe to a layer for every seed, and what comes of it: score, control task, the fitted probe."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np

from repstore.analysis.answers import Worth, best_threshold, is_constant, worth
from repstore.analysis.control import control_labels
from repstore.analysis.description import description_lengths
from repstore.analysis.inputs import Inputs, PairInputs, WordInputs
from repstore.analysis.learned import Learned, Learner, Problem
from repstore.analysis.standardize import moments_of_rows
from repstore.analysis.tallies import Tally
from repstore.dividing import Plan
from repstore.spec import PairFeature
from repstore.storage.vectors import LayerVectors
from repstore.tasks import Task

Measure = Literal["answers", "bits"]

IN_A_SPACE: tuple[PairFeature, ...] = ("product", "cosine")
"""What depends on where vectors have their origin, and on how long their dimensions are."""

AT_ONCE = 1024
"""Examples looked at together."""


@dataclass(frozen=True, slots=True)
class Method:
    """A way to learn, and how it is scored.

    Attributes:
        name: such as ``linear``.
        learner: what learns.
        needs: bytes that a problem takes at least, if several layers may learn at once.
        measure: ``answers``: by test examples (accuracy, F1); ``bits``: by the code of training examples.
    """

    name: str
    learner: Learner
    measure: Measure = "answers"
    needs: Callable[[Inputs, Problem], int] | None = None


@dataclass(frozen=True, eq=False)
class Outcome:
    """What a probe says of a layer.

    Attributes:
        score: lemmas apart, if that is asked for.
        loose: otherwise; the same answers as `score` if it is not.
        control: of the control task, over the same examples and units as `loose`.
        first: the probe of the first seed, for `score`; None where there are several.
        is_constant: whether, for `score`, the probe of every seed gave all its test examples one answer.
    """

    score: Tally
    loose: Tally
    control: Tally
    first: Learned | None
    is_constant: bool


@dataclass(frozen=True, eq=False)
class Lesson:
    """The problems of a task, the same for every layer.

    Attributes:
        task: what is predicted.
        plans: how its examples are divided, for each seed.
        units: of `Outcome.score`: which examples are drawn together. *Shape:* (n,), int64.
        loose_units: of the others, which control tasks need (`_of_types`). *Shape:* (n,), int64.
        strict, loose, control: a problem for each seed.
    """

    task: Task
    plans: Sequence[Plan]
    units: np.ndarray
    loose_units: np.ndarray
    strict: Sequence[Problem]
    loose: Sequence[Problem]
    control: Sequence[Problem]

    @classmethod
    def of(cls, task: Task, plans: Sequence[Plan], *, measure: Measure) -> Lesson:
        """The problems of a task. For a code of bits, what would be tested is coded, too."""
        apart = plans[0].strict is not plans[0].loose
        n_classes = len(task.classes)

        def problems(which: str, controlled: bool = False) -> list[Problem]:
            made = []
            for plan in plans:
                sides = getattr(plan, which)
                targets = control_labels(task.types, task.targets, plan.seed) if controlled else task.targets
                train, test = sides.train, sides.test
                if measure == "bits":
                    train, test = np.union1d(train, test), test[:0]
                made.append(Problem(targets, n_classes, train, sides.select, test, plan.seed))
            return made

        loose = problems("loose")
        return cls(
            task,
            plans,
            _numbers(task.lemmas if apart else task.texts),
            _numbers(_of_types(task)),
            problems("strict") if apart else loose,
            loose,
            problems("loose", controlled=True),
        )


def learn(
    lesson: Lesson,
    method: Method,
    vectors: LayerVectors,
    rows: np.ndarray,
    feature: PairFeature | None,
    memory: int,
    progress: Callable[[], None],
) -> Outcome:
    """Fit a probe to a layer, for every seed, with its control task.

    Args:
        lesson: what is to be learned.
        method: how.
        vectors: of the layer.
        rows: which rows of it each example is. *Shape:* (n, 1) or (n, 2), int64.
        feature: what a pair is seen by; None for words.
        memory: bytes to work in.
        progress: called now and then.
    """
    together = [*lesson.strict, *lesson.control]
    if lesson.loose is not lesson.strict:
        together += lesson.loose
    if feature in IN_A_SPACE:  # which only training words decide
        learned = []
        for problem in together:
            pairs = pairs_of(vectors, rows, feature, problem)
            learned += _learned(method, pairs, [problem], memory, progress)
    else:
        inputs = _as_stored(vectors, rows, feature)
        learned = _learned(method, inputs, together, memory, progress)
    n_seeds = len(lesson.plans)
    strict, control, loose = (learned[start : start + n_seeds] for start in range(0, 3 * n_seeds, n_seeds))
    return Outcome(
        _tally(strict, lesson.units),
        _tally(loose or strict, lesson.loose_units),
        _tally(control, lesson.loose_units),
        strict[0].fitted,
        all(one.fitted is not None and is_constant(one.fitted.logits, lesson.task.targets) for one in strict),
    )


def n_at_once(
    lesson: Lesson,
    method: Method,
    vectors: LayerVectors,
    rows: np.ndarray,
    feature: PairFeature | None,
    memory: int,
) -> int:
    """How many layers may learn at once: as many as have memory enough, at least one."""
    if method.needs is None:
        return 1
    inputs = _as_stored(vectors, rows, feature)
    least = max(method.needs(inputs, problem) for problem in (*lesson.strict, *lesson.loose))
    return max(1, memory // least)


@dataclass(frozen=True, eq=False)
class _Scored:
    """The examples that were scored, their worth, and the fitted probe, if it is one."""

    examples: np.ndarray
    worth: Worth
    fitted: Learned | None


def _learned(
    method: Method,
    inputs: Inputs,
    problems: Sequence[Problem],
    memory: int,
    progress: Callable[[], None],
) -> list[_Scored]:
    if method.measure == "bits":
        coded = description_lengths(inputs, problems, method.learner, memory=memory, progress=progress)
        return [_Scored(one.examples, (one.uniform_bits, one.bits), None) for one in coded]
    learned = method.learner(inputs, problems, memory=memory, progress=progress)
    learned = [
        _with_threshold(one, inputs, problem) if problem.is_multi_label else one
        for problem, one in zip(problems, learned, strict=True)
    ]
    return [
        _Scored(problem.test, worth(one.logits, problem.targets[problem.test]), one)
        for problem, one in zip(problems, learned, strict=True)
    ]


def _with_threshold(learned: Learned, inputs: Inputs, problem: Problem) -> Learned:
    """The probe that says a class is there where its logit is above 0, as the selection examples have it."""
    network = learned.network
    logits = [
        network.apply(inputs.take(problem.select[start : start + AT_ONCE]))
        for start in range(0, len(problem.select), AT_ONCE)
    ]
    above = np.float32(best_threshold(np.concatenate(logits), problem.targets[problem.select]))
    biases = (*network.biases[:-1], network.biases[-1] - above)
    return Learned(dataclasses.replace(network, biases=biases), learned.logits - above, learned.setting)


def _tally(scored: Sequence[_Scored], units: np.ndarray) -> Tally:
    n_units = int(units.max()) + 1
    return Tally.of([(one.examples, *one.worth) for one in scored], units, n_units)


def _as_stored(vectors: LayerVectors, rows: np.ndarray, feature: PairFeature | None) -> Inputs:
    return WordInputs(vectors, rows[:, 0]) if feature is None else pairs_of(vectors, rows, feature, None)


def pairs_of(
    vectors: LayerVectors, rows: np.ndarray, feature: PairFeature, problem: Problem | None
) -> PairInputs:
    """Features of pairs of words, standardized by those that train, or as stored where it makes no odds.

    Args:
        vectors, rows, feature: as for `learn`.
        problem: which pairs train, where `feature` is one of `IN_A_SPACE`; else None.
    """
    if problem is None:
        return PairInputs(vectors, rows, feature, np.zeros(vectors.d_model), np.ones(vectors.d_model))
    words = np.unique(rows[problem.train])
    found = moments_of_rows(vectors, words)
    return PairInputs(vectors, rows, feature, found.mean, found.scale)


def _of_types(task: Task) -> np.ndarray:
    """What is drawn together where a score is held against that of its control task. *Shape:* (n,), int64.

    All uses of a word type have one control label, so they are right or wrong together: drawing texts would
    say that selectivity is more certain than it is. Lemmas are of whole types, and have classes in common.
    Of one lemma alone there is nothing else to draw than texts; of edges, their lemmas are their texts.
    """
    return task.lemmas if len(np.unique(task.lemmas)) > 1 else task.texts


def _numbers(values: np.ndarray) -> np.ndarray:
    """The same groups, numbered from 0. *Shape:* as `values`, int64."""
    return np.unique(values, return_inverse=True)[1].reshape(-1)
