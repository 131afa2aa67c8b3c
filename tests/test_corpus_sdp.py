"""Semantic dependencies in their tab-separated format, alone and beside a treebank."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st
from reading import refuses

from repstore.corpus import read
from repstore.corpus.plain import with_all_words
from repstore.corpus.splits import with_splits
from repstore.errors import CorpusError
from repstore.spec import Edge, Text, Word
from repstore.storage.corpora import identify

ROWS = """#SDP 2015
#20001001
1	Ms.	Ms.	NNP	-	+	n	_	_
2	Haag	_	NNP	-	-	_	compound	ARG1
3	plays	play	VBZ	+	+	v	_	_
4	1 1/2	_	CD	-	-	_	_	ARG2

#20001002
1	No	no	_	+	-	_

"""
TREE = """1	{0}	_	_	_	_	2	det	_	_
2	{1}	_	_	_	_	0	root	_	_

1	{2}	_	_	_	_	0	root	_	_
"""
GRAPH = """#SDP 2015
#20001001
1	{0}	a	DT	-	+	_	_	_
2	{1}	b	NN	+	+	_	BV	_

#20001002
1	{2}	c	NN	-	-	_
"""


def write(folder: Path, name: str, text: str) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8", newline="")
    return path


def without_frames(text: str) -> str:
    """As files of 2014 have it."""
    lines = text.removeprefix("#SDP 2015\n").split("\n")
    columns = [line.split("\t") for line in lines]
    return "\n".join("\t".join(row[:6] + row[7:]) for row in columns)


def test_a_small_file_gives_these_texts_words_and_edges(tmp_path):
    corpus = read(f"sdp:{write(tmp_path, 'en.dm.sdp', ROWS)}")
    assert corpus.name == "en.dm"
    assert list(corpus.texts()) == [
        Text(
            "Ms. Haag plays 1 1/2",
            (
                Word(0, 0, 3, "Ms.", "Ms.", "NNP"),
                Word(1, 4, 8, "Haag", None, "NNP"),
                Word(2, 9, 14, "plays", "play", "VBZ"),
                Word(3, 15, 20, "1 1/2", None, "CD"),
            ),
            None,
            "en",
            (),
        ),
        Text("No", (Word(0, 0, 2, "No", "no", None),), None, "en", ()),
    ]
    assert list(corpus.edges()) == [
        Edge("dm", 0, 1, "compound"),
        Edge("dm", 2, 1, "ARG1"),
        Edge("dm", None, 2, "top"),
        Edge("dm", 2, 3, "ARG2"),
        Edge("dm", None, 4, "top"),
    ]


def test_files_of_2014_without_frames_say_the_same(tmp_path):
    new = read(f"sdp:{write(tmp_path, 'new.dm.sdp', ROWS)}")
    old = read(f"sdp:{write(tmp_path, 'old.dm.sdp', without_frames(ROWS))}")
    bare = read(f"sdp:{write(tmp_path, 'bare.dm.sdp', ROWS.removeprefix('#SDP 2015'))}")
    assert list(old.edges()) == list(bare.edges()) == list(new.edges())
    assert [text.words for text in old.texts()] == [text.words for text in new.texts()]


@pytest.mark.parametrize(
    ("name", "kind", "split", "language"),
    [
        ("en.dm.sdp", "dm", None, "en"),
        ("train.pas.sdp", "pas", "train", None),
        ("cs.dev.psd.sdp", "psd", "dev", "cs"),
        ("dm.sdp", "dm", None, None),
        ("test.sdp", "sdp", "test", None),
        ("en.ccd.sdp", "sdp", None, "en"),
    ],
)
def test_the_name_of_a_file_says_kind_split_and_language(tmp_path, name, kind, split, language):
    corpus = read(f"sdp:{write(tmp_path, name, ROWS)}")
    assert {edge.kind for edge in corpus.edges()} == {kind}
    assert {(text.split, text.language) for text in corpus.texts()} == {(split, language)}


@given(
    st.lists(
        st.lists(
            st.tuples(st.text("abé.,銀", min_size=1, max_size=3), st.booleans()), min_size=1, max_size=6
        ),
        min_size=1,
        max_size=3,
    ),
    st.data(),
    st.booleans(),
)
def test_edges_are_those_that_were_drawn(tmp_path_factory, drawn, data, is_old):
    labels = st.dictionaries(
        st.tuples(st.integers(0, 5), st.integers(0, 5)), st.sampled_from(["ARG1", "_and_c", "in-order-to"])
    )
    text, expected, before = "#SDP 2015\n", set(), 0
    for sentence in drawn:
        graph = {(a, b): v for (a, b), v in data.draw(labels).items() if max(a, b) < len(sentence)}
        predicates = sorted({a for a, _ in graph})
        text += "#2\n"
        for n, (form, top) in enumerate(sentence):
            signs = "\t".join("+" if yes else "-" for yes in (top, n in predicates))
            row = "\t".join(
                [str(n + 1), form, "l", "p", signs, "f", *(graph.get((a, n), "_") for a in predicates)]
            )
            text += row + "\n"
            expected |= {(None, before + n, "top")} if top else set()
        expected |= {(before + a, before + b, label) for (a, b), label in graph.items()}
        before += len(sentence)
        text += "\n"
    path = write(tmp_path_factory.mktemp("drawn"), "a.psd.sdp", without_frames(text) if is_old else text)
    corpus = read(f"sdp:{path}")
    edges = [(edge.head, edge.dependent, edge.label) for edge in corpus.edges()]
    assert set(edges) == expected
    assert len(edges) == len(expected)
    assert [edge[1] for edge in edges] == sorted(edge[1] for edge in edges)
    assert [text.text for text in corpus.texts()] == [
        " ".join(form for form, _ in sentence) for sentence in drawn
    ]
    for text in corpus.texts():
        assert all(text.text[word.char_start : word.char_end] == word.form for word in text.words)


def test_files_that_are_called_alike_are_one_corpus_with_several_kinds(tmp_path):
    for name in ("train.dm.sdp", "train.psd.sdp", "test.dm.sdp"):
        write(tmp_path / "sdp", name, ROWS)
    corpus = read(f"sdp:{tmp_path / 'sdp'}")
    assert corpus.name == "sdp"
    assert [text.split for text in corpus.texts()] == ["test", "test", "train", "train"]
    edges = list(corpus.edges())
    kinds = [*["dm"] * 5, *["dm"] * 4, *["psd"] * 4, "dm", "psd"]  # of the sentences in order
    assert [edge.kind for edge in edges] == kinds
    by_kind = {
        kind: [(edge.head, edge.dependent) for edge in edges if edge.kind == kind and edge.dependent > 4]
        for kind in ("dm", "psd")
    }
    assert by_kind["dm"] == by_kind["psd"] == [(5, 6), (7, 6), (None, 7), (7, 8), (None, 9)]
    alone = read(f"sdp:{tmp_path / 'sdp' / 'test.dm.sdp'}")
    some = with_splits(corpus, ["test"])
    assert (list(some.texts()), list(some.edges())) == (list(alone.texts()), list(alone.edges()))
    whole = with_all_words(some)
    assert [text.words for text in whole.texts()] == [text.words for text in some.texts()]
    assert list(whole.edges()) == list(some.edges())


def test_a_treebank_takes_the_graphs_beside_it_over_its_own_words(tmp_path):
    forms = ("``", "(", "R&amp;D")
    tree = write(tmp_path, "train.conllu", TREE.format('"', "-LRB-", "R&D"))
    write(tmp_path, "train.dm.sdp", GRAPH.format(*forms))
    write(tmp_path, "dev.conllu", TREE.format("x", "y", "z"))
    corpus = read(f"conllu:{tree}")
    assert [text.text for text in corpus.texts()] == ['" -LRB-', "R&D"]
    assert list(corpus.edges()) == [
        *(Edge("ud", 1, 0, "det"), Edge("ud", None, 1, "root")),
        *(Edge("dm", None, 1, "top"), Edge("dm", 0, 1, "BV")),
        Edge("ud", None, 2, "root"),
    ]
    both = read(f"conllu:{tmp_path}")
    assert [text.split for text in both.texts()] == ["dev", "dev", "train", "train"]
    assert list(with_splits(both, ["train"]).edges()) == list(corpus.edges())


def without_last(text: str) -> str:
    return text.strip().rpartition("\n\n")[0] + "\n"


DIFFERENT = {
    "another word": (
        TREE,
        GRAPH.replace("{1}", "y"),
        'train.dm.sdp:4: "y" where train.conllu:2 has "b". Expected the same words in both',
    ),
    "another sentence": (TREE, GRAPH.replace("{2}", "y"), 'train.dm.sdp:7: "y" where train.conllu:4 has "c"'),
    "a sentence less": (
        TREE,
        without_last(GRAPH),
        "train.conllu:4: a sentence that the file beside does not",
    ),
    "a sentence more": (
        without_last(TREE),
        GRAPH,
        "train.dm.sdp:7: a sentence that the file beside does not",
    ),
    "a word more": (
        TREE,
        GRAPH.replace("1\t{2}\tc\tNN\t-\t-\t_\n", "1\t{2}\tc\tNN\t-\t-\t_\n2\tc\tc\tNN\t-\t-\t_\n"),
        "train.dm.sdp:8: 2 words where train.conllu:4 begins a sentence of 1. Expected the same words",
    ),
}


@pytest.mark.parametrize(("tree", "graph", "message"), DIFFERENT.values(), ids=DIFFERENT.keys())
def test_files_of_different_sentences_are_refused_where_they_differ(tmp_path, tree, graph, message):
    path = write(tmp_path, "train.conllu", tree.format("a", "b", "c"))
    write(tmp_path, "train.dm.sdp", graph.format("a", "b", "c"))
    refuses(f"conllu:{path}", tmp_path, f"/{message}")


def changed(old: str, new: str) -> str:
    assert old in ROWS
    return ROWS.replace(old, new, 1)


SHORT = "1\tCats\tcat\tNNS\t-\t-\tARG1\n2\tsleep\tsleep\tVB\t+\t+\t_\n"

MALFORMED = {
    "too few columns": (
        changed("1\tMs.\tMs.\tNNP\t-\t+\tn\t_\t_", "1\tMs."),
        ":3: 2 columns. Expected id, form",
    ),
    "fewer predicates than columns": (
        changed("VBZ\t+\t+", "VBZ\t+\t-"),
        ":3: 9 columns in a sentence with 1 predicates. Expected 8: 7 and one for each predicate",
    ),
    "more predicates than columns": (changed("NNP\t-\t-", "NNP\t-\t+"), ":3: 9 columns in a sentence with 3"),
    "no frames in a file of 2015": (
        "#SDP 2015\n" + without_frames(ROWS),
        ":3: 8 columns in a sentence with 2 predicates. Expected 9: 7",
    ),
    "a wrong width without a header": (
        "#1\n1\ta\ta\tX\t-\t-\t_\t_\n",
        ":2: 8 columns in a sentence with 0 predicates. Expected 6 or 7: 6 or 7 and one",
    ),
    "a column more than in the sentences before": (
        f"#1\n{SHORT}\n#2\n{SHORT.replace(chr(10), chr(9) + '_' + chr(10))}",
        ":6: 8 columns in a sentence with 1 predicates. Expected 7: 6 and one",
    ),
    "a row of its own width": (changed("\tARG2", ""), ":6: 8 columns. Expected 9 as in the first line"),
    "a number left out": (changed("2\tHaag", "3\tHaag"), ':4: id "3". Expected "2", as words are counted'),
    "an empty form": (changed("2\tHaag", "2\t"), ':4: form "". Expected one without blanks at its ends'),
    "a blank at the end of a form": (changed("\tplays\t", "\tplays \t"), ':5: form "plays ". Expected'),
    "an empty lemma": (changed("\tplay\t", "\t\t"), ':5: lemma "". Expected'),
    "a sign that is none": (changed("VBZ\t+", "VBZ\ty"), ':5: top "y". Expected + or -'),
    "an empty argument": (
        changed("compound\tARG1", "\tARG1"),
        ':4: an empty argument. Expected a label, or "_"',
    ),
}


@pytest.mark.parametrize(("text", "message"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_wrong_line_is_refused_with_its_place_and_what_was_expected(tmp_path, text, message):
    path = write(tmp_path, "en.dm.sdp", text)
    refuses(f"sdp:{path}", path, message)


@given(st.integers(0, len(ROWS.encode())), st.integers(0, 40), st.binary(max_size=8))
def test_whatever_is_in_a_file_it_is_read_or_refused(tmp_path_factory, start, length, other):
    content = ROWS.encode()
    path = tmp_path_factory.mktemp("spoiled") / "a.dm.sdp"
    path.write_bytes(content[:start] + other + content[start + length :])
    corpus = read(f"sdp:{path}")
    try:
        n_words = identify(corpus).n_words
    except CorpusError as error:
        assert str(path) in str(error)  # noqa: PT017  # either is right
    else:
        assert all(max(edge.head or 0, edge.dependent) < n_words for edge in corpus.edges())


def test_paths_without_what_is_needed_are_refused(tmp_path):
    with pytest.raises(CorpusError, match=r"no semantic dependencies\. Expected files NAME\.dm\.sdp in it"):
        read(f"sdp:{tmp_path}")
    with pytest.raises(CorpusError, match="has no words"):
        identify(read(f"sdp:{write(tmp_path, 'en.dm.sdp', '#SDP 2015')}"))


def test_sentences_come_while_the_rest_of_the_file_is_unread(tmp_path):
    path = write(tmp_path, "en.dm.sdp", "#1\n1\tA\ta\tX\t+\t-\n\n" * 1000 + "1\tA")
    corpus = read(f"sdp:{path}")
    assert next(corpus.texts()).text == "A"
    assert next(corpus.edges()) == Edge("dm", None, 0, "top")
    refuses(f"sdp:{path}", path, ":3001: 2 columns")
