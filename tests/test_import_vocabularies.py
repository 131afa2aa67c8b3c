"""Vectors of a vocabulary: files as other programs write them, and which vector each word gets."""

from __future__ import annotations

import bz2
import gzip
import lzma
import shutil
import struct
import tracemalloc
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

import numpy as np
import pyarrow as pa
import pytest
from gensim.models import KeyedVectors
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from synthetic import build_store, corpus_of

import repstore
from repstore.errors import ArgumentError, CorpusError, NotFoundError
from repstore.importing import Request, open_source
from repstore.importing.vocabulary import Vocabulary
from repstore.spec import Text, Word
from repstore.storage.corpora import read_corpora
from repstore.storage.layout import Layout

FORMS = ["Bank", "bank", "banks", "the", "café", "bank", "e\u0301tude", "St. John", "zebra"]
LEMMAS = ["bank", "bank", "bank", None, "café", "bank", None, None, "zebra"]


def text_of(forms: Sequence[str], lemmas: Sequence[str | None]) -> Text:
    words, start = [], 0
    for n, (form, lemma) in enumerate(zip(forms, lemmas, strict=True)):
        words.append(Word(n, start, start + len(form), form, lemma))
        start += len(form) + 1
    return Text(" ".join(forms), tuple(words))


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Path:
    texts = [text_of(FORMS[:4], LEMMAS[:4]), text_of(FORMS[4:], LEMMAS[4:])]
    return build_store(tmp_path_factory.mktemp("made") / "store", corpus_of(texts, name="words"))


@pytest.fixture
def store(made: Path, tmp_path: Path) -> Path:
    return shutil.copytree(made, tmp_path / "store")


def vectors_of(words: Sequence[str], d_model: int = 4, seed: int = 0) -> KeyedVectors:
    kept = KeyedVectors(d_model)
    kept.add_vectors(list(words), np.random.default_rng(seed).normal(size=(len(words), d_model)))
    return kept


def imported(store: Path, run: str) -> dict[str, np.ndarray]:
    """Form and ordinal of every word with a vector: the vector."""
    with repstore.open(store) as opened:
        layer = opened.vectors(run=run, layer=0)
        forms = dict(zip(*(opened.words(limit=1000)[name] for name in ("word_id", "form")), strict=True))
        return {
            f"{forms[word_id]} {word_id % 1000}": row
            for word_id, row in zip(layer.word_ids.tolist(), layer.values, strict=True)
        }


def skipped(store: Path, run: str) -> list[tuple[str, str]]:
    query = "SELECT rendered, reason FROM skipped JOIN runs USING (run_id) WHERE name = ? ORDER BY word_id"
    with repstore.open(store) as opened:
        return [(row["rendered"], row["reason"]) for row in opened.sql(query, [run])]


def parsed(path: Path, kind: str) -> dict[bytes, np.ndarray]:
    vocabulary = Vocabulary(path, kind)
    return {entry.word: entry.vector() for entry in vocabulary.entries(vocabulary.shape())}


@pytest.mark.parametrize("binary", [False, True], ids=["text", "binary"])
@pytest.mark.parametrize("packed", [False, True], ids=["plain", "gz"])
def test_what_gensim_writes_is_found_word_by_word(store, tmp_path, binary, packed):
    kept = vectors_of(["the", "bank", "Bank", "other", "café", "e\u0301tude"])
    path = tmp_path / ("v.bin.gz" if packed else "v.bin")
    kept.save_word2vec_format(path, binary=binary)
    report = repstore.import_vectors(f"word2vec:{path}", store, name="static")
    assert (report.run.n_vectors, report.run.n_skipped) == (6, 3)
    got = imported(store, "static")
    assert set(got) == {"Bank 0", "bank 1", "the 3", "café 4", "bank 5", "e\u0301tude 6"}
    for key, vector in got.items():
        assert np.array_equal(vector, kept[key.split(" ")[0]].astype(np.float16))
    missing = [(form, "not_in_vocabulary") for form in ("banks", "St. John", "zebra")]
    assert skipped(store, "static") == missing


def test_glove_has_no_first_line_of_counts_and_words_with_blanks(store, tmp_path):
    kept = vectors_of(["the", "bank"])
    path = tmp_path / "g.txt"
    kept.save_word2vec_format(path, write_header=False)
    with path.open("a") as file:
        file.write(". . . 1 2 3 4\nSt. John 0.5 0.25 -1 8\nat 7 st 4 3 2 1\n\u00a0 1 1 1 1\n")
    assert set(parsed(path, "glove")) == {
        b"the",
        b"bank",
        b". . .",
        b"St. John",
        b"at 7 st",
        "\u00a0".encode(),
    }
    repstore.import_vectors(f"glove:{path}", store)
    assert np.array_equal(imported(store, "g")["St. John 7"], [0.5, 0.25, -1, 8])


