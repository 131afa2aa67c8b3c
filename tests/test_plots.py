"""Figures of results: what is drawn, and that the same result gives the same file."""

import dataclasses
import itertools
import re
import sys

import numpy as np
import pyarrow as pa
import pytest

from repstore import plots
from repstore.errors import ArgumentError, MissingExtraError
from repstore.plots.canvas import COLORS
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


def matrix(hole: float | None = 0.5, across=(0, 4, 8), up=(0, 4, 8), **provenance: str) -> ResultTable:
    cells = [(a, b, 1.0 if a == b else hole) for a in up for b in across]
    a, b, values = zip(*cells, strict=True)
    return ResultTable(
        pa.table({"layer_a": a, "layer_b": b, "cka": values}),
        "CKA of layers",
        units={"cka": "unbiased linear CKA"},
        provenance=provenance,
        figure=Figure("matrix", "layer_a", "cka", "layer_b"),
    )


def marked(best: tuple[int, ...] = (4, 0, 4), **provenance: str) -> ResultTable:
    """For each of the layers 0, 4 and 8 of b, the layer of a that is marked; -1 for none."""
    result = matrix(**provenance)
    marks = [best[b // 4] == a for a, b in zip(result["layer_a"], result["layer_b"], strict=True)]
    figure = Figure("matrix", "layer_a", "cka", "layer_b", mark="best")
    return dataclasses.replace(result, table=result.table.append_column("best", [marks]), figure=figure)


def panels(n: int = 2, shift: float = 0.0, depths=(5, 9), x: str = "layer") -> ResultTable:
    """Measures of runs of several depths; every other one has a band."""
    rows = [
        {"run": f"run{run}", "layer": layer, "depth": layer / max(1, n_layers - 1)}
        | {f"m{m}": shift + (run + 1) * layer**0.5 * 10.0**m for m in range(n)}
        | {"low": 0.1 + shift, "high": 2 + shift}
        for run, n_layers in enumerate(depths)
        for layer in range(n_layers)
    ]
    drawn = tuple((f"m{m}", ("low", "high") if m % 2 else None) for m in range(n))
    return ResultTable(
        pa.Table.from_pylist(rows),
        "Geometry by layer",
        units={"m0": "share of words", "depth": "0: embeddings, 1: last layer"},
        figure=Figure("panels", x, "", "run", panels=drawn),
    )


def without(result: ResultTable, *columns: str) -> ResultTable:
    """The same with nothing in some columns."""
    table = result.table
    for name in columns:
        at = table.column_names.index(name)
        table = table.set_column(at, name, pa.nulls(len(result), pa.float64()))
    return dataclasses.replace(result, table=table)


@pytest.mark.parametrize("suffix", MAGIC)
@pytest.mark.parametrize("draw", [curve, matrix, marked, panels])
def test_the_same_result_gives_the_same_bytes(draw, suffix, tmp_path):
    first, second = tmp_path / f"first{suffix}", tmp_path / f"second{suffix}"
    draw().plot(first)
    draw().plot(second)
    assert first.read_bytes().startswith(MAGIC[suffix])
    assert first.read_bytes() == second.read_bytes()


@pytest.mark.parametrize(
    ("one", "other"),
    [
        (curve(), curve(shift=0.01)),
        (matrix(), matrix(hole=0.4)),
        (marked(), marked(best=(4, 0, 0))),
        (panels(), panels(shift=0.1)),
    ],
    ids=["curve", "matrix", "marks", "panels"],
)
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


def shown(result: ResultTable, tmp_path) -> list[str]:
    """The lines that are written in a figure."""
    return re.findall("<!-- (.*) -->", texts_of(result, tmp_path))


def test_a_matrix_names_its_layers_and_its_scale(tmp_path):
    assert set(shown(matrix(), tmp_path)) >= {"CKA of layers", "layer", "4", "8", "cka (unbiased linear CKA)"}


def test_a_matrix_of_two_runs_says_whose_layers_they_are(tmp_path):
    lines = shown(matrix(run_a="m/base", run_b="m/repeat"), tmp_path)
    assert {"layer of m/base", "layer of m/repeat"} < set(lines)
    lines = shown(matrix(run_a="m/base", run_b="m/base"), tmp_path)
    assert lines.count("layer") == 2


@pytest.mark.parametrize(
    ("n_layers", "labels"),
    [
        (1, [0]),
        (7, [0, 1, 2, 3, 4, 5, 6]),
        (13, list(range(13))),
        (25, list(range(0, 25, 2))),
        (31, [0, 5, 10, 15, 20, 25, 30]),
        (32, [0, 4, 8, 12, 16, 20, 24, 28]),
        (33, [0, 4, 8, 12, 16, 20, 24, 28, 32]),
        (81, [0, 10, 20, 30, 40, 50, 60, 70, 80]),
    ],
)
def test_layers_are_labeled_in_round_steps_from_the_first(n_layers, labels, tmp_path):
    layers = range(n_layers)
    written = shown(matrix(across=layers, up=[100]), tmp_path)
    assert [text for text in written if text.isdigit()] == [*map(str, labels), "100"]


def test_cells_are_as_wide_as_high_and_grow_less_than_their_number(tmp_path):
    sizes = []
    for n_across, n_up in ((13, 13), (33, 33), (33, 13), (1, 33), (33, 1)):
        texts = texts_of(matrix(across=range(n_across), up=range(n_up)), tmp_path)
        width, height = map(float, re.findall(r'<image [^>]* width="([\d.]+)" height="([\d.]+)"', texts)[0])
        assert width / n_across == pytest.approx(height / n_up, rel=0.2)
        sizes.append(max(width, height))
    assert sizes[0] < sizes[1] < 33 / 13 * sizes[0]


def test_marked_cells_have_a_ring_each_and_the_legend_says_what_they_are(tmp_path):
    svg = texts_of(marked(run_a="m/base", run_b="m/repeat"), tmp_path)
    words = " ".join(re.findall("<!-- (.*) -->", svg))
    assert "best: in each column, the layer of m/base most like it" in words
    assert rings_of(svg) == 3
    assert rings_of(texts_of(marked(best=(4, -1, 0)), tmp_path)) == 2


def rings_of(svg: str) -> int:
    drawing, _, legend = svg.partition('id="legend_1"')
    ring = "fill: none; stroke: #ffffff"
    assert ring in legend
    return drawing.count(ring)


def test_a_matrix_without_marked_cells_has_no_legend(tmp_path):
    for result in (matrix(), marked(best=(-1, -1, -1))):
        assert 'id="legend' not in texts_of(result, tmp_path)


@pytest.mark.parametrize("hole", [None, float("nan")])
def test_cells_without_a_value_are_hatched_and_named(hole, tmp_path):
    svg = texts_of(matrix(hole=hole), tmp_path)
    assert "<!-- no value -->" in svg
    assert "<pattern" in svg
    assert "<pattern" not in texts_of(matrix(), tmp_path)


def test_a_matrix_without_any_value_can_be_drawn(tmp_path):
    assert "no value" in shown(matrix(hole=float("nan"), across=[0], up=[1]), tmp_path)


def test_a_long_title_goes_on_in_a_second_line(tmp_path):
    title = "CKA between the layers of meta-llama/Llama-2-7b-hf/base and smollm2/repeat over 1,197 words"
    for draw in (curve, matrix, panels):
        lines = shown(dataclasses.replace(draw(), title=title), tmp_path)
        assert title not in lines or draw is panels
        words = [word for line in lines for word in line.split(" ") if word in title.split(" ")]
        assert " ".join(words).count(title) == 1


def test_panels_name_measures_units_runs_and_layers(tmp_path):
    lines = shown(panels(), tmp_path)
    assert set(lines) > {"Geometry by layer", "m0", "m1", "share of words", "run0", "run1", "8"}
    assert lines.count("layer") == 2
    assert lines.count("run0") == 1


def test_every_panel_has_its_own_scale(tmp_path):
    assert {"2", "4", "20", "40"} < set(shown(panels(), tmp_path))


def test_runs_of_different_depths_are_drawn_by_relative_depth(tmp_path):
    lines = shown(panels(x="depth"), tmp_path)
    assert lines.count("depth (0: embeddings, 1: last layer)") == 2
    assert {"0.0", "1.0"} < set(lines)


def test_24_panels_have_a_title_each_and_only_the_lowest_name_their_axis(tmp_path):
    lines = shown(panels(24), tmp_path)
    assert [line for line in lines if re.fullmatch(r"m\d+", line)] == [f"m{m}" for m in range(24)]
    assert lines.count("layer") == 4


@pytest.mark.parametrize(("n", "n_across"), [(1, 1), (3, 3), (4, 4), (5, 3)])
def test_panels_stand_three_or_four_in_a_row(n, n_across, tmp_path):
    svg = texts_of(panels(n), tmp_path)
    titles = re.findall(r"<!-- m\d+ -->\s*<g transform=\"translate\(([\d.]+) ", svg)
    assert len(titles) == n
    assert len(set(titles)) == n_across


def test_measures_without_a_value_are_left_out(tmp_path):
    lines = shown(without(panels(3), "m1"), tmp_path)
    assert {"m0", "m2"} < set(lines)
    assert "m1" not in lines


def test_panels_without_any_value_are_refused(tmp_path):
    with pytest.raises(ArgumentError, match='"Geometry by layer" has no value to draw'):
        without(panels(2), "m0", "m1").plot(tmp_path / "figure.png")
    assert not list(tmp_path.iterdir())


def test_curves_are_told_apart_by_color_and_by_marker(tmp_path):
    svg = texts_of(panels(1), tmp_path)
    markers = re.findall(r'<path id="m\w+" d="([^"]*)" style="stroke: #(?:0072b2|d55e00)', svg)
    assert len(set(markers)) == 2


def test_a_band_without_values_is_not_drawn(tmp_path):
    panels(2).plot(tmp_path / "with.png")
    without(panels(2), "low", "high").plot(tmp_path / "without.png")
    assert (tmp_path / "with.png").read_bytes() != (tmp_path / "without.png").read_bytes()


@pytest.mark.parametrize("kind", ["curve", "panels"])
@pytest.mark.parametrize("n_layers", [1, 2, 4, 33])
def test_layers_are_whole_numbers_at_the_axis(kind, n_layers, tmp_path):
    figure = Figure(kind, "layer", "y", panels=(("y", None),))
    table = pa.table({"layer": list(range(n_layers)), "y": [0.25] * n_layers})
    svg = texts_of(ResultTable(table, "T", figure=figure), tmp_path)
    axis = svg[svg.index('id="matplotlib.axis_1"') : svg.index('id="matplotlib.axis_2"')]
    *layers, name = re.findall("<!-- (.*) -->", axis)
    assert name == "layer"
    assert layers[0] == "0"
    assert set(layers) <= set(map(str, range(n_layers)))


@pytest.mark.parametrize(("low", "high"), [(1e-9, 2e-9), (0.99999999, 1), (1e5, 2e5), (2e12, 3e12)])
def test_numbers_at_the_axis_of_a_panel_are_written_in_full(low, high, tmp_path):
    table = pa.table({"layer": [0, 1], "y": [low, high]})
    result = ResultTable(table, "T", figure=Figure("panels", "layer", "", panels=(("y", None),)))
    svg = texts_of(result, tmp_path)
    axis = svg[svg.index('id="matplotlib.axis_2"') :]
    numbers = [
        float(text.replace("\N{MINUS SIGN}", "-")) for text in re.findall("<!-- (.*[0-9].*) -->", axis)
    ]
    assert all(one < next for one, next in itertools.pairwise(numbers))
    assert numbers[-1] == pytest.approx(high, rel=0.2)


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


def test_what_each_curve_is_seen_against_has_its_color_unless_it_is_the_same_for_all(tmp_path):
    path = tmp_path / "figure.svg"
    dotted = {}
    for heights in ((0.5, 0.5), (0.5, 0.3)):
        rows = [row | {"majority": heights[row["run"] == "m/repeat"]} for row in curve()]
        figure = Figure("curve", "layer", "accuracy", "run", level="majority")
        dataclasses.replace(curve(), table=pa.Table.from_pylist(rows), figure=figure).plot(path)
        lines = [line for line in path.read_text(encoding="utf-8").splitlines() if "stroke-dasharray" in line]
        dotted[heights] = {line.partition("stroke: ")[2][:7] for line in lines}
    assert dotted[0.5, 0.5] == {"#808080"}
    assert dotted[0.5, 0.3] == {"#808080", *map(str.lower, COLORS[:2])}  # gray in the legend


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


def test_panels_are_drawn_without_the_bands_and_panels_that_a_table_has_not(tmp_path):
    table = pa.table({"run": ["a"] * 3, "layer": [0, 1, 2], "accuracy": [0.5, 0.6, 0.7]})
    panels = [("accuracy", ("low", "high")), ("selectivity", ("selectivity_low", "selectivity_high"))]
    result = ResultTable(
        table, "No resamples", figure=Figure("panels", "layer", "accuracy", "run", panels=panels)
    )
    result.plot(tmp_path / "curves.png")
    assert (tmp_path / "curves.png").stat().st_size > 0


def test_a_run_of_one_layer_has_its_interval_and_a_height_to_see_others_against(tmp_path, monkeypatch):
    from matplotlib.collections import LineCollection
    from matplotlib.figure import Figure as Drawing

    saved = []
    monkeypatch.setattr(Drawing, "savefig", lambda self, *_, **__: saved.append(self))
    columns = {"run": ["static", "m", "m"], "layer": [0, 0, 1], "accuracy": [0.5, 0.6, 0.7]}
    table = pa.table(columns | {"low": [0.4, 0.5, 0.6], "high": [0.55, 0.7, 0.8]})
    figure = Figure("curve", "layer", "accuracy", "run", ("low", "high"))
    for rows in (table, table.slice(0, 1)):
        ResultTable(rows, "T", figure=figure).plot(tmp_path / "a.png")
    (both,), (alone,) = (drawing.axes for drawing in saved)
    for axes in (both, alone):
        (interval,) = [one for one in axes.collections if isinstance(one, LineCollection)]
        assert np.array_equal(interval.get_segments(), [[[0, 0.4], [0, 0.55]]])
    dashed = [[line for line in axes.lines if line.get_linestyle() == "--"] for axes in (both, alone)]
    assert [[list(line.get_ydata()) for line in lines] for lines in dashed] == [[[0.5, 0.5]], []]


def legend_of(path, monkeypatch, n_joined):
    """Whether the one panel has the legend in it, and its label of the y axis."""
    from matplotlib.figure import Figure as Drawing

    saved = []
    monkeypatch.setattr(Drawing, "savefig", lambda self, *_, **__: saved.append(self))
    line = plots.Curve("a", [0, 1, 2], [0.1, 0.2, 0.3], [0.0, 0.1, 0.2], [0.2, 0.3, 0.9], n_joined=n_joined)
    label = "r_squared (1 - SSE / SST, of folds with other groups)"
    plots.curves(path, [plots.Panel("T", [line])], x_label="layer", y_label=label)
    (axes,) = saved[0].axes
    return axes.get_legend() is not None, axes.get_ylabel()


def test_a_legend_does_not_lie_on_the_interval_of_a_mix_nor_a_long_label_beyond_the_figure(
    tmp_path, monkeypatch
):
    inside, label = legend_of(tmp_path / "a.png", monkeypatch, None)
    assert inside
    assert max(map(len, label.splitlines())) < 40
    assert not legend_of(tmp_path / "b.png", monkeypatch, 2)[0]
