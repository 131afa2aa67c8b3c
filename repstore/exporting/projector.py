"""The TensorFlow Embedding Projector: a folder of tables with tabs, and what TensorBoard reads first.

What it takes is said at https://www.tensorflow.org/tensorboard/tensorboard_projector_plugin. Numbers are text
even though its web page takes bytes, too: TensorBoard guesses which of both a file is.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repstore.errors import ArgumentError
from repstore.exporting.content import Content
from repstore.exporting.parquet import lists_of
from repstore.storage.annotation import ANNOTATION

METADATA, CONFIG, SAID = "metadata.tsv", "projector_config.pbtxt", "repstore.json"

ESCAPED = str.maketrans({"\\": r"\\", "\t": r"\t", "\n": r"\n", "\r": r"\r"})
"""Nothing in the format lets a tab or a new line stand in a value, so they are written as two characters."""

EMBEDDING = (
    'embeddings {{\n  tensor_name: "{name}"\n  tensor_path: "{name}.tsv"\n  metadata_path: "{metadata}"\n}}\n'
)


def write_projector(content: Content, path: Path) -> None:
    """A table of numbers per layer, without a header; one of words, with one; and which belongs to which.

    Numbers have as many digits as float32 needs to be read back as it was. A missing value is an empty one,
    as is an empty text.

    Raises:
        ArgumentError: a layer has one dimension, which the projector refuses.
    """
    narrow = [name for name, layer in content.layers.items() if layer.d_model < 2]
    if narrow:
        raise ArgumentError(f"{narrow[0]} has one dimension; the projector wants two and more.")
    path.mkdir()
    for name in content.layers:
        blocks = content.blocks(name)
        _write_lines(path / f"{name}.tsv", (line for _, (matrix,) in blocks for line in lines_of(matrix)))
    _write_lines(path / METADATA, _words(content))
    config = [EMBEDDING.format(name=name, metadata=METADATA) for name in content.layers]
    (path / CONFIG).write_text("".join(config), encoding="utf-8")
    (path / SAID).write_text(content.provenance + "\n", encoding="utf-8")


def lines_of(matrix: np.ndarray) -> list[str]:
    """Rows of numbers, with tabs between them. *Shape:* (n, d), float32."""
    lines: list[str] = pc.binary_join(lists_of(matrix).cast(pa.list_(pa.string())), "\t").to_pylist()
    return lines


def _words(content: Content) -> Iterable[str]:
    yield "\t".join(ANNOTATION.names)
    for words in content.word_blocks():
        for values in zip(*(column.to_pylist() for column in words.columns), strict=True):
            yield "\t".join(map(escaped, values))


def escaped(value: Any) -> str:
    """A value of the table of words."""
    return "" if value is None else str(value).translate(ESCAPED)


def _write_lines(path: Path, lines: Iterable[str]) -> None:
    with path.open("w", encoding="utf-8", newline="\n") as file:
        file.writelines(f"{line}\n" for line in lines)
