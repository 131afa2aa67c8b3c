"""What a user holds: an open store, and the questions it answers. No torch, no model."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from copy import copy
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import pyarrow as pa

from repstore.analysis.scan import n_processors
from repstore.applying import Applying
from repstore.comparisons import Comparisons
from repstore.errors import ArgumentError, StoreError
from repstore.kept_results import RESULT_COLUMNS, Results
from repstore.neighborhoods import Neighborhoods
from repstore.probes import Probes
from repstore.provenance import question
from repstore.results import SHOWN_ROWS, ResultTable
from repstore.run_views import Run, view_of
from repstore.sampling import check_memory
from repstore.spec import MEMORY, LayerKey
from repstore.sql import session_of
from repstore.storage.catalog import Catalog, Session
from repstore.storage.frozen import check_name
from repstore.storage.layout import Layout
from repstore.storage.lookup import Lookup
from repstore.storage.processes import of_process
from repstore.storage.runs import format_of, open_store
from repstore.storage.transformed import through
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


class Store(Probes, Neighborhoods, Comparisons, Applying, Results):
    """An open store: what was committed when it was opened. Close it, or use it in a ``with`` statement.

    In another process, forked or unpickled there, it opens anew when it is first asked, and sees what is
    committed by then.
    """

    def __init__(self, layout: Layout) -> None:
        self._layout = layout
        self._catalog = Catalog(layout)
        self._lookup = Lookup(layout, self._catalog)
        self._transform: str | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def __getstate__(self) -> dict[str, Any]:
        # What is pickled: where it is, and through what it is seen; what it remembers stays behind.
        return {name: vars(self)[name] for name in ("_layout", "_catalog", "_lookup", "_transform")}

    def __fspath__(self) -> str:
        """Its folder, so that an open store can be given wherever the path of one is asked for.

        Raises:
            ArgumentError: the store is seen through a transform, which a folder would not say.
        """
        if self._transform is not None:
            raise ArgumentError(
                f'This works on the store itself, not on what "{self._transform}" shows of it. Give the '
                "store as opened, or its path."
            )
        return str(self._layout.root)

    def __repr__(self) -> str:
        return self._shown().to_text(SHOWN_ROWS)

    def _repr_html_(self) -> str:
        return self._shown()._repr_html_()

    def _shown(self) -> ResultTable:
        """The runs, and what to do with them."""
        seen = "" if self._transform is None else f', seen through "{self._transform}"'
        title = f"Store {self._layout.root}{seen}"
        try:
            runs = self.runs().table
        except StoreError as error:  # closed, above all; what a debugger shows must not fail
            return ResultTable(pa.table({}), title, notes=[str(error)])
        if not len(runs):
            return ResultTable(pa.table({}), title, notes=["It has no runs yet."])
        columns = ["run", "corpus", "n_vectors", "n_layers", "d_model"]
        more = f"store.run({runs['run'][0].as_py()!r}) has its layers and words; store.words() finds words."
        return ResultTable(runs.select(columns), title, notes=[more])

    def close(self) -> None:
        """Close the store."""
        self._catalog.close()

    def transformed(self, name: str) -> Store:
        """The same open store, its runs seen through their transform of this name (`repstore.fit_transform`).

        Whatever takes vectors takes mapped ones; ``standardize`` comes after the transform, and "all" layers
        are those that it was fitted on. Closing either store closes both.

        Raises:
            ArgumentError: this is no name, or the store is seen through a transform already.
            NotFoundError: when a run is asked about that has no such transform.
        """
        check_name("transform", name)
        if self._transform is not None:
            raise ArgumentError(
                f'The store is seen through "{self._transform}". Ask the store as opened for "{name}".'
            )
        other = copy(self)
        other._transform = name
        other._lookup = Lookup(self._layout, self._catalog, partial(through, name=name))
        return other

    def runs(self) -> ResultTable:
        """The runs, one row each: settings, shape, how much of each is committed, and its model."""
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
        columns += ["n_layers", "d_model", "n_parts", "n_committed", "origin", "model"]
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
        of_store = {"path": self._layout.root, "format": format_of(self._layout), **totals}
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
        """Words with the given properties, each with its text; `text` may be a part of it.

        If none has them, a note says which property is not to be found, and what comes closest.
        """
        wanted = {"form": form, "lemma": lemma, "pos": pos, "sense": sense, "text": text}
        table = self._lookup.words(limit, **wanted)
        given = ", ".join(f"{name}={value}" for name, value in wanted.items() if value is not None)
        notes = () if len(table) or not given else (self._lookup.why_no_words(**wanted),)
        return ResultTable(table, f"Words with {given}" if given else "Words", notes=notes)

    def run(self, name: str | None = None) -> Run:
        """A run by its name, ``name@corpus`` or run_id: ``store.run("smollm2/base")[8].vectors``.

        The only one, if no name is given.

        Raises:
            ArgumentError: no name is given and there is not exactly one run.
            NotFoundError: no such run, or several.
        """
        return view_of(self._lookup, name)

    def vectors(self, *, layer: LayerKey, run: str | None = None) -> LayerVectors:
        """One layer's word vectors, mapped, mixed or transformed: ``.word_ids`` and ``.values``.

        *Shapes:* (n_words,), int64, and (n_words, d_model), float16 or float32; row i is of word i.

        Raises:
            NotFoundError: no such run or layer.
        """
        opened = self._lookup.run(run)
        return opened.vectors.layer(opened.layer(layer))

    @question
    def sql(
        self,
        query: str,
        parameters: Sequence[Any] | Mapping[str, Any] = (),
        *,
        memory: int = MEMORY,
        threads: int | None = None,
    ) -> ResultTable:
        """Ask in SQL, as DuckDB speaks it. Nothing can be changed, and nothing read but the store.

        Tables: runs, corpora, texts, words, pairs, edges, skipped, parts (`tables` lists their columns), and
        the view vectors(run, layer, word_id, vector), which reads only the layers that a filter leaves.
        Functions: cosine(a, b), dot(a, b), l2(a, b), norm(a), vector(word_id, run, layer), the aggregate
        centroid(vector), and the tables similarity(run, layer := NULL) and
        neighbors(word_id, run, layer, k := 10). Results that are kept: the table results, and the rows of
        each as result('NAME'). Ctrl-C stops a query.

        Args:
            query: one SELECT statement.
            parameters: values for ``?`` in the query, or for ``$name``.
            memory: bytes that the query may take, and its rows; one that needs more fails.
            threads: how many it may use; as many as there are processors, if not given, and never more.

        Raises:
            QueryError: the statement is not a SELECT, or DuckDB refuses it.
            ArgumentError: memory or threads are less than 1; or the store is seen through a transform, and
                SQL would show vectors as stored.
        """
        check_memory(memory)
        if threads is not None and threads < 1:
            raise ArgumentError(f"threads is {threads}; a query takes at least 1.")
        if isinstance(query, str) and "result" in query.lower():  # no other query names one
            self._session.show("results", self.results().table)
        n_threads = min(threads or n_processors(), n_processors())  # DuckDB would start any number
        table = self._session.select(query, parameters, memory=memory, threads=n_threads)
        return ResultTable(table, "Result of SQL", provenance={"sql": query})

    def tables(self) -> ResultTable:
        """What can be asked about in SQL: a row for each column of each table, with its type."""
        return ResultTable(self._session.columns(), f"Tables of {self._layout.root}")

    @of_process
    def _session(self) -> Session:
        if self._transform is not None:
            raise ArgumentError(
                f'SQL shows vectors as stored, not through "{self._transform}". Ask the store as opened.'
            )
        return session_of(self._catalog, self._lookup, self._layout, RESULT_COLUMNS.empty_table())
