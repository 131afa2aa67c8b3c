"""Commands about results that are kept: ``repstore results list`` and others."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from repstore.cli.completing import complete_result
from repstore.cli.options import FormatOption, PlotOption, StorePath, drawable, names_of, open_store
from repstore.cli.render import say_removed, show

NameArgument = Annotated[
    str,
    typer.Argument(
        metavar="NAME", autocompletion=complete_result, help="Name of the result, such as wic-base."
    ),
]

results = typer.Typer(no_args_is_help=True)


@results.callback()
def kept_results() -> None:
    """Results that a store keeps, each with all that it was computed from (--save NAME of any question).

    Example: repstore results diff store/ wic-base wic-repeat
    """


@results.command("list")
def list_(store: StorePath, format: FormatOption = "table") -> None:
    """List the results that a store keeps, and whether their runs are still as they were.

    Example: repstore results list store/
    """
    show(open_store(store).results(), format)


@results.command("show")
def show_(
    store: StorePath,
    name: NameArgument,
    provenance: Annotated[
        bool, typer.Option("--provenance", help="Print what it was computed from, as JSON, instead.")
    ] = False,
    format: FormatOption = "table",
) -> None:
    """Show a result as it was, or what it was computed from, when, and by which command and versions.

    Example: repstore results show store/ wic-base --format csv
    """
    result = open_store(store).result(name)
    if provenance:
        said = {"provenance": result.about["provenance"], "made": dict(result.made)}
        print(json.dumps(said, indent=2, ensure_ascii=False))
    else:
        show(result, format)


@results.command()
def diff(
    store: StorePath,
    a: Annotated[str, typer.Argument(metavar="A", autocompletion=complete_result, help="Name of a result.")],
    b: Annotated[
        str,
        typer.Argument(
            metavar="B", autocompletion=complete_result, help="Name of the result that is compared with it."
        ),
    ],
    on: Annotated[
        list[str] | None,
        typer.Option(
            help="Columns by which rows are matched, with commas between; repeatable; found unless given."
        ),
    ] = None,
    format: FormatOption = "table",
    plot: PlotOption = None,
) -> None:
    """Say what changed from one result to another: row by row, and in what was asked.

    Example: repstore results diff store/ wic-base wic-repeat
    """
    show(open_store(store).diff_results(a, b, on=on and names_of(on)), format, plot)


@results.command()
def plot(
    store: StorePath,
    name: NameArgument,
    file: Annotated[
        Path, typer.Argument(metavar="FILE", callback=drawable, help="A .png, .svg or .pdf file.")
    ],
) -> None:
    """Draw a result that is kept, as --plot would have drawn it.

    Example: repstore results plot store/ wic-base wic.png
    """
    open_store(store).result(name).plot(file)
    print(f"Wrote {file}")


@results.command()
def drop(store: StorePath, name: NameArgument) -> None:
    """Remove a result; what it was computed from stays.

    Example: repstore results drop store/ wic-base
    """
    import repstore

    say_removed("result", name, repstore.drop_result(store, name), group="results")
