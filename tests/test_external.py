"""Agreement of a layer with given similarities, against plain loops; and the tables these come from."""

from math import isnan
from pathlib import Path

import numpy as np
import oracles
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from aligning import aligned, normal
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import in_parts

from repstore.analysis import kernels
from repstore.analysis.external import External, rsa_with
from repstore.corpus.similarities import read_similarities
from repstore.errors import CorpusError, ResultError


def plainly(
    layer: np.ndarray, groups: np.ndarray, a: np.ndarray, b: np.ndarray, given: np.ndarray
) -> tuple[float, float]:
    """Spearman's and Pearson's correlation by loops over floats."""

    def mean(group: int) -> list[float]:
        members = [row for row, of in zip(layer.tolist(), groups, strict=True) if of == group]
        return [sum(column) / len(members) for column in zip(*members, strict=True)]

    cosines = oracles.rounded(
        [oracles.cosine(mean(left), mean(right)) for left, right in zip(a, b, strict=True)]
    )
    return oracles.rank_correlation(cosines, given.tolist()), oracles.correlation(cosines, given.tolist())


@settings(max_examples=25)
@given(st.integers(3, 30), st.integers(1, 8), st.integers(0, 999))
def test_correlations_equal_plain_loops(n_pairs, n_groups, seed):
    random = np.random.default_rng(seed)
    layer = normal(40, 5, seed=seed)
    groups = np.concatenate([np.arange(n_groups), random.integers(-1, n_groups, 40 - n_groups)])
    a, b = random.integers(0, n_groups, (2, n_pairs))
    similarities = random.integers(0, 5, n_pairs).astype(np.float64)
    found = rsa_with(aligned(layer), groups, a, b, similarities)
    expected = plainly(layer, groups, a, b, similarities)
    assert (found.spearman, found.pearson) == pytest.approx(expected, abs=1e-5, nan_ok=True)


def test_numbers_of_groups_may_be_any_and_words_in_no_pair_do_not_count(monkeypatch):
    layer = normal(50, 6).astype(np.float16)
    groups = np.where(np.arange(50) % 3 == 0, -1, np.arange(50) % 8 * 1000 + 7)
    a, b = np.array([7, 1007, 2007, 3007]), np.array([1007, 2007, 4007, 7])
    similarities = np.array([0.1, 0.7, 0.3, 0.2])
    expected = rsa_with(aligned(layer), groups, a, b, similarities)
    assert (expected.spearman, expected.pearson) == pytest.approx(
        plainly(layer, groups, a, b, similarities), abs=1e-5
    )
    poisoned = layer.copy()
    poisoned[groups == 5007] = np.float16(np.inf)
    monkeypatch.setattr(kernels, "BLOCK_BYTES", 4 * 6 * 7)  # blocks of 7 words
    in_pieces = aligned(in_parts(poisoned, 11, 30, widened=(1,)))
    found = rsa_with(in_pieces, groups, a, b, similarities)
    assert (found.spearman, found.pearson) == pytest.approx((expected.spearman, expected.pearson), abs=1e-9)


def test_a_group_stands_for_its_words_by_their_mean_in_the_space():
    layer = normal(30, 4) + 50  # nearly all cosines are 1 unless the layer is centered
    groups = np.arange(30) // 3
    a, b = np.triu_indices(10, 1)
    centered = layer - layer.mean(axis=0, dtype=np.float64)
    means = centered.reshape(10, 3, 4).mean(axis=1)
    cosines = np.array([oracles.cosine(means[x], means[y]) for x, y in zip(a, b, strict=True)])
    found = rsa_with(aligned(layer, frame="center"), groups, a, b, cosines)
    assert (found.spearman, found.pearson) == pytest.approx((1, 1), abs=1e-6)
    assert rsa_with(aligned(layer, frame="center"), groups, a, b, -cosines).spearman == pytest.approx(-1)
    assert rsa_with(aligned(layer), groups, a, b, cosines).pearson < 0.9


