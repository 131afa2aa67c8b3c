"""How contextual the vectors of a layer are: how alike the words of one form, or of one text, are.

Source: Ethayarajh 2019, "How Contextual are Contextualized Word Representations?" (arXiv 1909.00512), section
3. Where all vectors point one way, any words are alike; each measure is therefore given twice, as it is and
less what it is for random words.
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


def self_similarity(words: Aligned, groups: np.ndarray, least: int = LEAST) -> Contextual:
    """Mean cosine between different words of a group; adjusted by `mean_cosine`.

    Args:
        words: the layer.
        groups: which words are one: codes of their forms, say, or lemmas; -1 for none. The paper counts
            contexts, so of several words in the same text only one should have a group. *Shape:* (n_words,),
            int64.
        least: words of a group, at least 2; smaller groups are left out.

    Raises:
        ArgumentError: `least` is under 2.
    """
    found = [_mean_cosine(words, places) for places in _groups(groups, least)]
    return _contextual(found, mean_cosine(words) if found else 0.0)


def intra_sentence_similarity(words: Aligned, texts: np.ndarray) -> Contextual:
    """Mean cosine of the words of a text with the mean of their vectors; adjusted by `mean_cosine`.

    Args:
        words: the layer.
        texts: code of the text of each word; -1 for none. Texts of one word are left out: it would be
            compared with itself. *Shape:* (n_words,), int64.
    """
    found = [_cosine_with_mean(words, places) for places in members_of(texts, least=2)]
    return _contextual(found, mean_cosine(words) if found else 0.0)


def explained_variance(words: Aligned, groups: np.ndarray, least: int = LEAST, seed: int = 0) -> Contextual:
    """How much of a group one direction explains: "maximum explainable variance".

    Of the matrix of a group's vectors, not centered, it is the largest squared singular value over the sum of
    all: 1 if one static vector, made longer or shorter, could stand for every word. It is at least 1 / n in a
    group of n words, so it is adjusted by the same of n random words, where the paper takes 1,000 for all.

    Args:
        words: the layer.
        groups, least: see `self_similarity`.
        seed: decides which words are drawn: for the same groups they are the same at every layer.

    Raises:
        ArgumentError: `least` is under 2.
    """
    random = np.random.default_rng(seed)
    found, at_random = [], []
    for places in _groups(groups, least):
        drawn = random.choice(words.n_words, len(places), replace=False)
        found.append(_explained(words, places))
        at_random.append(_explained(words, drawn))
    return _contextual(found, float(np.mean(at_random)) if found else 0.0)


def mean_cosine(words: Aligned) -> float:
    """Mean cosine over all pairs of different words: how anisotropic the layer is. NaN of a single word.

    The paper takes it over a sample. Cosines with a zero vector are 0.
    """
    return _mean_cosine(words, np.arange(words.n_words)) if words.n_words > 1 else float("nan")


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


def _explained(words: Aligned, places: np.ndarray) -> float:
    """Share of the largest squared singular value; 1 of zero vectors, as of any that are all the same."""
    gram = _gram(words, places)
    total = float(np.trace(gram))
    if total == 0:
        return 1.0
    from scipy.linalg import eigvalsh  # which takes as long to load as a store to open

    last = len(gram) - 1
    return float(eigvalsh(gram, subset_by_index=[last, last])[0] / total)


def _gram(words: Aligned, places: np.ndarray) -> np.ndarray:
    """Products between the words or between the dimensions, of which there are fewer; both have the same
    eigenvalues. *Shape:* (n, n) or (d_model, d_model), float64."""
    if len(places) <= words.d_model:
        rows = vectors_at(words, places)
        between: np.ndarray = rows @ rows.T
        return between
    gram = np.zeros((words.d_model, words.d_model))
    for block in blocks_of(words, places):
        gram += block.T @ block
    return gram
