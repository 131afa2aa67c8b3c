"""The study "Fantastic Semantics and Where to Find Them" (Liu et al. 2024) with any model, as one call."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from repstore.analysis import bootstrap, scoring
from repstore.analysis.bootstrap import Resampling
from repstore.analysis.scoring import Scores
from repstore.spec import DTypeChoice, Progress, RunInfo
from repstore.storage.catalog import Catalog
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Run
from repstore.storage.runs import open_store
from repstore.studies.findings import findings_of
from repstore.studies.ingesting import find_maker, runs_for
from repstore.studies.questions import (
    PARTS_OF_SPEECH,
    PROMPTS_WITH_COLON,
    TEMPLATES,
    Corpus,
    Question,
    Role,
    Runs,
    measure,
)
from repstore.studies.study import Study

SPLITS = ("dev", "test")
DECIMALS = 6
"""Of the scores that are kept."""

FIRST_WORDS = """
WITH mine AS (SELECT * FROM pairs WHERE corpus_id = $corpus_id AND split IN ('dev', 'test')),
     sides AS (SELECT word_a AS word_id FROM mine UNION ALL SELECT word_b FROM mine)
SELECT count(*) AS n FROM sides JOIN words USING (word_id) WHERE position = 0
"""


def run_study(
    store: Path,
    *,
    model: str,
    contrast: str | None,
    wic: str | Path,
    rawc: str | Path | None,
    prompt_quirk: bool,
    dtype: DTypeChoice,
    device: str | None,
    resampling: Resampling,
    progress: Callable[[Progress], None],
) -> Study:
    """Ingest what is missing, and ask the store everything that the paper reports.

    Args: as `repstore.reproduce` takes them.
    """
    templates = list(TEMPLATES)
    if prompt_quirk:
        templates += [f"{name}:last={pattern}" for name, pattern in PROMPTS_WITH_COLON.items()]
    makers: list[tuple[Role, str, list[str]]] = [("model", model, templates)]
    if contrast is not None:
        makers.append(("contrast", contrast, ["base"]))
    found: dict[tuple[Role, Corpus, str], RunInfo] = {}
    for role, given, of_role in makers:
        maker = find_maker(given, dtype, device, progress)
        made = runs_for(store, f"wic:{wic}", SPLITS, maker, of_role, progress)
        found |= {(role, "wic", template): run for template, run in made.items()}
        if rawc is not None:
            like = replace(maker, dtype=made["base"].spec.dtype)  # of one model, runs of one dtype
            usual = [template for template in TEMPLATES if template in of_role]
            made = runs_for(store, f"rawc:{rawc}", None, like, usual, progress)
            found |= {(role, "rawc", template): run for template, run in made.items()}
    runs = {key: run.run_id for key, run in found.items()}
    layout = open_store(store)
    with closing(Catalog(layout)) as catalog:
        lookup = Lookup(layout, catalog)
        measured = measure(lookup, runs, resampling, progress)
        about = _about(catalog, lookup, runs, measured, resampling)
    return Study(about, tuple(findings_of(measured)), tuple(rows_of(measured)))


def _about(
    catalog: Catalog,
    lookup: Lookup,
    runs: Runs,
    measured: Mapping[Question, Scores],
    resampling: Resampling,
) -> dict[str, Any]:
    """What was run, in the words of the report."""
    of_model = lookup.run(runs["model", "wic", "base"])
    first_words = catalog.query(FIRST_WORDS, {"corpus_id": of_model.info.spec.corpus_id})
    prompts = measured[Question("model", "wic", "prompt1")]
    n_pairs = {
        f"n_{split}_{name}": len(lookup.pairs(of_model, "label", split, pos).values)
        for split in SPLITS
        for name, pos in PARTS_OF_SPEECH.items()
    }
    about = {
        "model": _described(of_model),
        "contrast": None,
        **n_pairs,
        "n_rated": 0,
        "n_scored": measured[Question("model", "wic", "base")].n_scored,
        "corpus": of_model.info.corpus,
        "n_words": of_model.info.n_words,
        "n_first_words": first_words["n"][0].as_py(),
        "prompt_layer_0": _rounded(prompts.values[0]) if np.isnan(prompts.columns["spearman"][0]) else None,
        "has_quirk": ("model", "wic", "prompt1_colon") in runs,
        "resamples": resampling.n,
        "seed": resampling.seed,
    }
    if ("model", "rawc", "base") in runs:
        of_ratings = lookup.run(runs["model", "rawc", "base"])
        about["n_rated"] = len(lookup.pairs(of_ratings, "score", "all", None).values)
    if ("contrast", "wic", "base") in runs:
        about["contrast"] = _described(lookup.run(runs["contrast", "wic", "base"]))
    return about


def _described(run: Run) -> dict[str, Any]:
    spec, contract = run.info.spec, run.info.contract
    return {
        "name": spec.model.name,
        "architecture": spec.model.architecture,
        "n_layers": spec.model.n_layers,
        "d_model": spec.model.d_model,
        "dtype": spec.dtype,
        "layers": contract["layers"][-2:],
        "weights_sha256": spec.model.weights_sha256,
        "versions": contract["versions"],
    }


def rows_of(measured: Mapping[Question, Scores]) -> Iterator[dict[str, Any]]:
    """One row per question and layer."""
    for question, scores in measured.items():
        low, high = bootstrap.interval(scores.resampled)
        best = scoring.best_layers(scores)
        for layer, score in enumerate(scores.values):
            row: dict[str, Any] = {
                "role": question.role,
                "corpus": question.corpus,
                "template": question.template,
                "standardize": question.arithmetic.standardize,
                "threshold_rule": question.arithmetic.threshold,
                "pos": question.pos,
                "layer": layer,
                "metric": scores.main,
                "score": _rounded(score),
                "low": _rounded(low[layer]),
                "high": _rounded(high[layer]),
                "best": best[layer],
            }
            for name in ("threshold", "selection", "auc", "spearman", "pearson"):
                row[name] = _rounded(scores.columns[name][layer]) if name in scores.columns else None
            yield row


def _rounded(value: float) -> float | None:
    return None if np.isnan(value) else round(float(value), DECIMALS)
