"""The project's own format for sense-annotated words."""

from __future__ import annotations

import json
import re
from collections import Counter
from itertools import combinations
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from repstore.corpus import Corpus, read
from repstore.corpus.senses import derive_pairs
from repstore.errors import CorpusError
from repstore.spec import Word
from repstore.storage.corpora import identify

BANK = {"text": "I sat by the bank.", "start": 13, "end": 17, "lemma": "bank", "sense": "bank.river"}
MISSING = object()


def line(**changes: object) -> str:
    record = BANK | changes
    return json.dumps({key: value for key, value in record.items() if value is not MISSING}) + "\n"


def corpus_of(folder: Path, content: str | bytes) -> Corpus:
    path = folder / "words.jsonl"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(f"senses:{path}")


def test_a_line_is_a_word_of_a_text(tmp_path):
    (text,) = corpus_of(tmp_path, line(pos="N", gloss="edge of a river")).texts()
    assert text.text == "I sat by the bank."
    assert text.words == (Word(4, 13, 17, "bank", "bank", "N", "bank.river", "edge of a river"),)


def test_lines_of_one_text_are_words_of_one_text_in_order_of_position(tmp_path):
    content = line() + line(text="A bank.", start=2, end=6) + line(start=2, end=5, lemma="sit", sense="sit.1")
    texts = list(corpus_of(tmp_path, content).texts())
    assert [text.text for text in texts] == ["I sat by the bank.", "A bank."]
    assert [[word.form for word in text.words] for text in texts] == [["sat", "bank"], ["bank"]]


def test_spans_count_characters_and_positions_count_stretches_between_blanks(tmp_path):
    text = "Der 🏦 in der\u00a0Straße, »Bank« genannt"
    content = line(text=text, start=text.index("Bank"), end=text.index("Bank") + 4)
    (found,) = corpus_of(tmp_path, content).texts()
    assert [(word.form, word.position) for word in found.words] == [("Bank", 5)]


def test_windows_files_and_empty_lines_read_like_others(tmp_path):
    plain = list(corpus_of(tmp_path, line() + line(start=2, end=5)).texts())
    windows = "\ufeff" + line() + "\n \n" + line(start=2, end=5) + "\n"
    assert list(corpus_of(tmp_path, windows.replace("\n", "\r\n")).texts()) == plain


MALFORMED = {
    "not JSON": (
        line() + "{text: 1}\n",
        ":2: not JSON .* Expected an object with text, start, end, lemma, sense",
    ),
    "more than JSON": (line()[:-1] + " x\n", ":1: not JSON .* Expected an object with text"),
    "a list": ("[1]\n", ":1: not a JSON object. Expected an object with text"),
    **{
        f"no {key}": (line(**{key: MISSING}), f':1: no "{key}". Expected an object with text')
        for key, kind in {"text": "str", "start": "int", "end": "int", "lemma": "str", "sense": "str"}.items()
    },
    "empty lemma": (line(lemma=""), ":1: \"lemma\" is ''. Expected lemma as str"),
    "blank lemma": (line(lemma=" "), ":1: \"lemma\" is ' '. Expected lemma"),
    "start as text": (line(start="13"), ":1: \"start\" is '13'. Expected start as int"),
    "start as a fraction": (line(start=13.0), ':1: "start" is 13.0. Expected start as int'),
    "start as a truth": (line(start=True), ':1: "start" is True. Expected start as int'),
    "unknown key": (line(senses="x"), ':1: unknown key "senses". Expected .* and perhaps pos, gloss'),
    "pos as a number": (line(pos=1), ':1: "pos" is 1. Expected pos as str'),
    "negative start": (
        line(start=-5, end=-1),
        ":1: characters -5 to -1 of a text of 18 are .* Expected the span",
    ),
    "end past the text": (
        line(end=19),
        ":1: characters 13 to 19 of a text of 18 are 'bank.'. Expected the span",
    ),
    "nothing": (line(start=13, end=13), ":1: characters 13 to 13 of a text of 18 are ''. Expected the span"),
    "backwards": (line(start=17, end=13), ":1: characters 17 to 13 .* Expected the span"),
    "blank before": (line(start=12), ":1: characters 12 to 17 .* are ' bank'. .* without blanks"),
    "blank after": (line(start=2, end=6), ":1: characters 2 to 6 .* are 'sat '. .* without blanks"),
    "the same word twice": (line() + line(), ':2: "bank" is annotated twice. Expected each word once'),
    "two glosses": (
        line(gloss="a") + line(start=2, end=5, gloss="b"),
        ':2: another gloss for "bank.river" than in line 1. Expected one gloss per sense',
    ),
    "half a surrogate pair": (line(text="I sat by the bank\ud800."), ":1: .*Expected"),
    "not UTF-8": (line().encode() + b"caf\xe9\n", ":2: not UTF-8.* Convert"),
}


