"""SQL as DuckDB's own lexer reads it: its tokens, and where its statements end."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise

import duckdb


@dataclass(frozen=True, slots=True)
class Token:
    """A piece of SQL: a name, a string, a comment, ...

    Attributes:
        kind: what the lexer takes it for: ``identifier``, ``keyword``, ``string_const``, ``comment``, ...
        text: as it is written; of the last one, with the blanks after it.
        start: where it stands, in characters.
    """

    kind: str
    text: str
    start: int


def tokens(sql: str) -> list[Token]:
    """The tokens of any text. A string or comment that does not end is one that reaches to the end."""
    data, result, before, at = sql.encode(), [], 0, 0
    found = duckdb.tokenize(sql)  # places in bytes
    for n, (start, kind) in enumerate(found):
        at += len(data[before:start].decode())
        is_last = n + 1 == len(found)
        text = data[start:].decode() if is_last else data[start : found[n + 1][0]].decode().rstrip()
        result.append(Token(kind.name, text, at))
        before = start
    return result


def statements(sql: str) -> tuple[list[str], str]:
    """The statements that end, each with its ";", and the text after the last of them."""
    ends = [token.start + 1 for token in tokens(sql) if token.text[0] == ";"]
    ended = [sql[start:end].strip() for start, end in pairwise([0, *ends])]
    return [one for one in ended if not is_remark(one[:-1])], sql[ends[-1] :] if ends else sql


def is_remark(sql: str) -> bool:
    """Whether a text is nothing but blanks and whole comments."""
    said = [token.text for token in tokens(f"{sql}\n;") if token.kind != "comment"]
    return said == [";"]
