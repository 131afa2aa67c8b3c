"""Commands that train probes: ``repstore probe linear``, ``structural``, ``ridge`` and others."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

import typer

from repstore.cli.completing import complete_split
from repstore.cli.options import (
    FormatOption,
    LayersOption,
    MemoryOption,
    PlotOption,
    RunsOption,
    SaveOption,
    StorePath,
    TransformOption,
    WhereOption,
    bytes_of,
    layers_of,
    names_of,
    open_store,
    runs_of,
)
from repstore.cli.probes import ResamplesOption
from repstore.cli.render import keep, show, showing_progress
from repstore.spec import SplitBy, TrainedName

if TYPE_CHECKING:
    from repstore.results import ResultTable
    from repstore.spec import Progress

LabelOption = Annotated[
    str,
    typer.Option(
        metavar="COLUMN|FILE|pairs|arcs|relations",
        help="What is predicted: a column of words (sense, pos), a table of labels, whether two words have "
        "the same sense, or edges.",
    ),
]
FeaturesOption = Annotated[
    list[str] | None,
    typer.Option(
        "--feature",
        help="What pairs are seen by: difference, product, concat, cosine; repeatable; all unless given.",
    ),
]
EdgesOption = Annotated[
    list[str] | None,
    typer.Option(help="Kind of edges, such as ud or dm; repeatable; not needed if the corpus has one."),
]
SplitByOption = Annotated[
    SplitBy | None,
    typer.Option(help="What may not be both in training and in the test: lemmas, if possible."),
]
TrainOnOption = Annotated[
    str | None, typer.Option(autocompletion=complete_split, help="Split to train on; drawn unless given.")
]
SelectOnOption = Annotated[
    str | None,
    typer.Option(autocompletion=complete_split, help="Split that chooses the penalty, or when to stop."),
]
EvaluateOnOption = Annotated[
    str | None, typer.Option(autocompletion=complete_split, help="Split that is scored.")
]
AtLeastOption = Annotated[
    int | None, typer.Option(min=1, help="Leave out classes with fewer examples; else they are refused.")
]
SampleOption = Annotated[int | None, typer.Option(min=2, help="Only so many examples; all unless given.")]
SeedsOption = Annotated[int, typer.Option("--seeds", min=1, help="How many seeds.")]
KeepProbeOption = Annotated[
    str | None,
    typer.Option(
        "--keep-probe",
        metavar="NAME",
        help="Keep the probe itself under this name, to apply it later (probe apply).",
    ),
]
FirstSeedOption = Annotated[int, typer.Option("--seed", min=0, help="The first of the seeds.")]

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

ABOUT: dict[TrainedName, str] = {
    "linear": "Can a linear map read it from a layer? Logistic regression, with a control task.",
    "mlp": "Can a probe with a hidden layer, of two capacities, read it from a layer? Needs torch.",
    "mdl": "In how few bits can it be told, given a layer? The online code of a linear probe.",
}
EXAMPLES = {
    "linear": "--label pos --run smollm2/base --plot pos.png",
    "mlp": "--label classes.csv --layers 0,8,16",
    "mdl": "--label pos --run smollm2/base --run smollm2/repeat",
}


def add_to(probe: typer.Typer) -> None:
    """Add the commands; all of these have the same options."""
    for name in ABOUT:
        help = f"{ABOUT[name]}\n\nExample: repstore probe {name} store/ {EXAMPLES[name]}"
        probe.command(name, help=help)(_command(name))
    for command in (structural, ridge, abstraction):
        probe.command()(command)


def _command(name: TrainedName) -> Callable[..., None]:
    def command(
        store: StorePath,
        label: LabelOption,
        run: RunsOption = None,
        layers: LayersOption = "all",
        feature: FeaturesOption = None,
        edges: EdgesOption = None,
        split_by: SplitByOption = None,
        train_on: TrainOnOption = None,
        select_on: SelectOnOption = None,
        evaluate_on: EvaluateOnOption = None,
        at_least: AtLeastOption = None,
        where: WhereOption = None,
        sample: SampleOption = None,
        transform: TransformOption = None,
        seeds: SeedsOption = 5,
        seed: FirstSeedOption = 0,
        resamples: ResamplesOption = 10_000,
        memory: MemoryOption = "2GB",
        keep_probe: KeepProbeOption = None,
        format: FormatOption = "table",
        plot: PlotOption = None,
        save: SaveOption = None,
    ) -> None:
        opened = open_store(store, transform)
        options: dict[str, Any] = {
            "label": label,
            "run": runs_of(opened, run),
            "layer": layers_of(layers),
            "split_by": split_by,
            "train_on": train_on,
            "select_on": select_on,
            "evaluate_on": evaluate_on,
            "at_least": at_least,
            "where": where,
            "sample": sample,
            "n_seeds": seeds,
            "seed": seed,
            "resamples": resamples,
            "memory": bytes_of(memory),
        }
        of_pairs: dict[str, Any] = {
            "features": names_of(feature) if feature else "all",
            "edges": edges and names_of(edges),
        }
        with showing_progress() as progress:
            if keep_probe is None:
                result = opened.probe(name, **options, **of_pairs, progress=progress)
            else:
                result = _with_probe(store, keep_probe, name, options, transform, of_pairs, progress)
        show(result, format, plot)
        keep(result, store, save)

    return command


def _with_probe(
    store: Path,
    keep_probe: str,
    name: TrainedName,
    options: dict[str, Any],
    transform: str | None,
    of_pairs: dict[str, Any],
    progress: Callable[[Progress], None],
) -> ResultTable:
    """Train a probe and keep it."""
    import repstore

    features = [] if of_pairs["features"] == "all" else of_pairs["features"]
    return repstore.fit_probe(
        store,
        keep_probe,
        probe=name,
        feature=_one("--feature", features),  # type: ignore[arg-type]  # which the library checks
        edges=_one("--edges", of_pairs["edges"]),
        run=_one("--run", options.pop("run")),
        transform=transform,
        progress=progress,
        **options,
    )


def _one(option: str, given: list[str] | None) -> str | None:
    """What an option says of the one probe that is kept."""
    if given and len(given) > 1:
        raise typer.BadParameter(
            f"--keep-probe keeps one probe, and {option} says {', '.join(given)}. Name one."
        )
    return given[0] if given else None


def _ask(
    name: Literal["structural", "ridge", "abstraction"],
    store: Path,
    run: list[str] | None,
    layers: str,
    transform: str | None,
    options: dict[str, Any],
    memory: str,
    keep_probe: str | None = None,
) -> ResultTable:
    """Ask a probe; of ``ridge``, keep a map if one is named."""
    import repstore

    opened = open_store(store, transform)
    runs = runs_of(opened, run)
    options |= {"layer": layers_of(layers), "memory": bytes_of(memory)}
    with showing_progress() as progress:
        if keep_probe is None:
            return opened.probe(name, run=runs, **options, progress=progress)
        options |= {"run": _one("--run", runs), "transform": transform}
        return repstore.fit_ridge(store, keep_probe, **options, progress=progress)


def structural(
    store: StorePath,
    run: RunsOption = None,
    layers: LayersOption = "all",
    edges: Annotated[
        str | None, typer.Option(help="Kind of edges; not needed if the corpus has one.")
    ] = None,
    rank: Annotated[int | None, typer.Option(min=1, help="Of the linear map; 64 unless given.")] = None,
    sample: Annotated[int | None, typer.Option(min=3, help="Only so many sentences; else all.")] = None,
    transform: TransformOption = None,
    seeds: SeedsOption = 5,
    seed: FirstSeedOption = 0,
    resamples: ResamplesOption = 10_000,
    memory: MemoryOption = "2GB",
    format: FormatOption = "table",
    plot: PlotOption = None,
    save: SaveOption = None,
) -> None:
    """Are distances of words those of their tree, under a linear map? Needs torch.

    Example: repstore probe structural store/ --edges ud --layers 0,8,16 --plot trees.png
    """
    options: dict[str, Any] = {"edges": edges, "rank": rank, "sample": sample}
    options |= {"n_seeds": seeds, "seed": seed, "resamples": resamples}
    result = _ask("structural", store, run, layers, transform, options, memory)
    show(result, format, plot)
    keep(result, store, save)


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
    keep_probe: KeepProbeOption = None,
    format: FormatOption = "table",
    plot: PlotOption = None,
    save: SaveOption = None,
) -> None:
    """How well does a linear map of a layer predict a table of numbers, such as norms or voxels?

    Example: repstore probe ridge store/ --matrix norms.csv --run smollm2/base --plot norms.png
    """
    options: dict[str, Any] = {"matrix": matrix, "split_by": split_by, "where": where, "sample": sample}
    options |= {"n_seeds": seeds, "seed": seed, "resamples": resamples}
    result = _ask("ridge", store, run, layers, transform, options, memory, keep_probe)
    show(result, format, plot)
    keep(result, store, save)


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
    save: SaveOption = None,
) -> None:
    """Do layers of many dimensions predict a table of numbers best? Both, and how they go together.

    Example: repstore probe abstraction store/ --matrix norms.csv --run smollm2/base --plot phases.png
    """
    options: dict[str, Any] = {
        "matrix": matrix,
        "scale": scale,
        "split_by": split_by,
        "where": where,
        "sample": sample,
    }
    options |= {"n_seeds": seeds, "seed": seed, "resamples": resamples}
    result = _ask("abstraction", store, run, layers, transform, options, memory)
    show(result, format, plot)
    keep(result, store, save)
