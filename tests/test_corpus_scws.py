"""SCWS: a small file in the official layout, and files that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import as_read, counts, refuses, words_in_order

from repstore.corpus import read
from repstore.errors import CorpusError
from repstore.spec import Pair, Word

RATINGS = "\t".join(["5.0"] * 10)
SMALL = (
    f'1\tbank\tn\tshore\tn\tthe " <b> Bank </b> " of a lake\ta <b> shore </b> of sand\t7.25\t{RATINGS}\n'
    f"2\tbank\tn\tbank\tv\ta <b> bank </b> lends\tthey <b> banked </b> left\t1.5\t{RATINGS}\n"
    f"3\tshore\tn\trun\tv\ta <b> shore </b> of sand\tto <b> run </b>\t0\t{RATINGS}\n"
)


def write(tmp_path: Path, content: str = SMALL) -> Path:
    path = tmp_path / "ratings.txt"
    path.write_text(content, encoding="utf-8", newline="")
    return path


def test_a_small_file_gives_these_texts_words_and_pairs(tmp_path):
    corpus = read(f"scws:{write(tmp_path)}")
    assert counts(corpus) == (5, 5, 3)
    assert as_read(corpus) == [
        ('the " [Bank] " of a lake', "a [shore] of sand"),
        ("a [bank] lends", "they [banked] left"),
        ("a [shore] of sand", "to [run]"),
    ]
    assert list(corpus.pairs()) == [Pair(0, 1, score=7.25), Pair(2, 3, score=1.5), Pair(1, 4, score=0.0)]
    assert [word for _, word in words_in_order(corpus)][::3] == [
        Word(2, 6, 10, "Bank", "bank", "N"),
        Word(1, 5, 11, "banked", "bank", "V"),
    ]
    assert {text.language for text in corpus.texts()} == {"en"}


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (f"\t7.25\t{RATINGS}", "\t7.25", ":1: 8 columns. Expected id, word, part of speech"),
        ("7.25", "high", ':1: mean rating "high". Expected a number'),
        ("<b> bank </b>", "bank", ':2: no word marked in "a bank lends". Expected it as <b>word</b>'),
    ],
)
def test_a_wrong_line_is_refused_with_its_place_and_what_was_expected(tmp_path, old, new, message):
    path = write(tmp_path, SMALL.replace(old, new, 1))
    refuses(f"scws:{path}", path, message)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"is not a file\. Give the ratings\.txt of SCWS"):
        read(f"scws:{tmp_path}")
