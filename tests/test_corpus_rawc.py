"""RAW-C: every pair of the real file gets its word, and files that are wrong."""

from __future__ import annotations

import csv
import os
import re
from pathlib import Path

import pytest

from repstore.corpus import Corpus, read
from repstore.errors import CorpusError
from repstore.spec import Pair, Text, Word
from repstore.storage.corpora import identify

HEADER = "word,sentence1,sentence2,same,ambiguity_type,Class,mean_relatedness\n"
SMALL = (
    "seal,It was a wax seal.,It was a gray seal.,FALSE,Homonymy,N,0.25\n"
    "seal,It was a wax seal.,They were paper seals.,TRUE,Homonymy,N,3.5\n"
    'break,"Well, he broke it.",Break it!,TRUE,Polysemy,V,4\n'
)


@pytest.fixture(scope="module")
def file() -> Path:
    data = Path(os.environ.get("REPSTORE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (data / "raw-c" / "raw-c.csv").is_file():
        pytest.skip(f"RAW-C is not at {data} (REPSTORE_TEST_DATA)")
    return data / "raw-c" / "raw-c.csv"


def small(tmp_path: Path, content: str | bytes = HEADER + SMALL) -> Corpus:
    path = tmp_path / "raw-c.csv"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(f"rawc:{path}")


def words_in_order(corpus: Corpus) -> list[tuple[str, Word]]:
    return [(text.text, word) for text in corpus.texts() for word in text.words]


def test_a_small_file_gives_these_texts_words_and_pairs(tmp_path):
    corpus = small(tmp_path)
    assert list(corpus.texts()) == [
        Text("It was a wax seal.", (Word(4, 13, 17, "seal", "seal", "N"),), None, "en"),
        Text("It was a gray seal.", (Word(4, 14, 18, "seal", "seal", "N"),), None, "en"),
        Text("They were paper seals.", (Word(3, 16, 21, "seals", "seal", "N"),), None, "en"),
        Text("Well, he broke it.", (Word(2, 9, 14, "broke", "break", "V"),), None, "en"),
        Text("Break it!", (Word(0, 0, 5, "Break", "break", "V"),), None, "en"),
    ]
    assert list(corpus.pairs()) == [
        Pair(0, 1, None, label=False, score=0.25),
        Pair(0, 2, None, label=True, score=3.5),
        Pair(3, 4, None, label=True, score=4.0),
    ]


def test_a_byte_order_mark_windows_lines_and_labels_written_otherwise_make_no_difference(tmp_path):
    expected = identify(small(tmp_path)).corpus_id
    again = (HEADER + SMALL).replace("\n", "\r\n").replace("TRUE", "True").replace("FALSE", "False")
    assert identify(small(tmp_path, b"\xef\xbb\xbf" + again.encode())).corpus_id == expected


def test_the_word_is_the_string_where_the_file_gives_it(tmp_path):
    row = "mouse,The mice ran.,Mice ate mouse food.,TRUE,Polysemy,N,4,mice\n"
    words = words_in_order(small(tmp_path, HEADER[:-1] + ",string\n" + row))
    assert [(word.form, word.char_start, word.lemma) for _, word in words] == [
        ("mice", 4, "mouse"),
        ("Mice", 0, "mouse"),
    ]


def test_every_pair_of_the_real_file_has_its_word_its_label_and_its_score(file):
    with file.open(encoding="utf-8-sig", newline="") as opened:
        rows = list(csv.DictReader(opened))
    corpus = read(f"rawc:{file}")
    words, pairs = words_in_order(corpus), list(corpus.pairs())
    assert len(pairs) == len(rows) == 672
    for pair, row in zip(pairs, rows, strict=True):
        assert (pair.label, pair.score) == (row["same"] == "TRUE", float(row["mean_relatedness"]))
        for ordinal, sentence in ((pair.word_a, row["sentence1"]), (pair.word_b, row["sentence2"])):
            text, word = words[ordinal]
            assert (text, word.lemma, word.pos) == (sentence.strip(), row["word"], row["Class"])
            assert text[word.char_start : word.char_end] == word.form
            alone = text.lower()[word.char_start - 1 : word.char_end + 1]
            assert not alone[0].isalpha()
            assert not alone[-1].isalpha()
            assert word.form[0].lower() == row["word"][0]
            assert word.form not in (row["disambiguating_word1"], row["disambiguating_word2"])


def test_irregular_forms_of_the_real_file_are_those_the_reader_knows(file):
    words = words_in_order(read(f"rawc:{file}"))
    odd = {(word.lemma, word.form) for _, word in words if not word.form.startswith(word.lemma or "")}
    assert odd == {("break", "broke"), ("draw", "drew"), ("run", "ran"), ("sing", "sang")}
    assert len({word.lemma for _, word in words}) == 112
    assert len(words) == 4 * 112


MALFORMED = {
    "no header": (SMALL, 'csv:1: no column "word". Expected a first line that names word, sentence1'),
    "empty": ("", 'csv:1: no column "word"'),
    "a column too few": (
        HEADER + "seal,a seal,the seal,TRUE\n",
        "csv:2: 4 columns. Expected 7 as in the first",
    ),
    "label": (HEADER + SMALL.replace("FALSE", "no"), 'csv:2: same "no". Expected T or F'),
    "score": (HEADER + SMALL.replace("0.25", "high"), 'csv:2: mean_relatedness "high". Expected a number'),
    "score that is no number": (HEADER + SMALL.replace("3.5", "nan"), 'csv:3: mean_relatedness "nan"'),
    "word not there": (
        HEADER + SMALL.replace("wax seal", "wax"),
        'csv:2: "seal" is 0 times in "It was a wax."',
    ),
    "word twice": (
        HEADER + SMALL.replace("gray", "seal"),
        'csv:2: "seal" is 2 times in "It was a seal seal."',
    ),
    "no word": (HEADER + SMALL.replace("seal,It", ",It"), 'csv:2: "" is 0 times in'),
    "open quotation": (
        HEADER + SMALL + '"seal,a',
        "csv:5: unexpected end of data. Expected fields separated",
    ),
}


@pytest.mark.parametrize(("content", "message"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_wrong_line_is_refused_with_its_place_and_what_was_expected(tmp_path, content, message):
    with pytest.raises(CorpusError, match=re.escape(str(tmp_path / "raw-c.") + message)):
        identify(small(tmp_path, content))


def test_bytes_that_are_not_utf8_are_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"raw-c\.csv:5: not UTF-8.* Convert"):
        identify(small(tmp_path, (HEADER + SMALL).encode() + b"caf\xe9"))


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"is not a file\. Give the raw-c\.csv of RAW-C"):
        read(f"rawc:{tmp_path}")
