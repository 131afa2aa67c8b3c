"""What a trained probe has to say: of words their labels, of pairs whether they are of one sense, of words
of a sentence whether, and by which relation, they are joined."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from repstore.corpus.labels import LabelTable

PAIRS, ARCS, RELATIONS = "pairs", "arcs", "relations"
OF_PAIRS = (PAIRS, ARCS, RELATIONS)
"""Labels of pairs of words; every other label is one of words."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What is to be predicted, of which words.

    Attributes:
        label: a column of words and texts, a table of labels, or one of `OF_PAIRS`.
        edges: of which kind the edges are; None if the corpus has one kind.
        at_least: classes with fewer examples are left out; None: they are refused.
        where: an SQL condition on the words.
        sample: so many examples; None for all.
        seed: decides the sample, and which words are not joined.
    """

    label: str | LabelTable
    edges: str | None
    at_least: int | None
    where: str | None
    sample: int | None
    seed: int


@dataclass(frozen=True, eq=False)
class Task:
    """Examples, and what a probe has to say of each.

    Attributes:
        name: what that is.
        words: word_ids of an example. *Shape:* (n, 1) or (n, 2), int64.
        targets: its class, *Shape:* (n,), int64; or its classes, *Shape:* (n, n_classes), bool.
        classes: their names.
        lemmas, texts: what may not be both in training and in the test: a number for the lemma, and for the
            text, or all that pairs link to it. *Shape of each:* (n,), int64.
        types: the word types that a control task labels: a number for each form, or lemma, or pair of forms.
            *Shape:* (n,), int64.
        splits: of the corpus. *Shape:* (n,), str or None.
        notes: which words, or classes, are left out.
        by_text_since: why examples can be divided by text only; None if lemmas can be kept apart.
    """

    name: str
    words: np.ndarray
    targets: np.ndarray
    classes: tuple[str, ...]
    lemmas: np.ndarray
    texts: np.ndarray
    types: np.ndarray
    splits: np.ndarray
    notes: tuple[str, ...] = ()
    by_text_since: str | None = None

    def __len__(self) -> int:
        return len(self.words)

    @property
    def is_of_pairs(self) -> bool:
        """Whether an example is a pair of words."""
        return int(self.words.shape[1]) == 2

    @property
    def counts(self) -> np.ndarray:
        """Examples of each class. *Shape:* (n_classes,), int64."""
        if self.targets.ndim == 2:
            return np.asarray(self.targets.sum(axis=0))
        return np.bincount(self.targets, minlength=len(self.classes))

    def where(self, kept: np.ndarray) -> Task:
        """Some of the examples. `kept`: *Shape:* (n,), bool, or the places, int64."""
        columns = ("words", "targets", "lemmas", "texts", "types", "splits")
        return dataclasses.replace(self, **{name: getattr(self, name)[kept] for name in columns})
