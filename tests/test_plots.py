"""Figures of results: what is drawn, and that the same result gives the same file."""

import dataclasses
import sys

import pyarrow as pa
import pytest

from repstore import plots
from repstore.errors import ArgumentError, MissingExtraError
from repstore.results import Figure, ResultTable

MAGIC = {".png": b"\x89PNG", ".svg": b"<?xml", ".pdf": b"%PDF"}


def curve(runs: tuple[str, ...] = ("m/base", "m/repeat"), shift: float = 0.0) -> ResultTable:
    rows = [
        {"run": run, "layer": layer, "accuracy": 0.5 + shift + 0.1 * n + 0.01 * layer, "majority": 0.55}
        for n, run in enumerate(runs)
        for layer in range(5)
    ]
    return ResultTable(
        pa.Table.from_pylist(rows),
        "Accuracy by layer",
        units={"accuracy": "share of test pairs"},
        figure=Figure("curve", "layer", "accuracy", "run", level="majority"),
    )


def matrix(hole: float = 0.5) -> ResultTable:
    layers = [0, 4, 8]
    cells = [(a, b, 1.0 if a == b else hole) for a in layers for b in layers]
    a, b, values = zip(*cells, strict=True)
    return ResultTable(
        pa.table({"layer_a": a, "layer_b": b, "cka": values}),
        "CKA of layers",
        units={"cka": "unbiased linear CKA"},
        figure=Figure("matrix", "layer_a", "cka", "layer_b"),
    )


@pytest.mark.parametrize("suffix", MAGIC)
@pytest.mark.parametrize("draw", [curve, matrix])
def test_the_same_result_gives_the_same_bytes(draw, suffix, tmp_path):
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    draw().plot(first)
    draw().plot(second)
    assert first.read_bytes().startswith(MAGIC[suffix])
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(("one", "other"), [(curve(), curve(shift=0.01)), (matrix(), matrix(hole=0.4))])
def test_other_values_give_another_figure(one, other, tmp_path):
    one.plot(tmp_path / "one.png")
    other.plot(tmp_path / "other.png")
    assert (tmp_path / "one.png").read_bytes() != (tmp_path / "other.png").read_bytes()


def texts_of(result: ResultTable, tmp_path) -> str:
    """An SVG draws letters as outlines, with the text as a comment beside them."""
    path = tmp_path / "figure.svg"
    result.plot(path)
    return path.read_text(encoding="utf-8")


def test_a_curve_names_its_axes_with_units_its_runs_and_the_majority(tmp_path):
    svg = texts_of(curve(), tmp_path)
    for text in (
        "Accuracy by layer",
        "layer",
        "accuracy (share of test pairs)",
        "m/base",
        "m/repeat",
        "majority",
    ):
        assert f"<!-- {text} -->" in svg


def test_a_matrix_names_its_layers_and_its_scale(tmp_path):
    svg = texts_of(matrix(), tmp_path)
    for text in ("CKA of layers", "layer_a", "layer_b", "4", "8", "cka (unbiased linear CKA)"):
        assert f"<!-- {text} -->" in svg


@pytest.mark.parametrize("name", ["a$b$c", "x_$^$", "_hidden", "<&>", "%s\\alpha"])
def test_any_name_of_a_run_can_be_drawn(name, tmp_path):
    shown = name.replace("&", "&amp;").replace("<", "&lt;").replace(">", "&gt;")
    assert f"<!-- {shown} -->" in texts_of(curve((name, "m/base")), tmp_path)
    titled = dataclasses.replace(matrix(), title=name)
    assert f"<!-- {shown} -->" in texts_of(titled, tmp_path)


def with_band(width: float | None) -> ResultTable:
    """Every other layer has an interval of this width."""
    rows = [
        row | {"low": width and row["accuracy"] - width, "high": width and row["accuracy"] + width}
        if n % 2
        else row | {"low": None, "high": None}
        for n, row in enumerate(curve())
    ]
    schema = pa.schema([*curve().table.schema, ("low", pa.float64()), ("high", pa.float64())])
    figure = Figure("curve", "layer", "accuracy", "run", band=("low", "high"))
    return dataclasses.replace(curve(), table=pa.Table.from_pylist(rows, schema), figure=figure)


def test_an_interval_is_drawn_about_its_curve(tmp_path):
    drawn = []
    for width in (0.1, 0.2, None):
        with_band(width).plot(tmp_path / "figure.svg")
        drawn.append((tmp_path / "figure.svg").read_bytes())
    assert len(set(drawn)) == 3


def test_curves_to_compare_with_are_gray_dashed_and_named(tmp_path):
    lines = [
        plots.Curve("m/base", [0, 1, 2], [0.5, None, 0.6], [0.4, None, 0.5], [0.6, None, 0.7]),
        plots.Curve("published", [0, 2], [0.55, 0.6], is_reference=True),
        plots.Curve("_other", [0, 2], [0.45, 0.5], is_reference=True),
        plots.Curve("", [0, 2], [0.4, 0.5]),
    ]
    path = tmp_path / "figure.svg"
    plots.curves(path, [plots.Panel("T", lines, [("chance", 0.5)])], x_label="depth", y_label="accuracy")
    svg = path.read_text(encoding="utf-8")
    for text in ("T", "depth", "accuracy", "m/base", "published", "_other", "chance"):
        assert f"<!-- {text} -->" in svg
    gray = [line for line in svg.splitlines() if "stroke: #808080" in line and "stroke-dasharray" in line]
    assert len({line.partition("stroke-dasharray: ")[2].partition(";")[0] for line in gray}) >= 2


def test_curves_without_names_have_no_legend(tmp_path):
    path = tmp_path / "figure.svg"
    plots.curves(path, [plots.Panel("T", [plots.Curve("", [0, 1], [0, 1])])], x_label="x", y_label="y")
    assert 'id="legend' not in path.read_text(encoding="utf-8")


def test_missing_values_can_be_drawn(tmp_path):
    for result in (curve(shift=float("nan")), matrix(hole=float("nan"))):
        result.plot(tmp_path / "figure.png")


def test_missing_folders_are_made(tmp_path):
    curve().plot(tmp_path / "new" / "folder" / "figure.png")
    assert (tmp_path / "new" / "folder" / "figure.png").stat().st_size > 1000


@pytest.mark.parametrize("name", ["figure.jpg", "figure", "figure.png.txt"])
def test_another_suffix_is_refused_and_nothing_is_written(name, tmp_path):
    with pytest.raises(ArgumentError, match=r"Give a file ending in \.png, \.svg, \.pdf"):
        curve().plot(tmp_path / name)
    assert not list(tmp_path.iterdir())


def test_a_figure_that_cannot_be_written_is_refused(tmp_path):
    (tmp_path / "file").touch()
    (tmp_path / "folder.png").mkdir()
    for path in (tmp_path / "file" / "figure.png", tmp_path / "folder.png"):
        with pytest.raises(ArgumentError, match=r"figure\.png|folder\.png"):
            curve().plot(path)


def test_a_list_has_no_plot(tmp_path):
    with pytest.raises(ArgumentError, match='"Words" is a list'):
        ResultTable(pa.table({"word": ["bank"]}), "Words").plot(tmp_path / "figure.png")


def test_without_matplotlib_the_error_says_what_to_install(tmp_path, monkeypatch):
    for module in ("matplotlib", "matplotlib.figure", "matplotlib.backends.backend_agg"):
        monkeypatch.setitem(sys.modules, module, None)
    with pytest.raises(MissingExtraError, match=r"pip install 'repstore\[plot\]'"):
        curve().plot(tmp_path / "figure.png")
