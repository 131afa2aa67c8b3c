"""What is exported is read by the real libraries of each format, and is what the store holds, bit for bit."""

import json
import re

import anndata
import datasets
import duckdb
import numpy as np
import pandas
import polars
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
import safetensors
import safetensors.numpy
from exported import (
    COLUMNS,
    FORMATS,
    HOSTILE,
    RUN,
    annotation_of,
    digests,
    out_of,
    planted,
    rows,
    stored,
)
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from mixing import arrays_of, put_mix
from synthetic import SyntheticRun, build_store, in_parts, random_layers, small_corpus

import repstore
from repstore.cli.render import show_export
from repstore.exporting import content, projector
from repstore.storage.made import ROWS_AT_ONCE, MadeLayer

LAYERS = ("layer_00", "layer_01", "layer_02")


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    return planted(tmp_path_factory.mktemp("stores") / "store")


@pytest.fixture(autouse=True)
def small_blocks(monkeypatch):
    """Blocks of a few words, so that every export is put together from several."""
    monkeypatch.setattr(content, "BLOCK_ROWS", 4)


def export(store, folder, format, **options):
    out = out_of(folder, format)
    return out, repstore.export(store, out, format=format, **options)


def bits(matrix):
    """A matrix as bytes, by dtype: NaN, -0.0 and all."""
    matrix = np.asarray(matrix)
    return (matrix.dtype.name, matrix.shape, matrix.tobytes())


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_parquet_is_read_alike_by_four_readers(store, tmp_path, dtype):
    layers = [0, 1]
    out, report = export(store, tmp_path, "parquet", layer=layers, dtype=dtype)
    assert (report.files, report.n_words, report.n_without) == ((out,), 22, 2)
    arrow = pq.read_table(out)
    readers = {
        "pyarrow": arrow.to_pydict(),
        "polars": polars.read_parquet(out).to_dict(as_series=False),
        "duckdb": duckdb.connect().read_parquet(str(out)).to_arrow_table().to_pydict(),
        "pandas": pandas.read_parquet(out, dtype_backend="pyarrow").to_dict("list"),
    }
    for name, table in readers.items():
        values = {key: [None if value is pandas.NA else value for value in table[key]] for key in table}
        assert annotation_of(values) == rows(), name
        for layer in layers:
            expected = stored(store, layer).astype(dtype)
            assert bits(np.array(table[f"layer_{layer:02d}"], dtype)) == bits(expected), name
    assert arrow.schema.field("layer_00").type.value_type == pa.from_numpy_dtype(np.dtype(dtype))
    assert pq.ParquetFile(out).num_row_groups == 6


def test_parquet_has_a_column_per_layer_after_the_annotation(store, tmp_path):
    out, _ = export(store, tmp_path, "parquet")
    names = ["word_id", "text_id", "position", "char_start", "char_end", *COLUMNS, *LAYERS]
    assert pq.read_schema(out).names == names


@pytest.mark.parametrize("layer", [0, 1, 2])
def test_npy_of_one_layer_is_its_matrix_as_stored(store, tmp_path, layer):
    out, report = export(store, tmp_path, "npy", layer=layer)
    assert bits(np.load(out)) == bits(stored(store, layer))
    assert bits(np.load(out, mmap_mode="r")) == bits(stored(store, layer))
    assert report.files == (tmp_path / "out.words.parquet", out)
    assert annotation_of(pq.read_table(report.files[0]).to_pydict()) == rows()


def test_npy_of_several_layers_has_the_layers_first(store, tmp_path):
    out, _ = export(store, tmp_path, "npy", layer=[2, 0])
    expected = np.stack([stored(store, 2), stored(store, 0)])
    assert bits(np.load(out)) == bits(expected)
    assert expected.dtype == np.float32


def test_safetensors_has_each_layer_as_stored_and_the_word_ids(store, tmp_path):
    out, report = export(store, tmp_path, "safetensors")
    tensors = safetensors.numpy.load_file(out)
    assert set(tensors) == {*LAYERS, "word_ids"}
    for n, name in enumerate(LAYERS):
        assert bits(tensors[name]) == bits(stored(store, n))
    words = pq.read_table(report.files[0]).to_pydict()
    assert tensors["word_ids"].tolist() == words["word_id"]
    assert annotation_of(words) == rows()


