"""Training a probe on every layer of some runs: which tasks, which methods, several layers at once."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import CancelledError, ThreadPoolExecutor
from dataclasses import dataclass
from threading import Event
from typing import Any

from repstore.analysis.bootstrap import Resampling
from repstore.analysis.one_thread import one_thread
from repstore.analysis.scan import n_processors
from repstore.corpus.labels import LabelTable
from repstore.dividing import Dividing, plans_of, splits_by
from repstore.errors import ArgumentError
from repstore.fitted_probes import Fitted, notes_on, rows_of
from repstore.learning import Lesson, Measure, Method, Outcome, learn, n_at_once
from repstore.results import ResultTable, table_of_rows
from repstore.sampling import check_draws, check_memory, check_sample
from repstore.spec import PairFeature, Progress
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers, Run, lasting
from repstore.storage.waiting import awaited
from repstore.tasks import Asked, Task
from repstore.tasks_in_use import task_of
from repstore.telling import Told
from repstore.trained_tables import result_of


@dataclass(frozen=True, slots=True)
class TrainedProbe:
    """What a trained probe is asked.

    Attributes:
        name: of the probe.
        methods: how it learns; a row for each.
        tasks: what is to be predicted; several kinds of edges are several tasks.
        features: what pairs are seen by; a row for each.
        dividing: what trains and what is tested.
        n_seeds, seed: how many seeds, and the first.
        resamples: for the intervals over examples.
        memory: bytes to work in.
    """

    name: str
    methods: tuple[Method, ...]
    tasks: tuple[Asked, ...]
    features: tuple[PairFeature, ...]
    dividing: Dividing
    n_seeds: int
    seed: int
    resamples: int
    memory: int

    def __post_init__(self) -> None:
        check_sample(self.tasks[0].sample, self.seed, 2)
        check_memory(self.memory)
        check_draws(self.n_seeds, self.resamples)
        for asked in self.tasks:
            if asked.at_least is not None and asked.at_least < 1:
                raise ArgumentError(f"at_least is {asked.at_least}; a class has at least one example.")

    @property
    def seeds(self) -> range:
        """The seeds."""
        return range(self.seed, self.seed + self.n_seeds)


def fit_probes(
    lookup: Lookup,
    runs: Sequence[Run],
    layers: Layers,
    asked: TrainedProbe,
    progress: Callable[[Progress], None],
) -> list[Fitted]:
    """Fit the probes that are asked for.

    Runs over the same corpus are probed over the same words: those with vectors in all of them.

    Raises:
        NotFoundError: no such label, split, layer or kind of edges.
        ResultError: too few examples, one class alone, or too little memory.
        ArgumentError: examples cannot be divided as asked.
    """
    layers = lasting(layers)
    jobs = []
    for corpus in dict.fromkeys(run.info.spec.corpus_id for run in runs):
        together = [run for run in runs if run.info.spec.corpus_id == corpus]
        for task in (task_of(lookup, together, one) for one in asked.tasks):
            lessons = _lessons(task, asked)
            features = asked.features if task.is_of_pairs else (None,)
            jobs += [
                (run, lessons[method.measure], method, feature)
                for run in together
                for method in asked.methods
                for feature in features
            ]
    n_total = sum(len(run.after_layer_0(run.layers(layers))) for run, *_ in jobs)
    told = Told(progress, n_total)
    return [_fit(run, lesson, method, feature, layers, asked, told) for run, lesson, method, feature in jobs]


def probe_trained(
    lookup: Lookup,
    runs: Sequence[Run],
    layers: Layers,
    asked: TrainedProbe,
    progress: Callable[[Progress], None],
) -> ResultTable:
    """Fit the probes that are asked for, and say what they score (`Store.probe`)."""
    return table_of(fit_probes(lookup, runs, layers, asked, progress), runs, asked)


def table_of(fitted: Sequence[Fitted], runs: Sequence[Run], asked: TrainedProbe) -> ResultTable:
    """What fitted probes score, a row for each layer."""
    resampling = Resampling(asked.resamples, asked.seed)
    rows = [row for one in fitted for row in rows_of(one, resampling)]
    table = table_of_rows(rows)
    notes = [note for one in fitted for note in notes_on(one)]
    provenance = {
        "probe": asked.name,
        "runs": [run.info.run_id for run in runs],
        "labels": [_named(task.label) for task in asked.tasks],
        "edges": [task.edges for task in asked.tasks],
        "at_least": asked.tasks[0].at_least,
        "where": asked.tasks[0].where,
        "sample": asked.tasks[0].sample,
        "features": list(asked.features) if fitted[0].feature else [],
        "split_by": fitted[0].split_by,
        "train_on": asked.dividing.train_on,
        "select_on": asked.dividing.select_on,
        "evaluate_on": asked.dividing.evaluate_on,
        "n_seeds": asked.n_seeds,
        "seed": asked.seed,
        "resamples": asked.resamples,
    }
    return result_of(table, provenance, list(dict.fromkeys(notes)))


def _named(label: str | LabelTable) -> str:
    """A column, or the path of a table of labels."""
    return label if isinstance(label, str) else str(label.path)


def _lessons(task: Task, asked: TrainedProbe) -> dict[Measure, Lesson]:
    """The problems of a task, by how they are measured: the code of a text needs no lemmas apart."""
    lessons: dict[Measure, Lesson] = {}
    for measure in dict.fromkeys(method.measure for method in asked.methods):
        by = "text" if measure == "bits" else splits_by(task, asked.dividing)
        lessons[measure] = Lesson.of(task, plans_of(task, asked.dividing, by, asked.seeds), measure=measure)
    return lessons


def _fit(
    run: Run,
    lesson: Lesson,
    method: Method,
    feature: PairFeature | None,
    layers: Layers,
    asked: TrainedProbe,
    told: Told,
) -> Fitted:
    wanted = run.layers(layers)
    rows = run.vectors.rows(lesson.task.words)
    names = run.after_layer_0(wanted)
    at_once = n_at_once(lesson, method, run.vectors.layer(names[-1]), rows, feature, asked.memory)
    n_threads = min(n_processors(), len(names), at_once)
    told.begin(f"Probing {run.label}")

    is_over = Event()

    def go_on() -> None:
        if is_over.is_set():
            raise CancelledError

    def one(layer: Any) -> Outcome:
        vectors = run.vectors.layer(layer)
        return learn(lesson, method, vectors, rows, feature, asked.memory // n_threads, go_on)

    outcomes = {}
    # One thread of BLAS: several add up in another order each time, and get in the way of these.
    with one_thread(), ThreadPoolExecutor(n_threads) as pool:
        try:
            running = [pool.submit(one, layer) for layer in names]
            for layer, learned in zip(names, running, strict=True):
                outcomes[str(layer)] = awaited(learned)
                told.done()
        finally:
            is_over.set()  # after Ctrl-C, or an error, the pool waits for what is running
            pool.shutdown(cancel_futures=True)
    return Fitted(run, lesson, method, feature, wanted, outcomes)
