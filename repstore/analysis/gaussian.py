"""Gaussian kernels of layers, to the precision of float32 at any bandwidth.

Kernel alignment does not change when every entry of a kernel matrix gets a number added for its row and one
for its column. So the kernels of each word with the middle of all are taken away where kernels are near 1,
and what is left has all its digits; as bandwidths grow, it becomes the inner product.
"""

from __future__ import annotations

import numpy as np

from repstore.analysis import gram
from repstore.analysis.aligned import Aligned
from repstore.analysis.gram import Kernel
from repstore.analysis.origin import sample, subtract_median

SAMPLE = 500
"""Words whose distances from each other have the median that bandwidths are measured in."""

SAME = 1e-13
"""Share of the squared lengths of two points below which their squared distance is rounding, of float64."""

BANDWIDTHS = 1e-5, 1e9
"""Beyond these, kernels are as at these: 0 but for equal vectors, and inner products."""

RAISED = 36.0
"""Exponent of the largest factor that kernels of narrow bandwidths are multiplied by; their squares are
summed in float32."""

FAR = 16.0
"""Half the squared length, in median distances, from which a point is far out, and takes float64."""


def gaussian(layer: Aligned, steep: float, *, hold: bool) -> Kernel:
    """Kernels exp(-steep d^2 / 2), d in median distances, but for a factor and numbers for each word.

    Args:
        layer: the words.
        steep: see `steepness`.
        hold: whether to hold all points in memory.
    """
    center, median = _median_distance(layer)
    scale = np.float32(1 / median if median else 0)
    far = FAR / max(1.0, steep / FAR)

    def place(rows: np.ndarray, start: int) -> None:
        del start
        rows -= center
        rows *= scale

    def finish(products: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
        up, across = (np.einsum("nd,nd->n", rows, rows) / 2 for rows in (left, right))
        _from_products(products, up, across, steep)
        some = np.flatnonzero(up > far)
        if len(some):
            products[some] = _in_float64(left[some], right, steep)
        some = np.flatnonzero(across > far)
        if len(some):
            products[:, some] = _in_float64(right[some], left, steep).T

    return Kernel(gram.points_of(layer, lambda _: place, hold=hold), layer.d_model, hold, finish)


def steepness(bandwidth: float) -> float:
    """What `gaussian` takes for a bandwidth in median distances."""
    return float(np.clip(bandwidth, *BANDWIDTHS)) ** -2


def is_narrow(steep: float) -> bool:
    """Whether kernels keep all but a factor: those with the middle may be far larger, and are left in."""
    return steep > 1


def _from_products(products: np.ndarray, up: np.ndarray, across: np.ndarray, steep: float) -> None:
    """Kernels from the inner products and half the squared lengths of points, in place."""
    products -= up[:, None]
    products -= across
    np.minimum(products, 0, out=products)
    products *= steep
    if is_narrow(steep):
        products += min(steep / 2, RAISED)
        np.exp(products, out=products)
        return
    np.expm1(products, out=products)
    products -= np.expm1(-steep * up)[:, None]
    products -= np.expm1(-steep * across)
    products /= steep


def _in_float64(left: np.ndarray, right: np.ndarray, steep: float) -> np.ndarray:
    """The kernels of points far out, some dimensions at a time: it takes the room of eight float32 tiles."""
    products, up, across = np.zeros((len(left), len(right))), np.zeros(len(left)), np.zeros(len(right))
    columns = max(left.shape[0], right.shape[0])
    for start in range(0, left.shape[1], columns):
        a, b = (rows[:, start : start + columns].astype(np.float64) for rows in (left, right))
        products += a @ b.T
        up += np.einsum("nd,nd->n", a, a) / 2
        across += np.einsum("nd,nd->n", b, b) / 2
    _from_products(products, up, across, steep)
    return products


def _median_distance(layer: Aligned) -> tuple[np.ndarray, float]:
    """A place amid the words, and the median of distances between some of them."""
    rows = sample(layer, SAMPLE)
    center = subtract_median(rows)
    squares, products = np.zeros(len(rows)), np.zeros((len(rows),) * 2)
    for start in range(0, rows.shape[1], gram.STEP):
        some = rows[:, start : start + gram.STEP].astype(np.float64)
        squares += np.einsum("nd,nd->n", some, some)
        products += some @ some.T
    distances = []
    for word, square in enumerate(squares[:-1]):
        both = square + squares[word + 1 :]
        squared = both - 2 * products[word, word + 1 :]
        squared[squared <= SAME * both] = 0
        distances.append(np.sqrt(squared))
    return center, float(np.median(np.concatenate(distances), overwrite_input=True))
