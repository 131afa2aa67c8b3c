"""HDF5 with a dataset per sentence, as NeuroX writes it: corpora of tokens, and words of a corpus."""

from __future__ import annotations

import json
import sys
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path

import h5py
import numpy as np
import pytest
from synthetic import build_store, corpus_of

import repstore
from repstore.errors import CorpusError, MissingExtraError
from repstore.importing.neurox import overlapping
from repstore.spec import Text, Word

SENTENCES = ["The old bank .", "A café , e\u0301tude", "The old bank .", "palm"]


def write(
    path: Path, sentences: Sequence[str], shape: tuple[int, ...] = (3, 4), listed: bool = True
) -> list[np.ndarray]:
    """As NeuroX's writer does: a sentence that came before is listed with a number."""
    random = np.random.default_rng(0)
    written, index = [], {}
    with h5py.File(path, "w") as file:
        for n, sentence in enumerate(sentences):
            tokens = sentence.split()
            values = random.normal(size=(*shape[:-1], len(tokens), shape[-1])).astype(np.float32)
            file.create_dataset(str(n), values.shape, dtype="float32", data=values)
            written.append(values)
            name, counter = sentence, 1
            while name in index:
                counter += 1
                name = f"{sentence} (Occurrence {counter})"
            index[name] = str(n)
        if listed:
            names = file.create_dataset("sentence_to_index", (1,), dtype=h5py.special_dtype(vlen=str))
            names[0] = json.dumps(index)
    return written


def test_every_token_of_every_sentence_becomes_a_word(tmp_path):
    values = write(tmp_path / "acts.hdf5", SENTENCES)
    report = repstore.import_vectors(f"neurox:{tmp_path / 'acts.hdf5'}", tmp_path / "store")
    assert (report.corpus.name, report.corpus.n_texts, report.run.n_vectors) == ("acts", 4, 13)
    with repstore.open(tmp_path / "store") as opened:
        words = list(opened.sql("SELECT * FROM words JOIN texts USING (text_id) ORDER BY word_id"))
        assert [word["form"] for word in words] == " ".join(SENTENCES).split()
        assert all(word["text"][word["char_start"] : word["char_end"]] == word["form"] for word in words)
        assert [word["text"] for word in words if word["position"] == 0] == SENTENCES
        for layer in range(3):
            expected = np.concatenate([of_sentence[layer] for of_sentence in values]).astype(np.float16)
            assert np.array_equal(opened.vectors(layer=layer).values, expected)
    assert not len(repstore.verify(tmp_path / "store"))


def test_parts_may_begin_and_end_within_a_sentence(tmp_path, monkeypatch):
    monkeypatch.setattr(repstore.schemas, "MAX_PART_ROWS", 3)
    values = write(tmp_path / "acts.hdf5", SENTENCES)
    repstore.import_vectors(f"neurox:{tmp_path / 'acts.hdf5'}", tmp_path / "store")
    assert len(list((tmp_path / "store").glob("runs/*/parts/*"))) == 5
    with repstore.open(tmp_path / "store") as opened:
        expected = np.concatenate([of_sentence[1] for of_sentence in values]).astype(np.float16)
        assert np.array_equal(opened.vectors(layer=1).values, expected)


def test_ten_and_more_sentences_are_in_the_order_of_their_numbers(tmp_path):
    sentences = [f"word{n} more" for n in range(12)]
    write(tmp_path / "acts.hdf5", sentences)
    repstore.import_vectors(f"neurox:{tmp_path / 'acts.hdf5'}", tmp_path / "store")
    with repstore.open(tmp_path / "store") as opened:
        assert opened.sql("SELECT text FROM texts ORDER BY text_id")["text"] == sentences


def test_a_dataset_with_two_axes_is_a_single_layer(tmp_path):
    (values,) = write(tmp_path / "elmo.hdf5", SENTENCES[:1], (4,))
    repstore.import_vectors(f"neurox:{tmp_path / 'elmo.hdf5'}", tmp_path / "store")
    with repstore.open(tmp_path / "store") as opened:
        assert np.array_equal(opened.vectors(layer=0).values, values.astype(np.float16))


