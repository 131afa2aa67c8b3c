"""What is asked like an array of numpy, though its rows are in files or are yet to be made."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator
from types import EllipsisType
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, DTypeLike

ROWS_AT_ONCE = 1024
"""Rows that are in memory at a time while one goes through them."""

Rows = int | np.integer[Any] | slice | EllipsisType | ArrayLike
"""Which rows: one, a slice, several by number, or those where a mask is true; as numpy takes them."""


class ArrayOfRows(ABC):
    """What numpy takes for an array: ``a[8]``, ``a[2:9]``, ``a[mask, :3]``, ``np.asarray(a)``.

    A slice of rows may be a view, which cannot be written to; all else is a copy in memory.
    """

    @property
    @abstractmethod
    def shape(self) -> tuple[int, int]:
        """How many rows, and their width."""

    @abstractmethod
    def take(self, rows: np.ndarray) -> np.ndarray:
        """Copy some rows. *Shape:* (len(rows), width)."""

    @abstractmethod
    def between(self, start: int, stop: int) -> np.ndarray:
        """Rows that follow each other: a view if it can be. *Shape:* (stop - start, width)."""

    @property
    def ndim(self) -> int:
        """2."""
        return 2

    def __len__(self) -> int:
        return self.shape[0]

    def __getitem__(self, index: Rows | tuple[Rows, Any]) -> Any:  # a number, row or matrix, as in numpy
        """Rows, or columns of rows.

        Raises:
            IndexError: there is no such row or column, or it is no index.
        """
        rows, *columns = (index or (...,)) if isinstance(index, tuple) else (index,)
        if len(columns) > 1:
            raise IndexError(f"{len(columns) + 1} indices are given for rows and columns.")
        if isinstance(rows, slice | EllipsisType):
            found = self._sliced(slice(None) if rows is ... else rows)
            return found[:, columns[0]] if columns else found
        which = rows_meant(rows, len(self))
        found = self.take(which.reshape(-1))
        if not columns:
            return found.reshape(*which.shape, self.shape[1])
        return found[np.arange(which.size).reshape(which.shape), columns[0]]

    def _sliced(self, rows: slice) -> np.ndarray:
        start, stop, step = rows.indices(len(self))
        if step != 1:
            return self.take(np.arange(start, stop, step))
        return self.between(start, max(start, stop))

    def __iter__(self) -> Iterator[np.ndarray]:
        """The rows, one by one."""
        for start in range(0, len(self), ROWS_AT_ONCE):
            yield from self[start : start + ROWS_AT_ONCE]

    def __getitems__(self, rows: list[int]) -> np.ndarray:
        """A batch of rows, as the DataLoader of PyTorch asks for it. *Shape:* (len(rows), width)."""
        return self.take(rows_meant(rows, len(self)))

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> np.ndarray:
        """All rows, for numpy.

        Raises:
            ValueError: `copy` is False, and it takes a copy.
        """
        whole: np.ndarray = self[:]
        if whole.base is None:  # no view, but made just now
            if copy is False:
                raise ValueError("These rows are in several places; one array of them is a copy.")
            copy = None
        return np.array(whole, dtype, copy=copy)

    def to_numpy(self, dtype: DTypeLike | None = None) -> np.ndarray:
        """All rows in memory, yours to change; as stored, or of another dtype. *Shape:* `shape`."""
        return self.__array__(dtype, copy=True)


def rows_meant(given: ArrayLike, n: int) -> np.ndarray:
    """The rows that an index of numpy means: each from 0 on. *Shape:* as `given`; (n_true,) of a mask.

    Raises:
        IndexError: there is none of that number, or it is no index.
    """
    rows = np.asarray(given)
    if rows.dtype == bool:
        if rows.shape != (n,):
            raise IndexError(f"A mask of shape {rows.shape} is given for {n:,} rows.")
        return np.flatnonzero(rows)
    if rows.size == 0:
        rows = rows.astype(np.int64)
    if rows.dtype.kind not in "iu":
        raise IndexError(f"{given!r} is no row: give a number, several, a slice, or a mask.")
    beyond = (rows < -n) | (rows >= n)
    if beyond.any():
        raise IndexError(f"There is no row {rows[beyond].flat[0]}; there are {n:,}.")
    rows = rows.astype(np.int64)
    return np.where(rows < 0, rows + n, rows)
