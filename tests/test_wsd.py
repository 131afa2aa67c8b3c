"""Senses by nearest words and nearest centroids, held against plain loops and against scikit-learn."""

from __future__ import annotations

from collections import Counter

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import f1_score
from sklearn.neighbors import KNeighborsClassifier, NearestCentroid
from synthetic import in_parts

from repstore.analysis import wsd
from repstore.analysis.lemmas import Lemma, lemmas_of
from repstore.analysis.space import space_of
from repstore.analysis.wsd import Centroids, Key, Nearest, disambiguate
from repstore.errors import ArgumentError

Words = list[tuple[str, str, bool, bool]]
"""Lemma, senses, whether it trains, whether it is scored."""


def lemmas(words: Words) -> list[Lemma]:
    names, senses, trains, scored = zip(*words, strict=True)
    return lemmas_of([(name, None) for name in names], senses, np.array(trains), np.array(scored))


def leave_one_out(senses: str) -> Words:
    return [("bank", sense, True, True) for sense in senses.split()]


def answered(words: Words, vectors: np.ndarray, rule: Nearest | Centroids) -> list[str | None]:
    """The sense given to each scored word, lemma by lemma in order of their first words."""
    given: list[str | None] = []
    for lemma in lemmas(words):
        answers = rule.answers(lemma, vectors[lemma.words].astype(np.float64))
        given += [lemma.senses[n] if n >= 0 else None for n in answers]
    return given


def cosine(a: list[float], b: list[float]) -> float:
    lengths = sum(x * x for x in a) ** 0.5 * sum(x * x for x in b) ** 0.5
    return round(sum(x * y for x, y in zip(a, b, strict=True)) / lengths, 12) if lengths else 0.0


def oracle(words: Words, vectors: np.ndarray, k: int | None) -> list[str | None]:
    """By plain loops what the documentation promises: of `k` nearest words, or of centroids."""
    rows, given = vectors.astype(float).tolist(), []
    in_order = [
        n for lemma in dict.fromkeys(w[0] for w in words) for n, w in enumerate(words) if w[0] == lemma
    ]
    for n in in_order:
        lemma, _, _, is_scored = words[n]
        if not is_scored:
            continue
        training = [m for m, word in enumerate(words) if word[0] == lemma and word[2]]
        counts = Counter(sense for m in training for sense in words[m][1].split(";"))
        rank = {sense: (-count, sense) for sense, count in counts.items()}
        others = [m for m in training if m != n]
        if not others:
            given.append(None)
        elif k is None:
            centroids = {
                sense: [
                    sum(column)
                    for column in zip(
                        *(rows[m] for m in others if sense in words[m][1].split(";")), strict=True
                    )
                ]
                for sense in counts
            }
            given.append(min((-cosine(rows[n], c), *rank[s], s) for s, c in centroids.items() if c)[-1])
        else:
            near = sorted(
                others,
                key=lambda m: (-cosine(rows[n], rows[m]), min(rank[s] for s in words[m][1].split(";")), m),
            )
            votes: dict[str, list[float]] = {}
            for m in near[:k]:
                for sense in words[m][1].split(";"):
                    votes.setdefault(sense, []).append(cosine(rows[n], rows[m]))
            given.append(min((-len(v), -round(sum(v), 12), *rank[s], s) for s, v in votes.items())[-1])
    return given


@st.composite
def corpora(draw: st.DrawFn) -> tuple[Words, np.ndarray]:
    """Few words of few lemmas, with ties of all kinds: small whole numbers, and a few with several senses."""
    word = st.tuples(
        st.sampled_from("ab"), st.sampled_from(["x", "y", "z", "x;y"]), st.booleans(), st.booleans()
    )
    words = [
        (name, sense, trains, scored or not trains)
        for name, sense, trains, scored in draw(st.lists(word, min_size=1, max_size=14))
    ]
    if not any(word[3] for word in words):
        words[0] = (*words[0][:3], True)
    n_dimensions = draw(st.integers(1, 3))
    numbers = st.lists(st.integers(-2, 2), min_size=n_dimensions, max_size=n_dimensions)
    vectors = draw(st.lists(numbers, min_size=len(words), max_size=len(words)))
    return words, np.array(vectors, np.float16)


