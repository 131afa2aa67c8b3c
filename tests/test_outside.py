"""Layers against a table of similarities: which words a name means, which pairs count."""

import numpy as np
import oracles
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from synthetic import SyntheticRun, build_store, corpus_of

import repstore
from repstore.errors import ArgumentError, CorpusError, ResultError
from repstore.spec import Text, Word

WORDS = [  # form and lemma
    ("bank", "bank"),
    ("banks", "bank"),
    ("spring", "spring"),
    ("run", "run"),
    ("runs", "run"),
    ("ran", "run"),
    ("palm", None),
    ("bark", "bark"),
]
LAYERS = [np.random.default_rng(seed).normal(size=(len(WORDS), 5)).astype(np.float32) for seed in range(3)]
SKIPPED = frozenset({7})


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    texts = [
        Text(f"{form} {n}", (Word(0, 0, len(form), form, lemma),)) for n, (form, lemma) in enumerate(WORDS)
    ]
    runs = [SyntheticRun("m/a", LAYERS, 3, SKIPPED), SyntheticRun("m/flat", [np.ones((8, 3), np.float32)])]
    root = build_store(tmp_path_factory.mktemp("outside") / "store", corpus_of(texts), runs)
    with repstore.open(root) as opened:
        yield opened


def table(folder, *rows: tuple[object, object, float], name: str = "similar.csv"):
    path = folder / name
    path.write_text("word_a,word_b,similarity\n" + "".join(f"{a},{b},{s}\n" for a, b, s in rows))
    return path


def expected(layer: np.ndarray, pairs) -> tuple[float, float]:
    """Correlations by loops; each side is a list of ordinals."""
    cosines = [oracles.cosine(layer[a].mean(axis=0), layer[b].mean(axis=0)) for a, b, _ in pairs]
    given = [similarity for *_, similarity in pairs]
    return oracles.rank_correlation(cosines, given), oracles.correlation(cosines, given)


def test_a_name_is_a_form_if_the_table_names_it_and_else_a_lemma(store, tmp_path):
    path = table(
        tmp_path, ("bank", "run", 0.9), ("runs", "bank", 0.1), ("spring", "palm", 0.4), ("run", "spring", 0.3)
    )
    found = store.compare_with(path, run="m/a")
    # "runs" is named, so that it does not count for "run"; nobody names "banks", which counts for "bank".
    bank, run, runs, spring, palm = [0, 1], [3, 5], [4], [2], [6]
    pairs = [(bank, run, 0.9), (runs, bank, 0.1), (spring, palm, 0.4), (run, spring, 0.3)]
    for row, layer in zip(found, LAYERS, strict=True):
        spearman, pearson = expected(layer, pairs)
        assert row["spearman"] == pytest.approx(spearman)
        assert row["pearson"] == pytest.approx(pearson, abs=1e-5)
        assert (row["n_pairs"], row["n_missing"]) == (4, 0)


def test_word_ids_name_single_words(store, tmp_path):
    ids = store.words().to_pandas()["word_id"].tolist()
    path = table(
        tmp_path, (ids[0], ids[1], 0.9), (ids[2], ids[3], 0.2), (ids[4], ids[0], 0.5), (ids[1], ids[7], 1)
    )
    found = store.compare_with(path, run="m/a", layer=1)
    pairs = [([0], [1], 0.9), ([2], [3], 0.2), ([4], [0], 0.5)]  # the last word has no vector
    assert found["pearson"] == pytest.approx([expected(LAYERS[1], pairs)[1]], abs=1e-5)
    assert (found["n_pairs"], found["n_missing"]) == ([3], [1])


def test_pairs_of_which_a_word_is_unknown_are_counted_and_left_out(store, tmp_path):
    rows = [("bank", "run", 0.9), ("spring", "palm", 0.1), ("run", "spring", 0.5)]
    alone = store.compare_with(table(tmp_path, *rows), run="m/a")
    more = store.compare_with(
        table(tmp_path, *rows, ("bark", "bank", 0.3), ("xyz", "bank", 0.2), name="more.csv"), run="m/a"
    )
    assert more["n_missing"] == [2] * 3
    assert more.notes[0].startswith("2 of the 5 pairs are left out for m/a")
    assert not alone.notes
    assert more["spearman"] == alone["spearman"]


def test_a_condition_says_which_uses_count(store, tmp_path):
    path = table(tmp_path, ("bank", "run", 0.9), ("spring", "palm", 0.1), ("run", "spring", 0.5))
    found = store.compare_with(path, run="m/a", where="form <> 'runs'")
    pairs = [([0, 1], [3, 5], 0.9), ([2], [6], 0.1), ([3, 5], [2], 0.5)]
    for row, layer in zip(found, LAYERS, strict=True):
        assert row["pearson"] == pytest.approx(expected(layer, pairs)[1], abs=1e-5)


def test_parquet_says_the_same(store, tmp_path):
    rows = [("bank", "run", 0.9), ("spring", "palm", 0.1), ("run", "spring", 0.5)]
    columns = dict(zip(("word_a", "word_b", "score"), map(list, zip(*rows, strict=True)), strict=True))
    pq.write_table(pa.table(columns), tmp_path / "similar.parquet")
    found = store.compare_with(tmp_path / "similar.parquet", run="m/a")
    assert found.table.equals(store.compare_with(table(tmp_path, *rows), run="m/a").table)


def test_a_layer_of_equal_vectors_has_no_correlation_and_a_note(store, tmp_path):
    path = table(tmp_path, ("bank", "run", 0.9), ("spring", "palm", 0.1), ("run", "spring", 0.5))
    found = store.compare_with(path, run=["m/a", "m/flat"], layer=0)
    assert found["spearman"][1] is None
    assert found["spearman"][0] is not None
    assert "all cosines, or all similarities, are equal" in found.notes[0]


def test_too_few_known_pairs_are_refused(store, tmp_path):
    path = table(tmp_path, ("bank", "run", 0.9), ("xyz", "palm", 0.1), ("run", "abc", 0.5))
    with pytest.raises(ResultError, match="has both words of 1 of the 3 pairs"):
        store.compare_with(path, run="m/a")


def test_a_file_that_is_no_such_table_is_refused(store, tmp_path):
    with pytest.raises(CorpusError, match=r"absent\.csv"):
        store.compare_with(tmp_path / "absent.csv", run="m/a")
    (tmp_path / "other.csv").write_text("a,b\n1,2\n")
    with pytest.raises(CorpusError, match='no column "word_a"'):
        store.compare_with(tmp_path / "other.csv", run="m/a")
    with pytest.raises(ArgumentError, match='No standardize "z"'):
        store.compare_with(tmp_path / "other.csv", run="m/a", standardize="z")