def test_fasttext_ends_its_lines_with_a_blank(store, tmp_path):
    path = tmp_path / "cc.vec"
    path.write_text("2 3\nbank 1 2 3 \nthe 0 0 0.5 \n")
    repstore.import_vectors(f"fasttext:{path}", store)
    assert np.array_equal(imported(store, "cc")["bank 1"], [1, 2, 3])


def test_a_word_that_is_there_twice_has_its_first_vector_and_the_report_says_so(store, tmp_path):
    path = tmp_path / "g.txt"
    path.write_text("bank 1 2\nother 9 9\nbank 3 4\nother 9 9\n")
    report = repstore.import_vectors(f"glove:{path}", store)
    assert report.notes == ("The file has 1 of these words again; the first counts.",)
    assert np.array_equal(imported(store, "g")["bank 1"], [1, 2])


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({}, {"bank 1": 1, "bank 5": 1}),
        ({"case": "lower"}, {"Bank 0": 1, "bank 1": 1, "bank 5": 1, "the 3": None}),
        ({"case": "either"}, {"Bank 0": 1, "bank 1": 1, "bank 5": 1}),
        ({"by": "lemma"}, {"Bank 0": 1, "bank 1": 1, "banks 2": 1, "bank 5": 1}),
        ({"by": "lemma", "case": "either"}, {"Bank 0": 1, "bank 1": 1, "banks 2": 1, "bank 5": 1}),
    ],
)
def test_words_are_looked_up_as_asked(store, tmp_path, options, expected):
    path = tmp_path / "g.txt"
    path.write_text("bank 1 2\nZEBRA 9 9\n")
    repstore.import_vectors(f"glove:{path}", store, **options)
    found = {key: int(vector[0]) for key, vector in imported(store, "g").items()}
    assert found == {key: value for key, value in expected.items() if value is not None}


def test_either_takes_a_word_as_it_is_written_first(store, tmp_path):
    path = tmp_path / "g.txt"
    path.write_text("bank 1 2\nBank 3 4\n")
    repstore.import_vectors(f"glove:{path}", store, case="either")
    assert [int(vector[0]) for vector in imported(store, "g").values()] == [3, 1, 1]


def test_the_same_file_looked_up_otherwise_is_another_run(store, tmp_path):
    path = tmp_path / "g.txt"
    path.write_text("bank 1 2\n")
    first = repstore.import_vectors(f"glove:{path}", store)
    other = repstore.import_vectors(f"glove:{path}", store, by="lemma", name="by-lemma")
    assert first.run.run_id != other.run.run_id
    with pytest.raises(repstore.RepstoreError, match="made with other weights or settings"):
        repstore.import_vectors(f"glove:{path}", store, case="lower")


@pytest.mark.parametrize(
    ("kind", "content", "message"),
    [
        ("glove", "bank 1 2 3\nthe 1 2\n", r"v.txt:2: a word and 2 numbers. Expected 3"),
        ("glove", "bank 1 2 3\nthe 1 2 3 4\n", r"v.txt:2: a word and 4 numbers. Expected 3"),
        ("glove", "bank 1 2 3\nthe 1 2 x\n", r"v.txt:2: could not convert string to float: b'x'"),
        ("glove", "2 3\nbank 1 2 3\n", r"v.txt:1: \"2 3\". Expected .* word2vec:"),
        ("glove", "bank\t1\t2\n", r"v.txt:1: .* with single blanks between"),
        ("glove", "", r"v.txt:1: \"\". Expected a word"),
        ("word2vec", "bank 1 2 3\n", r"v.txt:1: .* files without are glove:"),
        ("word2vec", "1 0\n", r"v.txt:1: "),
        ("word2vec", "3 2\nbank 1 2\nthe 1 2\n", r"v.txt has 2 words; its first line says 3"),
        ("fasttext", "1 2\nbank 1 2\nthe 1 2\n", r"v.txt has 2 words; its first line says 1"),
        ("fasttext", "2 2\nbank 1 2\nthe 1\n", r"v.txt:3: a word and 1 numbers"),
        ("word2vec", "1 100000000000\nbank 1 2\n", r"v.txt: word 1 of 1 is not whole"),
        ("glove", "nothing 1 2\n", r"no word of corpus words.*--case"),
    ],
)
def test_a_file_that_is_not_what_it_is_said_to_be_is_refused_and_nothing_written(
    store, tmp_path, kind, content, message
):
    path = tmp_path / "v.txt"
    path.write_text(content)
    before = sorted(store.rglob("*"))
    with pytest.raises(CorpusError, match=message):
        repstore.import_vectors(f"{kind}:{path}", store)
    assert sorted(store.rglob("*")) == before


