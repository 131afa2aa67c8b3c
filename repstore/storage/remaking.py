"""Commands that make anew what a store lacks."""

from __future__ import annotations

import re
import shlex
from contextlib import suppress
from pathlib import Path

from repstore.corpus import READERS
from repstore.errors import StoreDamagedError
from repstore.spec import RunInfo
from repstore.storage.corpora import read_corpus
from repstore.storage.frozen_kinds import read_frozen
from repstore.storage.index import read_info
from repstore.storage.layout import INDEX_INFO, FrozenLayout, Layout, ResultLayout
from repstore.storage.saved_results import PYTHON, read_made
from repstore.storage.transforms import TransformInfo


def ingest_command(layout: Layout, run: RunInfo) -> str:
    """The command that makes the missing parts of a run, and no others."""
    if run.origin == "imported":
        return _import_command(layout, run)
    spec, model = run.spec, run.spec.model
    try:
        corpus, _ = read_corpus(layout.corpus(spec.corpus_id))
        source, name, words, splits = corpus.source, corpus.name, corpus.words, corpus.splits or ()
    except StoreDamagedError:
        return f"the command that ingested {run.name}: its corpus, {run.corpus}, is damaged or missing, too"
    if (
        source.partition(":")[0] not in READERS
    ):  # an import brought it, and what was ingested had the same words
        return f"the command that ingested {run.name}: its corpus, {name}, had come along with {source}"
    arguments = ["repstore", "ingest", source, str(layout.root), "--model", model.source]
    arguments += ["--template", run.template, "--words", words, "--pooling", spec.pooling]
    arguments += ["--dtype", spec.dtype, "--name", run.name, "--corpus-name", name]
    arguments += [argument for split in splits for argument in ("--split", split)]
    arguments += ["--device", run.contract["device"].split()[0]]  # a resume must be on the same kind
    if not spec.final_norm:
        arguments.append("--no-final-norm")
    return shlex.join(arguments)


def _import_command(layout: Layout, run: RunInfo) -> str:
    asked = dict(run.contract["asked"])
    if asked["corpus"] is None:
        asked["corpus-name"] = run.corpus
    options = asked | {"name": run.name, "model": run.spec.model.name}
    arguments = ["repstore", "import", run.spec.model.source, str(layout.root)]
    for option, value in options.items():
        arguments += [] if value is None else [f"--{option}", value]
    return shlex.join(arguments)


def brings_corpus(run: RunInfo) -> bool:
    """Whether what makes a run brings its corpus along, rather than looking for it in the store."""
    return run.origin == "encoded" or run.contract["asked"]["corpus"] is None


def index_command(layout: Layout, run: RunInfo, info: Path) -> str:
    """The command that builds an index anew, of the kind it has if its JSON file still says so."""
    layer, frame = re.findall(INDEX_INFO, info.name)[0]
    arguments = [
        "repstore",
        "index",
        "build",
        str(layout.root),
        "--run",
        f"{run.name}@{run.corpus}",
        "--layer",
        str(int(layer)),
    ]
    with suppress(StoreDamagedError):
        arguments += ["--kind", read_info(info).kind]
    return shlex.join([*arguments, "--standardize", frame])


def drop_command(layout: Layout, run: RunInfo, place: FrozenLayout) -> str:
    """The command that removes what is frozen under a name."""
    arguments = ["repstore", place.kind, "drop", str(layout.root), place.name]
    return shlex.join([*arguments, "--run", f"{run.name}@{run.corpus}"])


def fit_command(layout: Layout, run: RunInfo, place: FrozenLayout) -> str:
    """The command that fits anew what is frozen, with the options it had if its JSON file still says so."""
    try:
        info = read_frozen(place)
    except StoreDamagedError:
        return (
            f'the command that fitted {place.kind} "{place.name}" of {run.name}: what it was is damaged, too'
        )
    if isinstance(info, TransformInfo):
        arguments = _transform_arguments(layout, run, info)
    else:
        arguments = info.command(str(layout.root))
    return shlex.join(["repstore", *arguments])


def result_command(place: ResultLayout) -> str:
    """The command that asked for a result that was kept, if its files still say so."""
    with suppress(StoreDamagedError):
        command: str = read_made(place)["command"]
        if command != PYTHON:
            return command
    return f'the question of result "{place.name}", saved again'


def _transform_arguments(layout: Layout, run: RunInfo, info: TransformInfo) -> list[str]:
    on = info.fitted_on
    options = {
        "--kind": info.kind,
        "-k": info.k,
        "--layer": ",".join(str(one.layer) for one in info.layers),
        "--where": on.where,
        "--side": on.side,
        "--split": on.split,
        "--sample": on.sample,
        "--seed": on.seed or None,
        "--train-on": on.train_on,
        "--select-on": on.select_on,
    }
    arguments = ["transform", "fit", str(layout.root), info.name, "--run", f"{run.name}@{run.corpus}"]
    for option, value in options.items():
        arguments += [] if value is None else [option, str(value)]
    return arguments
