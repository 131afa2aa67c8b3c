"""Commands that ask a store."""

from __future__ import annotations

import sys
from typing import Annotated

import typer

from repstore.cli.options import FormatOption, SaveOption, StorePath, open_store
from repstore.cli.render import keep, show


def runs(store: StorePath, format: FormatOption = "table") -> None:
    """List the runs of a store.

    Example: repstore runs store/
    """
    show(open_store(store).runs(), format)


def info(store: StorePath, format: FormatOption = "table") -> None:
    """Say what a store holds in total, and what became of the words of each run.

    Example: repstore info store/
    """
    show(open_store(store).info(), format)


def words(
    store: StorePath,
    lemma: Annotated[str | None, typer.Option(help="Lemma of the words.")] = None,
    form: Annotated[str | None, typer.Option(help="The words as they stand in the text.")] = None,
    pos: Annotated[str | None, typer.Option(help="Part of speech.")] = None,
    sense: Annotated[str | None, typer.Option(help="Sense.")] = None,
    text: Annotated[str | None, typer.Option(help="Part of their text.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most rows.")] = 50,
    format: FormatOption = "table",
) -> None:
    """Find words, each with its text.

    Example: repstore words store/ --lemma bank
    """
    found = open_store(store).words(form=form, lemma=lemma, pos=pos, sense=sense, text=text, limit=limit)
    show(found, format)
    if not len(found):
        print("No words fit; forms and lemmas are matched as they are written.", file=sys.stderr)
    if len(found) == limit:
        print(f"The first {limit}; ask for more with --limit.", file=sys.stderr)


def sql(
    store: StorePath,
    query: Annotated[str, typer.Argument(help="One SELECT statement.")],
    format: FormatOption = "table",
    save: SaveOption = None,
) -> None:
    """Ask in SQL: tables runs corpora texts words pairs edges skipped parts results, and the view vectors.

    Example: repstore sql store/ "SELECT lemma, count(*) AS uses FROM words GROUP BY lemma"
    """
    result = open_store(store).sql(query)
    show(result, format)
    keep(result, store, save)