def test_rows_are_those_of_the_aligned_words():
    layer, rows = normal(20, 4), np.array([19, 3, 5, 0, 7])
    a, b, similarities = np.array([0, 1, 2, 3]), np.array([1, 2, 3, 4]), np.array([0.1, 0.7, 0.3, 0.2])
    found = rsa_with(aligned(layer, rows), np.arange(5), a, b, similarities)
    assert found == rsa_with(aligned(layer[rows]), np.arange(5), a, b, similarities)


@pytest.mark.parametrize(
    ("layer", "n_pairs", "similarities"),
    [
        (normal(6, 4), 2, np.array([0.1, 0.2])),
        (normal(6, 4), 0, np.array([])),
        (normal(6, 4), 5, np.full(5, 0.1)),
        (np.full((6, 4), 0.1, np.float16), 5, np.arange(5)),
        (np.zeros((6, 4), np.float32), 5, np.arange(5)),
    ],
)
def test_too_few_pairs_or_equal_ones_have_no_correlation(layer, n_pairs, similarities):
    a = np.arange(n_pairs)
    found = rsa_with(aligned(layer), np.arange(6), a, a + 1, similarities)
    assert isnan(found.spearman)
    assert isnan(found.pearson)


def test_a_zero_vector_has_cosine_0():
    layer = np.array([[0, 0], [1, 0], [1, 1], [0, 1]], np.float32)
    a, b = np.array([0, 1, 1]), np.array([1, 2, 1])
    assert rsa_with(aligned(layer), np.arange(4), a, b, np.array([1, 2, 3])) == External(
        pytest.approx(1), pytest.approx(oracles.correlation([0, 0.5**0.5, 1], [1, 2, 3]), abs=1e-6)
    )


def test_a_group_without_words_is_refused():
    with pytest.raises(ResultError, match="No word is in group 9"):
        rsa_with(aligned(normal(4, 3)), np.arange(4), np.array([0, 1, 2]), np.array([1, 9, 3]), np.arange(3))


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", 'word_a,word_b,similarity\n"rock, hard",stone,3.5\ncat,12,-1\n'),
        ("a.csv", '\ufeffnote,score,word_b,word_a\r\n,3.5,stone,"rock, hard"\r\n\r\n,-1,12,cat\r\n'),
        ("a.tsv", "word_a\tword_b\tsimilarity\nrock, hard\tstone\t3.5\n cat\t12\t-1\n"),
        ("a.txt", "word_a\tword_b\tscore\tsimilarity\nrock, hard\tstone\t9\t3.5\ncat\t12\t9\t-1\n"),
    ],
)
def test_text_tables_are_read_with_either_name_of_the_column(tmp_path, name, text):
    found = read_similarities(written(tmp_path, name, text))
    assert (found.a, found.b, found.similarity.tolist()) == (
        ("rock, hard", "cat"),
        ("stone", "12"),
        [3.5, -1],
    )


def test_parquet_tables_are_read_with_words_or_ids(tmp_path):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"score": [1, 2], "word_b": ["x", "y"], "word_a": ["é", "z"]}), path)
    found = read_similarities(path)
    assert (found.a, found.b, found.similarity.tolist()) == (("é", "z"), ("x", "y"), [1, 2])
    ids = [97181000000000, 5]
    pq.write_table(pa.table({"word_a": ids, "word_b": ids[::-1], "similarity": [0.5, 1.5]}), path)
    found = read_similarities(path)
    assert (found.a, found.b, found.similarity.tolist()) == (tuple(ids), tuple(ids[::-1]), [0.5, 1.5])


