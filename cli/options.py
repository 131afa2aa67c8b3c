"""Arguments and options that commands share."""

from __future__ import annotations

import re
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repstore.cli.completing import complete_layers, complete_run, complete_transform
from repstore.cli.render import Format
from repstore.spec import Frame, LayerKey, is_mix

if TYPE_CHECKING:
    from repstore.store import Store

StorePath = Annotated[Path, typer.Argument(metavar="STORE", is_eager=True, help="Folder of the store.")]
FormatOption = Annotated[Format, typer.Option("--format", help="How to print the result.")]


def drawable(file: Path | None) -> Path | None:
    """Refuse a file that cannot be drawn into before the question is answered, not after."""
    if file is not None:
        from repstore.plots.canvas import check_drawable

        check_drawable(file)
    return file


def _savable(ctx: typer.Context, name: str | None) -> str | None:
    """Refuse a name or a store with which nothing can be kept before the question is answered, not after."""
    if name is not None:
        from repstore.kept_results import check_can_keep
        from repstore.storage.frozen import check_name

        check_name("result", name)
        check_can_keep(ctx.params["store"])  # which was read first, since it is eager
    return name


PlotOption = Annotated[
    Path | None,
    typer.Option("--plot", metavar="FILE", callback=drawable, help="Draw into a .png, .svg or .pdf file."),
]
SaveOption = Annotated[
    str | None,
    typer.Option(
        "--save", metavar="NAME", callback=_savable, help='Keep the result under this name ("results list").'
    ),
]
RunOption = Annotated[
    str | None,
    typer.Option(
        "--run", autocompletion=complete_run, help="Name of a run; not needed if the store has one."
    ),
]
RunsOption = Annotated[
    list[str] | None,
    typer.Option(
        "--run",
        "--runs",
        metavar="A[,B...]",
        autocompletion=complete_run,
        help="A run, or several; repeatable; not needed if the store has one.",
    ),
]
SpaceOption = Annotated[
    Frame,
    typer.Option("--standardize", help="Vectors as stored, less the mean of the run, or standardized by it."),
]
WhereOption = Annotated[
    str | None, typer.Option(metavar="SQL", help="Only words for which this holds: \"pos = 'N'\".")
]
MemoryOption = Annotated[str, typer.Option(metavar="SIZE", help="Most memory to work in, such as 2GB.")]
TransformOption = Annotated[
    str | None,
    typer.Option(
        "--transform",
        metavar="NAME",
        autocompletion=complete_transform,
        help='Vectors as this transform maps them ("transform fit").',
    ),
]
LayersOption = Annotated[
    str,
    typer.Option(
        "--layers",
        "--layer",
        autocompletion=complete_layers,
        help='Layers: "all", or numbers and ranges such as 0,4,8-12; mix:NAME for a mix.',
    ),
]

UNITS = {"": 1, "K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}


def open_store(path: Path, transform: str | None = None) -> Store:
    """The store of a command, seen through a transform if one is named."""
    import repstore

    store = repstore.open(path)
    return store if transform is None else store.transformed(transform)


def layers_of(given: str) -> list[LayerKey]:
    """Layers from "all" or numbers and ranges such as 0,4,8-12; and mixes, beside either or alone."""
    pieces = [piece.strip() for piece in given.split(",")]
    numbered = [piece for piece in pieces if not is_mix(piece)]
    layers: list[LayerKey] = []
    for piece in pieces:
        if is_mix(piece) or numbered == ["all"]:
            layers.append(piece)
            continue
        match = re.fullmatch(r"(\d{1,4})(?:-(\d{1,4}))?", piece)
        first, last = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if last < first:
            raise typer.BadParameter(f'"{given}" is not "all", mix:NAME or layers such as 0,4,8-12.')
        layers += range(first, last + 1)
    return layers


def runs_of(store: Store, given: list[str] | None) -> list[str] | None:
    """Names of runs, from a list of names or of names with commas between them."""
    known = store.runs()["run"]
    return given and [name for one in given for name in ([one] if one in known else names_of([one]))]


def names_of(given: list[str]) -> list[str]:
    """Names, with commas between them or each given by itself."""
    return [name.strip() for one in given for name in one.split(",")]


def bytes_of(given: str) -> int:
    """A size such as 2GB, 500MB or 1.5G, in bytes."""
    match = re.fullmatch(r"(\d+(?:\.\d+)?)\s*([KMGT]?)B?", given.strip(), re.IGNORECASE)
    if match is None:
        raise typer.BadParameter(f'"{given}" is not a size such as 2GB or 500MB.')
    return int(float(match[1]) * UNITS[match[2].upper()])
