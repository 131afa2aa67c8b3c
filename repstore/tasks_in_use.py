"""The words or pairs of a corpus that a trained probe is asked about, and what it has to say of each."""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Sequence

import numpy as np

from repstore.belonging import linked
from repstore.corpus.labels import LabelTable
from repstore.edge_tasks import edge_task
from repstore.errors import ResultError
from repstore.sampling import meeting, sampled
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Run
from repstore.tasks import ARCS, PAIRS, RELATIONS, Asked, Task

FEWEST = 5
"""Examples of a class, at least."""

SHOWN_CLASSES = 30
"""Of a table, at most, for a reader to be told all: a class that is written in two ways is two classes."""


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
        task = edge_task(lookup, runs, asked)
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
    if found.unused and isinstance(label, LabelTable):
        notes.append(
            f"{len(found.unused):,} of the {len(label.labels):,} keys of {label.path.name} are of no word of "
            f'{run.info.corpus}, the first {label.key} "{found.unused[0]}"; keys are matched as they are '
            "written."
        )
    if len(classes) <= SHOWN_CLASSES and isinstance(label, LabelTable):
        counts = Counter(one for labels in found.labels for one in labels)
        notes.append("Words of each class: " + ", ".join(f"{name} {counts[name]}" for name in classes) + ".")
    return Task(
        name=label if isinstance(label, str) else label.path.stem,
        words=found.word_ids[:, None],
        targets=targets,
        classes=classes,
        lemmas=found.lemmas,
        texts=found.texts,
        types=found.forms,
        splits=found.splits,
        notes=tuple(notes),
        by_text_since=(
            f"A {label} that is in the test only cannot be learned." if label in ("lemma", "form") else None
        ),
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


def _with_vectors(lookup: Lookup, runs: Sequence[Run], task: Task, where: str | None) -> Task:
    """The examples whose words are asked for, and have vectors in all runs."""
    if where is not None:
        words = np.unique(task.words)
        met = np.isin(task.words, meeting(lookup, runs[0], words, where))
        task = task.where(np.flatnonzero(met.all(axis=1)))
        if not len(task):
            raise ResultError(f'No example of {task.name} meets "{where}".')
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
