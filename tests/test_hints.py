"""What could be meant by a name that is not there: of runs, words, senses and all else that has names."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from synthetic import SyntheticRun, build_store, corpus_of, random_layers, small_corpus

import repstore
from repstore.errors import NotFoundError, did_you_mean
from repstore.spec import Text, Word


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    run = SyntheticRun("m/base", random_layers(80, 6, 2))
    root = build_store(tmp_path_factory.mktemp("stores") / "store", small_corpus(), [run])
    with repstore.open(root) as opened:
        yield opened


@given(st.lists(st.text("abcdefgh.-_", min_size=1, max_size=8), min_size=1), st.data())
def test_a_name_in_other_case_is_meant_whatever_else_there_is(names, data):
    meant = data.draw(st.sampled_from(names))
    assert did_you_mean(meant.upper(), [*names, "XYZ"]) == f'Did you mean "{meant}"?'


@pytest.mark.parametrize(
    ("asked", "known", "said"),
    [
        ("Bank", ["bank", "Bonk"], 'Did you mean "bank"?'),
        ("bank", ["BANK", "bang"], 'Did you mean "BANK"?'),
        ("BNAK", ["bank", "spring"], 'Did you mean "bank"?'),
        ("bnak", ["Bank", "spring"], 'Did you mean "Bank"?'),
        ("bnak", ["bark", "bank", "bunk"], 'Did you mean "bank"?'),
        ("", ["a", "b"], "Known: a, b."),
        ("zzz", list("abcdefghij"), "Known: a, b, c, d, e, f, g, h, and more."),
        ("zzz", [], "There are none."),
    ],
)
def test_case_counts_less_than_letters_and_their_order_less_than_others(asked, known, said):
    assert did_you_mean(asked, known) == said


@pytest.mark.parametrize(
    ("wanted", "said"),
    [
        ({"lemma": "Bank"}, 'No word has the lemma "Bank". Did you mean "bank"?'),
        ({"lemma": "srping", "pos": "N"}, 'No word has the lemma "srping". Did you mean "spring"?'),
        ({"form": "BANKS"}, 'No word has the form "BANKS". Did you mean "banks"?'),
        ({"pos": "NOUN"}, 'No word has the part of speech "NOUN". Known: N, V.'),
        ({"lemma": "bank", "sense": "bank.7"}, 'No word has the sense "bank.7". Did you mean "bank.'),
        ({"lemma": "bank", "sense": "palm.0"}, "No word has all that is asked for."),
        ({"text": "nowhere"}, "No word has all that is asked for."),
        ({"lemma": "'; DROP TABLE words; --"}, 'No word has the lemma "\'; DROP TABLE words; --". Known: '),
    ],
    ids=str,
)
def test_where_no_word_fits_a_note_says_what_could_be_meant(store, wanted, said):
    (note,) = store.words(**wanted).notes
    assert note.startswith(said)


def test_where_words_fit_there_is_no_note(store):
    assert store.words(lemma="bank").notes == ()


@pytest.mark.parametrize(
    ("word", "options", "said"),
    [
        ("Bank", {}, 'No word "Bank" in synthetic. Did you mean "bank"?'),
        ("bank", {"sense": "Bank.1"}, 'of sense "Bank.1" in synthetic. Did you mean "bank.1"?'),
        ("bank", {"sense": "bark.1x"}, 'of sense "bark.1x" in synthetic. Did you mean "bank.1"?'),
        (None, {"sense": "BARK.1"}, 'No word of sense "BARK.1" in synthetic. Did you mean "bark.1"?'),
        ("bank", {"text": "nowhere"}, 'No word "bank" in a text with "nowhere" in synthetic.'),
    ],
    ids=str,
)
def test_neighbors_of_no_word_say_which_could_be_meant(store, word, options, said):
    with pytest.raises(NotFoundError) as refused:
        store.neighbors(word, run="m/base", layer=0, **options)
    assert str(refused.value).endswith(said)


def test_the_lemmas_of_another_corpus_are_not_offered(tmp_path):
    texts = [Text("A bonk.", (Word(1, 2, 6, "bonk", "bonk", "N", None),))]
    root = build_store(tmp_path / "store", small_corpus(), [SyntheticRun("m/base", random_layers(80, 6, 1))])
    build_store(root, corpus_of(texts, name="other"), [SyntheticRun("m/other", random_layers(1, 6, 1))])
    with repstore.open(root) as opened:
        for run, meant in (("m/base", "bank"), ("m/other", "bonk")):
            with pytest.raises(NotFoundError, match=f'Did you mean "{meant}"'):
                opened.neighbors("bink", run=run, layer=0)


def test_words_without_a_lemma_go_by_their_form(tmp_path):
    texts = [Text("A bonk.", (Word(1, 2, 6, "bonk", None, None, None),))]
    run = SyntheticRun("m", random_layers(1, 6, 1))
    root = build_store(tmp_path / "store", corpus_of(texts), [run])
    with repstore.open(root) as opened:
        with pytest.raises(NotFoundError, match='Did you mean "bonk"'):
            opened.neighbors("Bonk", layer=0)
        assert opened.words(lemma="bonk").notes == ('No word has the lemma "bonk". No word has any.',)


def test_among_very_many_lemmas_the_closest_is_found(tmp_path):
    words = [f"w{n:05}x" for n in range(3000)] + ["bank"]
    texts = [Text(f"A {word}.", (Word(1, 2, 2 + len(word), word, word, "N", None),)) for word in words]
    root = build_store(tmp_path / "store", corpus_of(texts))
    with repstore.open(root) as opened:
        assert opened.words(lemma="BNAK").notes == ('No word has the lemma "BNAK". Did you mean "bank"?',)
