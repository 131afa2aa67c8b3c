"""Tables of numbers known of words or texts: what is read, what is left out, what is refused."""

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstore.corpus.matrices import KEYS, read_matrix
from repstore.errors import CorpusError


def written(folder, text: str, name: str = "norms.csv"):
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize("key", KEYS)
def test_one_column_says_what_a_row_is_about_and_the_others_are_numbers(tmp_path, key):
    names = ("3", "14") if key.endswith("_id") else ("old bank", "bank")
    found = read_matrix(
        written(tmp_path, f"valence, {key},arousal\n1,{names[0]},2.5\n\n-3e2,{names[1]} ,0\n")
    )
    assert found.key == key
    assert found.keys == (tuple(map(int, names)) if key.endswith("_id") else names)
    assert found.columns == ("valence", "arousal")
    assert found.values.tolist() == [[1, 2.5], [-300, 0]]
    assert (found.values.dtype, found.n_incomplete) == (np.float64, 0)


def test_tabs_separate_texts_with_commas_and_quotes_hold_them_together(tmp_path):
    tabs = read_matrix(written(tmp_path, "text\tscore\nYes, I did.\t1\n", "a.tsv"))
    commas = read_matrix(written(tmp_path, 'text,score\n"Yes, I did.",1\n'))
    assert tabs.keys == commas.keys == ("Yes, I did.",)


def test_rows_without_a_number_in_every_column_are_left_out_and_counted(tmp_path):
    path = written(tmp_path, "form,a,b\nx,1,\ny,2,3\nz,NaN,4\nw, ,nan\n")
    found = read_matrix(path)
    assert (found.keys, found.values.tolist(), found.n_incomplete) == (("y",), [[2, 3]], 3)
    with pytest.raises(CorpusError, match="has no row with a number in every column"):
        read_matrix(written(tmp_path, "form,a\nx,\n"))
    with pytest.raises(CorpusError, match="has no row with a number in every column"):
        read_matrix(written(tmp_path, "form,a\n"))


@given(
    keys=st.lists(st.integers(0, 2**62), min_size=1, max_size=8, unique=True),
    n_columns=st.integers(1, 4),
    seed=st.integers(0, 99),
)
def test_all_formats_read_alike(tmp_path_factory, keys, n_columns, seed):
    folder = tmp_path_factory.mktemp("matrix")
    values = np.random.default_rng(seed).normal(size=(len(keys), n_columns))
    names = [f"v{n}" for n in range(n_columns)]
    rows = [[key, *map(repr, row)] for key, row in zip(keys, values.tolist(), strict=True)]
    lines = [["word_id", *names], *rows]
    paths = [
        written(folder, "\n".join(mark.join(map(str, line)) for line in lines), name)
        for mark, name in ((",", "a.csv"), ("\t", "a.tsv"))
    ]
    paths += [folder / "a.parquet", folder / "a.npz"]
    columns = {"word_id": keys} | {name: values[:, n] for n, name in enumerate(names)}
    pq.write_table(pa.table(columns), paths[2])
    np.savez(paths[3], keys=keys, values=values, columns=names)
    for path in paths:
        found = read_matrix(path)
        assert (found.key, found.keys, found.columns) == ("word_id", tuple(keys), tuple(names))
        np.testing.assert_array_equal(found.values, values)


def test_parquet_has_whole_numbers_as_floats_and_nulls(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"text_id": [1.0, 2.0, 3.0], "a": [1, None, 3], "b": [0.5, 1, 2]}), path)
    found = read_matrix(path)
    assert (found.keys, found.values.tolist(), found.n_incomplete) == ((1, 3), [[1, 0.5], [3, 2]], 1)


def test_arrays_of_text_keys_say_which_they_are(tmp_path):
    path = tmp_path / "voxels.npz"
    values = np.arange(6, dtype=np.float32).reshape(2, 3)
    np.savez(path, keys=["a b", "c"], values=values, key="text")
    found = read_matrix(path)
    assert (found.key, found.keys) == ("text", ("a b", "c"))
    assert found.columns == ("column_0", "column_1", "column_2")
    np.savez(path, keys=["a b", "c"], values=values)
    with pytest.raises(CorpusError, match=r'no key\. Expected an array "key": one of word_id, form'):
        read_matrix(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (
            "word,a\nx,1\n",
            r"norms.csv:1: no key among the columns word, a. Expected one of word_id, form, lemma",
        ),
        ("form,lemma,a\nx,x,1\n", "norms.csv:1: the columns form and lemma. Expected one of"),
        ("form\nx\n", "norms.csv:1: no column beside form. Expected at least one column of numbers"),
        ("form,a,a\nx,1,2\n", 'norms.csv:1: two columns "a"'),
        ("form,a\nx,1\ny,high\n", 'norms.csv:3: a "high". Expected a number'),
        ("form,a\nx,1\ny,inf\n", "norms.csv:3: a that is infinite"),
        ("form,a\nx,1,2\n", "norms.csv:2: 3 columns. Expected 2"),
        ("form,a\nx,1\ny,2\nx,3\n", 'norms.csv:4: form "x", which was at 2. Expected one row for each'),
        ("word_id,a\n1,1\n01,2\n", 'norms.csv:3: word_id "1"'),
        ("word_id,a\nx,1\n", 'norms.csv:2: word_id "x". Expected a whole number'),
        ("text_id,a\n-1,1\n", 'text_id "-1"'),
        ("form,a\n ,1\n", "norms.csv:2: no form. Expected a form in every row"),
        ("", "norms.csv:1: no key"),
    ],
)
def test_what_cannot_be_read_is_refused_with_its_line(tmp_path, text, message):
    with pytest.raises(CorpusError, match=message):
        read_matrix(written(tmp_path, text))


def test_a_row_that_is_left_out_counts_as_there(tmp_path):
    with pytest.raises(CorpusError, match=r'norms\.csv:3: form "x", which was at 2'):
        read_matrix(written(tmp_path, "form,a\nx,\nx,1\n"))


def test_files_of_other_kinds_are_refused(tmp_path):
    with pytest.raises(CorpusError, match="cannot be read"):
        read_matrix(tmp_path / "none.csv")
    for name, kind in (("a.parquet", "Parquet"), ("a.npz", ".npz")):
        with pytest.raises(CorpusError, match=f"a{name[1:]} cannot be read as {kind}"):
            read_matrix(written(tmp_path, "form,a\nx,1\n", name))
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"form": ["x"], "a": ["high"]}), path)
    with pytest.raises(CorpusError, match=r'column "a" of string\. Expected numbers'):
        read_matrix(path)
    path = tmp_path / "a.npz"
    for arrays, message in (
        ({"keys": [1]}, 'no array "values"'),
        ({"keys": [1], "values": np.ones((2, 2))}, r"values of shape \(2, 2\). Expected \(n,\)"),
        ({"keys": [1], "values": [["a"]]}, "values of <U1. Expected numbers"),
        ({"keys": [1], "values": [[1.0]], "columns": ["a", "b"]}, "2 names of columns. Expected 1"),
        ({"keys": np.array([{}]), "values": [[1.0]]}, "cannot be read as .npz"),
        ({"keys": np.array([b"x"]), "values": [[1.0]], "key": "form"}, r"keys of \|S1\. Expected text"),
        ({"keys": ["a"], "values": [[1.0]], "key": "word"}, "no key among"),
        ({"keys": [1], "values": np.ones((1, 0))}, "no column beside word_id"),
    ):
        np.savez(path, **arrays)
        with pytest.raises(CorpusError, match=message):
            read_matrix(path)
