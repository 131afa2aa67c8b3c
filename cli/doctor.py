"""The command that says what is here to work with."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repstore.cli.options import FormatOption
from repstore.cli.render import show


def doctor(
    store: Annotated[Path | None, typer.Argument(metavar="STORE", help="Folder of a store.")] = None,
    format: FormatOption = "table",
) -> None:
    """Say which versions, devices and disk are here, what is missing for what, and how a store is.

    Exit code 1 if something is broken.

    Example: repstore doctor store/
    """
    import repstore

    found = repstore.diagnose(store)
    show(found, format)
    if "broken" in found["state"]:
        raise typer.Exit(1)
