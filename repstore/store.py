"""What a user holds: an open store, and the questions it answers. No torch, no model."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Self, SupportsIndex

import numpy as np
import pyarrow as pa

from repstore.analysis import cka, neighbors
from repstore.errors import ArgumentError, NotFoundError, did_you_mean
from repstore.probes import Probes
from repstore.results import Figure, ResultTable
from repstore.schemas import FORMAT_VERSION
from repstore.storage.catalog import Catalog
from repstore.storage.layout import Layout
from repstore.storage.lookup import Lookup
from repstore.storage.runs import open_store
from repstore.storage.vectors import LayerVectors

TOTALS = """
SELECT (SELECT count(*) FROM corpora) AS n_corpora, (SELECT count(*) FROM texts) AS n_texts,
       (SELECT count(*) FROM words) AS n_words, (SELECT count(*) FROM pairs) AS n_pairs,
       (SELECT count(*) FROM runs) AS n_runs, (SELECT coalesce(sum(n_vectors), 0) FROM runs) AS n_vectors,
       (SELECT count(*) FROM skipped) AS n_skipped,
       (SELECT coalesce(sum(bytes), 0) FROM parts) AS part_bytes
"""
REASONS = "SELECT reason, count(*) AS n FROM skipped WHERE run_id = $run_id GROUP BY reason ORDER BY reason"
WINDOWED = "SELECT coalesce(sum(n_windowed), 0)::BIGINT AS n FROM parts WHERE run_id = $run_id"
CORPORA = "SELECT * FROM corpora ORDER BY name"


def open(path: str | Path) -> Store:  # repstore.open is the name users know
    """Open a store for reading.

    Raises:
        StoreNotFoundError: there is none at `path`.
        StoreVersionError: it was written by a newer version of repstore.
    """
    return Store(open_store(Path(path).absolute()))


class Store(Probes):
    """An open store: what was committed when it was opened. Close it, or use it in a ``with`` statement."""

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._catalog = Catalog(layout)
        self._lookup = Lookup(layout, self._catalog)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __repr__(self) -> str:
        return f"Store({str(self._layout.root)!r}, runs={list(self._lookup.labels.values())})"

    def close(self) -> None:
        """Close the store."""
        self._catalog.close()

    def runs(self) -> ResultTable:
        """The runs, one row each: settings, shape, and how much of each is committed."""
        columns = [
            "run",
            "corpus",
            "reading",
            "pooling",
            "dtype",
            "n_words",
            "n_vectors",
            "n_skipped",
        ]
        columns += ["n_layers", "d_model", "n_parts", "n_committed"]
        labels = pa.array(self._lookup.labels.values(), pa.string())
        table = self._lookup.run_rows.append_column("run", labels).select(columns)
        return ResultTable(table, f"Runs of {self._layout.root}")

    def info(self) -> ResultTable:
        """What the store holds, one row per property: first in total, then what became of each run's words.

        Of every run, n_words is n_vectors + n_skipped + n_to_come (words whose part is not committed yet);
        n_skipped is the sum of the rows ``skipped: REASON``; n_windowed words were read in a window of a text
        that exceeds the model's context.

        Returns:
            Rows with run (null for the store), property and value, all text.
        """
        totals = self._catalog.query(TOTALS).to_pylist()[0]
        accounts: dict[str | None, dict[str, Any]] = {
            self._lookup.labels[row["run_id"]]: self._account(row)
            for row in self._lookup.run_rows.to_pylist()
        }
        of_store = {"path": self._layout.root, "format": FORMAT_VERSION, **totals}
        rows = [
            {"run": run, "property": name, "value": str(value)}
            for run, values in ({None: of_store} | accounts).items()
            for name, value in values.items()
        ]
        columns = pa.schema([(name, pa.string()) for name in ("run", "property", "value")])
        return ResultTable(pa.Table.from_pylist(rows, columns), f"Store {self._layout.root}")

    def _account(self, run: Mapping[str, Any]) -> dict[str, int]:
        """Every word of a run accounted for."""
        this = {"run_id": run["run_id"]}
        reasons = self._catalog.query(REASONS, this).to_pylist()
        return {
            "n_words": run["n_words"],
            "n_vectors": run["n_vectors"],
            "n_skipped": run["n_skipped"],
            **{f"skipped: {row['reason']}": row["n"] for row in reasons},
            "n_windowed": self._catalog.query(WINDOWED, this).to_pylist()[0]["n"],
            "n_to_come": run["n_words"] - run["n_vectors"] - run["n_skipped"],
        }

    def corpora(self) -> ResultTable:
        """The corpora, one row each."""
        return ResultTable(self._catalog.query(CORPORA), f"Corpora of {self._layout.root}")

    def words(
        self,
        *,
        form: str | None = None,
        lemma: str | None = None,
        pos: str | None = None,
        sense: str | None = None,
        text: str | None = None,
        limit: int | None = None,
    ) -> ResultTable:
        """Words with the given properties, each with its text; `text` may be a part of it."""
        wanted = {"form": form, "lemma": lemma, "pos": pos, "sense": sense, "text": text}
        table = self._lookup.words(limit, **wanted)
        given = ", ".join(f"{name}={value}" for name, value in wanted.items() if value is not None)
        return ResultTable(table, f"Words with {given}" if given else "Words")

    def vectors(self, *, layer: int, run: str | None = None) -> LayerVectors:
        """One layer's word vectors, memory-mapped: ``.word_ids`` and ``.values``.

        Raises:
            NotFoundError: no such run or layer.
        """
        opened = self._lookup.run(run)
        return opened.vectors.layer(opened.layers([layer])[0])

    def neighbors(
        self,
        word: str | SupportsIndex,
        *,
        run: str | None = None,
        layer: int | Iterable[int] | Literal["all"],
        k: int = 10,
        text: str | None = None,
        sense: str | None = None,
    ) -> ResultTable:
        """The words of a run nearest to one word, by cosine, exactly.

        Args:
            word: a word_id, or a form or lemma that has one use (`text` and `sense` narrow it down).
            run: a run; not needed if the store has one.
            layer: a layer, several, or "all".
            k: neighbors per layer.
            text: part of the text of the word.
            sense: sense of the word.

        Returns:
            One row per layer and rank: layer, rank, cosine, word_id, form, lemma, pos, sense, text,
            char_start, char_end. Equal cosines are in the order of word_id.

        Raises:
            NotFoundError: no such run, layer or word, or the word has no vector in this run.
            ArgumentError: several uses fit; the message lists some.
        """
        if k < 1:
            raise ArgumentError(f"k is {k}; ask for at least 1 neighbor.")
        opened = self._lookup.run(run)
        layers = opened.layers(layer)
        word_id, form = self._lookup.one_word(word, opened, text, sense)
        row = opened.vectors.rows(np.array([word_id]))
        if row[0] < 0:
            raise NotFoundError(f"Word {word_id} has no vector in {opened.label}; see the table skipped.")
        found = []
        for n in layers:
            of_layer = opened.vectors.layer(n)
            rows, cosines = neighbors.nearest(of_layer, of_layer.take(row)[0], k, exclude=row)
            for rank, (at, cosine) in enumerate(zip(rows, cosines, strict=True), 1):
                found.append(
                    {
                        "layer": n,
                        "rank": rank,
                        "cosine": float(cosine),
                        "word_id": int(of_layer.word_ids[at]),
                    }
                )
        return ResultTable(
            self._lookup.with_words(found),
            f'Neighbors of "{form}" (word {word_id}) in {opened.label}',
            units={"cosine": "-1 to 1"},
            provenance={
                "run": opened.info.run_id,
                "word_id": word_id,
                "layers": layers,
                "k": k,
                "search": "exact",
            },
        )

    def compare(
        self,
        metric: Literal["cka"] = "cka",
        *,
        run: str | None = None,
        layers: Iterable[int] | Literal["all"] = "all",
        sample: int | None = 2000,
        seed: int = 0,
    ) -> ResultTable:
        """Similarity of every layer with every other: unbiased linear CKA (`analysis.cka`).

        Args:
            metric: which similarity.
            run: a run; not needed if the store has one.
            layers: which layers.
            sample: compare over this many words, drawn with `seed`; None for all, in time of their square.
            seed: decides the sample.

        Returns:
            One row per pair of layers: layer_a, layer_b, cka.

        Raises:
            NotFoundError: no such metric, run or layer.
            ResultError: fewer than 4 words.
        """
        if metric != "cka":
            raise NotFoundError(f'No metric "{metric}". {did_you_mean(metric, ["cka"])}')
        if sample is not None and sample < 4:
            raise ArgumentError(f"sample is {sample}; CKA needs at least 4 words.")
        if seed < 0:
            raise ArgumentError(f"seed is {seed}; it must not be negative.")
        opened = self._lookup.run(run)
        wanted = opened.layers(layers)
        n_words = len(opened.vectors.word_ids)
        rows = np.arange(n_words)
        if sample is not None and sample < n_words:
            rows = np.sort(np.random.default_rng(seed).choice(n_words, sample, replace=False))
        vectors = [opened.vectors.layer(layer) for layer in wanted]
        values = cka.linear_cka(vectors, [rows] * len(wanted))
        table = pa.table(
            {
                "layer_a": np.repeat(wanted, len(wanted)),
                "layer_b": np.tile(wanted, len(wanted)),
                "cka": values.ravel(),
            }
        )
        return ResultTable(
            table,
            f"CKA between the layers of {opened.label} over {len(rows):,} words",
            units={"cka": "unbiased linear CKA"},
            provenance={"run": opened.info.run_id, "metric": "cka", "n_words": len(rows), "seed": seed},
            figure=Figure("matrix", "layer_a", "cka", "layer_b"),
        )

    def sql(self, query: str, parameters: Sequence[Any] | Mapping[str, Any] = ()) -> ResultTable:
        """Ask in SQL: tables runs, corpora, texts, words, pairs, skipped, parts, and the view
        vectors(run, layer, word_id, vector); functions cosine(a, b), dot(a, b), norm(a).

        Args:
            query: one SELECT statement.
            parameters: values for ``?`` in the query, or for ``$name``.

        Raises:
            QueryError: the statement is not a SELECT, or DuckDB refuses it.
        """
        values = dict(parameters) if isinstance(parameters, Mapping) else list(parameters)
        table = self._catalog.select(query, values, self._lookup.labels)
        return ResultTable(table, "Result of SQL", provenance={"sql": query})
