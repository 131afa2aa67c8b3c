"""Which of many words are looked at: those that meet a condition, or some drawn by a seed."""

from __future__ import annotations

import numpy as np

from repstore.errors import ArgumentError
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Run


def check_sample(sample: int | None, seed: int, least: int) -> None:
    """Refuse what is no number of words to draw, and no seed to draw them with.

    Raises:
        ArgumentError: one of them cannot be used.
    """
    if sample is not None and sample < least:
        raise ArgumentError(f"sample is {sample}; at least {least} words are needed.")
    if seed < 0:
        raise ArgumentError(f"seed is {seed}; it must not be negative.")


def check_draws(n_seeds: int, resamples: int) -> None:
    """Refuse what are no numbers of seeds and of resamples.

    Raises:
        ArgumentError: one of them cannot be used.
    """
    if n_seeds < 1:
        raise ArgumentError(f"n_seeds is {n_seeds}; at least 1 is needed.")
    if resamples < 0:
        raise ArgumentError(f"resamples is {resamples}; it must not be negative.")


def check_memory(memory: int) -> None:
    """Refuse what is no number of bytes to work in.

    Raises:
        ArgumentError: it is none.
    """
    if not isinstance(memory, int) or memory < 1:
        raise ArgumentError(f"memory is {memory!r}; give a number of bytes to work in.")


def sampled(words: np.ndarray, sample: int | None, seed: int) -> np.ndarray:
    """Some words, by their ids or rows, drawn at random, in their order; all, if there are no more.

    *Shape:* (n_words,), int64.
    """
    if sample is None or sample >= len(words):
        return words
    return words[np.sort(np.random.default_rng(seed).choice(len(words), sample, replace=False))]


def meeting(lookup: Lookup, run: Run, word_ids: np.ndarray, where: str | None) -> np.ndarray:
    """The words, of some of a run, for which an SQL condition holds. *Shape:* (n_words,), int64.

    Raises:
        QueryError: `where` is no condition on words.
    """
    if where is None:
        return word_ids
    return word_ids[np.isin(word_ids, lookup.matching(run, where))]
