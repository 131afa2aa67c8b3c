"""Figures of results: what can be drawn. The only package that knows matplotlib."""

from repstore.plots.canvas import require_matplotlib
from repstore.plots.curves import Curve, Panel, curves, small_multiples
from repstore.plots.heatmap import Cells, matrix
from repstore.plots.masks import masks
from repstore.plots.trajectory import trajectory

__all__ = [
    "Cells",
    "Curve",
    "Panel",
    "curves",
    "masks",
    "matrix",
    "require_matplotlib",
    "small_multiples",
    "trajectory",
]
