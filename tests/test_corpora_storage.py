"""Corpora on disk: identity, ids, and whole or not at all."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from itertools import accumulate
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest
from synthetic import corpus_of, small_corpus

import repstore
from repstore.corpus import Corpus, read
from repstore.errors import CorpusError, StoreError
from repstore.schemas import EDGES, PAIRS, TEXTS, WORDS
from repstore.spec import CorpusInfo, Edge, Pair, Text, Word
from repstore.storage.corpora import identify, read_corpora, read_rows, write_corpus
from repstore.storage.layout import Layout
from repstore.storage.runs import create_store

BANK = Word(1, 2, 6, "bank", "bank", "N", "bank.1", "a slope")
TEXT = Text("A bank", (BANK,), "dev", "en")


@pytest.fixture
def layout(tmp_path) -> Layout:
    return new_store(tmp_path / "store")


def new_store(root: Path) -> Layout:
    create_store(root)
    return Layout(root)


def text_of(*forms: str, sense: str | None = None, split: str | None = None) -> Text:
    """A text of these words with one blank between them."""
    ends = list(accumulate(len(form) + 1 for form in forms))
    words = tuple(
        Word(n, end - 1 - len(form), end - 1, form, sense=sense)
        for n, (end, form) in enumerate(zip(ends, forms, strict=True))
    )
    return Text(" ".join(forms), words, split)


def add(layout: Layout, corpus: Corpus, name: str | None = None) -> CorpusInfo:
    info = identify(corpus, name)
    write_corpus(layout, corpus, info)
    return info


def tables(layout: Layout, info: CorpusInfo) -> tuple[pa.Table, pa.Table, pa.Table]:
    files = layout.corpus(info.corpus_id)
    return tuple(pq.read_table(path) for path in (files.texts, files.words, files.pairs))


def snapshot(root: Path) -> dict[Path, tuple[int, bytes]]:
    files = [path for path in root.rglob("*") if path.is_file()]
    return {path: (path.stat().st_mtime_ns, path.read_bytes()) for path in files}


def test_tables_hold_texts_words_and_pairs_in_order(layout):
    texts = [text_of("a", "bank", sense="s"), Text("...", ()), text_of("bank", split="dev")]
    corpus = corpus_of(texts, [Pair(2, 1, "dev", label=True), Pair(0, 2, score=0.5)])
    info = add(layout, corpus)
    texts, words, pairs = tables(layout, info)
    assert (texts.schema, words.schema, pairs.schema) == (TEXTS, WORDS, PAIRS)
    base = info.code * 10**9
    assert texts.to_pylist() == [
        {"text_id": base + n, "corpus_id": info.corpus_id, "split": split, "text": text, "language": None}
        for n, (text, split) in enumerate([("a bank", None), ("...", None), ("bank", "dev")])
    ]
    assert [tuple(word.values())[:6] for word in words.to_pylist()] == [
        (base, base, 0, 0, 1, "a"),
        (base + 1, base, 1, 2, 6, "bank"),
        (base + 2, base + 2, 0, 0, 4, "bank"),
    ]
    assert words["sense"].to_pylist() == ["s", "s", None]
    assert [tuple(pair.values()) for pair in pairs.to_pylist()] == [
        (base, info.corpus_id, "dev", base + 2, base + 1, True, None),
        (base + 1, info.corpus_id, None, base, base + 2, None, 0.5),
    ]
    assert (info.n_texts, info.n_words, info.n_pairs) == (3, 3, 2)
    assert read_corpora(layout) == [info]


def test_ids_of_two_corpora_never_meet(layout):
    first, second = add(layout, small_corpus(name="first")), add(layout, small_corpus(name="second"))
    for one, other in zip(tables(layout, first), tables(layout, second), strict=True):
        ids = one.column(0).to_pylist() + other.column(0).to_pylist()
        assert len(set(ids)) == len(ids) > 0
        assert max(ids) < 2**53, "JSON and floating-point columns keep it"
    assert [info.name for info in read_corpora(layout)] == ["first", "second"]


def test_a_corpus_is_known_by_its_content_not_by_its_name_or_place():
    texts = [text_of("a", "bank")]
    one = identify(corpus_of(texts, name="one"))
    other = identify(corpus_of(texts, name="other"), "a third name")
    assert (one.corpus_id, one.code) == (other.corpus_id, other.code)
    assert (one.name, other.name) == ("one", "a third name")


@pytest.mark.parametrize(
    "changed",
    [
        *[
            dataclasses.replace(TEXT, words=(dataclasses.replace(BANK, **change),))
            for change in (
                {"position": 0},
                {"lemma": "Bank"},
                {"lemma": None},
                {"pos": "V"},
                {"sense": "bank.2"},
                {"gloss": None},
                {"char_start": 3, "form": "ank"},
                {"spans": ((2, 3), (5, 6))},
            )
        ],
        dataclasses.replace(TEXT, text="A bank."),
        dataclasses.replace(TEXT, split="test"),
        dataclasses.replace(TEXT, language=None),
    ],
)
def test_any_change_of_content_is_another_corpus(changed):
    assert identify(corpus_of([changed])).corpus_id != identify(corpus_of([TEXT])).corpus_id


def test_a_word_in_one_piece_and_one_in_several_are_kept_with_their_pieces(layout):
    off = Word(1, 5, 18, "turned off", "turn off", "V", spans=((5, 11), (15, 18)))
    text = Text("They turned it off.", (Word(0, 0, 4, "They"), off))
    info = add(layout, corpus_of([text]))
    assert tables(layout, info)[1]["spans"].to_pylist() == [[[0, 4]], [[5, 11], [15, 18]]]
    with repstore.open(layout.root) as store:
        found = store.sql("SELECT form, char_start, char_end, spans FROM words ORDER BY word_id")
        assert list(found)[1] == {
            "form": "turned off",
            "char_start": 5,
            "char_end": 18,
            "spans": [[5, 11], [15, 18]],
        }


def test_other_pairs_are_another_corpus():
    variants = [
        [],
        [Pair(0, 1)],
        [Pair(1, 0)],
        [Pair(0, 1, "dev")],
        [Pair(0, 1, label=True)],
        [Pair(0, 1, label=False)],
        [Pair(0, 1, score=0.0)],
        [Pair(0, 1), Pair(0, 1)],
    ]
    ids = {identify(corpus_of([text_of("a", "b")], pairs)).corpus_id for pairs in variants}
    assert len(ids) == len(variants)


def test_writing_a_corpus_again_changes_nothing(layout):
    add(layout, small_corpus())
    before = snapshot(layout.root)
    add(layout, small_corpus())
    assert snapshot(layout.root) == before


def test_the_same_corpus_is_the_same_bytes_in_every_store(tmp_path):
    corpus = dataclasses.replace(small_corpus(), edges=lambda: iter([Edge("ud", None, 1, "root")]))
    first, second = (new_store(tmp_path / name) for name in ("one", "two"))
    info = add(first, corpus)
    add(second, corpus)
    for table in ("texts", "words", "pairs", "edges"):
        paths = [getattr(layout.corpus(info.corpus_id), table) for layout in (first, second)]
        assert paths[0].read_bytes() == paths[1].read_bytes()


def test_another_corpus_of_the_same_name_is_refused(layout):
    add(layout, small_corpus(n_words=10))
    before = snapshot(layout.root)
    with pytest.raises(StoreError, match=r'another corpus named "synthetic".*--corpus-name'):
        add(layout, small_corpus(n_words=11))
    assert snapshot(layout.root) == before
    add(layout, small_corpus(n_words=11), "another")
    assert [info.name for info in read_corpora(layout)] == ["another", "synthetic"]


def test_a_corpus_whose_ids_would_clash_is_refused(layout):
    """One chance in 90,000, so not left to chance here."""
    there = add(layout, small_corpus(name="first"))
    corpus = small_corpus(name="second")
    with pytest.raises(StoreError, match='clash with those of corpus "first"'):
        write_corpus(layout, corpus, dataclasses.replace(identify(corpus), code=there.code))


GOOD = {
    "text": {"corpus": b"One line.\nAnother line.\n"},
    "senses": {"corpus": b'{"text": "A bank", "start": 2, "end": 6, "lemma": "bank", "sense": "1"}\n'},
    "conllu": {"corpus": b"1\tA\ta\t_\t_\t_\t0\troot\t_\t_\n\n"},
    "sdp": {"corpus": b"1\tA\ta\tDT\t+\t-\n\n"},
    "wic": {
        "corpus/dev/dev.data.txt": b"bank\tN\t1-1\tA bank\tThe bank\n",
        "corpus/dev/dev.gold.txt": b"T\n",
    },
}


@pytest.fixture(params=GOOD)
def source(request, tmp_path) -> tuple[str, Path]:
    """A corpus of each format, and the file to spoil."""
    files = [tmp_path / name for name in GOOD[request.param]]
    for path, content in zip(files, GOOD[request.param].values(), strict=True):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return f"{request.param}:{tmp_path / 'corpus'}", files[-1]


def test_nothing_is_written_of_a_corpus_whose_last_line_is_malformed(layout, source):
    corpus, file = read(source[0]), source[1]
    with file.open("ab") as lines:
        lines.write(b"\xff\n")
    before = snapshot(layout.root)
    with pytest.raises(CorpusError):
        add(layout, corpus)
    assert snapshot(layout.root) == before


@pytest.mark.parametrize("more", [b"\xff\n", None], ids=["malformed", "longer"])
def test_a_source_that_changes_while_it_is_read_is_refused(layout, source, more):
    corpus, file = read(source[0]), source[1]
    info = identify(corpus)
    if more is not None:
        file.write_bytes(file.read_bytes() + more)
    elif source[0].startswith("wic"):
        file.write_bytes(b"F\n")
    else:
        file.write_bytes(file.read_bytes().replace(b"A", b"The") * 2)
    with pytest.raises(CorpusError):
        write_corpus(layout, corpus, info)
    assert read_corpora(layout) == []
    assert not layout.corpus(info.corpus_id).root.exists()


def test_what_a_crashed_writer_left_is_passed_over_and_replaced(layout):
    corpus = small_corpus()
    info = identify(corpus)
    litter = layout.corpora / f"{info.corpus_id}.tmp"
    litter.mkdir(parents=True)
    (litter / "texts.parquet").write_bytes(b"PAR1")
    assert read_corpora(layout) == []
    write_corpus(layout, corpus, info)
    assert read_corpora(layout) == [info]
    assert [path.name for path in layout.corpora.iterdir()] == [info.corpus_id]


def test_a_corpus_without_pairs_or_edges_has_empty_tables_of_them(layout):
    info = add(layout, corpus_of([text_of("a")]))
    files = layout.corpus(info.corpus_id)
    assert read_rows(files.pairs, 0, 10).equals(PAIRS.empty_table())
    assert read_rows(files.edges, 0, 10).equals(EDGES.empty_table())
    assert info.n_edges == 0


def test_a_copy_under_another_name_is_the_corpus_that_is_there(tmp_path, tiny_model, sentences):
    """Else its runs would be over a corpus that the store does not list."""
    copy = tmp_path / "copy.jsonl"
    copy.write_bytes(sentences.read_bytes())
    for path, template in ((sentences, "base"), (copy, "repeat")):
        repstore.ingest(
            f"senses:{path}", tmp_path / "store", model=str(tiny_model("bert")), templates=[template]
        )
    with repstore.open(tmp_path / "store") as store:
        assert store.corpora()["name"] == ["sentences"]
        assert store.runs()["corpus"] == ["sentences", "sentences"]


def test_the_source_is_read_once_to_identify_it_and_once_to_write_it(layout):
    known, n_reads = small_corpus(), {"texts": 0, "pairs": 0, "edges": 0}

    def counted(kind: str):
        def read():
            n_reads[kind] += 1
            return getattr(known, kind)()

        return read

    add(layout, dataclasses.replace(known, **{kind: counted(kind) for kind in n_reads}))
    assert n_reads == {"texts": 2, "pairs": 2, "edges": 2}


def test_the_id_of_a_corpus_is_the_digest_of_its_texts_pairs_and_edges_as_json(layout):
    """Held against a plain computation: ids of corpora that are in stores must never change.

    The other words of a text are not stored, and so are not part of it.
    """
    edges = [Edge("ud", None, 1, "root"), Edge("ud", 1, 0, "nsubj")]
    corpus = dataclasses.replace(small_corpus(), edges=lambda: iter(edges))
    texts = [(t.text, [dataclasses.astuple(w) for w in t.words], t.split, t.language) for t in corpus.texts()]
    records = [*texts, *(dataclasses.astuple(one) for one in (*corpus.pairs(), *edges))]
    lines = "".join(json.dumps(record) + "\n" for record in records)
    assert identify(corpus).corpus_id == hashlib.sha256(lines.encode()).hexdigest()[:16]
