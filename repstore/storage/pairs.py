"""Finding the pairs of a corpus, with what is known of them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pyarrow as pa

from repstore.errors import NotFoundError, ResultError, did_you_mean
from repstore.schemas import PAIRS
from repstore.spec import Target
from repstore.storage.catalog import Catalog

ALL = "all"
"""In place of a split: every pair."""

PAIRS_OF = """
SELECT word_a, word_b, CASE $target WHEN 'label' THEN label::DOUBLE ELSE score END AS value
FROM pairs
WHERE corpus_id = $corpus_id AND ($split = 'all' OR split = $split) AND value IS NOT NULL
  AND ($pos IS NULL OR word_a IN (SELECT word_id FROM words WHERE pos = $pos))
ORDER BY pair_id
"""
GOING_OUT = pa.schema([field for field in PAIRS if field.name != "corpus_id"])
"""Columns of pairs in a file beside the words, for whoever reads them elsewhere."""

WITH_ALL_KNOWN = (
    f"SELECT {', '.join(GOING_OUT.names)} FROM pairs WHERE corpus_id = $corpus_id ORDER BY pair_id"
)
ALL_OF = "SELECT word_a, word_b FROM pairs WHERE corpus_id = $corpus_id ORDER BY pair_id"
SPLITS_OF = """
SELECT DISTINCT split FROM pairs
WHERE corpus_id = $corpus_id AND split IS NOT NULL
  AND CASE $target WHEN 'label' THEN label IS NOT NULL ELSE score IS NOT NULL END
ORDER BY split
"""
POS_OF = """
SELECT DISTINCT pos FROM words JOIN pairs ON word_id = word_a
WHERE corpus_id = $corpus_id AND pos IS NOT NULL AND ($split = 'all' OR split = $split)
  AND CASE $target WHEN 'label' THEN label IS NOT NULL ELSE score IS NOT NULL END
ORDER BY pos
"""
TARGETS_OF = "SELECT count(score) AS score, count(label) AS label FROM pairs WHERE corpus_id = $corpus_id"
NAMES = {"label": "labelled", "score": "rated"}


BESIDE = ".pairs.parquet"
"""How a file of pairs ends that stands beside the file of their words."""


def pairs_beside(path: Path) -> Path:
    """The file of the pairs of words that are in another file, or folder."""
    name = path.stem if path.suffix.lower() == ".parquet" else path.name
    return path.with_name(name + BESIDE)


@dataclass(frozen=True)
class FoundPairs:
    """Pairs in file order.

    Attributes:
        target: what `values` are: labels (1 for the same sense, 0 for different ones) or scores (ratings).
        word_a, word_b: word_ids. *Shape of each:* (n_pairs,), int64.
        values: *Shape:* (n_pairs,), float64.
    """

    target: Target
    word_a: np.ndarray
    word_b: np.ndarray
    values: np.ndarray


def splits_of(catalog: Catalog, corpus_id: str, target: Target) -> list[str]:
    """The splits of a corpus that have pairs with a label, or a score."""
    known = {"corpus_id": corpus_id, "target": target}
    splits: list[str] = catalog.query(SPLITS_OF, known)["split"].to_pylist()
    return splits


def find_all_pairs(catalog: Catalog, corpus_id: str, corpus: str) -> np.ndarray:
    """The word_ids of every pair of a corpus, in file order, labelled or not. *Shape:* (n_pairs, 2), int64.

    Raises:
        StoreDamagedError: the corpus is not in the store.
    """
    catalog.require_corpus(corpus_id, corpus)
    table = catalog.query(ALL_OF, {"corpus_id": corpus_id})
    return np.stack([table[name].to_numpy() for name in ("word_a", "word_b")], axis=1)


def pairs_among(catalog: Catalog, corpus_id: str, word_ids: np.ndarray) -> tuple[pa.Table, int]:
    """The pairs of which both words are among these, with all that is known of them, in file order.

    `word_ids`: *Shape:* (n,), int64.

    Returns:
        The pairs, with the columns of `GOING_OUT`, and of how many more one word is among these.
    """
    found = catalog.query(WITH_ALL_KNOWN, {"corpus_id": corpus_id})
    in_a, in_b = (np.isin(found[side].to_numpy(), word_ids) for side in ("word_a", "word_b"))
    return found.filter(pa.array(in_a & in_b)).cast(GOING_OUT), int((in_a ^ in_b).sum())


def find_pairs(
    catalog: Catalog, corpus_id: str, corpus: str, target: Target | None, split: str, pos: str | None
) -> FoundPairs:
    """The pairs of a split that have a label, or a score.

    Args:
        catalog: of the store.
        corpus_id, corpus: the corpus and its name.
        target: labels or scores; scores where the corpus has them, unless given.
        split: its name, or "all" for every pair.
        pos: only pairs whose first word has this part of speech.

    Raises:
        NotFoundError: no such split or part of speech.
        ResultError: the corpus has no pairs with labels or scores.
        StoreDamagedError: the corpus is not in the store.
    """
    there = catalog.query(TARGETS_OF, {"corpus_id": corpus_id}).to_pylist()[0]
    catalog.require_corpus(corpus_id, corpus)
    target = target or ("score" if there["score"] else "label")
    if not there[target]:
        raise ResultError(f'Corpus "{corpus}" has no {NAMES[target]} pairs; this needs them.')
    asked = {"corpus_id": corpus_id, "target": target, "split": split, "pos": pos}
    table = catalog.query(PAIRS_OF, asked)
    if not table.num_rows:
        splits = [*splits_of(catalog, corpus_id, target), ALL]
        if split not in splits:
            hint = did_you_mean(split, splits)
            if splits == [ALL]:
                hint = f'They are in no split: select on and evaluate on "{ALL}".'
            raise NotFoundError(f'Corpus "{corpus}" has no {NAMES[target]} pairs in split "{split}". {hint}')
        known = {"corpus_id": corpus_id, "target": target, "split": split}
        tags = catalog.query(POS_OF, known)["pos"].to_pylist()
        hint = did_you_mean(pos or "", tags)
        raise NotFoundError(f'No pair of split "{split}" of "{corpus}" has part of speech "{pos}". {hint}')
    columns = (table[name].to_numpy() for name in ("word_a", "word_b", "value"))
    return FoundPairs(target, *columns)
