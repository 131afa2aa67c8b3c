"""Word sense disambiguation by vectors: nearest words, nearest centroids, and how many answers are right.

A word is compared with the training words of its own lemma and part of speech. It is never among them itself:
where a scored word is a training word, too, it is left out for its own answer.

Sources: nearest words as in Melamud et al. 2016 ("context2vec", k = 1) and Wiedemann et al. 2019 ("Does BERT
Make Any Sense?", k of 1 to 10); centroids as in Peters et al. 2018 ("Deep contextualized word
representations", layer by layer) and LMMS, Loureiro & Jorge 2019 ("Language Modelling Makes Sense"). These
took a lemma without training words to have WordNet's first sense; a store has no WordNet, and an answer that
is not there is wrong.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from repstore.analysis.kernels import unit
from repstore.analysis.lemmas import Lemma, vectors_of
from repstore.analysis.space import Space
from repstore.errors import ArgumentError
from repstore.storage.vectors import LayerVectors

CERTAIN = 12
"""Decimals of a cosine summed in float64. Identical vectors tie; the more frequent sense then decides."""

AT_ONCE = 1 << 22
"""Cosines in memory at a time."""


@dataclass(frozen=True, slots=True)
class Nearest:
    """A vote of the `k` nearest words."""

    k: int

    def __post_init__(self) -> None:
        if self.k < 1:
            raise ArgumentError(f"k is {self.k}; ask for at least 1 neighbor.")

    def answers(self, lemma: Lemma, vectors: np.ndarray) -> np.ndarray:
        """The sense of the most of the nearest words by cosine; of equals, that of the higher sum of cosines.

        What still ties goes to the sense of more training words, and so do words at equal distance. A word of
        several senses votes for each.

        Args:
            lemma: the lemma.
            vectors: of its words. *Shape:* (n, d_model), float64.

        Returns:
            Which sense of the lemma each scored word is given; -1 where there is no training word but itself.
            *Shape:* (n_scored,), int64.
        """
        asked, candidates = lemma.scored, lemma.candidates
        answers = np.full(len(asked), -1)
        if not len(candidates):
            return answers
        units = unit(vectors)
        known, senses = units[candidates], lemma.has[candidates]
        place = np.full(len(lemma.words), -1)
        place[candidates] = np.arange(len(candidates))
        step = max(1, AT_ONCE // len(candidates))
        for start in range(0, len(asked), step):
            here = asked[start : start + step]
            cosines = np.round(units[here] @ known.T, CERTAIN)
            own = np.flatnonzero(place[here] >= 0)
            cosines[own, place[here][own]] = -np.inf
            answers[start : start + step] = _vote(cosines, senses, self.k)
        return answers


def _vote(cosines: np.ndarray, senses: np.ndarray, k: int) -> np.ndarray:
    """The sense elected by the `k` nearest candidates of every word. Uses `cosines` up.

    Args:
        cosines: *Shape:* (n, n_candidates); -inf for a word itself.
        senses: of the candidates. *Shape:* (n_candidates, n_senses), bool.
        k: how many vote.

    *Shape:* (n,), int64.
    """
    rows = np.arange(len(cosines))
    votes = np.zeros((len(cosines), senses.shape[1]), np.int64)
    sums = np.zeros(votes.shape)
    for _ in range(min(k, len(senses))):
        nearest = cosines.argmax(axis=1)  # the first of equals, so that none hangs on how a sort is done
        cosine = cosines[rows, nearest]
        voting = senses[nearest] & np.isfinite(cosine)[:, None]
        votes += voting
        sums += np.where(voting, cosine[:, None], 0)
        cosines[rows, nearest] = -np.inf
    most = votes.max(axis=1)
    sums = np.where(votes == most[:, None], np.round(sums, CERTAIN), -np.inf)
    return np.where(most > 0, sums.argmax(axis=1), -1)


@dataclass(frozen=True, slots=True)
class Centroids:
    """The nearest mean of the training words of a sense."""

    def answers(self, lemma: Lemma, vectors: np.ndarray) -> np.ndarray:
        """The sense whose mean vector has the highest cosine; of equals, that of more training words.

        A scored word that trains is taken out of the means that it is part of; a word of several senses is
        part of the mean of each.

        Args:
            lemma: the lemma.
            vectors: of its words. *Shape:* (n, d_model), float64.

        Returns:
            As `Nearest.answers`.
        """
        asked, trained = lemma.scored, lemma.has & lemma.trains[:, None]
        sums = trained.T.astype(np.float64) @ vectors  # as good as means: cosines know no lengths
        units = unit(vectors[asked])
        cosines = units @ unit(sums).T
        cosines[:, lemma.n_training == 0] = -np.inf
        word, sense = np.nonzero(trained[asked])
        others = unit(sums[sense] - vectors[asked[word]])
        cosines[word, sense] = np.where(
            lemma.n_training[sense] > 1, np.einsum("nd,nd->n", units[word], others), -np.inf
        )
        cosines = np.round(cosines, CERTAIN)
        return np.where(np.isfinite(cosines).any(axis=1), cosines.argmax(axis=1), -1)


@dataclass(frozen=True)
class Answers:
    """Senses given to the scored words of some lemmas, lemma by lemma. Build it with `Key.score`.

    Attributes:
        is_right: *Shape:* (n_scored,), bool.
        macro_f1: the mean of the F1 of every sense.
    """

    is_right: np.ndarray
    macro_f1: float


@dataclass(frozen=True, eq=False)
class Key:
    """What is right for the scored words of some lemmas, and what can be known without a vector.

    Attributes:
        lemmas: the lemmas.
        baseline: the accuracy of always giving the sense of the most training words of the lemma, each scored
            word that trains counted with the others: without it, a lemma whose senses are equally frequent
            would have a baseline of 0.
        n_unseen: scored words none of whose senses has a training word other than itself. No answer is right.
    """

    lemmas: Sequence[Lemma]
    baseline: float
    n_unseen: int

    @classmethod
    def of(cls, lemmas: Sequence[Lemma]) -> Key:
        """The key of some lemmas."""
        n_scored = n_first = n_unseen = 0
        for lemma in lemmas:
            has = lemma.has[lemma.scored]
            own = lemma.trains[lemma.scored][:, None]  # itself, among the training words of its senses
            n_scored += len(has)
            n_first += int((has[:, 0] & (lemma.n_training[0] > 0)).sum())
            n_unseen += int((~(has & (lemma.n_training > own)).any(axis=1)).sum())
        return cls(lemmas, n_first / n_scored, n_unseen)

    def score(self, answers: Sequence[np.ndarray]) -> Answers:
        """Which answers are right: those that are among the senses of the word; and F1.

        The F1 of a sense is that of the words that have it. A word of several senses counts for the one it
        was given, if that is right, else for the most frequent.

        Args:
            answers: of every lemma. *Shape of each:* (n_scored,), int64.
        """
        right, of_senses = [], []
        for lemma, given in zip(self.lemmas, answers, strict=True):
            has = lemma.has[lemma.scored]
            is_right = has[np.arange(len(has)), given] & (given >= 0)
            due = np.where(is_right, given, has.argmax(axis=1))
            n_senses = len(lemma.senses)
            n_due, n_given, n_both = (
                np.bincount(some, minlength=n_senses) for some in (due, given[given >= 0], given[is_right])
            )
            of_senses.append((2 * n_both / np.maximum(n_due + n_given, 1))[n_due > 0])
            right.append(is_right)
        return Answers(np.concatenate(right), float(np.concatenate(of_senses).mean()))


def disambiguate(
    key: Key, rule: Nearest | Centroids, layer: LayerVectors, space: Space, rows: np.ndarray
) -> Answers:
    """Give every scored word a sense by the vectors of one layer.

    Args:
        key: what is asked, and what is right.
        rule: how a sense is found.
        layer: the layer.
        space: where its vectors are compared.
        rows: which row of the layer each word of the question is. *Shape:* (n_words,), int64.
    """
    return key.score([rule.answers(*of_lemma) for of_lemma in vectors_of(key.lemmas, layer, space, rows)])
