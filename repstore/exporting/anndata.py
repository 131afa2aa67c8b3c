"""AnnData: words as observations, for scanpy and its relatives."""

from __future__ import annotations

import io
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repstore.errors import MissingExtraError
from repstore.exporting.content import PROVENANCE, Content

if TYPE_CHECKING:
    import pandas

NUL, SHOWN_NUL = "\x00", "\u2400"
"""HDF5 ends a text at the first, so the second, its picture, stands for it."""

CHUNK_BYTES = 1 << 18
"""Bytes of a chunk of a matrix, which is read as a whole; the last one is filled up."""


def write_h5ad(content: Content, path: Path) -> None:
    """Words are `obs`, named by their word_id; one layer is `X`, several are matrices in `obsm`.

    Layers of a model differ in what a dimension means, and `X` has one meaning for each; tools take any
    matrix of `obsm` by its name (``use_rep="layer_08"``). Matrices are written block by block. `obs` is made
    in memory as a whole, as codes of what differs: some bytes for each word and each column.

    Raises:
        MissingExtraError: anndata is not installed.
    """
    try:
        import anndata
        import h5py
        import pandas
    except ImportError:
        raise MissingExtraError(
            "An .h5ad file needs anndata. Install it with: pip install 'repstore[exchange]'"
        ) from None
    names = list(content.layers)
    places = {"X": names[0]} if len(names) == 1 else {f"obsm/{name}": name for name in names}
    dimensions = range(content.layers[names[0]].d_model if len(names) == 1 else 0)
    var = pandas.DataFrame(index=pandas.Index([str(n) for n in dimensions], dtype=object))
    frame = anndata.AnnData(obs=_obs(content), var=var, uns={PROVENANCE: content.provenance})
    with _Unfailing(path, "w+b") as below:
        try:
            with h5py.File(below, "w") as file:
                anndata.io.write_elem(file, "/", frame)
                for place, name in places.items():
                    _write_matrix(file, place, content, name)
                    below.check()
        finally:
            below.check()  # whatever HDF5 makes of it


class _Unfailing(io.FileIO):
    """A file for HDF5, which crashes the process where it cannot write: on a full disk, or at Ctrl-C.

    So it is told that all is well, and `check` raises the first failure. What comes after that is kept in
    memory until then: HDF5 reads it back, and would crash at what it did not write.
    """

    def __init__(self, path: Path, mode: str) -> None:
        super().__init__(path, mode)
        self.failure: BaseException | None = None
        self._unwritten: list[tuple[int, bytes]] = []

    def write(self, data: Any) -> int:
        """Write all of it, or keep it from the first failure on."""
        left = memoryview(data).cast("B")
        n_bytes, end = left.nbytes, self.tell() + left.nbytes
        try:
            while left and self.failure is None:
                left = left[super().write(left) :]
        except BaseException as failure:
            self.failure = failure
        if left.nbytes:
            self._unwritten.append((end - left.nbytes, bytes(left)))
            self.seek(end)
        return n_bytes

    def readinto(self, buffer: Any) -> int:
        """Read what was written, or would have been; beyond that are zeros."""
        into = memoryview(buffer).cast("B")
        start = self.tell()
        n_read = super().readinto(into) or 0
        into[n_read:] = bytes(into.nbytes - n_read)
        for at, data in self._unwritten:
            first, last = max(start, at), min(start + into.nbytes, at + len(data))
            if first < last:
                into[first - start : last - start] = data[first - at : last - at]
        return into.nbytes

    def truncate(self, size: int | None = None) -> int:
        """Cut or lengthen the file, unless it has failed."""
        try:
            return super().truncate(size)
        except BaseException as failure:
            self.failure = self.failure or failure
            return size or 0

    def check(self) -> None:
        """Raise what went wrong first, if anything did."""
        if self.failure is not None:
            raise self.failure


def _write_matrix(file: Any, place: str, content: Content, name: str) -> None:
    """A matrix in chunks of rows: anndata makes it, with no row, and so with what its format wants said."""
    import anndata

    width, n_words = content.layers[name].d_model, content.n_words
    chunk = (min(n_words, max(1, CHUNK_BYTES // (4 * width))), width)
    shape = {"maxshape": (n_words, width), "chunks": chunk}
    anndata.io.write_elem(file, place, np.empty((0, width), content.dtype_of(name)), dataset_kwargs=shape)
    matrix = file[place]
    matrix.resize((n_words, width))
    for here, (values,) in content.blocks(name):
        matrix[here] = values


def _obs(content: Content) -> pandas.DataFrame:
    """The annotation as a data frame: numbers as they are, text as categories; what is missing stays so."""
    import pandas

    blocks = [_coded(words) for words in content.word_blocks()]
    words = pa.concat_tables(blocks).unify_dictionaries()
    columns = {}
    for name in words.column_names:
        column = words[name].combine_chunks()
        if pa.types.is_dictionary(column.type):
            codes = column.indices.fill_null(-1).to_numpy()
            categories = pandas.Index(column.dictionary.to_pylist(), dtype=object)
            columns[name] = pandas.Categorical.from_codes(codes, categories)
        else:
            columns[name] = column.to_numpy()
    return pandas.DataFrame(columns, index=pandas.Index([str(n) for n in content.word_ids], dtype=object))


def _coded(words: pa.Table) -> pa.Table:
    """Text as codes of the texts that there are."""
    columns = [
        pc.replace_substring(column, NUL, SHOWN_NUL).dictionary_encode()
        if pa.types.is_string(column.type)
        else column
        for column in words.columns
    ]
    return pa.table(columns, names=words.column_names)