@pytest.mark.parametrize(("content", "message"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_wrong_line_is_refused_with_its_place_and_what_was_expected(tmp_path, content, message):
    with pytest.raises(CorpusError, match=re.escape(str(tmp_path / "words.jsonl")) + message):
        identify(corpus_of(tmp_path, content))


def test_a_file_without_words_is_refused(tmp_path):
    with pytest.raises(CorpusError, match="has no words"):
        identify(corpus_of(tmp_path, "\n\n"))


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"is not a file\. Give a \.jsonl file"):
        read(f"senses:{tmp_path}")


corpora = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from("NV"), st.integers(1, 3)), min_size=1, max_size=60
)


def words_from(drawn: list[tuple[str, str, int]]) -> list[tuple[str, Word]]:
    return [
        (f"text {n}", Word(0, 0, 4, "text", lemma, pos, f"{lemma}.{pos}.{sense}"))
        for n, (lemma, pos, sense) in enumerate(drawn)
    ]


@settings(deadline=None, max_examples=60)
@given(corpora)
def test_derived_pairs_are_balanced_distinct_and_right(drawn):
    words = words_from(drawn)
    pairs = list(derive_pairs(words))
    assert len({frozenset((pair.word_a, pair.word_b)) for pair in pairs}) == len(pairs)
    labels_of: dict[tuple[str, str], Counter[bool]] = {}
    for pair in pairs:
        a, b = words[pair.word_a][1], words[pair.word_b][1]
        assert (a.lemma, a.pos) == (b.lemma, b.pos)
        assert pair.word_a != pair.word_b
        assert pair.label == (a.sense == b.sense)
        labels_of.setdefault((a.lemma, a.pos), Counter())[pair.label] += 1
    for key in {(lemma, pos) for lemma, pos, _ in drawn}:
        senses = [word.sense for _, word in words if (word.lemma, word.pos) == key]
        same = sum(a == b for a, b in combinations(senses, 2))
        different = len(senses) * (len(senses) - 1) // 2 - same
        n_each = min(same, different, len(senses))
        assert labels_of.get(key, Counter()) == Counter({True: n_each, False: n_each})


@settings(deadline=None, max_examples=60)
@given(corpora)
def test_lemmas_take_turns_in_dev_and_test(drawn):
    words = words_from(drawn)
    splits_of: dict[tuple[str, str], set[str]] = {}
    for pair in derive_pairs(words):
        word = words[pair.word_a][1]
        splits_of.setdefault((word.lemma, word.pos), set()).add(pair.split)
    assert all(len(splits) == 1 for splits in splits_of.values())
    senses = {(word.lemma, word.pos): set() for _, word in words}
    for _, word in words:
        senses[word.lemma, word.pos].add(word.sense)
    n_ambiguous = sum(len(found) > 1 for found in senses.values())
    n_lemmas = Counter(next(iter(splits)) for splits in splits_of.values())
    assert abs(n_lemmas["dev"] - n_lemmas["test"]) <= 1 + n_ambiguous - len(splits_of)


def test_the_same_words_always_give_the_same_pairs(tmp_path):
    content = "".join(
        line(text=f"The bank of {n}.", start=4, end=8, sense=f"bank.{n % 3}") for n in range(12)
    )
    corpus = corpus_of(tmp_path, content)
    pairs = list(corpus.pairs())
    assert len(pairs) == 24
    assert list(corpus.pairs()) == pairs
    assert identify(corpus) == identify(corpus)
