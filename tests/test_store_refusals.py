"""What a store cannot answer it refuses, saying what is wrong and what there is."""

import pytest
from synthetic import SyntheticRun, build_store, random_layers, small_corpus

import repstore
from repstore.errors import ArgumentError, NotFoundError, RepstoreError, ResultError

WHOLE = SyntheticRun("m/whole", random_layers(80, 6, 2), skipped=frozenset({3}))
EMPTY = SyntheticRun("m/empty", WHOLE.layers, n_committed=0)
BEGUN = SyntheticRun("m/begun", WHOLE.layers, 1, n_committed=1)

CASES = {
    "unknown probe": (NotFoundError, 'No probe "wics". Did you mean "wic"', "probe", {"name": "wics"}),
    "unknown split": (
        NotFoundError,
        'no labelled pairs in split "dve". Did you mean "dev"',
        "probe",
        {"select_on": "dve"},
    ),
    "unknown standardization": (ArgumentError, 'mean "corpus"', "probe", {"standardize": "corpsu"}),
    "no standardization": (ArgumentError, "standardize", "probe", {"standardize": None}),
    "fixed threshold": (ArgumentError, "threshold", "probe", {"threshold": 0.5}),
    "no runs": (ArgumentError, "run", "probe", {"run": []}),
    "run without vectors": (NotFoundError, "m/empty has no vectors", "probe", {"run": "m/empty"}),
    "pairs without vectors": (
        ResultError,
        "No pair of split .* has vectors in m/begun. Finish their ingest",
        "probe",
        {"run": "m/begun"},
    ),
    "layer too high": (NotFoundError, r"no layer 2; it has 0 \(embeddings\) to 1", "neighbors", {"layer": 2}),
    "negative layer": (NotFoundError, "no layer -1", "neighbors", {"layer": [0, -1]}),
    "layer as text": (ArgumentError, "layer", "neighbors", {"layer": "1"}),
    "layers as text": (ArgumentError, "layer", "compare", {"layer": "01"}),
    "layer as a word": (ArgumentError, "layer", "neighbors", {"layer": "last"}),
    "all layers as one": (ArgumentError, "layer", "vectors", {"layer": "all"}),
    "no layers to search": (ArgumentError, "layer", "neighbors", {"layer": []}),
    "no layers to compare": (ArgumentError, "layer", "compare", {"layer": []}),
    "unknown word": (
        NotFoundError,
        'No word "bnk" in synthetic. Did you mean "bank"',
        "neighbors",
        {"word": "bnk", "text": None},
    ),
    "no such text": (NotFoundError, 'in a text with "xyz"', "neighbors", {"word": "bank", "text": "xyz"}),
    "no such sense": (NotFoundError, 'of sense "bank.9"', "neighbors", {"word": "bank", "sense": "bank.9"}),
    "unknown word_id": (NotFoundError, "no word 5", "neighbors", {"word": 5}),
    "several uses": (ArgumentError, '"bank" has 20 uses. Say which', "neighbors", {"text": None}),
    "skipped word": (
        NotFoundError,
        "has no vector in m/whole",
        "neighbors",
        {"word": "palms", "text": "003"},
    ),
    "no neighbors": (ArgumentError, "k is 0", "neighbors", {"k": 0}),
    "unknown metric": (NotFoundError, 'No metric "ckaa". Did you mean "cka"', "compare", {"metric": "ckaa"}),
    "small sample": (ArgumentError, "sample is 3", "compare", {"sample": 3}),
    "negative seed": (ArgumentError, "seed", "compare", {"sample": 10, "seed": -1}),
    "negative limit": (ArgumentError, "limit", "words", {"limit": -1}),
    "several lemmas": (ArgumentError, r"lemma is \['bank'\]; give one text", "words", {"lemma": ["bank"]}),
    "a number as a form": (ArgumentError, "form is 5; give one text", "words", {"form": 5}),
    "half a character": (ArgumentError, "not UTF-8", "words", {"text": "Z\udcfcrich"}),
    "half a character of a word": (ArgumentError, "not UTF-8", "neighbors", {"word": "\udcfc"}),
    "several texts": (ArgumentError, "text is", "neighbors", {"word": "bank", "text": ["003"]}),
    "several runs where one is asked": (
        ArgumentError,
        r"\['m/whole'\] is no name of a run. Give one of: m/begun, m/empty, m/whole",
        "neighbors",
        {"run": ["m/whole"]},
    ),
    "memory as a text": (ArgumentError, "memory is '2GB'; give", "sql", {"memory": "2GB"}),
}
USUAL = {
    "probe": {"name": "wic", "run": "m/whole"},
    "neighbors": {"word": "bank", "text": "000", "run": "m/whole", "layer": 0},
    "vectors": {"run": "m/whole"},
    "compare": {"run": "m/whole"},
    "words": {},
    "sql": {"query": "SELECT 1"},
}


@pytest.fixture(scope="module")
def store(tmp_path_factory):
    root = build_store(tmp_path_factory.mktemp("stores") / "store", small_corpus(), [WHOLE, EMPTY, BEGUN])
    with repstore.open(root) as opened:
        yield opened


@pytest.mark.parametrize("case", CASES)
def test_what_cannot_be_answered_is_refused_with_the_reason(store, case):
    error, message, verb, options = CASES[case]
    with pytest.raises(error, match=message):
        getattr(store, verb)(**USUAL[verb] | options)


def test_the_usual_questions_are_answered(store):
    for verb, options in USUAL.items():
        assert getattr(store, verb)(**options | ({"layer": 0} if verb == "vectors" else {}))


def test_a_corpus_without_labelled_pairs_cannot_be_probed(tmp_path):
    root = build_store(tmp_path, small_corpus(n_dev=0, n_test=0), [WHOLE])
    with repstore.open(root) as opened, pytest.raises(ResultError, match="no labelled pairs"):
        opened.probe("wic")


def test_fewer_than_four_words_cannot_be_compared(tmp_path):
    run = SyntheticRun("m", random_layers(3, 6, 2))
    with (
        repstore.open(build_store(tmp_path, small_corpus(3, 0, 0), [run])) as opened,
        pytest.raises(ResultError, match="at least 4 words"),
    ):
        opened.compare("cka")


def test_a_closed_store_says_that_it_is_closed(tmp_path):
    with repstore.open(build_store(tmp_path, small_corpus(), [WHOLE])) as opened:
        pass
    for ask in (opened.words, opened.info, lambda: opened.probe("wic"), lambda: opened.sql("SELECT 1")):
        with pytest.raises(RepstoreError, match="closed"):
            ask()
