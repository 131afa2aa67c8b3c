"""safetensors: a tensor per layer, the word_ids, and the words beside them.

Written here, not by its library: that wants all tensors in memory at once, and the format is a length, a
header in JSON and the numbers (https://github.com/huggingface/safetensors#format).
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np

from repstore.exporting.content import PROVENANCE, Content
from repstore.exporting.parquet import companion, write_words

ALIGNMENT = 8
"""The numbers begin at a multiple of this many bytes; wider ones come first, so all of them are aligned."""

DTYPES = {"int64": "I64", "float32": "F32", "float16": "F16"}

IDS = "word_ids"


def write_safetensors(content: Content, path: Path) -> None:
    """A tensor per layer (n_words, d_model), and `word_ids` (n_words,), int64; words beside, row by row."""
    names = sorted(content.layers, key=lambda name: -content.dtype_of(name).itemsize)
    with path.open("wb") as file:
        header = _header(content, names)
        file.write(len(header).to_bytes(8, "little"))
        file.write(header)
        file.write(np.ascontiguousarray(content.word_ids, "<i8").data)
        for name in names:
            for _, (matrix,) in content.blocks(name):
                file.write(matrix.data)
    write_words(content, companion(path))


def _header(content: Content, names: list[str]) -> bytes:
    """What tensors there are, and where each begins and ends."""
    ids = (IDS, np.dtype(np.int64), [content.n_words])
    tensors = [
        (name, content.dtype_of(name), [content.n_words, content.layers[name].d_model]) for name in names
    ]
    header: dict[str, Any] = {"__metadata__": {PROVENANCE: content.provenance}}
    end = 0
    for name, dtype, shape in [ids, *tensors]:
        begin, end = end, end + dtype.itemsize * int(np.prod(shape))
        header[name] = {"dtype": DTYPES[dtype.name], "shape": shape, "data_offsets": [begin, end]}
    text = json.dumps(header, ensure_ascii=False).encode()
    return text.ljust(-(-len(text) // ALIGNMENT) * ALIGNMENT)
