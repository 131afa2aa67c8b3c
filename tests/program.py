"""Calling the program as its entry point does, but in this process."""

from __future__ import annotations

import io
import sys
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from unittest import mock

from repstore.cli import main


@dataclass(frozen=True)
class Outcome:
    """Exit code, and what was written to stdout and stderr."""

    code: int
    out: str
    err: str


def repstore(*arguments: object) -> Outcome:
    """Run ``repstore`` with these arguments. An error that nobody wrote a message for is raised."""
    out, err, code = io.StringIO(), io.StringIO(), 0
    with (
        mock.patch.object(sys, "argv", ["repstore", *map(str, arguments)]),
        redirect_stdout(out),
        redirect_stderr(err),
    ):
        try:
            main()
        except SystemExit as stop:
            code = int(stop.code or 0)
    if "This was not expected" in err.getvalue():
        raise AssertionError(err.getvalue())
    return Outcome(code, out.getvalue(), err.getvalue())
