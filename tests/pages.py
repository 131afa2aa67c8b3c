"""The code on the pages of the documentation: found, run from top to bottom, and held against what they show.

A block of ``python``, ``sh`` or ``sql`` (asked of ``demo/store``) is run, those of one page after each other,
with the same names and in the same folder. The block without a language after it shows what it printed: these
lines are among those printed, in this order. ``...`` on a line of its own stands for any lines, at the end of
one for the rest of it. Whole numbers and words are the same; numbers with a point may differ by TOLERANCE,
since processors round differently. Other languages (``text``, ``json``, ...) are pictures. What cannot be run
says why, in a comment before it:

    <!-- not run: REASON -->
"""

from __future__ import annotations

import ast
import io
import os
import re
import shlex
import subprocess
import sys
from collections.abc import Iterator
from contextlib import redirect_stdout
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from program import repstore

from repstore.cli.prompting import CONTINUED, PROMPT

ROOT = Path(__file__).parents[1]
PAGES = (ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md")))
RUN = ("python", "sh", "sql")
PICTURES = ("text", "json", "xml", "toml")
TOLERANCE = 0.02
"""How far numbers may be apart: this, or this share of the number."""

BLOCK = re.compile(
    r"(?:^<!-- not run: (?P<reason>[^\n]+) -->\n)?^```(?P<language>\w*)\n(?P<code>.*?)^```$", re.M | re.S
)
NUMBER = re.compile(r"(-?\d+\.\d+)")


@dataclass(frozen=True)
class Block:
    """A block of code: its language, why it is not run (if it is not), and what the page says it prints."""

    page: Path
    line: int
    language: str
    code: str
    reason: str | None
    shown: str | None = None

    @property
    def place(self) -> str:
        """Where it stands."""
        return f"{self.page.relative_to(ROOT)}:{self.line}"

    @property
    def is_run(self) -> bool:
        """Whether it is run."""
        return self.language in RUN and self.reason is None


def blocks(page: Path) -> list[Block]:
    """The blocks of a page; one that shows what another printed is part of that."""
    text = page.read_text(encoding="utf-8")
    found: list[Block] = []
    for match in BLOCK.finditer(text):
        line = text.count("\n", 0, match.start("code"))
        block = Block(page, line, match["language"], match["code"], match["reason"])
        before = found[-1] if found else None
        if (
            not block.language
            and not block.reason
            and before
            and before.language in RUN
            and before.shown is None
        ):
            found[-1] = Block(page, before.line, before.language, before.code, before.reason, block.code)
        else:
            found.append(block)
    return found


def transcript(code: str) -> tuple[list[str], str]:
    """What is typed in a picture of the shell, text by text, and all that is shown, without the prompts."""
    typed: list[str] = []
    shown = ""
    for line in code.splitlines(keepends=True):
        if line.startswith(PROMPT):
            typed.append(line.removeprefix(PROMPT))
        elif line.startswith(CONTINUED):
            typed[-1] += line.removeprefix(CONTINUED)
        elif not line.startswith("$ "):
            shown += line
    return typed, shown


def commands(code: str) -> Iterator[str]:
    """The commands of a shell block, each with the lines on which it goes on."""
    begun = ""
    for line in code.replace("\\\n", " ").splitlines(keepends=True):
        begun += line
        end = re.search(r"<<'?(\w+)'?", begun)  # text that a command is given on the following lines
        if not begun.endswith(f"\n{end[1]}\n") if end else _is_open(begun):
            continue
        if begun.strip() and not begun.lstrip().startswith("#"):
            yield begun.strip()
        begun = ""
    assert not begun, f"not a whole command: {begun}"


def _is_open(text: str) -> bool:
    try:
        shlex.split(text, comments=True)
    except ValueError:  # a quotation goes on
        return True
    return False


def arguments(command: str) -> list[str] | None:
    """What follows ``repstore`` in a command of its own, which is run in this process; None of any other."""
    if not command.startswith("repstore "):
        return None
    lexer = shlex.shlex(command, posix=True, punctuation_chars="|&;<>")
    lexer.whitespace_split = True
    words = list(lexer)
    is_alone = not any(word and set(word) <= set("|&;<>") for word in words)
    return words[1:] if is_alone else None


def run(block: Block, names: dict[str, Any]) -> str:
    """What a block prints in the current folder; a command that fails raises."""
    if block.language == "sh":
        return "".join(map(_run_command, commands(block.code)))
    if block.language == "sql":
        return _run_own(["sql", "demo/store", block.code])
    out, tree = io.StringIO(), ast.parse(block.code)
    last = tree.body[-1]
    with redirect_stdout(out):
        if isinstance(last, ast.Expr):  # its value is shown, as in a notebook
            exec(compile(ast.Module(tree.body[:-1], []), block.place, "exec"), names)
            value = eval(compile(ast.Expression(last.value), block.place, "eval"), names)
            print(repr(value) if value is not None else "")
        else:
            exec(compile(tree, block.place, "exec"), names)
    return out.getvalue()


def _run_own(words: list[str]) -> str:
    outcome = repstore(*words)
    assert outcome.code == 0, f"repstore {shlex.join(words)}\n{outcome.err}"
    return outcome.out


def _run_command(command: str) -> str:
    own = arguments(command)
    if own is not None:
        return _run_own(own)
    path = os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]])
    done = subprocess.run(
        ["bash", "-e", "-o", "pipefail", "-c", command], env={**os.environ, "PATH": path}, capture_output=True
    )
    assert done.returncode == 0, f"{command}\n{done.stderr.decode()}"
    return done.stdout.decode()


def missing(shown: str, printed: str) -> list[str]:
    """The lines of `shown` that are not among those of `printed`, in their order."""
    lines = iter(printed.splitlines())
    return [
        line
        for line in shown.splitlines()
        if line.strip() not in ("", "...") and not any(_agree(line, other) for other in lines)
    ]


def _agree(shown: str, printed: str) -> bool:
    wanted, got = shown.split(), printed.split()
    if wanted[-1] == "...":
        wanted, got = wanted[:-1], got[: len(wanted) - 1]
    return len(wanted) == len(got) and all(map(_same, wanted, got))


def _same(wanted: str, got: str) -> bool:
    a, b = NUMBER.split(wanted), NUMBER.split(got)
    return (
        len(a) == len(b)
        and a[::2] == b[::2]
        and all(
            abs(float(x) - float(y)) <= TOLERANCE * max(1, abs(float(x)))
            for x, y in zip(a[1::2], b[1::2], strict=True)
        )
    )
