"""docs/sql.md: its queries, and the results that stand below them.

``python tests/sql_page.py STORE`` writes the results anew, from the store that ``make demo`` makes.
"""

from __future__ import annotations

import re
import sys
from dataclasses import dataclass
from pathlib import Path

import repstore

PAGE = Path(__file__).parents[1] / "docs" / "sql.md"
QUESTION = re.compile(r"^### ([^\n]+)\n\n```sql\n(.*?)^```\n\n```\n(.*?)^```$", re.MULTILINE | re.DOTALL)


@dataclass(frozen=True)
class Question:
    """A question of the page, the query that asks it, and the result that is shown."""

    title: str
    query: str
    shown: str


def questions() -> list[Question]:
    """All questions of the page, in order."""
    return [Question(*found.groups()) for found in QUESTION.finditer(PAGE.read_text(encoding="utf-8"))]


def rendered(store: repstore.Store) -> str:
    """The page, with the results that a store gives."""

    def answered(found: re.Match[str]) -> str:
        title, query, _ = found.groups()
        shown = store.sql(query).to_text().partition("\n")[2]
        return f"### {title}\n\n```sql\n{query}```\n\n```\n{shown}\n```"

    return QUESTION.sub(answered, PAGE.read_text(encoding="utf-8"))


if __name__ == "__main__":
    with repstore.open(sys.argv[1]) as opened:
        PAGE.write_text(rendered(opened), encoding="utf-8")
