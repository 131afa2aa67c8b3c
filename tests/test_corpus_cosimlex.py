"""CoSimLex: a small file in the official layout, and files that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import as_read, counts, refuses, words_in_order

from repstore.corpus import read
from repstore.errors import CorpusError
from repstore.spec import Pair, Word

HEADER = (
    "word1\tword2\tcontext1\tcontext2\tsim1\tsim2\tstdev1\tstdev2\tpvalue\t"
    "word1_context1\tword2_context1\tword1_context2\tword2_context2\n"
)
SMALL = HEADER + (
    "house\tlake\tA <strong>house</strong> by the <strong>lake</strong> .\t"
    "The <strong>Lake</strong> and two <strong>houses</strong> .\t"
    "2.5\t1.25\t1\t1\t0.5\thouse\tlake\thouses\tlake\n"
    "go\trun\tThey <strong>went</strong> , <strong>go</strong> and <strong>run</strong> .\t"
    "<strong>Run</strong> ! <strong>Go</strong> !\t3\t4\t1\t1\t0.5\tgo\trun\tgo\trun\n"
)


def write(tmp_path: Path, content: str = SMALL, name: str = "cosimlex_en.csv") -> Path:
    path = tmp_path / name
    path.write_text(content, encoding="utf-8", newline="")
    return path


GOOD = SMALL.replace("<strong>went</strong>", "went")


def test_a_small_file_gives_these_texts_words_and_pairs(tmp_path):
    corpus = read(f"cosimlex:{write(tmp_path, GOOD)}")
    assert corpus.name == "cosimlex_en"
    assert counts(corpus) == (4, 8, 4)
    assert as_read(corpus) == [
        ("A [house] by the lake .", "A house by the [lake] ."),
        ("The Lake and two [houses] .", "The [Lake] and two houses ."),
        ("They went , [go] and run .", "They went , go and [run] ."),
        ("Run ! [Go] !", "[Run] ! Go !"),
    ]
    assert list(corpus.pairs()) == [
        Pair(0, 1, score=2.5),
        Pair(3, 2, score=1.25),  # words are numbered as they stand in the text
        Pair(4, 5, score=3.0),
        Pair(7, 6, score=4.0),
    ]
    assert words_in_order(corpus)[3][1] == Word(4, 17, 23, "houses", "house")
    assert {text.language for text in corpus.texts()} == {"en"}


def test_a_word_marked_twice_is_in_two_pieces(tmp_path):
    path = write(tmp_path, GOOD.replace("and two", "and one <strong>houses</strong> and two"))
    (_, second, *_) = as_read(read(f"cosimlex:{path}"))
    assert second[0] == "The Lake and one [houses] and two [houses] ."


def test_a_word_that_is_written_otherwise_than_its_column_says_is_the_other_one(tmp_path):
    path = write(tmp_path, GOOD.replace("houses\tlake\n", "Häuser\tlake\n"))
    assert as_read(read(f"cosimlex:{path}"))[1] == (
        "The Lake and two [houses] .",
        "The [Lake] and two houses .",
    )


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (SMALL, ':3: marked words "went", "go", "run". Expected "go" and "run"'),
        (GOOD.replace("houses\tlake\n", "a\tb\n"), ':2: marked words "Lake", "houses". Expected "a" and "b"'),
        (GOOD.replace("houses\tlake\n", "lake\tlake\n"), ":2: marked words"),
        (GOOD.replace("sim2", "similarity"), ':1: no column "sim2". Expected a first line that names word1'),
        (GOOD.replace("\t1.25\t", "\t\t"), ':2: sim2 "". Expected a number'),
        (GOOD.replace("\t0.5\thouse", "\thouse"), ":2: 12 columns. Expected 13 as in the first line"),
    ],
)
def test_a_wrong_line_is_refused_with_its_place_and_what_was_expected(tmp_path, content, message):
    path = write(tmp_path, content)
    refuses(f"cosimlex:{path}", path, message)


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"is not a file\. Give a file of CoSimLex"):
        read(f"cosimlex:{tmp_path}")
