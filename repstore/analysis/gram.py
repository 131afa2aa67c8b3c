"""Kernel matrices of all layers at once, tile by tile.

A kernel matrix has a row and a column for every word. None is ever there as a whole: a tile of the matrices
of all layers is, and all pairs of layers take what they need of it before the next one is made.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from repstore.analysis.aligned import Aligned
from repstore.analysis.memory import check_fits
from repstore.spec import Progress

TILE = 512
"""Rows and columns of a tile at most."""

STEP = 128
"""Rows read and placed at a time, while they are in a core's cache."""

SMALLEST_TILE = 16
"""Tiles do not get smaller than this, however little memory there is."""

CHUNK = 1 << 16
"""Entries of a tile that are multiplied and summed in float32; the sums of chunks are summed in float64."""

HELD = 0.75
"""Share of the memory that the points of all layers may take, if they fit, to be read only once."""

Points = Callable[[int, int, np.ndarray], np.ndarray]
"""The points of the words from `start` to before `stop`, read into room for as many numbers, or a view of
those that are held. *Shape:* (stop - start, d_model), float32."""

Place = Callable[[np.ndarray, int], None]
"""Turns vectors into points, in place; told the number of the first word."""

Fit = Callable[[Iterator[np.ndarray]], Place]
"""Finds how to place vectors from all the vectors of a layer, in blocks that must not be changed."""

Finish = Callable[[np.ndarray, np.ndarray, np.ndarray], None]
"""Turns inner products of points into a kernel, in place; told the points of the rows and of the columns."""


@dataclass(frozen=True, eq=False)
class Kernel:
    """How alike the words of a layer are: a function of the inner products of points that stand for them.

    Attributes:
        points: where the words are.
        d_model: width of a point.
        held: whether all points are in memory already.
        finish: makes the kernel of inner products; None if it is these.
    """

    points: Points
    d_model: int
    held: bool
    finish: Finish | None = None


@dataclass(frozen=True, eq=False)
class Tile:
    """A part of the kernel matrices, on or above their diagonal.

    Attributes:
        rows, columns: of which words.
        values: *Shape:* (n_layers, rows, columns), float32; overwritten by the next tile.
    """

    rows: slice
    columns: slice
    values: np.ndarray

    @property
    def on_diagonal(self) -> bool:
        """Whether rows and columns are the same words; else the tile stands for its mirror image, too."""
        return self.rows == self.columns


@dataclass(frozen=True, eq=False)
class Sums:
    """Sums over the kernel matrices of layers beside their diagonals, float64.

    Attributes:
        products: of the entries of two matrices, multiplied one by one. *Shape:* (n_layers, n_layers).
        rows: of each row. *Shape:* (n_layers, n_words).
        own: the diagonals. *Shape:* (n_layers, n_words).
    """

    products: np.ndarray
    rows: np.ndarray
    own: np.ndarray


def held(layers: Sequence[Aligned], memory: int) -> bool:
    """Whether the points of all layers fit into memory, beside what works on them."""
    return 4 * layers[0].n_words * sum(layer.d_model for layer in layers) <= HELD * memory


def points_of(layer: Aligned, fit: Fit, *, hold: bool) -> Points:
    """The points of a layer: held in memory, the layer being read once, or read again each time.

    What is held is placed in place, and given out as views.
    """
    if not hold:
        place = fit(layer.block(*step) for step in _steps(0, layer.n_words))
        return lambda start, stop, room: _read(layer, start, stop, room, place)
    points = _read(layer, 0, layer.n_words, np.empty(layer.n_words * layer.d_model, np.float32))
    place = fit(points[start:stop] for start, stop in _steps(0, layer.n_words))
    for start, stop in _steps(0, layer.n_words):
        place(points[start:stop], start)
    return lambda start, stop, _: points[start:stop]


def _read(
    layer: Aligned, start: int, stop: int, room: np.ndarray, place: Place = lambda *_: None
) -> np.ndarray:
    rows = room.reshape(stop - start, layer.d_model)
    for here, end in _steps(start, stop):
        block = rows[here - start : end - start]
        block[:] = layer.block(here, end)
        place(block, here)
    return rows


