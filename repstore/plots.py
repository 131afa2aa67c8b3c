"""Figures of results. The only module that knows matplotlib."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from repstore.errors import ArgumentError, MissingExtraError

if TYPE_CHECKING:
    from matplotlib.axes import Axes

COLORS = ("#0072B2", "#D55E00", "#009E73", "#CC79A7", "#E69F00", "#56B4E9", "#000000")
"""Okabe and Ito 2008: told apart with any kind of color vision."""

METADATA: dict[str, dict[str, None]] = {".png": {}, ".svg": {"Date": None}, ".pdf": {"CreationDate": None}}
"""Formats, and what would make the same figure differ from day to day."""

Columns = Mapping[str, Sequence[Any]]


def curves(
    path: Path,
    columns: Columns,
    labels: Mapping[str, str],
    title: str,
    x: str,
    y: str,
    series: str | None,
) -> None:
    """Draw `y` against `x`, one curve per value of `series`; a column ``majority`` is drawn dashed."""
    names = columns[series] if series else [""] * len(columns[x])
    with _drawing(path, (7, 4), title) as axes:
        lines = []
        for n, name in enumerate(dict.fromkeys(names)):
            mine = [at for at, of in enumerate(names) if of == name]
            color = COLORS[n % len(COLORS)]
            dashed = "gray" if len(set(columns.get("majority", ()))) == 1 else color
            across = [columns[x][at] for at in mine]
            lines += axes.plot(across, [columns[y][at] for at in mine], "o-", color=color, markersize=3)
            if "majority" in columns:
                axes.axhline(columns["majority"][mine[0]], color=dashed, linestyle="--", linewidth=0.8)
        entries = list(dict.fromkeys(map(str, names))) if series else []
        if "majority" in columns:
            lines += axes.plot([], [], "--", color="gray", linewidth=0.8)
            entries.append("majority")
        if entries:
            axes.legend(lines[-len(entries) :], entries, frameon=False)
        axes.set_xlabel(labels[x])
        axes.set_ylabel(labels[y])
        axes.spines[["top", "right"]].set_visible(False)


def matrix(
    path: Path, columns: Columns, labels: Mapping[str, str], title: str, x: str, y: str, value: str
) -> None:
    """Draw `value` as a heat map over the values of `x` and `y`, the first row at the bottom."""
    across, up = (list(dict.fromkeys(columns[name])) for name in (x, y))
    grid = np.full((len(up), len(across)), np.nan)
    for a, b, v in zip(columns[x], columns[y], columns[value], strict=True):
        grid[up.index(b), across.index(a)] = v
    with _drawing(path, (6, 5), title) as axes:
        image = axes.imshow(grid, origin="lower", cmap="viridis", interpolation="nearest")
        color_bar = axes.figure.colorbar(image)
        color_bar.set_label(labels[value])
        for axis, ticks in ((axes.xaxis, across), (axes.yaxis, up)):
            step = max(1, len(ticks) // 8)
            axis.set_ticks(range(0, len(ticks), step), [str(tick) for tick in ticks[::step]])
        axes.set_xlabel(labels[x])
        axes.set_ylabel(labels[y])


@contextmanager
def _drawing(path: Path, size: tuple[float, float], title: str) -> Iterator[Axes]:
    """Axes to draw on; then the figure is written, the same bytes for the same figure."""
    if path.suffix not in METADATA:
        raise ArgumentError(f"Cannot draw into {path}. Give a file ending in {', '.join(METADATA)}.")
    try:
        from matplotlib import rc_context
        from matplotlib.backends.backend_agg import FigureCanvasAgg
        from matplotlib.figure import Figure
    except ImportError:
        raise MissingExtraError(
            "Plots need matplotlib. Install it with: pip install 'repstore[plot]'"
        ) from None
    # A dollar sign in a run's name is not mathematics.
    with rc_context({"svg.hashsalt": "repstore", "text.parse_math": False}):
        figure = Figure(figsize=size, dpi=150, layout="constrained")
        FigureCanvasAgg(figure)
        axes = figure.add_subplot()
        yield axes
        axes.set_title(title, loc="left", fontsize=10)
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            figure.savefig(path, metadata=METADATA[path.suffix])
        except OSError as error:
            raise ArgumentError(f"Cannot draw into {path}: {error.strerror}.") from None