def test_sentences_may_come_from_a_file(tmp_path):
    write(tmp_path / "acts.hdf5", SENTENCES, listed=False)
    source, store = f"neurox:{tmp_path / 'acts.hdf5'}", tmp_path / "store"
    with pytest.raises(CorpusError, match=r'no "sentence_to_index".*with --words'):
        repstore.import_vectors(source, store)
    (tmp_path / "sentences.txt").write_text("\n".join(SENTENCES), encoding="utf-8")
    report = repstore.import_vectors(source, store, words=tmp_path / "sentences.txt")
    assert report.run.n_vectors == 13


def test_words_of_a_corpus_have_the_mean_of_their_tokens(tmp_path):
    """Blanks do not count, a word of two tokens or pieces has both, and texts not there are skipped."""
    texts = [
        Text("The old bank.", (Word(1, 4, 12, "old bank"), Word(2, 8, 12, "bank"))),
        Text("The new bank.", (Word(1, 4, 7, "new"),)),
        Text(
            "A café, e\u0301tude",
            (Word(0, 0, 6, "A café", spans=((0, 1), (5, 6))), Word(2, 8, 14, "e\u0301tude")),
        ),
    ]
    store = build_store(tmp_path / "store", corpus_of(texts, name="words"))
    first, second, *_ = write(tmp_path / "acts.hdf5", SENTENCES)
    report = repstore.import_vectors(f"neurox:{tmp_path / 'acts.hdf5'}", store, corpus="words")
    assert (report.corpus.name, report.run.n_vectors, report.run.n_skipped) == ("words", 4, 1)
    expected = [first[:, 1:3].mean(axis=1), first[:, 2], second[:, :2].mean(axis=1), second[:, 3]]
    with repstore.open(store) as opened:
        for layer in range(3):
            found = opened.vectors(layer=layer).values.astype(np.float32)
            assert np.allclose(found, [vector[layer] for vector in expected], atol=1e-3)
        assert list(opened.sql("SELECT rendered, reason FROM skipped")) == [
            {"rendered": "new", "reason": "no_vector"}
        ]


@pytest.mark.parametrize("sentences", [["the rapist", "therapist"], ["therapist", "the rapist"]])
def test_a_text_is_the_sentence_with_the_same_blanks_if_there_is_one(tmp_path, sentences):
    texts = [Text("therapist", (Word(0, 0, 9, "therapist"),)), Text("the  rapist", (Word(0, 0, 3, "the"),))]
    store = build_store(tmp_path / "store", corpus_of(texts, name="words"))
    of = dict(zip(sentences, write(tmp_path / "acts.hdf5", sentences), strict=True))
    repstore.import_vectors(f"neurox:{tmp_path / 'acts.hdf5'}", store, corpus="words")
    with repstore.open(store) as opened:
        for layer in range(3):
            expected = [of["therapist"][layer, 0], of["the rapist"][layer, 0]]
            assert np.array_equal(opened.vectors(layer=layer).values, np.array(expected, np.float16))


def test_tokens_and_the_words_of_the_corpus_that_they_made_are_two_runs(tmp_path):
    """A sentence that comes again has its own vectors as tokens, and those of the first as a text."""
    write(tmp_path / "acts.hdf5", SENTENCES)
    store, source = tmp_path / "store", f"neurox:{tmp_path / 'acts.hdf5'}"
    tokens = repstore.import_vectors(source, store)
    words = repstore.import_vectors(source, store, corpus="acts", name="words")
    assert tokens.corpus.corpus_id == words.corpus.corpus_id
    assert tokens.run.run_id != words.run.run_id


def test_a_part_without_any_text_of_the_file_is_skipped_as_a_whole(tmp_path, monkeypatch):
    monkeypatch.setattr(repstore.schemas, "MAX_PART_ROWS", 1)
    texts = [Text("unknown text", (Word(0, 0, 7, "unknown"),)), Text("palm", (Word(0, 0, 4, "palm"),))]
    store = build_store(tmp_path / "store", corpus_of(texts, name="words"))
    write(tmp_path / "acts.hdf5", SENTENCES)
    report = repstore.import_vectors(f"neurox:{tmp_path / 'acts.hdf5'}", store, corpus="words")
    assert (report.run.n_vectors, report.run.n_skipped) == (1, 1)
    assert not len(repstore.verify(store))


