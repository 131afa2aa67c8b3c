"""Words marked in their texts: whatever marks them, the characters found are the characters marked."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repstore.corpus.source import Place
from repstore.corpus.tables import unquoted
from repstore.corpus.targets import nth, spans_in, unmarked, word_at
from repstore.errors import CorpusError
from repstore.spec import Word

HERE = Place(Path("file"), 7)
WORDS = st.text(alphabet="abé銀🙂.", min_size=1, max_size=4)


@given(st.lists(WORDS, min_size=1, max_size=8), st.data())
def test_marks_of_any_kind_find_the_same_word(words, data):
    n = data.draw(st.integers(0, len(words) - 1))
    text = " ".join(words)
    start = len(" ".join(words[:n])) + (n > 0)
    expected = Word(n, start, start + len(words[n]), words[n], "lemma", "N")
    blank = data.draw(st.sampled_from(["", " "]))
    marked = " ".join([*words[:n], f"<b>{blank}{words[n]}{blank}</b>", *words[n + 1 :]])
    plain, spans = unmarked(HERE, marked, "b")
    assert plain == text
    assert word_at(HERE, plain, spans, "lemma", "n") == expected
    assert word_at(HERE, text, [nth(HERE, text, n)], "lemma", "NOUN") == expected
    written = spans_in(HERE, f"{expected.char_start}:{expected.char_end}", ":")
    assert word_at(HERE, text, written, "lemma", "N") == expected


def test_a_mark_inside_a_word_or_beside_punctuation_adds_no_blank():
    assert unmarked(HERE, "un<w>do</w>ing", "w") == ("undoing", [(2, 4)])
    assert unmarked(HERE, "(<w> bank </w>)", "w") == ("( bank )", [(1, 7)])
    plain, spans = unmarked(HERE, "(<w> bank </w>)", "w")
    assert word_at(HERE, plain, spans).form == "bank"


def test_several_marks_or_spans_are_the_pieces_of_one_word():
    text, spans = unmarked(HERE, "They <w>turned</w> it <w>off</w>.", "w")
    word = word_at(HERE, text, spans, "turn off", "v")
    assert word == Word(1, 5, 18, "turned off", "turn off", "V", spans=((5, 11), (15, 18)))
    assert word_at(HERE, text, spans_in(HERE, "15-18, 5-11", "-"), "turn off", "V") == word


def test_stretches_that_touch_or_overlap_are_one_piece():
    assert word_at(HERE, "turned off", [(0, 3), (3, 6)]) == Word(0, 0, 6, "turned")
    assert word_at(HERE, "turned off", [(2, 6), (0, 4), (0, 4)]) == Word(0, 0, 6, "turned")


def test_parts_of_speech_have_one_name_and_tags_of_other_kinds_stay():
    def tag(given: str | None) -> str | None:
        return word_at(HERE, "so", [(0, 2)], None, given).pos

    assert [tag(given) for given in ("n", "VERB", "Adj", "adv", "r")] == ["N", "V", "A", "R", "R"]
    assert [tag(given) for given in ("nn1", "PROPN", "", None)] == ["nn1", "PROPN", None, None]


@pytest.mark.parametrize(
    ("find", "message"),
    [
        (lambda: word_at(HERE, "so", [(1, 3)]), "characters 1 to 3 of a text of 2. Expected the span"),
        (lambda: word_at(HERE, "so", [(1, 1)]), "characters 1 to 1 of a text of 2"),
        (lambda: word_at(HERE, "s o", [(0, 1), (1, 2)]), "characters 1 to 2 of a text of 3"),
        (lambda: nth(HERE, "so it", 2), "word index 2 in a sentence of 2 words"),
        (lambda: spans_in(HERE, "2-4,x", "-"), 'span "2-4,x". Expected characters such as 27-36'),
        (lambda: spans_in(HERE, "-2:4", ":"), 'span "-2:4". Expected characters such as 27:36'),
        (lambda: unmarked(HERE, "so it is", "b"), 'no word marked in "so it is". Expected it as <b>word</b>'),
        (lambda: unmarked(HERE, "<b>so</b> <b>it", "b"), "no word marked in"),
        (lambda: unmarked(HERE, "<b>so</b> it</b>", "b"), "no word marked in"),
    ],
)
def test_a_wrong_mark_is_refused_at_its_place(find, message):
    with pytest.raises(CorpusError, match=re.escape(f"file:7: {message}")):
        find()


def test_only_a_field_that_was_written_quoted_loses_its_marks():
    assert unquoted('"He said ""no"" twice."') == 'He said "no" twice.'
    for field in ('"No," he said. "No!"', '"quoted"', "plain", '"open', '""', '"'):
        assert unquoted(field) == field
