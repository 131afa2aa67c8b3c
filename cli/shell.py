"""``repstore sql STORE`` without a query: a shell in a terminal, elsewhere the statements of stdin."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from rich.console import Console
from rich.text import Text

from repstore.cli.dots import LeavingError, Session, command_in, run_command
from repstore.cli.grid import grid
from repstore.cli.render import Format, show
from repstore.cli.saying import console_of, counted, remark
from repstore.cli.signals import TerminatedError
from repstore.errors import QueryError, RepstoreError
from repstore.storage.catalog.lexing import Cutter, is_remark, statements

if TYPE_CHECKING:
    from prompt_toolkit import PromptSession

    from repstore.results import ResultTable
    from repstore.store import Store


def is_whole(text: str) -> bool:
    """Whether what was typed can be answered: a command, or SQL that ends."""
    return command_in(text) is not None or is_remark(statements(text)[1])


def pieces(lines: Iterable[str]) -> Iterator[str]:
    """The commands and statements in some lines, each as soon as it ends; at last, what does not end."""
    cutter = Cutter()
    for line in lines:
        if not cutter.has_begun and command_in(line) is not None:
            yield line
        else:
            yield from cutter.ended_by(line)
    if not is_remark(cutter.rest):
        yield cutter.rest


def answer(session: Session, piece: str) -> ResultTable | str:
    """What a command or statement gives: rows or a remark.

    Raises:
        RepstoreError: it cannot be answered.
        LeavingError: the user leaves.
    """
    command = command_in(piece)
    if command is not None:
        return run_command(session, command)
    session.last = session.ask(piece)
    return session.last


def read_statements(session: Session, lines: Iterable[str], format: Format) -> None:
    """Print the answers to statements and commands; remarks go to stderr. The first error ends it.

    Raises:
        RepstoreError: one cannot be answered.
    """
    try:
        for piece in pieces(lines):
            given = answer(session, piece)
            if isinstance(given, str):
                remark(given)
            else:
                show(given, format)
                sys.stdout.flush()  # who writes the statements may wait for the answer
    except LeavingError:
        return
    except UnicodeDecodeError as error:
        raise QueryError(f"SQL has to be in UTF-8, and this is not: {error}.") from None


def talk(session: Session, format: Format) -> None:
    """Answer in a terminal until the user leaves. Neither an error nor Ctrl-C is leaving."""
    from prompt_toolkit.shortcuts import confirm

    from repstore.cli.prompting import prompt_session

    session.may_replace = lambda path: confirm(f"{path} is there already. Write over it?")
    prompt = prompt_session(lambda: session.names, is_whole)
    console = console_of(sys.stdout)
    console.print(_welcome(session.store), markup=False, soft_wrap=True)
    leaves = False
    while not leaves:
        try:
            leaves = _exchange(console, prompt, session, format)
        except TerminatedError:
            raise
        except KeyboardInterrupt:  # what was typed is dropped
            continue


def _exchange(console: Console, prompt: PromptSession[str], session: Session, format: Format) -> bool:
    """Answer what is typed next; or say that the user leaves."""
    try:
        text = prompt.prompt()
    except EOFError:
        return True
    try:
        for piece in pieces(text.splitlines(keepends=True)):
            _print_answer(console, session, piece, format)
    except LeavingError:
        return True
    except TerminatedError:
        raise
    except KeyboardInterrupt:
        console.print("Stopped.")
    except Exception as error:  # whatever it is, the next statement may be a better one
        told = str(error) if isinstance(error, RepstoreError) else f"{type(error).__name__}: {error}"
        console_of(sys.stderr).print(Text(told, style="red"), soft_wrap=True)
    return False


def _welcome(store: Store) -> str:
    runs = counted(len(store.runs()), "run")
    return f'{runs} in {os.fspath(store)}. SQL ends with ";". Type .help for help, Ctrl-D to leave.'


def _print_answer(console: Console, session: Session, piece: str, format: Format) -> None:
    """Answer; below the rows of a query, say how many there are and how long it took."""
    began = time.monotonic()
    given = answer(session, piece)
    seconds = time.monotonic() - began
    if isinstance(given, str):
        console.print(given, markup=False, soft_wrap=True)
        return
    is_query = given is session.last
    if format == "table":
        most_rows = session.most_rows if is_query else len(given)
        printed, n_shown = grid(given.table, most_rows=most_rows, width=console.width)
        console.print(printed)
    else:
        show(given, format)
        n_shown = len(given)
    if is_query:
        said = counted(len(given), "row")
        if n_shown < len(given):
            said += f", of which the first {n_shown:,} are shown; .export FILE writes all"
        if session.is_timed:
            said += f" ({seconds:.3f} s)"
        console.print(Text(said, style="dim"), soft_wrap=True)
