"""Which dimensions of every layer are kept: a row of a map for each layer."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from repstore.plots.canvas import COLORS, drawing, tick_step, wrapped

MOST_COLUMNS = 1024
"""Columns of a map that can be told apart; where there are more dimensions, some neighbors share one."""

WIDTH = 11.0
"""Of the figure, in inches."""


def masks(path: Path, layers: Sequence[int], kept: Sequence[Sequence[int]], width: int, title: str) -> None:
    """Draw the dimensions that are kept, the first layer at the bottom, and beside them how many there are.

    Args:
        path: the file.
        layers: the number of each layer.
        kept: of each layer, which dimensions, from 0.
        width: how many dimensions there are.
        title: what is drawn.

    Raises:
        ArgumentError: the file cannot be written, or is of a kind that cannot be drawn.
        MissingExtraError: matplotlib is not installed.
    """
    step = -(-width // MOST_COLUMNS)
    shares = np.array([_shares(dimensions, width, step) for dimensions in kept])
    height = max(1.6, 0.16 * len(layers))
    title = wrapped(title, WIDTH - 0.5, 10)
    with drawing(path, (WIDTH, height + 1.1 + 0.18 * len(title.splitlines()))) as figure:
        across, counts = figure.subplots(1, 2, sharey=True, width_ratios=[8, 1])
        top = float(shares.max(initial=0)) or 1.0
        edges = (-0.5, width - 0.5, -0.5, len(layers) - 0.5)
        look = {"cmap": "Greys", "vmin": 0.0, "vmax": top, "interpolation": "nearest"}
        image = across.imshow(shares, origin="lower", aspect="auto", extent=edges, **look)
        across.set_xlabel("dimension")
        across.set_ylabel("layer")
        shown = range(0, len(layers), tick_step(len(layers)))
        across.set_yticks(list(shown), [str(layers[n]) for n in shown])
        counts.barh(range(len(layers)), [len(dimensions) for dimensions in kept], color=COLORS[0])
        counts.set_xlabel("kept")
        counts.spines[["top", "right"]].set_visible(False)
        if step > 1:
            label = f"share kept of {step} neighbors"
            figure.colorbar(image, ax=across, label=label, pad=0.01, fraction=0.03)
        figure.suptitle(title, x=0.01, ha="left", fontsize=10)


def _shares(dimensions: Sequence[int], width: int, step: int) -> np.ndarray:
    """Share of every `step` neighboring dimensions that is kept. *Shape:* (ceil(width / step),), float64."""
    counts = np.bincount(np.asarray(dimensions, np.int64) // step, minlength=-(-width // step))
    sizes = np.full(len(counts), step)
    sizes[-1] = width - step * (len(counts) - 1)
    shares: np.ndarray = counts / sizes
    return shares
