"""Scores that are ratios of sums, over several seeds, and how certain they are.

Accuracy is right answers over answers, F1 twice the true positives over what was said and what is so,
compression uniform bits over bits. What is summed is kept by unit: examples of one lemma, or of one text, are
drawn into a resample together, since they are not independent.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from repstore.analysis import bootstrap
from repstore.analysis.bootstrap import LEVEL, Resampling


@dataclass(frozen=True, eq=False)
class Tally:
    """What was reached, and what could be, for every seed and unit; 0 where a unit was not tested.

    *Shape of each:* (n_seeds, n_units), float64.
    """

    reached: np.ndarray
    possible: np.ndarray

    @classmethod
    def of(
        cls, seeds: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]], units: np.ndarray, n_units: int
    ) -> Tally:
        """Sum up examples by their units.

        Args:
            seeds: of each seed the examples that were tested, and what each reached, and could have.
                *Shape of each:* (n_tested,).
            units: the unit of every example. *Shape:* (n,), int64.
            n_units: how many there are.
        """
        sums = [
            [np.bincount(units[tested], weights=of, minlength=n_units) for of in (reached, possible)]
            for tested, reached, possible in seeds
        ]
        return cls(*np.array(sums).transpose(1, 0, 2))

    @property
    def score(self) -> float:
        """Over all seeds; NaN if nothing could be reached."""
        return float(_ratio(self.reached.sum(), self.possible.sum()))

    @property
    def of_seeds(self) -> np.ndarray:
        """The score of each seed. *Shape:* (n_seeds,), float64."""
        return _ratio(self.reached.sum(axis=1), self.possible.sum(axis=1))


def resampled(tallies: Sequence[Tally], resampling: Resampling) -> np.ndarray:
    """The scores over every resample of the units, the same resamples for all.

    Args:
        tallies: over the same units.
        resampling: which resamples.

    *Shape:* (len(tallies), n_resamples), float64; NaN where there is one unit, which says nothing of how
    others would vary, or where a resample holds nothing that could be reached.
    """
    reached = np.array([tally.reached.sum(axis=0) for tally in tallies])
    possible = np.array([tally.possible.sum(axis=0) for tally in tallies])
    tested = possible.any(axis=0)
    if tested.sum() < 2:
        return np.full((len(tallies), resampling.n), np.nan)
    sums = (bootstrap.of_means(values[:, tested], resampling) for values in (reached, possible))
    return _ratio(*sums)


def over_seeds(scores: np.ndarray) -> tuple[float, float]:
    """The 95 % interval of the mean over seeds, by Student's t.

    Seeds share their examples, so it says what drawing and starting anew would change, not what other
    examples would. `scores`: *Shape:* (n_seeds,). NaN for one seed.
    """
    from scipy.stats import t  # which takes as long to load as a store to open

    n_seeds = len(scores)
    if n_seeds < 2:
        return float("nan"), float("nan")
    reach = t.ppf((1 + LEVEL) / 2, n_seeds - 1) * scores.std(ddof=1) / np.sqrt(n_seeds)
    return float(scores.mean() - reach), float(scores.mean() + reach)


def _ratio(reached: np.ndarray, possible: np.ndarray) -> np.ndarray:
    ratio: np.ndarray = np.divide(
        reached, possible, out=np.full(np.shape(reached), np.nan), where=np.asarray(possible) > 0
    )
    return ratio
