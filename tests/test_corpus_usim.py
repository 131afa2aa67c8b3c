"""Usim-2: a small folder in the official layout, and folders that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import as_read, counts, refuses, words_in_order

from repstore.corpus import read
from repstore.errors import CorpusError
from repstore.spec import Pair, Word

XML = """<?xml version="1.0" encoding="UTF-8"?>
<!DOCTYPE corpus SYSTEM "lexsubwc.dtd">
<corpus lang="english">
<lexelt item="bright.a">
<instance id="1">
<wcontext>It was noon .
 <context>A   <head>bright</head> sky &amp; no cloud .</context> She said &#8220 ;go&#8221; .</wcontext>
</instance>
<instance id="2">
<wcontext><context><head>Brighter</head> pupils read .</context></wcontext>
</instance>
</lexelt>
<lexelt item="run.v">
<instance id="2">
<wcontext><context>Dogs <head> run </head></context> .</wcontext>
</instance>
<instance id="7">
<wcontext><context>Taps <head>run</head> .</context></wcontext>
</instance>
</lexelt>
</corpus>
"""
RATINGS = """lexsub_id1,lexsub_id2,judgment,user_id,lemma
1,2,1,u1,bright.a
1,2,2,u2,bright.a
1,2,1.5,avg,bright.a
2,7,4,u1,run.v
2,7,4,avg,run.v
7,2,3.5,avg,run.v
"""
FILES = {"Data/lexsub_wcdata.xml": XML, "Markup/UsageSimilarity/usim2ratings.csv": RATINGS}


@pytest.fixture
def folder(tmp_path) -> Path:
    for file, content in FILES.items():
        (tmp_path / file).parent.mkdir(parents=True)
        (tmp_path / file).write_text(content, encoding="utf-8")
    return tmp_path


def test_a_small_folder_gives_these_texts_words_and_pairs(folder):
    corpus = read(f"usim:{folder}")
    assert counts(corpus) == (4, 4, 3)
    assert as_read(corpus) == [
        ("It was noon . A [bright] sky & no cloud . She said “go” .", "[Brighter] pupils read ."),
        ("Dogs [run] .", "Taps [run] ."),
        ("Taps [run] .", "Dogs [run] ."),
    ]
    assert list(corpus.pairs()) == [Pair(0, 1, score=1.5), Pair(2, 3, score=4.0), Pair(3, 2, score=3.5)]
    assert [word for _, word in words_in_order(corpus)][::2] == [
        Word(5, 16, 22, "bright", "bright", "A"),
        Word(1, 5, 8, "run", "run", "V"),
    ]
    assert {text.language for text in corpus.texts()} == {"en"}


@pytest.mark.parametrize(
    ("file", "old", "new", "message"),
    [
        (1, "lexsub_id2", "id2", ':1: no column "lexsub_id2". Expected a first line that names lexsub_id1'),
        (
            1,
            "1,2,1.5,avg",
            "1,9,1.5,avg",
            ":4: no use 9 of bright.a. Expected uses of Data/lexsub_wcdata.xml",
        ),
        (1, "1.5,avg", "IDK,avg", ':4: judgment "IDK". Expected a number'),
        (
            0,
            "<head>Brighter</head>",
            "Brighter",
            ':9: no word marked in "Brighter pupils read .". Expected it as',
        ),
    ],
)
def test_a_wrong_line_is_refused_with_its_place_and_what_was_expected(folder, file, old, new, message):
    name, content = list(FILES.items())[file]
    assert old in content
    (folder / name).write_text(content.replace(old, new, 1), encoding="utf-8")
    refuses(f"usim:{folder}", folder / name, message)


def test_a_folder_without_the_data_is_refused(folder):
    (folder / "Data/lexsub_wcdata.xml").unlink()
    with pytest.raises(CorpusError, match=r"not a Usim-2 folder\. Expected Data/lexsub_wcdata\.xml in it"):
        read(f"usim:{folder}")
