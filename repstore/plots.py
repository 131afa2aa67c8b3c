"""Figures of results: what can be drawn."""

from repstore.figures.canvas import require_matplotlib
from repstore.figures.curves import Curve, Panel, curves, small_multiples
from repstore.figures.heatmap import Cells, matrix
from repstore.figures.trajectory import trajectory

__all__ = [
    "Cells",
    "Curve",
    "Panel",
    "curves",
    "matrix",
    "require_matplotlib",
    "small_multiples",
    "trajectory",
]
