"""Audit: recompute a sample of words the plain way, and say how far the stored vectors are from it."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pyarrow as pa

from repstore.encode.templates import template_of
from repstore.errors import ArgumentError, ModelError
from repstore.results import Figure, ResultTable
from repstore.spec import Progress
from repstore.storage.catalog import Catalog
from repstore.storage.lookup import Lookup, Run
from repstore.storage.runs import open_store

TOLERANCE = {"float32": 1e-3, "bfloat16": 5e-2, "float16": 1e-2}
"""Largest relative deviation by dtype of the forward pass. Storing as float16 alone costs up to 5e-4; in
bfloat16, with 8 bits of mantissa, the order of additions costs more than 1e-2 in single vectors."""


def audit(
    store: str | Path,
    *,
    run: str | None = None,
    sample: int = 64,
    seed: int = 0,
    model: str | None = None,
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
        ModelError: the model is not the one that made the run.
    """
    from repstore.encode.loading import default_device
    from repstore.encode.models import find_model
    from repstore.encode.plain import PlainModel

    if sample < 1:
        raise ArgumentError(f"sample is {sample}; audit at least 1 word.")
    layout = open_store(Path(store))
    catalog = Catalog(layout)
    lookup = Lookup(layout, catalog)
    opened = lookup.run(run)
    spec = opened.info.spec
    files = find_model(model or spec.model.source, lambda message: progress(Progress(message)))
    found, made_by = files.identity, spec.model
    if (found.weights_sha256, found.tokenizer_sha256) != (made_by.weights_sha256, made_by.tokenizer_sha256):
        raise ModelError(
            f"{found.source} is not the model that made {opened.label}: other weights or tokenizer. "
            "Give the right one with --model."
        )
    last = opened.info.contract["layers"][-1].removesuffix(" (input)")
    raw_last = None if spec.final_norm else last
    plain = PlainModel(files, spec.dtype, device or default_device(), raw_last)
    template = template_of(spec)
    rows = _sample(opened, sample, seed)
    words = lookup.with_words([{"word_id": int(n)} for n in opened.vectors.word_ids[rows]]).to_pylist()
    max_tokens = opened.info.contract["max_tokens"]
    deviations = np.empty((len(rows), spec.model.n_layers))
    for n, (row, word) in enumerate(zip(rows, words, strict=True)):
        span = (word["char_start"], word["char_end"])
        expected = plain.word_vectors(
            template, spec.pooling, word["text"], span, word["form"], word["lemma"], max_tokens
        )
        for layer in range(spec.model.n_layers):
            stored = opened.vectors.layer(layer).take(np.array([row]))[0].astype(np.float64)
            norm = np.linalg.norm(expected[layer].astype(np.float64))
            deviations[n, layer] = np.linalg.norm(stored - expected[layer]) / max(norm, np.finfo(float).tiny)
        progress(Progress("Auditing", n + 1, len(rows)))
    catalog.close()
    tolerance = TOLERANCE[spec.dtype]
    largest = deviations.max(axis=0)
    return ResultTable(
        pa.table(
            {
                "run": [opened.label] * spec.model.n_layers,
                "layer": np.arange(spec.model.n_layers),
                "n_words": np.full(spec.model.n_layers, len(rows)),
                "largest": largest,
                "median": np.median(deviations, axis=0),
                "tolerance": np.full(spec.model.n_layers, tolerance),
                "kept": largest <= tolerance,
            }
        ),
        f"Deviation of {opened.label} from a plain forward pass, {len(rows)} words",
        units={"largest": "relative deviation", "median": "relative deviation"},
        provenance={"run": opened.info.run_id, "sample": sample, "seed": seed},
        figure=Figure("curve", "layer", "largest"),
    )


def _sample(run: Run, sample: int, seed: int) -> np.ndarray:
    n_words = len(run.vectors.word_ids)
    chosen = np.random.default_rng(seed).choice(n_words, min(sample, n_words), replace=False)
    return np.sort(chosen)
