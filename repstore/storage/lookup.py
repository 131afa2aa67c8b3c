"""Finding runs, words and pairs in the catalog by the names users give them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import closing, contextmanager
from functools import cached_property
from typing import Any, Literal, SupportsIndex

import numpy as np
import pyarrow as pa

from repstore.corpus.labels import LabelTable
from repstore.errors import ArgumentError, NotFoundError, did_you_mean
from repstore.spec import MatrixKey, Span, Target, digest
from repstore.storage.annotation import annotation, check_known
from repstore.storage.catalog import Catalog
from repstore.storage.edges import FoundEdges, find_edges
from repstore.storage.keyed import find_keyed, find_named
from repstore.storage.labelled_pairs import LabelledPairs, find_labelled_pairs
from repstore.storage.labels import FoundLabels, find_labels
from repstore.storage.layout import Layout, RunLayout
from repstore.storage.mixed import MixedVectors
from repstore.storage.noting import note
from repstore.storage.occurrences import Occurrences, find_occurrences
from repstore.storage.opened import Run, Runs
from repstore.storage.pairs import FoundPairs, find_all_pairs, find_pairs, pairs_among, splits_of
from repstore.storage.run_names import full_name, labels, stored_id
from repstore.storage.runs import read_run
from repstore.storage.senses import FoundSenses, find_senses
from repstore.storage.uses import WORDS_BY_ID, find_words, one_use, why_none
from repstore.storage.vectors import RunVectors

RUNS = "SELECT * FROM runs ORDER BY name, corpus"
RUN_PARTS = "SELECT file, sha256 FROM parts WHERE run_id = $run_id AND file IS NOT NULL ORDER BY part"
CONTENTS = """
SELECT run_id, coalesce(list(sha256 ORDER BY part) FILTER (WHERE file IS NOT NULL), []) AS parts
FROM runs LEFT JOIN parts USING (run_id) GROUP BY run_id
"""
SPANS_BY_ID = "SELECT word_id, spans FROM words WHERE word_id IN (SELECT unnest($word_ids))"
SKIPPED = """
SELECT word_id, reason, n_tokens, form, lemma, pos, sense, text, char_start, char_end
FROM skipped JOIN words USING (word_id) JOIN texts USING (text_id) WHERE run_id = $run_id ORDER BY word_id
"""
COUNTS = "SELECT n_vectors, n_skipped FROM runs WHERE run_id = $run_id"
MATCHING = """
SELECT word_id, text_id, position, char_start, char_end, form, lemma, pos, sense, gloss, text, split, language
FROM words JOIN texts USING (text_id)
WHERE corpus_id = $corpus_id AND ($lemma IS NULL OR coalesce(lemma, form) <> $lemma)
  AND ($text IS NULL OR text <> $text) AND ($split IS NULL OR split = $split)
  AND ($side IS NULL OR word_id IN (SELECT CASE $side WHEN 'a' THEN word_a ELSE word_b END FROM pairs))