@pytest.mark.parametrize("mode", [None, "r"])
def test_h5ad_of_one_layer_has_it_as_x(store, tmp_path, mode):
    out, _ = export(store, tmp_path, "h5ad", layer=1)
    read = anndata.read_h5ad(out, backed=mode)
    try:
        assert bits(read.X[:]) == bits(stored(store, 1).astype(np.float32))
        assert read.var_names.tolist() == ["0", "1", "2", "3", "4"]
        assert annotation_of(of_frame(read.obs)) == [hdf5(row) for row in rows()]
        assert read.obs_names.tolist() == [str(n) for n in read.obs["word_id"]]
    finally:
        if mode is not None:
            read.file.close()


def test_h5ad_of_several_layers_has_each_in_obsm(store, tmp_path):
    out, _ = export(store, tmp_path, "h5ad")
    read = anndata.read_h5ad(out)
    assert (read.X, read.shape) == (None, (22, 0))
    assert {name: bits(matrix) for name, matrix in read.obsm.items()} == {
        name: bits(stored(store, n).astype(np.float32)) for n, name in enumerate(LAYERS)
    }


def of_frame(frame):
    """Columns of a data frame, with None where a value is missing."""
    return {name: [None if pandas.isna(one) else one for one in frame[name]] for name in frame}


def hdf5(row):
    """A row as HDF5 can hold it."""
    return {
        name: value.replace("\0", "\u2400") if isinstance(value, str) else value
        for name, value in row.items()
    }


def test_datasets_opens_its_folder_with_typed_columns(store, tmp_path):
    out, _ = export(store, tmp_path, "datasets")
    read = datasets.load_from_disk(out)
    assert annotation_of({name: list(read[name]) for name in read.column_names}) == rows()
    for n, name in enumerate(LAYERS):
        expected = stored(store, n)
        assert read.features[name] == datasets.List(datasets.Value(expected.dtype.name), length=5)
        column = read.select_columns([name]).with_format("numpy", dtype=expected.dtype)
        numbers = column[:][name]
        assert bits(numbers) == bits(expected)
    assert read.features["word_id"] == datasets.Value("int64")


def projected(path):
    """A table as the web page reads it: lines apart at new lines, values at tabs, "" missing."""
    lines = [line for line in path.read_bytes().decode().split("\n") if line.strip()]
    return [[value or None for value in line.split("\t")] for line in lines]


def unescaped(value):
    marks = {"t": "\t", "n": "\n", "r": "\r", "\\": "\\"}
    return value and re.sub(r"\\(.)", lambda found: marks[found[1]], value)


def test_the_projector_finds_numbers_and_words_in_the_same_order(store, tmp_path):
    out, _ = export(store, tmp_path, "projector")
    for n, name in enumerate(LAYERS):
        numbers = np.array(
            projected(out / f"{name}.tsv"), np.float32
        )  # no header, so all of them are numbers
        assert bits(numbers) == bits(stored(store, n).astype(np.float32))
    names, *values = projected(out / "metadata.tsv")
    table = {name: [unescaped(row[n]) for row in values] for n, name in enumerate(names)}
    for name in ("word_id", "position", "char_start", "char_end"):
        table[name] = list(map(int, table[name]))
    expected = [{name: None if value == "" else value for name, value in row.items()} for row in rows()]
    assert annotation_of(table) == expected


@given(st.text())
def test_any_text_is_one_value_of_the_projector_and_can_be_read_back(text):
    value = projector.escaped(text)
    assert not set(value) & set("\t\n\r")
    assert unescaped(value) == text


@given(arrays(np.float32, (2, 3), elements=st.floats(width=32, allow_nan=False, allow_infinity=False)))
def test_any_number_is_read_back_by_the_projector_as_it_was(matrix):
    read = [list(map(float, line.split("\t"))) for line in projector.lines_of(matrix)]
    assert bits(np.array(read).astype(np.float32)) == bits(matrix)


