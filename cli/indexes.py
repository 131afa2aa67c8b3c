"""Commands about indexes: ``repstore index NAME``."""

from __future__ import annotations

from typing import Annotated

import typer

from repstore.cli.options import (
    FormatOption,
    LayersOption,
    RunOption,
    SpaceOption,
    StorePath,
    bytes_of,
    layers_of,
)
from repstore.cli.render import ingest_progress, show
from repstore.spec import IndexChoice

index = typer.Typer(no_args_is_help=True)


@index.callback()
def indexes() -> None:
    """Sketches by which neighbors are found among very many words; the vectors stay in the parts.

    Example: repstore index build store/ --run smollm2/base --layer 8 --kind rabitq
    """


@index.command()
def build(
    store: StorePath,
    run: RunOption = None,
    layer: LayersOption = "all",
    kind: Annotated[
        IndexChoice,
        typer.Option(help="auto: none up to 200,000 words, rabitq up to 2 million, else hnsw."),
    ] = "auto",
    standardize: SpaceOption = "none",
    memory: Annotated[str, typer.Option(help="Most memory that building may take, such as 2GB.")] = "2GB",
    seed: Annotated[int, typer.Option(min=0, help="Decides which words are held out to measure recall.")] = 0,
    format: FormatOption = "table",
) -> None:
    """Build an index of each of some layers, and measure what share of true neighbors it finds.

    Interrupted, the same command goes on with the layers that are missing.

    Example: repstore index build store/ --run smollm2/base --layer 8 --kind rabitq
    """
    import repstore

    with ingest_progress() as progress:
        result = repstore.build_index(
            store,
            run=run,
            layer=layers_of(layer),
            kind=kind,
            standardize=standardize,
            memory=bytes_of(memory),
            seed=seed,
            progress=progress,
        )
    show(result, format)


@index.command("list")
def list_(store: StorePath, format: FormatOption = "table") -> None:
    """List the indexes of a store, with their recall, and whether they are current.

    Example: repstore index list store/
    """
    import repstore

    show(repstore.list_indexes(store), format)


@index.command()
def drop(
    store: StorePath, run: RunOption = None, layer: LayersOption = "all", standardize: SpaceOption = "none"
) -> None:
    """Remove the indexes of some layers; the vectors stay.

    Example: repstore index drop store/ --run smollm2/base --layer 8
    """
    import repstore

    n = repstore.drop_index(store, run=run, layer=layers_of(layer), standardize=standardize)
    print(f"Removed {n} {'index' if n == 1 else 'indexes'}.")
