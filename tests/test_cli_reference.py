"""docs/cli.md says what the commands take, and every example in it is one that they accept."""

import os
import shlex
import subprocess
import sys
from pathlib import Path

import pytest
from cli_page import PAGE, examples, page
from typer.core import TyperGroup
from typer.main import get_command

from repstore.cli.app import app
from repstore.cli.manners import walk

COMMANDS = dict(walk(get_command(app)))
EXAMPLES = examples()


def test_the_page_is_what_the_commands_make_of_it_now():
    assert PAGE.read_text(encoding="utf-8") == page(), "out of date: make reference"


@pytest.mark.parametrize("environment", [{"COLUMNS": "40"}, {"COLUMNS": "300", "FORCE_COLOR": "1"}], ids=str)
def test_the_page_does_not_depend_on_the_terminal(environment):
    program = "import sys; sys.path[:0] = ['tests']; from cli_page import page; sys.stdout.write(page())"
    done = subprocess.run(
        [sys.executable, "-c", program],
        capture_output=True,
        text=True,
        check=True,
        env=os.environ | environment,
        cwd=Path(__file__).parents[1],
    )
    assert done.stdout == PAGE.read_text(encoding="utf-8")


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_command_has_an_example_that_it_accepts(path):
    words = shlex.split(EXAMPLES[path])
    assert words[: len(path)] == list(path), "the example is of this command, or of one below it"
    command, arguments = COMMANDS[("repstore",)], words[1:]
    name = "repstore"
    while isinstance(command, TyperGroup):
        name, *arguments = arguments
        command = command.commands[name]
    context = command.make_context(name, arguments)
    assert not context.args
    assert any(value is not None for value in context.params.values())


@pytest.mark.parametrize("path", COMMANDS, ids=" ".join)
def test_every_parameter_of_every_command_is_explained(path):
    command = COMMANDS[path]
    assert command.help
    for param in command.params:
        assert param.help, param.name
        assert param.help.rstrip()[-1] in '.")', f"{param.name}: {param.help}"


def test_no_command_and_no_option_is_missing_from_the_page():
    text = page()
    for path, command in COMMANDS.items():
        if len(path) > 1:
            assert f"# {' '.join(path)}\n" in text
        for param in command.params:
            assert all(option in text for option in param.opts if option.startswith("-"))
