"""Files that are no parts, or no longer, and writes that were interrupted."""

from __future__ import annotations

import io

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from repstore.errors import StoreDamagedError
from repstore.storage.files import write_durably
from repstore.storage.parts import PartFile, write_part

CONTENT = {
    "run_id": "0123456789abcdef",
    "word_ids": np.arange(65),
    "layers": [np.ones((65, 16), np.float16)] * 2,
}


@pytest.mark.parametrize("keep", [0, 1, 4, 8, 12, 100, 1000, -100, -9, -8, -4, -1])
def test_a_part_cut_short_is_damaged(tmp_path, keep):
    path = tmp_path / "part.parquet"
    write_part(path, part=0, **CONTENT)
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(StoreDamagedError, match=r"part\.parquet"):
        _ = PartFile(path).word_ids
    with pytest.raises(StoreDamagedError, match=r"part\.parquet"):
        PartFile(path).layer(0)


def as_parquet(table: pa.Table, **options: object) -> bytes:
    sink = io.BytesIO()
    pq.write_table(table, sink, **options)
    return sink.getvalue()


WORDS = pa.table({"word_id": [1, 2], "layer_00": pa.array([[1, 2], [3, 4]], pa.list_(pa.float16()))})
FOREIGN = {
    "text": b"word_id,layer_00\n1,2\n" * 50,
    "magic only": b"PAR1" + bytes(200) + b"PAR1",
    "other columns": as_parquet(pa.table({"x": [1]})),
    "no columns": as_parquet(pa.table({})),
    "ids that are text": as_parquet(pa.table({"word_id": ["a"]})),
    "a table of words": as_parquet(WORDS),
    "two row groups": as_parquet(WORDS, row_group_size=1),
    "metadata of another program": as_parquet(WORDS.replace_schema_metadata({"repstore": "{"})),
    "metadata without a shape": as_parquet(WORDS.replace_schema_metadata({"repstore": "{}"})),
}


@pytest.mark.parametrize("content", FOREIGN.values(), ids=FOREIGN.keys())
def test_a_file_that_is_no_part_is_refused(tmp_path, content):
    path = tmp_path / "part.parquet"
    path.write_bytes(content)
    with pytest.raises(StoreDamagedError, match=r"part\.parquet"):
        _ = PartFile(path).word_ids
    with pytest.raises(StoreDamagedError, match=r"part\.parquet"):
        PartFile(path).layer(0)


def test_a_missing_part_is_damage(tmp_path):
    with pytest.raises(StoreDamagedError, match=r"nowhere\.parquet"):
        _ = PartFile(tmp_path / "nowhere.parquet").word_ids


def test_a_layer_that_a_part_lacks_is_damage(tmp_path):
    """The store asks only for layers that run.json names."""
    write_part(tmp_path / "part.parquet", part=0, **CONTENT)
    with pytest.raises(StoreDamagedError, match="layer_02"):
        PartFile(tmp_path / "part.parquet").layer(2)


def test_a_crash_while_writing_leaves_no_part(tmp_path):
    path = tmp_path / "parts" / "part-00000.parquet"

    def chunks():
        yield b"PAR1"
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_durably(path, chunks())
    assert all(file.suffix == ".tmp" for file in path.parent.iterdir())

    path.with_name(path.name + ".tmp").write_bytes(b"PAR1 and then the power failed")
    write_part(path, part=0, **CONTENT)
    assert list(path.parent.iterdir()) == [path]
    assert len(PartFile(path).word_ids) == 65


def test_a_crash_while_writing_leaves_what_was_there(tmp_path):
    path = tmp_path / "file"
    write_durably(path, [b"old"])
    with pytest.raises(ZeroDivisionError):
        write_durably(path, (bytes([1 // n]) for n in (1, 0)))
    assert path.read_bytes() == b"old"
