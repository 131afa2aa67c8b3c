"""The commands. Each parses, calls the library, and renders; libraries are loaded when a command runs."""

from __future__ import annotations

import importlib.metadata
from typing import Annotated

import typer

from repstore.cli import (
    asking,
    doctor,
    exporting,
    imports,
    indexes,
    layers,
    making,
    mixes,
    near,
    probes,
    results,
    saved,
    trained,
    transforms,
    upkeep,
)
from repstore.cli.manners import Repstore

app = typer.Typer(
    cls=Repstore,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    context_settings={"help_option_names": ["-h", "--help"]},
)


def _show_version(asked: bool) -> None:
    if asked:
        print(importlib.metadata.version("repstore"))
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_show_version, is_eager=True, help="Print the version.")
    ] = False,
) -> None:
    """Run a language model once, keep every layer's word vectors, and query them.

    Example: repstore probe wic store/ --run smollm2/base --plot wic.png
    """


for command in (
    making.ingest,
    imports.import_,
    asking.runs,
    asking.info,
    asking.words,
    making.reproduce,
    near.neighbors,
    near.hubness,
    layers.compare,
    layers.compare_with,
    layers.geometry,
    asking.sql,
    exporting.export,
    upkeep.verify,
    upkeep.repair,
    upkeep.migrate,
    upkeep.audit,
    doctor.doctor,
    making.demo,
):
    app.command(command.__name__.strip("_").replace("_", "-"))(command)
trained.add_to(probes.probe)
for name, of_saved in (("list", saved.list_), ("drop", saved.drop), ("apply", saved.apply)):
    probes.probe.command(name)(of_saved)
app.add_typer(probes.probe, name="probe")
app.add_typer(indexes.index, name="index")
app.add_typer(transforms.transform, name="transform")
app.add_typer(mixes.mix, name="mix")
app.add_typer(results.results, name="results")
