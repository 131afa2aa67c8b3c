"""Results to stdout, progress to stderr."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Literal

from rich.console import Console
from rich.markup import escape
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

if TYPE_CHECKING:
    from repstore.ingestion import IngestReport
    from repstore.results import ResultTable
    from repstore.spec import IngestPlan, Progress

Format = Literal["table", "json", "csv"]

WARN_SKIPPED = 0.01
"""Share of skipped words above which an ingest ends with a warning."""


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
                Console(highlight=False).print(result.to_rich())
            else:
                print(result.to_text())
    if plot is not None:
        print(f"Wrote {plot}", file=sys.stderr)


class _Rate(ProgressColumn):
    def render(self, task: Task) -> Text:
        """Words per second."""
        return Text(f"{task.speed:,.0f} words/s" if task.speed else "")


@contextmanager
def ingest_progress() -> Iterator[Callable[[Progress], None]]:
    """A progress bar on stderr, as the callback that `repstore.ingest` wants."""
    columns = (
        SpinnerColumn(),
        TextColumn("{task.description}", markup=False),
        BarColumn(),
        MofNCompleteColumn(),
        _Rate(),
        TimeRemainingColumn(),
    )
    console = Console(stderr=True)
    with Bar(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("", total=None)
        said = ""

        def update(progress: Progress) -> None:
            nonlocal said
            if progress.plan is not None:
                console.print(_planned(progress.plan), soft_wrap=True, highlight=False, markup=False)
            message = progress.message
            if not console.is_terminal:
                if progress.n_total:  # a line for every tenth
                    message += f" {10 * (10 * progress.n_done // progress.n_total)} %"
                if message != said and progress.plan is None:
                    console.print(message, soft_wrap=True, highlight=False, markup=False)
            said = message
            total = progress.n_total or None
            bar.update(task, description=progress.message, completed=progress.n_done, total=total)

        yield update


@contextmanager
def step_progress(what: str) -> Iterator[Callable[[str], None]]:
    """A line on stderr that says which step is under way."""
    console = Console(stderr=True)
    with console.status(what) as status:
        yield lambda step: status.update(f"{what} {escape(step)}")


def show_report(report: IngestReport) -> None:
    """Say what became of each run."""
    if not report.runs and report.plan is None:
        print("Nothing to do: everything is there already.")
    for run in report.runs:
        done = f"{run.n_vectors:,} word vectors, {run.n_skipped:,} words skipped"
        if run.n_windowed:
            done += f", {run.n_windowed:,} read in a window of a long text"
        print(f"{run.run}: {done}" if run.n_new else f"{run.run}: nothing to do; it has {done}")
        if run.n_skipped > WARN_SKIPPED * run.n_words:
            print(
                f"Warning: {run.n_skipped / run.n_words:.1%} of the words of {run.run} were skipped; "
                "see why in the table skipped.",
                file=sys.stderr,
            )


def _planned(plan: IngestPlan) -> str:
    cost = plan.cost
    about = "" if cost.is_exact else "about "
    lines = [
        f"{about}{cost.n_texts:,} texts with words, {cost.n_passes:,} distinct forward passes, "
        f"{cost.n_tokens:,} tokens",
        f"{about}{cost.n_vectors:,} word vectors, {cost.n_skipped:,} words skipped, "
        f"{cost.n_windowed:,} read in windows of long texts; parts of each run: {cost.n_parts:,}",
        f"{_bytes(plan.memory_bytes)} of memory for parts; {_bytes(plan.disk_bytes)} of disk, "
        f"{_bytes(plan.disk_free)} free",
    ]
    return "\n".join(f"Plan: {line}" for line in lines)


def _bytes(n: int) -> str:
    return f"{n / 1e9:.2f} GB" if n >= 1e9 else f"{n / 1e6:.1f} MB"
