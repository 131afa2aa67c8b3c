"""`Store.geometry`: how the word vectors of a layer lie."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import reduce
from typing import Any, Literal, get_args

import numpy as np

from repstore.analysis.aligned import Aligned
from repstore.analysis.space import space_of
from repstore.belonging import Belonging
from repstore.errors import ArgumentError, ResultError, check_choice
from repstore.measures import MEASURES, Layer
from repstore.results import Figure, ResultTable, table_of_rows
from repstore.sampling import check_memory, check_sample, meeting, sampled
from repstore.spec import Frame, Measure, Progress, layer_number
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers, Run, lasting

Measures = Measure | Literal["all"] | Sequence[Measure | Literal["all"]]
"""How users say what to measure."""


@dataclass(frozen=True, slots=True)
class Measuring:
    """What is measured, and over which words.

    Attributes:
        measures: each once, in the order of `MEASURES`.
        standardize: the space in which vectors are taken.
        sample: over how many words; None for all.
        resamples: for bands; 0 for none.
        seed: decides the sample, the resamples, and random words to compare with.
        memory: bytes to work in.
        where: an SQL condition on the words; None for all.
    """

    measures: tuple[Measure, ...]
    standardize: Frame
    sample: int | None
    resamples: int
    seed: int
    memory: int
    where: str | None

    def __post_init__(self) -> None:
        check_choice("standardize", self.standardize, get_args(Frame))
        check_sample(self.sample, self.seed, 2)
        check_memory(self.memory)
        if self.resamples < 0:
            raise ArgumentError(f"resamples is {self.resamples}; it must not be negative.")


def measures_of(given: Measures) -> tuple[Measure, ...]:
    """The measures a user asks for, in their order; "all" for all.

    Raises:
        ArgumentError: there is no such measure.
    """
    names = [given] if isinstance(given, str) else given
    if not names:
        raise ArgumentError('No measure is given. Give at least one, or "all".')
    for name in names:
        check_choice("measure", name, (*MEASURES, "all"))
    return tuple(measure for measure in MEASURES if measure in names or "all" in names)


def measure_layers(
    lookup: Lookup,
    runs: Sequence[Run],
    layers: Layers,
    asked: Measuring,
    progress: Callable[[Progress], None],
) -> ResultTable:
    """Measures of each layer of some runs, as `Store.geometry` returns them."""
    layers = lasting(layers)
    of_runs = [(run, run.layers(layers)) for run in runs]
    n_total = sum(len(of_run) for _, of_run in of_runs)
    words_of = _words(lookup, runs, asked.where)
    rows: list[dict[str, Any]] = []
    n_words = {}
    for run, of_run in of_runs:
        word_ids = sampled(words_of[run.info.spec.corpus_id], asked.sample, asked.seed)
        n_words[run.label] = len(word_ids)
        belonging = Belonging.of(word_ids, lookup.occurrences(run))
        where = run.vectors.rows(word_ids)
        for key in of_run:
            progress(Progress(f"Measuring {run.label}", len(rows), n_total, unit="layers"))
            vectors = run.vectors.layer(key)
            words = Aligned(vectors, where, space_of(vectors, asked.standardize))
            layer = Layer(words, belonging, asked.resamples, asked.seed, asked.memory)
            number = layer_number(key)
            depth = math.nan if number is None else number / max(1, run.info.spec.model.n_layers - 1)
            rows.append({"run": run.label, "layer": key, "depth": depth} | _measured(layer, asked.measures))
    columns = [column for measure in asked.measures for column in MEASURES[measure].columns]
    return ResultTable(
        table_of_rows(rows),
        _title(runs, asked, n_words),
        units={column.name: column.unit for column in columns},
        provenance={
            "runs": [run.info.run_id for run in runs],
            "measures": list(asked.measures),
            "standardize": asked.standardize,
            "where": asked.where,
            "n_words": n_words,
            "sample": asked.sample,
            "resamples": asked.resamples,
            "seed": asked.seed,
        },
        figure=Figure(
            "panels",
            "layer" if len({run.info.spec.model.n_layers for run in runs}) == 1 else "depth",
            "",
            "run",
            panels=[
                (column.name, (f"{column.name}_low", f"{column.name}_high") if column.band else None)
                for column in columns
                if column.drawn
            ],
        ),
        notes=_notes(rows, asked.measures),
    )


def _words(lookup: Lookup, runs: Sequence[Run], where: str | None) -> dict[str, np.ndarray]:
    """By corpus, the words with vectors in all its runs: these are measured over the same words."""
    of_corpus: dict[str, list[Run]] = {}
    for run in runs:
        of_corpus.setdefault(run.info.spec.corpus_id, []).append(run)
    words = {}
    for corpus, here in of_corpus.items():
        known = [run.vectors.word_ids for run in here]
        words[corpus] = meeting(lookup, here[0], reduce(np.intersect1d, known), where)
        if not len(words[corpus]):
            names = " and ".join(run.label for run in here)
            such = "" if where is None else f" for which {where} holds"
            raise ResultError(f"No word has a vector in {names}{such}.")
    return words


def _measured(layer: Layer, measures: Sequence[Measure]) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for measure in measures:
        values |= MEASURES[measure].of(layer)
    return values


def _title(runs: Sequence[Run], asked: Measuring, n_words: dict[str, int]) -> str:
    of = [f"{run.label} ({_share(n_words[run.label], len(run.vectors.word_ids))} words)" for run in runs]
    how = "" if asked.where is None else f" where {asked.where}"
    how += "" if asked.standardize == "none" else f", standardize {asked.standardize}"
    return f"Geometry of {', '.join(of)}{how}"


def _share(n: int, n_all: int) -> str:
    return f"{n:,}" if n == n_all else f"{n:,} of {n_all:,}"


def _notes(rows: Sequence[dict[str, Any]], measures: Sequence[Measure]) -> list[str]:
    """Why there is no value where there is none."""
    notes = []
    for measure in measures:
        for run in dict.fromkeys(row["run"] for row in rows):
            of_run = [row for row in rows if row["run"] == run]
            empty = [str(row["layer"]) for row in of_run if _lacks(row, measure)]
            if empty:
                where = "any layer" if len(empty) == len(of_run) else f"layer {', '.join(empty)}"
                notes.append(f"Not all of {measure} at {where} of {run}: {MEASURES[measure].why}.")
    return notes


def _lacks(row: dict[str, Any], measure: Measure) -> bool:
    names = [column.name for column in MEASURES[measure].columns]
    return any(isinstance(row[name], float) and math.isnan(row[name]) for name in names)
