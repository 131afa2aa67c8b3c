"""The command that writes vectors into files of other programs."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repstore.cli.options import LayersOption, RunOption, StorePath, TransformOption, WhereOption, layers_of
from repstore.cli.render import PATIENCE, show_export, showing_progress
from repstore.spec import ExportFormat, StoredDType


def export(
    store: StorePath,
    out: Annotated[Path, typer.Argument(metavar="OUT", help="The file or folder to make.")],
    format: Annotated[
        ExportFormat | None,
        typer.Option("--as", help="The format, where the suffix of OUT does not say it."),
    ] = None,
    run: RunOption = None,
    layer: LayersOption = "all",
    where: WhereOption = None,
    transform: TransformOption = None,
    dtype: Annotated[
        StoredDType | None, typer.Option(help="Of the numbers; what the format wants, unless given.")
    ] = None,
) -> None:
    """Write words with their vectors for another program: .parquet, .npy, .h5ad, .safetensors, or a folder.

    Example: repstore export store/ bank.h5ad --run smollm2/repeat --layers 8 --where "lemma = 'bank'"
    """
    import repstore

    with showing_progress(PATIENCE) as progress:
        report = repstore.export(
            store,
            out,
            format=format,
            run=run,
            layer=layers_of(layer),
            where=where,
            transform=transform,
            dtype=dtype,
            progress=progress,
        )
    show_export(report)
