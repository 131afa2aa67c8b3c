"""Results to stdout, progress to stderr."""

from __future__ import annotations

import shlex
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console, ConsoleDimensions
from rich.markup import escape
from rich.measure import Measurement
from rich.progress import (
    BarColumn,
    MofNCompleteColumn,
    ProgressColumn,
    SpinnerColumn,
    Task,
    TextColumn,
    TimeRemainingColumn,
)
from rich.progress import Progress as Bar
from rich.text import Text

from repstore.cli.saying import QUIET, console_of, counted, remark

if TYPE_CHECKING:
    from repstore.accounts import RunReport
    from repstore.exporting.export import ExportReport
    from repstore.ingestion import IngestReport
    from repstore.results import ResultTable
    from repstore.spec import IngestPlan, Progress

Format = Literal["table", "json", "csv"]

WIDEST = 10_000
"""Columns that no table needs."""

PATIENCE = 2.0
"""Seconds that the answer to a question may take before a log need say how far it is."""

WARN_SKIPPED = 0.01
"""Share of skipped words above which an ingest ends with a warning."""


def say_removed(what: str, name: str, was_there: bool, *, group: str, run: str | None = None) -> None:
    """Say what became of something that was to be removed. `group`: of the commands about it."""
    of = f" of {run}" if run else ""
    if was_there:
        print(f"Removed {name}.")
    else:
        listing = f'"repstore {group} list STORE" says what there is.'
        print(f'There was no {what} "{name}"{of}, so nothing is removed. {listing}')


def show(result: ResultTable, format: Format, plot: Path | None = None) -> None:
    """Print a result, and draw it if asked to."""
    if plot is not None:
        result.plot(plot)
    match format:
        case "json":
            print(result.to_json())
        case "csv":
            print(result.to_csv(), end="")
        case "table":
            if sys.stdout.isatty():
                _print_whole(result)
            else:
                print(result.to_text())
    if format != "table":  # whose last lines they are
        for note in result.notes:
            remark(note)
    if plot is not None:
        remark(f"Wrote {plot}")


def keep(result: ResultTable, store: Path, name: str | None) -> None:
    """Save a result under a name if one is given; what is kept is told on stderr."""
    if name is None:
        return
    import repstore

    command = shlex.join(["repstore", *sys.argv[1:]])
    is_new = repstore.save_result(store, name, result, command=command)
    said = f'Saved as "{name}".' if is_new else f'"{name}" is there already, just the same: nothing was done.'
    remark(said)


