"""SQL: cosines of stored vectors against DuckDB's own arrays in memory, and the questions of docs/sql.md."""

from __future__ import annotations

import argparse
import importlib
import re
import tempfile
from collections.abc import Callable
from functools import partial
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import pyarrow as pa
from lifelike import write_store_of
from report import Figure, main, ratio, side_by_side

import repstore
from repstore.analysis.scan import n_processors

PAGE = Path(__file__).parents[1] / "docs" / "sql.md"
QUESTIONS = re.compile(r"^### ([^\n]+)\n\n```sql\n(.*?)^```$", re.MULTILINE | re.DOTALL)
STORED = "SELECT max(cosine(vector, $query)) FROM vectors WHERE run = 'lifelike' AND layer = 0"
IN_MEMORY = "SELECT max(array_cosine_similarity(vector, $query::FLOAT[{d}])) FROM held"


def measure(options: argparse.Namespace) -> list[Figure]:
    """Both parts; the second if there is a demo store to ask."""
    shape = (2048, 1024) if options.quick else (8192, 4096)
    figures = cosines(*shape, rounds=5 if options.quick else 15)
    if options.store.exists():
        figures += questions(options.store, rounds=3 if options.quick else 7)
    return figures


def cosines(n_words: int, d_model: int, rounds: int) -> list[Figure]:
    """One query against all vectors of a layer, on one thread and on all, as many on either side."""
    vectors = np.random.default_rng(0).standard_normal((n_words, d_model), np.float32).astype(np.float16)
    query = {"query": vectors[0].astype(np.float32).tolist()}
    figures = []
    with tempfile.TemporaryDirectory() as folder:
        write_store_of(Path(folder) / "store", vectors)
        with repstore.open(Path(folder) / "store") as store:
            for n_threads in sorted({1, n_processors()}):
                held = in_memory(vectors, n_threads)
                seconds = side_by_side(
                    {
                        "stored": partial(store.sql, STORED, query, threads=n_threads),
                        "held": lambda held=held: held(query),
                    },
                    rounds,
                )
                threads = f"{n_threads} thread" + "s" * (n_threads > 1)
                name = f"cosine of {n_words:,} x {d_model:,} vectors, {threads}"
                figures += [
                    Figure(f"{name}: of the store", median(seconds["stored"]), "s"),
                    Figure(f"{name}: of a table in memory", median(seconds["held"]), "s"),
                    Figure(f"{name}: ratio", ratio(seconds["stored"], seconds["held"]), "times", at_most=1.5),
                ]
    return figures


def in_memory(vectors: np.ndarray, n_threads: int) -> Callable[[dict[str, Any]], object]:
    """The same question of a table of arrays of float32 that DuckDB holds."""
    connection: Any = importlib.import_module("duckdb").connect(config={"threads": n_threads})
    d = vectors.shape[1]
    values = pa.array(vectors.astype(np.float32).reshape(-1))
    connection.register("arriving", pa.table({"vector": pa.FixedSizeListArray.from_arrays(values, d)}))
    connection.execute(f"CREATE TABLE held AS SELECT vector::FLOAT[{d}] AS vector FROM arriving")
    connection.unregister("arriving")
    return lambda query: connection.execute(IN_MEMORY.format(d=d), query).fetchall()


def questions(root: Path, rounds: int) -> list[Figure]:
    """Seconds that each question of the page takes, the store once asked."""
    with repstore.open(root) as store:
        asked = {
            title: partial(store.sql, query)
            for title, query in QUESTIONS.findall(PAGE.read_text(encoding="utf-8"))
        }
        seconds = side_by_side(asked, rounds)
    return [Figure(title, median(taken), "s", at_most=1.0) for title, taken in seconds.items()]


def add_options(parser: argparse.ArgumentParser) -> None:
    """Which store the questions are for."""
    parser.add_argument("--store", type=Path, default=Path("demo/store"), help="what make demo makes")


if __name__ == "__main__":
    main("SQL over stored vectors", measure, add_options)
