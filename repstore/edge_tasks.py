"""Tasks of edges: whether words of a sentence are joined, and by which relation."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence

import numpy as np

from repstore.sampling import meeting
from repstore.storage.edges import FoundEdges
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Run
from repstore.tasks import ARCS, Asked, Task


def edge_task(lookup: Lookup, runs: Sequence[Run], asked: Asked) -> Task:
    """Arcs or relations of the corpus of some runs; the types of a control task are pairs of forms.

    Raises:
        QueryError: `asked.where` is no condition on words.
        ArgumentError: no kind of edges is asked for, and there are several.
        NotFoundError: there is no such kind.
        ResultError: the corpus has no edges.
    """
    found = lookup.edges(runs[0], asked.edges)
    if asked.label == ARCS:
        there = np.logical_and.reduce([run.vectors.rows(found.word_ids) >= 0 for run in runs])
        task = arcs_of(found, asked.seed, meeting(lookup, runs[0], found.word_ids[there], asked.where))
    else:
        task = relations_of(found)
    known = lookup.occurrences(runs[0])
    forms = known.forms[np.searchsorted(known.word_ids, task.words)]
    types = np.unique(forms, axis=0, return_inverse=True)[1].reshape(-1)
    return dataclasses.replace(task, types=types)


def relations_of(found: FoundEdges) -> Task:
    """Edges, and the label of each."""
    classes, targets = np.unique(np.asarray(found.labels, str), return_inverse=True)
    words = np.stack([found.heads, found.dependents], axis=1)
    return _of_edges(f"relation of {found.kind}", words, targets, tuple(classes.tolist()), found)


def arcs_of(found: FoundEdges, seed: int, asked: np.ndarray) -> Task:
    """Arcs, and for each one that is none: of the same dependent and another word of its text.

    So neither the dependent nor the text tells whether there is an arc. Words with several labels between
    them are joined by one arc. Left out are arcs from a word to itself, which no other pair is like, and
    those for which no word is left that the dependent is not joined to.

    `asked`: the words that examples may be of. *Shape:* (n_words,), int64.
    """
    random = np.random.default_rng(seed)
    there = np.isin(found.word_ids, asked)
    texts, starts = np.unique(found.word_texts[there], return_index=True)
    of_texts = np.split(found.word_ids[there], starts)[1:]
    words_of = dict(zip(texts.tolist(), of_texts, strict=True))
    is_asked = np.isin(found.heads, asked) & np.isin(found.dependents, asked)
    joined_to: dict[int, set[int]] = {}
    for head, dependent in zip(found.heads.tolist(), found.dependents.tolist(), strict=True):
        joined_to.setdefault(dependent, set()).add(head)
        joined_to.setdefault(head, set()).add(dependent)
    _, firsts = np.unique(np.stack([found.dependents, found.heads]), axis=1, return_index=True)
    n_arcs, firsts = len(firsts), firsts[is_asked[firsts]]
    others: dict[int, list[int]] = {}
    rows, same = [], []
    for n in firsts.tolist():
        head, dependent, text = (int(column[n]) for column in (found.heads, found.dependents, found.texts))
        if dependent not in others:
            free = np.setdiff1d(words_of[text], [dependent, *joined_to[dependent]])
            others[dependent] = random.permutation(free).tolist()
        if head != dependent and others[dependent]:
            rows += [(n, head, dependent), (n, others[dependent].pop(), dependent)]
            same += [1, 0]
    edge, *words = np.array(rows, np.int64).reshape(-1, 3).T
    task = _of_edges(
        f"arc of {found.kind}",
        np.stack(words, axis=1),
        np.array(same, np.int64),
        ("no arc", "arc"),
        found,
        edge,
    )
    left = {
        "a word of theirs is not asked for, or has no vector": n_arcs - len(firsts),
        "the dependent is joined to itself, or to all words of its text": len(firsts) - len(rows) // 2,
    }
    notes = tuple(f"{n:,} arcs are left out: {why}." for why, n in left.items() if n)
    return dataclasses.replace(task, notes=notes)


def _of_edges(
    name: str,
    words: np.ndarray,
    targets: np.ndarray,
    classes: tuple[str, ...],
    found: FoundEdges,
    edges: np.ndarray | None = None,
) -> Task:
    """Examples about edges. They have no lemma of their own, so they are divided by texts.

    Texts that read the same count as one.
    """
    texts = found.reads_as[np.searchsorted(found.word_ids, words[:, 1])]
    splits = found.splits if edges is None else found.splits[edges]
    why = "Edges join two lemmas, and are divided by text."
    return Task(name, words, targets, classes, texts, texts, texts, splits, by_text_since=why)
