"""CoarseWSD-20: a small folder in the official layout, and folders that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import counts, refuses, words_in_order

from repstore.corpus import read
from repstore.errors import CorpusError
from repstore.spec import Text, Word
from repstore.storage.corpora import identify

BANK = {
    "train.data.txt": "4\twe sat on the bank of the river .\n0\tbank fees rose ( again )\n",
    "train.gold.txt": "0\n1\n",
    "test.data.txt": "1\ta  bank\n",
    "test.gold.txt": "1",
    "classes_map.txt": '{"0": "bank_bank_(geography)", "1": "bank_bank"}',
}
ARM = {
    "test.data.txt": "1\tan arm\n",
    "test.gold.txt": "0\n",
    "classes_map.txt": '{"0": "arm_arm"}',
}


def write(folder: Path, files: dict[str, str]) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_text(content, encoding="utf-8", newline="")
    return folder


@pytest.fixture
def folder(tmp_path) -> Path:
    write(tmp_path, {"README.txt": "This is no word.\n"})
    write(tmp_path / "bank", BANK)
    write(tmp_path / "arm", ARM)
    return tmp_path


def test_a_small_folder_gives_these_texts_and_words(folder):
    corpus = read(f"coarsewsd20:{folder}")
    assert (corpus.name, counts(corpus)) == ("coarsewsd20", (4, 4, 0))
    river, money = "bank_bank_(geography)", "bank_bank"
    assert list(corpus.texts()) == [
        Text("an arm", (Word(1, 3, 6, "arm", "arm", "N", "arm_arm"),), "test", "en"),
        Text(
            "we sat on the bank of the river .",
            (Word(4, 14, 18, "bank", "bank", "N", river),),
            "train",
            "en",
        ),
        Text("bank fees rose ( again )", (Word(0, 0, 4, "bank", "bank", "N", money),), "train", "en"),
        Text("a  bank", (Word(1, 3, 7, "bank", "bank", "N", money),), "test", "en"),
    ]


def test_a_folder_of_one_word_is_that_word(folder):
    corpus = read(f"coarsewsd20:{folder / 'bank'}")
    assert corpus.name == "coarsewsd20-bank"
    assert list(corpus.texts()) == list(read(f"coarsewsd20:{folder}").texts())[1:]


def test_the_number_of_shots_is_no_part_of_the_lemma(tmp_path):
    corpus = read(f"coarsewsd20:{write(tmp_path / 'bank_10', BANK)}")
    assert {word.lemma for _, word in words_in_order(corpus)} == {"bank"}


def test_windows_files_and_folders_elsewhere_are_the_same_corpus(folder, tmp_path):
    windows = {name: content.replace("\n", "\r\n") for name, content in BANK.items()}
    other = write(tmp_path / "elsewhere" / "bank", windows)
    here, there = (identify(read(f"coarsewsd20:{path}")).corpus_id for path in (folder / "bank", other))
    assert here == there


@pytest.mark.parametrize(
    ("file", "content", "message"),
    [
        ("train.data.txt", "4 we sat\n0\tbank\n", ':1: "4 we sat". Expected the index of a word, a tab and'),
        ("train.data.txt", "0\tbank\n\n1\ta bank\n", ":2: 2 lines. Expected 3, one for each example"),
        ("train.data.txt", "0\tbank\nx\tbank\n", ':2: "x\tbank". Expected the index of a word'),
        ("train.data.txt", "0\tbank\n1\t\n", ':2: "1". Expected the index of a word'),
        ("train.data.txt", "0\tbank\n2\ta bank\n", ":2: word index 2 in a sentence of 2 words"),
        ("train.gold.txt", "0\n2\n", ':2: sense "2". Expected a number of classes_map.txt: 0, 1'),
        ("train.gold.txt", "0\n", ":1: 1 lines. Expected 2, one for each example"),
        ("classes_map.txt", '{"0": "bank",\n"1"}', ":2: not JSON (Expecting ':' delimiter"),
        ("classes_map.txt", '["bank"]', ":1: not a JSON object. Expected names of senses by their numbers"),
        ("classes_map.txt", "{}", ":1: not a JSON object. Expected names of senses by their numbers"),
        ("classes_map.txt", '{"0": "bank", "1": 1}', ':1: sense "1" is 1. Expected its name'),
        ("classes_map.txt", r'{"0": "\ud800"}', ":1: sense \"0\" is '\\ud800'. Expected its name"),
    ],
)
def test_a_wrong_line_is_refused_with_its_place_and_what_was_expected(folder, file, content, message):
    write(folder / "bank", {file: content})
    at = "train.gold.txt" if "one for each example" in message else file
    refuses(f"coarsewsd20:{folder}", folder / "bank" / at, message)


@pytest.mark.parametrize("file", ["test.gold.txt", "classes_map.txt"])
def test_a_folder_with_a_file_missing_is_refused(folder, file):
    (folder / "arm" / file).unlink()
    refuses(f"coarsewsd20:{folder}", folder / "arm" / file, " cannot be read: No such file")


def test_a_folder_without_words_is_refused(tmp_path):
    with pytest.raises(
        CorpusError, match=r"not a CoarseWSD-20 folder\. Expected WORD/train\.data\.txt in it"
    ):
        read(f"coarsewsd20:{tmp_path}")
