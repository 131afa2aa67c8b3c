"""Tables of trained probes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from repstore.analysis import bootstrap, scoring
from repstore.analysis.bootstrap import Resampling
from repstore.analysis.scoring import Scores
from repstore.analysis.tallies import Tally, over_seeds, resampled
from repstore.results import Figure, ResultTable

SCORES = {
    "accuracy": "share of test examples",
    "f1": "micro-averaged F1 of test examples",
    "compression": "uniform bits by bits of the online code",
}
SHARES = ("accuracy", "f1", "uuas")
"""Scores between 0 and 1, which no interval leaves."""

SUBJECTS = {
    "linear": "Linear probe",
    "mlp": "Probe with a hidden layer",
    "mdl": "Description length by a linear probe",
}


def scored(
    main: str,
    scores: Sequence[Tally],
    controls: Sequence[Tally],
    layer_0: Tally | None,
    resampling: Resampling,
    *,
    beside: Sequence[Tally] | None = None,
    apart: bool = False,
) -> list[dict[str, Any]]:
    """What layers score, with intervals over examples and over seeds, and how selective they are.

    Args:
        main: what the score is called.
        scores: of each layer.
        controls: of the control task of each.
        layer_0: the score of layer 0, if there is one.
        resampling: of the intervals over examples; the same resamples for all layers.
        beside: the score of each over the examples and units of `controls`, if these are others than those of
            `scores`.
        apart: whether `scores` has lemmas apart that `beside` shares, so that both are to be seen.
    """
    of_scores = resampled(scores, resampling)
    low, high = bootstrap.interval(of_scores)
    held = scores if beside is None else beside
    gains = resampled(held, resampling) - resampled(controls, resampling)
    selective_low, selective_high = bootstrap.interval(gains)
    values = np.array([one.score for one in scores])
    best = scoring.best_layers(Scores(main, {main: values}, of_scores, scores[0].reached.shape[1]))
    rows = []
    for n, (score, control) in enumerate(zip(scores, controls, strict=True)):
        seeds = over_seeds(score.of_seeds)
        seeds_low, seeds_high = np.clip(seeds, 0, 1) if main in SHARES else seeds
        shared = {} if beside is None else {"lemmas_shared": beside[n].score if apart else None}
        rows.append(
            {
                main: score.score,
                "low": float(low[n]),
                "high": float(high[n]),
                "seeds_low": float(seeds_low),
                "seeds_high": float(seeds_high),
                "best": best[n],
                "layer_0": layer_0.score if layer_0 else None,
            }
            | shared
            | {
                "control": control.score,
                "selectivity": held[n].score - control.score,
                "selectivity_low": float(selective_low[n]),
                "selectivity_high": float(selective_high[n]),
            }
        )
    return rows


def of_seeds(n: int) -> str:
    """So many seeds, in words."""
    return f"{n} seed" if n == 1 else f"{n} seeds"


def result_of(table: pa.Table, provenance: dict[str, Any], notes: list[str]) -> ResultTable:
    """What trained probes score, as `Store.probe` returns it."""
    main = next(name for name in SCORES if name in table.column_names)
    constant = [name for name in ("probe", "label", "feature") if len(set(table[name].to_pylist())) == 1]
    labels = ", ".join(dict.fromkeys(table["label"].to_pylist()))
    empty = [name for name in table.column_names if table[name].null_count == len(table)]
    table = table.drop_columns(list(dict.fromkeys([*constant, *empty])))
    n_seeds, resamples = provenance["n_seeds"], provenance["resamples"]
    by = provenance["split_by"]
    of_lemmas = "lemmas" if by == "lemma" else "texts"
    interval = f"{bootstrap.LEVEL:.0%} interval, {resamples:,} resamples of {of_lemmas}"
    units = {
        main: SCORES[main],
        "low": interval,
        "high": interval,
        "seeds_low": f"{bootstrap.LEVEL:.0%} interval over {n_seeds} seeds",
        "seeds_high": f"{bootstrap.LEVEL:.0%} interval over {n_seeds} seeds",
        "layer_0": "the same, of layer 0",
        "lemmas_shared": "the same, lemmas on both sides",
        "control": "the same of random labels of word types",
        "selectivity": "less control, lemmas on both sides" if by == "lemma" else "score less control",
        "majority": "classes as frequent as they are" if main == "compression" else "most frequent class",
        "n_train": "examples of the first seed",
        "n_select": "examples of the first seed",
        "n_test": "examples of the first seed",
        "setting": "penalty, or epoch of mlp, chosen for the first seed",
    }
    divided = provenance["train_on"] or f"split by {by}"
    if provenance["train_on"]:
        divided = f"train on {provenance['train_on']}, test on {provenance['evaluate_on']}, by {by}"
    if resamples and "low" in empty:
        notes = [*notes, f"There is no interval: all test examples are of one {by}."]
    notes = [*([scoring.NOTE_BEST] if resamples else []), *notes]
    return ResultTable(
        table,
        f"{SUBJECTS[provenance['probe']]} of {labels} by layer ({divided}, {of_seeds(n_seeds)})",
        units={name: unit for name, unit in units.items() if name in table.column_names},
        provenance=provenance,
        figure=Figure(
            "panels",
            "layer",
            main,
            "run",
            also=("probe", "label", "feature"),
            level="majority",
            panels=[(main, ("low", "high")), ("selectivity", ("selectivity_low", "selectivity_high"))],
        ),
        notes=notes,
    )
