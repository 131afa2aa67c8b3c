"""Probes over words with a sense: do vectors of a lemma lie nearer where the sense is the same?"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from repstore.analysis import bootstrap, scoring
from repstore.analysis.bootstrap import Resampling
from repstore.analysis.clustering import Clusters, agreement, random_agreement
from repstore.analysis.scoring import Scores
from repstore.analysis.space import space_of
from repstore.analysis.wsd import Centroids, Key, Nearest, disambiguate
from repstore.results import Figure, ResultTable
from repstore.senses_in_use import SenseProbe, SensesInUse, senses_in_use
from repstore.spec import Clustering, Frame, LayerKey
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers, Run, Runs, lasting
from repstore.storage.pairs import ALL

UNITS = {
    "accuracy": "share of words",
    "macro_f1": "mean F1 of senses",
    "baseline": "most frequent sense",
    "ari": "adjusted Rand index, mean of words",
    "v_measure": "mean of words",
    "macro_ari": "mean of lemmas",
    "macro_v_measure": "mean of lemmas",
    "random_v_measure": "of random clusters",
}
NOTES = {
    "n_missing": "n_missing words are left out: they have no vector in one of these runs.",
    "n_monosemous": "n_monosemous words are left out: their lemma has one sense here.",
    "n_trivial": "n_trivial words are left out: their lemma has one sense here, or a sense for every word.",
    "n_several": "n_several words are left out: they have several senses.",
    "n_unseen": "n_unseen words count as wrong: no other training word of their lemma has their sense.",
}


def ask_senses(
    lookup: Lookup,
    name: str,
    *,
    run: Runs,
    layer: Layers,
    evaluate_on: str | Sequence[str] | None,
    standardize: Frame,
    pos: str | None,
    lemma: str | None,
    resamples: int,
    seed: int,
    train_on: str | None = None,
    k: int = 1,
    method: Clustering = "kmeans",
) -> ResultTable:
    """Ask about the words of corpora that have a sense, as `Store.probe` does."""
    opened = lookup.several(run)
    rules: dict[str, Nearest | Centroids | Clusters] = {
        "knn-wsd": Nearest(k),
        "centroid-wsd": Centroids(),
        "wsi": Clusters(method, seed),
    }
    if evaluate_on is None:
        evaluate_on = ALL if train_on is None else "test"
    splits = (evaluate_on,) if isinstance(evaluate_on, str) else tuple(evaluate_on)
    asked = SenseProbe(rules[name], train_on, splits, standardize, pos, lemma, Resampling(resamples, seed))
    return probe_senses(lookup, name, opened, layer, asked)


def probe_senses(
    lookup: Lookup,
    name: str,
    runs: Sequence[Run],
    layers: Layers,
    asked: SenseProbe,
) -> ResultTable:
    """Score every layer of some runs by the words of their corpus that have a sense.

    Runs over the same corpus are scored over the same words: those with vectors in all of them.

    Args:
        lookup: of the store.
        name: of the probe.
        runs: what to score.
        layers: which layers.
        asked: the question.

    Raises:
        NotFoundError: no such split, part of speech, lemma or layer.
        ResultError: no senses, no vectors, or no lemma with several senses.
    """
    layers = lasting(layers)
    parts, seen = [], []
    for corpus in dict.fromkeys(run.info.spec.corpus_id for run in runs):
        together = [run for run in runs if run.info.spec.corpus_id == corpus]
        words = senses_in_use(lookup, together, asked)
        measure = (
            _Clustering(words, asked) if isinstance(asked.rule, Clusters) else _Disambiguation(words, asked)
        )
        parts += [_table(measure, run, run.layers(layers)) for run in together]
        seen += [note for run in together for note in run.notes_on_seen(run.layers(layers), words.scored)]
    return _result(name, pa.concat_tables(parts), runs, asked, seen)


class _Disambiguation:
    """The words of a question about senses, and what can be said of them without a vector."""

    def __init__(self, words: SensesInUse, asked: SenseProbe) -> None:
        assert isinstance(asked.rule, Nearest | Centroids)
        self._words, self._asked, self._rule = words, asked, asked.rule
        self._key = Key.of(words.lemmas)
        self.constants = {
            "baseline": self._key.baseline,
            "n_words": words.n_scored,
            "n_lemmas": len(words.lemmas),
            "n_unseen": self._key.n_unseen,
            "n_monosemous": words.n_settled,
            "n_missing": words.n_missing,
        }

    def scores(self, run: Run, layers: Sequence[LayerKey]) -> Scores:
        """Accuracy and macro-F1 of some layers. Resamples are of words."""
        rows = run.vectors.rows(self._words.word_ids)
        right = np.empty((len(layers), self._words.n_scored), bool)
        f1 = np.empty(len(layers))
        for n, layer in enumerate(run.vectors.layer(number) for number in layers):
            space = space_of(layer, self._asked.standardize)
            answers = disambiguate(self._key, self._rule, layer, space, rows)
            right[n], f1[n] = answers.is_right, answers.macro_f1
        resampled = bootstrap.of_means(right, self._asked.resampling)
        columns = {"accuracy": right.mean(axis=1), "macro_f1": f1}
        return Scores("accuracy", columns, resampled, right.shape[1])


class _Clustering:
    """The words of a question about clusters, and what can be said of them without a vector."""

    def __init__(self, words: SensesInUse, asked: SenseProbe) -> None:
        assert isinstance(asked.rule, Clusters)
        self._words, self._asked, self._rule = words, asked, asked.rule
        self._weights = np.array([len(lemma.words) for lemma in words.lemmas], np.float64)
        at_random = random_agreement(words.lemmas, asked.rule.seed)
        self.constants = {
            "random_v_measure": float(np.average(at_random.v_measure, weights=self._weights)),
            "n_words": words.n_scored,
            "n_lemmas": len(words.lemmas),
            "n_trivial": words.n_settled,
            "n_several": words.n_several,
            "n_missing": words.n_missing,
        }

    def scores(self, run: Run, layers: Sequence[LayerKey]) -> Scores:
        """Adjusted Rand index and V-measure of some layers. Resamples are of lemmas."""
        rows = run.vectors.rows(self._words.word_ids)
        ari, v_measure = np.empty((2, len(layers), len(self._weights)))
        for n, layer in enumerate(run.vectors.layer(number) for number in layers):
            space = space_of(layer, self._asked.standardize)
            found = agreement(self._words.lemmas, self._rule, layer, space, rows)
            ari[n], v_measure[n] = found.ari, found.v_measure
        columns = {
            "ari": np.average(ari, axis=1, weights=self._weights),
            "v_measure": np.average(v_measure, axis=1, weights=self._weights),
            "macro_ari": ari.mean(axis=1),
            "macro_v_measure": v_measure.mean(axis=1),
        }
        resampled = bootstrap.of_weighted_means(ari, self._weights, self._asked.resampling)
        return Scores("ari", columns, resampled, ari.shape[1])


def _table(measure: _Disambiguation | _Clustering, run: Run, layers: Sequence[LayerKey]) -> pa.Table:
    """The answer for one run, a row per layer."""
    scores = measure.scores(run, layers)
    low, high = bootstrap.interval(scores.resampled)
    main = {scores.main: scores.values, "low": low, "high": high}
    columns: dict[str, Any] = {"run": [run.label] * len(layers), "layer": layers} | main | scores.columns
    columns["best"] = pa.array(scoring.best_layers(scores), pa.string())
    columns |= {name: [value] * len(layers) for name, value in measure.constants.items()}
    return pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()})


def _result(
    name: str, table: pa.Table, runs: Sequence[Run], asked: SenseProbe, seen: Sequence[str]
) -> ResultTable:
    where = [", ".join(dict.fromkeys(run.info.corpus for run in runs)), ", ".join(asked.evaluate_on)]
    where += [value for value in (asked.pos, asked.lemma) if value is not None]
    settings: dict[str, Any] = {}
    how = [f"standardize {asked.standardize}"]
    match asked.rule:
        case Nearest(k):
            subject, of, settings = "k-NN word-sense accuracy", "words", {"k": k}
            how.append(f"k {k}")
        case Centroids():
            subject, of = "Centroid word-sense accuracy", "words"
        case Clusters(method):
            subject, of, settings = "Agreement of clusters with senses", "lemmas", {"method": method}
            how.append(method)
    if not isinstance(asked.rule, Clusters):
        how.append(f"train on {asked.train_on}" if asked.train_on else "leave one out")
    interval = f"{bootstrap.LEVEL:.0%} interval, {asked.resampling.n:,} resamples of the {of}"
    units = {column: unit for column, unit in UNITS.items() if column in table.column_names}
    if asked.resampling.n:
        units |= {"low": interval, "high": interval}
    notes = [scoring.NOTE_BEST] if asked.resampling.n else []
    notes += [
        note
        for column, note in NOTES.items()
        if column in table.column_names and any(table[column].to_pylist())
    ]
    notes += seen
    options = {
        field.name: getattr(asked, field.name)
        for field in dataclasses.fields(asked)
        if field.name not in ("rule", "evaluate_on", "resampling")
    }
    provenance = {
        "probe": name,
        "runs": [run.info.run_id for run in runs],
        **settings,
        **options,
        "evaluate_on": list(asked.evaluate_on),
        "resamples": asked.resampling.n,
        "seed": asked.resampling.seed,
    }
    return ResultTable(
        table,
        f"{subject} by layer ({', '.join(where)}; {', '.join(how)})",
        units=units,
        provenance=provenance,
        figure=Figure("curve", "layer", table.column_names[2], "run", band=("low", "high"), level="baseline"),
        notes=notes,
    )
