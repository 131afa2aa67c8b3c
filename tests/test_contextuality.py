"""How contextual vectors are, against plain loops over pairs of words and against whole decompositions."""

import math

import numpy as np
import oracles
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from synthetic import in_parts

from repstore.analysis import kernels
from repstore.analysis.aligned import Aligned
from repstore.analysis.contextuality import (
    explained_variance,
    intra_sentence_similarity,
    self_similarity,
)
from repstore.analysis.space import space_of
from repstore.errors import ArgumentError

LAYERS = {
    "n_words": st.integers(2, 14),
    "d_model": st.integers(1, 6),
    "frame": st.sampled_from(["none", "center", "corpus"]),
    "seed": st.integers(0, 999),
}


def aligned(rows: np.ndarray, *sizes: int, frame: str = "none", widened: tuple[int, ...] = ()) -> Aligned:
    vectors = in_parts(rows, *sizes, widened=widened)
    return Aligned(vectors, np.arange(len(rows)), space_of(vectors, frame))


def drawn(n_words: int, d_model: int, seed: int) -> np.ndarray:
    """Normal vectors about a common one, of which some are zero and some the same."""
    random = np.random.default_rng(seed)
    rows = (random.normal(size=(n_words, d_model)) + 1).astype(np.float16)
    rows[random.random(n_words) < 0.1] = 0
    rows[random.random(n_words) < 0.1] = rows[0]
    return rows


def codes(n_words: int, n_groups: int, seed: int) -> np.ndarray:
    return np.random.default_rng([seed, 1]).integers(-1, n_groups, n_words)


def members(groups: np.ndarray, least: int) -> list[list[int]]:
    found = ([n for n, code in enumerate(groups) if code == group] for group in sorted(set(groups) - {-1}))
    return [words for words in found if len(words) >= least]


def pair_mean(rows: np.ndarray) -> float:
    return float(np.mean([oracles.cosine(a, b) for n, a in enumerate(rows) for b in rows[:n]]))


def mean_cosine(rows: np.ndarray) -> float:
    """The same as `pair_mean`, of more words than a loop is fast for."""
    units = kernels.unit(rows)
    cosines = units @ units.T
    return float(cosines[~np.eye(len(rows), dtype=bool)].mean())


def share(rows: np.ndarray) -> float:
    squares = np.linalg.svd(rows, compute_uv=False) ** 2
    return float(squares[0] / squares.sum()) if squares.sum() else 1.0


def self_similar(words: Aligned, groups: np.ndarray):
    return self_similarity(words, groups, anisotropy=mean_cosine(words.matrix()))


def intra_sentence(words: Aligned, texts: np.ndarray):
    return intra_sentence_similarity(words, texts, anisotropy=mean_cosine(words.matrix()))


def similar(found, expected: list[float], of_random: float) -> None:
    assert found.n_groups == len(expected)
    if expected:
        assert found.value == pytest.approx(np.mean(expected), abs=1e-12)
        assert found.adjusted == pytest.approx(np.mean(expected) - of_random, abs=1e-12)
    else:
        assert math.isnan(found.value)
        assert math.isnan(found.adjusted)


@settings(deadline=None, max_examples=60)
@given(**LAYERS, least=st.integers(2, 4))
def test_self_similarity_equals_loops_over_pairs(n_words, d_model, frame, seed, least):
    words, groups = aligned(drawn(n_words, d_model, seed), frame=frame), codes(n_words, 3, seed)
    rows = words.matrix()
    expected = [pair_mean(rows[of]) for of in members(groups, least)]
    similar(self_similarity(words, groups, least, anisotropy=0.25), expected, 0.25)


@settings(deadline=None, max_examples=60)
@given(**LAYERS)
def test_intra_sentence_similarity_equals_cosines_with_means(n_words, d_model, frame, seed):
    words, texts = aligned(drawn(n_words, d_model, seed), frame=frame), codes(n_words, 5, seed)
    rows = words.matrix()
    expected = []
    for of in members(texts, 2):
        total = [math.fsum(column) for column in rows[of].T]
        expected.append(float(np.mean([oracles.cosine(row, total) for row in rows[of]])))
    # In a centered space the words of a text may sum to a rounding, whose direction means nothing.
    if all(np.linalg.norm(rows[of].sum(axis=0)) > 1e-6 for of in members(texts, 2)):
        similar(intra_sentence_similarity(words, texts, anisotropy=-0.25), expected, -0.25)


@settings(deadline=None, max_examples=60)
@given(**LAYERS, least=st.integers(2, 4))
def test_explained_variance_equals_that_of_singular_values(n_words, d_model, frame, seed, least):
    words, groups = aligned(drawn(n_words, d_model, seed), frame=frame), codes(n_words, 3, seed)
    expected = [share(words.matrix()[of]) for of in members(groups, least)]
    found = explained_variance(words, groups, least)
    assert found.n_groups == len(expected)
    if expected:
        assert found.value == pytest.approx(np.mean(expected), abs=1e-12)


