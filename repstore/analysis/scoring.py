"""Scores of every layer, and how certain they are: which layer is best, and what cosines say about pairs."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repstore.analysis import bootstrap, correlation, thresholds
from repstore.analysis.bootstrap import Resampling
from repstore.spec import Threshold

NOTE_BEST = (
    f'A layer is "as good" as the best if the {bootstrap.LEVEL:.0%} interval of their difference holds 0.'
)


@dataclass(frozen=True)
class Scores:
    """Scores of the layers of a run over the same pairs, or words.

    Attributes:
        main: the column that resamples and comparisons are of.
        columns: what is reported. *Shape of each:* (n_layers,), float64; NaN where it is not defined.
        resampled: the main score over every resample. *Shape:* (n_layers, n_resamples), float64.
        n_scored: how many pairs, or words, are scored.
    """

    main: str
    columns: dict[str, np.ndarray]
    resampled: np.ndarray
    n_scored: int

    @property
    def values(self) -> np.ndarray:
        """The main score. *Shape:* (n_layers,), float64."""
        return self.columns[self.main]


def label_scores(
    selection: tuple[np.ndarray, np.ndarray],
    evaluation: tuple[np.ndarray, np.ndarray],
    rule: Threshold,
    resampling: Resampling,
) -> Scores:
    """Accuracy of "same sense if the cosine exceeds a threshold"; AUC and Spearman's correlation beside it.

    The accuracy on the pairs that chose the threshold is the column ``selection``: what to choose a layer by.

    Resamples are of the evaluated pairs; the thresholds stay as they were chosen.

    Args:
        selection: cosines, *Shape:* (n_layers, n_pairs), and labels, *Shape:* (n_pairs,), bool, by which the
            threshold of each layer is chosen.
        evaluation: the same of the pairs that are scored.
        rule: how the threshold is chosen.
        resampling: which resamples.
    """
    cosines, same = evaluation
    choose = {"grid": thresholds.best_on_grid, "exact": thresholds.best_exact}[rule]
    chosen = choose(*selection)
    # The exact threshold lies between cosines that differ in the decimals that mean something.
    compared = correlation.comparable if rule == "exact" else np.asarray
    chosen_right, right = (
        (compared(of) > chosen[:, None]) == labels for of, labels in (selection, evaluation)
    )
    columns = {
        "threshold": chosen,
        "selection": chosen_right.mean(axis=1),
        "accuracy": right.mean(axis=1),
        "auc": correlation.auc(cosines, same),
        "spearman": correlation.spearman(cosines, same),
    }
    return Scores("accuracy", columns, bootstrap.of_means(right, resampling), len(same))


def rating_scores(cosines: np.ndarray, ratings: np.ndarray, resampling: Resampling) -> Scores:
    """Spearman's and Pearson's correlation of cosines with ratings.

    Args:
        cosines: *Shape:* (n_layers, n_pairs).
        ratings: *Shape:* (n_pairs,).
        resampling: which resamples.
    """
    cosines = correlation.comparable(cosines)
    columns = {
        "spearman": correlation.spearman(cosines, ratings),
        "pearson": correlation.pearson(cosines, ratings),
    }
    return Scores("spearman", columns, bootstrap.of_spearman(cosines, ratings, resampling), len(ratings))


def best_layers(scores: Scores) -> list[str | None]:
    """Which layer is "best", and which are "as good": the interval of the difference holds 0.

    Intervals are of one comparison each, not corrected for the choice of the best among many.

    Returns:
        For every layer "best", "as good" or None. Without resamples only the best is known; where no score
        is defined, there is none.
    """
    verdicts: list[str | None] = [None] * len(scores.values)
    if np.isnan(scores.values).all():
        return verdicts
    best = int(np.nanargmax(scores.values))
    low, _ = bootstrap.interval(scores.resampled[best] - scores.resampled)
    for layer in np.flatnonzero((low <= 0) & ~np.isnan(scores.values)):
        verdicts[layer] = "as good"
    verdicts[best] = "best"
    return verdicts
