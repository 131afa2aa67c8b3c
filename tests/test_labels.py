"""Tables of labels, and the words of a corpus that have one, against plain loops."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from synthetic import SyntheticRun, build_store, corpus_of, random_layers

from repstore.corpus.labels import LabelTable, read_labels
from repstore.errors import CorpusError, NotFoundError, ResultError, StoreDamagedError
from repstore.spec import Text, Word
from repstore.storage.catalog import Catalog
from repstore.storage.labels import FoundLabels, find_labels
from repstore.storage.layout import Layout
from repstore.storage.lookup import Lookup

TEXTS = [
    Text(
        "The bank by the bank",
        (
            Word(1, 4, 8, "bank", "bank", "N", "bank.river", "ground; by water"),
            Word(4, 16, 20, "bank", "bank", "N", "bank.money;bank.river"),
        ),
        "train",
        "en",
    ),
    Text("Bark", (Word(0, 0, 4, "Bark", "bark", "V", "bark.dog"),), "test"),
    Text("el banco", (Word(1, 3, 8, "banco", None, None, None),), None, "es"),
    Text("banks", (Word(0, 0, 5, "banks", "bank", "N", "bank.money"),), "test"),
]
WORDS = [(text, word) for text in TEXTS for word in text.words]


@pytest.fixture(scope="module")
def layout(tmp_path_factory) -> Layout:
    root = tmp_path_factory.mktemp("stores") / "store"
    build_store(root, corpus_of(TEXTS), [SyntheticRun("m/a", random_layers(len(WORDS), 4, 1))])
    build_store(root, corpus_of([Text("A bank", (Word(1, 2, 6, "bank", "bank"),))], name="other"))
    return Layout(root)


@pytest.fixture(scope="module")
def lookup(layout) -> Iterator[Lookup]:
    catalog = Catalog(layout)
    yield Lookup(layout, catalog)
    catalog.close()


def found(lookup: Lookup, label: str | LabelTable) -> FoundLabels:
    return lookup.word_labels(lookup.run(None), label)


def ordinals(of: FoundLabels, lookup: Lookup) -> list[int]:
    first = lookup.words(corpus_id=lookup.run(None).info.spec.corpus_id)["word_id"][0].as_py()
    return (of.word_ids - first).tolist()


def by_name(codes: np.ndarray, names: list) -> bool:
    """Whether two have the same number if, and only if, they have the same name."""
    pairs = [(a, b) for a in range(len(names)) for b in range(len(names))]
    return all((codes[a] == codes[b]) == (names[a] == names[b]) for a, b in pairs)


@pytest.mark.parametrize("column", ["pos", "lemma", "form", "gloss", "position", "char_start", "char_end"])
def test_a_column_of_words_labels_those_that_have_it(lookup, column):
    of = found(lookup, column)
    expected = [(n, getattr(word, column)) for n, (_, word) in enumerate(WORDS)]
    labelled = [(n, (str(value),)) for n, value in expected if value is not None]
    assert list(zip(ordinals(of, lookup), of.labels, strict=True)) == labelled
    assert of.n_unlabelled == len(WORDS) - len(labelled)


@pytest.mark.parametrize("column", ["split", "language", "text"])
def test_a_column_of_texts_labels_their_words(lookup, column):
    of = found(lookup, column)
    labelled = [
        (n, (getattr(text, column),))
        for n, (text, _) in enumerate(WORDS)
        if getattr(text, column) is not None
    ]
    assert list(zip(ordinals(of, lookup), of.labels, strict=True)) == labelled


def test_a_sense_that_is_several_is_several_labels(lookup):
    of = found(lookup, "sense")
    assert ordinals(of, lookup) == [0, 1, 2, 4]
    assert of.labels == (("bank.river",), ("bank.money", "bank.river"), ("bark.dog",), ("bank.money",))
    assert of.n_unlabelled == 1


def test_words_come_with_their_lemma_form_text_and_split(lookup):
    of = found(lookup, "form")
    assert by_name(of.lemmas, [word.lemma or word.form for _, word in WORDS])
    assert by_name(of.forms, [word.form for _, word in WORDS])
    assert by_name(of.texts, [text.text for text, _ in WORDS])
    assert of.splits.tolist() == [text.split for text, _ in WORDS]
    assert {of.lemmas.dtype, of.forms.dtype, of.texts.dtype, of.word_ids.dtype} == {np.dtype(np.int64)}


def test_numbers_are_those_of_occurrences_even_if_words_are_left_out(lookup):
    of, all_words = found(lookup, "language"), lookup.occurrences(lookup.run(None))
    there = np.isin(all_words.word_ids, of.word_ids)
    assert of.lemmas.tolist() == all_words.lemmas[there].tolist()
    assert of.forms.tolist() == all_words.forms[there].tolist()
    assert of.texts.tolist() == all_words.texts[there].tolist()


@pytest.mark.parametrize(
    ("key", "labels", "expected"),
    [
        (
            "sense",
            {"bank.river": ("place",), "bank.money": ("group",)},
            {0: "place", 1: "group place", 4: "group"},
        ),
        ("sense", {"bank.money": ("a", "b"), "absent": ("c",)}, {1: "a b", 4: "a b"}),
        (
            "lemma",
            {"bank": ("noun",), "banco": ("spanish",)},
            dict.fromkeys([0, 1, 4], "noun") | {3: "spanish"},
        ),
        ("form", {"banks": ("plural",), "bark": ("lower",)}, {4: "plural"}),
    ],
)
def test_a_table_is_joined_by_its_key(lookup, key, labels, expected):
    of = found(lookup, LabelTable(Path("t.csv"), key, labels))
    assert dict(zip(ordinals(of, lookup), map(" ".join, of.labels), strict=True)) == expected
    assert of.n_unlabelled == len(WORDS) - len(expected)


def test_keys_of_a_table_that_no_word_has_are_named(lookup):
    keys = ["bank.money", "bank.rivr", "bank.river", "Bark.dog"]
    of = found(lookup, LabelTable(Path("t.csv"), "sense", dict.fromkeys(keys, ("x",))))
    assert of.unused == ("bank.rivr", "Bark.dog")  # a sense that is one of several of a word is in use
    assert found(lookup, LabelTable(Path("t.csv"), "sense", {"bank.river": ("x",)})).unused == ()
    assert found(lookup, "sense").unused == ()


@pytest.mark.parametrize("key", ["word_id", "text_id"])
def test_a_table_is_joined_by_ids(lookup, key):
    ids = found(lookup, "form").word_ids.tolist()
    first_text = ids[0]  # the first text has the number of the first word
    labels = {ids[2]: ("x",)} if key == "word_id" else {first_text + 1: ("x",), first_text: ("y",)}
    of = found(lookup, LabelTable(Path("t.csv"), key, labels))
    assert ordinals(of, lookup) == ([2] if key == "word_id" else [0, 1, 2])
    assert of.labels[-1] == ("x",)


def test_a_column_that_is_not_there_is_refused_with_the_nearest_and_all(lookup):
    with pytest.raises(NotFoundError, match=r'no column "sens"\. Did you mean "sense"\?.*pos, sense, gloss'):
        found(lookup, "sens")
    for name in ("word_id", "spans", "1; DROP TABLE words", "sense FROM words --"):
        with pytest.raises(NotFoundError, match="no column"):
            found(lookup, name)


def test_values_that_look_like_sql_are_values(lookup):
    hostile = LabelTable(Path("t.csv"), "form", {"' OR 1=1 --": ("x",), "banks": ("'; DROP TABLE words",)})
    assert found(lookup, hostile).labels == (("'; DROP TABLE words",),)


def test_no_labelled_word_is_refused(layout, lookup):
    with pytest.raises(ResultError, match=r't\.csv, whose first sense is "none"'):
        found(lookup, LabelTable(Path("t.csv"), "sense", {"none": ("x",)}))
    catalog = Catalog(layout)
    corpora = catalog.query("SELECT corpus_id FROM corpora WHERE name = 'other'")["corpus_id"].to_pylist()
    with pytest.raises(ResultError, match='No word of corpus "other" has a sense'):
        find_labels(catalog, corpora[0], "other", "sense")
    with pytest.raises(StoreDamagedError, match='"lost" is missing'):
        find_labels(catalog, "absent", "lost", "sense")
    catalog.close()


def written(folder: Path, name: str, text: str) -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("a.csv", 'sense,label\n"rock, hard",thing\nrun.1,motion\nrun.1,change\n'),
        ("a.csv", '\ufeffnote,label,sense\r\n,change ; motion,run.1\r\n\r\nx,thing,"rock, hard"\r\n'),
        ("a.tsv", "sense\tlabel\nrun.1\tmotion;change;motion\nrock, hard\t thing\nrun.1\tchange\n"),
    ],
)
def test_labels_of_a_key_are_gathered_whatever_the_order(tmp_path, name, text):
    table = read_labels(written(tmp_path, name, text))
    assert (table.key, table.labels) == ("sense", {"rock, hard": ("thing",), "run.1": ("change", "motion")})


def test_ids_are_numbers_in_text_and_in_parquet(tmp_path):
    table = read_labels(written(tmp_path, "a.csv", "word_id,label\n97181000000012,1\n"))
    assert (table.key, table.labels) == ("word_id", {97181000000012: ("1",)})
    path = tmp_path / "a.parquet"
    pq.write_table(pa.table({"label": [1, 2], "text_id": pa.array([5.0, 97181000000012.0])}), path)
    table = read_labels(path)
    assert (table.key, table.labels) == ("text_id", {5: ("1",), 97181000000012: ("2",)})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", r"a\.csv:1: .*none\. Expected one of word_id, sense, lemma, form, text_id"),
        ("word,label\nx,y\n", r'a\.csv:1: columns "word", "label"\. Expected one of word_id'),
        ("form;label\nx;y\n", r'a\.csv:1: columns "form;label"\. Expected'),
        ("form,sense,label\nx,y,z\n", r"a\.csv:1: .*of which sense and form all say"),
        ("form,class\nx,y\n", r'a\.csv:1: no column "label"'),
        ("form,label\n", r"a\.csv has no labels\. Give a row"),
        ("form,label\nx,y\n,y\n", r"a\.csv:3: no form"),
        ("form,label\nx,\n", r'a\.csv:2: label ""\. Expected a label'),
        ("form,label\nx,a;;b\n", r'a\.csv:2: label "a;;b"'),
        ("word_id,label\n7,a\n-7,a\n", r'a\.csv:3: word_id "-7"\. Expected a whole number'),
        ("text_id,label\n7.5,a\n", r'a\.csv:2: text_id "7\.5"'),
        ("form,label\nx\n", r"a\.csv:2: 1 columns"),
    ],
)
def test_what_is_wrong_with_a_table_is_said_with_its_line(tmp_path, text, message):
    with pytest.raises(CorpusError, match=message):
        read_labels(written(tmp_path, "a.csv", text))


def test_a_file_that_cannot_be_read_is_refused(tmp_path):
    for name in ("none.csv", "none.parquet"):
        with pytest.raises(CorpusError, match=r"cannot be read"):
            read_labels(tmp_path / name)
