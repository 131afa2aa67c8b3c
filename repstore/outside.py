"""`Store.compare_with`: how far layers agree with similarities of words that come from elsewhere."""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from repstore.analysis.aligned import Aligned
from repstore.analysis.external import FEWEST_PAIRS, rsa_with
from repstore.analysis.space import space_of
from repstore.corpus.similarities import Similarities, read_similarities
from repstore.errors import ResultError, check_choice
from repstore.results import Figure, ResultTable, table_of_rows
from repstore.sampling import meeting
from repstore.spec import Frame
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers, Run, lasting
from repstore.storage.vectors import rows_of


def compare_with(
    lookup: Lookup,
    runs: Sequence[Run],
    layers: Layers,
    path: Path,
    standardize: Frame,
    where: str | None,
) -> ResultTable:
    """Every layer of some runs against a table of similarities, as `Store.compare_with` returns it."""
    check_choice("standardize", standardize, get_args(Frame))
    layers = lasting(layers)
    of_runs = [(run, run.layers(layers)) for run in runs]
    table = read_similarities(path)
    rows: list[dict[str, Any]] = []
    for run, of_run in of_runs:
        words, groups, pairs = _matched(lookup, run, table, where)
        there = np.all(pairs >= 0, axis=1)
        n_pairs = int(there.sum())
        if n_pairs < FEWEST_PAIRS:
            raise ResultError(
                f"{run.label} has both words of {n_pairs} of the {len(there)} pairs of {path}; "
                f"{FEWEST_PAIRS} are needed. Words are word_ids, or forms or lemmas of {run.info.corpus}."
            )
        for key in of_run:
            vectors = run.vectors.layer(key)
            found = rsa_with(
                Aligned(vectors, words, space_of(vectors, standardize)),
                groups,
                pairs[there, 0],
                pairs[there, 1],
                table.similarity[there],
            )
            rows.append(
                {
                    "run": run.label,
                    "layer": key,
                    "spearman": found.spearman,
                    "pearson": found.pearson,
                    "n_pairs": n_pairs,
                    "n_missing": len(there) - n_pairs,
                }
            )
    return ResultTable(
        table_of_rows(rows),
        f"Cosines against the similarities of {path.name}" + ("" if where is None else f" where {where}"),
        units={"spearman": "rank correlation with the table", "pearson": "correlation with the table"},
        provenance={
            "runs": [run.info.run_id for run in runs],
            "table": str(path),
            "standardize": standardize,
            "where": where,
        },
        figure=Figure("curve", "layer", "spearman", "run"),
        notes=_notes(rows),
    )


def _notes(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Which pairs do not count, and why there is no correlation where there is none."""
    notes = [
        f"{row['n_missing']} of the {row['n_pairs'] + row['n_missing']} pairs are left out for {run}, which "
        "lacks a word of them; names are matched as they are written."
        for run, row in {row["run"]: row for row in rows}.items()
        if row["n_missing"]
    ]
    if any(math.isnan(row[name]) for row in rows for name in ("spearman", "pearson")):
        notes.append("A correlation is missing where all cosines, or all similarities, are equal.")
    return notes


def _matched(
    lookup: Lookup, run: Run, table: Similarities, where: str | None
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The words of a run that a table names.

    Returns:
        Their rows in the run, the name that each has in the table, as a number, and the names of each pair;
        -1 for a name without a word. *Shapes:* (n_words,), (n_words,) and (n_pairs, 2), int64.
    """
    names = sorted({*table.a, *table.b})
    if isinstance(names[0], int):
        word_ids, named = np.array(names, np.int64), list(names)
    else:
        word_ids, named = lookup.named(run, [str(name) for name in names])
    numbers = {name: n for n, name in enumerate(names)}
    rows = rows_of(run.vectors.word_ids, word_ids)
    there = (rows >= 0) & np.isin(word_ids, meeting(lookup, run, word_ids, where))
    groups = np.array([numbers[name] for name in named], np.int64)[there]
    known = np.isin(np.arange(len(names)), groups)
    pairs = np.array([[numbers[a], numbers[b]] for a, b in zip(table.a, table.b, strict=True)], np.int64)
    return rows[there], groups, np.where(known[pairs], pairs, -1)
