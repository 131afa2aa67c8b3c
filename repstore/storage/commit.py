"""Writing what a block of words became, and committing it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq

from repstore.schemas import SKIPPED
from repstore.spec import LayerStats, Part
from repstore.storage import manifest
from repstore.storage.files import write_durably
from repstore.storage.layout import RunLayout
from repstore.storage.parts import write_part


def commit_part(
    run: RunLayout,
    run_id: str,
    part: int,
    *,
    word_ids: np.ndarray,
    layers: Sequence[np.ndarray],
    stats: Sequence[LayerStats],
    skipped: Sequence[dict[str, Any]],
    n_windowed: int,
    n_not_finite: Sequence[int],
) -> None:
    """Write the files of a part, then the manifest entry that makes them count.

    Args:
        run: folder of the run.
        run_id: its id.
        part: number of the part.
        word_ids: words with vectors; may be none. *Shape:* (n_words,), int64, ascending.
        layers: their vectors. *Shape of each:* (n_words, d_model), float16 or float32.
        stats: what the manifest says of each layer.
        skipped: words without vectors, as rows of `schemas.SKIPPED`.
        n_windowed: words read in a window of their text.
        n_not_finite: for every layer, words whose vector was not finite.
    """
    file, n_bytes, sha256 = None, 0, None
    if len(word_ids):
        file = run.part(part)
        n_bytes, sha256 = write_part(file, run_id=run_id, part=part, word_ids=word_ids, layers=layers)
    skipped_file, skipped_sha256 = None, None
    if skipped:
        skipped_file = run.skipped(part)
        sink = pa.BufferOutputStream()
        pq.write_table(pa.Table.from_pylist(list(skipped), SKIPPED), sink)
        _, skipped_sha256 = write_durably(skipped_file, [memoryview(sink.getvalue())])
    manifest.commit(
        run,
        Part(
            part=part,
            file=_relative(file, run),
            bytes=n_bytes,
            sha256=sha256,
            n_words=len(word_ids),
            first_word_id=int(word_ids[0]) if len(word_ids) else None,
            last_word_id=int(word_ids[-1]) if len(word_ids) else None,
            n_skipped=len(skipped),
            n_windowed=n_windowed,
            n_not_finite=tuple(n_not_finite),
            skipped_file=_relative(skipped_file, run),
            skipped_sha256=skipped_sha256,
            layers=tuple(stats) if len(word_ids) else (),
        ),
    )


def _relative(path: Path | None, run: RunLayout) -> str | None:
    return None if path is None else path.relative_to(run.root).as_posix()