@settings(deadline=None, max_examples=200)
@given(corpora(), st.integers(1, 4))
def test_the_nearest_words_vote_as_documented(corpus, k):
    words, vectors = corpus
    assert answered(words, vectors, Nearest(k)) == oracle(words, vectors, k)


@settings(deadline=None, max_examples=200)
@given(corpora())
def test_the_nearest_centroid_is_found_as_documented(corpus):
    words, vectors = corpus
    assert answered(words, vectors, Centroids()) == oracle(words, vectors, None)


@pytest.mark.parametrize("k", [1, 3, 5])
def test_votes_agree_with_scikit_learn_where_nothing_ties(k):
    random = np.random.default_rng(k)
    vectors = random.normal(size=(60, 8)).astype(np.float32)
    senses = random.integers(0, 2, 60)
    words = [("bank", str(s), n < 40, n >= 40) for n, s in enumerate(senses)]
    model = KNeighborsClassifier(k, metric="cosine").fit(vectors[:40], senses[:40])
    assert answered(words, vectors, Nearest(k)) == [str(s) for s in model.predict(vectors[40:])]


def test_centroids_agree_with_scikit_learn():
    random = np.random.default_rng(0)
    vectors = random.normal(size=(60, 8))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    senses = np.arange(60) % 3
    words = [("bank", str(s), n < 40, n >= 40) for n, s in enumerate(senses)]
    means = NearestCentroid().fit(vectors[:40], senses[:40]).centroids_
    means /= np.linalg.norm(means, axis=1, keepdims=True)  # Euclid on the sphere is cosine
    nearest = ((vectors[40:, None] - means) ** 2).sum(axis=2).argmin(axis=1)
    assert answered(words, vectors, Centroids()) == [str(s) for s in nearest]


def test_identical_vectors_are_answered_by_the_most_frequent_sense():
    words = leave_one_out("y x x y x z")
    vectors = np.full((6, 33), 0.1, np.float16)
    for rule in (Nearest(1), Nearest(2), Centroids()):
        assert answered(words, vectors, rule) == ["x"] * 6


def test_a_word_of_a_sense_with_no_other_word_cannot_be_right():
    words = leave_one_out("x x y")
    vectors = np.array([[1, 0], [1, 0.1], [0, 1]], np.float16)
    for rule in (Nearest(1), Centroids()):
        assert answered(words, vectors, rule) == ["x", "x", "x"]
    assert Key.of(lemmas(words)).n_unseen == 1


def test_a_lemma_without_training_words_has_no_answer():
    words = [("bank", "x", False, True), ("bank", "y", False, True), ("bark", "x", True, False)]
    vectors = np.eye(3)
    for rule in (Nearest(1), Centroids()):
        assert answered(words, vectors, rule) == [None, None]
    key = Key.of(lemmas(words))
    assert (key.baseline, key.n_unseen) == (0.0, 2)
    found = key.score([np.array([-1, -1])])
    assert (found.is_right.tolist(), found.macro_f1) == ([False, False], 0.0)


def test_a_sense_of_the_same_name_under_another_lemma_is_another():
    words = [("bank", "1", True, True), ("bank", "2", True, True), ("bark", "1", True, True)]
    assert [(lemma.senses, lemma.is_monosemous) for lemma in lemmas(words)] == [
        (("1", "2"), False),
        (("1",), True),
    ]


def test_blocks_of_scored_words_change_nothing(monkeypatch):
    random = np.random.default_rng(2)
    words, vectors = leave_one_out("x y z y x " * 6), random.normal(size=(30, 5))
    whole = answered(words, vectors, Nearest(3))
    monkeypatch.setattr(wsd, "AT_ONCE", 64)
    assert answered(words, vectors, Nearest(3)) == whole


@settings(deadline=None)
@given(corpora(), st.integers(0, 99))
def test_scores_are_those_of_scikit_learn(corpus, seed):
    words = [word for word in corpus[0] if ";" not in word[1]]
    if not any(word[3] for word in words):
        return
    found, random = lemmas(words), np.random.default_rng(seed)
    key = Key.of(found)
    answers = [random.integers(-1, len(lemma.senses), len(lemma.scored)) for lemma in found]
    due = [
        (n, int(sense)) for n, lemma in enumerate(found) for sense in lemma.has[lemma.scored].argmax(axis=1)
    ]
    given_ = [(n, int(sense)) for n, some in enumerate(answers) for sense in some]
    codes = {pair: n for n, pair in enumerate(dict.fromkeys(due + given_))}
    truth, guess = [codes[pair] for pair in due], [codes[pair] for pair in given_]
    scored = key.score(answers)
    expected = f1_score(truth, guess, labels=sorted(set(truth)), average="macro", zero_division=0)
    assert scored.is_right.tolist() == [a == b for a, b in zip(truth, guess, strict=True)]
    assert scored.macro_f1 == pytest.approx(expected, abs=1e-12)