def _steps(start: int, stop: int) -> Iterator[tuple[int, int]]:
    return ((here, min(here + STEP, stop)) for here in range(start, stop, STEP))


def sums(
    kernels: Sequence[Kernel],
    n_words: int,
    *,
    memory: int,
    progress: Callable[[Progress], None],
) -> Sums:
    """What kernel alignment and correlation need of kernel matrices.

    Args:
        kernels: one for each layer.
        n_words: words of each.
        memory: bytes to work in, see `tiles`.
        progress: told of every tile.

    Raises:
        ResultError: too little memory.
    """
    products = np.zeros((len(kernels),) * 2)
    rows, own = np.zeros((2, len(kernels), n_words))
    for tile in tiles(kernels, n_words, memory=memory, progress=progress):
        if tile.on_diagonal:
            own[:, tile.rows] = np.einsum("lii->li", tile.values)
        here, up, across = _sums_within(tile)
        times = 1 if tile.on_diagonal else 2  # where float32 is not quite symmetric, half of each way
        products += times * here
        rows[:, tile.rows] += times / 2 * up
        rows[:, tile.columns] += times / 2 * across
    products = (products + products.T) / 2  # the same both ways, to the last digit
    return Sums(products, rows, own)


def _sums_within(tile: Tile) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Sums of products, of rows and of columns of a tile, without the diagonal. Overwrites the tile.

    Entries are split into a number for the row, one for the column, and a rest. Float32 sums up the rest
    alone, float64 all else. So the error is a share of the rest, which is no larger than what centering a
    kernel matrix leaves of it, however large what it takes away.

    *Shapes:* (n_layers, n_layers), (n_layers, rows), (n_layers, columns), float64.
    """
    n_layers, *shape = tile.values.shape
    up, rest_up = np.empty((2, n_layers, shape[0]))
    across, rest_across = np.empty((2, n_layers, shape[1]))
    for layer, value in enumerate(tile.values):
        if tile.on_diagonal:
            np.fill_diagonal(value, 0)
        up[layer], across[layer] = some_up, some_across = _offsets(value, tile.on_diagonal)
        value -= some_up[:, None]
        value -= some_across
        if tile.on_diagonal:
            np.fill_diagonal(value, 0)
        rest_up[layer], rest_across[layer] = _both_ways(value)
    rows = rest_up + shape[1] * up + across.sum(axis=1, keepdims=True)
    columns = rest_across + shape[0] * across + up.sum(axis=1, keepdims=True)
    products = rows @ up.T + up @ rest_up.T + columns @ across.T + across @ rest_across.T
    flat = tile.values.reshape(n_layers, -1)
    for start in range(0, flat.shape[1], CHUNK):
        some = flat[:, start : start + CHUNK]
        products += some @ some.T
    if tile.on_diagonal:
        on_it = up + across
        return products - on_it @ on_it.T, rows - on_it, columns - on_it
    return products, rows, columns


def _offsets(value: np.ndarray, on_diagonal: bool) -> tuple[np.ndarray, np.ndarray]:
    """A number for each row and one for each column that together are about the entries of a tile.

    *Shapes:* (rows,), (columns,), float32.
    """
    (n_rows, n_columns), (rows, columns) = value.shape, _both_ways(value)
    total = rows.sum()
    if not on_diagonal:
        return rows / n_columns, (columns - total / n_columns) / n_rows
    if n_rows < 3:
        return np.zeros_like(rows), np.zeros_like(columns)
    rows = (rows - total / (2 * (n_rows - 1))) / (n_rows - 2)  # the diagonal, 0, does not count
    return rows, rows


def _both_ways(value: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sums of rows and of columns, float32. BLAS is several times faster at them than numpy."""
    n_rows, n_columns = value.shape
    return value @ np.ones(n_columns, np.float32), np.ones(n_rows, np.float32) @ value


