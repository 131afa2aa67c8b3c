"""A sentence that stands several times in a corpus is one: no probe learns from what it is tested on."""

import dataclasses
import itertools
from pathlib import Path

import numpy as np
import pytest
from synthetic import SyntheticRun, build_store, corpus_of, random_layers

import repstore
from repstore.corpus.matrices import read_matrix
from repstore.dividing import Dividing, plans_of
from repstore.errors import ResultError
from repstore.matrix_in_use import RidgeProbe, matrix_in_use
from repstore.spec import Edge, Pair, Text, Word
from repstore.storage.layout import Layout
from repstore.storage.lookup import looking_up
from repstore.structural_probing import StructuralProbe, _trees
from repstore.tasks import Asked
from repstore.tasks_in_use import task_of

N_SENTENCES, N_WORDS = 30, 6


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """Random words under random heads; every sentence stands twice, and has the same vectors both times."""
    random = np.random.default_rng(0)
    texts, edges = [], []
    for n in range(N_SENTENCES):
        forms = [f"w{random.integers(40)}" for _ in range(N_WORDS)]
        forms[0] = f"s{n}"
        starts = np.cumsum([0, *(len(form) + 1 for form in forms)])[:-1].tolist()
        words = [
            Word(at, start, start + len(form), form, pos=str(random.choice(["A", "B"])))
            for at, (start, form) in enumerate(zip(starts, forms, strict=True))
        ]
        heads = [None, *(int(random.integers(at)) for at in range(1, N_WORDS))]
        for copy in range(2):
            base = (2 * n + copy) * N_WORDS
            texts.append(Text(" ".join(forms), tuple(words)))
            edges += [
                Edge("ud", None if head is None else base + head, base + at, "dep")
                for at, head in enumerate(heads)
            ]
    vectors = np.repeat(random.normal(size=(N_SENTENCES, 1, N_WORDS, 48)), 2, axis=1).reshape(-1, 48)
    corpus = dataclasses.replace(corpus_of(texts), edges=lambda: iter(edges))
    layers = [vectors.astype(np.float16)] * 2
    return build_store(tmp_path_factory.mktemp("same") / "store", corpus, [SyntheticRun("run", layers)])


def is_by_sentence(numbers: np.ndarray, words: np.ndarray) -> None:
    """Asserts that there is a number for each sentence, the same for both of its copies."""
    sentences = (words - words.min()) // N_WORDS // 2
    assert len(np.unique(numbers)) == N_SENTENCES
    assert len(np.unique(np.stack([numbers, sentences]), axis=1).T) == N_SENTENCES


@pytest.mark.parametrize("label", ["arcs", "pos"])
def test_examples_of_sentences_that_read_the_same_are_divided_together(store, label):
    with looking_up(Layout(store)) as lookup:
        task = task_of(lookup, [lookup.run(None)], Asked(label, None, None, None, None, 0))
    is_by_sentence(task.texts, task.words[:, -1])


def test_pairs_of_sentences_that_read_the_same_are_divided_together(tmp_path):
    texts = [Text(f"the {form}", (Word(1, 4, 4 + len(form), form),)) for form in "abcdefaghijk"]
    corpus = corpus_of(texts, [Pair(n, n + 1, None, n % 4 == 0) for n in range(0, 12, 2)])
    run = SyntheticRun("run", random_layers(12, 4, 2))
    root = build_store(tmp_path / "store", corpus, [run])
    with looking_up(Layout(root)) as lookup:
        found = lookup.labelled_pairs(lookup.run(None))
    base = found.texts[0, 0]
    assert (found.texts - base).tolist() == [[0, 1], [2, 3], [4, 5], [0, 7], [8, 9], [10, 11]]


@pytest.mark.parametrize("label", ["arcs", "pos"])
@pytest.mark.parametrize("select_on", [None, "dev"])
def test_training_loses_the_sentences_that_another_split_has_too(store, label, select_on):
    with looking_up(Layout(store)) as lookup:
        task = task_of(lookup, [lookup.run(None)], Asked(label, None, None, None, None, 0))
    numbers = (task.words[:, -1] - task.words.min()) // N_WORDS
    # The copies of sentences 0 to 4 are in training and in the test, those of 5 to 7 in training and dev.
    splits = np.full(2 * N_SENTENCES, "train", object)
    splits[1:10:2], splits[11:16:2], splits[40:50], splits[50:] = "test", "dev", "dev", "test"
    task = dataclasses.replace(task, splits=splits[numbers])
    (plan,) = plans_of(task, Dividing("text", "train", select_on, "test"), "text", range(1))
    for a, b in itertools.combinations(plan.loose.sides, 2):
        assert not np.intersect1d(task.texts[a], task.texts[b]).size
    assert len(plan.loose.test) == (splits[numbers] == "test").sum()
    assert set(numbers[plan.loose.train]) <= set(np.flatnonzero(splits == "train"))


def test_splits_of_the_same_sentences_are_refused(store):
    with looking_up(Layout(store)) as lookup:
        task = task_of(lookup, [lookup.run(None)], Asked("pos", None, None, None, None, 0))
    numbers = (task.words[:, 0] - task.words.min()) // N_WORDS
    task = dataclasses.replace(task, splits=np.where(numbers % 2, "test", "train").astype(object))
    with pytest.raises(ResultError, match='All texts of split "train" are in "test", too'):
        plans_of(task, Dividing("text", "train", None, "test"), "text", range(1))


def test_trees_of_sentences_that_read_the_same_are_divided_together(store):
    with looking_up(Layout(store)) as lookup:
        trees = _trees(lookup, [lookup.run(None)], StructuralProbe(None, None, None, 1, 0, 0, 1 << 30))
    assert len(trees.sentences) == 2 * N_SENTENCES
    assert (trees.reads_as[::2] == trees.reads_as[1::2]).all()
    assert len(np.unique(trees.reads_as)) == N_SENTENCES


@pytest.mark.parametrize(("key", "split_by"), [("word_id", "text"), ("text_id", "lemma")])
def test_rows_about_sentences_that_read_the_same_are_in_one_fold(store, tmp_path, key, split_by):
    with repstore.open(store) as opened:
        keys = opened.sql(f"select distinct {key} from words order by all")[key]
    lines = [f"{key},number", *(f"{one},{n % 7}" for n, one in enumerate(keys))]
    path = tmp_path / "numbers.csv"
    path.write_text("\n".join(lines))
    asked = RidgeProbe(path, split_by)
    with looking_up(Layout(store)) as lookup:
        found = matrix_in_use(lookup, [lookup.run(None)], read_matrix(path), asked)
    firsts = found.word_ids if found.starts is None else found.word_ids[found.starts[:-1]]
    assert found.n_groups == N_SENTENCES
    is_by_sentence(found.groups, firsts)
