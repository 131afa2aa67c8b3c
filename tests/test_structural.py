"""The structural probe: trees that were put into vectors are found, and none in vectors without them."""

from collections.abc import Sequence

import numpy as np
import pytest
import torch
from planted import Rows

from repstore.analysis.trees import (
    Sentence,
    TreeScores,
    chain_distances,
    control_heads,
    tree_distances,
    tree_scores,
    weights_of_lengths,
)
from repstore.errors import ResultError
from repstore.training.structural import Structural, mean_loss, structural

N_SENTENCES = 200
WIDTH = 32
SPLITS = np.split(np.arange(N_SENTENCES), [120, 160])


def random_sentences(seed: int = 0) -> list[Sentence]:
    """Trees of 5 to 14 words whose heads are up to three words before them."""
    random = np.random.default_rng(seed)
    sentences, n_before = [], 0
    for _ in range(N_SENTENCES):
        places = np.arange(random.integers(5, 15))
        heads = np.maximum(places - random.integers(1, 4, size=len(places)), 0)
        heads[0] = -1
        sentences.append(Sentence(n_before + places, tree_distances(heads)))
        n_before += len(places)
    return sentences


def points_of(distances: np.ndarray, random: np.random.Generator, n: int) -> np.ndarray:
    """Points whose squared distances are those of a tree: one step along an axis of its own for every edge.

    By classical scaling, onto random axes. *Shape:* (n_words, n), float64.
    """
    centering = np.eye(len(distances)) - 1 / len(distances)
    values, axes = np.linalg.eigh(-0.5 * centering @ distances @ centering)
    points = axes * np.sqrt(np.maximum(values, 0))
    return points @ np.linalg.qr(random.normal(size=(n, len(distances))))[0].T


def planted(sentences: Sequence[Sentence], seed: int = 1) -> np.ndarray:
    """Vectors with the trees in 16 hidden directions, noise in the others, and one dimension far out."""
    random = np.random.default_rng(seed)
    points = np.concatenate([points_of(one.distances, random, 16) for one in sentences])
    noise = random.normal(size=(len(points), WIDTH - 16))
    vectors = np.hstack([points, noise]) @ np.linalg.qr(random.normal(size=(WIDTH, WIDTH)))[0]
    vectors[:, 0] = 2000 + 300 * vectors[:, 0]
    return vectors


def fit(vectors: np.ndarray, sentences: Sequence[Sentence], **options) -> Structural:
    return structural(Rows(vectors.astype(np.float32)), sentences, *SPLITS, **options)


def pooled(scores: TreeScores) -> tuple[float, float]:
    """Correlation and UUAS."""
    correlation = np.average(scores.correlations, weights=weights_of_lengths(scores.n_words))
    return correlation, scores.n_right.sum() / scores.n_edges.sum()


def chain_scores(sentences: Sequence[Sentence]) -> TreeScores:
    tested = [sentences[n] for n in SPLITS[2]]
    return tree_scores([chain_distances(len(one.rows)) for one in tested], tested)


def bytes_of(fitted: Structural) -> list[bytes]:
    arrays = [
        fitted.network.weights[0],
        fitted.network.scale,
        fitted.scores.correlations,
        fitted.scores.n_right,
    ]
    return [array.tobytes() for array in arrays]


@pytest.fixture(scope="module")
def sentences() -> list[Sentence]:
    return random_sentences()


@pytest.fixture(scope="module")
def vectors(sentences) -> np.ndarray:
    return planted(sentences)


@pytest.fixture(scope="module")
def fitted(vectors, sentences) -> Structural:
    return fit(vectors, sentences)


def test_trees_in_hidden_directions_are_recovered(fitted, sentences):
    correlation, uuas = pooled(fitted.scores)
    assert correlation > 0.95
    assert uuas > 0.95
    assert fitted.scores.n_words.tolist() == [len(sentences[n].rows) for n in SPLITS[2]]


