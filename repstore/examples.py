"""What a trained probe that was kept is asked about: words of a run, or pairs of them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pyarrow as pa

from repstore.errors import ResultError
from repstore.sampling import sampled
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Run
from repstore.storage.saved_probes import ProbeInfo
from repstore.storage.vectors import rows_of
from repstore.tasks import ARCS, PAIRS

WORDS = ("word_id", "form", "lemma", "text", "char_start", "char_end")


@dataclass(frozen=True, slots=True)
class Which:
    """Which words are asked about.

    Attributes:
        where: an SQL condition that every word meets; None for all.
        sample: so many words, or pairs, or texts of which the words are paired; None for all.
        seed: decides the sample.
    """

    where: str | None
    sample: int | None
    seed: int


@dataclass(frozen=True, eq=False)
class Examples:
    """Words, or pairs of words, that have vectors.

    Attributes:
        rows: of the run's vectors. *Shape:* (n, 1) or (n, 2), int64.
        n_missing: pairs that are left out, as a word of theirs has no vector.
    """

    rows: np.ndarray
    n_missing: int = 0

    def __len__(self) -> int:
        return len(self.rows)


def examples_of(
    lookup: Lookup, run: Run, info: ProbeInfo, which: Which, check: Callable[[int, int], None]
) -> Examples:
    """The examples of a run that a probe is asked about.

    A probe of single words reads those of the run, in order. One of pairs reads the table of pairs, row by
    row, whether they have a label or not. One of arcs reads, as a parser would, all ordered pairs of
    different words of a text, in order of their dependents; one of relations those that edges of its kind
    join, each once, in the same order.

    Args:
        lookup: of the store.
        run: whose words.
        info: what the probe is.
        which: which words.
        check: told how many words and examples there will be, before there are; refuses too many.

    Raises:
        NotFoundError: the corpus has no edges of the kind.
        ResultError: there are no such words or pairs, or too many.
        QueryError: `which.where` is no condition on words.
    """
    words = lookup.matching(run, which.where)
    if info.feature is None:
        found = Examples(sampled(_with_vectors(run, words), which.sample, which.seed)[:, None])
        check(len(found), len(found))
    elif info.asked["label"] == ARCS:
        found = Examples(_joinable(lookup, run, _with_vectors(run, words), which, check))
    else:
        found = _listed(lookup, run, info, words, which)
        check(len(np.unique(found.rows)), len(found))
    if not len(found):
        raise ResultError(
            f"{run.label} has no {'words' if info.feature is None else 'pairs of words'} with vectors where "
            f"{which.where or 'true'}. Ask for others with where."
        )
    return found


def _with_vectors(run: Run, words: np.ndarray) -> np.ndarray:
    """The rows of those words that have vectors. *Shape:* (n,), int64, ascending."""
    rows = run.vectors.rows(words)
    return np.unique(rows[rows >= 0])


def _joinable(
    lookup: Lookup, run: Run, rows: np.ndarray, which: Which, check: Callable[[int, int], None]
) -> np.ndarray:
    """All ordered pairs of words of one text, heads first. *Shape:* (n, 2), int64."""
    known = lookup.occurrences(run)
    texts = known.texts[rows_of(known.word_ids, run.vectors.word_ids[rows])]
    order = np.argsort(texts, kind="stable")
    _, starts, sizes = np.unique(texts[order], return_index=True, return_counts=True)
    drawn = sampled(np.flatnonzero(sizes > 1), which.sample, which.seed)
    starts, sizes = starts[drawn], sizes[drawn]
    check(int(sizes.sum()), int((sizes * (sizes - 1)).sum()))
    pairs = [np.empty((0, 2), np.int64)]
    for start, size in zip(starts.tolist(), sizes.tolist(), strict=True):
        words = rows[order[start : start + size]]
        heads, dependents = np.tile(words, size), np.repeat(words, size)
        pairs.append(np.stack([heads, dependents], axis=1)[heads != dependents])
    return np.concatenate(pairs)


def _listed(lookup: Lookup, run: Run, info: ProbeInfo, words: np.ndarray, which: Which) -> Examples:
    """The pairs of some words that the corpus lists."""
    if info.asked["label"] == PAIRS:
        pairs = lookup.all_pairs(run)
    else:
        edges = lookup.edges(run, info.asked["edges"])
        pairs = np.unique(np.stack([edges.dependents, edges.heads], axis=1), axis=0)[:, ::-1]
    rows = run.vectors.rows(pairs[np.isin(pairs, words).all(axis=1)])
    there = (rows >= 0).all(axis=1)
    drawn = sampled(np.flatnonzero(there), which.sample, which.seed)
    return Examples(rows[drawn], int(np.count_nonzero(~there)))


def columns_of(lookup: Lookup, run: Run, rows: np.ndarray) -> dict[str, pa.Array]:
    """What the words of examples are: of one its place in its text, of two their forms. `rows`: as above."""
    known, places = np.unique(run.vectors.word_ids[rows], return_inverse=True)
    words = lookup.with_words([{"word_id": one} for one in known.tolist()])
    columns = {name: words[name].combine_chunks() for name in WORDS}
    columns["lemma"] = columns["lemma"].cast(pa.string())  # where no word has one, too
    of_sides = [pa.array(side) for side in places.reshape(rows.shape).T]
    if len(of_sides) == 1:
        return {name: column.take(of_sides[0]) for name, column in columns.items()}
    named = {"word": columns["word_id"], "form": columns["form"]}
    return {
        f"{name}_{side}": column.take(places)
        for name, column in named.items()
        for side, places in zip("ab", of_sides, strict=True)
    }
