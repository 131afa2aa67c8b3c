"""Commands about trained probes that were kept: ``repstore probe list``, ``drop`` and ``apply``."""

from __future__ import annotations

from typing import Annotated

import typer

from repstore.cli.completing import complete_probe, complete_run
from repstore.cli.options import (
    FormatOption,
    LayersOption,
    MemoryOption,
    RunOption,
    RunsOption,
    SaveOption,
    StorePath,
    TransformOption,
    WhereOption,
    bytes_of,
    layers_of,
    open_store,
    runs_of,
)
from repstore.cli.render import keep, say_removed, show

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", autocompletion=complete_probe, help="Name of the probe, such as pos-linear."
    ),
]


def list_(store: StorePath, format: FormatOption = "table") -> None:
    """List the trained probes that a store keeps, and whether they are current.

    Of their files it looks at the sizes only; verify re-reads every byte.

    Example: repstore probe list store/
    """
    import repstore

    show(repstore.list_probes(store), format)


def drop(store: StorePath, name: NameArgument, run: RunOption = None) -> None:
    """Remove a trained probe of a run; the vectors stay.

    Example: repstore probe drop store/ pos-linear --run smollm2/base
    """
    import repstore

    was_there = repstore.drop_probe(store, name, run=run)
    say_removed("probe", name, was_there, group="probe", run=run)


def apply(
    store: StorePath,
    name: NameArgument,
    run: RunsOption = None,
    layers: LayersOption = "all",
    of_run: Annotated[
        str | None,
        typer.Option(
            metavar="RUN",
            autocompletion=complete_run,
            help="Whose probe it is, if it is that of another run.",
        ),
    ] = None,
    of_layer: Annotated[
        int | None,
        typer.Option(min=0, help="Layer whose probe reads all layers; each by its own unless given."),
    ] = None,
    transform: TransformOption = None,
    where: WhereOption = None,
    sample: Annotated[
        int | None,
        typer.Option(min=1, help="Only so many of these words, pairs or (of arcs) texts; all unless given."),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides the sample.")] = 0,
    memory: MemoryOption = "2GB",
    format: FormatOption = "table",
    save: SaveOption = None,
) -> None:
    """Apply a trained probe that was kept to other words, layers or runs.

    One of pairs to the pairs of the corpus; of arcs to all ordered pairs of words of a text, as a parser
    would; of relations to the edges of its kind. One of numbers (ridge) answers with a row for each number.

    Example: repstore probe apply store/ pos-linear --run smollm2/repeat --of-run smollm2/base --layer 8
    """
    opened = open_store(store, transform)
    result = opened.apply_probe(
        name,
        run=runs_of(opened, run),
        layer=layers_of(layers),
        of_run=of_run,
        of_layer=of_layer,
        where=where,
        sample=sample,
        seed=seed,
        memory=bytes_of(memory),
    )
    show(result, format)
    keep(result, store, save)