def test_what_random_words_share_is_the_mean_over_random_sets_of_the_size_of_each_group():
    rows = np.random.default_rng(0).normal(size=(400, 30)).astype(np.float32)
    sizes = [5] * 20 + [60] * 5
    groups = np.repeat(np.arange(25), sizes)
    words = aligned(rows)
    found = explained_variance(words, groups)
    random = np.random.default_rng(1)
    sets = {size: [random.permutation(400)[:size] for _ in range(300)] for size in set(sizes)}
    of_size = {size: np.mean([share(words.matrix()[of]) for of in sets[size]]) for size in sets}
    at_random = np.mean([of_size[size] for size in sizes])
    assert found.value - found.adjusted == pytest.approx(at_random, abs=0.004)
    assert abs(found.adjusted) < 0.01  # these groups are random themselves


def test_what_random_words_share_hardly_depends_on_the_seed():
    rows = np.random.default_rng(0).standard_t(3, size=(400, 30)).astype(np.float32)
    groups = np.where(np.arange(400) < 12, np.arange(400) // 6, -1)
    words = aligned(rows)
    found = [explained_variance(words, groups, seed=seed) for seed in range(20)]
    assert np.std([one.adjusted for one in found]) < 0.01  # 0.04 with one set for each group


def test_what_random_words_share_depends_on_neither_the_order_nor_the_number_of_groups():
    words = aligned(np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32))
    groups = np.repeat(np.arange(4), [40, 30, 20, 10])
    found, renamed = (explained_variance(words, codes) for codes in (groups, 3 - groups))
    assert renamed.value - renamed.adjusted == pytest.approx(found.value - found.adjusted, abs=1e-12)
    one, two = (explained_variance(words, np.where(kept, groups, -1)) for kept in (groups < 1, groups != 3))
    of_size = [one.value - one.adjusted]
    for group in (1, 2):
        alone = explained_variance(words, np.where(groups == group, 0, -1))
        of_size.append(alone.value - alone.adjusted)
    assert two.value - two.adjusted == pytest.approx(np.mean(of_size), abs=1e-12)


def test_a_group_of_all_words_explains_what_random_words_do():
    words = aligned(drawn(30, 8, 0))
    assert explained_variance(words, np.zeros(30, np.int64)).adjusted == pytest.approx(0, abs=1e-12)


def test_the_seed_decides_the_random_groups_and_nothing_else():
    words = aligned(np.random.default_rng(0).normal(size=(100, 8)).astype(np.float32))
    groups = np.repeat(np.arange(10), 10)
    first, again, other = (explained_variance(words, groups, seed=seed) for seed in (3, 3, 4))
    assert first == again
    assert first.value == other.value
    assert first.adjusted != other.adjusted


def test_what_every_context_leaves_alone_is_wholly_similar_less_what_random_words_share():
    n_forms, n_each = 6, 7
    rows = np.repeat(np.eye(n_forms, dtype=np.float16), n_each, axis=0)
    groups = np.repeat(np.arange(n_forms), n_each)
    found = self_similar(aligned(rows), groups)
    assert found.value == pytest.approx(1)
    assert found.adjusted == pytest.approx(1 - (n_each - 1) / (n_forms * n_each - 1))
    assert explained_variance(aligned(rows), groups).value == pytest.approx(1)
    assert intra_sentence(aligned(rows), groups).value == pytest.approx(1)


def test_a_common_vector_is_adjusted_away():
    random = np.random.default_rng(0)
    rows = (random.normal(size=(600, 200)) + 1).astype(np.float32)  # any two have a cosine of about 1 / 2
    groups = random.permutation(np.repeat(np.arange(60), 10))
    for measure in (self_similar, explained_variance):
        found = measure(aligned(rows), groups)
        assert found.value == pytest.approx(0.5, abs=0.06)
        assert found.adjusted == pytest.approx(0, abs=0.005)


def test_a_text_of_opposite_words_has_no_mean_to_be_similar_to():
    rows = np.array([[1, 2], [-1, -2], [3, 1], [3, 1]], np.float16)
    assert intra_sentence(aligned(rows), np.array([0, 0, -1, -1])).value == 0
    assert intra_sentence(aligned(rows), np.array([0, 0, 4, 4])).value == pytest.approx(0.5)


