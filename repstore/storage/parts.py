"""Parts: writing a block of word vectors, and mapping it again without decoding."""

from __future__ import annotations

import json
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq

from repstore.errors import StoreDamagedError
from repstore.schemas import PART_FORMAT, WORD_ID, layer_column
from repstore.storage import parquet
from repstore.storage.files import write_durably

METADATA_KEY = "repstore"
_DTYPES = {"INT64": np.int64, "FIXED_LEN_BYTE_ARRAY": np.float16, "FLOAT": np.float32}


def write_part(
    path: Path, *, run_id: str, part: int, word_ids: np.ndarray, layers: Sequence[np.ndarray]
) -> tuple[int, str]:
    """Write one part, whole or not at all.

    Args:
        path: where the part goes.
        run_id: kept in the file's metadata.
        part: number of the part in its run.
        word_ids: *Shape:* (n_words,), int64, ascending.
        layers: one matrix per layer, each *Shape:* (n_words, d_model), float16 or float32.

    Returns:
        The number of bytes and their SHA-256.
    """
    about = {
        "format": PART_FORMAT,
        "run_id": run_id,
        "part": part,
        "n_layers": len(layers),
        "d_model": layers[0].shape[1],
        "dtypes": [matrix.dtype.name for matrix in layers],
    }
    return write_durably(path, parquet.encode(word_ids, layers, {METADATA_KEY: json.dumps(about)}))


class PartFile:
    """A committed part, opened for reading. Columns are views of one memory map of the file.

    Attributes:
        path: the file.
    """

    def __init__(self, path: Path) -> None:
        self.path = path

    @cached_property
    def word_ids(self) -> np.ndarray:
        """*Shape:* (n_words,), int64, ascending."""
        return self._values(0, 1).reshape(-1)

    def layer(self, layer: int) -> np.ndarray:
        """One layer's vectors. *Shape:* (n_words, d_model), float16 or float32, read-only."""
        return self._values(1 + layer, self._columns[1])

    @cached_property
    def _columns(self) -> tuple[list[pq.ColumnChunkMetaData], int]:
        """Where each column stands, and d_model, from a footer that is checked to be a part's."""
        try:
            metadata = pq.read_metadata(self.path)
            about = json.loads(metadata.metadata[METADATA_KEY.encode()])
            n_layers, d_model = int(about["n_layers"]), int(about["d_model"])
            group = metadata.row_group(0)
            columns = [group.column(n) for n in range(group.num_columns)]
        except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
            raise StoreDamagedError(f"{self.path} cannot be read as a part: {error}") from error
        paths = [WORD_ID, *(f"{layer_column(n)}.list.element" for n in range(n_layers))]
        sizes = [metadata.num_rows, *[metadata.num_rows * d_model] * n_layers]
        found = [(c.path_in_schema, c.num_values, c.physical_type in _DTYPES) for c in columns]
        if metadata.num_row_groups != 1 or found != [(*one, True) for one in zip(paths, sizes, strict=True)]:
            raise StoreDamagedError(f"{self.path} is not a part of a repstore run.")
        return columns, d_model

    @cached_property
    def _map(self) -> np.memmap:
        return np.memmap(self.path, np.uint8, "r")

    def _values(self, column: int, width: int) -> np.ndarray:
        columns, _ = self._columns
        if column >= len(columns):
            raise StoreDamagedError(f"{self.path} has no {layer_column(column - 1)}.")
        chunk = columns[column]
        dtype = np.dtype(_DTYPES[chunk.physical_type])
        end = chunk.data_page_offset + chunk.total_compressed_size
        raw = self._map[end - chunk.num_values * dtype.itemsize : end]
        return np.asarray(raw).view(dtype).reshape(-1, width)
