"""Commands about whole layers: how alike they are, and how their vectors lie."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, cast

import typer

from repstore.cli.completing import complete_run
from repstore.cli.options import (
    FormatOption,
    LayersOption,
    MemoryOption,
    PlotOption,
    RunsOption,
    SaveOption,
    SpaceOption,
    StorePath,
    TransformOption,
    WhereOption,
    bytes_of,
    layers_of,
    names_of,
    open_store,
    runs_of,
)
from repstore.cli.render import PATIENCE, keep, show, showing_progress
from repstore.spec import Correlation, Estimator, Measure, Similarity

SeedOption = Annotated[int, typer.Option(min=0, help="Decides the sample, and whatever else is random.")]


def compare(
    store: StorePath,
    metric: Annotated[
        Similarity,
        typer.Option(
            help="Kernel alignment (cka, rbf-cka), correlation of cosines (rsa), canonical correlations "
            "(svcca, pwcca), likeness up to rotation (procrustes), common neighbors (knn), or how well one "
            "layer predicts the other (ridge)."
        ),
    ] = "cka",
    run: Annotated[
        list[str] | None,
        typer.Option(
            "--run", "--runs", metavar="A[,B]", autocompletion=complete_run, help="A run, or two; repeatable."
        ),
    ] = None,
    layers: LayersOption = "all",
    standardize: SpaceOption = "none",
    transform: TransformOption = None,
    k: Annotated[
        int | None, typer.Option("-k", min=1, help="Neighbors of each word, for knn; 10 unless given.")
    ] = None,
    estimator: Annotated[
        Estimator | None, typer.Option(help="For cka and rbf-cka; unbiased unless given.")
    ] = None,
    bandwidth: Annotated[
        float | None,
        typer.Option(help="Of the kernel, in median distances, for rbf-cka; 1 unless given."),
    ] = None,
    correlation: Annotated[Correlation | None, typer.Option(help="For rsa; spearman unless given.")] = None,
    where: WhereOption = None,
    sample: Annotated[int, typer.Option(min=0, help="Compare over this many words; 0 for all.")] = 2000,
    seed: SeedOption = 0,
    memory: MemoryOption = "2GB",
    format: FormatOption = "table",
    plot: PlotOption = None,
    save: SaveOption = None,
) -> None:
    """Compare every layer of a run with every layer of it, or of another run.

    Example: repstore compare store/ --metric cka --runs smollm2/base,smollm2/repeat --plot heat.png
    """
    opened = open_store(store, transform)
    with showing_progress(PATIENCE) as progress:
        result = opened.compare(
            metric,
            run=runs_of(opened, run),
            layer=layers_of(layers),
            standardize=standardize,
            k=k,
            estimator=estimator,
            bandwidth=bandwidth,
            correlation=correlation,
            where=where,
            sample=sample or None,
            seed=seed,
            memory=bytes_of(memory),
            progress=progress,
        )
    show(result, format, plot)
    keep(result, store, save)


def compare_with(
    store: StorePath,
    table: Annotated[
        Path,
        typer.Argument(metavar="FILE", help="CSV, TSV or Parquet with word_a, word_b and similarity."),
    ],
    run: RunsOption = None,
    layers: LayersOption = "all",
    standardize: SpaceOption = "none",
    transform: TransformOption = None,
    where: WhereOption = None,
    format: FormatOption = "table",
    plot: PlotOption = None,
    save: SaveOption = None,
) -> None:
    """Correlate the cosines of each layer with similarities of words from elsewhere.

    Words of the file are word_ids, or forms or lemmas, for which the mean vector of their uses stands.

    Example: repstore compare-with store/ similarities.csv --run smollm2/base --run smollm2/repeat
    """
    opened = open_store(store, transform)
    result = opened.compare_with(
        table, run=runs_of(opened, run), layer=layers_of(layers), standardize=standardize, where=where
    )
    show(result, format, plot)
    keep(result, store, save)


def geometry(
    store: StorePath,
    measure: Annotated[
        list[str],
        typer.Option(
            help='"all", or some of anisotropy, outliers, norms, rank, isotropy, dimension, self-similarity, '
            "intra-sentence, explained-variance, uniformity, alignment, separability; repeatable."
        ),
    ] = ["anisotropy", "norms", "rank"],  # noqa: B006  # typer reads it
    run: RunsOption = None,
    layers: LayersOption = "all",
    standardize: SpaceOption = "none",
    transform: TransformOption = None,
    where: WhereOption = None,
    sample: Annotated[int, typer.Option(min=0, help="Measure over this many words; 0 for all.")] = 10_000,
    resamples: Annotated[
        int, typer.Option(min=0, help="For the bands of the intrinsic dimension; 0 for none.")
    ] = 200,
    seed: SeedOption = 0,
    memory: MemoryOption = "2GB",
    format: FormatOption = "table",
    plot: PlotOption = None,
    save: SaveOption = None,
) -> None:
    """Measure how the word vectors of each layer lie: anisotropy, norms, rank, dimension, senses, ...

    Example: repstore geometry store/ --run smollm2/base --measure all --plot geometry.png
    """
    opened = open_store(store, transform)
    with showing_progress(PATIENCE) as progress:
        result = opened.geometry(
            cast(list[Measure], names_of(measure)),  # the store checks them
            run=runs_of(opened, run),
            layer=layers_of(layers),
            standardize=standardize,
            where=where,
            sample=sample or None,
            resamples=resamples,
            seed=seed,
            memory=bytes_of(memory),
            progress=progress,
        )
    show(result, format, plot)
    keep(result, store, save)