@pytest.mark.parametrize(
    "damage", [lambda data: data[:-3], lambda data: data + b"more", lambda data: data[:9]]
)
def test_a_binary_file_that_is_cut_or_goes_on_is_refused(store, tmp_path, damage):
    path = tmp_path / "v.bin"
    vectors_of(["bank", "the"]).save_word2vec_format(path, binary=True)
    path.write_bytes(damage(path.read_bytes()))
    with pytest.raises(CorpusError, match=r"v\.bin"):
        repstore.import_vectors(f"word2vec:{path}", store)


def test_the_binary_layout_of_the_first_program_has_line_ends_after_vectors(tmp_path):
    numbers = np.array([[1, 2], [3, 4]], "<f4")
    path = tmp_path / "v.bin"
    path.write_bytes(
        b"2 2\n"
        + b"".join(w + b" " + v.tobytes() + b"\n" for w, v in zip([b"a", b"b"], numbers, strict=True))
    )
    found = parsed(path, "word2vec")
    assert np.array_equal(np.stack([found[b"a"], found[b"b"]]), numbers)


@pytest.mark.parametrize("content", [b"2 1\na b wxyz\nc wxyz\n", b"2 1\na wxyz\r\nb wxyz\r\n"])
def test_a_binary_file_out_of_step_is_refused_before_a_word_gets_what_is_not_its_vector(tmp_path, content):
    """A blank within a word ends it for every reader, and the vectors after it begin at other bytes."""
    store = build_store(tmp_path / "store", corpus_of([text_of(["a", "c"], [None, None])]))
    (tmp_path / "v.bin").write_bytes(content)
    with pytest.raises(CorpusError, match=r"v\.bin: word 2 has a line end in it"):
        repstore.import_vectors(f"word2vec:{tmp_path / 'v.bin'}", store)
    assert not list(store.glob("runs/*"))


@pytest.mark.parametrize("kind", ["glove", "word2vec", "fasttext"])
@pytest.mark.parametrize("suffix", [".txt", ".txt.gz"])
def test_the_first_word_is_found_behind_a_byte_order_mark(store, tmp_path, kind, suffix):
    head = "" if kind == "glove" else "2 2\n"
    content = f"\ufeff{head}the 1 2\nbank 3 4\n".encode()
    path = tmp_path / f"v{suffix}"
    path.write_bytes(gzip.compress(content) if suffix.endswith("gz") else content)
    repstore.import_vectors(f"{kind}:{path}", store)
    assert [list(vector) for key, vector in imported(store, "v").items() if key.startswith("the")] == [[1, 2]]


@pytest.mark.parametrize("kind", ["word2vec", "fasttext", "glove"])
@pytest.mark.parametrize(
    ("beginning", "message"),
    [
        (b"PK\x03\x04\x14\x00", r"v is a \.zip archive\. Unpack it"),
        (bz2.compress(b"bank 1 2\n"), r"v is a \.bz2 archive\. Unpack it"),
        (lzma.compress(b"bank 1 2\n"), r"v is a \.xz archive\. Unpack it"),
        (pa.compress(b"bank 1 2\n", "zstd", asbytes=True), r"v is a \.zst archive\. Unpack it"),
        (struct.pack("<ii", 793712314, 12), r"v is a model of fastText \(\.bin\)\. Give the \.vec"),
    ],
    ids=["zip", "bz2", "xz", "zst", "fasttext"],
)
def test_of_a_kind_that_is_not_read_it_is_said_what_to_do(store, tmp_path, kind, beginning, message):
    (tmp_path / "v").write_bytes(beginning + b" 1 2\n")
    with pytest.raises(CorpusError, match=message):
        repstore.import_vectors(f"{kind}:{tmp_path / 'v'}", store)


def test_gzip_is_known_by_how_it_begins(store, tmp_path):
    (tmp_path / "v.txt").write_bytes(gzip.compress(b"bank 1 2\n"))
    assert repstore.import_vectors(f"glove:{tmp_path / 'v.txt'}", store).run.n_vectors == 2


