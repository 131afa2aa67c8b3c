"""Sums over Gram matrices, from products of features: the cheaper way where words are many.

The entries of two Gram matrices multiplied one by one sum up to the squares of X'Y (Kornblith et al. 2019,
arXiv 1905.00414, eq. 2), a matrix of d_model x d_model however many words there are.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import product

import numpy as np

from repstore.analysis.gram import STEP, Points, Sums
from repstore.spec import Progress

BLOCK = 2048
"""Words whose products are summed in float32; the sums of blocks are summed in float64."""

PIECE = 256
"""Words whose products are summed at a time where they are in float64."""

FAR = 100.0
"""Squared length, in medians, from which a word is far out, and those beside it take float64."""


def features_are_cheaper(
    widths: Sequence[int], pairs: np.ndarray, n_words: int, *, memory: int, held: bool
) -> bool:
    """Whether products of features take fewer operations than tiles of Gram matrices, and fit into memory.

    Args:
        widths: of the layers.
        pairs: which are asked for, each once. *Shape:* (n_layers, n_layers), bool.
        n_words: words of each layer.
        memory, held: as for `feature_sums`.
    """
    by_tiles = n_words**2 * (sum(widths) + len(widths) ** 2 / 2)
    by_features = 2 * n_words * float((np.outer(widths, widths) * pairs).sum())
    return by_features < by_tiles and _group(widths, n_words, memory, held) > 0


def feature_sums(
    points: Sequence[Points],
    widths: Sequence[int],
    pairs: np.ndarray,
    n_words: int,
    *,
    memory: int,
    held: bool,
    progress: Callable[[Progress], None],
) -> Sums:
    """What `gram.sums` finds for the pairs asked for, of points less their mean.

    Layers are taken in groups, as many as have room for the products of all pairs of two groups; each layer
    is read once for its mean, and once for every group that its own meets.

    Args:
        points: of each layer, from a place amid most of them.
        widths: of the layers.
        pairs: which are asked for, each once, and every layer with itself. *Shape:* (n_layers, n_layers).
        n_words: words of each layer.
        memory: bytes for products and blocks of points.
        held: whether all points are in memory already.
        progress: told of every block of words.
    """
    products, own = np.zeros(pairs.shape), np.zeros((len(points), n_words))
    means = [_mean(one, width, n_words) for one, width in zip(points, widths, strict=True)]
    groups = _met(pairs, _group(widths, n_words, memory, held))
    n_blocks = -(-n_words // BLOCK)
    for n_done, some in enumerate(groups):

        def tell(block: int, n_done: int = n_done) -> None:
            of_all = (n_done * n_blocks + block, len(groups) * n_blocks)
            progress(Progress("Comparing layers", *of_all, unit="blocks"))

        for (i, j), square in _squares(points, means, some, own, tell).items():
            products[i, j] = products[j, i] = square
    return Sums(products - own @ own.T, -own, own)  # the rows of centered matrices sum up to 0


def _mean(points: Points, width: int, n_words: int) -> np.ndarray:
    total, room = np.zeros(width), np.empty(STEP * width, np.float32)
    for start in range(0, n_words, STEP):
        stop = min(start + STEP, n_words)
        total += points(start, stop, room[: (stop - start) * width]).sum(axis=0, dtype=np.float64)
    mean: np.ndarray = total / n_words
    return mean


def _squares(
    points: Sequence[Points],
    means: Sequence[np.ndarray],
    pairs: Sequence[tuple[int, int]],
    own: np.ndarray,
    tell: Callable[[int], None],
) -> dict[tuple[int, int], float]:
    """Sum of the squares of X'Y for some pairs of layers; notes in `own` what X'X leaves out of XX'."""
    n_words = own.shape[1]
    found = {(i, j): np.zeros((len(means[i]), len(means[j]))) for i, j in pairs}
    n_rows = min(BLOCK, n_words)
    rooms = {layer: np.empty(n_rows * len(means[layer]), np.float32) for pair in pairs for layer in pair}
    of_pair = np.empty(max(map(len, means)) ** 2)
    for block, start in enumerate(range(0, n_words, BLOCK)):
        stop = min(start + BLOCK, n_words)
        rows = {
            layer: points[layer](start, stop, room[: (stop - start) * len(means[layer])])
            for layer, room in rooms.items()
        }
        for layer, points_here in rows.items():
            own[layer, start:stop] = _own(points_here, means[layer])
        for some in _pieces(rows, own[list(rows), start:stop]):
            for (i, j), sums in found.items():
                room = of_pair.view(some[i].dtype)[: sums.size].reshape(sums.shape)
                sums += np.matmul(some[i].T, some[j], out=room)
        tell(block + 1)
    for (i, j), sums in found.items():
        _subtract_outer(sums, n_words * means[i], means[j])
    return {pair: float(np.vdot(sums, sums)) for pair, sums in found.items()}


def _own(rows: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Squared lengths of points less their mean. *Shape:* (n_words,), float64."""
    own = np.empty(len(rows))
    for start in range(0, len(rows), PIECE):
        some = rows[start : start + PIECE] - mean
        own[start : start + PIECE] = np.einsum("nd,nd->n", some, some)
    return own


def _pieces(rows: dict[int, np.ndarray], own: np.ndarray) -> Iterator[dict[int, np.ndarray]]:
    """A block of words of some layers as it is, or in float64 and pieces if any word is far out in any.

    The square of what such a word adds to X'Y is later taken away again, and exceeds what is left by far.
    """
    if (own.max(axis=1) <= FAR * np.median(own, axis=1)).all():
        yield rows
        return
    for start in range(0, own.shape[1], PIECE):
        yield {layer: some[start : start + PIECE].astype(np.float64) for layer, some in rows.items()}


def _subtract_outer(matrix: np.ndarray, left: np.ndarray, right: np.ndarray) -> None:
    for row, value in zip(matrix, left, strict=True):
        row -= value * right


def _met(pairs: np.ndarray, size: int) -> list[list[tuple[int, int]]]:
    """Pairs that are worked on together: those of layers of two groups, or of one, of this size."""
    starts = range(0, len(pairs), size)
    met = (_within(pairs, up, across, size) for up, across in product(starts, starts) if up <= across)
    return [some for some in map(list, met) if some]


def _within(pairs: np.ndarray, up: int, across: int, size: int) -> Iterator[tuple[int, int]]:
    found = np.argwhere(pairs[up : up + size, across : across + size])
    return ((up + int(i), across + int(j)) for i, j in found)


def _group(widths: Sequence[int], n_words: int, memory: int, held: bool) -> int:
    """Layers in a group, 0 if not even one fits: float64 sums and a product, and blocks of points of two."""
    widest, rows = max(widths), min(BLOCK, n_words)
    rest = memory - 4 * n_words * sum(widths) if held else memory
    reading = 0 if held else 24 * STEP * widest
    blocks = 16 * min(PIECE, rows) * widest + (0 if held else 8 * rows * widest)
    size = 0
    while size < len(widths):
        more = size + 1
        if reading + 8 * widest**2 + more * blocks + 8 * more**2 * widest**2 > rest:
            break
        size = more
    return size
