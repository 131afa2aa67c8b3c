"""The command line: parse, call, render; nothing else."""

from __future__ import annotations

import sys


def main() -> None:
    """Run the command line. An expected error is one line on stderr and exit code 1; 2 is wrong usage."""
    from repstore.cli.app import app
    from repstore.errors import RepstoreError

    try:
        app(prog_name="repstore")
    except RepstoreError as error:
        print(f"repstore: {error}", file=sys.stderr)
        sys.exit(1)
