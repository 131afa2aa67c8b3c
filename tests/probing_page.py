"""The numbers and figures of docs/probing.md: its commands are run, and its tables made from what they say.

A command of the page that ends with ``# NAME.csv`` has its result kept under that name, floats with six
decimals, and its figure beside it. The tables of the page stand below a comment that says what they show,

    <!-- NAME.csv: COLUMN, COLUMN ... -->                     rows as they are
    <!-- NAME.csv: COLUMN across COLUMN by COLUMN ... -->     one column for each value of the second
    <!-- ...; COLUMN = VALUE, VALUE; ... -->                  only these rows

and end with a blank line. ``make probing`` does it all: python tests/probing_page.py FOLDER; with names of
results after it, only these are asked for again.
"""

from __future__ import annotations

import csv
import re
import shlex
import shutil
import sys
import time
from collections.abc import Iterator
from contextlib import chdir
from dataclasses import dataclass
from pathlib import Path

from program import repstore

ROOT = Path(__file__).parents[1]
PAGE, KEPT = ROOT / "docs" / "probing.md", ROOT / "docs" / "probing"
TABLE = re.compile(r"^<!-- (\S+\.csv): (.*?) -->\n((?:\|.*\n)*)", re.MULTILINE)

Rows = list[dict[str, str]]


@dataclass(frozen=True)
class Step:
    """A command of the page, as arguments after ``repstore``, and the name of its result, if it is kept."""

    arguments: list[str]
    result: str | None


def steps(page: str) -> list[Step]:
    """The commands in the shell blocks of the page, in order."""
    blocks = re.findall(r"^```sh\n(.*?)^```$", page, re.MULTILINE | re.DOTALL)
    lines = "".join(blocks).replace("\\\n", " ").splitlines()
    found = []
    for line in lines:
        command, _, comment = line.partition("  # ")
        if command.startswith("repstore "):
            found.append(Step(shlex.split(command)[1:], comment or None))
    return found


def result_of(step: Step, *more: str) -> Rows:
    """Run a command and read what it says; every float with six decimals."""
    wanted = ["--format", "csv"] if step.result else []
    outcome = repstore(*step.arguments, *more, *wanted)
    if outcome.code:
        raise RuntimeError(f"{shlex.join(step.arguments)}: {outcome.err}")
    if step.result is None:
        return []
    rows = csv.DictReader(outcome.out.splitlines())
    return [
        {name: _short(value) for name, value in row.items() if not value.startswith("[")} for row in rows
    ]  # no lists, such as the dimensions of a mask


def read(name: str) -> Rows:
    """A result that is kept."""
    with (KEPT / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def rendered(page: str) -> str:
    """The page with its tables made anew from the results that are kept."""

    def table(match: re.Match[str]) -> str:
        name, what, _ = match.groups()
        return f"<!-- {name}: {what} -->\n" + "".join(f"{line}\n" for line in _lines(read(name), what))

    return TABLE.sub(table, page)


def _short(value: str) -> str:
    if not re.fullmatch(r"-?\d+\.\d+(e-?\d+)?", value):
        return value
    return f"{float(value):.6f}"


def _lines(rows: Rows, what: str) -> Iterator[str]:
    shown, *conditions = (part.strip() for part in what.split(";"))
    for condition in conditions:
        column, _, values = condition.partition(" = ")
        rows = [row for row in rows if row[column] in values.split(", ")]
    if " across " in shown:
        value, x, by = re.split(" across | by ", shown)
        names = by.split(", ")
        xs = list(dict.fromkeys(row[x] for row in rows))
        cells: dict[tuple[str, ...], dict[str, str]] = {}
        for row in rows:
            cells.setdefault(tuple(row[name] for name in names), {})[row[x]] = row[value]
        yield _line([*names, *(f"{x} {first}" if not n else first for n, first in enumerate(xs))])
        yield _line(["---"] * (len(names) + len(xs)))
        for key, values_at in cells.items():
            yield _line([*map(_cell, key), *(_cell(values_at.get(at, "")) for at in xs)])
        return
    columns = shown.split(", ")
    yield _line(columns)
    yield _line(["---"] * len(columns))
    for row in rows:
        yield _line([_cell(row[column]) for column in columns])


def _line(cells: list[str]) -> str:
    return f"| {' | '.join(cells)} |"


def _cell(value: str) -> str:
    return f"{float(value):.3f}" if re.fullmatch(r"-?\d+\.\d+", value) else value


def main(folder: Path, *names: str) -> None:
    """Do all that the page says in a folder, and keep what it shows; only some results, if named."""
    page = PAGE.read_text(encoding="utf-8")
    folder.mkdir(parents=True, exist_ok=True)
    if not (folder / "data").exists():
        (folder / "data").symlink_to(ROOT / "data")
    KEPT.mkdir(exist_ok=True)
    with chdir(folder):
        for step in steps(page):
            if names and step.result is not None and step.result not in names:
                continue
            start = time.monotonic()
            rows = result_of(step)
            print(f"{time.monotonic() - start:6.1f} s  {shlex.join(step.arguments)}", flush=True)
            if step.result is None:
                continue
            with (KEPT / step.result).open("w", encoding="utf-8", newline="") as file:
                writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
                writer.writeheader()
                writer.writerows(rows)
            if "--plot" in step.arguments:
                shutil.copy(step.arguments[step.arguments.index("--plot") + 1], KEPT)
    PAGE.write_text(rendered(PAGE.read_text(encoding="utf-8")), encoding="utf-8")


if __name__ == "__main__":
    main(Path(sys.argv[1]), *sys.argv[2:])
