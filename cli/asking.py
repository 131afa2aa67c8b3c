"""Commands that ask a store."""

from __future__ import annotations

import re
import sys
from typing import Annotated, Literal

import typer

from repstore.cli.options import (
    FormatOption,
    LayersOption,
    PlotOption,
    RunOption,
    StorePath,
    layers_of,
    open_store,
)
from repstore.cli.render import show

ID = r"\d{14}"
"""How a word_id is written; shorter numbers are words like any other."""


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


def neighbors(
    store: StorePath,
    word: Annotated[str, typer.Argument(help="A word_id, or a lemma or form with one use.")],
    run: RunOption = None,
    layer: LayersOption = "all",
    k: Annotated[int, typer.Option("-k", min=1, help="Neighbors per layer.")] = 10,
    text: Annotated[str | None, typer.Option(help="Part of the text of the word.")] = None,
    sense: Annotated[str | None, typer.Option(help="Sense of the word.")] = None,
    format: FormatOption = "table",
) -> None:
    """Find the uses nearest to one use of a word.

    Example: repstore neighbors store/ bank --text "muddy bank" --run smollm2/repeat --layer 0,8,16
    """
    with_id = int(word) if re.fullmatch(ID, word) else word
    result = open_store(store).neighbors(
        with_id, run=run, layer=layers_of(layer), k=k, text=text, sense=sense
    )
    show(result, format)


def compare(
    store: StorePath,
    metric: Annotated[Literal["cka"], typer.Option(help="Which similarity.")] = "cka",
    run: RunOption = None,
    layers: LayersOption = "all",
    sample: Annotated[int, typer.Option(min=0, help="Compare over this many words; 0 for all.")] = 2000,
    seed: Annotated[int, typer.Option(min=0, help="Decides the sample.")] = 0,
    format: FormatOption = "table",
    plot: PlotOption = None,
) -> None:
    """Compare every layer with every other.

    Example: repstore compare store/ --metric cka --run smollm2/repeat --plot cka.png
    """
    result = open_store(store).compare(
        metric, run=run, layers=layers_of(layers), sample=sample or None, seed=seed
    )
    show(result, format, plot)


def sql(
    store: StorePath,
    query: Annotated[str, typer.Argument(help="One SELECT statement.")],
    format: FormatOption = "table",
) -> None:
    """Ask in SQL: tables runs corpora texts words pairs skipped parts, and the view vectors.

    Example: repstore sql store/ "SELECT lemma, count(*) AS uses FROM words GROUP BY lemma"
    """
    show(open_store(store).sql(query), format)
