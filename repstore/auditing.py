"""Audit: recompute a sample of words the plain way, and say how far the stored vectors are from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa

from repstore.encode import require_encode
from repstore.encode.templates import template_of
from repstore.errors import ArgumentError
from repstore.results import Figure, ResultTable
from repstore.spec import Progress
from repstore.storage.lookup import Lookup, looking_up
from repstore.storage.opened import Run
from repstore.storage.runs import open_store

if TYPE_CHECKING:
    from repstore.encode.plain import PlainModel

TOLERANCE = {"float32": 1e-3, "bfloat16": 5e-2, "float16": 1e-2}
"""Largest relative deviation by dtype of the forward pass. Storing as float16 alone costs up to 5e-4; in
bfloat16, with 8 bits of mantissa, the order of additions costs more than 1e-2 in single vectors."""


def audit(
    store: str | Path,
    *,
    run: str | None = None,
    sample: int = 64,
    seed: int = 0,
    model: str | Path | None = None,
    device: str | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> ResultTable:
    """Recompute words of a run with plain Hugging Face code, one text at a time.

    Args:
        store: folder of the store.
        run: which run; not needed if the store has one.
        sample: how many words.
        seed: decides which.
        model: where the model is now, if not where it was ingested from.
        device: where to run it; a GPU if there is one, unless given.
        progress: told how many words are done.

    Returns:
        One row per layer: run, layer, n_words, largest and median relative deviation (norm of the difference
        by norm of the recomputed vector), the tolerance of the contract, and whether it is kept.

    Raises:
        ArgumentError: the run was imported, not encoded.
        ModelError: the model is not the one that made the run.
    """
    if sample < 1:
        raise ArgumentError(f"sample is {sample}; audit at least 1 word.")
    layout = open_store(Path(store))
    with looking_up(layout) as lookup:
        opened = lookup.run(run)
        opened.check_encoded()
        require_encode()
        from repstore.encode.plain import plain_model

        plain = plain_model(opened, model, device, lambda message: progress(Progress(message)))
        deviations = _deviations(lookup, opened, plain, _sample(opened, sample, seed), progress)
    return _table(opened, deviations, {"run": opened.info.run_id, "sample": sample, "seed": seed})


def _deviations(
    lookup: Lookup, run: Run, plain: PlainModel, rows: np.ndarray, progress: Callable[[Progress], None]
) -> np.ndarray:
    """Norm of the difference by norm of the recomputed vector. *Shape:* (n_rows, n_layers), float64."""
    spec, template = run.info.spec, template_of(run.info.spec)
    word_ids = run.vectors.word_ids[rows].tolist()
    words = lookup.with_words([{"word_id": n} for n in word_ids]).to_pylist()
    pieces = lookup.pieces(word_ids)
    layers = [run.vectors.layer(layer).take(rows).astype(np.float64) for layer in run.layers("all")]
    deviations = np.empty((len(rows), len(layers)))
    for n, word in enumerate(words):
        expected = plain.word_vectors(
            template,
            spec.pooling,
            word["text"],
            pieces[n],
            word["form"],
            word["lemma"],
            run.info.contract["max_tokens"],
        ).astype(np.float64)
        for layer, stored in enumerate(layers):
            norm = max(np.linalg.norm(expected[layer]), np.finfo(float).tiny)
            deviations[n, layer] = np.linalg.norm(stored[n] - expected[layer]) / norm
        progress(Progress("Auditing", n + 1, len(rows)))
    return deviations


def _table(run: Run, deviations: np.ndarray, provenance: dict[str, Any]) -> ResultTable:
    n_words, n_layers = deviations.shape
    tolerance = TOLERANCE[run.info.spec.dtype]
    largest = deviations.max(axis=0)
    return ResultTable(
        pa.table(
            {
                "run": [run.label] * n_layers,
                "layer": np.arange(n_layers),
                "n_words": np.full(n_layers, n_words),
                "largest": largest,
                "median": np.median(deviations, axis=0),
                "tolerance": np.full(n_layers, tolerance),
                "kept": largest <= tolerance,
            }
        ),
        f"Deviation of {run.label} from a plain forward pass, {n_words} words",
        units={"largest": "relative deviation", "median": "relative deviation"},
        provenance=provenance,
        figure=Figure("curve", "layer", "largest"),
    )


def _sample(run: Run, sample: int, seed: int) -> np.ndarray:
    n_words = len(run.vectors.word_ids)
    chosen = np.random.default_rng(seed).choice(n_words, min(sample, n_words), replace=False)
    return np.sort(chosen)
