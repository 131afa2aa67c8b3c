"""NumPy's own format: a matrix, or one per layer in a single array, and the words beside it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from repstore.exporting.content import Content
from repstore.exporting.parquet import companion, write_words


def write_npy(content: Content, path: Path) -> None:
    """One layer as (n_words, d_model), several as (n_layers, n_words, d_model); words beside, row by row.

    It is written from its beginning to its end, not through a map, which a full disk would turn into a crash.
    """
    dtype = np.result_type(*map(content.dtype_of, content.layers))
    several = [len(content.layers)] if len(content.layers) > 1 else []
    width = next(iter(content.layers.values())).d_model
    shape = (*several, content.n_words, width)
    header = {"descr": np.lib.format.dtype_to_descr(dtype), "fortran_order": False, "shape": shape}
    with path.open("wb") as file:
        np.lib.format.write_array_header_1_0(file, header)
        for name in content.layers:
            for _, (matrix,) in content.blocks(name):
                file.write(matrix.astype(dtype, copy=False).data)
    write_words(content, companion(path))
