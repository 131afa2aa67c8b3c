"""Vectors of occurrences: arrays beside tables, and columns of Parquet, over words of a store or new ones."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import SyntheticRun, build_store, corpus_of, random_layers, small_corpus

import repstore
from repstore.errors import ArgumentError, CorpusError
from repstore.importing import columns
from repstore.importing.tables import read_words
from repstore.schemas import ID_STRIDE
from repstore.spec import Text, Word

TABLE = [
    {
        "text": "The old bank by the river",
        "char_start": 8,
        "char_end": 12,
        "lemma": "bank",
        "sense": "bank.1",
    },
    {"text": "A palm, and a spring", "char_start": 14, "char_end": 20, "lemma": "spring", "sense": None},
    {"text": "The old bank by the river", "char_start": 20, "char_end": 25, "lemma": None, "sense": None},
    {"text": "A palm, and a spring", "char_start": 2, "char_end": 6, "lemma": "palm", "sense": "palm, tree"},
]
"""Rows of two texts, in no order."""
IN_ORDER = [0, 2, 3, 1]
"""The same rows as words of a corpus: texts as they first come, words as they stand in their text."""


def write_table(path: Path, rows: list[dict[str, object]]) -> Path:
    match path.suffix:
        case ".csv":
            pd.DataFrame(rows).to_csv(path, index=False)
        case ".tsv":
            pd.DataFrame(rows).to_csv(path, index=False, sep="\t")
        case ".jsonl":
            path.write_text("".join(json.dumps(row) + "\n" for row in rows), encoding="utf-8")
        case ".parquet":
            pd.DataFrame(rows).to_parquet(path, index=False)
    return path


def array(path: Path, *shape: int, dtype: str = "float32", seed: int = 0) -> np.ndarray:
    values = np.random.default_rng(seed).normal(size=shape).astype(dtype)
    np.save(path, values)
    return values


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    layers = [*random_layers(80, 6, 2), 1e5 * random_layers(80, 6, 1, dtype=np.float32)[0]]
    run = SyntheticRun("made", layers, skipped=frozenset([3, 40]))
    return build_store(tmp_path_factory.mktemp("made") / "store", small_corpus(), [run])


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "store")


def word_ids_of(store: Path) -> np.ndarray:
    with repstore.open(store) as opened:
        return np.array(opened.sql("SELECT word_id FROM words ORDER BY word_id")["word_id"])


@pytest.mark.parametrize("suffix", [".csv", ".tsv", ".jsonl", ".parquet"])
def test_an_array_and_a_table_of_texts_make_a_corpus(tmp_path, suffix):
    values = array(tmp_path / "v.npy", 4, 3)
    table = write_table(tmp_path / f"words{suffix}", TABLE)
    report = repstore.import_vectors(f"npy:{tmp_path / 'v.npy'}", tmp_path / "store", words=table)
    assert (report.corpus.name, report.corpus.n_texts, report.run.n_vectors) == ("words", 2, 4)
    with repstore.open(tmp_path / "store") as opened:
        assert np.array_equal(opened.vectors(run="v", layer=0).values, values[IN_ORDER].astype(np.float16))
        words = list(
            opened.sql("SELECT form, lemma, sense, text, position FROM words JOIN texts USING (text_id)")
        )
    expected = [
        {
            "form": row["text"][row["char_start"] : row["char_end"]],
            "lemma": row["lemma"],
            "sense": row["sense"],
            "text": row["text"],
            "position": len(row["text"][: row["char_start"]].split()),
        }
        for row in (TABLE[n] for n in IN_ORDER)
    ]
    assert words == expected
    assert not len(repstore.verify(tmp_path / "store"))


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_whole_numbers_may_be_stored_as_floats(tmp_path, suffix):
    frame = pd.DataFrame(TABLE).astype({"char_start": float, "char_end": float})
    path = tmp_path / f"words{suffix}"
    frame.to_csv(path, index=False) if suffix == ".csv" else frame.to_parquet(path, index=False)
    assert read_words(path).columns["char_end"] == [row["char_end"] for row in TABLE]


def test_every_kind_of_table_makes_the_same_corpus(tmp_path):
    array(tmp_path / "v.npy", 4, 3)
    ids = set()
    for suffix in (".csv", ".tsv", ".jsonl", ".parquet"):
        table = write_table(tmp_path / f"words{suffix}", TABLE)
        done = repstore.import_vectors(f"npy:{tmp_path / 'v.npy'}", tmp_path / f"store{suffix}", words=table)
        ids.add(done.corpus.corpus_id)
    assert len(ids) == 1


def test_ids_are_words_of_the_store_in_whatever_order(store, tmp_path):
    word_ids = np.random.default_rng(0).permutation(word_ids_of(store))[:70]
    values = array(tmp_path / "v.npy", 70, 3)
    table = write_table(tmp_path / "words.csv", [{"word_id": int(n)} for n in word_ids])
    report = repstore.import_vectors(f"npy:{tmp_path / 'v.npy'}", store, words=table)
    assert (report.run.n_vectors, report.run.n_skipped) == (70, 10)
    with repstore.open(store) as opened:
        layer = opened.vectors(run="v", layer=0)
        row_of = {int(word_id): n for n, word_id in enumerate(word_ids)}
        for word_id, vector in zip(layer.word_ids.tolist(), layer.values, strict=True):
            assert np.array_equal(vector, values[row_of[word_id]].astype(np.float16))
        assert set(
            opened.sql("SELECT reason FROM skipped WHERE run_id = ?", [report.run.run_id])["reason"]
        ) == {"no_vector"}


@pytest.mark.parametrize("axes", ["layers,words", "words,layers"])
def test_three_axes_are_told_apart_by_their_length(tmp_path, axes):
    values = array(tmp_path / "v.npy", *((2, 4, 3) if axes == "layers,words" else (4, 2, 3)))
    table = write_table(tmp_path / "words.csv", TABLE)
    repstore.import_vectors(f"npy:{tmp_path / 'v.npy'}", tmp_path / "store", words=table)
    by_layer = values if axes == "layers,words" else values.swapaxes(0, 1)
    with repstore.open(tmp_path / "store") as opened:
        for layer in (0, 1):
            expected = by_layer[layer][IN_ORDER].astype(np.float16)
            assert np.array_equal(opened.vectors(layer=layer).values, expected)


def test_three_axes_that_may_be_either_have_to_be_named(tmp_path):
    values = array(tmp_path / "v.npy", 4, 4, 3)
    table = write_table(tmp_path / "words.csv", TABLE)
    source, store = f"npy:{tmp_path / 'v.npy'}", tmp_path / "store"
    with pytest.raises(ArgumentError, match=r"Say which, with --axes: layers,words or words,layers"):
        repstore.import_vectors(source, store, words=table)
    for axes, by_layer in (("layers,words", values), ("words,layers", values.swapaxes(0, 1))):
        repstore.import_vectors(source, store, words=table, axes=axes, name=axes)
        with repstore.open(store) as opened:
            expected = by_layer[1][IN_ORDER].astype(np.float16)
            assert np.array_equal(opened.vectors(run=axes, layer=1).values, expected)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((5, 3), {}, "has 5 rows, and the table 4"),
        ((2, 5, 3), {}, r"has the shape \(2, 5, 3\), and the table 4 rows"),
        ((2, 4, 3), {"axes": "words,layers"}, "with axes words,layers"),
        ((4, 3), {"axes": "words,layers"}, "has two axes"),
        ((4,), {}, r"has the shape \(4,\)"),
        ((0, 3), {}, r"has the shape \(0, 3\)"),
    ],
)
def test_arrays_that_do_not_fit_their_table_are_refused(tmp_path, shape, options, message):
    array(tmp_path / "v.npy", *shape)
    table = write_table(tmp_path / "words.csv", TABLE)
    with pytest.raises((ArgumentError, CorpusError), match=message):
        repstore.import_vectors(f"npy:{tmp_path / 'v.npy'}", tmp_path / "store", words=table, **options)
    assert not (tmp_path / "store").exists()


def test_what_is_no_array_of_numbers_is_refused(tmp_path):
    table = write_table(tmp_path / "words.csv", TABLE)
    np.save(tmp_path / "text.npy", np.array([["a"]] * 4))
    np.savez(tmp_path / "many.npz", a=np.ones(3))
    np.save(tmp_path / "objects.npy", np.array([[None]] * 4))
    (tmp_path / "torn.npy").write_bytes(b"\x93NUMPY\x01")
    for name in ("text.npy", "many.npz", "objects.npy", "torn.npy"):
        with pytest.raises(CorpusError, match=name):
            repstore.import_vectors(f"npy:{tmp_path / name}", tmp_path / "store", words=table)
    with pytest.raises(ArgumentError, match="with --words"):
        repstore.import_vectors(f"npy:{tmp_path / 'text.npy'}", tmp_path / "store")


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"char_end": 99}, r"words.jsonl:2: characters 14 to 99 of a text of 20"),
        ({"char_start": 15, "char_end": 15}, r"words.jsonl:2: characters 15 to 15"),
        ({"char_start": 1, "char_end": 2}, r"words.jsonl:2: characters 1 to 2"),
        ({"char_start": None}, r"words.jsonl:2: characters None to 20"),
        ({"char_start": -1}, r"words.jsonl:2: char_start -1"),
        ({"char_start": "x"}, r"words.jsonl:2: char_start 'x'"),
        ({"char_start": 14.5}, r"words.jsonl:2: char_start 14.5"),
        ({"char_start": True}, r"words.jsonl:2: char_start True"),
        ({"text": 7}, r"words.jsonl:2: text 7"),
        ({"lemma": "\ud800"}, r"words.jsonl:2: lemma"),
        ({"spans": [[14, 16], [15, 20]]}, r"words.jsonl:2: spans"),
        ({"spans": "14-20"}, r"words.jsonl:2: spans"),
    ],
)
def test_a_row_that_cannot_be_is_refused_with_its_line(tmp_path, change, message):
    array(tmp_path / "v.npy", 4, 3)
    table = write_table(tmp_path / "words.jsonl", [TABLE[0], TABLE[1] | change, *TABLE[2:]])
    with pytest.raises(CorpusError, match=message):
        repstore.import_vectors(f"npy:{tmp_path / 'v.npy'}", tmp_path / "store", words=table)


def test_ids_that_cannot_be_are_refused_with_their_line(store, tmp_path):
    word_ids = word_ids_of(store).tolist()
    array(tmp_path / "v.npy", 3, 3)
    for word_ids_given, message in (
        ([word_ids[0], word_ids[0], word_ids[1]], r"words.csv:3: word_id \d+, which was at 2"),
        ([word_ids[0], 7, word_ids[1]], r"words.csv:3: word_id 7. Expected words of corpus synthetic"),
        ([word_ids[0], None, word_ids[1]], r"words.csv:3: no word_id"),
        ([77 * ID_STRIDE, 7, 8], r"words.csv:2: .* no corpus of the store"),
    ):
        table = tmp_path / "words.csv"
        table.write_text("word_id,note\n" + "".join(f"{'' if n is None else n},x\n" for n in word_ids_given))
        with pytest.raises(CorpusError, match=message):
            repstore.import_vectors(f"npy:{tmp_path / 'v.npy'}", store, words=table)


TEXTS = st.text(st.characters(exclude_categories=["C", "Z"]) | st.sampled_from(" \"',;é"), min_size=1)


@settings(max_examples=60, deadline=None)
@given(
    st.lists(st.tuples(TEXTS.filter(lambda text: text.strip()), TEXTS), min_size=1, max_size=4),
    st.sampled_from([".csv", ".tsv", ".jsonl", ".parquet"]),
)
def test_whatever_is_in_a_text_every_kind_of_table_says_it(rows, suffix):
    """Written by pandas, quotation marks and all."""
    with tempfile.TemporaryDirectory() as folder:
        table = [
            {"text": text, "char_start": n, "char_end": n + 1, "sense": sense}
            for text, sense in rows
            for n in [len(text) - len(text.lstrip())]
        ]
        read = read_words(write_table(Path(folder) / f"words{suffix}", table))
    for name in ("text", "char_start", "char_end"):
        assert read.columns[name] == [row[name] for row in table]
    given = [
        row["sense"] if row["sense"].strip() or suffix in (".jsonl", ".parquet") else None for row in table
    ]
    assert read.columns["sense"] == given


def test_a_corpus_that_is_named_has_to_be_the_one_that_is_meant(store, tmp_path):
    array(tmp_path / "v.npy", 4, 3)
    table = write_table(tmp_path / "words.csv", TABLE)
    source = f"npy:{tmp_path / 'v.npy'}"
    with pytest.raises(
        CorpusError, match=r"no column word_id\. Expected word_id, by which words of synthetic"
    ):
        repstore.import_vectors(source, store, words=table, corpus="synthetic")
    ids = [{"word_id": int(n)} for n in word_ids_of(store)[:4]]
    by_id = write_table(tmp_path / "ids.csv", ids)
    with pytest.raises(ArgumentError, match="No corpus comes along that could be named mine"):
        repstore.import_vectors(source, store, words=by_id, corpus_name="mine")
    report = repstore.import_vectors(source, store, words=by_id, corpus="synthetic")
    assert report.corpus.name == "synthetic"


def placed_words(store: Path, n: int) -> list[dict[str, object]]:
    query = "SELECT word_id, text, char_start, char_end, form FROM words JOIN texts USING (text_id) LIMIT ?"
    with repstore.open(store) as opened:
        return list(opened.sql(query, [n]))


def test_ids_and_texts_are_ids_where_the_store_has_them(store, tmp_path):
    array(tmp_path / "v.npy", 4, 3)
    table = write_table(tmp_path / "words.jsonl", placed_words(store, 4))
    source = f"npy:{tmp_path / 'v.npy'}"
    assert repstore.import_vectors(source, store, words=table).corpus.name == "synthetic"
    assert repstore.import_vectors(source, tmp_path / "new", words=table).corpus.name == "words"


@pytest.mark.parametrize(
    ("column", "value"),
    [("text", "of another store"), ("char_start", 9), ("char_end", 99), ("form", "other")],
)
def test_ids_of_another_corpus_are_refused_though_they_look_like_words_of_this(
    store, tmp_path, column, value
):
    """Five digits tell corpora apart: one in 90,000 has those of this one."""
    array(tmp_path / "v.npy", 4, 3)
    rows = placed_words(store, 4)
    rows[2] |= {column: value}
    table = write_table(tmp_path / "words.jsonl", rows)
    with pytest.raises(CorpusError, match=rf"words.jsonl:3: {column} .*, and of this word_id it is "):
        repstore.import_vectors(f"npy:{tmp_path / 'v.npy'}", store, words=table)
    rows[2] |= {column: None}
    repstore.import_vectors(f"npy:{tmp_path / 'v.npy'}", store, words=write_table(table, rows))


def test_rows_without_a_text_id_are_of_the_text_they_have(tmp_path):
    array(tmp_path / "v.npy", 4, 3)
    rows = [row | {"text_id": "7" if n == 2 else None} for n, row in enumerate(TABLE)]
    table = write_table(tmp_path / "words.jsonl", rows)
    report = repstore.import_vectors(f"npy:{tmp_path / 'v.npy'}", tmp_path / "store", words=table)
    assert (report.corpus.n_texts, report.run.n_vectors) == (3, 4)


def test_rows_of_one_text_id_are_one_text_and_words_may_be_in_pieces(tmp_path):
    array(tmp_path / "v.npy", 3, 3)
    rows = [
        {
            "text_id": 1,
            "text": "turned the light off",
            "char_start": 0,
            "char_end": 20,
            "spans": [[0, 6], [17, 20]],
        },
        {"text_id": 2, "text": "turned the light off", "char_start": 11, "char_end": 16},
        {"text_id": 1, "text": "turned the light off", "char_start": 11, "char_end": 16, "spans": [[11, 16]]},
    ]
    table = write_table(tmp_path / "words.jsonl", rows)
    report = repstore.import_vectors(f"npy:{tmp_path / 'v.npy'}", tmp_path / "store", words=table)
    assert report.corpus.n_texts == 2
    with repstore.open(tmp_path / "store") as opened:
        spans = opened.sql("SELECT spans FROM words ORDER BY word_id")["spans"]
    assert spans == [[[0, 6], [17, 20]], [[11, 16]], [[11, 16]]]
    rows[2]["text"] = "another of the same id"
    with pytest.raises(CorpusError, match=r"words.jsonl:3: another text than at 1 for the same text_id"):
        repstore.import_vectors(
            f"npy:{tmp_path / 'v.npy'}", tmp_path / "store", words=write_table(table, rows)
        )


@pytest.mark.parametrize("end", ["\n", "\r\n"])
def test_line_ends_within_a_text_are_characters_of_it(tmp_path, end):
    """Whoever counted characters counted these."""
    path = tmp_path / "words.csv"
    rows = [
        "text,char_start,char_end",
        f'"They fished{end}from the{end}bank",{19 + 2 * len(end)},{23 + 2 * len(end)}',
    ]
    path.write_bytes("".join(f"{row}\r\n" for row in rows).encode())
    array(tmp_path / "v.npy", 1, 3)
    repstore.import_vectors(f"npy:{tmp_path / 'v.npy'}", tmp_path / "store", words=path)
    with repstore.open(tmp_path / "store") as opened:
        (word,) = opened.words()
    assert (word["form"], word["text"]) == ("bank", f"They fished{end}from the{end}bank")


def test_a_table_that_says_nothing_of_words_is_refused(tmp_path):
    array(tmp_path / "v.npy", 1, 3)
    for name, content, message in (
        ("a.csv", "text,char_start\nA bank,2\n", "the columns char_start, text|the columns text, char_start"),
        ("b.csv", "word\nbank\n", "b.csv:1: the columns word. Expected word_id, or text"),
        ("b.csv", "text;char_start;char_end\nA bank;2;6\n", "b.csv:1: .* with commas or tabs between"),
        (
            "b.csv",
            "text,char_start,char_end,text\nA bank,2,6,x\n",
            'b.csv:1: two columns "text". Expected one',
        ),
        ("c.csv", "text\n", "has no rows"),
        ("d.jsonl", "[1]\n", "d.jsonl:1: not an object"),
        ("e.jsonl", "{\n", "e.jsonl:1: not JSON"),
        ("f.parquet", "no", "cannot be read as Parquet"),
    ):
        (tmp_path / name).write_text(content)
        with pytest.raises(CorpusError, match=message):
            repstore.import_vectors(f"npy:{tmp_path / 'v.npy'}", tmp_path / "store", words=tmp_path / name)


def lists(
    path: Path, word_ids: np.ndarray, layers: dict[str, np.ndarray], kind: str = "list", **more
) -> None:
    made = {}
    for name, matrix in layers.items():
        values = pa.array(matrix.reshape(-1))
        offsets = np.arange(0, matrix.size + 1, matrix.shape[1])
        match kind:
            case "list":
                made[name] = pa.ListArray.from_arrays(offsets.astype(np.int32), values)
            case "large":
                made[name] = pa.LargeListArray.from_arrays(offsets, values)
            case "fixed":
                made[name] = pa.FixedSizeListArray.from_arrays(values, matrix.shape[1])
            case "view":
                sizes = np.full(len(matrix), matrix.shape[1], np.int32)
                made[name] = pa.ListViewArray.from_arrays(offsets[:-1].astype(np.int32), sizes, values)
    pq.write_table(pa.table({"word_id": word_ids} | made), path, **more)


@pytest.mark.parametrize("kind", ["list", "large", "fixed", "view"])
@pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
def test_list_columns_are_layers_by_their_numbers(store, tmp_path, kind, dtype):
    word_ids = word_ids_of(store)
    layers = {
        f"layer_{n:02}": np.random.default_rng(n).normal(size=(80, 5)).astype(dtype) for n in (10, 2, 0)
    }
    lists(tmp_path / "v.parquet", word_ids, layers, kind)
    repstore.import_vectors(f"parquet:{tmp_path / 'v.parquet'}", store)
    with repstore.open(store) as opened:
        for n, name in enumerate(("layer_00", "layer_02", "layer_10")):
            expected = layers[name].astype(np.float32).astype(np.float16)
            assert np.array_equal(opened.vectors(run="v", layer=n).values, expected)
    (info,) = (
        json.loads(p.read_text()) for p in store.glob("runs/*/run.json") if '"imported"' in p.read_text()
    )
    assert info["contract"]["layers"] == ["layer_00", "layer_02", "layer_10"]


def test_rows_in_any_order_are_read_batch_by_batch_from_several_files(store, tmp_path, monkeypatch):
    monkeypatch.setattr(columns, "BATCH_BYTES", 7 * 4 * 5)
    order = np.random.default_rng(0).permutation(80)
    word_ids, values = (
        word_ids_of(store)[order],
        np.random.default_rng(1).normal(size=(80, 5)).astype(np.float16),
    )
    (tmp_path / "v").mkdir()
    for n, here in enumerate(np.array_split(np.arange(80), 3)):
        lists(tmp_path / "v" / f"{n}.parquet", word_ids[here], {"vector": values[here]}, row_group_size=11)
    repstore.import_vectors(f"parquet:{tmp_path / 'v'}", store)
    with repstore.open(store) as opened:
        assert np.array_equal(opened.vectors(run="v", layer=0).values, values[np.argsort(order)])


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"vector": [[1.0, 2.0], [1.0]]}, r'v.parquet:2: 1 numbers in "vector". Expected 2'),
        ({"vector": [[1.0, 2.0], None]}, r'v.parquet:2: 0 numbers in "vector"'),
        ({"vector": [[1.0, 2.0], [1.0, None]]}, r'nulls in "vector"'),
        ({"vector": pa.array([[], []], pa.list_(pa.float32()))}, "no vector in the first row"),
        ({"vector": [1.0, 2.0]}, 'v.parquet has "vector" as double. Expected lists of numbers'),
        ({"vector": [["a"], ["b"]]}, 'v.parquet has "vector" as list<.*string>. Expected lists of numbers'),
        ({"numbers": [[1.0], [2.0]]}, "the columns word_id, numbers. Expected lists of numbers"),
        (
            {"vector": [[1.0], [2.0]], "layer_00": [[1.0], [2.0]]},
            "the columns vector, layer_00. Expected lists of numbers",
        ),
    ],
)
def test_columns_that_are_no_vectors_are_refused_and_nothing_written(store, tmp_path, columns, message):
    pq.write_table(pa.table({"word_id": word_ids_of(store)[:2]} | columns), tmp_path / "v.parquet")
    before = sorted(store.rglob("*"))
    with pytest.raises(CorpusError, match=message):
        repstore.import_vectors(f"parquet:{tmp_path / 'v.parquet'}", store)
    assert sorted(store.rglob("*")) == before


@pytest.mark.parametrize("names", [["layer_00", "layer_01"], ["vector"], ["layer_01"]])
def test_files_of_a_folder_have_to_have_the_same_layers(store, tmp_path, names):
    (tmp_path / "v").mkdir()
    ids = word_ids_of(store)
    lists(tmp_path / "v" / "0.parquet", ids[:2], {"layer_00": np.ones((2, 3))})
    lists(tmp_path / "v" / "1.parquet", ids[2:4], dict.fromkeys(names, np.ones((2, 3))))
    with pytest.raises(CorpusError, match=r"1\.parquet has vectors in .*0\.parquet in layer_00\. Expected"):
        repstore.import_vectors(f"parquet:{tmp_path / 'v'}", store)


@pytest.mark.parametrize("suffix", [".parquet", ".npy"])
def test_what_is_exported_comes_in_bit_for_bit_elsewhere(store, tmp_path, suffix):
    """A layer that exceeds float16 included; words without a vector stay away."""
    out = tmp_path / f"out{suffix}"
    repstore.export(store, out, run="made")
    words = {} if suffix == ".parquet" else {"words": tmp_path / "out.words.parquet"}
    source = f"{suffix[1:]}:{out}"
    report = repstore.import_vectors(source, tmp_path / "new", **words)
    assert (report.run.n_vectors, report.run.n_skipped) == (78, 0)
    query = """
        SELECT * EXCLUDE (corpus_id, word_id, text_id) FROM words JOIN texts USING (text_id)
        WHERE word_id IN (SELECT word_id FROM vectors WHERE layer = 0) ORDER BY word_id
    """
    with repstore.open(store) as before, repstore.open(tmp_path / "new") as after:
        for layer in range(3):
            expected, found = before.vectors(run="made", layer=layer), after.vectors(layer=layer)
            assert found.dtype == expected.dtype
            assert np.array_equal(found.values, expected.values)
        assert list(before.sql(query)) == list(after.sql(query))
    at_home = repstore.import_vectors(source, store, **words, name="again")
    assert (at_home.corpus.name, at_home.run.n_vectors, at_home.run.n_skipped) == ("synthetic", 78, 2)
    with repstore.open(store) as opened:
        again, made = (opened.vectors(run=run, layer=2) for run in ("again", "made"))
        assert np.array_equal(again.word_ids, made.word_ids)
        assert np.array_equal(again.values, made.values)


@pytest.mark.parametrize("layers", [["layer_01", "layer_00"], []])
def test_mixes_come_in_after_the_layers(store, tmp_path, layers):
    names = [*layers, "mix_b", "mix_a"]
    values = {name: np.full((80, 3), n) for n, name in enumerate(names)}
    lists(tmp_path / "v.parquet", word_ids_of(store), values)
    table = pq.read_table(tmp_path / "v.parquet").append_column("mix_id", pa.array(range(80)))
    pq.write_table(table, tmp_path / "v.parquet")
    repstore.import_vectors(f"parquet:{tmp_path / 'v.parquet'}", store)
    with repstore.open(store) as opened:
        found = [opened.vectors(run="v", layer=n).values[0, 0] for n in range(len(names))]
    assert [names[int(value)] for value in found] == sorted(names)


@pytest.mark.parametrize("in_folder", [False, True])
def test_pairs_that_were_exported_come_in_with_their_words(store, tmp_path, in_folder):
    """Those of which both words have a vector; a corpus that comes in whole is the same corpus."""
    (tmp_path / "v").mkdir()
    out = tmp_path / "v" / "out.parquet"
    exported = repstore.export(store, out, run="made")
    assert exported.files == (tmp_path / "v" / "out.pairs.parquet", out)
    source = out.parent if in_folder else out
    repstore.import_vectors(f"parquet:{source}", tmp_path / "new", name="made", corpus_name="synthetic")
    query = """
        SELECT a.text AS a, b.text AS b, p.split, label, score FROM pairs p
        JOIN words v ON v.word_id = word_a JOIN texts a ON a.text_id = v.text_id
        JOIN words w ON w.word_id = word_b JOIN texts b ON b.text_id = w.text_id
        WHERE {} ORDER BY pair_id
    """
    there = "(SELECT word_id FROM vectors WHERE layer = 0)"
    with repstore.open(store) as before, repstore.open(tmp_path / "new") as after:
        expected = list(before.sql(query.format(f"word_a IN {there} AND word_b IN {there}")))
        assert list(after.sql(query.format("true"))) == expected
        assert exported.n_pairs == len(expected) < 126
        asked = [
            one.probe("wic", run="made", layer=[0, 1], standardize="none").to_arrow()
            for one in (before, after)
        ]
    assert asked[0].drop_columns("n_missing").equals(asked[1].drop_columns("n_missing"))


def test_a_corpus_that_is_exported_whole_is_the_same_corpus_elsewhere(tmp_path):
    made = build_store(tmp_path / "made", small_corpus(), [SyntheticRun("made", random_layers(80, 3, 1))])
    repstore.export(made, tmp_path / "out.parquet")
    report = repstore.import_vectors(f"parquet:{tmp_path / 'out.parquet'}", tmp_path / "new")
    with repstore.open(made) as before:
        assert report.corpus.corpus_id == before.sql("SELECT corpus_id FROM corpora")["corpus_id"][0]
    assert repstore.import_vectors(f"parquet:{tmp_path / 'out.parquet'}", tmp_path / "new").n_new == 0


def test_pairs_of_ones_own_need_no_more_than_their_words(tmp_path):
    rows = [row | {"word_id": 7 + n, "vector": [1.0, n]} for n, row in enumerate(TABLE)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "v.parquet")
    pairs = pa.table({"word_b": [7, 8], "word_a": [10, 9], "note": ["x", "y"]})
    pq.write_table(pairs, tmp_path / "v.pairs.parquet")
    repstore.import_vectors(f"parquet:{tmp_path / 'v.parquet'}", tmp_path / "store")
    with repstore.open(tmp_path / "store") as opened:
        found = list(opened.sql("SELECT * EXCLUDE (pair_id, corpus_id) FROM pairs ORDER BY pair_id"))
        ids = list(opened.sql("SELECT word_id FROM words ORDER BY word_id")["word_id"])
    places = [(ids[IN_ORDER.index(a)], ids[IN_ORDER.index(b)]) for a, b in [(3, 0), (2, 1)]]
    assert [(pair["word_a"], pair["word_b"]) for pair in found] == places
    assert {pair[name] for pair in found for name in ("split", "label", "score")} == {None}


def test_pairs_of_a_folder_may_stand_beside_any_of_its_files_or_none(tmp_path):
    (tmp_path / "v").mkdir()
    rows = [row | {"word_id": 7 + n, "vector": [1.0, n]} for n, row in enumerate(TABLE)]
    pq.write_table(pa.Table.from_pylist(rows[:2]), tmp_path / "v" / "1.parquet")
    pq.write_table(pa.Table.from_pylist(rows[2:]), tmp_path / "v" / "2.parquet")
    pq.write_table(pa.table({"word_a": [7, 8], "word_b": [10, 9]}), tmp_path / "v" / "1.pairs.parquet")
    pq.write_table(pa.table({"word_a": [9], "word_b": [7]}), tmp_path / "v" / "all.pairs.parquet")
    repstore.import_vectors(f"parquet:{tmp_path / 'v'}", tmp_path / "store")
    with repstore.open(tmp_path / "store") as opened:
        found = list(opened.sql("SELECT word_a, word_b FROM pairs ORDER BY pair_id"))
        ids = list(opened.sql("SELECT word_id FROM words ORDER BY word_id")["word_id"])
    places = [(ids[IN_ORDER.index(a)], ids[IN_ORDER.index(b)]) for a, b in [(0, 3), (1, 2), (2, 0)]]
    assert [(pair["word_a"], pair["word_b"]) for pair in found] == places


@pytest.mark.parametrize(
    ("ids", "pairs", "message"),
    [
        ([1, 2, 3, 4], {"word_a": [1, 2], "word_b": [2, 5]}, r"v\.pairs\.parquet:2: word_b 5\. Expected"),
        ([1, 2, 3, 4], {"word_a": [1], "word_b": [None]}, r"v\.pairs\.parquet:1: word_b None"),
        ([1, 2, 3, 1], {"word_a": [1], "word_b": [2]}, r"v\.parquet:4: word_id 1\. Expected another"),
        (None, {"word_a": [1], "word_b": [2]}, r"v\.pairs\.parquet:1: word_a 1"),
        ([1, 2, 3, 4], {"a": [1], "b": [2]}, r"v\.pairs\.parquet has the columns a, b\. Expected"),
        ([1, 2, 3, 4], {"word_a": [1], "word_b": [2], "label": [0.5]}, "Expected word_a, word_b and perhaps"),
        ([1, 2, 3, 4], {"word_a": ["x"], "word_b": [2]}, r"v\.pairs\.parquet cannot be read"),
        ([1, 2, 3, 4], {"word_a": [1], "word_b": [2], "score": [np.inf]}, "pair 0 has the score inf"),
    ],
)
def test_pairs_that_cannot_be_are_refused_and_nothing_written(tmp_path, ids, pairs, message):
    rows = [row | {"vector": [1.0]} | ({"word_id": ids[n]} if ids else {}) for n, row in enumerate(TABLE)]
    pq.write_table(pa.Table.from_pylist(rows), tmp_path / "v.parquet")
    pq.write_table(pa.table(pairs), tmp_path / "v.pairs.parquet")
    with pytest.raises(CorpusError, match=message):
        repstore.import_vectors(f"parquet:{tmp_path / 'v.parquet'}", tmp_path / "store")
    assert not (tmp_path / "store").exists()


PIECES = [
    Text(
        "\U0001f642 e\u0301 turned the light off",
        (
            Word(2, 5, 25, "turned off", "turn off", "V", spans=((5, 11), (22, 25))),
            Word(4, 16, 21, "light", "light", "N", "light.1", "what\nshines"),
        ),
        "dev",
        "en",
    ),
    Text("bank bank", (Word(0, 0, 4, "bank"), Word(0, 0, 9, "bank bank", ""), Word(1, 5, 9, "bank"))),
    Text("bank bank", (Word(0, 0, 4, "bank"),), "test"),
    Text("bank bank", (Word(0, 0, 4, "bank"),), "test"),
]


@pytest.mark.parametrize("suffix", [".parquet", ".npy"])
@pytest.mark.parametrize("n_rows", [1, 4, 8192])
def test_words_in_pieces_and_texts_that_are_alike_make_the_same_corpus_elsewhere(tmp_path, suffix, n_rows):
    """Down to its digest, so that runs of both are over the same words."""
    layers = random_layers(7, 5, 2)
    store = build_store(tmp_path / "store", corpus_of(PIECES), [SyntheticRun("m", layers, n_rows)])
    out = tmp_path / f"out{suffix}"
    repstore.export(store, out)
    words = {} if suffix == ".parquet" else {"words": tmp_path / "out.words.parquet"}
    spans = pq.read_table(words.get("words", out))["spans"].to_pylist()
    assert spans == ["[[5, 11], [22, 25]]", *[None] * 6]
    report = repstore.import_vectors(f"{suffix[1:]}:{out}", tmp_path / "new", **words)
    with repstore.open(store) as before, repstore.open(tmp_path / "new") as after:
        assert report.corpus.corpus_id == before.sql("SELECT corpus_id FROM corpora")["corpus_id"][0]
        for table in ("words", "texts"):
            assert list(after.sql(f"FROM {table} ORDER BY ALL")) == list(
                before.sql(f"FROM {table} ORDER BY ALL")
            )
        for layer, expected in enumerate(layers):
            assert np.array_equal(after.vectors(layer=layer).values, expected)


@pytest.mark.parametrize(
    ("scale", "dtype"),
    [
        (1.0, "float16"),
        (1e6, "float32"),
        (1e30, "float32"),
        (1e-7, "float32"),
        (1e-40, "float32"),
        (0, "float16"),
    ],
)
def test_numbers_that_float16_cannot_hold_are_stored_as_float32(store, tmp_path, scale, dtype):
    values = (scale * np.random.default_rng(0).normal(size=(80, 5))).astype(np.float32)
    lists(tmp_path / "v.parquet", word_ids_of(store), {"vector": values})
    repstore.import_vectors(f"parquet:{tmp_path / 'v.parquet'}", store)
    with repstore.open(store) as opened:
        found = opened.vectors(run="v", layer=0).values
        assert found.dtype == dtype
        assert np.allclose(found, values, rtol=1e-2 if dtype == "float16" else 0, atol=1e-3 * scale)
    assert not len(repstore.verify(store))


def test_words_whose_numbers_are_not_finite_are_skipped(store, tmp_path):
    layers = {f"layer_0{n}": np.ones((80, 3)) for n in (0, 1)}
    layers["layer_00"][5, 1], layers["layer_01"][5, 0], layers["layer_01"][9, 2] = np.nan, np.inf, 1e300
    lists(tmp_path / "v.parquet", word_ids_of(store), layers)
    report = repstore.import_vectors(f"parquet:{tmp_path / 'v.parquet'}", store)
    assert (report.run.n_vectors, report.run.n_skipped) == (78, 2)
    with repstore.open(store) as opened:
        rows = opened.sql(
            "SELECT word_id % 100 AS n, reason FROM skipped WHERE run_id = ?", [report.run.run_id]
        )
        assert list(rows) == [{"n": 5, "reason": "not_finite"}, {"n": 9, "reason": "not_finite"}]
    (entry,) = store.glob(f"runs/{report.run.run_id}/manifest/*.json")
    assert json.loads(entry.read_text())["n_not_finite"] == [1, 2]
