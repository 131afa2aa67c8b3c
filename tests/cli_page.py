"""docs/cli.md, made from the commands themselves: ``make reference``."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from typer.core import TyperGroup
from typer.main import get_command

from repstore.cli.app import app
from repstore.cli.ending import EXIT_CODES
from repstore.cli.manners import Command, walk

PAGE = Path(__file__).parents[1] / "docs" / "cli.md"
SHARED = {"quiet", "debug", "help"}
VALUES = {"str": "TEXT", "int": "N", "int range": "N", "float": "X", "path": "PATH"}
INTRODUCTION = """\
# Command line

*Made from the program by `make reference`; a test says when it is out of date.*

`repstore COMMAND --help` says what a command takes, `repstore --version` which version this is. What holds
for all commands:

- A result goes to stdout, and nothing else does; progress and remarks go to stderr. So
  `repstore probe wic store/ --format csv > wic.csv` writes a table and still shows how far it is.
- `--format json` and `--format csv` are for programs, `--format table` is for people.
- `--quiet` (`-q`) leaves out progress and remarks, never an error. `--debug` shows where an error came from.
  Both stand wherever you like: `repstore -q runs store/` and `repstore runs store/ -q`.
- An option that may be given several times says "repeatable"; any other is refused if it is given twice.
- An error is one line on stderr that begins with `repstore:`.
- There is color on a terminal only, and none with `NO_COLOR=1` or `TERM=dumb`; with `FORCE_COLOR=1` help is
  colored anywhere.
- `python -m repstore` is the same program.

Shells complete commands, options, choices, and the runs, layers, transforms, mixes, probes, lemmas and senses
of the store on the line. `repstore --install-completion` sets up bash, zsh, fish or PowerShell, whichever you
are in; `repstore --show-completion` prints the script instead.

## Exit codes

| code | meaning |
|---|---|
"""


def page() -> str:
    """The text of the page."""
    codes = "".join(f"| {code} | {meaning} |\n" for code, meaning in EXIT_CODES.items())
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    sections = ["\n".join(_section(path, command)) for path, command in walk(root) if len(path) > 1]
    return f"{INTRODUCTION}{codes}\n" + "\n\n".join(sections) + "\n"


def examples() -> dict[tuple[str, ...], str]:
    """The example of every command."""
    root = get_command(app)
    assert isinstance(root, TyperGroup)
    return {path: _parts(command)[1] for path, command in walk(root)}


def _section(path: tuple[str, ...], command: Command) -> Iterator[str]:
    text, example = _parts(command)
    yield f"{'##' if len(path) == 2 else '###'} {' '.join(path)}"
    yield ""
    yield text
    yield ""
    yield f"```console\n$ {example}\n```"
    context = command.make_context(path[-1], [], resilient_parsing=True)
    lines = [_line(param, context) for param in command.params if param.name not in SHARED]
    if lines:
        yield ""
        yield from lines


def _parts(command: Command) -> tuple[str, str]:
    """What a command is for, and its example in one line."""
    text, _, example = (command.help or "").partition("\nExample: ")
    return text.strip(), " ".join(example.split())


def _line(param: Any, context: Any) -> str:
    """A parameter: how it is written, what it means, what it is unless given."""
    if param.param_type_name == "argument":
        name = (param.metavar or param.name.upper()).strip("[]")
        one_of = param.display_type(context).strip("<>") if param.type_descriptor.is_choice else ""
        said = f"one of {one_of}" if one_of else "" if param.required else "may be left out"
    else:
        names = [*param.opts, *param.secondary_opts]
        name = ", ".join(names if param.is_flag else [f"{one} {_value(param, context)}" for one in names])
        said = "required" if param.required else _default(param)
    return f"- `{name}`: {param.help}" + (f" *{said[0].upper()}{said[1:]}.*" if said else "")


def _value(param: Any, context: Any) -> str:
    kind = re.sub(r"^list\[(.*)\]$", r"\1", param.display_type(context).strip("<>"))
    return param.metavar or VALUES.get(kind, kind)


def _default(param: Any) -> str:
    if param.default in (None, False):
        return ""
    if param.is_flag:
        return f"default: `{param.opts[0]}`"
    given = param.default if isinstance(param.default, list) else [param.default]
    return f"default: {', '.join(f'`{value}`' for value in given)}"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
