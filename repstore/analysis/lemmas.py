"""Words by lemma, with the senses that each has: what word-sense probes are asked about."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from repstore.analysis.kernels import to_float32
from repstore.analysis.space import Space
from repstore.corpus.source import SEVERAL
from repstore.storage.vectors import LayerVectors


@dataclass(frozen=True, eq=False)
class Lemma:
    """The words of a lemma and part of speech.

    Attributes:
        words: which words, among all words of the question. *Shape:* (n,), int64, ascending.
        senses: names of the senses: those of more training words first, equals by name.
        has: whether a word has a sense. *Shape:* (n, n_senses), bool.
        trains: whether the sense of a word is known to those that are scored. *Shape:* (n,), bool.
        is_scored: *Shape:* (n,), bool.
    """

    words: np.ndarray
    senses: tuple[str, ...]
    has: np.ndarray
    trains: np.ndarray
    is_scored: np.ndarray

    @cached_property
    def scored(self) -> np.ndarray:
        """The words that are scored, by their place in `words`. *Shape:* (n_scored,), int64."""
        return np.flatnonzero(self.is_scored)

    @cached_property
    def candidates(self) -> np.ndarray:
        """The training words, by their place in `words`; those of more frequent senses first.

        *Shape:* (n_training,), int64.
        """
        places = np.flatnonzero(self.trains)
        by_sense: np.ndarray = places[np.argsort(self.has[places].argmax(axis=1), kind="stable")]
        return by_sense

    @cached_property
    def n_training(self) -> np.ndarray:
        """Training words of each sense. *Shape:* (n_senses,), int64."""
        counts: np.ndarray = np.count_nonzero(self.has[self.trains], axis=0)
        return counts

    @property
    def is_monosemous(self) -> bool:
        """Whether there is nothing to decide: one sense, and words to learn it from."""
        return len(self.senses) == 1 and bool(self.trains.any())


def lemmas_of(
    names: Sequence[tuple[str, str | None]], senses: Sequence[str], trains: np.ndarray, is_scored: np.ndarray
) -> list[Lemma]:
    """The lemmas of some words, in order of their first word; those with no scored word are left out.

    A sense is of its lemma: the same name under another lemma is another sense.

    Args:
        names: lemma and part of speech of every word.
        senses: sense of every word, or several joined by ";".
        trains, is_scored: *Shape of each:* (n_words,), bool; every word is one of the two, or both.
    """
    places: dict[tuple[str, str | None], list[int]] = {}
    for place, name in enumerate(names):
        places.setdefault(name, []).append(place)
    return [
        _lemma(
            np.array(words), [senses[word].split(SEVERAL) for word in words], trains[words], is_scored[words]
        )
        for words in places.values()
        if is_scored[words].any()
    ]


def _lemma(words: np.ndarray, keys: list[list[str]], trains: np.ndarray, is_scored: np.ndarray) -> Lemma:
    n_training = Counter(key for some, known in zip(keys, trains, strict=True) if known for key in set(some))
    senses = sorted({key for some in keys for key in some}, key=lambda key: (-n_training[key], key))
    column = {key: n for n, key in enumerate(senses)}
    has = np.zeros((len(words), len(senses)), bool)
    for row, some in zip(has, keys, strict=True):
        row[[column[key] for key in some]] = True
    return Lemma(words, tuple(senses), has, trains, is_scored)


def vectors_of(
    lemmas: Sequence[Lemma], layer: LayerVectors, space: Space, rows: np.ndarray
) -> Iterator[tuple[Lemma, np.ndarray]]:
    """Each lemma with the vectors of its words: never more of a layer in memory than one lemma.

    Args:
        lemmas: which lemmas.
        layer: the layer.
        space: where its vectors are compared.
        rows: which row of the layer each word of the question is. *Shape:* (n_words,), int64.

    *Shape of each:* (n, d_model), float64.
    """
    for lemma in lemmas:
        yield lemma, space.map(to_float32(layer.take(rows[lemma.words])))
