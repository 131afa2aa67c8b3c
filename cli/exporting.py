"""The command that writes vectors into files of other programs."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated

import typer

from repstore.cli.ending import INTERRUPTED, TERMINATED
from repstore.cli.options import LayersOption, RunOption, StorePath, TransformOption, WhereOption, layers_of
from repstore.cli.render import PATIENCE, show_export, showing_progress
from repstore.cli.saying import say_error
from repstore.cli.signals import TerminatedError
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

    with _nothing_left(), showing_progress(PATIENCE) as progress:
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


@contextmanager
def _nothing_left() -> Iterator[None]:
    """Ctrl-C and SIGTERM end with nothing written."""
    try:
        yield
    except KeyboardInterrupt as stop:
        say_error("Interrupted; nothing is written.")
        raise typer.Exit(TERMINATED if isinstance(stop, TerminatedError) else INTERRUPTED) from None
