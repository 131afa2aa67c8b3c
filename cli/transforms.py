"""Commands about transforms: ``repstore transform NAME``."""

from __future__ import annotations

from typing import Annotated, Literal

import typer

from repstore.cli.completing import complete_split, complete_transform
from repstore.cli.options import (
    FormatOption,
    LayersOption,
    MemoryOption,
    PlotOption,
    RunOption,
    StorePath,
    WhereOption,
    bytes_of,
    layers_of,
)
from repstore.cli.render import say_removed, show, showing_progress
from repstore.spec import TransformKind

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", autocompletion=complete_transform, help="Name of the transform, such as pca64."
    ),
]

transform = typer.Typer(no_args_is_help=True)


@transform.callback()
def transforms() -> None:
    """Maps fitted on words of a run, by which other commands see its vectors (--transform NAME).

    Example: repstore transform fit store/ pca64 --kind pca -k 64 --run smollm2/base
    """


@transform.command()
def fit(
    store: StorePath,
    name: NameArgument,
    kind: Annotated[TransformKind, typer.Option(help="What is fitted (docs/transforms.md).")],
    k: Annotated[
        int | None, typer.Option("-k", min=1, help="Directions that pca keeps, or all-but-the-top removes.")
    ] = None,
    run: RunOption = None,
    layer: LayersOption = "all",
    where: WhereOption = None,
    side: Annotated[
        Literal["a", "b"] | None,
        typer.Option(help="Only words that stand first (a) or second (b) in a pair."),
    ] = None,
    split: Annotated[
        str | None,
        typer.Option(autocompletion=complete_split, help="Only words whose text is of this split."),
    ] = None,
    sample: Annotated[
        int | None, typer.Option(min=2, help="Only so many of these words; all unless given.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Decides the sample, or what select learns.")] = 0,
    train_on: Annotated[
        str | None,
        typer.Option(
            metavar="SPLIT",
            autocompletion=complete_split,
            help="Pairs that select learns from; train unless given.",
        ),
    ] = None,
    select_on: Annotated[
        str | None,
        typer.Option(
            metavar="SPLIT",
            autocompletion=complete_split,
            help="Pairs by which select chooses; dev unless given. If the same, a fifth is set apart.",
        ),
    ] = None,
    memory: MemoryOption = "2GB",
    format: FormatOption = "table",
) -> None:
    """Fit a transform of some layers of a run, and keep it under a name. It never changes afterwards.

    Example: repstore transform fit store/ nouns --kind standardize --run smollm2/base --where "pos = 'N'"
    """
    import repstore

    with showing_progress() as progress:
        result = repstore.fit_transform(
            store,
            name,
            kind=kind,
            k=k,
            run=run,
            layer=layers_of(layer),
            where=where,
            side=side,
            split=split,
            sample=sample,
            seed=seed,
            train_on=train_on,
            select_on=select_on,
            memory=bytes_of(memory),
            progress=progress,
        )
    show(result, format)


@transform.command("show")
def show_(
    store: StorePath,
    name: NameArgument,
    run: RunOption = None,
    plot: PlotOption = None,
    format: FormatOption = "table",
) -> None:
    """Show which dimensions a transform of kind select or drop-outliers keeps, and how far layers agree.

    Example: repstore transform show store/ senses --run smollm2/base --plot masks.png
    """
    import repstore

    show(repstore.show_transform(store, name, run=run), format, plot)


@transform.command("list")
def list_(store: StorePath, format: FormatOption = "table") -> None:
    """List the transforms of a store, with the words they were fitted on, and whether they are current.

    Of their files it looks at the sizes only; verify re-reads every byte.

    Example: repstore transform list store/
    """
    import repstore

    show(repstore.list_transforms(store), format)


@transform.command()
def drop(store: StorePath, name: NameArgument, run: RunOption = None) -> None:
    """Remove a transform of a run; the vectors stay.

    Example: repstore transform drop store/ pca64 --run smollm2/base
    """
    import repstore

    was_there = repstore.drop_transform(store, name, run=run)
    say_removed("transform", name, was_there, group="transform", run=run)
