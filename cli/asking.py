"""Commands that ask a store."""

from __future__ import annotations

import sys
from functools import partial
from typing import Annotated

import typer

from repstore.cli.completing import complete_form, complete_lemma, complete_pos, complete_sense
from repstore.cli.options import FormatOption, MemoryOption, SaveOption, StorePath, bytes_of, open_store
from repstore.cli.render import keep, show
from repstore.cli.saying import remark


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
    lemma: Annotated[
        str | None, typer.Option(autocompletion=complete_lemma, help="Lemma of the words.")
    ] = None,
    form: Annotated[
        str | None, typer.Option(autocompletion=complete_form, help="The words as they stand in the text.")
    ] = None,
    pos: Annotated[str | None, typer.Option(autocompletion=complete_pos, help="Part of speech.")] = None,
    sense: Annotated[str | None, typer.Option(autocompletion=complete_sense, help="Sense.")] = None,
    text: Annotated[str | None, typer.Option(help="Part of their text.")] = None,
    limit: Annotated[int, typer.Option(min=1, help="Most rows.")] = 50,
    format: FormatOption = "table",
) -> None:
    """Find words, each with its text.

    Example: repstore words store/ --lemma bank
    """
    found = open_store(store).words(form=form, lemma=lemma, pos=pos, sense=sense, text=text, limit=limit)
    show(found, format)
    if len(found) == limit:
        remark(f"The first {limit}; ask for more with --limit.")


def sql(
    store: StorePath,
    query: Annotated[
        str | None,
        typer.Argument(help="One SELECT statement; without it, a shell opens.", show_default=False),
    ] = None,
    format: FormatOption = "table",
    memory: MemoryOption = "2GB",
    threads: Annotated[
        int | None,
        typer.Option(min=1, help="Most threads; as many as there are processors.", show_default=False),
    ] = None,
    save: SaveOption = None,
) -> None:
    """Ask in SQL: tables runs corpora texts words pairs edges skipped parts results, and the view vectors.

    Functions of vectors are cosine, dot, l2, norm, vector, centroid, similarity and neighbors (docs/sql.md).
    Nothing can be changed, and no file read or written.

    Without a query, a shell opens in a terminal; elsewhere, the statements on stdin are answered.

    Example: repstore sql store/ "SELECT layer, avg(cosine) FROM similarity('m/base') GROUP BY layer"
    """
    opened = open_store(store)
    ask = partial(opened.sql, memory=bytes_of(memory), threads=threads)
    if query is not None:
        result = ask(query)
        show(result, format)
        keep(result, store, save)
        return
    if save is not None:
        raise typer.BadParameter("--save keeps the result of one query. Give the query.")
    from repstore.cli.dots import Session
    from repstore.cli.shell import read_statements, talk

    if sys.stdin.isatty() and sys.stdout.isatty():
        talk(Session(opened, ask), format)
    else:
        with open(sys.stdin.fileno(), encoding="utf-8-sig", closefd=False) as lines:  # whatever the locale
            read_statements(Session(opened, ask), lines, format)
