"""What a shell may offer next: the names that the store on the line knows.

Runs and what is kept of them are read from small JSON files, without the libraries that read vectors.
Whatever goes wrong (no store yet, a damaged one), nothing is offered and nothing is said.
"""

from __future__ import annotations

import io
import re
import sys
from collections.abc import Callable, Iterable, Iterator, MutableMapping
from contextlib import closing, contextmanager, redirect_stdout
from pathlib import Path
from typing import Any

import typer

from repstore.storage.files import read_json
from repstore.storage.layout import FrozenKind, Layout, RunLayout
from repstore.storage.run_names import full_name, labels

Completer = Callable[[typer.Context, str], list[str]]
Found = Callable[[typer.Context, Layout], Iterable[str]]

OFFERED = 100
"""Most words of a text that are offered at once."""

BEGINNING = "SELECT DISTINCT {column} FROM {table} WHERE starts_with({column}, ?) ORDER BY 1 LIMIT ?"


@contextmanager
def words_of_bash(env: MutableMapping[str, str]) -> Iterator[None]:
    """Within, a line of bash has the words that were typed: it takes ":" and "@" for words of their own.

    It also replaces no more than what follows the last of them, so of an answer only that is told.
    """
    if env["_REPSTORE_COMPLETE"] != "complete_bash":
        yield
        return
    pieces = env["COMP_WORDS"].split("\n")[: int(env["COMP_CWORD"]) + 1]
    line = re.sub(r"\n([:@]+)(\n|$)", r"\1", "\n".join(pieces))
    env["COMP_WORDS"], env["COMP_CWORD"] = line, str(line.count("\n"))
    typed = re.match(r"(.*[:@])?", line.rpartition("\n")[2])
    assert typed is not None
    stdout = sys.stdout
    with redirect_stdout(io.StringIO()) as offered:
        try:
            yield
        finally:  # which it is left by, as answering ends the program
            names = [name.removeprefix(typed[0]) for name in offered.getvalue().splitlines()]
            print(*names, sep="\n", file=stdout)


def _offering(found: Found) -> Completer:
    """Complete by what is found in the store; after a comma, the next of several."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        before, comma, _ = incomplete.rpartition(",")
        try:
            names = list(found(ctx, Layout(_store_of(ctx))))
        except Exception:  # whatever it is: a shell that is asked for names must not be answered by an error
            return []
        return [before + comma + name for name in names]

    return complete


def _store_of(ctx: typer.Context) -> Path:
    """The folder of the store on the line.

    Behind an option whose value is still to come, arguments are not told apart yet: they lie in `ctx.args`.
    """
    given = ctx.params["store"]
    if given is None:
        names = [param.name for param in ctx.command.params if param.param_type_name == "argument"]
        given = ctx.args[names.index("store")]
    return Path(given).expanduser()


def _runs(_: typer.Context, layout: Layout) -> list[str]:
    """Names of runs, as `Store` takes them."""
    return labels([info for _, info in _infos(layout)])


def _results(_: typer.Context, layout: Layout) -> list[str]:
    """Names of the results that are kept."""
    return [place.name for place in layout.all_results()]


def _kept(kind: FrozenKind) -> Found:
    """Names of what is kept of the run on the line, or of all."""

    def found(ctx: typer.Context, layout: Layout) -> Iterable[str]:
        return _kept_names(ctx, layout, kind)

    return found


def _layers(ctx: typer.Context, layout: Layout) -> Iterator[str]:
    """Layers and mixes of the runs on the line, or of all."""
    yield "all"
    yield from map(str, range(max(info["spec"]["model"]["n_layers"] for _, info in _asked(ctx, layout))))
    yield from (f"mix:{name}" for name in _kept_names(ctx, layout, "mix"))


def _kept_names(ctx: typer.Context, layout: Layout, kind: FrozenKind) -> list[str]:
    return sorted({one.name for run, _ in _asked(ctx, layout) for one in run.all_frozen(kind)})


def _asked(ctx: typer.Context, layout: Layout) -> list[tuple[RunLayout, dict[str, Any]]]:
    given = ctx.params.get("run")
    wanted = [given] if isinstance(given, str) else given or []
    infos = _infos(layout)
    return [(run, info) for run, info in infos if {info["name"], full_name(info)} & {*wanted}] or infos


def _infos(layout: Layout) -> list[tuple[RunLayout, dict[str, Any]]]:
    """The runs of a store, by name."""
    infos = [(run, read_json(run.info)) for run in layout.all_runs()]
    return sorted(infos, key=lambda each: (each[1]["name"], each[1]["corpus"]))


def _values(column: str, table: str = "words") -> Completer:
    """Complete by the values of a column, which are as many as there are lemmas: the catalog finds them."""

    def complete(ctx: typer.Context, incomplete: str) -> list[str]:
        from repstore.storage.catalog import Catalog
        from repstore.storage.runs import open_store

        try:
            with closing(Catalog(open_store(_store_of(ctx)))) as catalog:
                found = catalog.query(BEGINNING.format(column=column, table=table), [incomplete, OFFERED])
        except Exception:  # as above
            return []
        return [str(value) for value in found.column(0).to_pylist()]

    return complete


complete_run = _offering(_runs)
complete_layers = _offering(_layers)
complete_transform = _offering(_kept("transform"))
complete_probe = _offering(_kept("probe"))
complete_mix = _offering(_kept("mix"))
complete_result = _offering(_results)
complete_lemma = _values("lemma")
complete_form = _values("form")
complete_pos = _values("pos")
complete_sense = _values("sense")
complete_split = _values("split", "(SELECT split FROM texts UNION SELECT split FROM pairs)")
