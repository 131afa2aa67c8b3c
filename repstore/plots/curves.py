"""Curves: panels on one scale, and small multiples with a scale each."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from repstore.plots.canvas import COLORS, drawing, named_ticks, wrapped

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

MARKERS = ("o", "s", "^", "D", "v", "P")
OPEN = ("s", "D", "P")
"""Curves are told apart in gray, too: by the shape of their points, and by those that are not filled."""

REFERENCE_STYLES = ("--", ":", "-.")

LEVEL_LOOK: dict[str, Any] = {"linestyle": (0, (1, 3)), "linewidth": 0.8}

MULTIPLE = (2.8, 2.1)
"""Width and height of one of the small multiples, in inches."""


@dataclass(frozen=True)
class Curve:
    """A line through points, with a band about it, if one is given.

    Attributes:
        label: its name in the legend; empty for a line that needs none.
        x, y: *Shape of each:* (n_points,); None where there is no value.
        low, high: ends of the band. *Shape of each:* (n_points,).
        is_reference: drawn thin and dashed, in gray: something to compare with.
        n_joined: how many points the line joins, from the first; None for all. The others are marked, large
            and one by one; the height of a curve of one point goes through the panel, for
            others to be seen against.
        level: name and height of what this curve alone is seen against, dotted in its color.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float | None] | None = None
    high: Sequence[float | None] | None = None
    is_reference: bool = False
    n_joined: int | None = None
    level: tuple[str, float] | None = None


@dataclass(frozen=True)
class Panel:
    """Curves that share axes, and dashed horizontal lines (label and height) to see them against.

    `unit` says what the heights mean, in small print below the title.
    """

    title: str
    lines: Sequence[Curve]
    levels: Sequence[tuple[str, float]] = ()
    unit: str = ""


