"""What is here to work with: versions, devices, memory, disk, a store; and what is missing for what."""

from __future__ import annotations

import importlib.metadata
import os
import platform
import re
import shutil
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from importlib.util import find_spec
from pathlib import Path
from typing import Literal

import pyarrow as pa

from repstore.encode.devices import accelerators
from repstore.encode.models import EMBEDDED, converted_models
from repstore.errors import StoreDamagedError
from repstore.provenance import version_of
from repstore.results import ResultTable
from repstore.schemas import FORMAT_VERSION
from repstore.spec import RunInfo
from repstore.storage.catalog import is_current
from repstore.storage.layout import Layout
from repstore.storage.lock import writer_of
from repstore.storage.manifest import is_committed
from repstore.storage.remaking import ingest_command
from repstore.storage.runs import format_of, open_store, read_run

State = Literal["ok", "missing", "outdated", "unfinished", "broken"]

NEEDED_FOR = {
    "encode": "ingest, audit, reproduce, demo, neighbors --encode",
    "train": "probe mlp, probe structural, mix fit, transform fit --kind select",
    "plot": "--plot",
    "exchange": "export to .h5ad and datasets, import from NeuroX",
}
"""What users miss without each extra; the others are for who works on repstore itself."""

COLUMNS = ("about", "what", "value", "state", "advice")


@dataclass(frozen=True, slots=True)
class _Fact:
    about: str
    what: str
    value: str
    state: State = "ok"
    advice: str | None = None


def diagnose(path: str | Path | None = None) -> ResultTable:
    """Say what there is to work with here, what is missing for what, and whether a store is in order.

    Of a store only small files and the catalog are read; `repstore.verify` reads every byte.

    Args:
        path: folder of a store.

    Returns:
        One row per fact: about, what, value, state and advice. The state is ok, missing (something that can
        be added), outdated (a store of an older format), unfinished (a run, which its ingest completes) or
        broken.

    Raises:
        StoreNotFoundError: there is none at `path`.
        StoreVersionError: it was written by a newer version of repstore.
    """
    layout = None if path is None else open_store(Path(path).absolute())
    facts = [*_versions(), *_extras(), *_models(), *_devices(), *_disk(layout)]
    if layout is not None:
        facts += _store(layout)
    columns = pa.schema([(name, pa.string()) for name in COLUMNS])
    wrong = sum(fact.state == "broken" for fact in facts)
    title = f"Broken: {wrong}" if wrong else "Nothing is broken"
    return ResultTable(pa.Table.from_pylist([asdict(fact) for fact in facts], columns), title)


def _versions() -> Iterator[_Fact]:
    yield _Fact("program", "repstore", importlib.metadata.version("repstore"))
    yield _Fact("program", "format of stores", str(FORMAT_VERSION))
    yield _Fact("program", "Python", platform.python_version())
    yield _Fact("program", "system", f"{platform.system()} {platform.machine()}")
    for name in _required()[None]:
        version = version_of(name)
        if version is None:
            yield _Fact("library", name, "not installed", "broken", f"pip install {name}")
        else:
            yield _Fact("library", name, version)


def _extras() -> Iterator[_Fact]:
    """The extras, each as a whole, since that is how it is installed; and then all their libraries."""
    required = {extra: names for extra, names in _required().items() if extra in NEEDED_FOR}
    for extra, names in required.items():
        needed_for = NEEDED_FOR[str(extra)]
        lacking = [name for name in names if version_of(name) is None]
        if lacking:
            advice = f"pip install 'repstore[{extra}]'"
            yield _Fact("extra", extra, f"no: {needed_for} (lacks {', '.join(lacking)})", "missing", advice)
        else:
            yield _Fact("extra", extra, f"yes: {needed_for}")
    for name in dict.fromkeys(name for names in required.values() for name in names):
        version = version_of(name)
        if version is not None:
            yield _Fact("library", name, version)


