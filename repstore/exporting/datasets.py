"""Hugging Face datasets: a folder that `datasets.load_from_disk` maps into memory."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pyarrow as pa

from repstore.errors import MissingExtraError
from repstore.exporting.content import Content
from repstore.spec import digest
from repstore.storage.annotation import ANNOTATION


def write_datasets(content: Content, path: Path) -> None:
    """Words with their annotation, and a list of fixed length per layer.

    The library makes the folder, of no word, and so with what it wants said there; its one file of words is
    then written here, block by block. Its fingerprint, for which it would ask the clock, is a digest of the
    provenance.

    Raises:
        MissingExtraError: datasets is not installed.
    """
    try:
        import datasets
    except ImportError:
        raise MissingExtraError(
            "A folder of datasets needs the library datasets. Install it with: "
            "pip install 'repstore[exchange]'"
        ) from None
    features = _features(content)
    schema = features.arrow_schema
    info = datasets.DatasetInfo(description=content.provenance, features=features)
    with _no_bars():
        nothing = datasets.table.InMemoryTable(schema.empty_table())
        dataset = datasets.Dataset(nothing, info=info, fingerprint=digest(dict(content.about)))
        dataset.save_to_disk(path, num_shards=1)
    (place,) = path.glob("*.arrow")
    names = [*ANNOTATION.names, *content.layers]
    with pa.OSFile(str(place), "wb") as file, pa.ipc.new_stream(file, schema) as writer:
        for here, matrices in content.blocks(*content.layers):
            lists = [pa.FixedSizeListArray.from_arrays(pa.array(m.reshape(-1)), m.shape[1]) for m in matrices]
            words = content.words(here).columns
            writer.write_table(pa.table([*words, *lists], names=names).cast(schema))


def _features(content: Content) -> Any:
    """The columns, in the words of the library."""
    from datasets import Features, List, Value

    words = {field.name: Value(str(field.type)) for field in ANNOTATION}
    layers = {
        name: List(Value(content.dtype_of(name).name), length=layer.d_model)
        for name, layer in content.layers.items()
    }
    return Features(words | layers)


@contextmanager
def _no_bars() -> Iterator[None]:
    """No progress bars of the library, which knows nothing of ours; afterwards as before."""
    from datasets.utils import are_progress_bars_disabled, disable_progress_bars, enable_progress_bars

    before = are_progress_bars_disabled()
    disable_progress_bars()
    try:
        yield
    finally:
        if not before:
            enable_progress_bars()
