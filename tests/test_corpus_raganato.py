"""The unified framework for word sense disambiguation: small files in its layout, and wrong ones."""

from __future__ import annotations

from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from reading import counts, refuses, words_in_order

from repstore.corpus import Corpus, read
from repstore.corpus.plain import with_all_words
from repstore.corpus.sentences import BLOCK
from repstore.corpus.splits import with_splits
from repstore.errors import CorpusError
from repstore.spec import Text, Word
from repstore.storage.corpora import identify

XML = """<?xml version="1.0" encoding="UTF-8" ?>
<corpus lang="en" source="made">
<text id="d000">
<sentence id="d000.s000">
<wf lemma="she" pos="PRON">She</wf>
<wf lemma="have" pos="VERB">&apos;d</wf>
<instance id="d000.s000.t000" lemma="dread" pos="VERB">dreaded</instance>
<instance id="d000.s000.t001" lemma="old_age" pos="NOUN">old
 age</instance>
<wf lemma="," pos=".">,</wf>
<instance id="d000.s000.t002" lemma="so" pos="ADV">so</instance>
<wf lemma="." pos=".">.</wf>
</sentence>
<sentence id="d000.s001">
<wf lemma="yes" pos="X">Yes</wf>
</sentence>
<sentence id="d000.s002"/>
</text>
<text id="d001" source="br-a01">
<sentence id="d001.s000">
<instance id="d001.s000.t000" lemma="at_t" pos="NOUN">AT_&amp;_T</instance>
<instance id="d001.s000.t001" lemma="blue" pos="ADJ">blue_ish</instance>
<wf lemma="as_well" pos="ADV">as_well</wf>
</sentence>
</text>
</corpus>
"""
GOLD = """d000.s000.t000 dread%2:37:00::
d000.s000.t001 old_age%1:28:00:: old_age%1:26:00::
d000.s000.t002 so%4:02:07::

d001.s000.t001 blue%5:00:00:chromatic:00
d001.s000.t000 at_t%1:14:00::
"""


def write(folder: Path, name: str = "made", xml: str | bytes = XML, gold: str | None = GOLD) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    data = folder / f"{name}.data.xml"
    data.write_bytes(xml.encode() if isinstance(xml, str) else xml)
    if gold is not None:
        (folder / f"{name}.gold.key.txt").write_text(gold, encoding="utf-8", newline="")
    return data


def test_a_small_file_gives_these_texts_and_words(tmp_path):
    corpus = read(f"raganato:{write(tmp_path)}")
    assert (corpus.name, counts(corpus)) == ("made", (3, 5, 0))
    texts = list(corpus.texts())
    assert [text.text for text in texts] == [
        "She 'd dreaded old age , so .",
        "Yes",
        "AT & T blue_ish as well",
    ]
    assert {(text.split, text.language) for text in texts} == {("made", "en")}
    assert [text.words for text in texts] == [
        (
            Word(2, 7, 14, "dreaded", "dread", "V", "dread%2:37:00::"),
            Word(3, 15, 22, "old age", "old_age", "N", "old_age%1:28:00::"),
            Word(6, 25, 27, "so", "so", "R", "so%4:02:07::"),
        ),
        (),
        (
            Word(0, 0, 6, "AT & T", "at_t", "N", "at_t%1:14:00::"),
            Word(3, 7, 15, "blue_ish", "blue", "A", "blue%5:00:00:chromatic:00"),
        ),
    ]


def test_all_words_are_those_of_the_file_with_lemma_and_part_of_speech_less_punctuation(tmp_path):
    corpus = with_all_words(read(f"raganato:{write(tmp_path)}"))
    assert [(w.position, w.form, w.lemma, w.pos, w.sense) for _, w in words_in_order(corpus)] == [
        (0, "She", "she", "PRON", None),
        (1, "'d", "have", "V", None),
        (2, "dreaded", "dread", "V", "dread%2:37:00::"),
        (3, "old age", "old_age", "N", "old_age%1:28:00::"),
        (6, "so", "so", "R", "so%4:02:07::"),
        (0, "Yes", "yes", "X", None),
        (0, "AT & T", "at_t", "N", "at_t%1:14:00::"),
        (3, "blue_ish", "blue", "A", "blue%5:00:00:chromatic:00"),
        (4, "as well", "as_well", "R", None),
    ]


