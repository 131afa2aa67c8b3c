"""What DuckDB says of a query that it refuses, in fewer words, and what the store knows beside it."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import PurePosixPath

from repstore.errors import did_you_mean
from repstore.spec import MIX

CANDIDATES = re.compile(r"\n\tCandidate functions:(?:\n\t.+){4,}\n?")
"""What a function could take instead, where that is half a page."""

TOO_DEEP = "The query is nested too deeply. Ask in several steps, WITH names for them."

NO_COLUMN = re.compile(r'Referenced column "(?P<name>[^\n]+?)" (?:was )?not found[^\n]*')
NO_TABLE = re.compile(r"(Table with name (?P<name>[^\n]+) does not exist!)(?:\nDid you mean [^\n]+)?")
EXTENSION = re.compile(r"(?:required extension '|it exists in the )(?P<name>\w+)")
NO_FILE = re.compile(
    r'(?:No files found that match the pattern|Cannot open file) "(?P<path>[^\n]+/rows\.parquet)"'
)
"""Of a result that is not there, or that was dropped between finding its file and opening it."""


def told(said: str, sql: str, memory: int, tables: Sequence[str], results: Sequence[str]) -> str:
    """What DuckDB says, and what to do where it does not say that.

    Args:
        said: its message, which Arrow passes on if rows had come already.
        sql: the query.
        memory: bytes that it might take.
        tables, results: what there is.
    """
    if said.startswith("Out of Memory Error"):
        return (
            f"The query needs more than the {memory / 1e9:.1f} GB of memory that it may take. Allow it more, "
            "or ask for less."
        )
    if "expression depth limit" in said:
        return TOO_DEEP
    if extension := EXTENSION.search(said):
        return f"DuckDB has this in its extension {extension['name']}, and SQL over a store loads none."
    if said.startswith("Conversion Error") and f"'{MIX}" in said:
        return (
            "SQL shows layers as they are stored, by their numbers. Ask about mixes and transforms in Python "
            "or by the other commands."
        )
    if said.startswith("IO Error") and (missing := NO_FILE.search(said)):
        name = PurePosixPath(missing["path"]).parent.name  # result() reads no other files
        if name in results:
            return (
                f'The rows of the result "{name}" are gone. Ask again, or remove it: "repstore results drop".'
            )
        return f'No result "{name}". {did_you_mean(name, results)}'
    said = NO_TABLE.sub(lambda found: f"{found[1]}\n{_instead(found['name'], tables)}", said)
    return f"DuckDB: {in_few_words(said, sql)}"


def too_many_rows(memory: int) -> str:
    """What to say where the rows of an answer are more than may be."""
    return (
        f"The rows of the result need more than the {memory / 1e9:.1f} GB of memory that they may take. Ask "
        "for fewer, or for means and counts of them, or allow more. Whole layers are had without SQL, by "
        'Store.vectors and "repstore export".'
    )


def in_few_words(said: str, sql: str) -> str:
    """A message of DuckDB without pages of candidates, and with a word on quotes where they are the cause."""
    missing = NO_COLUMN.search(said)
    if missing and f'"{missing["name"]}"' in sql:
        hint = f"\nDouble quotes are for names of columns; text has single ones: '{missing['name']}'."
        said = said[: missing.end()] + hint + said[missing.end() :]
    return CANDIDATES.sub("", said)


def _instead(name: str, tables: Sequence[str]) -> str:
    """The table that may be meant, or all that there are."""
    hint = did_you_mean(name, tables)
    return hint if hint.startswith("Did") else f"Tables: {', '.join(tables)}."
