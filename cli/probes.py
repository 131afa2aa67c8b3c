"""Commands that probe the layers of runs: ``repstore probe NAME``."""

from __future__ import annotations

import re
from typing import Annotated

import typer

from repstore.cli.completing import complete_lemma, complete_pos, complete_run, complete_split
from repstore.cli.options import (
    FormatOption,
    LayersOption,
    PlotOption,
    RunsOption,
    SaveOption,
    SpaceOption,
    StorePath,
    TransformOption,
    layers_of,
    open_store,
    runs_of,
)
from repstore.cli.render import keep, show
from repstore.spec import Clustering, LayerKey, Standardize, Target, Threshold, is_mix

SecondRunOption = Annotated[
    str | None,
    typer.Option(autocompletion=complete_run, help="Run of the second word of every pair, if it is another."),
]
TargetOption = Annotated[Target | None, typer.Option(help="Labels or ratings, where the corpus has both.")]
PairSpaceOption = Annotated[Standardize, typer.Option(help="What vectors are standardized by.")]
ThresholdOption = Annotated[
    Threshold, typer.Option(help="The best of all, or the first best of 0.00, 0.05, ... 0.95.")
]
PairPosOption = Annotated[
    str | None, typer.Option(autocompletion=complete_pos, help="Only pairs of this part of speech.")
]
SelectOption = Annotated[
    str, typer.Option(autocompletion=complete_split, help='Split that chooses the threshold, or "all".')
]
PairSplitOption = Annotated[
    str | None,
    typer.Option(
        autocompletion=complete_split,
        help="Split that is scored; test for labels, all for ratings, unless given.",
    ),
]
AgainstOption = Annotated[
    str | None,
    typer.Option(
        metavar="RUN|RUN:LAYER|:LAYER",
        autocompletion=complete_run,
        help="Show by how much each layer exceeds the same layer of this run, or this layer.",
    ),
]
TrainOption = Annotated[
    str | None,
    typer.Option(
        autocompletion=complete_split,
        help="Split whose senses are known; else all others of the scored words.",
    ),
]
SplitsOption = Annotated[
    list[str] | None,
    typer.Option(
        autocompletion=complete_split,
        help="Split that is scored; repeatable; all unless given, test beside --train-on.",
    ),
]
PosOption = Annotated[
    str | None, typer.Option(autocompletion=complete_pos, help="Only words of this part of speech.")
]
LemmaOption = Annotated[
    str | None, typer.Option(autocompletion=complete_lemma, help="Only words of this lemma.")
]
ResamplesOption = Annotated[int, typer.Option(min=0, help="For intervals; 0 for none.")]
SeedOption = Annotated[int, typer.Option(min=0, help="Decides the resamples.")]

probe = typer.Typer(no_args_is_help=True)


@probe.callback()
def probes() -> None:
    """Ask every layer what it knows of meaning, with 95 % intervals.

    Example: repstore probe wic store/ --run smollm2/base --run smollm2/repeat --plot wic.png
    """


