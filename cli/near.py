"""Commands about neighbors."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from repstore.cli.completing import complete_lemma, complete_sense
from repstore.cli.options import (
    FormatOption,
    LayersOption,
    PlotOption,
    RunOption,
    SaveOption,
    SpaceOption,
    StorePath,
    TransformOption,
    WhereOption,
    layers_of,
    open_store,
)
from repstore.cli.render import keep, show, showing_progress
from repstore.errors import SeveralWordsError
from repstore.spec import Metric, Search

if TYPE_CHECKING:
    from repstore.results import ResultTable
    from repstore.spec import EncodedWord
    from repstore.store import Store

ID = r"\d{14}"
"""How a word_id is written; shorter numbers are words like any other."""

MetricOption = Annotated[Metric, typer.Option(help="What near means.")]


def neighbors(
    store: StorePath,
    word: Annotated[
        str | None,
        typer.Argument(
            autocompletion=complete_lemma,
            help="A lemma or form, or a word_id; not needed with --text or --sense.",
        ),
    ] = None,
    run: RunOption = None,
    layer: LayersOption = "all",
    k: Annotated[int, typer.Option("-k", min=1, help="Neighbors per layer.")] = 10,
    text: Annotated[
        str | None, typer.Option(help="Part of the text of the word; with --encode, a new text.")
    ] = None,
    sense: Annotated[
        str | None, typer.Option(autocompletion=complete_sense, help="Sense of the word.")
    ] = None,
    word_id: Annotated[int | None, typer.Option(help="The word, by its id.")] = None,
    encode: Annotated[
        bool, typer.Option("--encode", help="Encode --text with the run's own model; needs the extra encode.")
    ] = False,
    model: Annotated[
        str | None, typer.Option(help="With --encode: where the model is now, if it has moved.")
    ] = None,
    metric: MetricOption = "cosine",
    standardize: SpaceOption = "none",
    where: WhereOption = None,
    other_lemmas: Annotated[bool, typer.Option("--other-lemmas", help="Only words of other lemmas.")] = False,
    other_texts: Annotated[bool, typer.Option("--other-texts", help="Only words of other texts.")] = False,
    search: Annotated[
        Search, typer.Option(help="All words, an index, or an index where the layer is very large.")
    ] = "auto",
    transform: TransformOption = None,
    format: FormatOption = "table",
    plot: PlotOption = None,
    save: SaveOption = None,
) -> None:
    """Find the uses nearest to one use of a word; at several layers, who enters and who leaves.

    Example: repstore neighbors store/ bank --text "muddy bank" --run smollm2/repeat --layer 0,8,16
    """
    asked: dict[str, Any] = {
        "run": run,
        "layer": layers_of(layer),
        "k": k,
        "metric": metric,
        "standardize": standardize,
        "where": where,
        "other_lemmas": other_lemmas,
        "other_texts": other_texts,
        "search": search,
    }
    if word_id is not None and word is not None:
        raise typer.BadParameter("Give a word or a --word-id, not both.")
    if encode:
        if word_id is not None or sense is not None:
            raise typer.BadParameter("--encode takes a word and its --text, no --word-id and no --sense.")
        new = _encoded(store, word, text, run, model)
        result = open_store(store, transform).neighbors(new, **asked)
    else:
        if model is not None:
            raise typer.BadParameter("--model is of --encode.")
        given = word_id if word_id is not None else int(word) if word and re.fullmatch(ID, word) else word
        result = _found(open_store(store, transform), given, asked | {"text": text, "sense": sense})
    show(result, format, plot)
    keep(result, store, save)


def hubness(
    store: StorePath,
    run: RunOption = None,
    layers: LayersOption = "all",
    k: Annotated[int, typer.Option("-k", min=1, help="Neighbors of each word.")] = 10,
    metric: MetricOption = "cosine",
    standardize: SpaceOption = "none",
    transform: TransformOption = None,
    format: FormatOption = "table",
    plot: PlotOption = None,
    save: SaveOption = None,
) -> None:
    """Say how unevenly words are neighbors of others: hubs spoil lists of neighbors.

    Example: repstore hubness store/ --run smollm2/base --layers 0-30 --plot hubness.png
    """
    with showing_progress() as progress:
        result = open_store(store, transform).hubness(
            run=run,
            layer=layers_of(layers),
            k=k,
            metric=metric,
            standardize=standardize,
            progress=progress,
        )
    show(result, format, plot)
    keep(result, store, save)


def _encoded(
    store: Path, word: str | None, text: str | None, run: str | None, model: str | None
) -> EncodedWord:
    import repstore

    if word is None or text is None:
        raise typer.BadParameter("--encode needs a word and the --text that it stands in.")
    with showing_progress() as progress:
        return repstore.encode_word(store, word, text, run=run, model=model, progress=progress)


def _found(opened: Store, word: str | int | None, asked: dict[str, Any]) -> ResultTable:
    """The answer; where several uses fit and somebody is there to ask, of the one that is picked."""
    try:
        return opened.neighbors(word, **asked)
    except SeveralWordsError as several:
        if not (sys.stdin.isatty() and sys.stderr.isatty()):
            raise
        picked = _pick(several)
        return opened.neighbors(picked, **asked | {"text": None, "sense": None})


def _pick(several: SeveralWordsError) -> int:
    """Ask which use is meant."""
    from repstore.storage.uses import marked

    for n, use in enumerate(several.uses, 1):
        print(f"{n:>4}  {use['sense'] or '':<20}  {marked(use)}", file=sys.stderr)
    n_uses = len(several.uses)
    n = 0
    while not 1 <= n <= n_uses:
        n = typer.prompt(f"Which use (1 to {n_uses})", type=int, err=True)
    return int(several.uses[n - 1]["word_id"])
