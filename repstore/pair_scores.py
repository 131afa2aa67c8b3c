"""The pairs that a question is about, and the scores of runs over them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from repstore.analysis import scoring
from repstore.analysis.bootstrap import Resampling
from repstore.analysis.pairs import Side, similarities
from repstore.analysis.scoring import Scores
from repstore.errors import ArgumentError, ResultError, check_choice
from repstore.spec import LayerKey, Standardize, Target, Threshold
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Run
from repstore.storage.pairs import ALL, FoundPairs


@dataclass(frozen=True, slots=True)
class PairProbe:
    """What is asked of the pairs of a corpus.

    Attributes:
        target: labels (accuracy) or scores (correlation); None: scores where the corpus has them.
        standardize: what vectors are standardized by (`analysis.pairs.similarities`).
        threshold: how the threshold of a layer is found (`analysis.thresholds`).
        select_on: split by which it is chosen.
        evaluate_on: split that is scored; None: "test" for labels, "all" for scores.
        pos: only pairs whose first word has this part of speech.
        resampling: of the intervals.
    """

    target: Target | None
    standardize: Standardize
    threshold: Threshold
    select_on: str
    evaluate_on: str | None
    pos: str | None
    resampling: Resampling

    def __post_init__(self) -> None:
        check_choice("standardize", self.standardize, get_args(Standardize))
        check_choice("threshold", self.threshold, get_args(Threshold))
        if self.target is not None:
            check_choice("target", self.target, get_args(Target))
        if self.resampling.n < 0:
            raise ArgumentError(f"resamples is {self.resampling.n}; it must not be negative.")
        if self.resampling.seed < 0:
            raise ArgumentError(f"seed is {self.resampling.seed}; it must not be negative.")


@dataclass(frozen=True)
class PairsInUse:
    """The pairs of a corpus whose words have vectors in all runs of a question.

    Attributes:
        target: what is known of them.
        selection: the pairs by which thresholds are chosen; None for ratings, which need none.
        evaluation: the pairs that are scored.
        n_missing: how many of both are left out, each once.
    """

    target: Target
    selection: FoundPairs | None
    evaluation: FoundPairs
    n_missing: int


def pairs_in_use(lookup: Lookup, runs: Sequence[Run], asked: PairProbe) -> PairsInUse:
    """The pairs of the corpus that all `runs` are over, as far as all of them have vectors.

    Raises:
        NotFoundError: no such split or part of speech.
        ResultError: no pairs of that kind, or none with vectors.
    """
    first = runs[0]
    evaluate_on = asked.evaluate_on
    if evaluate_on is None:
        target = lookup.pairs(first, asked.target, ALL, None).target
        evaluate_on = "test" if target == "label" else ALL
    found = lookup.pairs(first, asked.target, evaluate_on, asked.pos)
    evaluation, n_missing = _with_vectors(found, runs, evaluate_on)
    if found.target == "score":
        return PairsInUse("score", None, evaluation, n_missing)
    found = lookup.pairs(first, "label", asked.select_on, asked.pos)
    selection, more = _with_vectors(found, runs, asked.select_on)
    is_within = evaluate_on == asked.select_on or ALL in (evaluate_on, asked.select_on)
    # One of the two has all pairs of the other, then, and each is counted once.
    return PairsInUse("label", selection, evaluation, max(n_missing, more) if is_within else n_missing + more)


def _with_vectors(found: FoundPairs, runs: Sequence[Run], split: str) -> tuple[FoundPairs, int]:
    """The pairs whose words have vectors in all runs, and how many are left out."""
    there = np.ones(len(found.values), bool)
    for run in runs:
        there &= (run.vectors.rows(found.word_a) >= 0) & (run.vectors.rows(found.word_b) >= 0)
    if not there.any():
        names = ", ".join(dict.fromkeys(run.label for run in runs))
        raise ResultError(f'No pair of split "{split}" has vectors in {names}. Finish their ingest.')
    columns = (column[there] for column in (found.word_a, found.word_b, found.values))
    return FoundPairs(found.target, *columns), int((~there).sum())


def scores_of(
    pairs: PairsInUse, run: Run, second: Run | None, layers: Sequence[LayerKey], asked: PairProbe
) -> Scores:
    """Scores of some layers of a run, over the same resamples for all runs asked about the same pairs.

    Args:
        pairs: from `pairs_in_use`.
        run: run of the first word of every pair.
        second: run of the second word; the same, if not given.
        layers: which layers.
        asked: the question.

    Raises:
        ArgumentError: the two runs have vectors of different widths, or coordinates of their own.
    """
    second = second or run
    own = [one.label for one in (run, second) if one.own_axes]
    if own and second.label != run.label:
        raise ArgumentError(
            f"Vectors of {' and '.join(own)} have coordinates of their own; no cosine between those of "
            f"{run.label} and {second.label} is defined. Ask of one run, or through another transform."
        )
    if len({one.vectors.layer(layers[0]).d_model for one in (run, second)}) > 1:
        raise ArgumentError(
            f"Vectors of {run.label} and {second.label} differ in width; no cosine is defined."
        )
    sets = [some for some in (pairs.selection, pairs.evaluation) if some]
    rows = [(run.vectors.rows(some.word_a), second.vectors.rows(some.word_b)) for some in sets]

    cosines = [np.empty((len(layers), len(some.values))) for some in sets]
    for n, layer in enumerate(layers):
        firsts, seconds = run.vectors.layer(layer), second.vectors.layer(layer)
        for matrix, (a, b) in zip(cosines, rows, strict=True):
            matrix[n] = similarities(Side(firsts, a), Side(seconds, b), asked.standardize)
    if pairs.selection is None:
        return scoring.rating_scores(cosines[0], pairs.evaluation.values, asked.resampling)
    selection, evaluation = ((matrix, found.values == 1) for matrix, found in zip(cosines, sets, strict=True))
    return scoring.label_scores(selection, evaluation, asked.threshold, asked.resampling)
