"""Probes over pairs of words: are cosines higher where meanings are closer?"""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa

from repstore.analysis import bootstrap, scoring
from repstore.analysis.bootstrap import Resampling
from repstore.analysis.scoring import Scores
from repstore.errors import ArgumentError, NotFoundError
from repstore.pair_scores import PairProbe, PairsInUse, pairs_in_use, scores_of
from repstore.results import Figure, ResultTable
from repstore.spec import LayerKey, Standardize, Target, Threshold, is_mix, layer_number
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers, Run, Runs, lasting
from repstore.storage.pairs import ALL


@dataclass(frozen=True, slots=True)
class Against:
    """What every row is compared with: the same layer of another run, or one layer of it, or of the same."""

    run: Run | None
    layer: LayerKey | None


def ask_pairs(
    lookup: Lookup,
    name: str,
    *,
    run: Runs,
    run_b: str | None,
    layer: Layers,
    target: Target | None,
    standardize: Standardize,
    threshold: Threshold,
    pos: str | None,
    select_on: str,
    evaluate_on: str | None,
    against: str | int | tuple[str, LayerKey] | None,
    resamples: int,
    seed: int,
) -> ResultTable:
    """Ask about the pairs of corpora, as `Store.probe` does."""
    opened = lookup.several(run)
    if name == "wic" and target not in (None, "label"):
        raise ArgumentError(f'The probe "wic" is of labels, not of "{target}". Ask for the probe "pairs".')
    asked = PairProbe(
        "label" if name == "wic" else target,
        standardize,
        threshold,
        select_on,
        evaluate_on,
        pos,
        Resampling(resamples, seed),
    )
    second = lookup.run(run_b) if run_b is not None else None
    return probe_pairs(lookup, name, opened, second, layer, _against(lookup, against), asked)


def _against(lookup: Lookup, given: str | int | tuple[str, LayerKey] | None) -> Against | None:
    match given:
        case None:
            return None
        case str() if is_mix(given):
            return Against(None, given)
        case str():
            return Against(lookup.run(given), None)
        case (str(run), layer):
            return Against(lookup.run(run), layer)
        case layer:
            return Against(None, layer)


def probe_pairs(
    lookup: Lookup,
    name: str,
    runs: Sequence[Run],
    second: Run | None,
    layers: Layers,
    against: Against | None,
    asked: PairProbe,
) -> ResultTable:
    """Score every layer of some runs by the cosines of the pairs of their corpus.

    Runs over the same corpus are scored over the same pairs: those whose words have vectors in all of them.

    Args:
        lookup: of the store.
        name: ``wic`` (labels) or ``pairs``.
        runs: what to score.
        second: run of the second word of every pair, if it is not that of the first.
        layers: which layers.
        against: what each row is compared with.
        asked: the question.

    Raises:
        NotFoundError: no such split, part of speech or layer.
        ResultError: no pairs of that kind, or none with vectors.
        ArgumentError: runs that cannot be compared.
    """
    others = [run for run in (second, against.run if against else None) if run]
    for run in runs:
        for other in others:
            _check_same_corpus(run, other)
    layers = lasting(layers)
    rows: list[dict[str, Any]] = []
    targets, seen = set(), []
    for corpus in dict.fromkeys(run.info.spec.corpus_id for run in runs):
        together = [run for run in runs if run.info.spec.corpus_id == corpus]
        pairs = pairs_in_use(lookup, [*together, *others], asked)
        targets.add(pairs.target)
        for run in together:
            rows += _rows(pairs, run, second, run.layers(layers), against, asked)
            tested = np.stack([pairs.evaluation.word_a, pairs.evaluation.word_b])
            if pairs.target == "label":
                seen += run.notes_on_seen(run.layers(layers), tested)
    if len(targets) > 1:
        raise ArgumentError("Some of these corpora have labels and some ratings. Say which with target.")
    return _result(name, rows, targets.pop(), runs, second, against, asked, seen)