def test_a_folder_is_read_by_the_names_of_its_files_each_a_split(tmp_path):
    write(tmp_path / "Training_Corpora" / "SemCor", "semcor")
    write(tmp_path / "Evaluation_Datasets" / "senseval3", "senseval3")
    write(tmp_path / "Evaluation_Datasets" / "ALL", "ALL")
    corpus = read(f"raganato:{tmp_path}")
    assert (corpus.name, counts(corpus)) == ("raganato", (9, 15, 0))
    assert [text.split for text in corpus.texts()] == ["ALL"] * 3 + ["semcor"] * 3 + ["senseval3"] * 3
    alone = read(f"raganato:{tmp_path / 'Training_Corpora/SemCor/semcor.data.xml'}")
    assert list(with_splits(corpus, ["semcor"]).texts()) == list(alone.texts())


def test_all_is_passed_over_beside_the_five_sets_that_it_is_made_of(tmp_path):
    five = ["semeval2007", "semeval2013", "semeval2015", "senseval2", "senseval3"]
    for name in ["ALL", *five]:
        write(tmp_path / name, name)
    splits = [text.split for text in read(f"raganato:{tmp_path}").texts()]
    assert sorted(set(splits)) == five
    assert {text.split for text in read(f"raganato:{tmp_path / 'ALL'}").texts()} == {"ALL"}


def test_the_same_files_elsewhere_are_the_same_corpus(tmp_path):
    here, there = (read(f"raganato:{write(tmp_path / name)}") for name in ("here", "there"))
    assert identify(here).corpus_id == identify(there).corpus_id


@pytest.mark.parametrize("encoding", ["utf-8-sig", "latin-1", "utf-16"])
def test_a_file_may_be_in_any_encoding_that_it_names(tmp_path, encoding):
    xml = XML.replace("dreaded", "déaded")
    expected = list(read(f"raganato:{write(tmp_path / 'plain', xml=xml)}").texts())
    named = xml.replace("UTF-8", encoding.removesuffix("-sig")).encode(encoding)
    assert list(read(f"raganato:{write(tmp_path / encoding, xml=named)}").texts()) == expected


BOMB = """<!DOCTYPE corpus [<!ENTITY a "ha"><!ENTITY b "&a;&a;">]>\n<corpus lang="en" """
MALFORMED = {
    "an instance without a key": ("so%4:02:07::", "", ".gold.key.txt:3: no sense key for"),
    "a line of keys that is missing": (
        "d000.s000.t002 so%4:02:07::\n",
        "",
        '.data.xml:11: no sense key for "d000.s000.t002". Expected one in made.gold.key.txt',
    ),
    "a key without an instance": (
        "\n\n",
        "\nd000.s000.t009 so%4:02:07::\n",
        '.gold.key.txt:4: no instance "d000.s000.t009". Expected the instances of made.data.xml',
    ),
    "a key twice": (
        "d001.s000.t000",
        "d000.s000.t000",
        '.gold.key.txt:6: "d000.s000.t000" is there twice. Expected each',
    ),
    "an instance twice": (
        'id="d000.s000.t002"',
        'id="d000.s000.t000"',
        '.data.xml:11: instance "d000.s000.t000" is there twice. Expected each instance once',
    ),
    "no id": ('id="d000.s000.t002" ', "", ".data.xml:11: an instance without an id. Expected both"),
    "no form": (">so<", "> <", ".data.xml:11: an instance without a form. Expected both"),
    "a tag that is not closed": (
        "</wf>",
        "",
        ".data.xml:6: <wf> in a word. Expected sentences of <wf> and <instance>",
    ),
    "tags that cross": (
        "</sentence>",
        "</text>",
        ".data.xml:13: not XML (mismatched tag). Expected sentences",
    ),
    "a file cut short": ("</corpus>\n", "", ".data.xml:26: not XML (no element found). Expected sentences"),
    "no XML": (XML, "She dreaded old age .", ".data.xml:1: not XML (syntax error). Expected sentences"),
    "an unknown entity": ("&apos;", "&hellip;", ".data.xml:6: not XML (undefined entity). Expected"),
    "entities that expand": ('<corpus lang="en" ', BOMB, '.data.xml:2: entity "a". Expected a file without'),
    "an encoding nobody knows": (
        "UTF-8",
        "KLINGON",
        ".data.xml:1: unknown encoding: KLINGON. Expected a file",
    ),
    "words between words": ('<wf lemma="yes"', 'Oh <wf lemma="yes"', '.data.xml:15: "Oh" between the words'),
    "another element": (
        '<sentence id="d000.s002"/>',
        "<wf>no</wf>",
        ".data.xml:17: <wf> outside of a sentence",
    ),
    "a sentence in a sentence": (
        '<wf lemma="yes" pos="X">Yes</wf>',
        "<sentence/>",
        ".data.xml:15: <sentence> in a sentence. Expected",
    ),
}