def _print_whole(result: ResultTable) -> None:
    """Print a table to a terminal: text wraps, and where that is not enough, lines do; nothing is cut."""
    console, table = console_of(sys.stdout), result.to_rich()
    needed = Measurement.get(console, console.options.update(max_width=WIDEST), table).minimum
    # Printing takes a width, but none beyond that of the terminal.
    console.size = ConsoleDimensions(max(console.width, needed), console.height)
    console.print(table, crop=False)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Words per second."""
        return Text(f"{task.speed:,.0f} {task.fields['unit']}/s" if task.speed else "")


class _Lines:
    """Progress where there is no terminal: a line for every step, and for every tenth of a long one."""

    def __init__(self, console: Console, patience: float) -> None:
        self._console = console
        self._silent_until = time.monotonic() + patience
        self._said: tuple[str, int] | None = None
        self._began = (time.monotonic(), 0)

    def update(self, progress: Progress) -> None:
        """Print a line if there is something new to say."""
        if time.monotonic() < self._silent_until:
            return
        n_done, n_total = progress.n_done, progress.n_total
        tenths = 10 * n_done // n_total if n_total else -1
        if (progress.message, tenths) == self._said:
            return
        if self._said is None or progress.message != self._said[0]:
            self._began = (time.monotonic(), n_done)
        self._said = (progress.message, tenths)
        line = progress.message
        if n_total:
            line += f" {10 * tenths} %"
            began, n_before = self._began
            if n_before < n_done < n_total:
                left = (time.monotonic() - began) * (n_total - n_done) / (n_done - n_before)
                line += f", about {timedelta(seconds=round(left))} left"
        self._console.print(line, soft_wrap=True, highlight=False, markup=False)


@contextmanager
def showing_progress(patience: float = 0.0, plans: bool = True) -> Iterator[Callable[[Progress], None]]:
    """A progress bar on stderr, as the callback that `repstore.ingest` wants; with its plan or without.

    Where stderr is no terminal, lines take its place; none in the first seconds, as many as `patience` says.
    """
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    if QUIET.get():
        yield lambda _: None
        return
    console = console_of(sys.stderr)
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None, unit="words")
        lines = _Lines(console, patience)

        def update(progress: Progress) -> None:
            if progress.plan is not None and plans:
                console.print(_planned(progress.plan), soft_wrap=True, highlight=False, markup=False)
            elif not console.is_terminal:
                lines.update(progress)
            total = progress.n_total or None
            bar.update(
                task, description=progress.message, completed=progress.n_done, total=total, unit=progress.unit
            )

        yield update


@contextmanager
def step_progress(what: str) -> Iterator[Callable[[str], None]]:
    """A line on stderr that says which step is under way."""
    if QUIET.get():
        yield lambda _: None
        return
    with console_of(sys.stderr).status(what) as status:
        yield lambda step: status.update(f"{what} {escape(step)}")


def show_report(report: IngestReport) -> None:
    """Say what became of each run, or what is planned if it was a dry run."""
    if not report.runs and report.plan is not None:
        print(_planned(report.plan))
    if not report.runs and report.plan is None:
        print("Nothing to do: everything is there already.")
    show_runs(report.runs)


def show_runs(runs: Iterable[RunReport]) -> None:
    """Say what became of each run, and warn of those many of whose words were skipped."""
    for run in runs:
        done = f"{counted(run.n_vectors, 'word vector')}, {counted(run.n_skipped, 'word')} skipped"
        if run.n_windowed:
            done += f", {run.n_windowed:,} read in a window of a long text"
        print(f"{run.run}: {done}" if run.n_new else f"{run.run}: nothing to do; it has {done}")
        if run.n_skipped > WARN_SKIPPED * run.n_words:
            remark(
                f"Warning: {run.n_skipped / run.n_words:.1%} of the words of {run.run} were skipped; "
                "see why in the table skipped."
            )


def show_export(report: ExportReport) -> None:
    """Say which files were written, and beside that what they hold and how they are opened."""
    for file in report.files:
        print(file)
    layers = f"{len(report.layers)} layers" if len(report.layers) > 1 else report.layers[0]
    words = counted(report.n_words, "word")
    if report.n_pairs:
        words += f" and {counted(report.n_pairs, 'pair')}"
    remark(f"{words} of {report.run}, {layers}, {_bytes(report.n_bytes)}.")
    if report.n_without:
        without = f"{report.n_without:,} more words have no vector and are left out"
        remark(f'{without}; "repstore info" says why.')
    if report.n_pairs_without:
        remark(f"{report.n_pairs_without:,} more pairs have only one of their words here and are left out.")
    remark(f"Open it with: {report.opens}")


def _planned(plan: IngestPlan) -> str:
    cost = plan.cost
    about = "" if cost.is_exact else "about "
    lines = [
        f"{about}{cost.n_texts:,} texts with words, {cost.n_passes:,} distinct forward passes, "
        f"{cost.n_tokens:,} tokens",
        f"{about}{counted(cost.n_vectors, 'word vector')}, {counted(cost.n_skipped, 'word')} skipped, "
        f"{cost.n_windowed:,} read in windows of long texts; parts of each run: {cost.n_parts:,}",
        f"{_bytes(plan.memory_bytes)} of memory for parts; {_bytes(plan.disk_bytes)} of disk, "
        f"{_bytes(plan.disk_free)} free",
    ]
    return "\n".join(f"Plan: {line}" for line in lines)


def _bytes(n: int) -> str:
    if n < 1e5:
        return f"{n / 1e3:.1f} kB"
    return f"{n / 1e9:.2f} GB" if n >= 1e9 else f"{n / 1e6:.1f} MB"
