"""What fitted probes score, layer by layer, and what a reader of the scores must know."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from repstore.analysis.answers import worth_of_most_frequent
from repstore.analysis.bootstrap import Resampling
from repstore.analysis.tallies import Tally
from repstore.analysis.trajectories import ranges
from repstore.learning import Lesson, Method, Outcome
from repstore.spec import PairFeature, SplitBy
from repstore.storage.opened import Run
from repstore.tasks import Task
from repstore.trained_tables import scored


@dataclass(frozen=True, eq=False)
class Fitted:
    """The probes of one run, one task, one method and one feature: one for each layer that was asked for.

    Attributes:
        outcomes: by layer; layer 0 may be there although it was not asked for.
    """

    run: Run
    lesson: Lesson
    method: Method
    feature: PairFeature | None
    layers: Sequence[Any]
    outcomes: dict[str, Outcome]

    @property
    def split_by(self) -> SplitBy:
        """What is kept apart."""
        return "lemma" if self.lesson.strict is not self.lesson.loose else "text"


def rows_of(fitted: Fitted, resampling: Resampling) -> list[dict[str, Any]]:
    """What the probes of a run score, a row for each layer."""
    outcomes = [fitted.outcomes[str(layer)] for layer in fitted.layers]
    first = fitted.outcomes.get("0")
    main = "compression" if fitted.method.measure == "bits" else _name_of_score(fitted.lesson.task)
    scores = scored(
        main,
        [outcome.score for outcome in outcomes],
        [outcome.control for outcome in outcomes],
        first.score if first else None,
        resampling,
        beside=[outcome.loose for outcome in outcomes],
        apart=fitted.split_by == "lemma",
    )
    what = {
        "run": fitted.run.label,
        "probe": fitted.method.name,
        "label": fitted.lesson.task.name,
        "feature": fitted.feature,
    }
    about = _about(fitted)
    rows = []
    for layer, outcome, score in zip(fitted.layers, outcomes, scores, strict=True):
        of_network: dict[str, float | None] = {"n_parameters": None, "setting": None}
        if outcome.first is not None:
            of_network = {
                "n_parameters": outcome.first.network.n_parameters,
                "setting": outcome.first.setting,
            }
        rows.append({"run": what["run"], "layer": layer} | what | score | about | of_network)
    return rows


def notes_on(fitted: Fitted) -> list[str]:
    """What a reader of the scores must know."""
    notes = [
        *fitted.lesson.task.notes,
        *_unseen(fitted),
        *_seen(fitted),
        *_unlearnable(fitted),
        *_constant(fitted),
    ]
    if "0" not in fitted.outcomes:
        why = "it has no layer 0, or its transform was not fitted on it"
        notes.append(f"There is no layer_0 of {fitted.run.label} to compare with: {why}.")
    return notes


def _name_of_score(task: Task) -> str:
    return "accuracy" if task.targets.ndim == 1 else "f1"


def _about(fitted: Fitted) -> dict[str, Any]:
    """What does not depend on vectors: the majority, and how many examples there are."""
    task, lesson = fitted.lesson.task, fitted.lesson
    problem = lesson.strict[0]
    counts = {
        "n_train": len(problem.train),
        "n_select": len(problem.select),
        "n_test": len(problem.test) if fitted.method.measure == "answers" else None,
        "n_classes": len(task.classes),
    }
    if fitted.method.measure == "bits":
        return {"majority": _compression_of_prior(lesson), **counts}
    seeds = [
        (one.test, *worth_of_most_frequent(one.targets, one.train, one.test, one.n_classes))
        for one in lesson.strict
    ]
    majority = Tally.of(seeds, lesson.units, int(lesson.units.max()) + 1).score
    return {"majority": majority, **counts}


def _compression_of_prior(lesson: Lesson) -> float:
    """Uniform bits by bits of a code that knows how frequent the classes are, and nothing else."""
    targets = lesson.task.targets
    if targets.ndim == 2:
        present = np.clip(targets.mean(axis=0), 1e-12, 1 - 1e-12)
        bits = -(present * np.log2(present) + (1 - present) * np.log2(1 - present)).sum()
        return float(targets.shape[1] / bits)
    shares = np.bincount(targets) / len(targets)
    shares = shares[shares > 0]
    return float(np.log2(len(lesson.task.classes)) / -(shares * np.log2(shares)).sum())


def _seen(fitted: Fitted) -> list[str]:
    """Which words of the test a mix or mask was learned from."""
    tested = np.concatenate([one.test for one in fitted.lesson.strict])
    return fitted.run.notes_on_seen(fitted.layers, fitted.lesson.task.words[tested])


def _unseen(fitted: Fitted) -> list[str]:
    """Which examples no answer can be right for."""
    task = fitted.lesson.task
    if task.targets.ndim == 2 or fitted.method.measure == "bits":
        return []
    shares = [
        np.isin(one.targets[one.test], one.targets[one.train], invert=True).mean()
        for one in fitted.lesson.strict
    ]
    if not any(shares):
        return []
    return [
        f"{np.mean(shares):.1%} of the test examples have a {task.name} that training lacks, since "
        f"{'lemmas' if fitted.split_by == 'lemma' else 'texts'} are kept apart: they count as wrong."
    ]


def _unlearnable(fitted: Fitted) -> list[str]:
    """Whether the control task cannot be learned by heart, as most types of its test are new."""
    if fitted.method.measure == "bits":
        return []
    types = fitted.lesson.task.types
    share = np.mean([np.isin(types[one.test], types[one.train]).mean() for one in fitted.lesson.control])
    if share > 0.5:
        return []
    return [
        f"Selectivity says little of {fitted.lesson.task.name}: the control task is learned by word type, "
        f"and training has the types of {share:.1%} of its test examples."
    ]


def _constant(fitted: Fitted) -> list[str]:
    """At which layers a score, and an interval that seems narrow, are those of one answer to everything."""
    layers = [layer for layer in fitted.layers if fitted.outcomes[str(layer)].is_constant]
    if not layers:
        return []
    where = f"At layer{'s' if len(layers) > 1 else ''} {ranges(layers, fitted.layers)} of {fitted.run.label}"
    by = f" by {fitted.feature}" if fitted.feature else ""
    return [
        f"{where} every seed gives all its test examples one answer{by}: the score is what that answer is "
        "worth, and the interval says nothing of the layer."
    ]
