"""The commands of the shell, each a word that begins with a dot."""

from __future__ import annotations

import shlex
import shutil
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from repstore.cli.saying import counted
from repstore.cli.suggesting import Names, Suggestion, names_of
from repstore.errors import ArgumentError, check_choice

if TYPE_CHECKING:
    from repstore.results import ResultTable
    from repstore.store import Store

ALSO = {"help": ".help", "quit": ".quit", "exit": ".quit", ".exit": ".quit"}
"""What else is taken for a command, since other shells know it."""
SWITCH = {"on": True, "off": False}
MOST_ROWS = 40


class LeavingError(Exception):
    """The user leaves the shell."""


@dataclass
class Session:
    """What a shell remembers from one statement to the next.

    Attributes:
        store: the store that is asked.
        ask: answers a query.
        may_replace: asks whether to write over a file.
        is_timed: whether to say how long answers take.
        most_rows: how many rows of an answer are printed.
        last: the last answer to a query.
    """

    store: Store
    ask: Callable[[str], ResultTable]
    may_replace: Callable[[Path], bool] = lambda _: False
    is_timed: bool = True
    most_rows: int = MOST_ROWS
    last: ResultTable | None = None

    @cached_property
    def names(self) -> Names:
        """What a query can name."""
        return names_of(self.store)


def command_in(text: str) -> str | None:
    """The command that a text is, or None where it is SQL. A ";" after it is forgiven."""
    line = text.strip().removesuffix(";").rstrip()
    line = ALSO.get(line.lower(), line)
    return line if line.startswith(".") else None


def run_command(session: Session, line: str) -> ResultTable | str:
    """Do what a line says, and answer with rows or a remark.

    Raises:
        ArgumentError: there is no such command, or it cannot be done.
        LeavingError: the user leaves.
    """
    try:
        name, *arguments = shlex.split(line)
    except ValueError as error:
        raise ArgumentError(f"{line} cannot be read: {error}.") from None
    check_choice("command", name, COMMANDS)
    command = COMMANDS[name]
    fewest, most = command.n_arguments
    if not fewest <= len(arguments) <= most:
        raise ArgumentError(f"Expected {command.usage}: {command.about}")
    return command.run(session, *arguments)


def _help(session: Session) -> str:
    return "\n\n".join(_paragraphs(session.names))


def _paragraphs(names: Names) -> Iterator[str]:
    yield "SQL ends with a semicolon, on as many lines as it needs. Commands stand on one line:"
    yield _aligned([(command.usage, command.about) for command in COMMANDS.values()])
    yield "Tables, and the view vectors:"
    yield _aligned([(table, ", ".join(columns)) for table, columns in names.tables.items()])
    yield "Functions, beside those of DuckDB:"
    yield _aligned([(function.signature, function.what) for function in names.functions])


def _aligned(rows: Sequence[tuple[str, str]]) -> str:
    """Two columns, the second as wide as the terminal allows."""
    indent = max(len(left) for left, _ in rows) + 4
    width = max(shutil.get_terminal_size().columns, 2 * indent)
    return "\n".join(
        textwrap.fill(f"  {left}".ljust(indent) + right, width, subsequent_indent=" " * indent)
        for left, right in rows
    )


def _tables(session: Session, table: str | None = None) -> ResultTable:
    """The tables with their columns, or the columns of one with their types."""
    import pyarrow as pa

    from repstore.results import ResultTable

    tables = session.names.tables
    if table is None:
        rows = [{"table": name, "columns": ", ".join(columns)} for name, columns in tables.items()]
        return ResultTable(pa.Table.from_pylist(rows), "Tables")
    check_choice("table", table, tables)
    columns = [{"column": name, "type": kind} for name, kind in tables[table].items()]
    return ResultTable(pa.Table.from_pylist(columns), f"Columns of {table}")


def _export(session: Session, file: str) -> str:
    result, path = session.last, Path(file).expanduser()
    if result is None:
        raise ArgumentError("There is no result to export yet. Ask something first.")
    check_choice("kind of file", path.suffix, WRITERS)
    if path.exists() and not session.may_replace(path):
        raise ArgumentError(f"{path} is there already, and is left as it is. Choose another name.")
    try:
        WRITERS[path.suffix](result, path)
    except OSError as error:
        raise ArgumentError(f"{path} cannot be written: {error.strerror or error}.") from error
    return f"Wrote {counted(len(result), 'row')} to {path}"


def _write_json(result: ResultTable, path: Path) -> None:
    path.write_text(result.to_json() + "\n", encoding="utf-8")


WRITERS: dict[str, Callable[[ResultTable, Path], object]] = {
    ".csv": lambda result, path: result.to_csv(path),
    ".json": _write_json,
    ".parquet": lambda result, path: result.to_parquet(path),
}


def _timing(session: Session, switch: str) -> str:
    check_choice("switch", switch, SWITCH)
    session.is_timed = SWITCH[switch]
    return f"Timing is {switch}."


def _rows(session: Session, number: str) -> str:
    if not number.isdecimal() or not int(number):
        raise ArgumentError(f'"{number}" is no number of rows. Give one such as 100.')
    session.most_rows = int(number)
    return f"Up to {counted(session.most_rows, 'row')} of a result are printed."


def _quit(_: Session) -> str:
    raise LeavingError


@dataclass(frozen=True)
class Command:
    """A command.

    Attributes:
        usage: its name and arguments.
        about: what it does, in a line.
        run: does it.
        n_arguments: how many words it takes, at least and at most.
    """

    usage: str
    about: str
    run: Callable[..., ResultTable | str]
    n_arguments: tuple[int, int]


COMMANDS = {
    command.usage.split()[0]: command
    for command in (
        Command(".help", "List the commands, tables and functions.", _help, (0, 0)),
        Command(
            ".tables [TABLE]", "List the tables with their columns, or the columns of one.", _tables, (0, 1)
        ),
        Command(
            ".export FILE", "Write the last result into a .csv, .json or .parquet file.", _export, (1, 1)
        ),
        Command(".rows NUMBER", "Print up to so many rows of a result; first 40.", _rows, (1, 1)),
        Command(".timing on|off", "Say how long each query takes, or do not.", _timing, (1, 1)),
        Command(".quit", "Leave, as Ctrl-D does.", _quit, (0, 0)),
    )
}


def command_suggestions(names: Names, line: str) -> Iterator[Suggestion]:
    """What could come next in a command of which this is there."""
    name, blank, argument = line.partition(" ")
    if not blank:
        known = {name: command.about for name, command in COMMANDS.items()}
    else:
        known = dict.fromkeys({".tables": names.tables, ".timing": SWITCH}.get(name, ()), "")
    begun = argument.lstrip() if blank else name
    for choice, about in known.items():
        if choice.startswith(begun):
            yield Suggestion(choice, len(begun), about)
