"""AM2iCo: a small folder in the official layout, and folders that are wrong."""

from __future__ import annotations

from pathlib import Path

import pytest
from reading import as_read, counts, refuses, words_in_order

from repstore.corpus import read
from repstore.errors import CorpusError
from repstore.spec import Pair, Text, Word

HEADER = "context1\tcontext2\tlabel\n"
TRAIN = HEADER + (
    "他在 <word>银行</word> 工作。\tThe  <word>bank</word>  lends money .\tT\n"
    '他在 <word>银行</word> 工作。\t"A ""<word> bank </word>"" of sand ."\tF\n'
)
TEST = HEADER + '河的<word>岸</word>边。\t"No <word>bank</word> here," he said .\t\n'


@pytest.fixture
def folder(tmp_path) -> Path:
    for name, split, content in (("zh", "train", TRAIN), ("zh", "test", TEST)):
        (tmp_path / "data" / name).mkdir(parents=True, exist_ok=True)
        path = tmp_path / "data" / name / f"{split}.tsv"
        path.write_text(content, encoding="utf-8", newline="")
    return tmp_path / "data"


def test_a_small_folder_gives_these_texts_words_and_pairs(folder):
    corpus = read(f"am2ico:{folder / 'zh'}")
    assert corpus.name == "am2ico-zh"
    assert counts(corpus) == (5, 5, 3)
    assert as_read(corpus) == [
        ("他在 [银行] 工作。", "The  [bank]  lends money ."),
        ("他在 [银行] 工作。", 'A " [bank] " of sand .'),
        ("河的[岸]边。", '"No [bank] here," he said .'),
    ]
    assert list(corpus.pairs()) == [
        Pair(0, 1, "train", label=True),
        Pair(0, 2, "train", label=False),
        Pair(3, 4, "test"),
    ]
    assert next(iter(corpus.texts())) == Text("他在 银行 工作。", (Word(1, 3, 5, "银行"),), "train", "zh")
    assert [text.language for text, _ in words_in_order(corpus)] == ["zh", "en", "en", "zh", "en"]


def test_a_folder_of_several_languages_has_them_all_in_the_order_of_their_names(folder):
    (folder / "de").mkdir()
    (folder / "de/dev.tsv").write_text(
        HEADER + "Die <word>Bank</word> .\tThe <word>bench</word> .\tT\n", encoding="utf-8"
    )
    corpus = read(f"am2ico:{folder}")
    assert corpus.name == "am2ico"
    assert [pair.split for pair in corpus.pairs()] == ["dev", "train", "train", "test"]
    assert next(iter(corpus.texts())).language == "de"


@pytest.mark.parametrize(
    ("old", "new", "message"),
    [
        (
            "label",
            "gold",
            ':1: no column "label". Expected a first line that names context1, context2, label',
        ),
        ("\tT\n", "\n", ":2: 2 columns. Expected 3 as in the first line"),
        ("\tT\n", "\t1\n", ':2: label "1". Expected T or F'),
        ("<word>bank", "bank", ':2: no word marked in "The  bank</word>'),
    ],
)
def test_a_wrong_line_is_refused_with_its_place_and_what_was_expected(folder, old, new, message):
    path = folder / "zh/train.tsv"
    path.write_text(TRAIN.replace(old, new, 1), encoding="utf-8")
    refuses(f"am2ico:{folder}", path, message)


def test_a_folder_without_any_split_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"not an AM2iCo folder\. Expected train\.tsv, or zh/train\.tsv"):
        read(f"am2ico:{tmp_path}")