def test_a_broken_archive_is_refused(store, tmp_path):
    path = tmp_path / "v.txt.gz"
    path.write_bytes(gzip.compress(b"bank 1 2\n" * 100)[:-20])
    with pytest.raises(CorpusError, match="cannot be read"):
        repstore.import_vectors(f"glove:{path}", store)


@pytest.mark.parametrize(
    ("source", "options", "message"),
    [
        ("glvoe:x", {}, 'Did you mean "glove"'),
        ("x.txt", {}, "not FORMAT:PATH"),
        ("glove:absent.txt", {}, "absent.txt does not exist"),
        ("glove:.", {"words": "x"}, "has no use for --words"),
        ("npy:.", {"by": "lemma"}, "has no use for --by"),
        ("npy:.", {"case": "lower"}, "has no use for --case"),
        ("parquet:.", {"axes": "words,layers"}, "has no use for --axes"),
        ("glove:.", {"by": "sense"}, "by"),
        ("glove:.", {"case": "upper"}, "case"),
        ("glove:Z\udcfc", {}, r"'glove:Z\\udcfc' has bytes in it that are not UTF-8"),
        ("npy:.", {"words": "Z\udcfc.csv"}, "not UTF-8"),
        ("glove:.", {"name": "Z\udcfc"}, "not UTF-8"),
        ("glove:.", {"model": "Z\udcfc"}, "not UTF-8"),
    ],
)
def test_requests_that_cannot_be_are_refused(store, source, options, message):
    with pytest.raises((ArgumentError, CorpusError), match=message):
        repstore.import_vectors(source, store, **options)


def test_which_corpus_is_meant_has_to_be_clear(store, tmp_path):
    path = tmp_path / "g.txt"
    path.write_text("bank 1 2\n")
    with pytest.raises(NotFoundError, match=r'No corpus "word"\. Did you mean "words"'):
        repstore.import_vectors(f"glove:{path}", store, corpus="word")
    build_store(store, corpus_of([text_of(["a", "bank"], [None, None])], name="more"))
    with pytest.raises(ArgumentError, match="Say over which corpus, with --corpus: more, words"):
        repstore.import_vectors(f"glove:{path}", store)
    assert repstore.import_vectors(f"glove:{path}", store, corpus="more").corpus.name == "more"
    with pytest.raises(NotFoundError, match="no corpus that these vectors could be over"):
        repstore.import_vectors(f"glove:{path}", tmp_path / "new")
    assert not (tmp_path / "new").exists()


def test_of_a_large_vocabulary_only_the_words_that_occur_are_kept(store, tmp_path):
    path, n_words, d_model = tmp_path / "g.txt", 4000, 300
    row = " ".join(["0.25"] * d_model)
    path.write_text("".join(f"word{n} {row}\n" for n in range(n_words)) + f"bank {row}\n")
    layout = Layout(store)
    source = open_source(Request(f"glove:{path}", layout, tuple(read_corpora(layout))))
    tracemalloc.start()
    opened = source.open(source.corpus, lambda _: None)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(opened.block(0, 9).words) == 2
    assert peak < n_words * d_model * 4 / 5


WORDS = st.text(st.characters(exclude_characters="\n \r", exclude_categories=["Cs"]), min_size=1, max_size=5)
NUMBERS = st.floats(width=32, allow_nan=False, allow_infinity=False)


@st.composite
def vocabularies(draw):
    d_model = draw(st.integers(1, 5))
    words = draw(
        st.lists(WORDS.filter(lambda word: word.strip() == word), min_size=1, max_size=6, unique=True)
    )
    rows = st.lists(NUMBERS, min_size=d_model, max_size=d_model)
    return words, np.array([draw(rows) for _ in words], np.float32)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(vocabularies(), st.booleans())
def test_any_vocabulary_that_gensim_writes_is_read_as_it_was(tmp_path, vocabulary, binary):
    words, values = vocabulary
    kept = KeyedVectors(values.shape[1])
    kept.add_vectors(words, values)
    path = tmp_path / "v"
    kept.save_word2vec_format(path, binary=binary)
    found = parsed(path, "word2vec")
    assert set(found) == {word.encode() for word in words}
    assert all(np.array_equal(found[word.encode()], row) for word, row in zip(words, values, strict=True))


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.binary(max_size=60), st.sampled_from(["word2vec", "fasttext", "glove"]))
def test_whatever_is_in_a_file_it_is_read_or_refused(tmp_path, content, kind):
    path = tmp_path / "v"
    path.write_bytes(content)
    with suppress(CorpusError):
        assert len({len(vector) for vector in parsed(path, kind).values()}) <= 1
