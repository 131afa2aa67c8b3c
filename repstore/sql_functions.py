"""The functions of SQL over a store: what they are called, what they do, and how SQL defines them."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from repstore.storage.catalog.reading import quoted
from repstore.storage.layout import FROZEN_NAME


@dataclass(frozen=True, slots=True)
class Function:
    """A function that a user may call.

    Attributes:
        name: in SQL.
        kind: ``scalar`` gives a value for each row, ``aggregate`` one for each group, ``table`` rows.
        signature: its parameters, those that may be left out with what they then are.
        what: what it gives, in a line.
    """

    name: str
    kind: Literal["scalar", "aggregate", "table"]
    signature: str
    what: str


FUNCTIONS = (
    Function("cosine", "scalar", "cosine(a, b)", "Cosine of two vectors; 0 if one of them is zero."),
    Function("dot", "scalar", "dot(a, b)", "Inner product of two vectors."),
    Function("l2", "scalar", "l2(a, b)", "Euclidean distance of two vectors."),
    Function("norm", "scalar", "norm(a)", "Length of a vector."),
    Function(
        "vector",
        "scalar",
        "vector(word_id, run, layer)",
        "The vector of a word; NULL if it has none in the run.",
    ),
    Function("centroid", "aggregate", "centroid(vector)", "Mean of vectors; NULLs are left out."),
    Function(
        "similarity",
        "table",
        "similarity(run, layer := NULL)",
        "Cosine of the two words of every pair, at one layer or at all: pair_id, split, word_a, word_b, "
        "label, score, layer, cosine.",
    ),
    Function(
        "neighbors",
        "table",
        "neighbors(word_id, run, layer, k := 10)",
        "The k words nearest to a word: rank, word_id, cosine.",
    ),
    Function("result", "table", "result(name)", "The rows of a result that is kept."),
)
"""All of them, those of vectors first."""

DEFINITIONS = (
    """
CREATE MACRO memory.main.cosine(a, b) AS
CASE WHEN isnan(list_cosine_similarity(a::FLOAT[], b::FLOAT[]))
          AND (list_inner_product(a::FLOAT[], a::FLOAT[]) = 0
               OR list_inner_product(b::FLOAT[], b::FLOAT[]) = 0)
     THEN 0 ELSE list_cosine_similarity(a::FLOAT[], b::FLOAT[]) END
""",
    "CREATE MACRO memory.main.dot(a, b) AS list_inner_product(a::FLOAT[], b::FLOAT[])",
    "CREATE MACRO memory.main.l2(a, b) AS list_distance(a::FLOAT[], b::FLOAT[])",
    "CREATE MACRO memory.main.norm(a) AS sqrt(list_inner_product(a::FLOAT[], a::FLOAT[]))",
    "CREATE MACRO memory.main.centroid(vector) AS _mean(list(vector::FLOAT[]))",
    "CREATE MACRO memory.main.vector(word_id, run, layer) AS _vector(word_id, run, layer)",
    """
CREATE MACRO memory.main.similarity(run, layer := NULL) AS TABLE
SELECT p.pair_id, p.split, p.word_a, p.word_b, p.label, p.score, l.layer,
       _cosine(p.word_a, p.word_b, run, l.layer) AS cosine
FROM store.main.pairs AS p JOIN store.main.runs AS r ON r.corpus_id = p.corpus_id AND r.run_id = _run(run),
     (SELECT unnest(coalesce(_layer(run, layer), _layers(run))) AS layer) AS l
""",
    """
CREATE MACRO memory.main.neighbors(word_id, run, layer, k := 10) AS TABLE
SELECT unnest(_neighbors(word_id, run, layer, k), recursive := true)
""",
)
"""SQL that makes them of DuckDB's own and of those that `repstore.sql` computes."""

RESULT = """
CREATE MACRO memory.main.result(name) AS TABLE SELECT * FROM read_parquet(
    CASE WHEN regexp_full_match(name, '{name}') THEN {folder} || '/' || name || '/rows.parquet'
    ELSE error('"' || name || '" is no name of a result') END)
WHERE CASE WHEN name IN (SELECT kept.name FROM memory.main.results AS kept) THEN true
    ELSE error('there is no result "' || name || '"') END
"""


def definitions(results: Path) -> tuple[str, ...]:
    """SQL that defines all of them. `results`: the folder of what ``result('NAME')`` reads when it is asked.

    A name that could be a path or a pattern is refused, and one that is not in the table ``results``: what a
    crash left of a result does not exist.
    """
    return *DEFINITIONS, RESULT.format(name=FROZEN_NAME.pattern, folder=quoted(str(results)))
