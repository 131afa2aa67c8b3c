"""Figures of results. The only module that knows matplotlib."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from repstore.errors import ArgumentError, MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito 2008: told apart with any kind of color vision."""

METADATA: dict[str, dict[str, None]] = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
"""Formats, and what would make the same figure differ from day to day."""

REFERENCE_STYLES = ("--", ":", "-.")

Columns = Mapping[str, Sequence[Any]]


@dataclass(frozen=True)
class Curve:
    """A line through points, with a band about it, if one is given.

    Attributes:
        label: its name in the legend; empty for a line that needs none.
        x, y: *Shape of each:* (n_points,); None where there is no value.
        low, high: ends of the band. *Shape of each:* (n_points,).
        is_reference: drawn thin and dashed, in gray: something to compare with.
    """

    label: str
    x: Sequence[float]
    y: Sequence[float | None]
    low: Sequence[float | None] | None = None
    high: Sequence[float | None] | None = None
    is_reference: bool = False


@dataclass(frozen=True)
class Panel:
    """Curves that share axes, and dashed horizontal lines (label and height) to see them against."""

    title: str
    lines: Sequence[Curve]
    levels: Sequence[tuple[str, float]] = ()


def require_matplotlib() -> None:
    """Refuse to go on without what draws.

    Raises:
        MissingExtraError: matplotlib is not installed.
    """
    try:
        import matplotlib.figure  # noqa: F401  # what is there may be broken
    except ImportError:
        raise MissingExtraError(
            "Plots need matplotlib. Install it with: pip install 'repstore[plot]'"
        ) from None


