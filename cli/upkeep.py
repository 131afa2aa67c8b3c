"""Commands that look after a store."""

from __future__ import annotations

from typing import Annotated

import typer

from repstore.cli.options import FormatOption, PlotOption, RunOption, StorePath
from repstore.cli.render import show, showing_progress, step_progress


def verify(store: StorePath, format: FormatOption = "table") -> None:
    """Read every byte of a store and compare it with what was recorded.

    Exit code 1 if anything is damaged or missing.

    Example: repstore verify store/
    """
    import repstore

    with step_progress("Verifying") as progress:
        found = repstore.verify(store, progress=progress)
    show(found, format)
    if any(problem in ("damaged", "missing") for problem in found["problem"]):
        raise typer.Exit(1)


def repair(store: StorePath) -> None:
    """Rebuild what is derived, and move damaged files to quarantine/, so that ingest can make them again.

    Example: repstore repair store/
    """
    import repstore

    for line in repstore.repair(store):
        print(line)


def migrate(store: StorePath) -> None:
    """Bring a store that an older repstore wrote up to the present format; vectors stay as they are.

    Example: repstore migrate store/
    """
    import repstore

    for line in repstore.migrate(store) or ["Nothing to do: the store has the present format."]:
        print(line)


def audit(
    store: StorePath,
    run: RunOption = None,
    sample: Annotated[int, typer.Option(min=1, help="Words to recompute.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Decides which.")] = 0,
    model: Annotated[str | None, typer.Option(help="Where the model is now, if it has moved.")] = None,
    device: Annotated[str | None, typer.Option(help="Such as cpu or cuda:0.")] = None,
    format: FormatOption = "table",
    plot: PlotOption = None,
) -> None:
    """Recompute a sample of words with plain Hugging Face code. Exit code 1 if a layer deviates too far.

    Example: repstore audit store/ --run smollm2/base --sample 64
    """
    import repstore

    with showing_progress() as progress:
        result = repstore.audit(
            store, run=run, sample=sample, seed=seed, model=model, device=device, progress=progress
        )
    show(result, format, plot)
    if not all(result["kept"]):
        raise typer.Exit(1)
