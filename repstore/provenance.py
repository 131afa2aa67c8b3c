"""What was asked, of what, when and by what: recorded here for every question that a store answers."""

from __future__ import annotations

import dataclasses
import functools
import importlib.metadata
import inspect
import platform
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Concatenate, ParamSpec, Protocol, TypeVar

from repstore.results import ResultTable
from repstore.spec import MIX, is_mix
from repstore.storage.files import sha256_of
from repstore.storage.lookup import Lookup
from repstore.storage.mixes import read_mix
from repstore.storage.noting import noting
from repstore.storage.opened import lasting
from repstore.storage.run_names import stored_id
from repstore.storage.saved_results import as_json

ASKED = "asked"
"""Key of a result's provenance under which stands what `answered` records."""

COMPUTES = (
    "duckdb",
    "faiss-cpu",
    "numkong",
    "numpy",
    "pyarrow",
    "repstore",
    "scikit-learn",
    "scipy",
    "torch",
)
"""Distributions whose version may decide the last bits of a number."""

FILES = ("label", "matrix", "table")
"""Arguments that may name a file, which is recorded by what is in it."""

ONE_OR_SEVERAL = ("run", "layer", "measure", "features", "edges")
"""Arguments that may be one thing or a list: a list of one is that one."""

NOT_RECORDED = ("progress",)
"""Arguments that do not bear on the answer."""

OF_ANY_RUN = ("sql",)
"""Questions that may read any run, so that all are recorded."""


class Asking(Protocol):
    """Whoever answers questions about a store."""

    _lookup: Lookup


Store = TypeVar("Store", bound=Asking)
Given = ParamSpec("Given")


def question(
    method: Callable[Concatenate[Store, Given], ResultTable],
) -> Callable[Concatenate[Store, Given], ResultTable]:
    """Have the answers of a method say what it was asked, defaults included (`answered`)."""
    signature = inspect.signature(method)

    @functools.wraps(method)
    def asked(store: Store, /, *args: Given.args, **options: Given.kwargs) -> ResultTable:
        try:
            given = signature.bind(store, *args, **options)
        except TypeError as error:  # which does not say of what
            raise TypeError(f"{method.__name__}(): {error}") from None
        given.apply_defaults()
        _, *named = given.arguments.items()
        return answered(store._lookup, method.__name__, dict(named), functools.partial(method, store))

    return asked


def answered(
    lookup: Lookup, method: str, arguments: Mapping[str, Any], answer: Callable[..., ResultTable]
) -> ResultTable:
    """The answer to a question, with what `asking` records of it.

    Args:
        lookup, method, arguments: see `asking`.
        answer: the method, called with the arguments.
    """
    given = {name: lasting(value) if name == "layer" else value for name, value in arguments.items()}
    with asking(lookup, method, given) as recorded:
        result = answer(**given)
    return recorded(result)


@contextmanager
def asking(
    lookup: Lookup, method: str, arguments: Mapping[str, Any]
) -> Iterator[Callable[[ResultTable], ResultTable]]:
    """Record what is asked; what this yields adds it to the answer afterwards.

    The provenance then has under ``asked``: the ``question`` (the method's name), its ``arguments``, the
    ``runs`` that it looked up (each with its run_id, corpus and a digest of its parts), the ``mixes`` among
    the layers, and ``files`` by their SHA-256. So the same question to the same store has the same
    provenance; when, how long and by which versions it was answered is apart, in ``made``.

    Args:
        lookup: where runs are found.
        method: what is asked.
        arguments: of the method, by their names.
    """
    began, at = time.perf_counter(), datetime.now(UTC)
    with noting() as runs:

        def recorded(result: ResultTable) -> ResultTable:
            said = {name: as_json(value) for name, value in arguments.items() if name not in NOT_RECORDED}
            for name in ONE_OR_SEVERAL:
                match said.get(name):
                    case [one]:
                        said[name] = one
            asked = {
                "question": method,
                "arguments": said,
                "runs": _runs(lookup, {} if method in OF_ANY_RUN else runs),
                "mixes": _mixes(lookup, runs, said),
                "files": _files(arguments),
            }
            seconds = round(time.perf_counter() - began, 3)
            made = {"computed": utc(at), "seconds": seconds, "versions": versions()}
            return dataclasses.replace(result, provenance={**result.provenance, ASKED: asked}, made=made)

        yield recorded


def utc(at: datetime) -> str:
    """A time, as it is written: ``2026-03-01T12:00:00Z``."""
    return at.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


@functools.cache
def versions() -> dict[str, str]:
    """Versions of Python and of what is installed of the libraries that compute."""
    found = {name: version_of(name) for name in COMPUTES}
    return {"python": platform.python_version()} | {name: one for name, one in found.items() if one}


def version_of(distribution: str) -> str | None:
    """The version of what is installed under this name, if it is."""
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return None


def _runs(lookup: Lookup, noted: Mapping[str, str]) -> list[dict[str, str]]:
    """What runs are and hold: run, run_id, corpus, corpus_id, and a digest of their parts.

    `noted`: as `noting` has them; all runs, if there are none.
    """
    runs = noted or {label: run_id for run_id, label in lookup.labels.items()}
    rows = {row["run_id"]: row for row in lookup.run_rows.to_pylist()}
    found = []
    for label, seen in runs.items():
        run_id = stored_id(seen)
        row = rows[run_id]
        about = {"corpus": row["corpus"], "corpus_id": row["corpus_id"], "parts": lookup.contents[run_id]}
        found.append({"run": label, "run_id": seen} | about)
    return found


def _mixes(lookup: Lookup, runs: Mapping[str, str], arguments: Any) -> list[dict[str, str]]:
    """The mixes of layers that were asked about, each with its digest."""
    names = sorted({text.removeprefix(MIX) for text in _texts(arguments) if is_mix(text)})
    return [
        {"run": label, "mix": name, "digest": info.digest}
        for label in runs
        for name in names
        if (info := read_mix(lookup.folder(runs[label]), name)) is not None
    ]


def _texts(value: Any) -> Iterator[str]:
    """All text in a JSON value."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for one in value.values() if isinstance(value, dict) else value:
            yield from _texts(one)


def _files(arguments: Mapping[str, Any]) -> dict[str, str]:
    """SHA-256 of the files among the arguments. A name without a dot is that of a column."""
    paths = {name: Path(arguments[name]) for name in FILES if arguments.get(name) is not None}
    return {name: sha256_of(path) for name, path in paths.items() if path.suffix and path.is_file()}
