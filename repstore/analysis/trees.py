"""Trees over the words of a sentence: how far apart words are in them, and how well that is predicted.

Source: Hewitt & Manning 2019, "A Structural Probe for Finding Syntax in Word Representations" (NAACL),
section 4 for the scores; Hewitt & Liang 2019 (arXiv 1909.03368), section 2, for what a control is.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from repstore.errors import ArgumentError

LENGTHS = (5, 50)
"""Words in the sentences that a correlation is averaged over: at least, and at most."""


@dataclass(frozen=True, eq=False)
class Sentence:
    """Words in the order of the sentence, and how far apart they are in its tree.

    Words may be left out, as punctuation is: ``distances[np.ix_(kept, kept)]`` of the whole tree.

    Attributes:
        rows: which example of the inputs each word is. *Shape:* (n_words,), int64.
        distances: edges on the way from word to word. *Shape:* (n_words, n_words), int64.
    """

    rows: np.ndarray
    distances: np.ndarray


@dataclass(frozen=True, eq=False)
class TreeScores:
    """How well distances were predicted, sentence by sentence. *Shape of each:* (n_sentences,).

    Attributes:
        correlations: mean over the words of the rank correlation of true and predicted distances from a word
            to all words. The word itself is among these, as in the code of Hewitt & Manning, which makes
            short sentences easy. 0 for a word from which all predicted distances are equal; NaN for a
            sentence of one word. float64.
        n_words: int64.
        n_right: edges of the minimum spanning tree of the predicted distances that are edges of the true
            tree, in whatever direction. int64.
        n_edges: edges of the true tree; between the words that are there, if some were left out. int64.
    """

    correlations: np.ndarray
    n_words: np.ndarray
    n_right: np.ndarray
    n_edges: np.ndarray


def tree_distances(heads: np.ndarray) -> np.ndarray:
    """Edges on the way from word to word in a tree.

    Args:
        heads: the place of the head of each word, from 0; -1 for the root. *Shape:* (n_words,), int64.

    Returns:
        *Shape:* (n_words, n_words), int64.

    Raises:
        ArgumentError: this is no tree.
    """
    distances = np.zeros((len(heads), len(heads)), np.int64)
    order = _from_the_root(heads)
    for n, word in enumerate(order[1:], start=1):
        before = order[:n]
        distances[word, before] = distances[before, word] = distances[heads[word], before] + 1
    return distances


def _from_the_root(heads: np.ndarray) -> np.ndarray:
    """Words, each after its head. *Shape:* (n_words,), int64."""
    if (beyond := (heads < -1) | (heads >= len(heads))).any():
        word = int(np.flatnonzero(beyond)[0])
        raise ArgumentError(
            f"The head of word {word} is word {heads[word]}, and there are {len(heads)} words. "
            "Count them from 0, and give the root -1."
        )
    if (n_roots := int((heads < 0).sum())) != 1:
        raise ArgumentError(f"The words have {n_roots} roots; a tree has one. Leave this sentence out.")
    depths, above = np.zeros(len(heads), np.int64), heads
    while (below := above >= 0).any():
        depths += below
        if depths.max() == len(heads):
            word = int(np.argmax(depths))
            raise ArgumentError(
                f"No way leads from word {word} to the root: its heads go in a circle. "
                "Leave this sentence out."
            )
        above = np.where(below, heads[above], -1)
    order: np.ndarray = np.argsort(depths, kind="stable")
    return order


def chain_distances(n_words: int) -> np.ndarray:
    """Baseline: words are as far apart as they are in the sentence. *Shape:* (n_words, n_words), int64."""
    places = np.arange(n_words)
    distances: np.ndarray = np.abs(places[:, None] - places)
    return distances


def control_heads(types: Sequence[np.ndarray], seed: int = 0) -> list[np.ndarray]:
    """Control: a tree for each sentence that its words say nothing about but by being remembered.

    Each type of word is given, at random and once for all sentences, one of three ways to find its head: the
    first word of the sentence, the last one, or the one before. Hewitt & Liang's control of dependencies had
    the word itself as the third, which no tree allows. The first word is the root, and the last one's head.

    Args:
        types: the type of each word of each sentence, such as the number of its form, from 0. *Shape of
            each:* (n_words,), int64.
        seed: of what each type is given.

    Returns:
        Heads, as `tree_distances` takes them. *Shapes:* as `types`, int64.
    """
    n_types = max((int(words.max(initial=-1)) for words in types), default=-1) + 1
    ways = np.random.default_rng(seed).integers(3, size=n_types)
    trees = []
    for words in types:
        places = np.arange(len(words))
        heads = np.choose(
            ways[words], [np.zeros_like(places), np.full_like(places, len(words) - 1), places - 1]
        )
        heads[-1:] = 0
        heads[:1] = -1
        trees.append(heads)
    return trees


def spanning_tree(distances: np.ndarray) -> np.ndarray:
    """The minimum spanning tree, by Prim's algorithm. Of equal ways to grow, the lowest place is taken.

    Args:
        distances: symmetric; may be 0. *Shape:* (n_words, n_words).

    Returns:
        Its edges, as places of words. *Shape:* (n_words - 1, 2), int64.
    """
    nearest = np.zeros(len(distances), np.int64)
    reach = distances[:1].astype(np.float64).ravel()
    reach[:1] = np.inf
    edges = np.empty((max(0, len(distances) - 1), 2), np.int64)
    outside = np.arange(len(distances)) > 0
    for edge in edges:
        word = int(np.argmin(np.where(outside, reach, np.inf)))
        edge[:] = nearest[word], word
        outside[word] = False
        closer = distances[word] < reach
        reach = np.where(closer, distances[word], reach)
        nearest[closer] = word
    return edges


def tree_scores(predicted: Iterable[np.ndarray], sentences: Sequence[Sentence]) -> TreeScores:
    """Compare predicted distances with those of the trees.

    Args:
        predicted: for each sentence; any numbers that order pairs of words as their distances do, such as
            squared ones. *Shape of each:* (n_words, n_words).
        sentences: in the same order.
    """
    scores = []
    for distances, sentence in zip(predicted, sentences, strict=True):
        right = sentence.distances[tuple(spanning_tree(distances).T)] == 1
        n_edges = (sentence.distances == 1).sum() // 2
        correlation = _correlation(distances, sentence.distances)
        scores.append((correlation, len(sentence.rows), right.sum(), n_edges))
    columns = np.array(scores, np.float64).reshape(-1, 4).T
    return TreeScores(columns[0], *columns[1:].astype(np.int64))


def _correlation(predicted: np.ndarray, true: np.ndarray) -> float:
    """Mean over the words of their rank correlation."""
    from scipy.stats import rankdata

    if len(true) < 2:
        return float("nan")
    x, y = (rankdata(distances, axis=1) - (len(true) + 1) / 2 for distances in (predicted, true))
    lengths = np.sqrt(np.vecdot(x, x) * np.vecdot(y, y))
    return float(np.divide(np.vecdot(x, y), lengths, out=np.zeros(len(x)), where=lengths > 0).mean())


def weights_of_lengths(n_words: np.ndarray) -> np.ndarray:
    """What sentences count, so that all lengths from 5 to 50 words count alike, and no others.

    So Hewitt & Manning 2019 report correlations: the mean over the lengths of the mean over the sentences of
    a length.

    Args:
        n_words: of each sentence. *Shape:* (n_sentences,), int64.

    *Shape:* (n_sentences,), float64.
    """
    counted = (n_words >= LENGTHS[0]) & (n_words <= LENGTHS[1])
    return np.where(counted, 1 / np.bincount(n_words)[n_words], 0.0)