def _required() -> dict[str | None, list[str]]:
    """Names of the libraries that are required, by extra; None for always."""
    found: dict[str | None, list[str]] = {None: []}
    for line in importlib.metadata.requires("repstore") or ():
        name, extra = re.match(r"[\w.-]+", line), re.search(r"extra == ['\"](\w+)", line)
        assert name is not None
        found.setdefault(extra[1] if extra else None, []).append(name[0])
    return found


def _models() -> Iterator[_Fact]:
    for name, model in EMBEDDED.items():
        if find_spec(model.package) is None:
            yield _Fact("model", name, "not installed", "missing", model.install)
        else:
            yield _Fact("model", name, "installed")


def _devices() -> Iterator[_Fact]:
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()
    yield _Fact("device", "cpu", f"{cores} cores")
    page = os.sysconf("SC_PAGE_SIZE")
    yield _Fact("memory", "in all", _gigabytes(page * os.sysconf("SC_PHYS_PAGES")))
    if "SC_AVPHYS_PAGES" in os.sysconf_names:  # not on a Mac
        yield _Fact("memory", "free", _gigabytes(page * os.sysconf("SC_AVPHYS_PAGES")))
    if find_spec("torch") is None:
        return
    try:
        found = accelerators()
    except Exception as error:  # torch does not load: libraries of another version, above all
        yield _Fact("device", "torch", f"{type(error).__name__}: {error}", "broken", "Install torch anew.")
        return
    yield from (_Fact("device", name, what) for name, what in found)
    if not found:
        yield _Fact("device", "GPU", "none that torch can use")


def _disk(layout: Layout | None) -> Iterator[_Fact]:
    folder = Path.cwd() if layout is None else layout.root
    usage = shutil.disk_usage(folder)
    yield _Fact("disk", str(folder), f"{_gigabytes(usage.free)} free of {_gigabytes(usage.total)}")
    if find_spec("platformdirs") is not None:
        cache = converted_models()
        n_bytes = sum(file.stat().st_size for file in cache.rglob("*") if file.is_file())
        yield _Fact("disk", "converted models", f"{_gigabytes(n_bytes)} in {cache}")


def _store(layout: Layout) -> Iterator[_Fact]:
    runs: list[RunInfo] = []
    broken = []
    for folder in sorted(layout.runs.glob("*")):
        try:
            runs.append(read_run(layout, folder.name))
        except StoreDamagedError as error:
            broken.append(_Fact("store", f"run {folder.name}", str(error), "broken", "repstore verify"))
    version = format_of(layout)
    if version < FORMAT_VERSION:
        yield _Fact("store", "format", str(version), "outdated", f"repstore migrate {layout.root}")
    else:
        yield _Fact("store", "format", str(version))
    yield _Fact("store", "runs", str(len(runs)))
    yield from broken
    for run in sorted(runs, key=lambda run: (run.name, run.corpus)):
        n_there = sum(is_committed(layout.run(run.run_id), part) for part in range(run.n_parts))
        if n_there < run.n_parts:
            value = f"{n_there} of {run.n_parts} parts"
            yield _Fact("store", f"run {run.name}", value, "unfinished", ingest_command(layout, run))
    yield _Fact("store", "writer", writer_of(layout) or "none")
    yield _catalog(layout)


def _catalog(layout: Layout) -> _Fact:
    repair = f"repstore repair {layout.root}"
    if not layout.catalog.exists():
        return _Fact("store", "catalog", "not there: whoever reads builds one", "missing", repair)
    try:
        current = is_current(layout)
    except StoreDamagedError as error:
        return _Fact("store", "catalog", str(error), "broken", repair)
    if current or writer_of(layout) is not None:
        return _Fact("store", "catalog", "current" if current else "being written")
    return _Fact("store", "catalog", "not of the files that are there", "broken", repair)


def _gigabytes(n_bytes: int) -> str:
    return f"{n_bytes / 1e9:.1f} GB"