def test_tokens_overlap_a_word_wherever_they_share_a_character():
    """Held against a loop over characters."""
    random = np.random.default_rng(0)
    for _ in range(200):
        text = "".join(random.choice(list("ab  "), 12)).strip() or "a"
        squeezed = text.replace(" ", "")
        cuts = [0, *sorted({int(n) for n in random.integers(0, len(squeezed), 3)} - {0}), len(squeezed)]
        tokens = [squeezed[start:end] for start, end in pairwise(cuts)]
        start = int(random.integers(0, len(text)))
        end = int(random.integers(start + 1, len(text) + 1))
        token_of = [n for n, token in enumerate(tokens) for _ in token]
        places = [n for n, character in enumerate(text) if character != " "]
        wanted = sorted(
            {token for token, place in zip(token_of, places, strict=True) if start <= place < end}
        )
        assert overlapping(text, [(start, end)], tokens) == wanted


def damage(file: h5py.File, name: str, values: object) -> None:
    del file[name]
    file[name] = values


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda file: damage(file, "1", np.ones((3, 5, 4))), r'dataset "1" has 5 tokens, and its sentence 4'),
        (
            lambda file: damage(file, "1", np.ones((2, 4, 4))),
            r'"1" has the shape \(2, 4, 4\), and "0" \(3, 4, 4\)',
        ),
        (lambda file: damage(file, "1", np.ones(4)), r'"1" has the shape \(4,\)'),
        (lambda file: damage(file, "1", np.ones((0, 4, 4))), r'"1" has the shape \(0, 4, 4\)'),
        (lambda file: damage(file, "1", np.ones((3, 4, 0))), r'"1" has the shape \(3, 4, 0\)'),
        (lambda file: damage(file, "1", np.ones((3, 4, 4), "c8")), r'"1" .* of complex64\. Expected numbers'),
        (lambda file: damage(file, "1", np.full((3, 4, 4), b"1")), r'"1" .*Expected numbers'),
        (lambda file: damage(file, "sentence_to_index", ["{"]), "is not JSON of sentences"),
        (
            lambda file: damage(file, "sentence_to_index", ['{"palm": "3"}']),
            'which sentence dataset "0" is of',
        ),
    ],
)
def test_a_file_that_contradicts_itself_is_refused(tmp_path, change, message):
    write(tmp_path / "acts.hdf5", SENTENCES)
    with h5py.File(tmp_path / "acts.hdf5", "r+") as file:
        change(file)
    with pytest.raises(CorpusError, match=message):
        repstore.import_vectors(f"neurox:{tmp_path / 'acts.hdf5'}", tmp_path / "store")
    assert not (tmp_path / "store").exists()


def test_what_is_no_hdf5_is_refused(tmp_path):
    (tmp_path / "no.hdf5").write_text("no")
    with pytest.raises(CorpusError, match="cannot be read as HDF5"):
        repstore.import_vectors(f"neurox:{tmp_path / 'no.hdf5'}", tmp_path / "store")
    with h5py.File(tmp_path / "empty.hdf5", "w") as file:
        file["x"] = [1]
    with pytest.raises(CorpusError, match='has no dataset "0"'):
        repstore.import_vectors(f"neurox:{tmp_path / 'empty.hdf5'}", tmp_path / "store")


def test_without_h5py_the_extra_is_named(tmp_path, monkeypatch):
    write(tmp_path / "acts.hdf5", SENTENCES)
    monkeypatch.setitem(sys.modules, "h5py", None)
    with pytest.raises(MissingExtraError, match=r"repstore\[exchange\]"):
        repstore.import_vectors(f"neurox:{tmp_path / 'acts.hdf5'}", tmp_path / "store")
