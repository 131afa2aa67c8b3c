"""MCL-WiC: small files in the official layout, in one language and across two, and files that are wrong."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from reading import as_read, counts, refuses, words_in_order

from repstore.corpus import read
from repstore.errors import CorpusError
from repstore.spec import Pair, Word


def record(name: str, lemma: str, pos: str, *sentences: str, **places: Any) -> dict[str, Any]:
    texts = {f"sentence{n}": sentence for n, sentence in enumerate(sentences, 1)}
    return {"id": name, "lemma": lemma, "pos": pos} | texts | places


TRAINING = [
    record(
        "training.en-en.0",
        "seal",
        "NOUN",
        "A wax seal.",
        "Seals bark.",
        start1="6",
        end1="10",
        start2="0",
        end2="5",
    ),
    record(
        "training.en-en.1", "bark", "VERB", "Seals bark.", "It barked!", start1=6, end1=10, start2=3, end2=9
    ),
]
CROSS = [
    record(
        "test.en-zh.0",
        "turn off",
        "VERB",
        "They turned it off.",
        "请关灯。",
        ranges1="5-11,15-18",
        ranges2="1-2",
    )
]


def tags(*given: str, of: list[dict[str, Any]]) -> list[dict[str, str]]:
    return [{"id": one["id"], "tag": tag} for one, tag in zip(of, given, strict=True)]


def write(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, indent=4)
    path.write_text(text, encoding="utf-8", newline="")


@pytest.fixture
def folder(tmp_path) -> Path:
    """As unpacked: the test set without its labels, and what some archives have beside the files."""
    write(tmp_path / "MCL-WiC/test/crosslingual/test.en-zh.data", CROSS)
    write(tmp_path / "MCL-WiC/training/training.en-en.data", TRAINING)
    write(tmp_path / "MCL-WiC/training/training.en-en.gold", tags("F", "T", of=TRAINING))
    write(tmp_path / "__MACOSX/MCL-WiC/training/._training.en-en.data", "\0")
    return tmp_path


def test_a_small_folder_gives_these_texts_words_and_pairs(folder):
    corpus = read(f"mclwic:{folder}")
    assert counts(corpus) == (5, 6, 3)
    assert as_read(corpus) == [
        ("A wax [seal].", "[Seals] bark."),
        ("Seals [bark].", "It [barked]!"),
        ("They [turned] it [off].", "请[关]灯。"),
    ]
    assert list(corpus.pairs()) == [
        Pair(0, 1, "training", label=False),
        Pair(2, 3, "training", label=True),
        Pair(4, 5, "test"),
    ]
    assert [(text.language, text.split, word) for text, word in words_in_order(corpus)][3:] == [
        ("en", "training", Word(1, 3, 9, "barked", "bark", "V")),
        ("en", "test", Word(1, 5, 18, "turned off", "turn off", "V", spans=((5, 11), (15, 18)))),
        ("zh", "test", Word(0, 1, 2, "关", None, "V")),
    ]


def test_labels_of_the_test_set_are_found_where_their_archive_was_unpacked(folder):
    write(folder / "test.en-zh.gold", tags("T", of=CROSS))
    assert list(read(f"mclwic:{folder}").pairs())[-1] == Pair(4, 5, "test", label=True)


def test_a_byte_order_mark_and_windows_line_ends_make_no_difference(folder):
    expected = list(read(f"mclwic:{folder}").texts())
    path = folder / "MCL-WiC/training/training.en-en.data"
    path.write_bytes(b"\xef\xbb\xbf" + path.read_bytes().replace(b"\n", b"\r\n"))
    assert list(read(f"mclwic:{folder}").texts()) == expected


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        ("data", "[", "[[", ":24: not JSON (Expecting ',' delimiter: line 24 column"),
        ("data", "[", "[1, ", ":1: a record without an id after this. Expected records with an"),
        ("data", '"lemma": "bark"', '"word": "bark"', ':14: "lemma" is None. Expected a record with "lemma"'),
        ("data", '"start1": 6', '"start1": true', ':14: "start1" is True. Expected a record with'),
        ("data", '"start1": "6"', '"start1": "six"', ':3: span "six-10". Expected characters such as 27-36'),
        (
            "data",
            "It barked!",
            "It \\ud800!",
            ':14: "sentence2" has half a surrogate pair. Expected characters',
        ),
        ("data", '"end1": "10"', '"end1": "12"', ":3: characters 6 to 12 of a text of 11. Expected the span"),
        (
            "data",
            "training.en-en.1",
            "training.en-en.9",
            ':14: no label for "training.en-en.9". Expected one in',
        ),
        ("gold", '"F"', '"maybe"', ':3: tag "maybe". Expected T or F'),
    ],
)
def test_a_wrong_record_is_refused_with_its_place_and_what_was_expected(folder, file, old, new, message):
    path = folder / f"MCL-WiC/training/training.en-en.{file}"
    content = path.read_text(encoding="utf-8")
    assert old in content
    write(path, content.replace(old, new, 1))
    refuses(f"mclwic:{folder}", path, message)


def test_a_folder_without_data_or_with_a_file_twice_is_refused(folder, tmp_path):
    with pytest.raises(CorpusError, match=r"not an MCL-WiC folder\. Expected files such as dev\.en-en\.data"):
        read(f"mclwic:{folder / '__MACOSX'}")
    write(folder / "again/training.en-en.data", TRAINING)
    with pytest.raises(CorpusError, match=r"training\.en-en\.data is there twice .* Give a folder"):
        read(f"mclwic:{folder}")
