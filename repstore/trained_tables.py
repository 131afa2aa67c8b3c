"""Tables of trained probes."""

from __future__ import annotations

from typing import Any

import pyarrow as pa

from repstore.analysis import bootstrap, scoring
from repstore.results import Figure, ResultTable

SCORES = {
    "accuracy": "share of test examples",
    "f1": "micro-averaged F1 of test examples",
    "compression": "uniform bits by bits of the online code",
}
SUBJECTS = {
    "linear": "Linear probe",
    "mlp": "Probe with a hidden layer",
    "mdl": "Description length by a linear probe",
}


def result_of(table: pa.Table, provenance: dict[str, Any], notes: list[str]) -> ResultTable:
    """What trained probes score, as `Store.probe` returns it."""
    main = next(name for name in SCORES if name in table.column_names)
    constant = [name for name in ("label", "feature") if len(set(table[name].to_pylist())) == 1]
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
        "lemmas_shared": "the same, lemmas on both sides",
        "control": "the same of random labels of word types",
        "selectivity": "less control, lemmas on both sides" if by == "lemma" else "score less control",
        "majority": "most frequent class",
    }
    divided = provenance["train_on"] or f"split by {by}"
    if provenance["train_on"]:
        divided = f"train on {provenance['train_on']}, test on {provenance['evaluate_on']}, by {by}"
    notes = [*([scoring.NOTE_BEST] if resamples else []), *notes]
    return ResultTable(
        table,
        f"{SUBJECTS[provenance['probe']]} of {labels} by layer ({divided}, {n_seeds} seeds)",
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
