"""What benchmarks share: timing things side by side, and reporting figures as a table or as JSON."""

from __future__ import annotations

import argparse
import json
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from statistics import median

from rich.console import Console
from rich.table import Table


@dataclass(frozen=True, slots=True)
class Figure:
    """One measured value, and what it has to reach, if anything."""

    name: str
    value: float
    unit: str
    at_least: float | None = None
    at_most: float | None = None

    @property
    def reach(self) -> str | None:
        """What has to be reached, in words: ``>= 0.8``."""
        bounds = [f">= {self.at_least:g}"] if self.at_least is not None else []
        bounds += [f"<= {self.at_most:g}"] if self.at_most is not None else []
        return " and ".join(bounds) or None

    @property
    def met(self) -> bool | None:
        """Whether it is reached; None if nothing has to be."""
        if self.reach is None:
            return None
        above = self.at_least is None or self.value >= self.at_least
        return above and (self.at_most is None or self.value <= self.at_most)


def side_by_side(contestants: Mapping[str, Callable[[], object]], rounds: int) -> dict[str, list[float]]:
    """Seconds each contestant takes in each round.

    All run once beforehand, to warm up; then they take turns, so that whatever else the machine does
    meets all of them alike.
    """
    for contestant in contestants.values():
        contestant()
    seconds: dict[str, list[float]] = {name: [] for name in contestants}
    for _ in range(rounds):
        for name, contestant in contestants.items():
            start = time.perf_counter()
            contestant()
            seconds[name].append(time.perf_counter() - start)
    return seconds


def ratio(slower: Sequence[float], faster: Sequence[float]) -> float:
    """How many times the first takes the time of the second: the median over rounds."""
    return median(a / b for a, b in zip(slower, faster, strict=True))


def no_more(parser: argparse.ArgumentParser) -> None:
    """A benchmark without options of its own."""
    del parser


def main(
    title: str,
    measure: Callable[[argparse.Namespace], Sequence[Figure]],
    add_options: Callable[[argparse.ArgumentParser], None] = no_more,
) -> None:
    """Run a benchmark from the command line.

    Args:
        title: what is measured, in a line.
        measure: makes the figures; told the options, among them `quick`.
        add_options: adds the benchmark's own.
    """
    parser = argparse.ArgumentParser(description=title)
    parser.add_argument("--quick", action="store_true", help="smaller data, less certain")
    parser.add_argument("--json", action="store_true", help="an array of figures instead of a table")
    add_options(parser)
    options = parser.parse_args()
    figures = measure(options)
    if options.json:
        keys = ("name", "value", "unit", "reach", "met")
        print(json.dumps([{key: getattr(figure, key) for key in keys} for figure in figures], indent=2))
        return
    table = Table(title=title)
    for column in ("", "value", "unit", "to reach", "met"):
        table.add_column(column, justify="right" if column == "value" else "left")
    for figure in figures:
        met = {None: "", True: "yes", False: "NO"}[figure.met]
        table.add_row(figure.name, f"{figure.value:.3g}", figure.unit, figure.reach or "", met)
    Console().print(table)