def _rows(
    pairs: PairsInUse,
    run: Run,
    second: Run | None,
    layers: Sequence[LayerKey],
    against: Against | None,
    asked: PairProbe,
) -> list[dict[str, Any]]:
    """The answer for one run, a row per layer."""
    scores = scores_of(pairs, run, second, layers, asked)
    low, high = bootstrap.interval(scores.resampled)
    names = list(scores.columns)
    after = names.index(scores.main) + 1
    columns: dict[str, Any] = {"run": [run.label] * len(layers), "layer": layers}
    columns |= {name: scores.columns[name] for name in names[:after]}
    columns |= {"low": low, "high": high}
    columns |= {name: scores.columns[name] for name in names[after:]}
    columns["best"] = scoring.best_layers(scores)
    if against is not None:
        columns |= _differences(pairs, run, second, layers, scores, against, asked)
    columns["n_pairs"] = [len(pairs.evaluation.values)] * len(layers)
    columns["n_missing"] = [pairs.n_missing] * len(layers)
    if pairs.target == "label":
        share = float(pairs.evaluation.values.mean())
        columns["majority"] = [max(share, 1 - share)] * len(layers)
    table = pa.table({name: pa.array(values, from_pandas=True) for name, values in columns.items()})
    rows: list[dict[str, Any]] = table.to_pylist()
    return rows


def _differences(
    pairs: PairsInUse,
    run: Run,
    second: Run | None,
    layers: Sequence[LayerKey],
    scores: Scores,
    against: Against,
    asked: PairProbe,
) -> dict[str, np.ndarray]:
    """Score less that of what is compared with, over the same pairs and resamples."""
    other = against.run or run
    n_layers = other.info.spec.model.n_layers
    numbers = [number for key in layers if (number := layer_number(key)) is not None]
    if against.layer is None and max(numbers, default=0) >= n_layers:
        raise NotFoundError(
            f"{other.label} ends at layer {n_layers - 1}. Ask for layers up to it, or compare with one of "
            f"its layers, such as {other.label}:{n_layers - 1}."
        )
    wanted = layers if against.layer is None else [other.layer(against.layer)]
    theirs = scores_of(pairs, other, None if against.run else second, wanted, asked)
    low, high = bootstrap.interval(scores.resampled - theirs.resampled)
    return {"difference": scores.values - theirs.values, "difference_low": low, "difference_high": high}


def _check_same_corpus(run: Run, other: Run) -> None:
    if run.info.spec.corpus_id != other.info.spec.corpus_id:
        raise ArgumentError(
            f"{run.label} is over corpus {run.info.corpus} and {other.label} over {other.info.corpus}; "
            "runs are compared over the same pairs."
        )


def _result(
    name: str,
    rows: list[dict[str, Any]],
    target: Target,
    runs: Sequence[Run],
    second: Run | None,
    against: Against | None,
    asked: PairProbe,
    seen: Sequence[str],
) -> ResultTable:
    main = "accuracy" if target == "label" else "spearman"
    evaluate_on = asked.evaluate_on or ("test" if target == "label" else ALL)
    corpora = ", ".join(dict.fromkeys(run.info.corpus for run in runs))
    where = f"{corpora}, {evaluate_on}" + (f", {asked.pos}" if asked.pos else "")
    how = f"standardize {asked.standardize}"
    if target == "label":
        how += f", threshold {asked.threshold} on {asked.select_on}"
    subject = "Word-in-Context accuracy" if target == "label" else "Correlation of cosines with ratings"
    interval = f"{bootstrap.LEVEL:.0%} interval, {asked.resampling.n:,} resamples of the pairs"
    units = {
        "accuracy": f"share of {evaluate_on} pairs",
        "threshold": "cosine",
        "low": interval,
        "high": interval,
    }
    if not asked.resampling.n:
        del units["low"], units["high"]
    units |= {"spearman": "rank correlation", "pearson": "linear correlation"}
    notes = [scoring.NOTE_BEST] if asked.resampling.n else []
    if any(row["n_missing"] for row in rows):
        splits = dict.fromkeys([evaluate_on, *([asked.select_on] if target == "label" else [])])
        of = "" if ALL in splits else " of " + " and ".join(f'"{split}"' for split in splits)
        notes.append(
            f"n_missing pairs{of} are left out: a word of theirs has no vector in one of these runs."
        )
    notes += seen
    provenance = {
        "probe": name,
        "runs": [run.info.run_id for run in runs],
        "second": second.info.run_id if second else None,
        "against": [against.run.info.run_id if against.run else None, against.layer] if against else None,
        **{name: value for name, value in dataclasses.asdict(asked).items() if name != "resampling"},
        "target": target,
        "evaluate_on": evaluate_on,
        "resamples": asked.resampling.n,
        "seed": asked.resampling.seed,
    }
    return ResultTable(
        pa.Table.from_pylist(rows),
        f"{subject} by layer ({where}; {how})",
        units=units,
        provenance=provenance,
        figure=Figure("curve", "layer", main, "run", band=("low", "high"), level="majority"),
        notes=notes,
    )
