"""Plain text, and what all readers share."""

from __future__ import annotations

import unicodedata
from pathlib import Path

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from repstore.corpus import Corpus, read
from repstore.corpus.plain import with_all_words, words_of
from repstore.errors import ArgumentError, CorpusError
from repstore.spec import Pair, Text, Word
from repstore.storage.corpora import identify


def corpus_of(folder: Path, content: str | bytes) -> Corpus:
    path = folder / "lines.txt"
    path.write_bytes(content.encode() if isinstance(content, str) else content)
    return read(f"text:{path}")


def forms(text: str) -> list[str]:
    return [word.form for word in words_of(text)]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", []),
        ("She sat down.", ["She", "sat", "down"]),
        ("»No«, (she) said -- [loudly]…", ["No", "she", "said", "loudly"]),
        ("don't well-known it\u2019s o'clock a.m.", ["don't", "well-known", "it\u2019s", "o'clock", "a.m"]),
        ("$5 is 5% of C++?!", ["5", "is", "5", "of", "C"]),
        ("— … !? ©", []),
        ("non\u00a0breaking\u2009thin\u3000wide\ttab", ["non", "breaking", "thin", "wide", "tab"]),
        ("e\u0301tude, man\u0303ana.", ["e\u0301tude", "man\u0303ana"]),
        ("हिन्दी, की। भाषा॥", ["हिन्दी", "की", "भाषा"]),
        ("我爱你。\u3000谢谢。", ["我爱你", "谢谢"]),
        ("שָׁלוֹם, مَرْحَبًا!", ["שָׁלוֹם", "مَرْحَبًا"]),
        ("Great 😀 job👍🏽!", ["Great", "job"]),
        ("I ❤\ufe0f you", ["I", "you"]),
        ("the 👨\u200d👩\u200d👧 family", ["the", "family"]),
        ("zero \u200b width", ["zero", "width"]),
    ],
)
def test_words_are_stretches_between_blanks_less_punctuation(text, expected):
    assert forms(text) == expected


def test_positions_count_stretches_between_blanks_with_or_without_a_word():
    words = [(word.position, word.char_start, word.char_end) for word in words_of("He — said «no» !")]
    assert words == [(0, 0, 2), (2, 5, 9), (3, 11, 13)]


@settings(deadline=None, max_examples=300)
@given(
    st.text(
        alphabet=st.one_of(st.characters(exclude_categories=["Cs"]), st.sampled_from(" \t\u00a0.«»'e\u0301"))
    )
)
@example("I ❤\ufe0f you")
def test_spans_lie_in_the_text_apart_and_in_order(text):
    end, position = 0, -1
    for word in words_of(text):
        assert end <= word.char_start < word.char_end <= len(text)
        assert word.position > position
        assert text[word.char_start : word.char_end] == word.form
        assert word.form in text.split()[word.position]
        end, position = word.char_end, word.position


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_every_letter_and_digit_is_in_a_word(text):
    inside = {n for word in words_of(text) for n in range(word.char_start, word.char_end)}
    assert all(n in inside for n, character in enumerate(text) if character.isalnum())


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet=st.sampled_from("a1é\u0301.'😀❤\ufe0f\u200d\u200b\x07 ")))
def test_every_word_has_a_letter_or_a_digit(text):
    assert all(any(character.isalnum() for character in form) for form in forms(text))


@settings(deadline=None, max_examples=300)
@given(st.text(alphabet=st.characters(exclude_categories=["Cs"])))
def test_no_word_begins_or_ends_with_punctuation(text):
    ends = [character for form in forms(text) for character in (form[0], form[-1])]
    assert not any(unicodedata.category(character)[0] in "PS" for character in ends)


def test_a_line_is_a_text_and_empty_lines_are_passed_over(tmp_path):
    content = "One line.\n\n \t\n  Two lines, indented. \n...\nNo line end"
    texts = list(corpus_of(tmp_path, content).texts())
    assert [text.text for text in texts] == ["One line.", "Two lines, indented.", "...", "No line end"]
    assert [len(text.words) for text in texts] == [2, 3, 0, 3]


def test_windows_files_read_like_others(tmp_path):
    plain = list(corpus_of(tmp_path, "One line.\nTwo lines.\n").texts())
    assert list(corpus_of(tmp_path, b"\xef\xbb\xbfOne line.\r\nTwo lines.\r\n").texts()) == plain


@pytest.mark.parametrize("separator", ["\u2028", "\x0b", "\x0c", "\x85", "\r"])
def test_only_a_newline_ends_a_line(tmp_path, separator):
    """str.splitlines would cut here, and line numbers would not be those of an editor."""
    (text,) = corpus_of(tmp_path, f"One{separator}line\n").texts()
    assert [word.form for word in text.words] == ["One", "line"]


@pytest.mark.parametrize("before", [0, 1, 2, 5000])
def test_a_line_that_is_not_utf8_is_refused_with_its_number(tmp_path, before):
    content = b"A good line.\n" * before + "Ein schönes Café\n".encode("latin-1") + b"A good line.\n" * 3
    with pytest.raises(CorpusError, match=rf"lines\.txt:{before + 1}: not UTF-8.*Convert the file to UTF-8"):
        identify(corpus_of(tmp_path, content))


def test_a_file_without_words_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"lines\.txt has no words\. Check that it is the file you mean"):
        identify(corpus_of(tmp_path, "...\n\n!\n"))


def test_a_folder_is_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"is not a file\. Give a text file with one sentence a line"):
        read(f"text:{tmp_path}")


@pytest.mark.parametrize(
    ("source", "message"),
    [
        ("sences:x.jsonl", r'"sences:x\.jsonl" is not FORMAT:PATH .* Did you mean "senses"\?'),
        ("x.jsonl", r"Formats: wic, senses, text"),
        ("", r"Formats: wic, senses, text"),
    ],
)
def test_a_source_of_no_known_format_is_refused(source, message):
    with pytest.raises(ArgumentError, match=message):
        read(source)


def test_with_all_words_has_those_that_a_word_in_pieces_encloses():
    off = Word(1, 5, 18, "turned off", spans=((5, 11), (15, 18)))
    source = Corpus(
        "x", "x:x", lambda: iter([Text("They turned it off.", (off,))]), lambda: iter([Pair(0, 0)])
    )
    everything = with_all_words(source)
    (text,) = everything.texts()
    assert [word.form for word in text.words] == ["They", "turned off", "it"]
    assert list(everything.pairs()) == [Pair(1, 1)]


def test_with_all_words_has_the_others_that_the_corpus_knows_of_and_looks_for_none_beside_them():
    sat = Word(1, 4, 7, "sat", "sit", "V", "sit.1")
    she = Word(0, 0, 3, "She", "she", "PRON")
    text = Text("She sat down.", (sat,), others=(she,))
    source = Corpus("x", "x:x", lambda: iter([text]), lambda: iter([Pair(0, 0)]))
    everything = with_all_words(source)
    assert [text.words for text in everything.texts()] == [(she, sat)]
    assert list(everything.pairs()) == [Pair(1, 1)]
    assert identify(source) == identify(
        Corpus("x", "x:x", lambda: iter([Text(text.text, (sat,))]), source.pairs)
    )
