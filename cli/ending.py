"""How a command ends: with an exit code, and if something is wrong, with one line on stderr."""

from __future__ import annotations

import os
import re
import shlex
import sys
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress

import typer

from repstore.cli.saying import DEBUG, program, remark, say_error
from repstore.cli.signals import TerminatedError, sigterm_interrupts
from repstore.errors import RepstoreError, SeveralWordsError

FAILED, MISUSED, INTERRUPTED, UNREAD, TERMINATED = 1, 2, 130, 141, 143
EXIT_CODES = {
    0: "It is done.",
    FAILED: "It cannot be done, or something is broken (`verify`, `audit`, `doctor`); a line on stderr or "
    "the result says what.",
    MISUSED: "The command was used wrongly: an unknown command, option or choice, or one that is missing.",
    INTERRUPTED: "Interrupted (Ctrl-C).",
    UNREAD: "Whoever read the output stopped reading, as `head` does.",
    TERMINATED: "Asked to end (SIGTERM).",
}
"""What each means. Those above 128 are what shells say of a signal: 128 and its number."""


def ended(run: Callable[[], None]) -> int:
    """Run the program, and say how it ended. Returns the exit code."""
    code = 0
    try:
        with sigterm_interrupts():
            try:
                run()
            except typer.Exit as stop:
                code = stop.exit_code
            sys.stdout.flush()  # here, where it can still be said that the disk is full
    except SystemExit:
        raise
    except BaseException as error:
        return _said(error)
    return code


@contextmanager
def resumable() -> Iterator[None]:
    """Ctrl-C and SIGTERM end with the command that goes on."""
    try:
        yield
    except KeyboardInterrupt as stop:
        say_error(
            f"Interrupted; what is committed is kept. To resume: {shlex.join([*program(), *sys.argv[1:]])}"
        )
        raise typer.Exit(TERMINATED if isinstance(stop, TerminatedError) else INTERRUPTED) from None


def _said(error: BaseException) -> int:
    """Say what was wrong."""
    _settle_stdout()
    if DEBUG.get():
        with suppress(OSError):
            traceback.print_exception(error)
    match error:
        case BrokenPipeError():
            return UNREAD
        case TerminatedError():
            say_error("Terminated.")
            return TERMINATED
        case KeyboardInterrupt() | typer.Abort():
            say_error("Interrupted.")
            return INTERRUPTED
        case typer.TyperException():
            return _misused(error)
        case SeveralWordsError():
            first, *uses = str(error).splitlines()
            say_error(first)
            remark("\n".join(uses))
        case RepstoreError():
            say_error(_line(str(error)))
        case OSError():
            place = "" if error.filename is None else f"{error.filename}: "
            say_error(_line(f"{place}{error.strerror or error}."))
        case UnicodeEncodeError() if error.encoding != "utf-8":  # which has all but halves of characters
            lacks = error.object[error.start]
            say_error(
                f'Output is in {sys.stdout.encoding}, which has no "{lacks}". Set PYTHONIOENCODING=utf-8.'
            )
        case _:
            what = _line(f"{type(error).__name__}: {error}").rstrip(".: ")
            say_error(f"{what}. This was not expected; --debug shows where.")
    return FAILED


def _misused(error: typer.TyperException) -> int:
    """Say what was wrong with the command, and where its help is."""
    if type(error).__name__ == "NoArgsIsHelpError":  # its message is the help, or nothing where that is shown
        if error.message:
            print(error.message, file=sys.stderr)
        return MISUSED
    possible = getattr(error, "possibilities", None)
    message = _line(error.message if possible else error.format_message()).rstrip(".")
    message = message.replace("Value error, ", "")  # which is how a choice is refused
    if possible:
        message += f". Did you mean {' or '.join(possible)}?"
    ctx = getattr(error, "ctx", None)
    command = ctx.command_path if ctx is not None else "repstore"
    say_error(f'{message}{"" if message.endswith("?") else "."} Try "{command} --help".')
    return MISUSED


def _line(message: str) -> str:
    """A message in one line, without the marks that only make sense below another."""
    return " ".join(re.sub(r"^\s*\^+\s*$", "", message, flags=re.MULTILINE).split())


def _settle_stdout() -> None:
    """Write what was printed, or forget it: else Python would try again when it exits, and complain."""
    try:
        sys.stdout.flush()
    except OSError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
