"""What a trained probe has to say: of words their labels, of pairs whether they are of one sense, of words
of a sentence whether, and by which relation, they are joined."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from repstore.belonging import linked
from repstore.corpus.labels import LabelTable
from repstore.errors import ResultError
from repstore.sampling import meeting, sampled
from repstore.storage.edges import FoundEdges
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Run

PAIRS, ARCS, RELATIONS = "pairs", "arcs", "relations"
OF_PAIRS = (PAIRS, ARCS, RELATIONS)
"""Labels of pairs of words; every other label is one of words."""

OF_EDGES = ("arc", "relation")
"""How tasks of edges are called."""

FEWEST = 5
"""Examples of a class, at least."""


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


def task_of(lookup: Lookup, runs: Sequence[Run], asked: Asked) -> Task:
    """The examples of the corpus that all `runs` are over, as far as all of them have vectors.

    Raises:
        NotFoundError: no such column, or kind of edges.
        ResultError: no labels, too few examples of a class, or one class alone.
        QueryError: `where` is no condition on words.
    """
    run = runs[0]
    if asked.label == PAIRS:
        task = _pairs(lookup, run)
    elif asked.label in (ARCS, RELATIONS):
        found = lookup.edges(run, asked.edges)
        task = _arcs(found, asked.seed) if asked.label == ARCS else _relations(found)
        task = _with_forms(lookup, run, task)
    else:
        task = _labels(lookup, run, asked.label)
    task = _with_vectors(lookup, runs, task, asked.where)
    return _with_enough(task.where(sampled(np.arange(len(task)), asked.sample, asked.seed)), asked)


def _labels(lookup: Lookup, run: Run, label: str | LabelTable) -> Task:
    found = lookup.word_labels(run, label)
    classes = tuple(sorted({one for labels in found.labels for one in labels}))
    places = {name: n for n, name in enumerate(classes)}
    if all(len(labels) == 1 for labels in found.labels):
        targets = np.array([places[labels[0]] for labels in found.labels], np.int64)
    else:
        targets = np.zeros((len(found.labels), len(classes)), bool)
        for n, labels in enumerate(found.labels):
            targets[n, [places[one] for one in labels]] = True
    notes = []
    if found.n_unlabelled:
        notes.append(f"{found.n_unlabelled:,} words of {run.info.corpus} have no such label.")
    return Task(
        name=label if isinstance(label, str) else "label",
        words=found.word_ids[:, None],
        targets=targets,
        classes=classes,
        lemmas=found.lemmas,
        texts=found.texts,
        types=found.forms,
        splits=found.splits,
        notes=tuple(notes),
    )


def _pairs(lookup: Lookup, run: Run) -> Task:
    found = lookup.labelled_pairs(run)
    lemmas, texts = (_joined(sides) for sides in (found.lemmas, found.texts))
    types = np.unique(found.lemmas, axis=0, return_inverse=True)[1].reshape(-1)
    return Task(
        name="same sense",
        words=found.words,
        targets=found.same.astype(np.int64),
        classes=("different", "same"),
        lemmas=lemmas,
        texts=texts,
        types=types,
        splits=found.splits,
    )


def _joined(sides: np.ndarray) -> np.ndarray:
    """One number for all that pairs join, directly or by others. `sides`: *Shape:* (n, 2). *Shape:* (n,)."""
    known = np.unique(sides)
    numbers = linked(known, sides)
    found: np.ndarray = numbers[np.searchsorted(known, sides[:, 0])]
    return found


def _relations(found: FoundEdges) -> Task:
    classes, targets = np.unique(np.asarray(found.labels, str), return_inverse=True)
    words = np.stack([found.heads, found.dependents], axis=1)
    return _of_edges(f"relation of {found.kind}", words, targets, tuple(classes.tolist()), found)


def _arcs(found: FoundEdges, seed: int) -> Task:
    """Arcs, and for each one that is none: of the same dependent and another word of its text.

    So neither the dependent nor the text tells whether there is an arc. Words with several labels between
    them are joined by one arc. Left out are arcs from a word to itself, which no other pair is like, and
    those for which no word is left that the dependent is not joined to.
    """
    random = np.random.default_rng(seed)
    texts, starts = np.unique(found.word_texts, return_index=True)
    words_of = dict(zip(texts.tolist(), np.split(found.word_ids, starts[1:]), strict=True))
    joined_to: dict[int, set[int]] = {}
    for head, dependent in zip(found.heads.tolist(), found.dependents.tolist(), strict=True):
        joined_to.setdefault(dependent, set()).add(head)
        joined_to.setdefault(head, set()).add(dependent)
    _, arcs = np.unique(np.stack([found.dependents, found.heads]), axis=1, return_index=True)
    others: dict[int, list[int]] = {}
    rows, same = [], []
    for n in arcs.tolist():
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
    n_left = len(arcs) - len(rows) // 2
    note = f"{n_left:,} arcs are left out: the dependent is joined to itself, or to all words of its text."
    return dataclasses.replace(task, notes=(note,) if n_left else ())


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
    return Task(name, words, targets, classes, texts, texts, texts, splits)


def _with_forms(lookup: Lookup, run: Run, task: Task) -> Task:
    """The task, its types the pairs of forms."""
    known = lookup.occurrences(run)
    forms = known.forms[np.searchsorted(known.word_ids, task.words)]
    types = np.unique(forms, axis=0, return_inverse=True)[1].reshape(-1)
    return dataclasses.replace(task, types=types)


def _with_vectors(lookup: Lookup, runs: Sequence[Run], task: Task, where: str | None) -> Task:
    """The examples whose words are asked for, and have vectors in all runs."""
    if where is not None:
        words = np.unique(task.words)
        met = np.isin(task.words, meeting(lookup, runs[0], words, where))
        task = task.where(np.flatnonzero(met.all(axis=1)))
        if not len(task):
            raise ResultError(f'No word with a {task.name} meets "{where}".')
    rows = [run.vectors.rows(task.words) for run in runs]
    there = np.all(np.concatenate(rows, axis=1) >= 0, axis=1)
    if not there.any():
        labels = ", ".join(dict.fromkeys(run.label for run in runs))
        raise ResultError(f"No word that is asked for has a vector in {labels}. Finish their ingest.")
    if there.all():
        return task
    n_missing = int((~there).sum())
    note = f"{n_missing:,} examples are left out: a word of theirs has no vector in one of these runs."
    return dataclasses.replace(task.where(there), notes=(*task.notes, note))


def _with_enough(task: Task, asked: Asked) -> Task:
    """The task without its rare classes, if they are to be left out.

    Raises:
        ResultError: a class is rare, or there is one alone.
    """
    counts = task.counts
    fewest = FEWEST if asked.at_least is None else asked.at_least
    rare = (counts > 0) & (counts < fewest)
    if rare.any() and asked.at_least is None:
        named = ", ".join(f"{task.classes[n]} ({counts[n]})" for n in np.flatnonzero(rare)[:5])
        more = f" and {rare.sum() - 5} more" if rare.sum() > 5 else ""
        raise ResultError(
            f"{rare.sum()} of {(counts > 0).sum()} classes have fewer than {FEWEST} examples: {named}{more}. "
            f"Leave them out with at_least={FEWEST} (--at-least {FEWEST}), or label more words."
        )
    kept = np.flatnonzero(counts >= max(fewest, 1))
    if len(kept) < 2:
        only = task.classes[kept[0]] if len(kept) else "none"
        raise ResultError(
            f"There is one class of {task.name} among these {len(task):,} examples ({only}), so nothing to "
            "tell apart. Ask for another label, or for more words."
        )
    if task.targets.ndim == 2:
        some = task.where(np.flatnonzero(task.targets[:, kept].any(axis=1)))
        targets = some.targets[:, kept]
    else:
        some = task.where(np.flatnonzero(np.isin(task.targets, kept)))
        targets = np.searchsorted(kept, some.targets)
    notes = list(task.notes)
    if rare.any():
        notes.append(
            f"{rare.sum()} classes with fewer than {fewest} examples are left out, and "
            f"{len(task) - len(some):,} examples with them."
        )
    classes = tuple(task.classes[n] for n in kept)
    return dataclasses.replace(some, targets=targets, classes=classes, notes=tuple(notes))