def test_any_of_several_senses_is_right():
    words = [("bank", "x", True, False), ("bank", "y", True, False), ("bank", "y;x", False, True)]
    key = Key.of(lemmas(words))
    x, y, none = (key.score([np.array([n])]) for n in (0, 1, -1))
    assert [found.is_right.tolist() for found in (x, y, none)] == [[True], [True], [False]]
    assert [found.macro_f1 for found in (x, y, none)] == [1.0, 1.0, 0.0]


def test_the_baseline_counts_a_scored_word_with_the_others():
    assert Key.of(lemmas(leave_one_out("x y x y"))).baseline == 0.5
    assert Key.of(lemmas(leave_one_out("x y y"))).baseline == pytest.approx(2 / 3)
    apart = [("bank", s, n < 3, n >= 3) for n, s in enumerate("xxyyyx")]
    assert Key.of(lemmas(apart)).baseline == pytest.approx(1 / 3)


@pytest.mark.parametrize("frame", ["none", "center", "corpus"])
def test_planted_senses_are_found_in_every_space_and_across_parts(frame):
    random = np.random.default_rng(3)
    senses = np.arange(60) % 3
    centers = random.normal(size=(3, 16)) + 1
    vectors = (random.normal(size=(60, 16)) * 0.05 + centers[senses]).astype(np.float16)
    layer = in_parts(vectors, 7, 20, widened=[1])
    key = Key.of(lemmas([(f"lemma{n % 2}", str(s), True, True) for n, s in enumerate(senses)]))
    for rule in (Nearest(1), Nearest(5), Centroids()):
        found = disambiguate(key, rule, layer, space_of(layer, frame), np.arange(60))
        assert (found.is_right.all(), found.macro_f1) == (True, 1.0)


def test_words_are_read_from_the_rows_they_have():
    vectors = np.array([[9, 9], [1, 0], [1, 0.1], [0, 1], [0.1, 1]], np.float16)
    layer = in_parts(vectors)
    key = Key.of(lemmas(leave_one_out("x y x y")))
    rows = np.array([1, 3, 2, 4])
    assert disambiguate(key, Nearest(1), layer, space_of(layer, "none"), rows).is_right.all()


def test_the_space_decides_which_word_is_near():
    """One dimension outweighs the others until vectors are standardized."""
    senses = [0, 1] * 8
    small = [[s, 1 - s] for s in senses]
    large = [[1000.0 * (n // 2 % 2), -1000.0 * (n // 4 % 2)] for n in range(16)]
    vectors = np.hstack([np.array(small) + 0.01 * np.arange(16)[:, None], np.array(large)]).astype(np.float32)
    layer = in_parts(vectors)
    key = Key.of(lemmas([("bank", str(s), True, True) for s in senses]))
    accuracy = {
        frame: disambiguate(key, Centroids(), layer, space_of(layer, frame), np.arange(16)).is_right.mean()
        for frame in ("none", "corpus")
    }
    assert accuracy["corpus"] == 1.0 > accuracy["none"]


@pytest.mark.parametrize("rule", [Nearest(1), Nearest(5), Centroids()], ids=str)
def test_random_vectors_are_at_chance(rule):
    random = np.random.default_rng(4)
    words = [(f"lemma{n % 10}", str(random.integers(2)), True, True) for n in range(1000)]
    right = []
    for _ in range(4):
        layer = in_parts(random.normal(size=(1000, 10)).astype(np.float16))
        right.append(
            disambiguate(
                Key.of(lemmas(words)), rule, layer, space_of(layer, "none"), np.arange(1000)
            ).is_right
        )
    assert np.mean(right) == pytest.approx(0.5, abs=0.04)  # 2.5 deviations of 4,000 words


def test_fewer_than_one_neighbor_is_refused():
    with pytest.raises(ArgumentError, match="k is 0; ask for at least 1 neighbor"):
        Nearest(0)
