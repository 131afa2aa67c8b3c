"""Runs and layers as a user holds them in Python: what they are, their words, and their vectors as arrays."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from operator import index
from typing import TYPE_CHECKING, Any, SupportsIndex, overload

import numpy as np
import pyarrow as pa

from repstore.errors import ArgumentError
from repstore.results import ResultTable
from repstore.spec import LayerKey, Origin
from repstore.storage import opened
from repstore.storage.array_like import ArrayOfRows
from repstore.storage.lookup import Lookup
from repstore.storage.vectors import LayerVectors

if TYPE_CHECKING:
    import pandas
    import torch

BLOCK_ROWS = 4096
"""Rows in a block, unless one says how many: 34 MB of 4,096 dimensions."""


@dataclass(frozen=True, eq=False, repr=False)
class Run:
    """A run of a store, and its layers: ``run[8]``, ``run[-1]``, ``run[4:8]``, ``run["mix:NAME"]``.

    It keeps the words and vectors that were committed when the store was opened, in other processes, too.

    Attributes:
        n_vectors: words that have vectors: the rows of every layer.
        n_skipped: words that have none, and why is in `skipped`.
    """

    n_vectors: int
    n_skipped: int
    _lookup: Lookup
    _opened: opened.Run

    @property
    def name(self) -> str:
        """What it goes by in this store."""
        return self._opened.label

    @property
    def run_id(self) -> str:
        """Digest of all that decides its vectors."""
        return self._opened.info.run_id

    @property
    def origin(self) -> Origin:
        """Whether a model was run for its vectors, or they were made elsewhere."""
        return self._opened.info.origin

    @property
    def corpus(self) -> str:
        """Name of the corpus whose words it has."""
        return self._opened.info.corpus

    @property
    def model(self) -> str:
        """Name of the model."""
        return self._opened.info.spec.model.name

    @property
    def template(self) -> str:
        """How a text was rendered for the model."""
        return self._opened.info.spec.template

    @property
    def reading(self) -> str:
        """Which position of the rendered text stands for the word."""
        return self._opened.info.spec.reading

    @property
    def pooling(self) -> str:
        """How a word's tokens became one vector."""
        return self._opened.info.spec.pooling

    @property
    def dtype(self) -> str:
        """Of the forward pass. What is stored is another matter: `Layer.dtype`."""
        return self._opened.info.spec.dtype

    @property
    def contract(self) -> dict[str, Any]:
        """How the vectors were made: versions, kernels, device, batches; what ``run.json`` says."""
        return dict(self._opened.info.contract)

    @property
    def n_words(self) -> int:
        """Words of the corpus: with a vector, skipped, or not committed yet."""
        return self._opened.info.n_words

    @property
    def n_layers(self) -> int:
        """Layers of the model: 0 is the output of the embedding, n that of block n."""
        return self._opened.info.spec.model.n_layers

    @property
    def d_model(self) -> int:
        """Width of a stored vector."""
        return self._opened.info.spec.model.d_model

    @property
    def layers(self) -> list[int]:
        """The numbers of its layers; through a transform, of those that it was fitted on."""
        return self._opened.vectors.layers

    def __len__(self) -> int:
        return len(self.layers)

    def __iter__(self) -> Iterator[Layer]:
        """The numbered layers, in order."""
        return (self[number] for number in self.layers)

    def __contains__(self, key: object) -> bool:
        """Whether there is a layer of that number, a mix of that key, or that very layer."""
        if isinstance(key, Layer):
            return key.run.run_id == self.run_id and key.key in self
        try:
            self._key(key)
        except ArgumentError:
            return False
        return True

    @overload
    def __getitem__(self, key: LayerKey | SupportsIndex) -> Layer: ...
    @overload
    def __getitem__(self, key: slice) -> list[Layer]: ...

    def __getitem__(self, key: LayerKey | SupportsIndex | slice) -> Layer | list[Layer]:
        """A layer, or those of a slice of the numbers; -1 is the last layer of the model.

        Raises:
            NotFoundError: no such layer, or no such mix.
            ArgumentError: that is no layer.
        """
        if isinstance(key, slice):
            there = set(self.layers)
            return [self[n] for n in range(*key.indices(self.n_layers)) if n in there]
        return Layer(self, self._opened.vectors.layer(self._key(key)))

    def _key(self, given: Any) -> LayerKey:
        """The layer that is meant; numbers below 0 count from the last layer of the model."""
        if isinstance(given, SupportsIndex) and -self.n_layers <= index(given) < 0:
            given = index(given) + self.n_layers
        return self._opened.layer(given)

    @cached_property
    def words(self) -> ResultTable:
        """The words that have vectors, each with its text; row i is row i of every layer."""
        return ResultTable(self._lookup.words_of(self._opened), f"Words of {self.name}")

    @cached_property
    def skipped(self) -> ResultTable:
        """The words that have no vector, each with the reason and its text."""
        return ResultTable(self._lookup.skipped(self._opened), f"Words skipped by {self.name}")

    def __reduce__(self) -> tuple[Any, ...]:
        return Run, (self.n_vectors, self.n_skipped, self._lookup, self._opened)

    def __repr__(self) -> str:
        return self._shown().to_text()

    def _repr_html_(self) -> str:
        return self._shown()._repr_html_()

    def _shown(self) -> ResultTable:
        to_come = self.n_words - self.n_vectors - self.n_skipped
        numbers, through = self.layers, self._opened.transform
        several = f" to {numbers[-1]}" if len(numbers) > 1 else ""
        layers = f"{numbers[0]}{several}, of {self.d_model:,} dimensions"
        encoded = {
            "template": self.template,
            "reading": f"{self.reading}, pooling {self.pooling}, {self.dtype}",
        }
        imported = {"imported from": self._opened.info.spec.model.source}
        said = {
            "model": self.model,
            "corpus": self.corpus,
            **(encoded if self.origin == "encoded" else imported),
            "words": f"{self.n_vectors:,} with vectors, {self.n_skipped:,} skipped, {to_come:,} to come",
            "layers": layers
            if through is None
            else f"{', '.join(map(str, numbers))}, as {through} shows them",
        }
        more = f"run[{numbers[-1]}].vectors has a row for each word, and run.words says which."
        return _properties(f"Run {self.name}", said, more)


