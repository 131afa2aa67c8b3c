"""WiC-TSV: a small folder in the official layout, and folders that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import as_read, counts, refuses, words_in_order

from repstore.corpus import Corpus, read
from repstore.errors import CorpusError
from repstore.spec import Pair, Text, Word

TRAIN = {
    "examples": "seal\t2\tthe wax seal broke\nice cream\t2-3\tshe ate ice cream .\nseal\t5\ta ;   fat seal\n",
    "definitions": "a stamp in wax\na frozen sweet\na stamp in wax\n",
    "hypernyms": "stamp\tmark\nsweet\nstamp\n",
    "labels": "T\nT\nF\n",
}
TEST = {"examples": "seal\t0\tseals bark\n", "definitions": "an animal of the sea\n"}


def write(folder: Path, name: str = "Training", prefix: str = "train", **files: str) -> Corpus:
    (folder / name).mkdir(parents=True, exist_ok=True)
    for kind, content in files.items():
        (folder / name / f"{prefix}_{kind}.txt").write_text(content, encoding="utf-8", newline="")
    return read(f"wictsv:{folder}")


@pytest.fixture
def folder(tmp_path) -> Path:
    return tmp_path / "WICTSV"


def test_a_small_folder_gives_these_texts_words_and_pairs(folder):
    write(folder, **TRAIN)
    corpus = write(folder, "Test", "test", **TEST)
    assert counts(corpus) == (7, 7, 4)
    assert as_read(corpus) == [
        ("the wax [seal] broke", "[a stamp in wax]"),
        ("she ate [ice cream] .", "[a frozen sweet]"),
        ("a ;   fat [seal]", "[a stamp in wax]"),
        ("[seals] bark", "[an animal of the sea]"),
    ]
    assert list(corpus.pairs()) == [
        Pair(0, 1, "train", label=True),
        Pair(2, 3, "train", label=True),
        Pair(4, 1, "train", label=False),
        Pair(5, 6, "test"),
    ]
    assert list(corpus.texts())[:2] == [
        Text("the wax seal broke", (Word(2, 8, 12, "seal", "seal"),), "train", "en"),
        Text("a stamp in wax", (Word(0, 0, 14, "a stamp in wax"),), "train", "en"),
    ]


def test_the_language_is_that_of_the_folder(tmp_path):
    corpus = write(tmp_path / "de", **TRAIN)
    assert corpus.name == "wictsv-de"
    assert {text.language for text, _ in words_in_order(corpus)} == {"de"}


def test_windows_line_ends_make_no_difference(folder, tmp_path):
    expected = list(write(folder, **TRAIN).texts())
    windows = {kind: content.replace("\n", "\r\n") for kind, content in TRAIN.items()}
    assert list(write(tmp_path / "windows", **windows).texts()) == expected


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        (
            {"examples": TRAIN["examples"].replace("\t2\t", " 2 ")},
            "examples.txt:1: 1 columns. Expected target, index",
        ),
        (
            {"examples": TRAIN["examples"].replace("2-3", "2-")},
            'examples.txt:2: word index "2-". Expected a number',
        ),
        (
            {"examples": TRAIN["examples"].replace("2-3", "2-9")},
            "examples.txt:2: word index 9 in a context of 5",
        ),
        (
            {"examples": TRAIN["examples"].replace("\t5\t", "\t3\t")},
            "examples.txt:3: characters 5 to 5 of a text",
        ),
        ({"definitions": "a stamp\n"}, "definitions.txt:1: 1 lines. Expected 3, one for each example"),
        ({"definitions": "a\n\nb\n"}, "definitions.txt:2: characters 0 to 0"),
        ({"labels": "T\nT\n"}, "labels.txt:2: 2 lines. Expected 3"),
        ({"labels": "T\n1\nF\n"}, 'labels.txt:2: label "1". Expected T or F'),
    ],
)
def test_a_wrong_line_is_refused_with_its_place_and_what_was_expected(folder, changed, message):
    write(folder, **(TRAIN | changed))
    refuses(f"wictsv:{folder}", folder / "Training", f"/train_{message}")


def test_a_folder_without_any_split_or_without_definitions_is_refused(folder):
    with pytest.raises(CorpusError, match=r"not a WiC-TSV folder\. Expected Training/train_examples\.txt"):
        write(folder)
    write(folder, examples=TRAIN["examples"])
    refuses(f"wictsv:{folder}", folder / "Training/train_definitions.txt", " cannot be read: No such file")
