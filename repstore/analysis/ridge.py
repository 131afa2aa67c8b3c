"""How well a linear map, fitted on some words, predicts the vectors of a layer from those of another.

Source: ridge regression, Hoerl & Kennard 1970; leave-one-out in closed form, Allen 1974 (PRESS).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from repstore.analysis.aligned import Aligned, check_enough
from repstore.analysis.directions import centered_words, directions, spread, within
from repstore.analysis.shrinkage import N_FOLDS, PENALTIES, Axes, axes_of
from repstore.spec import MEMORY, Progress

SKETCH = 32
"""Dimensions that a predicted layer is brought to, at random, to choose its penalty by."""


@dataclass(frozen=True, eq=False)
class _Layer:
    """A layer as it is predicted, and predicts. Both are the same after a rotation of either.

    Attributes:
        coordinates: the centered words along the directions they have. *Shape:* (n_words, k), float64.
        sketch: random combinations of their dimensions, or the dimensions themselves if they are no more.
            *Shape:* (n_words, min(d_model, SKETCH)), float64.
        total: SST, over all folds; 0 if the layer is constant.
    """

    coordinates: np.ndarray
    sketch: np.ndarray
    total: float


@dataclass(frozen=True, eq=False)
class _Fold:
    """A predictor in one fold.

    Attributes:
        train, test: which words are which. *Shapes:* (n_train,) and (n_test,), int64.
        axes: the words along the principal axes of the training words.
        penalties: *Shape:* (len(PENALTIES),), float64.
        own: weight of each training word in its own prediction, for each penalty. *Shape:* (len(PENALTIES),
            n_train), float64.
    """

    train: np.ndarray
    test: np.ndarray
    axes: Axes
    penalties: np.ndarray
    own: np.ndarray


def predictivity(
    first: Sequence[Aligned],
    second: Sequence[Aligned] | None = None,
    *,
    seed: int = 0,
    memory: int = MEMORY,
    progress: Callable[[Progress], None] = lambda _: None,
) -> np.ndarray:
    """Cross-validated R² of every layer of `second` (the column) from every layer of `first` (the row).

    The words are in 5 folds. Each fold is predicted by ridge regression on the other four, with a penalty
    that these choose by their leave-one-out error, out of 9 from 1e-4 to 1e4 times the mean eigenvalue. R² is
    1 - SSE / SST, pooled over words and dimensions, so that a dimension counts by its variance; SST is about
    the mean of the training words. Not symmetric. 1 if the prediction is perfect, 0 if it is as good as the
    mean, below 0 if it is worse.

    The penalty is chosen on 32 random combinations of the predicted dimensions; R² is over all of them. Folds
    are of words: uses of one form, which are all the same at layer 0, help to predict each other.

    Where a few words are far from all others, as the first words of texts can be, they decide SST and SSE:
    from where no other word is, a prediction may go wrong by as far. One such word among 200 made R² -194
    between two layers of SmolLM2-135M; without it, it is 0.67. Leave such words out.

    Args:
        first, second: layers over the same words, at least 10; without `second`, `first` with itself.
        seed: decides the folds and the random combinations.
        memory: bytes to work in.
        progress: told how many pairs of layers are done.

    Returns:
        *Shape:* (len(first), len(second or first)), float64; NaN with a layer that is constant.

    Raises:
        ResultError: fewer than 10 words, two for each fold; too little memory for one pair of layers.
    """
    others = first if second is None else second
    check_enough(first[0], 2 * N_FOLDS, "Predictivity")
    values = np.full((len(first), len(others)), np.nan)
    n_done = 0
    for group in within(memory, others, first, beside=SKETCH, work=_work([*first, *others])):
        held = {j: _layer(others[j], seed) for j in range(group.start, group.stop)}
        for i, words in enumerate(first):
            known = second is None and i in held
            predictor = held[i].coordinates if known else directions(words).coordinates
            values[i, group] = _r_squared(predictor, list(held.values()), seed)
            del predictor  # before the next layer is decomposed
            n_done += len(held)
            progress(Progress("Predicting layers", n_done, values.size, unit="pairs of layers"))
        held.clear()  # before the next group is decomposed
    return values


def _work(layers: Sequence[Aligned]) -> int:
    """Bytes that predicting one layer from another takes: about five matrices of the size of a layer on the
    directions it has, five square ones of these, and five of the size of a sketch."""
    n_words, widest = layers[0].n_words, max(words.d_model for words in layers)
    k = min(n_words, widest)
    return 8 * 5 * (n_words * (k + SKETCH) + k**2)


def _layer(words: Aligned, seed: int) -> _Layer:
    centered = centered_words(words)
    if words.d_model > SKETCH:
        sketch = centered @ np.random.default_rng(seed).normal(size=(words.d_model, SKETCH))
    else:
        sketch = centered.copy()
    coordinates = spread(centered).coordinates
    total = sum(
        float(np.square(coordinates[test] - coordinates[train].mean(axis=0)).sum())
        for train, test in _parts(words.n_words, seed)
    )
    return _Layer(coordinates, sketch, total)


def _parts(n_words: int, seed: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
    """Which words train and which are tested, fold by fold."""
    for test in np.array_split(np.random.default_rng(seed).permutation(n_words), N_FOLDS):
        yield np.setdiff1d(np.arange(n_words), test), test


def _r_squared(predictor: np.ndarray, targets: Sequence[_Layer], seed: int) -> np.ndarray:
    """R² of each target. `predictor`: *Shape:* (n_words, k). *Shape:* (n_targets,), float64."""
    if not predictor.shape[1]:
        return np.full(len(targets), np.nan)
    errors, totals = np.zeros(len(targets)), np.array([target.total for target in targets])
    for train, test in _parts(len(predictor), seed):
        fold = _fold(predictor, train, test)
        for n, target in enumerate(targets):
            missed = _missed(fold, _best_penalty(fold, target.sketch), target.coordinates)
            errors[n] += np.vdot(missed, missed)
    unexplained = np.full(len(targets), np.nan)
    np.divide(errors, totals, out=unexplained, where=totals > 0)
    return 1 - unexplained


def _fold(predictor: np.ndarray, train: np.ndarray, test: np.ndarray) -> _Fold:
    of_train, of_test = predictor[train], predictor[test]
    mean = of_train.mean(axis=0)
    of_train -= mean
    of_test -= mean
    axes = axes_of(of_train, of_test)
    penalties = PENALTIES * axes.total / predictor.shape[1]
    own = 1 / len(train) + 1 / (axes.sizes + penalties[:, None]) @ np.square(axes.on_train).T
    return _Fold(train, test, axes, penalties, own)


def _best_penalty(fold: _Fold, sketch: np.ndarray) -> float:
    """Which penalty has the least leave-one-out error on the training words; of equal ones the smallest.

    The error of a word that is left out is its error when it is not, over 1 - its own weight.
    """
    values = sketch[fold.train]
    values -= values.mean(axis=0)
    along = fold.axes.on_train.T @ values
    errors = []
    for penalty, own in zip(fold.penalties, fold.own, strict=True):
        left_out = values - fold.axes.on_train @ (along / (fold.axes.sizes + penalty)[:, None])
        left_out /= (1 - own)[:, None]
        errors.append(np.vdot(left_out, left_out))
    return float(fold.penalties[np.argmin(errors)])


def _missed(fold: _Fold, penalty: float, target: np.ndarray) -> np.ndarray:
    """Errors of the test words. `target`: *Shape:* (n_words, k). *Shape:* (n_test, k), float64.

    The products are taken in the order that costs least: no matrix of words by words if that would be large.
    """
    values, shrunk = target[fold.train], fold.axes.on_test / (fold.axes.sizes + penalty)
    missed = target[fold.test] - values.mean(axis=0)
    missed -= np.linalg.multi_dot([shrunk, fold.axes.on_train.T, values])
    return np.asarray(missed)
