"""The structural probe of every layer: are distances of words those of their tree, under a linear map?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from repstore.analysis import bootstrap
from repstore.analysis.bootstrap import Resampling
from repstore.analysis.divisions import Division, divide
from repstore.analysis.inputs import WordInputs
from repstore.analysis.tallies import Tally
from repstore.analysis.trees import (
    LENGTHS,
    Sentence,
    TreeScores,
    chain_distances,
    control_heads,
    tree_distances,
    tree_scores,
    weights_of_lengths,
)
from repstore.errors import ArgumentError, ResultError
from repstore.results import Figure, ResultTable, table_of_rows
from repstore.sampling import check_draws, check_memory, check_sample, sampled
from repstore.spec import Progress
from repstore.storage.edges import FoundEdges
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers, Run, lasting
from repstore.telling import Told
from repstore.trained_tables import of_seeds, scored


@dataclass(frozen=True, slots=True)
class StructuralProbe:
    """What is asked of the trees of a corpus.

    Attributes:
        edges: of which kind; None if the corpus has one kind.
        rank: of the linear map, at most; None: as the probe has it.
        sample: so many sentences; None for all.
        n_seeds, seed: how many seeds, and the first.
        resamples: of the intervals over sentences.
        memory: bytes to work in.
    """

    edges: str | None
    rank: int | None
    sample: int | None
    n_seeds: int
    seed: int
    resamples: int
    memory: int

    def __post_init__(self) -> None:
        check_sample(self.sample, self.seed, 3)
        check_memory(self.memory)
        check_draws(self.n_seeds, self.resamples)
        if self.rank is not None and self.rank < 1:
            raise ArgumentError(f"rank is {self.rank}; it is at least 1.")

    @property
    def seeds(self) -> range:
        """The seeds."""
        return range(self.seed, self.seed + self.n_seeds)


@dataclass(frozen=True, eq=False)
class _Trees:
    """The sentences whose edges are a tree, and all of whose words have vectors.

    Attributes:
        kind: of the edges.
        word_ids: of all their words. *Shape:* (n_words,), int64.
        sentences, controls: their trees, and those of the control task, for each seed.
        reads_as: a number for each sentence, the same for those that read the same. *Shape:* (n_sentences,).
        n_left_out: texts that have edges, and are not among these.
    """

    kind: str
    word_ids: np.ndarray
    sentences: Sequence[Sentence]
    controls: Sequence[Sequence[Sentence]]
    reads_as: np.ndarray
    n_left_out: int


def probe_structural(
    lookup: Lookup,
    runs: Sequence[Run],
    layers: Layers,
    asked: StructuralProbe,
    progress: Callable[[Progress], None],
) -> ResultTable:
    """Fit structural probes, and say what they score (`Store.probe`).

    Raises:
        NotFoundError: no such layer or kind of edges.
        ResultError: the corpus has no edges, or too few of its sentences are trees with vectors.
    """
    layers = lasting(layers)
    rows: list[dict[str, Any]] = []
    notes = []
    of_runs = {run.label: run.layers(layers) for run in runs}
    told = Told(progress, sum(len(run.after_layer_0(of_runs[run.label])) for run in runs))
    for corpus in dict.fromkeys(run.info.spec.corpus_id for run in runs):
        together = [run for run in runs if run.info.spec.corpus_id == corpus]
        trees = _trees(lookup, together, asked)
        for run in together:
            rows += _rows(run, of_runs[run.label], trees, asked, told)
        if trees.n_left_out:
            notes.append(
                f"{trees.n_left_out:,} sentences of {together[0].info.corpus} are left out: they are of one "
                "word, their edges are no tree, or a word of theirs has no vector in one of these runs."
            )
    interval = f"{bootstrap.LEVEL:.0%} interval, {asked.resamples:,} resamples of sentences"
    return ResultTable(
        table_of_rows(rows),
        f"Structural probe of {trees.kind} by layer ({of_seeds(asked.n_seeds)})",
        units={
            "uuas": "share of edges in the spanning tree",
            "low": interval,
            "high": interval,
            "spearman": f"of distances, sentences of {LENGTHS[0]} to {LENGTHS[1]} words",
            "chain": "uuas of neighboring words",
            "control": "uuas of trees by word type",
            "selectivity": "uuas less control",
        },
        provenance={
            "probe": "structural",
            "runs": [run.info.run_id for run in runs],
            "edges": trees.kind,
            "rank": asked.rank,
            "sample": asked.sample,
            "n_seeds": asked.n_seeds,
            "seed": asked.seed,
            "resamples": asked.resamples,
        },
        figure=Figure(
            "panels",
            "layer",
            "uuas",
            "run",
            level="chain",
            panels=[
                ("uuas", ("low", "high")),
                ("spearman", None),
                ("selectivity", ("selectivity_low", "selectivity_high")),
            ],
        ),
        notes=notes,
    )


def _rows(
    run: Run, layers: Sequence[Any], trees: _Trees, asked: StructuralProbe, told: Told
) -> list[dict[str, Any]]:
    """What the probes of a run score, a row for each layer."""
    from repstore.training.structural import RANK, structural

    told.begin(f"Probing {run.label}")
    rows_of_words = run.vectors.rows(trees.word_ids)
    divisions = [divide(trees.reads_as, seed) for seed in asked.seeds]
    units = np.unique(trees.reads_as, return_inverse=True)[1]
    chain = [
        tree_scores(
            (chain_distances(len(trees.sentences[n].rows)) for n in sides.test),
            [trees.sentences[n] for n in sides.test],
        )
        for sides in divisions
    ]

    def fitted(layer: Any, of_seeds: Sequence[Sequence[Sentence]]) -> list[TreeScores]:
        inputs = WordInputs(run.vectors.layer(layer), rows_of_words)
        return [
            structural(
                inputs,
                sentences,
                sides.train,
                sides.select,
                sides.test,
                rank=asked.rank or RANK,
                seed=seed,
                memory=asked.memory,
            ).scores
            for seed, sides, sentences in zip(asked.seeds, divisions, of_seeds, strict=True)
        ]

    real: dict[str, list[TreeScores]] = {}
    control: dict[str, Tally] = {}
    for layer in run.after_layer_0(layers):
        real[str(layer)] = fitted(layer, [trees.sentences] * len(divisions))
        control[str(layer)] = _edges(divisions, fitted(layer, trees.controls), units)
        told.done()
    tallies = {layer: _edges(divisions, scores, units) for layer, scores in real.items()}
    scores = scored(
        "uuas",
        [tallies[str(layer)] for layer in layers],
        [control[str(layer)] for layer in layers],
        tallies.get("0"),
        Resampling(asked.resamples, asked.seed),
    )
    same = {
        "chain": _edges(divisions, chain, units).score,
        "chain_spearman": _distances(divisions, chain, units).score,
        "n_sentences": len(trees.sentences),
        "n_test": len(divisions[0].test),
    }
    return [
        {"run": run.label, "layer": layer}
        | score
        | {"spearman": _distances(divisions, real[str(layer)], units).score}
        | same
        for layer, score in zip(layers, scores, strict=True)
    ]


def _edges(divisions: Sequence[Division], of_seeds: Sequence[TreeScores], units: np.ndarray) -> Tally:
    """Edges that are right, of edges: UUAS, by sentence."""
    return Tally.of(
        [
            (sides.test, one.n_right.astype(np.float64), one.n_edges.astype(np.float64))
            for sides, one in zip(divisions, of_seeds, strict=True)
        ],
        units,
        len(units),
    )


def _distances(divisions: Sequence[Division], of_seeds: Sequence[TreeScores], units: np.ndarray) -> Tally:
    """Rank correlation of distances: mean over the lengths of sentences, as Hewitt & Manning report it."""
    seeds = []
    for sides, one in zip(divisions, of_seeds, strict=True):
        weights = weights_of_lengths(one.n_words)
        seeds.append((sides.test, np.where(weights > 0, one.correlations, 0.0) * weights, weights))
    return Tally.of(seeds, units, len(units))


def _trees(lookup: Lookup, runs: Sequence[Run], asked: StructuralProbe) -> _Trees:
    found = lookup.edges(runs[0], asked.edges)
    there = np.logical_and.reduce([run.vectors.rows(found.word_ids) >= 0 for run in runs])
    known = lookup.occurrences(runs[0])
    forms = known.forms[np.searchsorted(known.word_ids, found.word_ids)]
    texts, starts = np.unique(found.word_texts, return_index=True)
    stops = np.append(starts[1:], len(found.word_ids))
    heads_of = _heads(found)
    whole: list[tuple[np.ndarray, np.ndarray]] = []
    for start, stop in zip(starts.tolist(), stops.tolist(), strict=True):
        heads = heads_of[start:stop]
        if not there[start:stop].all() or stop - start < 2:
            continue
        try:
            whole.append((np.arange(start, stop), tree_distances(np.where(heads < 0, heads, heads - start))))
        except ArgumentError:  # several heads, or a circle: said with how many are left out
            continue
    if len(whole) < 3:
        raise ResultError(
            f"{len(whole)} of {len(texts)} sentences with edges of kind {found.kind} are trees whose words "
            "all have vectors; three are needed at least. Ask for edges that are trees, such as ud."
        )
    chosen = sampled(np.arange(len(whole)), asked.sample, asked.seed)
    sentences = [Sentence(*whole[n]) for n in chosen]
    controls = [
        [
            Sentence(one.rows, tree_distances(heads))
            for one, heads in zip(
                sentences, control_heads([forms[one.rows] for one in sentences], seed), strict=True
            )
        ]
        for seed in asked.seeds
    ]
    reads_as = found.reads_as[[one.rows[0] for one in sentences]]
    return _Trees(found.kind, found.word_ids, sentences, controls, reads_as, len(texts) - len(whole))


def _heads(found: FoundEdges) -> np.ndarray:
    """The place of the head of each word; -1 for none, -2 for several. *Shape:* (n_words,), int64."""
    heads = np.full(len(found.word_ids), -1)
    dependents = np.searchsorted(found.word_ids, found.dependents)
    heads[dependents] = np.searchsorted(found.word_ids, found.heads)
    heads[np.bincount(dependents, minlength=len(heads)) > 1] = -2
    return heads
