"""Drawing some words of many, by a seed."""

from __future__ import annotations

import numpy as np

from repstore.errors import ArgumentError


def check_sample(sample: int | None, seed: int, least: int) -> None:
    """Refuse what is no number of words to draw, and no seed to draw them with.

    Raises:
        ArgumentError: one of them cannot be used.
    """
    if sample is not None and sample < least:
        raise ArgumentError(f"sample is {sample}; at least {least} words are needed.")
    if seed < 0:
        raise ArgumentError(f"seed is {seed}; it must not be negative.")


def sampled(word_ids: np.ndarray, sample: int | None, seed: int) -> np.ndarray:
    """Some words drawn at random, in their order; all, if there are no more. *Shape:* (n_words,), int64."""
    if sample is None or sample >= len(word_ids):
        return word_ids
    return word_ids[np.sort(np.random.default_rng(seed).choice(len(word_ids), sample, replace=False))]
