"""Word-in-Context: the real files against lines split by hand, and files that are wrong."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

from repstore.corpus import Corpus, read
from repstore.errors import CorpusError
from repstore.spec import Pair, Text, Word
from repstore.storage.corpora import identify

N_PAIRS = {"train": 5428, "dev": 638, "test": 1400}
GOOD = "bank\tN\t2-1\tby the bank .\tThe banks fell .\n"


@pytest.fixture(scope="module")
def folder() -> Path:
    data = Path(os.environ.get("REPSTORE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
    if not (data / "wic").is_dir():
        pytest.skip(f"Word-in-Context is not at {data} (REPSTORE_TEST_DATA)")
    return data / "wic"


@pytest.fixture(scope="module")
def corpus(folder) -> Corpus:
    return read(f"wic:{folder}")


def words_in_order(corpus: Corpus) -> list[tuple[Text, Word]]:
    return [(text, word) for text in corpus.texts() for word in text.words]


def raw_rows(folder: Path, split: str) -> list[list[str]]:
    """Lemma, part of speech, indices, two sentences, label."""
    data = (folder / split / f"{split}.data.txt").read_text(encoding="utf-8").splitlines()
    gold = (folder / split / f"{split}.gold.txt").read_text(encoding="utf-8").splitlines()
    return [[*line.split("\t"), label] for line, label in zip(data, gold, strict=True)]


def small(folder: Path, data: str | bytes = GOOD, gold: str | bytes = "T\n", split: str = "dev") -> Corpus:
    """A folder with one split of these contents."""
    (folder / split).mkdir(exist_ok=True)
    for kind, content in (("data", data), ("gold", gold)):
        raw = content.encode() if isinstance(content, str) else content
        (folder / split / f"{split}.{kind}.txt").write_bytes(raw)
    return read(f"wic:{folder}")


def test_the_corpus_has_all_pairs_in_file_order(folder, corpus):
    pairs = list(corpus.pairs())
    found = [(pair.split, pair.label) for pair in pairs]
    assert found == [(split, row[-1] == "T") for split in N_PAIRS for row in raw_rows(folder, split)]
    assert {split: sum(pair.split == split for pair in pairs) for split in N_PAIRS} == N_PAIRS


def test_the_words_of_every_pair_are_those_its_line_points_at(folder, corpus):
    words = words_in_order(corpus)
    rows = [(split, row) for split in N_PAIRS for row in raw_rows(folder, split)]
    for pair, (split, row) in zip(corpus.pairs(), rows, strict=True):
        lemma, pos, indices, *sentences, _ = row
        for ordinal, index, sentence in zip(
            (pair.word_a, pair.word_b), indices.split("-"), sentences, strict=True
        ):
            text, word = words[ordinal]
            assert text.text == sentence.strip()
            assert text.split == split
            assert (word.form, word.lemma, word.pos) == (sentence.split()[int(index)], lemma, pos)
            assert word.position == int(index)
            assert text.text[word.char_start : word.char_end] == word.form
            assert len(text.text[: word.char_start].split()) == int(index)


def test_forms_are_inflections_of_their_lemmas(corpus):
    """Catches what an index off by one would do; the rest is irregular, such as "went"."""
    words = words_in_order(corpus)
    alike = sum(word.form[:2].lower() == word.lemma[:2].lower() for _, word in words)
    assert alike / len(words) > 0.97


def test_a_sentence_of_a_split_is_one_text_and_a_word_of_it_one_word(folder, corpus):
    texts = list(corpus.texts())
    for split in N_PAIRS:
        uses = {
            (sentence.strip(), int(index), lemma, pos)
            for lemma, pos, indices, first, second, _ in raw_rows(folder, split)
            for sentence, index in zip((first, second), indices.split("-"), strict=True)
        }
        here = [text for text in texts if text.split == split]
        assert len({text.text for text in here}) == len(here)
        found = [(text.text, word.position, word.lemma, word.pos) for text in here for word in text.words]
        assert len(found) == len(uses)
        assert set(found) == uses
    assert len(texts) < len(words_in_order(corpus)) < 2 * sum(N_PAIRS.values())


def test_the_same_sentence_in_two_splits_is_two_texts(tmp_path):
    small(tmp_path, split="dev")
    corpus = small(tmp_path, split="test")
    assert [(text.split, text.text) for text in corpus.texts()] == [
        (split, sentence) for split in ("dev", "test") for sentence in ("by the bank .", "The banks fell .")
    ]
    assert list(corpus.pairs()) == [Pair(0, 1, "dev", label=True), Pair(2, 3, "test", label=True)]


def test_words_are_numbered_by_text_and_position_however_the_pairs_come(tmp_path):
    data = (
        "bank\tN\t2-2\tby the bank fell a tree .\tat the bank\n"
        "tree\tN\t5-1\tby the bank fell a tree .\ta tree\n"
        "fell\tV\t3-1\tby the bank fell a tree .\the fell\n"
        "bank\tN\t2-2\tat the bank\tby the bank fell a tree .\n"
    )
    corpus = small(tmp_path, data, "T\nF\nF\nT\n")
    assert [word.form for _, word in words_in_order(corpus)] == [
        "bank",
        "fell",
        "tree",
        "bank",
        "tree",
        "fell",
    ]
    assert [(pair.word_a, pair.word_b) for pair in corpus.pairs()] == [(0, 3), (2, 4), (1, 5), (3, 0)]


def test_windows_files_read_like_others(tmp_path):
    plain = small(tmp_path, GOOD * 2, "T\nF\n")
    expected = list(plain.texts()), list(plain.pairs())
    windows = (GOOD * 2).replace("\n", "\r\n").encode()
    again = small(tmp_path, b"\xef\xbb\xbf" + windows, b"\xef\xbb\xbfT\r\nF\r\n")
    assert (list(again.texts()), list(again.pairs())) == expected


def test_empty_lines_between_and_after_pairs_are_passed_over(tmp_path):
    corpus = small(tmp_path, GOOD + "\n" + GOOD + "\n \n", "T\nF\n\n")
    assert [pair.label for pair in corpus.pairs()] == [True, False]


MALFORMED = {
    "four columns": ("a\tN\t0-0\ta b\n", "T\n", "data.txt:1: 4 columns. Expected lemma, part of speech"),
    "six columns": (GOOD + GOOD[:-1] + "\tx\n", "T\nT\n", "data.txt:2: 6 columns. Expected lemma"),
    "blanks for tabs": (GOOD.replace("\t", " "), "T\n", "data.txt:1: 1 columns. Expected lemma"),
    "no lemma": (GOOD.replace("bank\t", "\t"), "T\n", "data.txt:1: .*Expected .*lemma"),
    "one index": (GOOD.replace("2-1", "2"), "T\n", 'data.txt:1: word indices "2". Expected two numbers'),
    "three indices": (GOOD.replace("2-1", "2-1-0"), "T\n", 'data.txt:1: word indices "2-1-0". Expected two'),
    "negative index": (GOOD.replace("2-1", "-2-1"), "T\n", 'data.txt:1: word indices "-2-1". Expected two'),
    "letters for indices": (
        GOOD.replace("2-1", "a-b"),
        "T\n",
        'data.txt:1: word indices "a-b". Expected two',
    ),
    "first index too high": (
        GOOD.replace("2-1", "4-1"),
        "T\n",
        "data.txt:1: word index 4 in a sentence of 4",
    ),
    "second index too high": (
        GOOD.replace("2-1", "2-9"),
        "T\n",
        "data.txt:1: word index 9 in a sentence of 4",
    ),
    "no sentence": ("a\tN\t0-0\t\ta b\n", "T\n", "data.txt:1: word index 0 in a sentence of 0 words"),
    "unknown label": (GOOD * 2, "T\ntrue\n", 'gold.txt:2: label "true". Expected T or F'),
    "empty label": (GOOD * 2, "T\n\nF\n", 'gold.txt:2: label "". Expected T or F'),
    "a label too many": (GOOD, "T\nF\n", "gold.txt:2: no pair in dev.data.txt .* Expected as many pairs"),
    "a label too few": (GOOD * 2, "T\n", "data.txt:2: no label in dev.gold.txt. Expected as many labels"),
    "not UTF-8": (GOOD.encode() + b"caf\xe9\tN\t0-0\ta\tb\n", "T\nT\n", "data.txt:2: not UTF-8.* Convert"),
    "label not UTF-8": (GOOD * 2, b"T\n\xff\n", "gold.txt:2: not UTF-8.* Convert"),
}


@pytest.mark.parametrize(("data", "gold", "message"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_wrong_line_is_refused_with_its_place_and_what_was_expected(tmp_path, data, gold, message):
    with pytest.raises(CorpusError, match=re.escape(str(tmp_path / "dev" / "dev.")) + message):
        identify(small(tmp_path, data, gold))


def test_a_split_without_labels_is_refused(tmp_path):
    small(tmp_path)
    (tmp_path / "dev" / "dev.gold.txt").unlink()
    with pytest.raises(CorpusError, match=r"dev\.gold\.txt cannot be read: No such file"):
        identify(read(f"wic:{tmp_path}"))


def test_a_folder_without_any_split_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"not a WiC folder\. Expected train/train\.data\.txt"):
        read(f"wic:{tmp_path}")


def test_a_folder_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"nowhere does not exist\. Give the path of a wic corpus"):
        read(f"wic:{tmp_path / 'nowhere'}")


def test_a_corpus_without_pairs_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="has no words"):
        identify(small(tmp_path, "", ""))
