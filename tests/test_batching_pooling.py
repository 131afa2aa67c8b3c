from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from repstore.encode.batching import make_batches
from repstore.encode.pooling import make_gather, pooled_tokens

CPU = torch.device("cpu")
lengths_of_texts = st.lists(st.integers(1, 40), max_size=30)


@given(lengths_of_texts, st.integers(1, 100))
def test_every_text_is_in_one_batch(lengths, budget):
    batches = make_batches(lengths, budget)
    assert sorted(index for batch in batches for index in batch) == list(range(len(lengths)))
    assert all(batches)


@given(lengths_of_texts, st.integers(1, 100))
def test_a_padded_batch_keeps_the_budget_unless_it_is_one_text(lengths, budget):
    for batch in make_batches(lengths, budget):
        assert len(batch) == 1 or len(batch) * max(lengths[index] for index in batch) <= budget


@given(lengths_of_texts, st.integers(1, 100))
def test_no_two_neighboring_batches_would_fit_into_one(lengths, budget):
    batches = make_batches(lengths, budget)
    for batch, following in pairwise(batches):
        assert (len(batch) + 1) * lengths[following[0]] > budget


@given(lengths_of_texts, st.integers(1, 100))
def test_texts_go_from_short_to_long_and_equals_stay_in_order(lengths, budget):
    order = [index for batch in make_batches(lengths, budget) for index in batch]
    assert [lengths[index] for index in order] == sorted(lengths)
    assert all(a < b for a, b in pairwise(order) if lengths[a] == lengths[b])


def test_batches_of_hand_picked_lengths():
    assert make_batches([5, 2, 2, 9, 3], budget=6) == [[1, 2], [4], [0], [3]]
    assert make_batches([], budget=6) == []


@st.composite
def pooling_problems(draw: st.DrawFn):
    """Hidden states of a batch, and words with their tokens, in any order, sharing tokens or not."""
    n_texts, n_tokens, d_model = draw(st.integers(1, 4)), draw(st.integers(1, 6)), draw(st.integers(1, 5))
    hidden = np.random.default_rng(draw(st.integers(0, 99))).normal(size=(n_texts, n_tokens, d_model))
    tokens = st.lists(st.integers(0, n_tokens - 1), min_size=1, unique=True).map(sorted).map(np.array)
    words = st.lists(st.tuples(st.integers(0, n_texts - 1), tokens), min_size=1, max_size=8)
    return hidden, draw(words)


def mean_by_loops(hidden: np.ndarray, words: list[tuple[int, np.ndarray]]) -> np.ndarray:
    means = []
    for text, tokens in words:
        total = [0.0] * hidden.shape[2]
        for token in tokens:
            for n, value in enumerate(hidden[text, token]):
                total[n] += float(value)
        means.append([value / len(tokens) for value in total])
    return np.array(means)


@given(pooling_problems(), st.sampled_from([torch.float32, torch.bfloat16, torch.float16]))
def test_pooling_is_the_mean_of_the_hidden_states_of_a_word(problem, dtype):
    values, words = problem
    hidden = torch.from_numpy(values).to(dtype)
    before = hidden.clone()

    pooled = make_gather(words, hidden.shape[1], CPU).pool(hidden)

    assert pooled.dtype == torch.float32
    # Summed in float32, whatever the dtype of the hidden states.
    np.testing.assert_allclose(
        pooled.double().numpy(), mean_by_loops(hidden.double().numpy(), words), rtol=1e-5, atol=1e-6
    )
    assert torch.equal(hidden, before)


@given(pooling_problems(), st.randoms())
def test_a_word_vector_does_not_depend_on_the_other_words(problem, random):
    values, words = problem
    hidden = torch.from_numpy(values).float()
    together = make_gather(words, hidden.shape[1], CPU).pool(hidden)
    order = random.sample(range(len(words)), len(words))
    shuffled = make_gather([words[n] for n in order], hidden.shape[1], CPU).pool(hidden)

    assert torch.equal(shuffled, together[order])
    for n, word in enumerate(words):
        alone = make_gather([word], hidden.shape[1], CPU).pool(hidden)
        assert torch.equal(alone[0], together[n])


@pytest.mark.parametrize(("pooling", "expected"), [("mean", [3, 4, 7]), ("first", [3]), ("last", [7])])
def test_which_tokens_are_pooled(pooling, expected):
    assert pooled_tokens(np.array([3, 4, 7]), pooling).tolist() == expected
    assert pooled_tokens(np.array([5]), pooling).tolist() == [5]