@probe.command()
def wic(
    store: StorePath,
    run: RunsOption = None,
    run_b: SecondRunOption = None,
    layers: LayersOption = "all",
    target: TargetOption = None,
    standardize: PairSpaceOption = "corpus",
    transform: TransformOption = None,
    threshold: ThresholdOption = "exact",
    pos: PairPosOption = None,
    select_on: SelectOption = "dev",
    evaluate_on: PairSplitOption = None,
    against: AgainstOption = None,
    resamples: ResamplesOption = 10_000,
    seed: SeedOption = 0,
    format: FormatOption = "table",
    plot: PlotOption = None,
    save: SaveOption = None,
) -> None:
    """Same sense or not: are cosines higher where it is the same?

    Example: repstore probe wic store/ --run smollm2/base --run smollm2/repeat --plot wic.png
    """
    opened = open_store(store, transform)
    result = opened.probe(
        "wic",
        run=runs_of(opened, run),
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
    keep(result, store, save)


@probe.command()
def pairs(
    store: StorePath,
    run: RunsOption = None,
    run_b: SecondRunOption = None,
    layers: LayersOption = "all",
    target: TargetOption = None,
    standardize: PairSpaceOption = "corpus",
    transform: TransformOption = None,
    threshold: ThresholdOption = "exact",
    pos: PairPosOption = None,
    select_on: SelectOption = "dev",
    evaluate_on: PairSplitOption = None,
    against: AgainstOption = None,
    resamples: ResamplesOption = 10_000,
    seed: SeedOption = 0,
    format: FormatOption = "table",
    plot: PlotOption = None,
    save: SaveOption = None,
) -> None:
    """Ratings where the corpus has them, else labels: are cosines higher where meanings are closer?

    Example: repstore probe pairs store/ --run smollm2/base --evaluate-on all --plot pairs.png
    """
    opened = open_store(store, transform)
    result = opened.probe(
        "pairs",
        run=runs_of(opened, run),
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
    keep(result, store, save)


@probe.command("knn-wsd")
def knn_wsd(
    store: StorePath,
    run: RunsOption = None,
    layers: LayersOption = "all",
    k: Annotated[int, typer.Option("-k", min=1, help="How many nearest words vote.")] = 1,
    train_on: TrainOption = None,
    evaluate_on: SplitsOption = None,
    standardize: SpaceOption = "corpus",
    transform: TransformOption = None,
    pos: PosOption = None,
    lemma: LemmaOption = None,
    resamples: ResamplesOption = 10_000,
    seed: SeedOption = 0,
    format: FormatOption = "table",
    plot: PlotOption = None,
    save: SaveOption = None,
) -> None:
    """Have the nearest words of the same lemma the sense of the word?

    Example: repstore probe knn-wsd store/ --run smollm2/base --run smollm2/repeat --plot senses.png
    """
    opened = open_store(store, transform)
    result = opened.probe(
        "knn-wsd",
        run=runs_of(opened, run),
        layer=layers_of(layers),
        k=k,
        train_on=train_on,
        evaluate_on=evaluate_on,
        standardize=standardize,
        pos=pos,
        lemma=lemma,
        resamples=resamples,
        seed=seed,
    )
    show(result, format, plot)
    keep(result, store, save)


@probe.command("centroid-wsd")
def centroid_wsd(
    store: StorePath,
    run: RunsOption = None,
    layers: LayersOption = "all",
    train_on: TrainOption = None,
    evaluate_on: SplitsOption = None,
    standardize: SpaceOption = "corpus",
    transform: TransformOption = None,
    pos: PosOption = None,
    lemma: LemmaOption = None,
    resamples: ResamplesOption = 10_000,
    seed: SeedOption = 0,
    format: FormatOption = "table",
    plot: PlotOption = None,
    save: SaveOption = None,
) -> None:
    """Is the nearest mean vector of a sense that of the sense of the word?

    Example: repstore probe centroid-wsd store/ --run smollm2/base --run smollm2/repeat --plot senses.png
    """
    opened = open_store(store, transform)
    result = opened.probe(
        "centroid-wsd",
        run=runs_of(opened, run),
        layer=layers_of(layers),
        train_on=train_on,
        evaluate_on=evaluate_on,
        standardize=standardize,
        pos=pos,
        lemma=lemma,
        resamples=resamples,
        seed=seed,
    )
    show(result, format, plot)
    keep(result, store, save)


@probe.command("wsi")
def wsi(
    store: StorePath,
    run: RunsOption = None,
    layers: LayersOption = "all",
    method: Annotated[Clustering, typer.Option(help="How words are clustered.")] = "kmeans",
    evaluate_on: SplitsOption = None,
    standardize: SpaceOption = "corpus",
    transform: TransformOption = None,
    pos: PosOption = None,
    lemma: LemmaOption = None,
    resamples: ResamplesOption = 10_000,
    seed: SeedOption = 0,
    format: FormatOption = "table",
    plot: PlotOption = None,
    save: SaveOption = None,
) -> None:
    """Do clusters of the words of a lemma agree with its senses?

    Example: repstore probe wsi store/ --run smollm2/base --run smollm2/repeat --plot senses.png
    """
    opened = open_store(store, transform)
    result = opened.probe(
        "wsi",
        run=runs_of(opened, run),
        layer=layers_of(layers),
        method=method,
        evaluate_on=evaluate_on,
        standardize=standardize,
        pos=pos,
        lemma=lemma,
        resamples=resamples,
        seed=seed,
    )
    show(result, format, plot)
    keep(result, store, save)


def _against(given: str | None) -> str | int | tuple[str, LayerKey] | None:
    """A run, a run and a layer of it, or a layer, from RUN, RUN:LAYER or :LAYER; a layer may be mix:NAME."""
    match = re.fullmatch(r"(.*?):(\d{1,4}|mix:.+)", given or "")
    if match is None or is_mix(match[0]):
        return given
    run, layer = match[1], match[2] if is_mix(match[2]) else int(match[2])
    return (run, layer) if run else layer