def test_random_vectors_do_not_beat_the_chain(sentences):
    random = np.random.default_rng(2).normal(size=(sentences[-1].rows[-1] + 1, WIDTH))
    found, chain = pooled(fit(random, sentences).scores), pooled(chain_scores(sentences))
    assert found[0] < chain[0] - 0.1
    assert found[1] < chain[1] - 0.1


def test_a_control_is_not_found_in_vectors_that_do_not_tell_words_apart(vectors, sentences):
    random = np.random.default_rng(3)
    types = [random.integers(200, size=len(one.rows)) for one in sentences]
    controls = [
        Sentence(one.rows, tree_distances(heads))
        for one, heads in zip(sentences, control_heads(types), strict=True)
    ]
    assert pooled(fit(vectors, controls).scores)[1] < 0.6


def test_the_network_gives_the_points_whose_distances_were_scored(fitted, vectors, sentences):
    tested = [sentences[n] for n in SPLITS[2]]
    predicted = []
    for one in tested:
        points = fitted.network.apply(vectors.astype(np.float32)[one.rows]).astype(np.float64)
        predicted.append(np.square(points[:, None] - points).sum(axis=-1).round(4))
    scores = tree_scores(predicted, tested)
    np.testing.assert_allclose(scores.correlations, fitted.scores.correlations, atol=1e-3)
    assert scores.n_right.tolist() == fitted.scores.n_right.tolist()
    assert not fitted.network.biases[0].any()


def test_the_loss_is_that_of_the_paper():
    sentences = random_sentences()[:3]
    n_words = sum(len(one.rows) for one in sentences)
    mapped = torch.from_numpy(np.random.default_rng(0).normal(size=(n_words, 4)).astype(np.float32))
    points, expected = mapped.double().numpy(), 0.0
    for one in sentences:
        missed = [
            abs(one.distances[i, j] - sum((points[a] - points[b]) ** 2))
            for i, a in enumerate(one.rows)
            for j, b in enumerate(one.rows)
        ]
        expected += sum(missed) / len(one.rows) ** 2 / len(sentences)
    assert float(mean_loss(mapped, sentences)) == pytest.approx(expected, rel=1e-5)


def test_the_rank_is_as_asked_and_no_more_than_the_width(fitted, sentences):
    same = np.ones((sentences[-1].rows[-1] + 1, 8))
    assert fit(same, sentences, rank=3).network.weights[0].shape == (3, 8)
    assert fitted.network.weights[0].shape == (WIDTH, WIDTH)


def test_words_with_the_same_vector_are_not_apart(sentences):
    same = np.ones((sentences[-1].rows[-1] + 1, 8))
    scores = fit(same, sentences).scores
    assert not scores.correlations.any()


def test_the_test_sentences_decide_nothing(fitted, vectors, sentences):
    other = vectors.copy()
    other[sentences[SPLITS[2][0]].rows[0] :] += 50
    assert (fit(other, sentences).network.weights[0] == fitted.network.weights[0]).all()


def test_the_same_seed_gives_the_same_bytes_on_any_threads_and_in_any_memory(fitted, vectors, sentences):
    before, random = torch.get_num_threads(), torch.random.get_rng_state()
    try:
        torch.set_num_threads(3)
        within = set()
        again = fit(vectors, sentences, memory=36 << 20, progress=lambda: within.add(torch.get_num_threads()))
        assert torch.get_num_threads() == 3
    finally:
        torch.set_num_threads(before)
    assert bytes_of(again) == bytes_of(fitted)
    assert within == {1}
    assert torch.equal(torch.random.get_rng_state(), random)
    assert bytes_of(fit(vectors, sentences, seed=1)) != bytes_of(fitted)


def test_too_little_memory_is_refused(vectors, sentences):
    with pytest.raises(ResultError, match="Training by gradients takes at least"):
        fit(vectors, sentences, memory=1 << 20)
