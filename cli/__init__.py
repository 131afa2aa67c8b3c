"""The command line: parse, call, render; nothing else."""

from __future__ import annotations

import io
import sys
from contextvars import copy_context


def main() -> None:
    """Run the command line, and exit with its code (`ending.EXIT_CODES`)."""
    import os
    from pathlib import Path

    try:
        from repstore.cli.ending import ended
    except KeyboardInterrupt:  # which nothing is there yet to say
        print("repstore: Interrupted.", file=sys.stderr)
        sys.exit(130)
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:  # closed by the shell: >&-
            setattr(sys, name, Path(os.devnull).open(mode, encoding="utf-8"))  # noqa: SIM115  # until it ends
    if isinstance(sys.stdout, io.TextIOWrapper) and sys.stdout.errors == "strict":  # nobody asked for another
        sys.stdout.reconfigure(errors="surrogateescape")  # names of files go out as the bytes that they are
    sys.exit(copy_context().run(ended, _run))


def _run() -> None:
    import os

    from typer.main import get_command

    from repstore.cli.app import app

    command = get_command(app)
    if "_REPSTORE_COMPLETE" in os.environ:  # a shell asks what could stand next; this answers, and exits
        from repstore.cli.completing import words_of_bash

        with words_of_bash(os.environ):
            command.main(prog_name="repstore")
    with command.make_context("repstore", sys.argv[1:]) as ctx:
        command.invoke(ctx)