def curves(
    path: Path,
    panels: Sequence[Panel],
    *,
    x_label: str,
    y_label: str,
    title: str = "",
    x_names: Sequence[str] = (),
) -> None:
    """Draw panels side by side, up to three in a row, on the same scale and with one legend.

    A name stands for the same thing in all of them, so each must list its lines in the same order. `x_names`
    are what stands at x = 0, 1, ..., if these are names and no numbers.

    Raises:
        ArgumentError: the file cannot be written, or is of a kind that cannot be drawn.
        MissingExtraError: matplotlib is not installed.
    """
    n_across = min(3, len(panels))
    n_down = -(-len(panels) // n_across)
    size = (7.0, 4.0) if len(panels) == 1 else (1 + 3.6 * n_across, 0.6 + 3 * n_down)
    with drawing(path, size) as figure:
        grid = figure.subplots(n_down, n_across, sharex=True, sharey=True, squeeze=False)
        legend: dict[str, Any] = {}
        for axes, panel in zip(grid.flat, panels, strict=False):
            legend |= _draw_panel(axes, panel)
            axes.tick_params(labelbottom=True)
            _name_ticks(axes, x_names)
            _write_titles([axes], [panel], size[0] / n_across - 0.8)
        if len(panels) == 1 and all(line.n_joined is None for line in panels[0].lines):
            _draw_legend(axes, legend)  # beside the curves; intervals of points apart it would not see
        else:
            _draw_legend(figure, legend, loc="outside lower center", ncols=4)
        for axes in grid[:, 0]:
            axes.set_ylabel(wrapped(y_label, 2.4, 10))
        for axes in grid.flat[max(0, len(panels) - n_across) : len(panels)]:
            axes.set_xlabel(x_label)
        _finish(figure, grid, len(panels), title)


def small_multiples(
    path: Path, panels: Sequence[Panel], *, x_label: str, title: str = "", x_names: Sequence[str] = ()
) -> None:
    """Draw panels with a scale each, three or four in a row, with one legend.

    A name stands for the same thing in all of them, so each must list its lines in the same order. `x_names`
    are what stands at x = 0, 1, ..., if these are names and no numbers.

    Raises:
        ArgumentError: the file cannot be written, or is of a kind that cannot be drawn.
        MissingExtraError: matplotlib is not installed.
    """
    n_across = _n_across(len(panels))
    n_down = -(-len(panels) // n_across)
    width, height = MULTIPLE
    with drawing(path, (max(4.5, width * n_across), 1 + height * n_down)) as figure:
        grid = figure.subplots(n_down, n_across, sharex=True, squeeze=False)
        legend: dict[str, Any] = {}
        for n, (axes, panel) in enumerate(zip(grid.flat, panels, strict=False)):
            legend |= _draw_panel(axes, panel)
            axes.locator_params(axis="y", nbins=5)
            axes.tick_params(labelsize=8, labelbottom=n >= len(panels) - n_across)
            _write_numbers_whole(axes)
            _name_ticks(axes, x_names)
        for start in range(0, len(panels), n_across):
            row = panels[start : start + n_across]
            _write_titles(list(grid.flat[start : start + len(row)]), row, width - 0.6)
        for axes in grid[-1]:
            axes.set_xlabel(wrapped(x_label, width - 0.4, 8), fontsize=8)
        _draw_legend(figure, legend, loc="outside lower center", ncols=max(2, min(4, n_across)))
        _finish(figure, grid, len(panels), title)


def _n_across(n_panels: int) -> int:
    """Panels in a row: three or four, whichever leaves fewer gaps."""
    return n_panels if n_panels < 4 else min((4, 3), key=lambda n: -n_panels % n)


def _draw_panel(axes: Axes, panel: Panel) -> dict[str, Any]:
    """Draw one panel. Returns what its legend has to name."""
    from matplotlib.lines import Line2D
    from matplotlib.ticker import MaxNLocator

    looks = zip(itertools.cycle(COLORS), itertools.cycle(MARKERS), strict=False)
    styles = itertools.cycle(REFERENCE_STYLES)
    legend: dict[str, Any] = {}
    for line in panel.lines:
        y = np.array(line.y, float)
        if line.is_reference:
            (legend[line.label],) = axes.plot(line.x, y, next(styles), color="gray", linewidth=1.2)
            continue
        color, marker = next(looks)
        look: dict[str, Any] = {
            "color": color,
            "marker": marker,
            "markerfacecolor": "white" if marker in OPEN else color,
        }
        joined = slice(line.n_joined)
        (legend[line.label],) = axes.plot(line.x[joined], y[joined], "-", markersize=3, **look)
        if line.low is not None and line.high is not None:
            low, high = np.array(line.low, float), np.array(line.high, float)
            axes.fill_between(line.x[joined], low[joined], high[joined], color=color, alpha=0.15, linewidth=0)
        if line.n_joined is not None:
            apart = slice(line.n_joined, None)
            axes.plot(line.x[apart], y[apart], linestyle="none", markersize=8, clip_on=False, **look)
            if line.low is not None:
                axes.vlines(line.x[apart], low[apart], high[apart], color=color, linewidth=1)
            if len(line.x) == 1 and any(len(other.x) > 1 for other in panel.lines):
                # Such as static vectors, which have no depth: all layers of others are seen against them.
                axes.axhline(y[0], color=color, linewidth=0.8, linestyle="--", zorder=0)
        if line.level is not None:
            label, height = line.level
            axes.axhline(height, color=color, **LEVEL_LOOK)
            legend[label] = Line2D([], [], color="gray", **LEVEL_LOOK)
    for label, height in panel.levels:
        legend[label] = axes.axhline(height, color="gray", **LEVEL_LOOK)
    if all(isinstance(x, int) for line in panel.lines for x in line.x):
        axes.xaxis.set_major_locator(MaxNLocator("auto", integer=True, min_n_ticks=1, steps=[1, 2, 5, 10]))
    axes.spines[["top", "right"]].set_visible(False)
    return legend


def _name_ticks(axes: Axes, names: Sequence[str]) -> None:
    """Write names at x = 0, 1, ...: of numbers as many as there is room for, and all others, on end."""
    if names:
        places = named_ticks(names)
        axes.set_xticks(places, [names[place] for place in places])
        for place, label in zip(places, axes.get_xticklabels(), strict=True):
            if not names[place].isdigit():
                label.set(rotation=90)


def _write_titles(row: Sequence[Axes], panels: Sequence[Panel], width: float) -> None:
    """Write titles, and units below them, at one height over panels that are so many inches wide."""
    units = [wrapped(panel.unit, width, 7.5) for panel in panels]
    above = 4 + 9.5 * max(len(unit.splitlines()) for unit in units)
    for axes, panel, unit in zip(row, panels, units, strict=True):
        place: dict[str, Any] = {"xy": (0, 1), "xycoords": "axes fraction", "va": "top", "color": "#555555"}
        axes.annotate(unit, xytext=(0, above), textcoords="offset points", fontsize=7.5, **place)
        axes.set_title(wrapped(panel.title, width, 10), loc="left", fontsize=10, pad=above + 4)


def _draw_legend(where: Axes | Figure, legend: dict[str, Any], **place: Any) -> None:
    """Name the curves; by hand, since matplotlib leaves out names that begin with "_"."""
    named = {name: handle for name, handle in legend.items() if name}
    if named:
        where.legend(list(named.values()), list(named), frameon=False, fontsize=8, **place)


def _write_numbers_whole(axes: Axes) -> None:
    """Write every number at the axis in full: a factor above it would lie on the title."""
    from matplotlib.ticker import ScalarFormatter

    largest = max(map(abs, axes.get_ylim()))
    plain = 1e-3 <= largest < 1e6
    axes.yaxis.set_major_formatter(ScalarFormatter(useOffset=False) if plain else "{x:g}")


def _finish(figure: Figure, grid: np.ndarray, n_panels: int, title: str) -> None:
    """Hide the axes without a panel, and write the title."""
    for axes in grid.flat[n_panels:]:
        axes.set_visible(False)
    width = figure.get_figwidth() - 0.2
    figure.suptitle(wrapped(title, width, 11), x=0.01, ha="left", fontsize=11)