def test_the_projector_is_told_which_tables_belong_together(store, tmp_path):
    out, _ = export(store, tmp_path, "projector", layer=[0, 2])
    config = (out / "projector_config.pbtxt").read_text()
    found = re.findall(
        r'embeddings \{\s+tensor_name: "(.+)"\s+tensor_path: "(.+)"\s+metadata_path: "(.+)"\s+\}', config
    )
    assert found == [(name, f"{name}.tsv", "metadata.tsv") for name in ("layer_00", "layer_02")]
    assert all((out / file).exists() for one in found for file in one[1:])


def test_atlas_has_the_vector_and_the_text_with_its_word_marked(store, tmp_path):
    out, report = export(store, tmp_path, "atlas", layer=1)
    frame = pandas.read_parquet(out)  # as embedding-atlas reads it, and makes of the column what it does
    numbers = np.array([np.array(row, np.float32) for row in frame["vector"].to_list()])
    assert bits(numbers) == bits(stored(store, 1).astype(np.float32))
    marked = [
        f"{row['text'][: row['char_start']]}[{row['form']}]{row['text'][row['char_end'] :]}" for row in rows()
    ]
    assert frame["in_text"].to_list() == marked
    assert report.opens == f"embedding-atlas {out} --text in_text --vector vector"


@pytest.mark.parametrize("format", FORMATS)
def test_the_same_is_exported_as_the_same_bytes(store, tmp_path, format):
    folders = [tmp_path / "one", tmp_path / "two"]
    for folder in folders:
        folder.mkdir()
        export(store, folder, format, layer=1)
    one, two = map(digests, folders)
    assert one == two
    assert one


def provenance_of(out, format):
    match format:
        case "parquet" | "atlas":
            return pq.read_schema(out).metadata[b"repstore"]
        case "npy":
            return pq.read_schema(out.with_suffix(".words.parquet")).metadata[b"repstore"]
        case "h5ad":
            return anndata.read_h5ad(out).uns["repstore"]
        case "safetensors":
            with safetensors.safe_open(out, "np") as file:
                return file.metadata()["repstore"]
        case "datasets":
            return datasets.load_from_disk(out).info.description
        case "projector":
            return (out / "repstore.json").read_text()


@pytest.mark.parametrize("format", FORMATS)
def test_pairs_go_along_with_parquet_and_datasets_where_both_words_do(tmp_path, format, capsys):
    store = build_store(tmp_path / "store", small_corpus(), [SyntheticRun(RUN, random_layers(80, 3, 1))])
    out, report = export(store, tmp_path, format, where="word_id % 4 < 2")
    pairs = tmp_path / "out.pairs.parquet"
    if format not in ("parquet", "datasets"):
        assert (report.n_pairs, pairs.exists()) == (0, False)
        return
    with repstore.open(store) as opened:
        columns = "pair_id, split, word_a, word_b, label, score"
        among = "word_a % 4 < 2 AND word_b % 4 < 2"
        expected = list(opened.sql(f"SELECT {columns} FROM pairs WHERE {among} ORDER BY pair_id"))
        one_of = "(word_a % 4 < 2) <> (word_b % 4 < 2)"
        (n_cut,) = opened.sql(f"SELECT count(*) AS n FROM pairs WHERE {one_of}")["n"]
    assert polars.read_parquet(pairs).to_dicts() == expected
    assert (report.files, report.n_pairs) == ((pairs, out), len(expected))
    assert report.n_pairs_without == n_cut > 0
    show_export(report)
    assert (
        f"\n{n_cut} more pairs have only one of their words here and are left out.\n"
        in capsys.readouterr().err
    )
    assert json.loads(pq.read_schema(pairs).metadata[b"repstore"])["run"] == RUN
    if format == "datasets":
        assert len(datasets.load_from_disk(str(out))) == 40


