"""How contextual the vectors of a layer are: how alike the words of one form, or of one text, are.

Source: Ethayarajh 2019, "How Contextual are Contextualized Word Representations?" (arXiv 1909.00512), section
3. Where all vectors point one way, any words are alike; each measure is therefore given twice, as it is and
less what it is for random words: the mean cosine of two words, or the share that random words have.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repstore.analysis.aligned import Aligned
from repstore.analysis.kernels import unit
from repstore.analysis.members import blocks_of, members_of, vectors_at
from repstore.errors import ArgumentError

LEAST = 5
"""Words of a group, unless said otherwise: the paper's number of contexts."""

AT_RANDOM = 1_000
"""Random words to compare groups of one size with, in as many sets as they make: the share of a set of few
words varies much, that of many little."""


@dataclass(frozen=True, slots=True)
class Contextual:
    """A measure of a layer. NaN if there is no group.

    Attributes:
        value: the mean over groups; every group counts the same.
        adjusted: less the value of random words.
        n_groups: how many groups: forms, lemmas or texts.
    """

    value: float
    adjusted: float
    n_groups: int


def self_similarity(
    words: Aligned, groups: np.ndarray, least: int = LEAST, *, anisotropy: float
) -> Contextual:
    """Mean cosine between different words of a group; adjusted by that of any words.

    Args:
        words: the layer.
        groups: which words are one: codes of their forms, say, or lemmas; -1 for none. The paper counts
            contexts, so of several words in the same text only one should have a group. *Shape:* (n_words,),
            int64.
        least: words of a group, at least 2; smaller groups are left out.
        anisotropy: mean cosine of two words of the layer, which is taken off.

    Raises:
        ArgumentError: `least` is under 2.
    """
    found = [_mean_cosine(words, places) for places in _groups(groups, least)]
    return _contextual(found, anisotropy)


def intra_sentence_similarity(words: Aligned, texts: np.ndarray, *, anisotropy: float) -> Contextual:
    """Mean cosine of the words of a text with the mean of their vectors; adjusted as `self_similarity` is.

    Args:
        words: the layer.
        texts: code of the text of each word; -1 for none. Texts of one word are left out: it would be
            compared with itself. *Shape:* (n_words,), int64.
        anisotropy: see `self_similarity`.
    """
    found = [_cosine_with_mean(words, places) for places in members_of(texts, least=2)]
    return _contextual(found, anisotropy)


def explained_variance(words: Aligned, groups: np.ndarray, least: int = LEAST, seed: int = 0) -> Contextual:
    """How much of a group one direction explains: "maximum explainable variance".

    Of the matrix of a group's vectors, not centered, it is the largest squared singular value over the sum of
    all: 1 if one static vector, made longer or shorter, could stand for every word. It is at least 1 / n in a
    group of n words, so it is adjusted by the same of n random words: the mean over as many sets of them as
    `AT_RANDOM` words make, but at least one. The paper takes off the share of 1,000 random words together,
    whatever n: much less than groups of few words have by their size alone.

    Args:
        words: the layer.
        groups, least: see `self_similarity`.
        seed: decides which words are drawn, with n alone: not which groups there are, nor in what order.

    Raises:
        ArgumentError: `least` is under 2.
    """
    members = _groups(groups, least)
    found = [float(_explained(words, places[None])[0]) for places in members]
    sizes, n_groups = np.unique([len(places) for places in members], return_counts=True)
    of_size = [_explained(words, _at_random(words, size, seed)).mean() for size in sizes.tolist()]
    return _contextual(found, float(np.average(of_size, weights=n_groups)) if found else 0.0)


def _groups(groups: np.ndarray, least: int) -> list[np.ndarray]:
    if least < 2:
        raise ArgumentError(f"least is {least}; a group must have at least 2 words to be compared.")
    return members_of(groups, least)


def _contextual(found: list[float], of_random_words: float) -> Contextual:
    value = float(np.mean(found)) if found else float("nan")
    return Contextual(value, value - of_random_words, len(found))


def _mean_cosine(words: Aligned, places: np.ndarray) -> float:
    """Over all pairs of different words: the squared length of the sum of unit vectors has each pair twice,
    and the squared length of each."""
    total, own = np.zeros(words.d_model), 0
    for block in blocks_of(words, places):
        total += unit(block).sum(axis=0)
        own += int(block.any(axis=1).sum())
    n = len(places)
    return float((total @ total - own) / (n * (n - 1)))


def _cosine_with_mean(words: Aligned, places: np.ndarray) -> float:
    """Mean cosine of words with the mean of their vectors, which points where their sum does."""
    total, directions = np.zeros(words.d_model), np.zeros(words.d_model)
    for block in blocks_of(words, places):
        total += block.sum(axis=0)
        directions += unit(block).sum(axis=0)
    return float(unit(total[None])[0] @ directions / len(places))


def _at_random(words: Aligned, size: int, seed: int) -> np.ndarray:
    """Sets of so many words. *Shape:* (n_sets, size), int64."""
    random = np.random.default_rng([seed, size])
    n_sets = max(1, AT_RANDOM // size)
    return np.stack([random.choice(words.n_words, size, replace=False) for _ in range(n_sets)])


def _explained(words: Aligned, sets: np.ndarray) -> np.ndarray:
    """Share of the largest squared singular value; 1 of zero vectors, as of any that are all the same.

    Args:
        words: the layer.
        sets: places of words. *Shape:* (n_sets, size), int64.

    *Shape:* (n_sets,), float64.
    """
    grams = _grams(words, sets)
    totals, largest = np.trace(grams, axis1=1, axis2=2), np.linalg.eigvalsh(grams)[:, -1]
    shares: np.ndarray = np.divide(largest, totals, out=np.ones(len(sets)), where=totals > 0)
    return shares


def _grams(words: Aligned, sets: np.ndarray) -> np.ndarray:
    """Products between the words of each set or between the dimensions, of which there are fewer; both have
    the same eigenvalues. *Shape:* (n_sets, size, size) or (n_sets, d_model, d_model), float64."""
    n_sets, size = sets.shape
    if size <= words.d_model:
        rows = vectors_at(words, sets.reshape(-1)).reshape(n_sets, size, words.d_model)
        between: np.ndarray = rows @ rows.transpose(0, 2, 1)
        return between
    grams = np.zeros((n_sets, words.d_model, words.d_model))
    for gram, places in zip(grams, sets, strict=True):
        for block in blocks_of(words, places):
            gram += block.T @ block
    return grams
