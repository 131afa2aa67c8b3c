"""CoNLL-U: small files, files drawn at random against what was drawn, and wrong ones."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import refuses

from repstore.corpus import Corpus, read
from repstore.corpus.plain import with_all_words
from repstore.corpus.splits import with_splits
from repstore.errors import CorpusError
from repstore.spec import Edge, Text, Word
from repstore.storage.corpora import identify

SMALL = """# sent_id = 1
# text = Vámonos al mar, John's mar.
1-2	Vámonos	_	_	_	_	_	_	_	_
1	Vamos	ir	VERB	V	Mood=Imp	0	root	0:root	_
2	nos	nosotros	PRON	_	_	1	obj	1:obj|3.1:nsubj	_
3-4	al	_	_	_	_	_	_	_	_
3	a	a	ADP	_	_	5	case	5:case	_
3.1	fuimos	ir	VERB	_	_	_	_	1:conj	_
4	el	el	DET	_	_	5	det	_	_
5	mar	_	NOUN	_	_	1	obl	1:obl:a	SpaceAfter=No
6	,	,	PUNCT	_	_	5	punct	_	_
7-8	John's	_	_	_	_	_	_	_	_
7	John	John	PROPN	_	_	9	nmod:poss	_	_
8	's	's	PART	_	_	7	case	_	_
9	mar	_	NOUN	_	_	5	conj	1:obl|5:conj	SpaceAfter=No
10	.	.	PUNCT	_	_	1	punct	_	_

# a sentence without a text of its own, and one without heads

1	_	_	SYM	_	_	2	dep	_	Gloss=no|SpaceAfter=No
2	Quick	quick	ADJ	_	_	0	root	_	_
3	10 000	10000	NUM	_	_	2	dep	_	_