def tiles(
    kernels: Sequence[Kernel], n_words: int, *, memory: int, progress: Callable[[Progress], None]
) -> Iterator[Tile]:
    """All tiles on or above the diagonal.

    Points that are not held are read in panels: as many rows of all layers as the memory has room for. Each
    panel meets every row from its own on, so with p panels a row is read (p + 1) / 2 times on average.

    Args:
        kernels: one for each layer.
        n_words: words of each.
        memory: bytes for panels and tiles.
        progress: told of every tile.

    Raises:
        ResultError: too little memory for the smallest tiles.
    """
    size, panel = _sizes(kernels, n_words, memory)
    width = 0 if all(kernel.held for kernel in kernels) else sum(kernel.d_model for kernel in kernels)
    room_left, room_right = np.empty(panel * width, np.float32), np.empty(size * width, np.float32)
    room = np.empty(len(kernels) * size * size, np.float32)
    across = -(-n_words // size)
    n_done, n_total = 0, across * (across + 1) // 2
    for top in range(0, n_words, panel):
        bottom = min(top + panel, n_words)
        left = _gather(kernels, top, bottom, room_left)
        for start in range(top, n_words, size):
            stop = min(start + size, n_words)
            if start < bottom:
                right = [points[start - top : stop - top] for points in left]
            else:
                right = _gather(kernels, start, stop, room_right)
            for above in range(top, min(stop, bottom), size):
                rows = slice(above, min(above + size, bottom))
                some = [points[rows.start - top : rows.stop - top] for points in left]
                yield Tile(rows, slice(start, stop), _values(kernels, some, right, room))
                n_done += 1
                progress(Progress("Comparing layers", n_done, n_total, unit="tiles"))


def _gather(kernels: Sequence[Kernel], start: int, stop: int, room: np.ndarray) -> list[np.ndarray]:
    """Points of all layers. *Shape of each:* (stop - start, d_model), float32."""
    ends = np.cumsum([(stop - start) * kernel.d_model for kernel in kernels])[:-1]
    rooms = np.split(room[: (stop - start) * sum(kernel.d_model for kernel in kernels)], ends)
    return [kernel.points(start, stop, one) for kernel, one in zip(kernels, rooms, strict=True)]


def _values(
    kernels: Sequence[Kernel],
    left: Sequence[np.ndarray],
    right: Sequence[np.ndarray],
    room: np.ndarray,
) -> np.ndarray:
    """A tile of every layer, in the room given. *Shape:* (n_layers, rows, columns), float32."""
    shape = (len(kernels), len(left[0]), len(right[0]))
    values = room[: shape[0] * shape[1] * shape[2]].reshape(shape)
    for kernel, a, b, value in zip(kernels, left, right, values, strict=True):
        np.matmul(a, b.T, out=value)
        if kernel.finish is not None:
            kernel.finish(value, a, b)
    return values


def _sizes(kernels: Sequence[Kernel], n_words: int, memory: int) -> tuple[int, int]:
    """Rows of a tile and of a panel, which is whole tiles or everything. Four bytes to a number."""
    width = sum(kernel.d_model for kernel in kernels)
    widest = max(kernel.d_model for kernel in kernels)
    all_held = all(kernel.held for kernel in kernels)
    rest = memory - 4 * n_words * width if all_held else memory

    def needed(size: int) -> int:
        """For tiles, and eight more to compute one; for reading some rows in float64; for two blocks."""
        tile = 4 * (len(kernels) + 8) * size**2
        return tile if all_held else tile + 24 * STEP * widest + 8 * size * width

    size = TILE
    while size > SMALLEST_TILE and needed(size) > rest / 3:  # the rest is for longer panels, and fewer
        size //= 2
    check_fits(
        f"Comparing {len(kernels)} layers of {widest} dimensions",
        needed(size) + memory - rest,
        memory,
        "Allow more, or compare fewer layers.",
    )
    spare = 0 if all_held else (rest - needed(size)) // (4 * size * width)
    return size, n_words if all_held else min(size * (1 + spare), n_words)
