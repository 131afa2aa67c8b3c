"""Some splits of a corpus: their texts and pairs, as if the others had never been there."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st
from program import repstore as command

import repstore
from repstore.corpus import Corpus, read
from repstore.corpus.plain import with_all_words
from repstore.corpus.splits import with_splits
from repstore.errors import ArgumentError, CorpusError
from repstore.spec import Pair, Text, Word
from repstore.storage.corpora import identify

SPLITS = ("dev", "test", "train")
NAMES = st.sets(st.sampled_from(SPLITS), min_size=1)


def corpus_of(split_of_text: list[str], pairs: list[tuple[int, int, str]]) -> Corpus:
    """Texts of two words each; pairs as ordinals and split."""
    texts = [
        Text(f"{n} left right", (Word(1, 2, 6, "left"), Word(2, 7, 12, "right")), split)
        for n, split in enumerate(split_of_text)
    ]
    found = [Pair(a, b, split, label=a < b) for a, b, split in pairs]
    return Corpus("made", "test:made", lambda: iter(texts), lambda: iter(found))


@given(st.data(), NAMES)
def test_pairs_join_the_words_they_joined_before(data, kept):
    split_of_text = [*SPLITS, *data.draw(st.lists(st.sampled_from(SPLITS), max_size=12))]
    words = {s: [2 * n + k for n, of in enumerate(split_of_text) if of == s for k in (0, 1)] for s in SPLITS}
    pairs = []
    for _ in range(data.draw(st.integers(0, 15))):
        split = data.draw(st.sampled_from(SPLITS))
        pairs.append((*(data.draw(st.sampled_from(words[split])) for _ in range(2)), split))
    whole = corpus_of(split_of_text, pairs)
    some = with_splits(whole, sorted(kept))
    assert [text.text for text in some.texts()] == [t.text for t in whole.texts() if t.split in kept]
    words_of_whole = [(text.text, word) for text in whole.texts() for word in text.words]
    words_of_some = [(text.text, word) for text in some.texts() for word in text.words]
    expected = [p for p in whole.pairs() if p.split in kept]
    found = list(some.pairs())
    assert len(found) == len(expected)
    for before, after in zip(expected, found, strict=True):
        assert (before.split, before.label) == (after.split, after.label)
        assert words_of_some[after.word_a] == words_of_whole[before.word_a]
        assert words_of_some[after.word_b] == words_of_whole[before.word_b]


def test_the_order_of_the_names_does_not_matter():
    corpus = corpus_of(list(SPLITS), [(0, 1, "dev"), (2, 3, "test")])
    one, other = (identify(with_splits(corpus, names)) for names in (["test", "dev"], ["dev", "test"]))
    assert one == other
    assert (one.name, one.splits, one.n_texts, one.n_pairs) == ("made-dev-test", ("dev", "test"), 2, 2)


def test_all_words_of_some_splits():
    corpus = with_all_words(with_splits(corpus_of(list(SPLITS), [(2, 3, "test")]), ["test"]))
    (text,) = corpus.texts()
    assert [word.form for word in text.words] == ["1", "left", "right"]
    assert [(pair.word_a, pair.word_b) for pair in corpus.pairs()] == [(1, 2)]
    assert (corpus.name, corpus.words, corpus.splits) == ("made-test-all", "all", ("test",))


def test_refusals(tmp_path):
    corpus = corpus_of(list(SPLITS), [])
    with pytest.raises(ArgumentError, match="give each once"):
        with_splits(corpus, ["dev", "dev"])
    with pytest.raises(ArgumentError, match="give each once"):
        with_splits(corpus, [])
    with pytest.raises(CorpusError, match=r'no split "tset"\. Did you mean "test"'):
        identify(with_splits(corpus, ["dev", "tset"]))
    (tmp_path / "a.txt").write_text("A line.\n")
    with pytest.raises(CorpusError, match="Its texts belong to no split"):
        identify(with_splits(read(f"text:{tmp_path / 'a.txt'}"), ["dev"]))
    across = corpus_of(list(SPLITS), [(0, 2, "dev")])
    with pytest.raises(CorpusError, match="a word of another"):
        identify(with_splits(across, ["dev"]))


def test_an_ingest_of_some_splits_can_be_repaired_by_the_command_that_verify_gives(tmp_path, tiny_model):
    for split in ("train", "dev", "test"):
        (tmp_path / "wic" / split).mkdir(parents=True)
        row = f"bank\tN\t3-2\tWe saw the bank {split} .\tOpen a bank account .\n"
        (tmp_path / "wic" / split / f"{split}.data.txt").write_text(row)
        (tmp_path / "wic" / split / f"{split}.gold.txt").write_text("T\n")
    store, model = tmp_path / "store", tiny_model("llama")
    arguments = ["--model", model, "--split", "test", "--split", "dev"]
    assert command("ingest", f"wic:{tmp_path / 'wic'}", store, *arguments).code == 0
    (info,) = (json.loads(path.read_text()) for path in store.glob("corpora/*/corpus.json"))
    assert (info["splits"], info["n_pairs"]) == (["dev", "test"], 2)
    (part,) = store.glob("runs/*/parts/*.parquet")
    original = part.read_bytes()
    part.write_bytes(original[:-9] + bytes([original[-9] ^ 1]) + original[-8:])
    lines = repstore.repair(store)
    (again,) = (line for line in lines if line.strip().startswith("repstore ingest"))
    assert "--split dev --split test" in again
    assert command(*again.split()[1:]).code == 0
    assert part.read_bytes() == original
