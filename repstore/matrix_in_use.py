"""The words or texts that a table of numbers speaks of, and what is asked of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import reduce
from pathlib import Path
from typing import get_args

import numpy as np

from repstore.analysis.inputs import Inputs, MeanInputs, WordInputs
from repstore.analysis.regression import FEWEST_GROUPS, joined
from repstore.analysis.targets import Targets
from repstore.corpus.matrices import ExternalMatrix
from repstore.errors import ResultError, check_choice
from repstore.sampling import check_draws, check_memory, check_sample, meeting, sampled
from repstore.spec import MEMORY, LayerKey, SplitBy
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Run
from repstore.storage.vectors import rows_of

TEXTS = ("text_id", "text")
"""Keys of which the examples are texts: the means of their words."""

SHOWN_KEYS = 3


@dataclass(frozen=True, slots=True)
class RidgeProbe:
    """What is asked of a table of numbers.

    Attributes:
        matrix: the table (`corpus.matrices.read_matrix`).
        split_by: what no fold shares with those it is predicted from, beside the key of the table: lemmas or
            texts, those that read the same being one; None: nothing else. Where the key is of texts, it is
            texts.
        n_seeds: how many draws of folds.
        seed: decides them, and the sample, controls and resamples.
        where: an SQL condition on the words; None for all.
        sample: over how many examples; None for all.
        resamples: for intervals over groups; 0 for none.
        memory: bytes to work in.
    """

    matrix: Path
    split_by: SplitBy | None = "lemma"
    n_seeds: int = 5
    seed: int = 0
    where: str | None = None
    sample: int | None = None
    resamples: int = 10_000
    memory: int = MEMORY

    def __post_init__(self) -> None:
        if self.split_by is not None:
            check_choice("split_by", self.split_by, get_args(SplitBy))
        check_sample(self.sample, self.seed, FEWEST_GROUPS)
        check_memory(self.memory)
        check_draws(self.n_seeds, self.resamples)


@dataclass(frozen=True, eq=False)
class MatrixInUse:
    """The examples of a table in some runs over one corpus: words with vectors in all of them, or texts.

    Attributes:
        word_ids: example by example. *Shape:* (n_words,), int64.
        starts: where each text begins among these, and where the last ends; None where each word is an
            example. *Shape:* (n + 1,), int64.
        targets: the numbers known of each example.
        groups: numbers from 0 on; examples of one are in one fold. *Shape:* (n,), int64.
        n_missing: rows of the table of which there is no example.
        n_unknown: words left out, as the table has no row for them.
    """

    word_ids: np.ndarray
    starts: np.ndarray | None
    targets: Targets
    groups: np.ndarray
    n_missing: int
    n_unknown: int

    @property
    def n_groups(self) -> int:
        """How many groups there are."""
        return int(self.groups.max()) + 1

    def inputs(self, run: Run, layer: LayerKey) -> Inputs:
        """The examples at a layer."""
        vectors, rows = run.vectors.layer(layer), run.vectors.rows(self.word_ids)
        return WordInputs(vectors, rows) if self.starts is None else MeanInputs(vectors, rows, self.starts)


def matrix_in_use(
    lookup: Lookup, runs: Sequence[Run], matrix: ExternalMatrix, asked: RidgeProbe
) -> MatrixInUse:
    """The examples of a table in the corpus that all `runs` are over.

    Raises:
        QueryError: `asked.where` is no condition on words.
        ResultError: the table has no row for any word with a vector.
    """
    there = reduce(np.intersect1d, [run.vectors.word_ids for run in runs])
    there = meeting(lookup, runs[0], there, asked.where)
    word_ids, numbers = lookup.keyed(runs[0], matrix.key, matrix.keys)
    is_there = np.isin(word_ids, there)
    word_ids, numbers = word_ids[is_there], numbers[is_there]
    if not len(word_ids):
        raise ResultError(_none(matrix, runs, asked))
    n_missing, n_unknown = len(matrix.keys) - len(np.unique(numbers)), len(there) - len(word_ids)
    known = lookup.occurrences(runs[0])
    rows = rows_of(known.word_ids, word_ids)
    starts = None
    if matrix.key in TEXTS:
        word_ids, starts, numbers = _texts(known.texts[rows], word_ids, numbers, asked)
        groups = joined(numbers, known.reads_as[rows_of(known.word_ids, word_ids[starts[:-1]])])
    else:
        kept = sampled(np.arange(len(word_ids)), asked.sample, asked.seed)
        word_ids, numbers, rows = word_ids[kept], numbers[kept], rows[kept]
        beside = {"lemma": [known.lemmas[rows]], "text": [known.reads_as[rows]], None: []}[asked.split_by]
        groups = joined(numbers, *beside)
    present, keys = np.unique(numbers, return_inverse=True)
    targets = Targets(matrix.values[present], keys)
    groups = np.unique(groups, return_inverse=True)[1]
    return MatrixInUse(word_ids, starts, targets, groups, n_missing, n_unknown)


def _texts(
    texts: np.ndarray, word_ids: np.ndarray, numbers: np.ndarray, asked: RidgeProbe
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Words text by text, where each text begins among them, and the key of each text."""
    order = np.lexsort((word_ids, texts))
    firsts = np.flatnonzero(np.diff(texts[order], prepend=-1))
    sizes = np.diff(firsts, append=len(order))
    kept = sampled(np.arange(len(firsts)), asked.sample, asked.seed)
    words = np.concatenate([np.arange(firsts[n], firsts[n] + sizes[n]) for n in kept])
    starts = np.concatenate([[0], np.cumsum(sizes[kept])])
    return word_ids[order][words], starts, numbers[order][firsts[kept]]


def _none(matrix: ExternalMatrix, runs: Sequence[Run], asked: RidgeProbe) -> str:
    labels = " and ".join(dict.fromkeys(run.label for run in runs))
    such = "" if asked.where is None else f" for which {asked.where} holds"
    shown = ", ".join(str(key) for key in matrix.keys[:SHOWN_KEYS])
    corpus = runs[0].info.corpus
    return (
        f"No word with a vector in {labels}{such} has a {matrix.key} of {asked.matrix}, such as {shown}. "
        f"Keys are matched as they are written: the table of words has {corpus}'s."
    )