@pytest.mark.parametrize("format", FORMATS)
def test_every_format_says_where_its_vectors_come_from(store, tmp_path, format):
    out, _ = export(store, tmp_path, format, layer=1, where="position = 0")
    about = json.loads(provenance_of(out, format))
    assert about["repstore"] == repstore.__version__
    said = {
        name: about[name] for name in ("run", "model", "template", "reading", "pooling", "layers", "where")
    }
    assert said == {
        "run": RUN,
        "model": "synthetic",
        "template": "base",
        "reading": "target",
        "pooling": "mean",
        "layers": ["1"],
        "where": "position = 0",
    }


@pytest.mark.parametrize("format", FORMATS)
def test_a_condition_leaves_out_words_and_their_vectors(store, tmp_path, format):
    where = "position = 0 AND form <> 'nan'"
    out, report = export(store, tmp_path, format, layer=1, where=where)
    kept = [n for n, row in enumerate(rows()) if row["position"] == 0 and row["form"] != "nan"]
    assert (report.n_words, report.n_without) == (len(kept), 0)
    assert bits(matrix_of(out, format, 1)) == bits(stored(store, 1)[kept].astype(np.float32))


def test_words_without_a_vector_are_counted(store, tmp_path):
    _, report = export(store, tmp_path, "npy", where="position = 1")
    assert (report.n_words, report.n_without) == (len(HOSTILE) - 2, 2)


def matrix_of(out, format, layer):
    name = layer if isinstance(layer, str) else f"layer_{layer:02d}"
    match format:
        case "parquet" | "atlas":
            column = "vector" if format == "atlas" else name
            values = pq.read_table(out)[column].to_pylist()
        case "npy":
            values = np.load(out)
        case "h5ad":
            values = anndata.read_h5ad(out).X
        case "safetensors":
            values = safetensors.numpy.load_file(out)[name]
        case "datasets":
            values = datasets.load_from_disk(out)[name][:]
        case "projector":
            values = projected(out / f"{name}.tsv")
    return np.array(values, np.float32)


@pytest.fixture(scope="module")
def long_store(tmp_path_factory):
    """More words than are transformed or mixed at a time."""
    n_words = 1500
    layers = random_layers(n_words, 48, 3)
    root = tmp_path_factory.mktemp("stores") / "store"
    build_store(root, small_corpus(n_words), [SyntheticRun(RUN, layers, 700)])
    repstore.fit_transform(root, "white", kind="whiten")
    put_mix(root, "mixed", "attention", range(3), arrays_of("attention", 3, 48))
    return root


@pytest.mark.parametrize("rows_per_block", [300, 4096])
@pytest.mark.parametrize("format", ["parquet", "npy"])
@pytest.mark.parametrize("seen", [{"layer": 1, "transform": "white"}, {"layer": "mix:mixed"}])
def test_transforms_and_mixes_are_exported_bit_for_bit(
    long_store, tmp_path, monkeypatch, format, seen, rows_per_block
):
    monkeypatch.setattr(content, "BLOCK_ROWS", rows_per_block)
    out, report = export(long_store, tmp_path, format, where="lemma <> 'bank'", **seen)
    with repstore.open(long_store) as store:
        kept = [n for n, lemma in enumerate(store.words()["lemma"]) if lemma != "bank"]
    expected = stored(long_store, **seen)[kept]
    assert bits(matrix_of(out, format, report.layers[0])) == bits(expected)
    assert report.layers == ("layer_01" if "transform" in seen else "mix_mixed",)


class Unsteady(MadeLayer):
    """A layer whose vectors hang on which others are made with them, as sums of floats may."""

    described = "A test"
    d_model = 2

    def __reduce__(self):
        return Unsteady, (self.layer, self._stored)

    def make(self, rows):
        return (rows[:, None] + rows.sum() * np.ones(2)).astype(np.float32)


def test_a_made_layer_is_taken_in_the_pieces_in_which_it_is_made_as_a_whole():
    n_words = 2 * ROWS_AT_ONCE + 300
    rows = np.flatnonzero(np.random.default_rng(0).random(n_words) < 0.4)
    stored = in_parts(np.zeros((n_words, 2), np.float32), 700)
    whole = Unsteady(0, stored).values
    assert bits(content.rows_as_whole(Unsteady(0, stored), rows)) == bits(whole[rows])
    assert bits(Unsteady(0, stored).take(rows)) != bits(whole[rows])
