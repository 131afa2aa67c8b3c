"""Commands that predict tables of numbers: ``repstore probe ridge``, ``abstraction``."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any

import typer

from repstore.cli.options import (
    FormatOption,
    LayersOption,
    MemoryOption,
    PlotOption,
    StorePath,
    TransformOption,
    WhereOption,
    bytes_of,
    layers_of,
    open_store,
    runs_of,
)
from repstore.cli.probes import ResamplesOption, RunsOption
from repstore.cli.render import show, showing_progress
from repstore.cli.trained import FirstSeedOption, SampleOption, SeedsOption, one_of
from repstore.spec import SplitBy

MatrixOption = Annotated[
    Path,
    typer.Option(
        metavar="FILE",
        help="CSV, TSV, Parquet or npz: a column form, lemma, sense, word_id, text or text_id, and numbers.",
    ),
]
FoldsOption = Annotated[
    SplitBy,
    typer.Option("--split-by", help="Not predicted from itself, beside a row of the table."),
]
SaveMapOption = Annotated[
    str | None,
    typer.Option(metavar="NAME", help="Keep a map of all examples under this name (probe apply)."),
]


def add_to(probe: typer.Typer) -> None:
    """Add the commands."""
    for command in (ridge, abstraction):
        probe.command()(command)


def ridge(
    store: StorePath,
    matrix: MatrixOption,
    run: RunsOption = None,
    layers: LayersOption = "all",
    split_by: FoldsOption = "lemma",
    where: WhereOption = None,
    sample: SampleOption = None,
    transform: TransformOption = None,
    seeds: SeedsOption = 5,
    seed: FirstSeedOption = 0,
    resamples: ResamplesOption = 10_000,
    memory: MemoryOption = "2GB",
    save: SaveMapOption = None,
    format: FormatOption = "table",
    plot: PlotOption = None,
) -> None:
    """How well does a linear map of a layer predict a table of numbers, such as norms or voxels?

    Example: repstore probe ridge store/ --matrix norms.csv --run smollm2/base --plot norms.png
    """
    opened = open_store(store, transform)
    runs = runs_of(opened, run)
    options: dict[str, Any] = {
        "matrix": matrix,
        "layer": layers_of(layers),
        "split_by": split_by,
        "where": where,
        "sample": sample,
        "n_seeds": seeds,
        "seed": seed,
        "resamples": resamples,
        "memory": bytes_of(memory),
    }
    with showing_progress() as progress:
        if save is None:
            result = opened.probe("ridge", run=runs, **options, progress=progress)
        else:
            import repstore

            of_run = one_of("--run", runs)
            result = repstore.fit_ridge(
                store, save, run=of_run, transform=transform, **options, progress=progress
            )
    show(result, format, plot)


def abstraction(
    store: StorePath,
    matrix: MatrixOption,
    run: RunsOption = None,
    layers: LayersOption = "all",
    scale: Annotated[int, typer.Option(min=1, help="By which neighbors a dimension is seen.")] = 1,
    split_by: FoldsOption = "lemma",
    where: WhereOption = None,
    sample: SampleOption = None,
    transform: TransformOption = None,
    seeds: SeedsOption = 5,
    seed: FirstSeedOption = 0,
    resamples: ResamplesOption = 10_000,
    memory: MemoryOption = "2GB",
    format: FormatOption = "table",
    plot: PlotOption = None,
) -> None:
    """Do layers of many dimensions predict a table of numbers best? Both, and how they go together.

    Example: repstore probe abstraction store/ --matrix norms.csv --run smollm2/base --plot phases.png
    """
    opened = open_store(store, transform)
    with showing_progress() as progress:
        result = opened.probe(
            "abstraction",
            matrix=matrix,
            run=runs_of(opened, run),
            layer=layers_of(layers),
            scale=scale,
            split_by=split_by,
            where=where,
            sample=sample,
            n_seeds=seeds,
            seed=seed,
            resamples=resamples,
            memory=bytes_of(memory),
            progress=progress,
        )
    show(result, format, plot)