@dataclass(frozen=True, eq=False, repr=False)
class Layer(ArrayOfRows):
    """One layer of a run. Numpy takes it for an array of its vectors, and PyTorch for a data set of them.

    Attributes:
        run: the run.
        vectors: the same array, memory-mapped. *Shape:* (n_vectors, d_model), float16 or float32.
    """

    run: Run
    vectors: LayerVectors

    @property
    def key(self) -> LayerKey:
        """Its number, or ``mix:NAME``."""
        return self.vectors.layer

    @property
    def shape(self) -> tuple[int, int]:
        """(n_vectors, d_model)."""
        return self.vectors.shape

    @property
    def dtype(self) -> np.dtype[np.float16 | np.float32]:
        """As stored."""
        return self.vectors.dtype

    @property
    def word_ids(self) -> np.ndarray:
        """Which word each row is of. *Shape:* (n_vectors,), int64, ascending."""
        return self.vectors.word_ids

    @property
    def words(self) -> ResultTable:
        """The words with their texts, row by row."""
        return self.run.words

    def take(self, rows: np.ndarray) -> np.ndarray:
        """Copy some rows. *Shape:* (len(rows), d_model), `dtype`."""
        return self.vectors.take(rows)

    def between(self, start: int, stop: int) -> np.ndarray:
        """Rows that follow each other: a view of the map within a part. *Shape:* (stop - start, d_model)."""
        return self.vectors.between(start, stop)

    def blocks(self, n_rows: int = BLOCK_ROWS) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        """All rows, so many at a time: their word_ids, and a matrix; of these only one is in memory.

        *Shape:* (n_rows,), int64, and (n_rows, d_model), `dtype`; the last may be smaller.

        Raises:
            ArgumentError: `n_rows` is less than 1.
        """
        if n_rows < 1:
            raise ArgumentError(f"n_rows is {n_rows}; a block has at least 1 row.")
        starts = range(0, len(self), n_rows)
        return ((self.word_ids[n : n + n_rows], self[n : n + n_rows]) for n in starts)

    def to_torch(self) -> torch.Tensor:
        """All rows in memory, yours to change, as a tensor. *Shape:* `shape`, `dtype`.

        Raises:
            MissingExtraError: torch is not installed.
        """
        from repstore.encode.tensors import tensor_of

        return tensor_of(self.to_numpy())

    def to_pandas(self) -> pandas.DataFrame:
        """The words with their texts as a data frame, of which row i is row i of `vectors`.

        Raises:
            MissingExtraError: pandas is not installed.
        """
        return self.words.to_pandas()

    def __repr__(self) -> str:
        return f"Layer({self.key} of {self.run.name}, {len(self):,} x {self.shape[1]:,}, {self.dtype})"

    def _repr_html_(self) -> str:
        n_rows, width = self.shape
        said = {
            "words": f"{n_rows:,}",
            "dimensions": f"{width:,}",
            "numbers": f"{self.dtype}, {n_rows * width * self.dtype.itemsize / 1e6:,.1f} MB",
        }
        more = "layer.vectors is an array of them, and layer.to_numpy() a copy in memory."
        return _properties(f"Layer {self.key} of {self.run.name}", said, more)._repr_html_()


def view_of(lookup: Lookup, name: str | None) -> Run:
    """A run by its name; the only one, if no name is given.

    Raises:
        ArgumentError: no name is given and there is not exactly one run.
        NotFoundError: no such run, or several.
    """
    found = lookup.run(name)
    return Run(*lookup.counts(found), lookup, found)


def _properties(title: str, said: Mapping[str, str], more: str) -> ResultTable:
    """What is said of a thing, line by line, and what to do with it."""
    table = pa.table({"property": list(said), "value": list(said.values())})
    return ResultTable(table, title, notes=[more])
