"""What neighbors are sought of: a word of a run, a vector, or a word of a new text."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, SupportsIndex

import numpy as np

from repstore.errors import ArgumentError, NotFoundError
from repstore.schemas import ID_STRIDE
from repstore.spec import EncodedWord, LayerKey
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Run

WordGiven = str | SupportsIndex | np.ndarray | EncodedWord | None
"""A lemma or form, a word_id, a vector, or a word encoded for it; None where a text or a sense says which."""


@dataclass(frozen=True, eq=False)
class Query:
    """What neighbors are sought of.

    Attributes:
        title: what it is called in a table.
        word: its word_id, form, lemma, sense and text, as far as it has them.
        row: its row in every layer, if it is a word of the run.
        at: its vector at the n-th of the layers asked for, which is the second argument.
    """

    title: str
    word: dict[str, Any]
    row: int | None
    at: Callable[[int, LayerKey], np.ndarray]


def query_of(
    lookup: Lookup,
    run: Run,
    given: WordGiven,
    layers: Sequence[LayerKey],
    text: str | None,
    sense: str | None,
) -> Query:
    """What a user means by a word, a word_id, a vector or an encoded word."""
    if isinstance(given, EncodedWord | np.ndarray):
        if text is not None or sense is not None:
            raise ArgumentError("A vector has no text and no sense to look for. Leave them out.")
        return _encoded(run, given) if isinstance(given, EncodedWord) else _vector(run, given, layers)
    word = lookup.one_word(given, run, text, sense)
    row = int(run.vectors.rows(np.array([word["word_id"]]))[0])
    if row < 0:
        if word["word_id"] // ID_STRIDE != run.vectors.word_ids[0] // ID_STRIDE:
            raise NotFoundError(
                f"Word {word['word_id']} is of another corpus than {run.label}, {run.info.corpus}."
            )
        raise NotFoundError(f"Word {word['word_id']} has no vector in {run.label}; see the table skipped.")
    return Query(
        f'"{word["form"]}" (word {word["word_id"]})',
        word,
        row,
        lambda _, layer: run.vectors.layer(layer).take(np.array([row]))[0],
    )


def _encoded(run: Run, word: EncodedWord) -> Query:
    if word.run_id != run.info.spec.run_id:
        raise ArgumentError(
            f"This word was encoded as another run does it, not as {run.label}. Encode it again."
        )
    known = {"form": word.form, "text": word.text}
    return Query(
        f'"{word.form}" (a new word)',
        known,
        None,
        lambda _, layer: run.vectors.seen(layer, word.vectors),
    )


def _vector(run: Run, vector: np.ndarray, layers: Sequence[LayerKey]) -> Query:
    d_model = run.vectors.layer(layers[0]).d_model
    shapes = [(d_model,), (len(layers), d_model)]
    if vector.shape not in shapes or not np.issubdtype(vector.dtype, np.floating):
        raise ArgumentError(
            f"A vector of {run.label} has shape ({d_model},), or ({len(layers)}, {d_model}) for one at each "
            f"of these layers, of floats; this has {vector.shape}, {vector.dtype}."
        )
    if not np.isfinite(vector).all():
        raise ArgumentError("The vector is not finite.")
    largest = float(np.abs(vector).max(initial=0.0))
    if largest and not 1e-30 <= largest <= 1e30:
        raise ArgumentError(
            f"The largest number of the vector is {largest:.0e}. Scale it to the range of float32."
        )
    return Query("a vector", {}, None, lambda n, _: vector if vector.ndim == 1 else vector[n])