@pytest.mark.parametrize("measure", [self_similar, intra_sentence, explained_variance])
def test_rotation_and_scale_leave_measures_alone(measure):
    rows = (np.random.default_rng(0).normal(size=(60, 8)) + 0.5).astype(np.float32)
    rotation = np.linalg.qr(np.random.default_rng(1).normal(size=(8, 8)))[0]
    groups = np.repeat(np.arange(10), 6)
    moved = (37 * rows.astype(np.float64) @ rotation).astype(np.float32)
    expected, found = measure(aligned(rows), groups), measure(aligned(moved), groups)
    assert found.value == pytest.approx(expected.value, abs=1e-6)
    assert found.adjusted == pytest.approx(expected.adjusted, abs=1e-6)


@pytest.mark.parametrize("measure", [self_similar, intra_sentence, explained_variance])
def test_neither_the_order_of_words_nor_the_codes_of_groups_count(measure):
    rows = (np.random.default_rng(0).normal(size=(60, 8)) + 0.5).astype(np.float32)
    groups = np.random.default_rng(1).integers(0, 6, 60)
    order = np.random.default_rng(2).permutation(60)
    vectors = in_parts(rows)
    shuffled = Aligned(vectors, order, space_of(vectors, "none"))
    expected = measure(aligned(rows), groups)
    assert measure(shuffled, (5 - groups)[order] * 7).value == pytest.approx(expected.value, abs=1e-12)


@pytest.mark.parametrize("measure", [self_similar, intra_sentence, explained_variance])
def test_parts_and_stored_dtypes_change_nothing(measure):
    rows, groups = drawn(60, 8, 0), codes(60, 5, 0)
    assert measure(aligned(rows, 11, 30, widened=(1,)), groups) == measure(aligned(rows), groups)


@pytest.mark.parametrize("n_bytes", [1, 100, 300])
def test_blocks_change_nothing_but_roundings(n_bytes, monkeypatch):
    rows, groups = drawn(60, 8, 0), codes(60, 3, 0)  # groups of more words than there are dimensions
    measures = (self_similar, intra_sentence, explained_variance)
    expected = [measure(aligned(rows), groups) for measure in measures]
    monkeypatch.setattr(kernels, "BLOCK_BYTES", n_bytes)
    for measure, before in zip(measures, expected, strict=True):
        found = measure(aligned(rows), groups)
        assert (found.value, found.adjusted) == pytest.approx((before.value, before.adjusted), abs=1e-12)


def test_only_the_words_asked_for_are_measured():
    rows, groups = drawn(40, 6, 0), codes(25, 3, 0)
    some = np.random.default_rng(2).permutation(40)[:25]
    vectors = in_parts(rows, 13)
    words = Aligned(vectors, some, space_of(vectors, "none"))
    assert self_similar(words, groups) == self_similar(aligned(rows[some]), groups)


def test_outlier_dimensions_and_the_ends_of_float16_are_measured_as_they_are():
    rows = drawn(30, 8, 0).astype(np.float32)
    rows[:, 3] *= 3000
    rows[:5] = 65504
    rows[5:10] = np.float32(2**-24)
    rows = rows.astype(np.float16)
    groups = codes(30, 2, 0)
    words = aligned(rows)
    expected = [pair_mean(rows[of].astype(float)) for of in members(groups, 5)]
    similar(self_similar(words, groups), expected, pair_mean(rows.astype(float)))
    expected = [share(rows[of].astype(float)) for of in members(groups, 5)]
    assert explained_variance(words, groups).value == pytest.approx(np.mean(expected), abs=1e-12)


@pytest.mark.parametrize(("constant", "similarity"), [(0.1, 1.0), (0.0, 0.0)])
def test_a_constant_layer_is_no_more_similar_than_random_words(constant, similarity):
    words, groups = aligned(np.full((12, 4), constant, np.float16)), np.repeat([0, 1], 6)
    for measure in (self_similar, intra_sentence):
        found = measure(words, groups)
        assert (found.value, found.adjusted) == pytest.approx((similarity, 0), abs=1e-12)
    found = explained_variance(words, groups)
    assert (found.value, found.adjusted) == pytest.approx((1, 0), abs=1e-12)


@pytest.mark.parametrize("n_words", [1, 2, 3])
def test_without_groups_there_is_nothing_to_measure(n_words):
    words = aligned(np.ones((n_words, 4), np.float16))
    for found in (
        self_similarity(words, np.zeros(n_words, np.int64), anisotropy=1.0),
        explained_variance(words, np.full(n_words, -1)),
        intra_sentence_similarity(words, np.arange(n_words), anisotropy=1.0),
    ):
        assert found.n_groups == 0
        assert math.isnan(found.value)
        assert math.isnan(found.adjusted)


def test_groups_of_one_word_are_refused():
    words, groups = aligned(np.ones((3, 4), np.float16)), np.arange(3)
    with pytest.raises(ArgumentError, match="least is 1; a group must have at least 2"):
        self_similarity(words, groups, least=1, anisotropy=1.0)
    with pytest.raises(ArgumentError, match="least is 1; a group must have at least 2"):
        explained_variance(words, groups, least=1)
