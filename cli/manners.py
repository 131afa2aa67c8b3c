"""What all commands have in common: --quiet and --debug, options given once, and help without color."""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterator
from typing import Annotated, Any

import typer
from typer.core import TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from repstore.cli.saying import DEBUG, QUIET, is_colored, silenced

Command = TyperCommand | TyperGroup


def _be_quiet(ctx: typer.Context, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        QUIET.set(True)
        ctx.find_root().with_resource(silenced())


def _debug(ctx: typer.Context, asked: bool) -> None:
    if asked and not ctx.resilient_parsing:
        DEBUG.set(True)


_source = typer.Typer(add_completion=False)


@_source.command()
def _of_all(
    quiet: Annotated[
        bool,
        typer.Option(
            "--quiet",
            "-q",
            callback=_be_quiet,
            expose_value=False,
            is_eager=True,
            help="No progress, no remarks.",
        ),
    ] = False,
    debug: Annotated[
        bool,
        typer.Option(
            "--debug",
            callback=_debug,
            expose_value=False,
            is_eager=True,  # before another option is refused
            help="Show where an error came from.",
        ),
    ] = False,
) -> None:
    """Only its options count: every command gets them."""


class Repstore(TyperGroup):
    """The root of the commands."""

    def __init__(self, **settings: Any) -> None:
        super().__init__(**settings)
        shared = get_command(_source).params
        for _, command in walk(self):
            command.params += shared
            _refuse_repeated(command)
            command.short_help = (command.help or "").split("\n\n")[0]  # whole in a list, not its beginning
            if not is_colored(sys.stdout):
                command.rich_markup_mode = None  # boxes are for terminals; elsewhere, help is plain text


def _refuse_repeated(command: Command) -> None:
    """Have a command refuse an option that is given twice and takes one value: the last would count alone."""
    make_parser = command.make_parser

    def made(ctx: Any) -> Any:
        parser = make_parser(ctx)
        parse_args = parser.parse_args

        def parsed(args: list[str]) -> Any:
            found = parse_args(args)
            for param, n in Counter(found[2]).items():
                if n > 1 and isinstance(param, TyperOption) and not param.multiple and not param.is_flag:
                    ctx.fail(f"{param.opts[0]} takes one value, and {n} are given")
            return found

        if not ctx.resilient_parsing:  # which completion asks for
            parser.parse_args = parsed  # type: ignore[method-assign]
        return parser

    command.make_parser = made  # type: ignore[method-assign]


def walk(
    command: Command, path: tuple[str, ...] = ("repstore",)
) -> Iterator[tuple[tuple[str, ...], Command]]:
    """A command and all below it, each with its name: ("repstore", "probe", "wic")."""
    yield path, command
    if isinstance(command, TyperGroup):
        for name, below in command.commands.items():
            assert isinstance(below, Command)
            yield from walk(below, (*path, name))