def test_whole_floats_of_parquet_are_ids(tmp_path):
    path = tmp_path / "a.parquet"
    ids = pa.array([97181000000012.0, 5.0])
    pq.write_table(pa.table({"word_a": ids, "word_b": [7, 8], "similarity": [0.5, 2.0]}), path)
    found = read_similarities(path)
    assert (found.a, found.b, found.similarity.tolist()) == ((97181000000012, 5), (7, 8), [0.5, 2])
    for other in (12.5, float(1 << 53), float("inf"), -3.0):
        pq.write_table(pa.table({"word_a": [other], "word_b": [7.0], "similarity": [1.0]}), path)
        assert read_similarities(path).b == ("7",)


def test_words_are_ids_only_if_all_are_whole_numbers_of_64_bits(tmp_path):
    header = "word_a,word_b,similarity\n"
    ids = read_similarities(written(tmp_path, "a.csv", f"{header}1,97181000000000,1\n{(1 << 63) - 1},4,2\n"))
    assert (ids.a, ids.b) == ((1, (1 << 63) - 1), (97181000000000, 4))
    for word in ("x", "-1", "1.0", "²", "1_0", str(1 << 63), "9" * 5000):
        forms = read_similarities(written(tmp_path, "a.csv", f"{header}1,2,1\n3,{word},2\n"))
        assert (forms.a, forms.b) == (("1", "3"), ("2", word))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r'a\.csv:1: no column "word_a"'),
        ("word_a,word_b,similarity\n", r"a\.csv has no pairs"),
        ("word_a,other,similarity\nx,y,1\n", r'a\.csv:1: no column "word_b"'),
        ("word_a,word_b,value\nx,y,1\n", r'a\.csv:1: no column "similarity"'),
        ("word_a,word_b,similarity\nx,y,1\nx,y,high\n", r'a\.csv:3: similarity "high". Expected a number'),
        ("word_a,word_b,similarity\nx,y,nan\n", r'a\.csv:2: similarity "nan"'),
        ("word_a,word_b,similarity\nx, ,1\n", r"a\.csv:2: no word_b"),
        ("word_a,word_b,similarity\nx,1\n", r"a\.csv:2: 2 columns"),
    ],
)
def test_what_is_wrong_with_a_text_table_is_said_with_its_line(tmp_path, text, message):
    with pytest.raises(CorpusError, match=message):
        read_similarities(written(tmp_path, "a.csv", text))


@pytest.mark.parametrize(
    ("columns", "message"),
    [
        ({"word_a": ["x"], "score": [1]}, r'a\.parquet: no column "word_b". Expected word_a, word_b, score'),
        ({"word_a": ["x"], "word_b": ["y"]}, r'no column "similarity"'),
        ({"word_a": ["x", "x"], "word_b": ["y", None], "score": [1, 1]}, r"a\.parquet:2: no word_b"),
        ({"word_a": ["x"], "word_b": ["y"], "score": ["?"]}, r'a\.parquet:1: similarity "\?"'),
        ({"word_a": ["x"], "word_b": ["y"], "score": pa.array([None], pa.float64())}, r"a\.parquet:1: sim"),
        ({"word_a": [], "word_b": [], "score": []}, r"a\.parquet has no pairs"),
    ],
)
def test_what_is_wrong_with_a_parquet_table_is_said_with_its_row(tmp_path, columns, message):
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table(columns), path)
    with pytest.raises(CorpusError, match=message):
        read_similarities(path)


@pytest.mark.parametrize("name", ["none.csv", "none.parquet"])
def test_a_file_that_is_not_there_or_not_a_table_is_refused(tmp_path, name):
    with pytest.raises(CorpusError, match=f"{name} cannot be read"):
        read_similarities(tmp_path / name)
    (tmp_path / name).mkdir()
    with pytest.raises(CorpusError, match="cannot be read"):
        read_similarities(tmp_path / name)
    (tmp_path / "text.parquet").write_text("word_a,word_b,similarity\n")
    with pytest.raises(CorpusError, match="cannot be read as Parquet"):
        read_similarities(tmp_path / "text.parquet")
