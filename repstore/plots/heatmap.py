"""Matrices as heat maps."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from repstore.plots.canvas import drawing, named_ticks, wrapped

if TYPE_CHECKING:
    from matplotlib.artist import Artist
    from matplotlib.axes import Axes

LONGEST_FLAT = 4
"""Letters of a name that fits below a column; longer ones are on end."""

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Cells:
    """Names of the columns that a heat map is made of.

    Attributes:
        x, y: where a cell is.
        value: its color.
        mark: true in the cells that get a ring; None for no rings.
    """

    x: str
    y: str
    value: str
    mark: str | None = None


def matrix(path: Path, columns: Columns, cells: Cells, labels: Mapping[str, str], title: str) -> None:
    """Draw cells as a heat map, the first row at the bottom.

    Args:
        path: the file.
        columns: values by the name of their column; a value that is missing or NaN is hatched.
        cells: what the columns are for.
        labels: what the reader is told of `x`, `y`, `value` and `mark`.
        title: what is drawn.

    Raises:
        ArgumentError: the file cannot be written, or is of a kind that cannot be drawn.
        MissingExtraError: matplotlib is not installed.
    """
    across, up = (list(dict.fromkeys(columns[name])) for name in (cells.x, cells.y))
    places = [(up.index(b), across.index(a)) for a, b in zip(columns[cells.x], columns[cells.y], strict=True)]
    grid = np.full((len(up), len(across)), np.nan)
    for place, value in zip(places, columns[cells.value], strict=True):
        grid[place] = np.nan if value is None else value
    marks = columns[cells.mark] if cells.mark else []
    rings = [place for place, is_marked in zip(places, marks, strict=False) if is_marked]
    has_holes = bool(np.isnan(grid).any())
    keys = [labels[cells.mark]] if cells.mark and rings else []
    names = [str(name) for name in across], [str(name) for name in up]
    frame = _framed(names, cells, labels, title, [*keys, "no value"] if has_holes else keys)
    with drawing(path, frame.size, None) as figure:
        axes = figure.add_axes(frame.map_place)
        image = axes.imshow(grid, origin="lower", cmap="viridis", interpolation="nearest")
        if not np.isfinite(grid).any():
            image.set_clim(0, 1)
        figure.colorbar(image, cax=figure.add_axes(frame.bar_place), label=frame.value)
        for axis, ticks in zip((axes.xaxis, axes.yaxis), names, strict=True):
            shown = named_ticks(ticks)
            axis.set_ticks(shown, [ticks[n] for n in shown])
        for label in axes.get_xticklabels():
            if len(label.get_text()) > LONGEST_FLAT:
                label.set(rotation=90)
        axes.set_xlabel(frame.x)
        axes.set_ylabel(frame.y)
        figure.text(0.1 / frame.size[0], 1 - 0.1 / frame.size[1], frame.title, va="top", fontsize=10)
        legend = [_ring(axes, rings, frame.keys[0])] if rings else []
        if has_holes:
            legend.append(_hatch(axes, frame.keys[-1]))
        if legend:
            figure.legend(handles=legend, frameon=False, fontsize=8, loc="lower left", borderaxespad=0.4)


Place = tuple[float, float, float, float]


@dataclass(frozen=True)
class _Frame:
    """The texts of a heat map, in lines, and the room they leave.

    Attributes:
        size: width and height of the figure in inches.
        map_place, bar_place: left, bottom, width and height of the map and of its scale, as shares of `size`.
        title, x, y, value: what is written about it.
        keys: what is written in the legend.
    """

    size: tuple[float, float]
    map_place: Place
    bar_place: Place
    title: str
    x: str
    y: str
    value: str
    keys: Sequence[str]


def _framed(
    names: tuple[Sequence[str], Sequence[str]],
    cells: Cells,
    labels: Mapping[str, str],
    title: str,
    keys: Sequence[str],
) -> _Frame:
    """Arrange a heat map of columns and rows of these names, and a legend.

    By hand, since matplotlib's layouts squeeze the scale of a map that is narrow or flat. The map grows with
    the number of cells, but less than in proportion.
    """
    n_across, n_up = map(len, names)
    cell = min(9.0, 2.6 + 0.09 * max(n_across, n_up)) / max(n_across, n_up)
    width, height = max(2.2, cell * n_across), max(1.8, cell * n_up)
    below, beside = (0.09 * max(0, max(map(len, of)) - LONGEST_FLAT) for of in names)
    title, x = wrapped(title, width + 1.6, 10), wrapped(labels[cells.x], width + 0.8, 10)
    y, value = (wrapped(labels[name], height, 10) for name in (cells.y, cells.value))
    keys = [wrapped(key, width + 1, 8) for key in keys]
    n_title, n_x, n_y, n_value, *n_keys = (len(text.splitlines()) for text in (title, x, y, value, *keys))
    left, right = 0.5 + beside + 0.18 * n_y, 0.95 + 0.18 * n_value
    bottom, top = 0.45 + below + 0.2 * (n_x + sum(n_keys)), 0.2 + 0.18 * n_title
    across, up = left + width + right, bottom + height + top
    map_place = left / across, bottom / up, width / across, height / up
    bar_place = (left + width + 0.2) / across, bottom / up, 0.2 / across, height / up
    return _Frame((across, up), map_place, bar_place, title, x, y, value, keys)


def _ring(axes: Axes, places: Sequence[tuple[int, int]], label: str) -> Artist:
    """Draw a ring into cells, white with a dark edge: seen on every color."""
    from matplotlib.patheffects import withStroke

    up, across = zip(*places, strict=True)
    look: dict[str, Any] = {"facecolors": "none", "edgecolors": "white", "linewidths": 1.1}
    edge = withStroke(linewidth=2.4, foreground="black")
    return axes.scatter(across, up, s=34, label=label, path_effects=[edge], **look)


def _hatch(axes: Axes, label: str) -> Artist:
    """Hatch what lies below the image, which has holes where it has no value."""
    from matplotlib.patches import Patch

    look: dict[str, Any] = {"facecolor": "#E5E5E5", "edgecolor": "#999999", "hatch": "//////", "linewidth": 0}
    axes.patch.set(**look)
    return Patch(label=label, **look)
