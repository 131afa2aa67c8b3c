"""The pages of the documentation do what they say: their code runs on a real model, links lead somewhere."""

import io
import os
import re
import shlex
import shutil
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path
from types import SimpleNamespace

import pages
import pytest
from program import repstore as command
from typer.main import get_command

import repstore
from repstore.cli.app import app
from repstore.cli.demo import run_demo
from repstore.cli.dots import Session
from repstore.cli.prompting import PROMPT
from repstore.cli.shell import is_whole, talk

ROOT = pages.ROOT
ELSEWHERE = {"docs/cli.md": "test_cli_reference.py", "docs/probing.md": "test_probing_page.py"}
"""Pages with tests of their own: one is made from the commands, the other runs for minutes."""
BLOCKS = {page: pages.blocks(page) for page in pages.PAGES if str(page.relative_to(ROOT)) not in ELSEWHERE}
RUNNING = {page: [block for block in found if block.is_run] for page, found in BLOCKS.items()}
COMMANDS = [
    words
    for found in BLOCKS.values()
    for block in found
    if block.language == "sh"
    for line in pages.commands(block.code)
    if (words := pages.arguments(line)) is not None
]
TIMED = r"\(\d+\.\d+ s\)"
IS_WHOLE = "REPSTORE_TEST_DEMO" in os.environ


def name_of(page: Path) -> str:
    return str(page.relative_to(ROOT))


@pytest.fixture
def folder(project, tmp_path, monkeypatch):
    """The current folder, a copy of the demo that one page may change."""
    copy = shutil.copytree(project, tmp_path / "project")
    monkeypatch.chdir(copy)
    yield copy
    monkeypatch.undo()
    shutil.rmtree(copy)


@pytest.mark.model
@pytest.mark.parametrize("page", [page for page, found in RUNNING.items() if found], ids=name_of)
def test_the_code_of_a_page_runs_and_prints_what_it_shows(page, folder, monkeypatch):
    """What a page shows of the demo is compared where the store is that of the demo, by `make pages`."""
    monkeypatch.setattr("repstore.encode.loading.default_device", lambda: "cpu")  # in float32 everywhere
    names: dict[str, object] = {}
    is_of_demo = "demo/" in page.read_text(encoding="utf-8")
    for block in RUNNING[page]:
        try:
            printed = pages.run(block, names)
        except Exception as error:
            error.add_note(f"in {block.place}")
            raise
        if block.shown and (IS_WHOLE or not is_of_demo):
            assert pages.missing(block.shown, printed) == [], f"{block.place} prints:\n{printed}"


@pytest.mark.model
def test_the_demo_answers_from_the_store_and_suggests_commands_that_run(project, monkeypatch, capsys):
    monkeypatch.chdir(project)
    run_demo(Path("demo"), Path("data/polysemy.jsonl"))
    printed = capsys.readouterr().out
    assert printed.count("nothing to do") == 2
    for figure in ("wic.png", "cka.png"):
        assert Path("demo", figure).read_bytes().startswith(b"\x89PNG")
    suggested = printed.partition("Try next:")[2].strip().splitlines()
    assert len(suggested) == 3
    for line in suggested:
        outcome = command(*shlex.split(line)[1:])
        assert outcome.code == 0, outcome.err


@pytest.mark.model
def test_the_shell_answers_what_its_page_shows_typed(folder, monkeypatch):
    """All but how long it takes; and where the store is not that of the demo, it answers as often."""
    (picture,) = [block for block in BLOCKS[ROOT / "docs/shell.md"] if PROMPT in block.code]
    typed, shown = pages.transcript(picture.code)
    assert all(map(is_whole, typed))
    keyboard = SimpleNamespace(prompt=iter(typed).__next__)
    monkeypatch.setattr("repstore.cli.prompting.prompt_session", lambda *_: keyboard)
    monkeypatch.setenv("COLUMNS", "100")
    printed = io.StringIO()
    with repstore.open("demo/store") as store, redirect_stdout(printed), redirect_stderr(printed):
        talk(Session(store, store.sql), "table")
    answered = printed.getvalue().replace(os.getcwd(), "/home/ada")
    (shown, n_shown), (answered, n_answered) = (re.subn(TIMED, "(1 s)", text) for text in (shown, answered))
    assert n_shown == n_answered > 2, answered
    if IS_WHOLE:
        assert pages.missing(shown, answered) == [], answered


def test_every_block_is_run_or_says_why_not():
    silent = [
        block.place
        for found in BLOCKS.values()
        for block in found
        if not (block.language in (*pages.RUN, *pages.PICTURES) or block.reason)
    ]
    assert silent == []


def test_no_code_stands_where_it_is_not_found():
    """No fence of another kind, no indented block, no command in a picture that says nothing of it."""
    for page, found in BLOCKS.items():
        text = pages.BLOCK.sub("", page.read_text(encoding="utf-8"))
        assert not re.search(r"^ *(```|~~~)|^ {4,}(repstore|python|pip|make) ", text, re.M), name_of(page)
        for block in found:
            has_commands = re.search(r"^(\$ )?repstore ", block.code, re.M)
            assert block.language in pages.RUN or block.reason or not has_commands, block.place


def test_most_blocks_are_run():
    code = [block for found in BLOCKS.values() for block in found if block.language in pages.RUN]
    assert sum(block.is_run for block in code) > 0.7 * len(code) > 20


def test_the_pages_show_every_verb():
    assert {words[0] for words in COMMANDS} >= {"ingest", "runs", "probe", "neighbors", "compare", "sql"}


@pytest.mark.parametrize("words", COMMANDS, ids=" ".join)
def test_every_command_of_the_pages_is_well_formed(words):
    name, *rest = words
    get_command(app).commands[name].make_context(name, rest)


@pytest.mark.parametrize("page", pages.PAGES, ids=name_of)
def test_every_file_that_a_page_links_to_is_there(page):
    targets = re.findall(r"\]\(([^)#\s]+)[^)]*\)", pages.BLOCK.sub("", page.read_text(encoding="utf-8")))
    assert [target for target in targets if "://" not in target and not (page.parent / target).exists()] == []


def test_every_make_target_of_the_readme_is_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"\bmake (\w+)", "\n".join(block.code for block in BLOCKS[ROOT / "README.md"]))
    assert {"demo", "test"} <= set(targets)
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)


@pytest.mark.parametrize(
    ("shown", "printed", "lacking"),
    [
        ("a 1.00\nb 2", "head\na 1.01\nc 3\nb 2\n", []),
        ("a 1.00", "a 1.03", ["a 1.00"]),
        ("b 2\na 1", "a 1\nb 2", ["a 1"]),
        ("a 1 ...\n...\nb", "a 1 2 3\nb", []),
        ("n 1197", "n 1198", ["n 1197"]),
        ("8,192.0", "8,192.01", []),
    ],
)
def test_what_is_shown_is_looked_for_in_what_is_printed(shown, printed, lacking):
    assert pages.missing(shown, printed) == lacking


def test_commands_end_where_the_shell_ends_them():
    code = 'a \\\n  b\n# said\nrepstore sql s "select\n1"\ncat > f <<END\nit\'s\nEND\nc | d\n'
    assert list(pages.commands(code)) == [
        "a    b",
        'repstore sql s "select\n1"',
        "cat > f <<END\nit's\nEND",
        "c | d",
    ]
    assert pages.arguments('repstore sql s "a | b" --format json') == [
        "sql",
        "s",
        "a | b",
        "--format",
        "json",
    ]
    assert pages.arguments("repstore runs s | head") is None
    assert pages.arguments("cat f") is None
