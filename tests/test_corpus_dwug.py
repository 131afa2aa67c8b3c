"""DWUG: a small folder in the official layout, and folders that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import as_read, counts, refuses, words_in_order

from repstore.corpus import read
from repstore.errors import CorpusError
from repstore.spec import Pair, Word

USES = (
    "lemma\tpos\tdate\tgrouping\tidentifier\tdescription\tcontext\tindexes_target_token\tindexes_target_sentence\n"
    'plane_nn\tnn1\t1850\t1\ta-1\t \t"A plane of glass," he said.\t3:8\t0:27\n'
    "plane_nn\tnn2\t1970\t2\tb-1\t \t Planes fly.\t1:7\t0:12\n"
    "plane_nn\t \t1970\t2\tb-2\t \tThey planed it off.\t5:11,15:18\t0:19\n\n"
)
JUDGMENTS = (
    "identifier1\tidentifier2\tannotator\tjudgment\tcomment\tlemma\n"
    "a-1\tb-1\tannotator1\t1.0\t \tplane_nn\n"
    "b-2\ta-1\tannotator1\t0.0\t \tplane_nn\n"
    "b-1\ta-1\tannotator2\t2.0\t \tplane_nn\n"
    'b-1\tb-2\tannotator1\t4.0\tan "odd one\tplane_nn\n'
    "a-1\tb-1\tannotator3\t0.0\t \tplane_nn\n"
)


def write(folder: Path, uses: str = USES, judgments: str = JUDGMENTS, word: str = "plane_nn") -> Path:
    (folder / "data" / word).mkdir(parents=True, exist_ok=True)
    for file, content in (("uses.csv", uses), ("judgments.csv", judgments)):
        (folder / "data" / word / file).write_text(content, encoding="utf-8", newline="")
    return folder


@pytest.fixture
def folder(tmp_path) -> Path:
    return write(tmp_path / "dwug_en")


def test_a_small_folder_gives_these_texts_words_and_pairs(folder):
    corpus = read(f"dwug:{folder}")
    assert corpus.name == "dwug_en"
    assert counts(corpus) == (3, 3, 3)
    assert as_read(corpus) == [
        ('"A [plane] of glass," he said.', " [Planes] fly."),
        ("They [planed] it [off].", '"A [plane] of glass," he said.'),
        (" [Planes] fly.", "They [planed] it [off]."),
    ]
    assert list(corpus.pairs()) == [Pair(0, 1, score=1.5), Pair(2, 0), Pair(1, 2, score=4.0)]
    assert [word for _, word in words_in_order(corpus)] == [
        Word(1, 3, 8, "plane", "plane", "nn1"),
        Word(0, 1, 7, "Planes", "plane", "nn2"),
        Word(1, 5, 18, "planed off", "plane", spans=((5, 11), (15, 18))),
    ]
    assert {text.language for text in corpus.texts()} == {"en"}


def test_words_come_in_the_order_of_their_names_and_a_name_without_a_language_has_none(tmp_path):
    folder = write(tmp_path / "refwug")
    write(folder, USES.replace("plane_nn", "Abend"), JUDGMENTS, "Abend")
    corpus = read(f"dwug:{folder}")
    assert [word.lemma for _, word in words_in_order(corpus)][:2] == ["Abend", "plane"]
    assert {text.language for text in corpus.texts()} == {None}


def test_judgments_against_senses_are_passed_over(folder):
    senses = "identifier_sense\tdescription_sense\nplane1\ta flat surface\n"
    (folder / "data/plane_nn/senses.csv").write_text(senses, encoding="utf-8")
    write(folder, judgments=JUDGMENTS + "a-1\tplane1\tannotator1\t4.0\t \tplane_nn\n")
    assert counts(read(f"dwug:{folder}")) == (3, 3, 3)


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (
            "uses",
            "context\t",
            "text\t",
            ':1: no column "context". Expected a first line that names lemma, pos',
        ),
        ("uses", "3:8", "3-8", ':2: span "3-8". Expected characters such as 27:36'),
        ("uses", "3:8", "3:80", ":2: characters 3 to 80 of a text of 28. Expected the span of a word"),
        ("uses", "b-1", "a-1", ':3: use "a-1" is there twice. Expected each use once'),
        ("uses", "\t0:27", "", ":2: 8 columns. Expected 9 as in the first line"),
        ("judgments", "b-2", "c-3", ':3: no use "c-3". Expected identifiers of uses.csv'),
        ("judgments", "2.0", "same", ':4: judgment "same". Expected a number'),
    ],
)
def test_a_wrong_line_is_refused_with_its_place_and_what_was_expected(folder, file, old, new, message):
    content = {"uses": USES, "judgments": JUDGMENTS}[file]
    write(folder, **{file: content.replace(old, new, 1)})
    refuses(f"dwug:{folder}", folder / f"data/plane_nn/{file}.csv", message)


def test_a_folder_without_uses_or_judgments_is_refused(tmp_path, folder):
    with pytest.raises(CorpusError, match=r"not a DWUG folder\. Expected data/WORD/uses\.csv in it"):
        read(f"dwug:{tmp_path}")
    (folder / "data/plane_nn/judgments.csv").unlink()
    refuses(f"dwug:{folder}", folder / "data/plane_nn/judgments.csv", " cannot be read: No such file")
