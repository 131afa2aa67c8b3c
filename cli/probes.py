"""Commands that probe the layers of runs."""

from __future__ import annotations

import re
from typing import Annotated, Literal

import typer

from repstore.cli.options import FormatOption, LayersOption, PlotOption, StorePath, layers_of, open_store
from repstore.cli.render import show
from repstore.spec import Standardize, Target, Threshold


def probe(
    name: Annotated[
        Literal["wic", "pairs"],
        typer.Argument(help="wic: same sense or not. pairs: ratings where the corpus has them, else labels."),
    ],
    store: StorePath,
    run: Annotated[
        list[str] | None,
        typer.Option("--run", help="Name of a run; repeatable; not needed if the store has one."),
    ] = None,
    run_b: Annotated[
        str | None, typer.Option(help="Run of the second word of every pair, if it is another.")
    ] = None,
    layers: LayersOption = "all",
    target: Annotated[
        Target | None, typer.Option(help="Labels or ratings, where the corpus has both.")
    ] = None,
    standardize: Annotated[Standardize, typer.Option(help="What vectors are standardized by.")] = "corpus",
    threshold: Annotated[
        Threshold, typer.Option(help="The best of all, or the first best of 0.00, 0.05, ... 0.95.")
    ] = "exact",
    pos: Annotated[str | None, typer.Option(help="Only pairs of this part of speech.")] = None,
    select_on: Annotated[str, typer.Option(help='Split that chooses the threshold, or "all".')] = "dev",
    evaluate_on: Annotated[
        str | None,
        typer.Option(help="Split that is scored; test for labels, all for ratings, unless given."),
    ] = None,
    against: Annotated[
        str | None,
        typer.Option(
            metavar="RUN|RUN:LAYER|:LAYER",
            help="Show by how much each layer exceeds the same layer of this run, or this layer.",
        ),
    ] = None,
    resamples: Annotated[int, typer.Option(min=0, help="Of the pairs, for intervals; 0 for none.")] = 10_000,
    seed: Annotated[int, typer.Option(min=0, help="Decides the resamples.")] = 0,
    format: FormatOption = "table",
    plot: PlotOption = None,
) -> None:
    """Ask every layer whether cosines are higher where meanings are closer, with 95 % intervals.

    Example: repstore probe wic store/ --run smollm2/base --run smollm2/repeat --plot wic.png
    """
    result = open_store(store).probe(
        name,
        run=run,
        run_b=run_b,
        layer=layers_of(layers),
        target=target,
        standardize=standardize,
        threshold=threshold,
        pos=pos,
        select_on=select_on,
        evaluate_on=evaluate_on,
        against=_against(against),
        resamples=resamples,
        seed=seed,
    )
    show(result, format, plot)


def _against(given: str | None) -> str | int | tuple[str, int] | None:
    """A run, a run and a layer of it, or a layer, from RUN, RUN:LAYER or :LAYER."""
    match = re.fullmatch(r"(.*):(\d{1,4})", given or "")
    if match is None:
        return given
    run, layer = match.groups()
    return (run, int(layer)) if run else int(layer)
