"""Commands about mixes of layers: ``repstore mix NAME``."""

from __future__ import annotations

from typing import Annotated

import typer

from repstore.cli.completing import complete_mix, complete_split
from repstore.cli.options import (
    FormatOption,
    LayersOption,
    MemoryOption,
    PlotOption,
    RunOption,
    StorePath,
    bytes_of,
    layers_of,
)
from repstore.cli.render import say_removed, show, showing_progress
from repstore.spec import MixKind

NameArgument = Annotated[
    str,
    typer.Argument(metavar="NAME", autocompletion=complete_mix, help="Name of the mix, such as wic-scalar."),
]

mix = typer.Typer(no_args_is_help=True)


@mix.callback()
def mixes() -> None:
    """Mixes of the layers of a run, learned from its labelled pairs; other commands take --layers mix:NAME.

    Example: repstore mix fit store/ senses --kind scalar --run smollm2/base
    """


@mix.command()
def fit(
    store: StorePath,
    name: NameArgument,
    kind: Annotated[
        MixKind, typer.Option(help="A weight for each layer, or layers that attend to each other.")
    ] = "scalar",
    run: RunOption = None,
    layer: LayersOption = "all",
    train_on: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete_split,
            help='Split to learn from, or "all"; train, unless given, or dev if there is none.',
        ),
    ] = None,
    select_on: Annotated[
        str | None,
        typer.Option(
            autocompletion=complete_split,
            help="Split that ends the training; dev beside train, unless given, or lemmas held out.",
        ),
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides what is random.")] = 0,
    memory: MemoryOption = "2GB",
    format: FormatOption = "table",
    plot: PlotOption = None,
) -> None:
    """Learn a mix of layers from pairs of one sense and of two, and keep it under a name.

    It never changes afterwards. Needs the extra train.

    Example: repstore mix fit store/ senses --kind attention --run smollm2/base --plot mix.png
    """
    import repstore

    with showing_progress() as progress:
        result = repstore.fit_mix(
            store,
            name,
            kind=kind,
            run=run,
            layer=layers_of(layer),
            train_on=train_on,
            select_on=select_on,
            seed=seed,
            memory=bytes_of(memory),
            progress=progress,
        )
    show(result, format, plot)


@mix.command("list")
def list_(store: StorePath, format: FormatOption = "table") -> None:
    """List the mixes of a store, with their centers of gravity, and whether they are current.

    Example: repstore mix list store/
    """
    import repstore

    show(repstore.list_mixes(store), format)


@mix.command()
def drop(store: StorePath, name: NameArgument, run: RunOption = None) -> None:
    """Remove a mix of a run; the vectors stay.

    Example: repstore mix drop store/ senses --run smollm2/base
    """
    import repstore

    was_there = repstore.drop_mix(store, name, run=run)
    say_removed("mix", name, was_there, group="mix", run=run)