# text = So so
1	So	_	_	_	_	_	_	_	_
2	so	_	_	_	_	_	_	_	_
"""


def write(folder: Path, name: str = "en_made-ud-train.conllu", text: str = SMALL) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def edges_of(corpus: Corpus, kind: str) -> list[tuple[int | None, int, str]]:
    return [(edge.head, edge.dependent, edge.label) for edge in corpus.edges() if edge.kind == kind]


def test_a_small_file_gives_these_texts_and_words(tmp_path):
    corpus = read(f"conllu:{write(tmp_path)}")
    info = identify(corpus)
    assert (corpus.name, info.n_texts, info.n_words, info.n_pairs) == ("en_made-ud-train", 3, 15, 0)
    first, second, third = corpus.texts()
    assert (first.text, first.split, first.language) == ("Vámonos al mar, John's mar.", "train", "en")
    assert [(w.position, w.char_start, w.char_end, w.form, w.lemma, w.pos) for w in first.words] == [
        (0, 0, 7, "Vamos", "ir", "V"),
        (0, 0, 7, "nos", "nosotros", "PRON"),
        (1, 8, 10, "a", "a", "ADP"),
        (1, 8, 10, "el", "el", "DET"),
        (2, 11, 14, "mar", None, "N"),
        (2, 14, 15, ",", ",", "PUNCT"),
        (3, 16, 20, "John", "John", "PROPN"),
        (3, 20, 22, "'s", "'s", "PART"),
        (4, 23, 26, "mar", None, "N"),
        (4, 26, 27, ".", ".", "PUNCT"),
    ]
    assert second == Text(
        "_Quick 10 000",
        (
            Word(0, 0, 1, "_", "_", "SYM"),
            Word(0, 1, 6, "Quick", "quick", "A"),
            Word(1, 7, 13, "10 000", "10000", "NUM"),
        ),
        "train",
        "en",
        (),
    )
    assert third.words == (Word(0, 0, 2, "So"), Word(1, 3, 5, "so"))


def test_a_small_file_gives_these_edges(tmp_path):
    corpus = read(f"conllu:{write(tmp_path)}")
    assert edges_of(corpus, "ud") == [
        *((None, 0, "root"), (0, 1, "obj"), (4, 2, "case"), (4, 3, "det"), (0, 4, "obl"), (4, 5, "punct")),
        *((8, 6, "nmod:poss"), (6, 7, "case"), (4, 8, "conj"), (0, 9, "punct")),
        *((11, 10, "dep"), (None, 11, "root"), (11, 12, "dep")),
    ]
    assert edges_of(corpus, "enhanced") == [
        *((None, 0, "root"), (0, 1, "obj"), (4, 2, "case"), (0, 4, "obl:a"), (0, 8, "obl"), (4, 8, "conj"))
    ]
    assert identify(corpus).n_edges == 19


def test_line_ends_a_byte_order_mark_and_a_missing_last_line_change_nothing(tmp_path):
    plain = read(f"conllu:{write(tmp_path / 'plain')}")
    text = "\ufeff" + SMALL.strip().replace("\n", "\r\n")
    other = read(f"conllu:{write(tmp_path / 'other', text=text)}")
    assert list(other.texts()) == list(plain.texts())
    assert list(other.edges()) == list(plain.edges())


FORMS = st.text(alphabet="abé銀🙂.,'", min_size=1, max_size=4)


@st.composite
def drawn_sentences(draw) -> list[list[tuple[str, bool, int, str]]]:
    """Words with whether a blank follows, a head (0 for the root) before or after, and a label."""
    found = []
    for _ in range(draw(st.integers(1, 4))):
        n = draw(st.integers(1, 7))
        order = draw(st.permutations(range(n)))  # every word hangs on one before it in this order
        heads = [0] * n
        for k in range(1, n):
            heads[order[k]] = order[draw(st.integers(0, k - 1))] + 1
        found.append(
            [
                (draw(FORMS), draw(st.booleans()), heads[k], draw(st.sampled_from(["nsubj", "obl:of"])))
                for k in range(n)
            ]
        )
    return found


@given(drawn_sentences(), st.booleans())
def test_words_stand_where_they_stood_and_hang_on_what_they_hung_on(tmp_path_factory, drawn, with_text):
    lines, texts, edges, before = [], [], [], 0
    for sentence in drawn:
        text, spans = "", []
        for form, blank, _, _ in sentence:
            spans.append((len(text), len(text) + len(form)))
            text += form + " " * blank
        texts.append((text.strip(), spans, [form for form, *_ in sentence]))
        lines += [f"# text = {text}"] if with_text else []
        for n, (form, blank, head, label) in enumerate(sentence):
            misc = "_" if blank else "A=b|SpaceAfter=No"
            lines.append("\t".join([str(n + 1), form, *"____", str(head), label, "_", misc]))
            edges.append(Edge("ud", before + head - 1 if head else None, before + n, label))
        before += len(sentence)
        lines.append("")
    corpus = read(f"conllu:{write(tmp_path_factory.mktemp('drawn'), 'made.conllu', chr(10).join(lines))}")
    found = list(corpus.texts())
    assert [
        (t.text, [(w.char_start, w.char_end) for w in t.words], [w.form for w in t.words]) for t in found
    ] == texts
    for text in found:
        assert (text.split, text.language) == (None, None)
        for word in text.words:
            assert word.position == len(text.text[: word.char_start + 1].split()) - 1
    assert list(corpus.edges()) == edges


def test_a_folder_is_read_by_the_names_of_its_files_and_their_splits(tmp_path):
    for split in ("train", "dev", "test"):
        write(tmp_path / "UD_X", f"en_made-ud-{split}.conllu", SMALL.replace("Quick", split))
    corpus = read(f"conllu:{tmp_path / 'UD_X'}")
    assert corpus.name == "UD_X"
    assert [text.split for text in corpus.texts()] == ["dev"] * 3 + ["test"] * 3 + ["train"] * 3
    alone = read(f"conllu:{tmp_path / 'UD_X' / 'en_made-ud-test.conllu'}")
    some = with_splits(corpus, ["test"])
    assert list(some.texts()) == list(alone.texts())
    assert list(some.edges()) == list(alone.edges())
    assert list(with_splits(corpus, ["train", "dev", "test"]).edges()) == list(corpus.edges())


@pytest.mark.parametrize(
    ("name", "split"),
    [
        ("en-ud-dev", "dev"),
        ("train", "train"),
        ("my_dev", "dev"),
        ("training", None),
        ("train-dev", None),
        ("fr_x-ud-test", "test"),
        ("contest", None),
    ],
)
def test_a_split_is_a_word_of_the_name(tmp_path, name, split):
    (text, *_) = read(f"conllu:{write(tmp_path, f'{name}.conllu')}").texts()
    assert text.split == split


def test_all_words_are_the_words(tmp_path):
    corpus = read(f"conllu:{write(tmp_path)}")
    whole = with_all_words(corpus)
    assert [text.words for text in whole.texts()] == [text.words for text in corpus.texts()]
    assert list(whole.edges()) == list(corpus.edges())
    assert (whole.name, whole.words) == ("en_made-ud-train-all", "all")


def changed(old: str, new: str) -> str:
    assert old in SMALL
    return SMALL.replace(old, new, 1)


MALFORMED = {
    "columns": (changed("\tV\tMood=Imp", "\tMood=Imp"), ":4: 9 columns. Expected 10: ID FORM LEMMA UPOS"),
    "blanks for tabs": (changed("4\tel\tel", "4 el el"), ":9: 8 columns"),
    "an empty field": (changed("\tV\tMood", "\t\tMood"), ':4: XPOS "". Expected a value'),
    "a form with a blank": (changed("4\tel\t", "4\tel \t"), ':9: FORM "el "'),
    "no number": (changed("4\tel", "four\tel"), ':9: ID "four". Expected a number such as 3, or'),
    "a number too large": (changed("4\tel", "4" * 9999 + "\tel"), ':9: ID "444'),
    "a number twice": (changed("4\tel", "3\tel"), ':9: ID "3". Expected word 4, as words are counted'),
    "a number left out": (changed("4\tel", "5\tel"), ':9: ID "5". Expected word 4'),
    "a token backwards": (changed("3-4\t", "3-2\t"), ':6: ID "3-2". Expected word 3'),
    "a token in a token": (changed("4\tel", "4-5\tel"), ':9: ID "4-5". Expected word 4'),
    "a token without its words": (changed("7-8\t", "7-12\t"), ':12: no word 12 for token "7-12"'),
    "an empty node elsewhere": (changed("3.1\t", "2.1\t"), ':8: ID "2.1". Expected empty nodes after'),
    "a word not in the text": (changed("al mar,", "el mar,"), ':6: "al" is not next in the text "Vám'),
    "a text with more": (changed("John's mar.", "John's mar. Sí."), ':16: no word for "Sí.". Expected all'),
    "a head out of range": (changed("\t5\tcase", "\t11\tcase"), ':7: head "11" in a sentence of 10 words'),
    "a head that is no number": (changed("\t5\tcase", "\t5.1\tcase"), ':7: head "5.1" in'),
    "heads of some words": (changed("\t5\tcase", "\t_\tcase"), ':7: head "_" in a sentence of 10 words'),
    "no label": (changed("\t5\tcase\t", "\t5\t_\t"), ":7: no DEPREL. Expected one for each HEAD"),
    "a second root": (changed("\t5\tcase\t", "\t0\tcase\t"), ':7: a second root, "a". Expected one'),
    "its own head": (changed("\t5\tcase\t", "\t3\tcase\t"), ':7: the heads of "a" run in a circle'),
    "no root": (changed("\t0\troot\t0", "\t5\troot\t0"), ':4: the heads of "Vamos" run in a circle'),
    "enhanced without a label": (changed("1:obj|3.1", "1|3.1"), ':5: DEPS "1|3.1:nsubj". Expected heads'),
    "enhanced without a head": (changed("1:obj|3.1", "obj|3.1"), ':5: DEPS "obj|3.1:nsubj". Expected'),
    "enhanced out of range": (changed("1:obj|3.1", "12:obj|3.1"), ':5: head "12" in a sentence of 10'),
}


@pytest.mark.parametrize(("text", "message"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_wrong_line_is_refused_with_its_place_and_what_was_expected(tmp_path, text, message):
    path = write(tmp_path, text=text)
    refuses(f"conllu:{path}", path, message)


@given(st.integers(0, len(SMALL.encode())), st.integers(0, 40), st.binary(max_size=8))
def test_whatever_is_in_a_file_it_is_read_or_refused(tmp_path_factory, start, length, other):
    content = SMALL.encode()
    path = tmp_path_factory.mktemp("spoiled") / "a.conllu"
    path.write_bytes(content[:start] + other + content[start + length :])
    corpus = read(f"conllu:{path}")
    try:
        n_words = identify(corpus).n_words
    except CorpusError as error:
        assert str(path) in str(error)  # noqa: PT017  # either is right
    else:
        assert all(max(edge.head or 0, edge.dependent) < n_words for edge in corpus.edges())
        for text in corpus.texts():
            assert all(0 <= w.char_start < w.char_end <= len(text.text) for w in text.words)


def test_paths_without_what_is_needed_are_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"has no treebank\. Expected files NAME\.conllu in it"):
        read(f"conllu:{tmp_path}")
    with pytest.raises(CorpusError, match="has no words"):
        identify(read(f"conllu:{write(tmp_path, text='# nothing')}"))
    (tmp_path / "other.dm.sdp").write_text("")
    with pytest.raises(CorpusError, match=r"other\.dm\.sdp has no other\.conllu beside it"):
        read(f"conllu:{tmp_path}")


def test_sentences_come_while_the_rest_of_the_file_is_unread(tmp_path):
    path = write(tmp_path, text="1\tA\t_\t_\t_\t_\t0\troot\t_\t_\n\n" * 1000 + "1\tA")
    corpus = read(f"conllu:{path}")
    assert next(corpus.texts()).text == "A"
    assert next(corpus.edges()) == Edge("ud", None, 0, "root")
    refuses(f"conllu:{path}", path, ":2001: 2 columns")


def test_a_sentence_of_very_many_words_in_one_chain_is_read(tmp_path):
    n = 5_000
    lines = [f"{k}\tw\t_\t_\t_\t_\t{k + 1 if k < n else 0}\tdep\t_\t_" for k in range(1, n + 1)]
    text = f"# text = {' '.join(['w'] * n)}\n" + "\n".join(lines)
    corpus = read(f"conllu:{write(tmp_path, text=text)}")
    edges = list(corpus.edges())
    assert edges == [Edge("ud", k + 1 if k < n - 1 else None, k, "dep") for k in range(n)]
    (text,) = corpus.texts()
    assert text.words[-1].position == n - 1
