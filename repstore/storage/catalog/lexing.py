"""SQL as DuckDB's own lexer reads it: its tokens, and where its statements end."""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import pairwise

import duckdb

OPENER = re.compile(r"/\*|--|[^'\"$]*(?:['\"]|\$[^$]*\$)")
"""How a comment or string begins."""
NESTED = re.compile(r"/\*|\*/")


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
    ends = [token.start + 1 for token in tokens(sql) if token.text.startswith(";")]
    ended = [sql[start:end].strip() for start, end in pairwise([0, *ends])]
    return [one for one in ended if not is_remark(one[:-1])], sql[ends[-1] :] if ends else sql


class Cutter:
    """Cuts lines into statements. Each line is read once, however long what it belongs to."""

    def __init__(self) -> None:
        self._begun: list[str] = []  # lines of what has not ended
        self._opened = ""  # how the string or comment begins that goes on, if one does
        self._says_something = False

    def ended_by(self, line: str) -> list[str]:
        """The statements that end in the next line, each with its ";"."""
        before = f"{self._opened} " if self._opened else ""
        *found, last = tokens(f"{before}{line};")
        self._opened = "" if last.text == ";" else _opening(last.text)
        ended, start = [], 0
        for token in found if not self._opened else [*found, last]:
            if token.text.startswith(";"):
                end = token.start + 1 - len(before)
                if self._says_something:
                    ended.append("".join([*self._begun, line[start:end]]).strip())
                self._begun, self._says_something, start = [], False, end
            elif token.kind != "comment":
                self._says_something = True
        self._begun.append(line[start:])
        if not self._says_something and not self._opened:
            self._begun = []
        return ended

    @property
    def has_begun(self) -> bool:
        """Whether there is something that has not ended."""
        return bool(self._begun)

    @property
    def rest(self) -> str:
        """What has begun and not ended."""
        return "".join(self._begun).strip()


def _opening(text: str) -> str:
    """What a string or comment that has not ended begins with, as often as it is nested."""
    opener = OPENER.search(text)  # DuckDB takes a "$" before a comment for its first letter
    assert opener is not None  # nothing else goes on beyond its line
    if opener[0] != "/*":
        return opener[0]
    depth = sum(1 if one == "/*" else -1 for one in NESTED.findall(text))
    return opener[0] * depth


def is_remark(sql: str) -> bool:
    """Whether a text is nothing but blanks and whole comments."""
    said = [token.text for token in tokens(f"{sql}\n;") if token.kind != "comment"]
    return said == [";"]