"""


def as_stored(run: Run) -> Run:
    """The run itself, through nothing."""
    return run


class Lookup:
    """Names to things, over one catalog; runs `through` something that shows other vectors, if given."""

    def __init__(self, layout: Layout, catalog: Catalog, through: Callable[[Run], Run] = as_stored) -> None:
        self._through = through
        self._layout = layout
        self._catalog = catalog
        self._runs: dict[str, Run] = {}
        self._pairs: dict[tuple[str, str, Target | None, str, str | None], FoundPairs] = {}
        self._senses: dict[str, FoundSenses] = {}

    def __reduce__(self) -> tuple[Any, ...]:
        return Lookup, (self._layout, self._catalog, self._through)

    @cached_property
    def run_rows(self) -> pa.Table:
        """The table of runs, by name."""
        return self._catalog.query(RUNS)

    @cached_property
    def labels(self) -> dict[str, str]:
        """What each run goes by: its name, with ``@corpus`` where the name alone would be ambiguous."""
        rows = self.run_rows.to_pylist()
        return dict(zip((row["run_id"] for row in rows), labels(rows), strict=True))

    def run(self, name: str | None) -> Run:
        """A run by its name, ``name@corpus`` or run_id; the only one, if no name is given.

        Raises:
            ArgumentError: no name is given and there is not exactly one run, or it is no name.
            NotFoundError: no such run, or several.
        """
        known = ", ".join(self.labels.values()) or "none yet"
        if name is None and len(self.labels) != 1:
            raise ArgumentError(f"Say which run: {known}.")
        if name is not None and not isinstance(name, str):
            raise ArgumentError(f"{name!r} is no name of a run. Give one of: {known}.")
        fitting = [
            row["run_id"]
            for row in self.run_rows.to_pylist()
            if name in (None, row["name"], full_name(row), row["run_id"])
        ]
        if len(fitting) > 1:
            labels = ", ".join(self.labels[run_id] for run_id in fitting)
            raise NotFoundError(f'Several runs are named "{name}": {labels}. Say which.')
        if not fitting:
            raise NotFoundError(f'No run "{name}". {did_you_mean(name or "", self.labels.values())}')
        opened = self._open(fitting[0])
        note(opened.label, opened.info.run_id)
        return opened

    @cached_property
    def contents(self) -> dict[str, str]:
        """A digest of the parts of each run, by run_id: if it is another, the run has other vectors."""
        rows = self._catalog.query(CONTENTS).to_pylist()
        return {row["run_id"]: digest(row["parts"]) for row in rows}

    def folder(self, seen: str) -> RunLayout:
        """Where a run stands. `seen`: its run_id, be it as a transform shows it."""
        return self._layout.run(stored_id(seen))

    def several(self, names: Runs) -> list[Run]:
        """Runs by their names, each once.

        Raises:
            ArgumentError: there is none in the list.
        """
        asked = [names] if names is None or isinstance(names, str) else names
        opened = list({(found := self.run(one)).label: found for one in asked}.values())
        if not opened:
            raise ArgumentError("No run is given. Give at least one.")
        return opened

    def words(self, limit: int | None = None, **criteria: str | None) -> pa.Table:
        """Words by form, lemma, pos, sense, part of text, corpus_id, or either (form or lemma)."""
        return find_words(self._catalog, limit, **criteria)

    def words_of(self, run: Run) -> pa.Table:
        """The words of a run that have vectors, in order of its rows.

        Raises:
            StoreDamagedError: its corpus is missing.
        """
        found = self.words(corpus_id=run.info.spec.corpus_id).drop_columns("corpus")
        word_ids = run.vectors.word_ids
        found = found.filter(pa.array(np.isin(found["word_id"].to_numpy(), word_ids)))
        if len(found) < len(word_ids):
            check_known(word_ids.tolist(), set(found["word_id"].to_pylist()))
        return found

    def skipped(self, run: Run) -> pa.Table:
        """The words of a run that have no vector, each with its reason."""
        return self._catalog.query(SKIPPED, {"run_id": run.folder.root.name})

    def counts(self, run: Run) -> tuple[int, int]:
        """How many words of a run have a vector, and how many were skipped."""
        (row,) = self._catalog.query(COUNTS, {"run_id": run.folder.root.name}).to_pylist()
        return row["n_vectors"], row["n_skipped"]

    def why_no_words(self, **criteria: str | None) -> str:
        """Why no word fits, and what could be meant."""
        return why_none(self._catalog, criteria)

    def matching(
        self,
        run: Run,
        where: str | None,
        *,
        not_lemma: str | None = None,
        not_text: str | None = None,
        side: Literal["a", "b"] | None = None,
        split: str | None = None,
    ) -> np.ndarray:
        """The words of a run's corpus for which a condition holds. *Shape:* (n,), int64.

        Args:
            run: a run over the corpus.
            where: an SQL expression over the columns of words and their texts.
            not_lemma: not words of this lemma.
            not_text: not words of this text.
            side: only words that stand first (``a``) or second (``b``) in a pair.
            split: only words whose text is of this split.

        Raises:
            QueryError: `where` is not such an expression.
        """
        known = {"corpus_id": run.info.spec.corpus_id, "lemma": not_lemma, "text": not_text}
        known |= {"side": side, "split": split}
        found = self._catalog.filtered(MATCHING, known, "true" if where is None else where, "word_id")
        word_ids: np.ndarray = found["word_id"].to_numpy()
        return word_ids

    def one_word(
        self, word: str | SupportsIndex | None, run: Run, text: str | None, sense: str | None
    ) -> dict[str, Any]:
        """The one word that is meant (`storage.uses.one_use`)."""
        return one_use(self._catalog, run.info, word, text, sense)

    def with_words(self, rows: Sequence[dict[str, Any]]) -> pa.Table:
        """Rows with a word_id, completed by form, lemma, pos, sense, text, char_start and char_end."""
        word_ids = [row["word_id"] for row in rows]
        words = self._catalog.query(WORDS_BY_ID, {"word_ids": word_ids}).to_pylist()
        by_id = {word["word_id"]: word for word in words}
        check_known(word_ids, by_id)
        return pa.Table.from_pylist([row | by_id[row["word_id"]] for row in rows])

    def annotation(self, word_ids: np.ndarray) -> pa.Table:
        """What is known of some words, in their order (`storage.annotation`)."""
        return annotation(self._catalog, word_ids)

    def pieces(self, word_ids: Sequence[int]) -> list[tuple[Span, ...]]:
        """The characters of words in their texts, piece by piece."""
        found = self._catalog.query(SPANS_BY_ID, {"word_ids": list(word_ids)}).to_pylist()
        by_id = {row["word_id"]: tuple((start, end) for start, end in row["spans"]) for row in found}
        check_known(word_ids, by_id)
        return [by_id[word_id] for word_id in word_ids]

    def pairs(self, run: Run, target: Target | None, split: str, pos: str | None) -> FoundPairs:
        """Pairs of a run's corpus (`storage.pairs.find_pairs`), looked up once."""
        asked = (run.info.spec.corpus_id, run.info.corpus, target, split, pos)
        if asked not in self._pairs:
            self._pairs[asked] = find_pairs(self._catalog, *asked)
        return self._pairs[asked]

    def pair_splits(self, run: Run, target: Target) -> list[str]:
        """The splits of a run's corpus that have pairs with a label, or a score."""
        return splits_of(self._catalog, run.info.spec.corpus_id, target)

    def senses(self, run: Run) -> FoundSenses:
        """Words of a run's corpus that have a sense (`storage.senses.find_senses`), looked up once."""
        corpus_id = run.info.spec.corpus_id
        if corpus_id not in self._senses:
            self._senses[corpus_id] = find_senses(self._catalog, corpus_id, run.info.corpus)
        return self._senses[corpus_id]

    def all_pairs(self, run: Run) -> np.ndarray:
        """The word_ids of every pair of a run's corpus, in file order. *Shape:* (n_pairs, 2), int64."""
        return find_all_pairs(self._catalog, run.info.spec.corpus_id, run.info.corpus)

    def pairs_among(self, run: Run, word_ids: np.ndarray) -> tuple[pa.Table, int]:
        """The pairs of a run's corpus that are of these words, and more (`storage.pairs.pairs_among`)."""
        return pairs_among(self._catalog, run.info.spec.corpus_id, word_ids)

    def labelled_pairs(self, run: Run) -> LabelledPairs:
        """Pairs of a run's corpus that have a label."""
        return find_labelled_pairs(self._catalog, run.info.spec.corpus_id, run.info.corpus)

    def edges(self, run: Run, kind: str | None) -> FoundEdges:
        """Edges between words of a run's corpus (`storage.edges.find_edges`)."""
        return find_edges(self._catalog, run.info.spec.corpus_id, run.info.corpus, kind)

    def occurrences(self, run: Run) -> Occurrences:
        """Which words of a run's corpus belong together."""
        return find_occurrences(self._catalog, run.info.spec.corpus_id, run.info.corpus)

    def word_labels(self, run: Run, label: str | LabelTable) -> FoundLabels:
        """Words of a run's corpus that have a label (`storage.labels.find_labels`)."""
        return find_labels(self._catalog, run.info.spec.corpus_id, run.info.corpus, label)

    def named(self, run: Run, names: Sequence[str]) -> tuple[np.ndarray, list[str]]:
        """The words of a run's corpus with one of these names, and which (`storage.keyed.find_named`)."""
        return find_named(self._catalog, run.info.spec.corpus_id, names)

    def keyed(
        self, run: Run, key: MatrixKey, keys: Sequence[int] | Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """The words of a run's corpus with one of these keys, and which (`storage.keyed.find_keyed`)."""
        return find_keyed(self._catalog, run.info.spec.corpus_id, key, keys)

    def _open(self, run_id: str) -> Run:
        if run_id not in self._runs:
            info = read_run(self._layout, run_id)
            parts = self._catalog.query(RUN_PARTS, {"run_id": run_id})
            folder = self._layout.run(run_id)
            label = self.labels[run_id]
            vectors = RunVectors(
                [folder.root / file for file in parts["file"].to_pylist()], info.spec.model.n_layers, label
            )
            with_mixes = MixedVectors(vectors, folder, label)
            stored = Run(info, label, with_mixes, folder, tuple(parts["sha256"].to_pylist()))
            self._runs[run_id] = self._through(stored)
        return self._runs[run_id]


@contextmanager
def looking_up(layout: Layout, through: Callable[[Run], Run] = as_stored) -> Iterator[Lookup]:
    """The names of a store, for as long as one question takes; its runs `through` what shows them."""
    with closing(Catalog(layout)) as catalog:
        yield Lookup(layout, catalog, through)
