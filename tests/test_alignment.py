from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from tiny import FAMILIES
from tokenizers import Tokenizer

from repstore.encode.alignment import token_spans, tokens_of

LOSSLESS = [name for name, family in FAMILIES.items() if family.lossless]
BLANKS = [" ", "  ", "\u00a0", "\t", "\u2009", "\u3000", "\n"]
FRAGMENTS = [
    "bank",
    "The",
    "don't",
    "(well-known)",
    "cafe\u0301",  # a combining mark
    "\u0301",  # a mark with nothing to combine with
    "naïve",
    "👩\u200d👩\u200d👧",  # one emoji of five code points
    "\U0001f1eb\U0001f1f7",
    "\u200d",
    "銀行",
    "がく",
    "نهر",
    "नदी",
    "ﬁle",  # a ligature, which NFKC takes apart
    "…",
    "a",
]
# U+2581 is how SentencePiece writes a blank, so it comes back as one.
letters = st.characters(exclude_categories=["Cs"]).filter(lambda c: not c.isspace() and c != "\u2581")
words = st.sampled_from(FRAGMENTS) | st.text(letters, min_size=1, max_size=6)
Annotated = tuple[str, list[tuple[int, int]]]


@st.composite
def annotated_texts(draw: st.DrawFn) -> Annotated:
    """A text and the spans of its words, which cover every character that is not blank."""
    # Nothing between two words stands for writing without blanks.
    separators = st.sampled_from([*BLANKS, ""])
    text, spans = draw(separators), []
    for n in range(draw(st.integers(0, 6))):
        text += draw(separators) if n else ""
        word = draw(words)
        spans.append((len(text), len(text) + len(word)))
        text += word
    return text + draw(separators), spans


def tokens_by_character(text: str, offsets: list[tuple[int, int]], word: tuple[int, int]) -> list[int]:
    """The definition, character by character: tokens that cover a character of the word that is not blank."""
    found = []
    for n, (start, end) in enumerate(offsets):
        for at in range(start, end):
            if word[0] <= at < word[1] and not text[at].isspace() and n not in found:
                found.append(n)
    return found


@pytest.mark.parametrize("family", FAMILIES)
@given(annotated=annotated_texts())
@example(annotated=("", []))
@example(annotated=("a", [(0, 1)]))
@example(annotated=("\u200d a", [(0, 1), (2, 3)]))
def test_a_word_has_exactly_the_tokens_that_cover_its_characters(family, annotated, tiny_model, tiny_encoder):
    text, spans = annotated
    expected = _reference(tiny_model(family)).encode(text)

    (tokens,) = tiny_encoder(family).tokenize([text])

    assert list(tokens.ids) == expected.ids
    for word in spans:
        assert list(tokens_of(tokens.spans, [word])) == tokens_by_character(text, expected.offsets, word)


@pytest.mark.parametrize("family", LOSSLESS)
@given(annotated=annotated_texts())
def test_words_and_blanks_tile_the_tokens_of_a_lossless_tokenizer(family, annotated, tiny_encoder):
    text, spans = annotated
    (tokens,) = tiny_encoder(family).tokenize([text])
    of_words = [tokens_of(tokens.spans, [word]) for word in spans]

    for found in of_words:
        assert list(found) == list(range(found[0], found[-1] + 1))  # one after the other, at least one
    for before, after in pairwise(of_words):
        assert before[-1] <= after[0]  # in the order of the text; a token may reach across a seam
    serving = {int(n) for found in of_words for n in found}
    idle = [n for n in range(len(tokens.ids)) if n not in serving]
    assert all(not text[slice(*tokens.spans[n])].strip() for n in idle)


@pytest.mark.parametrize("family", LOSSLESS)
@given(annotated=annotated_texts())
def test_the_tokens_of_a_word_decode_to_text_with_the_word_in_it(family, annotated, tiny_model, tiny_encoder):
    text, spans = annotated
    (tokens,) = tiny_encoder(family).tokenize([text])
    for start, end in spans:
        ids = [tokens.ids[n] for n in tokens_of(tokens.spans, [(start, end)])]
        assert text[start:end] in _reference(tiny_model(family)).decode(ids, skip_special_tokens=False)


@pytest.mark.parametrize(
    ("family", "text", "word", "expected"),
    [
        ("llama", "bank é", "bank", ["▁bank"]),
        ("llama", "The bank", "bank", ["▁bank"]),
        ("llama", "a é", "é", ["<0xC3>", "<0xA9>"]),  # the blank before it is a token of its own
        ("gpt2", "The bank", "bank", ["Ġbank"]),
        ("gpt2", "a é", "é", ["Ã", "©"]),
        ("neox", "bank", "bank", ["Ġbank"]),
        ("bert", "The Bank\u0301!", "Bank\u0301", ["bank"]),
        ("bert", "a \u0301 b", "\u0301", []),  # a lone accent is dropped
        ("bert", "a \u200d b", "\u200d", []),
        ("bert", "a 銀行 b", "銀行", ["[UNK]", "[UNK]"]),
        ("xlm_roberta", "The bank", "bank", ["▁bank"]),
        ("xlm_roberta", "a 銀行 b", "行", ["<unk>"]),  # one unknown token for both characters
    ],
)
def test_tokens_of_hand_picked_words(family, text, word, expected, tiny_model, tiny_encoder):
    (tokens,) = tiny_encoder(family).tokenize([text])
    start = text.index(word)
    found = tokens_of(tokens.spans, [(start, start + len(word))])
    assert [_reference(tiny_model(family)).id_to_token(tokens.ids[n]) for n in found] == expected


def test_blanks_at_either_end_of_a_token_are_not_part_of_it():
    offsets = [(0, 0), (0, 4), (4, 6), (5, 9), (8, 8)]
    assert token_spans("one  \u00a0two", offsets).tolist() == [[0, 0], [0, 3], [6, 6], [6, 9], [8, 8]]


def test_a_token_that_crosses_a_seam_serves_both_words():
    spans = np.array([[0, 3], [3, 6]])
    assert list(tokens_of(spans, [(0, 2)])) == [0]
    assert list(tokens_of(spans, [(2, 4)])) == [0, 1]
    assert list(tokens_of(spans, [(4, 6)])) == [1]


@pytest.mark.parametrize("family", FAMILIES)
@given(annotated=annotated_texts())
def test_a_word_in_pieces_has_the_tokens_of_its_pieces_and_none_of_the_gaps(family, annotated, tiny_encoder):
    text, spans = annotated
    (tokens,) = tiny_encoder(family).tokenize([text])
    pieces = spans[::2]
    expected = {int(n) for piece in pieces for n in tokens_of(tokens.spans, [piece])}
    assert list(tokens_of(tokens.spans, pieces)) == sorted(expected)


def test_a_particle_verb_leaves_out_what_it_encloses():
    spans = np.array([[0, 0], [0, 6], [7, 10], [11, 16], [17, 20]])
    assert list(tokens_of(spans, [(0, 6), (17, 20)])) == [1, 4]
    assert list(tokens_of(spans, [(0, 20)])) == [1, 2, 3, 4]


def _reference(folder):
    """The tokenizer as its own library reads it, without transformers."""
    return Tokenizer.from_file(str(folder / "tokenizer.json"))
