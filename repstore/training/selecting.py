"""Which dimensions of a layer tell senses apart: a binary mask, learned from labelled pairs by gradients.

The question is that of Choi 2023 (arXiv 2310.05115). The mask is learned as in Piggyback (Mallya et al. 2018,
arXiv 1801.06519): every dimension has a score, those above a threshold are kept in the forward pass, and the
gradient passes the threshold unchanged (straight-through, Bengio et al. 2013, arXiv 1308.3432).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from torch.nn.functional import binary_cross_entropy_with_logits

from repstore.analysis.correlation import comparable
from repstore.analysis.thresholds import best_exact
from repstore.training.descent import one_thread

SPARSITY = 0.03
"""Weight of the share of dimensions that are kept, in nats per pair: dimensions that do not matter go."""

N_STEPS = 200
"""Steps of Adam (Kingma & Ba 2015)."""

STEPS_BETWEEN = 5
"""After so many steps the mask is tried on the selection pairs."""

BATCH = 256
"""Pairs in a step, drawn anew for each."""

RATE = 0.01
"""Learning rate of the scores; that of the scale and bias of the cosine is ten times as high."""

START = (0.25, 0.75)
"""Between these the scores are at the start, when all dimensions are kept: the worst go after 25 steps."""

PAIRS_AT_ONCE = 1024
"""Pairs whose cosines are computed at a time."""


@dataclass(frozen=True, eq=False)
class Selected:
    """Dimensions that were chosen.

    Attributes:
        kept: which. *Shape:* (d,), bool; at least one is.
        accuracy: share of the selection pairs that they tell right.
    """

    kept: np.ndarray
    accuracy: float


def select_dimensions(
    a: np.ndarray,
    b: np.ndarray,
    same: np.ndarray,
    train: np.ndarray,
    select: np.ndarray,
    *,
    seed: int,
    progress: Callable[[], None] = lambda: None,
) -> Selected:
    """Choose dimensions whose cosine tells pairs of the same sense from others.

    Learned are a mask m of 0 and 1, a scale w and a bias c. They minimize, over the training pairs, the
    logistic loss of w * cos(m * a, m * b) + c plus `SPARSITY` times the share of dimensions kept. The mask of
    all dimensions, and those on the way, are tried on the selection pairs with the threshold that is best for
    the training pairs. The one that tells most of them right is kept; of several that of fewest dimensions,
    and of these the first.

    All is done on one thread, so the same arguments give the same mask.

    Args:
        a, b: vectors of the first and the second word of each pair, in a space in which no dimension drowns
            the others, such as z-scores. *Shape of each:* (n_pairs, d), float32.
        same: whether the pair has the same sense. *Shape:* (n_pairs,), bool.
        train, select: which pairs, in each some of the same sense and some of others; no pair is in both.
            *Shape of each:* (n,), int64.
        seed: of the scores at the start, and of the pairs in a step.
        progress: called whenever a mask is tried.
    """
    vectors = torch.from_numpy(a), torch.from_numpy(b)
    best: tuple[float, int] = (-1.0, 0)
    found = torch.ones(a.shape[1])
    with one_thread():
        for mask in _masks(vectors, torch.from_numpy(same), torch.from_numpy(train), seed):
            progress()
            cosines = _all_cosines(vectors, mask)
            tried = (_accuracy(cosines, same, train, select), -int(mask.sum()))
            if tried > best:
                best, found = tried, mask
    return Selected(found.numpy() > 0, best[0])


Vectors = tuple[torch.Tensor, torch.Tensor]
"""Of the first and the second word of each pair. *Shape of each:* (n_pairs, d), float32."""


def _masks(vectors: Vectors, same: torch.Tensor, train: torch.Tensor, seed: int) -> Iterator[torch.Tensor]:
    """The mask of all dimensions, and those on the way. *Shape of each:* (d,), float32, 0 and 1."""
    random = torch.Generator().manual_seed(seed)
    a, b = vectors
    every = torch.ones(a.shape[1])
    cosines = _all_cosines((a[train], b[train]), every)
    scale = 1 / (cosines.std() + 1e-6)  # the logit begins with mean 0 and deviation 1
    line = torch.stack([scale, -scale * cosines.mean()]).requires_grad_()
    scores = torch.empty(a.shape[1]).uniform_(*START, generator=random).requires_grad_()
    adam = torch.optim.Adam([{"params": [scores], "lr": RATE}, {"params": [line], "lr": 10 * RATE}])
    yield every
    for step in range(1, N_STEPS + 1):
        drawn = torch.randint(len(train), (min(BATCH, len(train)),), generator=random)
        batch = train[drawn]
        mask = _kept(scores.detach()) + scores - scores.detach()
        logits = line[0] * _cosines((a[batch], b[batch]), mask) + line[1]
        loss = binary_cross_entropy_with_logits(logits, same[batch].float()) + SPARSITY * mask.mean()
        adam.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        adam.step()
        if step % STEPS_BETWEEN == 0:
            yield _kept(scores.detach())


def _kept(scores: torch.Tensor) -> torch.Tensor:
    """1 where a score is positive, and for the highest where none is: a mask always keeps something."""
    return (scores >= scores.max().clamp(max=torch.finfo(scores.dtype).tiny)).to(scores.dtype)


def _cosines(vectors: Vectors, mask: torch.Tensor) -> torch.Tensor:
    """Cosines of masked vectors, 0 where one is zero. *Shape:* (n_pairs,), float32.

    A mask is its own square, which makes the numerator and the squared norms linear in it, and its gradient
    that of a dimension that comes or goes, also where it is 0.
    """
    a, b = vectors
    squares = ((a * a) @ mask) * ((b * b) @ mask)
    return ((a * b) @ mask) / squares.clamp(min=1e-12).sqrt()


def _all_cosines(vectors: Vectors, mask: torch.Tensor) -> torch.Tensor:
    """The same of all pairs, some at a time."""
    a, b = vectors
    starts = range(0, len(a), PAIRS_AT_ONCE)
    blocks = ((side[start : start + PAIRS_AT_ONCE] for side in (a, b)) for start in starts)
    return torch.cat([_cosines((of_a, of_b), mask) for of_a, of_b in blocks])


def _accuracy(cosines: torch.Tensor, same: np.ndarray, train: np.ndarray, select: np.ndarray) -> float:
    """Share of the selection pairs told right by the threshold that is best for the training pairs."""
    values = cosines.numpy().astype(np.float64)
    threshold = best_exact(values[None, train], same[train])[0]
    return float(((comparable(values[select]) > threshold) == same[select]).mean())