def curves(path: Path, panels: Sequence[Panel], *, x_label: str, y_label: str, title: str = "") -> None:
    """Draw panels side by side, up to three in a row, on the same scale and with one legend.

    A name stands for the same thing in all of them, so each must list its lines in the same order.

    Raises:
        ArgumentError: the file cannot be written, or is of a kind that cannot be drawn.
        MissingExtraError: matplotlib is not installed.
    """
    n_across = min(3, len(panels))
    n_down = -(-len(panels) // n_across)
    size = (7, 4) if len(panels) == 1 else (1 + 3.6 * n_across, 0.6 + 3 * n_down)
    with _drawing(path, size) as figure:
        grid = figure.subplots(n_down, n_across, sharex=True, sharey=True, squeeze=False)
        legend: dict[str, Any] = {}  # kept by hand: matplotlib leaves out names that begin with "_"
        for axes, panel in zip(grid.flat, panels, strict=False):
            legend |= _draw_panel(axes, panel)
            axes.tick_params(labelbottom=True)
        legend.pop("", None)
        if legend:
            handles, names = list(legend.values()), list(legend)
            if len(panels) == 1:
                axes.legend(handles, names, frameon=False, fontsize=8)
            else:
                figure.legend(handles, names, frameon=False, loc="outside lower center", ncols=4)
        for axes in grid.flat[len(panels) :]:
            axes.set_visible(False)
        for axes in grid[:, 0]:
            axes.set_ylabel(y_label)
        for axes in grid.flat[max(0, len(panels) - n_across) : len(panels)]:
            axes.set_xlabel(x_label)
        figure.suptitle(title, x=0.01, ha="left", fontsize=11)


def _draw_panel(axes: Axes, panel: Panel) -> dict[str, Any]:
    """Draw one panel. Returns what its legend has to name."""
    colors, styles = itertools.cycle(COLORS), itertools.cycle(REFERENCE_STYLES)
    legend: dict[str, Any] = {}
    for line in panel.lines:
        y = np.array(line.y, float)
        if line.is_reference:
            (legend[line.label],) = axes.plot(line.x, y, next(styles), color="gray", linewidth=1.2)
            continue
        color = next(colors)
        (legend[line.label],) = axes.plot(line.x, y, "o-", color=color, markersize=3)
        if line.low is not None and line.high is not None:
            low, high = np.array(line.low, float), np.array(line.high, float)
            axes.fill_between(line.x, low, high, color=color, alpha=0.15, linewidth=0)
    for label, height in panel.levels:
        legend[label] = axes.axhline(height, color="gray", linestyle=(0, (1, 3)), linewidth=0.8)
    axes.set_title(panel.title, loc="left", fontsize=10)
    axes.spines[["top", "right"]].set_visible(False)
    return legend


def matrix(
    path: Path, columns: Columns, labels: Mapping[str, str], title: str, x: str, y: str, value: str
) -> None:
    """Draw `value` as a heat map over the values of `x` and `y`, the first row at the bottom."""
    across, up = (list(dict.fromkeys(columns[name])) for name in (x, y))
    grid = np.full((len(up), len(across)), np.nan)
    for a, b, v in zip(columns[x], columns[y], columns[value], strict=True):
        grid[up.index(b), across.index(a)] = v
    with _drawing(path, (6, 5)) as figure:
        axes = figure.add_subplot()
        axes.set_title(title, loc="left", fontsize=10)
        image = axes.imshow(grid, origin="lower", cmap="viridis", interpolation="nearest")
        color_bar = figure.colorbar(image)
        color_bar.set_label(labels[value])
        for axis, ticks in ((axes.xaxis, across), (axes.yaxis, up)):
            step = max(1, len(ticks) // 8)
            axis.set_ticks(range(0, len(ticks), step), [str(tick) for tick in ticks[::step]])
        axes.set_xlabel(labels[x])
        axes.set_ylabel(labels[y])


SAME_SENSE, OTHER_SENSE, OTHER_LEMMA = "#0072B2", "#E69F00", "#E5E5E5"


def trajectory(
    path: Path,
    rows: Sequence[Mapping[str, Any]],
    word: Mapping[str, Any],
    title: str,
    tied_layers: Sequence[int],
) -> None:
    """Draw the neighbors of a word at every layer, colored by what they have in common with it.

    Args:
        path: the file.
        rows: neighbors with layer, rank, form, lemma and sense.
        word: lemma and sense of the word itself; None where unknown.
        title: what they are neighbors of.
        tied_layers: where other words are as near as the last; drawn pale, and left out of the shares.
    """
    layers = list(dict.fromkeys(row["layer"] for row in rows))
    depth = max((row["rank"] for row in rows), default=1)
    cells = [
        _Cell(
            layers.index(row["layer"]),
            row["rank"],
            row["form"],
            _kinship(row, word),
            row["layer"] in tied_layers,
        )
        for row in rows
    ]
    with _drawing(path, (max(6.0, 1.5 + 0.52 * len(layers)), 2.4 + 0.24 * depth)) as figure:
        upper, lower = figure.subplots(2, 1, sharex=True, height_ratios=[1.2, 0.24 * depth])
        for name, color in _kinships(word):
            if name != "other lemma":
                shares = _shares(cells, name, len(layers))
                upper.plot(range(len(layers)), shares, "o-", color=color, markersize=3)
            for is_tied in (False, True):
                here = [cell for cell in cells if (cell.kinship, cell.is_tied) == (name, is_tied)]
                _draw_cells(lower, here, color, 0.3 if is_tied else 1, "_tied" if is_tied else name)
        for cell in cells:
            is_dark = cell.kinship in ("same sense", "same lemma") and not cell.is_tied
            color, place = "white" if is_dark else "black", {"ha": "center", "va": "center"}
            lower.text(cell.column, cell.rank, cell.form[:9], fontsize=5.5, color=color, **place)
        upper.axhline(0.5, color="gray", linestyle=(0, (1, 3)), linewidth=0.8)
        upper.set_ylim(-0.05, 1.05)
        upper.set_ylabel("share")
        upper.set_title(title, loc="left", fontsize=10)
        lower.set_ylim(depth + 0.6, 0.4)
        lower.set_yticks(range(1, depth + 1))
        lower.set_ylabel("rank")
        lower.set_xlabel("layer")
        lower.set_xlim(-0.6, len(layers) - 0.4)
        lower.set_xticks(range(len(layers)), [str(layer) for layer in layers], fontsize=7)
        for axes in (upper, lower):
            axes.spines[["top", "right"]].set_visible(False)
        figure.legend(*lower.get_legend_handles_labels(), frameon=False, loc="outside lower center", ncols=3)


@dataclass(frozen=True)
class _Cell:
    """A neighbor in the figure of a trajectory."""

    column: int
    rank: int
    form: str
    kinship: str
    is_tied: bool


def _shares(cells: Sequence[_Cell], kinship: str, n_columns: int) -> list[float]:
    """The share of a kinship in each column; NaN where it hangs on ties."""
    shares = []
    for column in range(n_columns):
        here = [cell for cell in cells if cell.column == column]
        is_tied = any(cell.is_tied for cell in here)
        n_kin = sum(cell.kinship == kinship for cell in here)
        shares.append(np.nan if is_tied else n_kin / max(1, len(here)))
    return shares


def _draw_cells(axes: Axes, cells: Sequence[_Cell], color: str, alpha: float, label: str) -> None:
    columns, heights = [cell.column for cell in cells], [0.94] * len(cells)
    bottoms = [cell.rank - 0.47 for cell in cells]
    axes.bar(columns, heights, 0.94, bottoms, color=color, alpha=alpha, label=label)


def _kinships(word: Mapping[str, Any]) -> list[tuple[str, str]]:
    """What a neighbor can have in common with a word, and its color."""
    if word.get("sense") is None:
        return [("same lemma", SAME_SENSE), ("other lemma", OTHER_LEMMA)]
    return [("same sense", SAME_SENSE), ("other sense", OTHER_SENSE), ("other lemma", OTHER_LEMMA)]


def _kinship(row: Mapping[str, Any], word: Mapping[str, Any]) -> str:
    if word.get("lemma") is None or row["lemma"] != word["lemma"]:
        return "other lemma"
    if word.get("sense") is None:
        return "same lemma"
    return "same sense" if row["sense"] == word["sense"] else "other sense"


@contextmanager
def _drawing(path: Path, size: tuple[float, float]) -> Iterator[Figure]:
    """A figure to draw into; then it is written, the same bytes for the same figure."""
    if path.suffix not in METADATA:
        raise ArgumentError(f"Cannot draw into {path}. Give a file ending in {', '.join(METADATA)}.")
    require_matplotlib()
    from matplotlib import rc_context
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    # A dollar sign in a run's name is not mathematics.
    with rc_context({"svg.hashsalt": "repstore", "text.parse_math": False}):
        figure = Figure(figsize=size, dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        yield figure
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, metadata=METADATA[path.suffix])
        except OSError as error:
            raise ArgumentError(f"Cannot draw into {path}: {error.strerror}.") from None