@pytest.mark.parametrize(("old", "new", "message"), MALFORMED.values(), ids=MALFORMED.keys())
def test_a_wrong_line_is_refused_with_its_place_and_what_was_expected(tmp_path, old, new, message):
    assert old in XML + GOLD
    data = write(tmp_path, xml=XML.replace(old, new, 1), gold=GOLD.replace(old, new, 1))
    refuses(f"raganato:{data}", tmp_path / "made", message)


def test_an_entity_that_a_file_elsewhere_would_declare_is_refused_rather_than_dropped(tmp_path):
    xml = XML.replace("<corpus", '<!DOCTYPE corpus SYSTEM "made.dtd">\n<corpus')
    (tmp_path / "made.dtd").write_text('<!ENTITY hellip "...">')
    assert len(list(read(f"raganato:{write(tmp_path, xml=xml)}").texts())) == 3
    data = write(tmp_path, xml=xml.replace("&apos;", "&hellip;"))
    refuses(f"raganato:{data}", data, ':7: entity "hellip". Expected a file without entities of its own')


def test_bytes_that_are_not_of_the_encoding_are_refused_with_their_line(tmp_path):
    data = write(tmp_path, xml=XML.replace("Yes", "Café").encode("latin-1"))
    refuses(f"raganato:{data}", data, ":15: not XML (not well-formed (invalid token))")


def test_paths_without_what_is_needed_are_refused(tmp_path):
    with pytest.raises(
        CorpusError, match=r"no sense-annotated corpus\. Expected files NAME\.data\.xml in it"
    ):
        read(f"raganato:{tmp_path}")
    data = write(tmp_path / "one", gold=None)
    with pytest.raises(
        CorpusError, match=r"made\.gold\.key\.txt does not exist\. Expected the sense keys of made"
    ):
        read(f"raganato:{data}")
    write(tmp_path / "one")
    write(tmp_path / "two")
    with pytest.raises(
        CorpusError, match=r"made\.data\.xml is there twice in .*\. Give a folder that has it once"
    ):
        read(f"raganato:{tmp_path}")
    with pytest.raises(
        CorpusError, match=r"made\.gold\.key\.txt is not called NAME\.data\.xml\. Give such a file"
    ):
        read(f"raganato:{tmp_path / 'one' / 'made.gold.key.txt'}")


def test_sentences_come_while_the_rest_of_the_file_is_unread(tmp_path):
    """The file ends in the middle, far behind the first block of it."""
    row = '<sentence><wf pos="X">word</wf></sentence>\n'
    data = write(tmp_path, xml="<corpus>" + row * (3 * BLOCK // len(row)) + "<text>", gold="")
    texts = read(f"raganato:{data}").texts()
    assert next(iter(texts)) == Text("word", (), "made", None, (Word(0, 0, 4, "word", None, "X"),))
    with pytest.raises(CorpusError, match="no element found"):
        list(texts)


forms = st.lists(
    st.text(st.one_of(st.sampled_from("ab&<'\"_. é中"), st.characters(categories=["L", "P"])), min_size=1)
    .map(lambda form: " ".join(form.split()))
    .filter(bool),
    min_size=1,
    max_size=3,
).map(" ".join)
elements = st.tuples(st.booleans(), forms, st.sampled_from(["NOUN", "X"]))


@settings(deadline=None, max_examples=60)
@given(st.lists(st.lists(elements, min_size=1, max_size=5), min_size=1, max_size=5))
def test_every_instance_is_found_where_it_stands(tmp_path_factory, drawn):
    """Against the text as it was before it was written as XML, counted word by word."""
    xml, gold, expected = "<corpus>", "", []
    for n, sentence in enumerate(drawn):
        xml += "<sentence>"
        before: list[str] = []
        for k, (is_instance, form, pos) in enumerate(sentence):
            name = f' id="s{n}.t{k}"' if is_instance else ""
            tag = "instance" if is_instance else "wf"
            xml += (
                f"<{tag}{name} lemma={quoteattr(form.replace('_', '-'))} pos='{pos}'>{escape(form)}</{tag}>"
            )
            if is_instance:
                gold += f"s{n}.t{k} sense{k % 2} other\n"
                expected.append(
                    (" ".join(form for _, form, _ in sentence), len(" ".join(before).split()), form)
                )
            before.append(form)
        xml += "</sentence>\n"
    data = write(tmp_path_factory.mktemp("drawn"), xml=xml + "</corpus>", gold=gold)
    corpus: Corpus = read(f"raganato:{data}")
    found = words_in_order(corpus)
    assert [(text.text, word.position, word.form) for text, word in found] == expected
    for text, word in found:
        assert text.text[word.char_start : word.char_end] == word.form
        assert len(text.text[: word.char_start].split()) == word.position
