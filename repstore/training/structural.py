"""The structural probe: a linear map under which squared distances of words are distances in a tree.

Source: Hewitt & Manning 2019, "A Structural Probe for Finding Syntax in Word Representations" (NAACL).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn import functional
from torch.nn.utils.rnn import pad_sequence

from repstore.analysis.inputs import Inputs
from repstore.analysis.trees import Sentence, TreeScores, tree_scores
from repstore.spec import MEMORY
from repstore.storage.saved_probes import Network
from repstore.training.descent import descend, one_thread, uniform
from repstore.training.scaled import Scaled

RANK = 64
"""Dimensions that words are mapped to, at most; Hewitt & Manning found that more add little."""

MINIBATCH = 20
"""Sentences."""

DECIMALS = 4
"""Of a predicted distance, in edges. Words with the same vector then tie, whatever was rounded on the way."""


@dataclass(frozen=True, eq=False)
class Structural:
    """A fitted structural probe.

    Attributes:
        network: one linear map B and no bias. The squared distance of what it makes of two words is their
            predicted distance in the tree.
        scores: of the test sentences, in the order they were given.
        epoch: the one that the selection sentences chose.
    """

    network: Network
    scores: TreeScores
    epoch: int


def structural(
    inputs: Inputs,
    sentences: Sequence[Sentence],
    train: np.ndarray,
    select: np.ndarray,
    test: np.ndarray,
    *,
    rank: int = RANK,
    seed: int = 0,
    memory: int = MEMORY,
    progress: Callable[[], None] = lambda: None,
) -> Structural:
    """Fit B so that (B(h_i - h_j))ᵀ(B(h_i - h_j)) is how far words i and j are apart in their tree.

    The loss is that of the paper (section 2.2): the absolute difference of both, summed over all pairs of
    words of a sentence, over its squared number of words; of this the mean over sentences. h are word vectors
    z-scored by the words of the training sentences, as some models have dimensions that are larger by far
    than all others; the paper takes vectors as they are. `descend` says how the loss is lowered; the loss of
    the selection sentences says when that ends.

    What is random is of `seed`, and all is done on one thread: the result depends neither on the number of
    processors nor on `memory`.

    Args:
        inputs: the vectors of words.
        sentences: which words are of a sentence, and how far apart.
        train, select, test: which sentences. *Shape of each:* (n,), int64.
        rank: of B; at most the width of a vector.
        seed: of the first B, and of the order of sentences.
        memory: bytes to work in.
        progress: called after every epoch.

    Raises:
        ResultError: too little memory.
    """
    rank = min(rank, inputs.width)
    words = np.concatenate([sentences[n].rows for n in train])
    random = torch.Generator().manual_seed(seed)
    with one_thread():
        scaled = Scaled.by(inputs, words, n_parameters=rank * inputs.width, n_hidden=rank, memory=memory)
        # Two words with independent z-scores are 2 edges apart, on average, before anything is learned.
        to = uniform((rank, inputs.width), (3 / (rank * inputs.width)) ** 0.5, random)

        def loss(of: Sequence[Sentence]) -> torch.Tensor:
            mapped = functional.linear(
                scaled.take(torch.from_numpy(np.concatenate([one.rows for one in of]))), to
            )
            return mean_loss(mapped, of)

        def loss_to_choose_by() -> float:
            chosen = [sentences[n] for n in select]
            some = [chosen[start : start + MINIBATCH] for start in range(0, len(chosen), MINIBATCH)]
            return sum(float(loss(batch)) * len(batch) for batch in some)

        epoch = descend(
            [to],
            lambda examples: loss([sentences[n] for n in train[examples.numpy()]]),
            loss_to_choose_by,
            len(train),
            most=MINIBATCH,
            random=random,
            progress=progress,
        )
        tested = [sentences[n] for n in test]
        predicted = (_distances(scaled.take(torch.tensor(one.rows)), to) for one in tested)
        scores = tree_scores(predicted, tested)
    network = Network(scaled.shift, scaled.scale, (to.numpy(),), (np.zeros(rank, np.float32),))
    return Structural(network, scores, epoch)


def mean_loss(mapped: torch.Tensor, sentences: Sequence[Sentence]) -> torch.Tensor:
    """Mean over sentences of how far squared distances are from those of the trees, per pair of words.

    Args:
        mapped: what B makes of the words of all sentences, in order. *Shape:* (n, rank).
        sentences: *Shape of their trees:* (n_words, n_words); these add up to n words.
    """
    n_words = [len(one.rows) for one in sentences]
    points = pad_sequence(list(torch.split(mapped, n_words)), batch_first=True)
    true, share = np.zeros((2, len(sentences), max(n_words), max(n_words)), np.float32)
    for n, (one, length) in enumerate(zip(sentences, n_words, strict=True)):
        true[n, :length, :length] = one.distances
        share[n, :length, :length] = 1 / length**2
    missed = (torch.from_numpy(true) - _squared(points)).abs()
    return (torch.from_numpy(share) * missed).sum() / len(sentences)


def _squared(points: torch.Tensor) -> torch.Tensor:
    """Squared distances of points. *Shape:* (..., n, rank) to (..., n, n)."""
    squares = points.square().sum(dim=-1)
    return squares.unsqueeze(-1) + squares.unsqueeze(-2) - 2 * points @ points.mT


def _distances(words: torch.Tensor, to: torch.Tensor) -> np.ndarray:
    """Predicted distances of scaled words. *Shape:* (n, width) to (n, n), float64."""
    squared: np.ndarray = _squared(functional.linear(words, to).double()).numpy()
    return np.maximum(np.round(squared, DECIMALS), 0)
