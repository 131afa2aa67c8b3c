"""What a command says beside its result: remarks and progress, on stderr, unless it is told to be quiet."""

from __future__ import annotations

import logging
import os
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from pathlib import Path
from typing import TextIO

from rich.console import Console

QUIET = ContextVar("quiet", default=False)
"""Whether remarks and progress are left out."""

DEBUG = ContextVar("debug", default=False)
"""Whether an error is shown with where it came from."""

HIDES_DOWNLOADS = "HF_HUB_DISABLE_PROGRESS_BARS"


def remark(text: str) -> None:
    """Say something that is neither the result nor an error."""
    if not QUIET.get():
        print(text, file=sys.stderr)


def say_error(text: str) -> None:
    """Say why a command ends. Where nobody can be told any more, it ends without a word."""
    with suppress(OSError):
        print(f"repstore: {text}", file=sys.stderr)


def counted(n: int, what: str) -> str:
    """So many of something, in words."""
    return f"{n:,} {what}{'' if n == 1 else 's'}"


def program() -> list[str]:
    """How the program was called, to say how to call it again."""
    called = sys.argv[0]
    is_package = Path(called).parts[-2:] == ("repstore", "__main__.py")
    return [sys.executable, "-m", "repstore"] if is_package else [called]


def console_of(stream: TextIO) -> Console:
    """A stream as rich writes to it: a terminal only if it is one, and styled only where that is wanted."""
    is_terminal = stream.isatty()
    styled = {} if is_colored(stream) else {"color_system": None}
    return Console(file=stream, force_terminal=is_terminal, highlight=False, **styled)  # type: ignore[arg-type]


def is_colored(stream: TextIO) -> bool:
    """Whether there is color: on a terminal that has it, unless NO_COLOR or FORCE_COLOR say otherwise."""
    if os.environ.get("NO_COLOR"):
        return False
    if os.environ.get("FORCE_COLOR"):
        return True
    return stream.isatty() and os.environ.get("TERM") not in (None, "dumb", "unknown")


@contextmanager
def silenced() -> Iterator[None]:
    """Within, libraries say nothing but errors."""
    before = os.environ.get(HIDES_DOWNLOADS)
    os.environ[HIDES_DOWNLOADS] = "1"
    logging.disable(logging.WARNING)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logging.disable(logging.NOTSET)
        del os.environ[HIDES_DOWNLOADS]
        if before is not None:
            os.environ[HIDES_DOWNLOADS] = before
