"""Pairs as a file lists them: shared texts and words stand once, and pairs find them."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from reading import words_in_order

from repstore.corpus.pairs import Row, Use, pair_corpus
from repstore.spec import Word

WORDS = st.sampled_from(
    [
        Word(0, 0, 1, "a"),
        Word(0, 0, 1, "a", "A"),
        Word(0, 0, 1, "a", "A", "N"),
        Word(1, 2, 3, "b"),
        Word(0, 0, 5, "a c", spans=((0, 1), (4, 5))),
        Word(0, 0, 5, "a b c"),
    ]
)
USES = st.builds(Use, st.sampled_from(["a b c", "a b d"]), WORDS, st.sampled_from([None, "en", "fr"]))
ROWS = st.builds(
    Row,
    USES,
    USES,
    st.sampled_from([None, "dev"]),
    st.sampled_from([None, True, False]),
    st.sampled_from([None, 0.5]),
)


@given(st.lists(ROWS, max_size=12))
def test_every_pair_has_the_words_of_its_row_and_nothing_stands_twice(rows):
    corpus = pair_corpus("x", "x:x", lambda: rows)
    words, texts = words_in_order(corpus), list(corpus.texts())
    for pair, row in zip(corpus.pairs(), rows, strict=True):
        assert (pair.split, pair.label, pair.score) == (row.split, row.label, row.score)
        for ordinal, use in ((pair.word_a, row.a), (pair.word_b, row.b)):
            text, word = words[ordinal]
            assert (text.text, word, text.language, text.split) == (
                use.text,
                use.word,
                use.language,
                row.split,
            )
    uses = [(row.split, use.text, use.language, use.word) for row in rows for use in (row.a, row.b)]
    assert len(words) == len(set(uses))
    assert [(text.split, text.text, text.language) for text in texts] == list(
        dict.fromkeys(use[:3] for use in uses)
    )


@given(st.lists(ROWS, max_size=12), st.randoms(use_true_random=False))
def test_the_words_of_a_text_come_in_the_same_order_whatever_the_order_of_the_pairs(rows, random):
    in_order, otherwise = _words_of_texts(rows), _words_of_texts(random.sample(rows, len(rows)))
    assert in_order == otherwise
    for words in in_order.values():
        starts = [word.char_start for word in words]
        assert starts == sorted(starts)


def _words_of_texts(rows: list[Row]) -> dict[tuple[str | None, str, str | None], tuple[Word, ...]]:
    texts = pair_corpus("x", "x:x", lambda: rows).texts()
    return {(text.split, text.text, text.language): text.words for text in texts}
