"""Learning how to mix layers, so that words of one sense come to lie together and others apart."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch

from repstore.analysis.labelled import LabelledRows
from repstore.analysis.memory import check_fits
from repstore.analysis.standardize import moments
from repstore.errors import ResultError
from repstore.spec import MixKind
from repstore.storage.mixed import MIXED_AT_ONCE, Mix
from repstore.storage.vectors import LayerVectors
from repstore.training.descent import one_thread

TEMPERATURE = 0.2
"""By which cosines are divided. At 0.05, as sentences are learned (Gao et al. 2021; Oh et al. 2022), the loss
was of the few most alike pairs of two senses alone, and worse than a guess before training and after it."""

BATCH = 32
"""Pairs of one sense in a minibatch; and as many of two senses, if there are."""

WIDTH = 64
"""Width of queries and keys, or that of the vectors if they are narrower. Oh et al. have them as wide as the
vectors, learned on 275,000 pairs; a corpus of words has a few thousand."""

LEARNING_RATE = 0.05
"""Of weights, and of the biases of queries and keys: one or a few numbers for each layer."""

LEARNING_RATE_OF_MAPS = 0.001
"""Of the maps to queries and keys: many numbers, which would soon fit every pair that is learned from."""

PATIENCE = 8
"""So many epochs in a row without a new minimum of the loss to choose by end the training."""

N_EPOCHS = 200
"""The most there can be."""

READ_AT_ONCE = 4096
"""Words of a layer that are read at a time to scale it."""

COPIES = 8
"""A minibatch of all layers is in memory this often, with gradients and what is needed for them."""


@dataclass(frozen=True, eq=False)
class LearnedMix:
    """What came of it.

    Attributes:
        mix: the mix, frozen.
        before, after: the loss on the pairs to choose by, untrained and at the end.
        epoch: that was best; 0 if training made nothing better.
    """

    mix: Mix
    before: float
    after: float
    epoch: int


def learn_mix(
    kind: MixKind,
    layers: Sequence[LayerVectors],
    train: LabelledRows,
    select: LabelledRows,
    *,
    seed: int,
    memory: int,
    progress: Callable[[int], None] = lambda _: None,
) -> LearnedMix:
    """Learn a mix of layers from pairs of words.

    The loss is InfoNCE (van den Oord et al. 2018) over mixed vectors. The cosine of a pair (a, b) of one
    sense, over 0.2, is told from those of a with the second words of all other such pairs in the minibatch
    that are of another lemma, and from those of the labelled pairs of two senses in it:

        -log(e^s(a, b) / (e^s(a, b) + sum over others e^s(a, b') + sum over pairs of two senses e^s(c, d)))

    and the same of b with the first words. Words of the lemma are left out of the others, since nobody says
    whether they have the sense. The pairs of two senses are what keeps a mix from telling lemmas alone: the
    embeddings do that best.

    Every layer is first standardized by the words trained on, over the root of its width, so that the mean
    square of a length is 1: a mix of one layer is that layer as ``standardize="corpus"`` shows it. Scaled by
    one number alone, 31 layers of SmolLM2 gave cosines above 0.9 between any two words, and hardly anything
    was learned.

    Training starts at equal weights (``scalar``), or at random maps and biases (``attention``) whose weights
    are nearly equal. It is by Adam (Kingma & Ba 2015), and ends after 8 epochs without a new minimum of the
    loss of `select`; what was best is kept, be it the start. It is on one thread, and what is random is drawn
    with `seed`: the same numbers each time on one kind of processor.

    Args:
        kind: ``scalar`` or ``attention`` (`storage.mixed.Mix`).
        layers: of a run, all over the same words.
        train: the pairs to learn from.
        select: the pairs to choose by; no word or lemma of them should be in `train`.
        seed: decides the order of the pairs, and where ``attention`` starts.
        memory: bytes to work in. A minibatch is read from all layers when its turn comes.
        progress: told how many epochs are done.

    Raises:
        ResultError: no pair of one sense to learn from or to choose by, or nothing to tell it from; or too
            little memory for a minibatch.
    """
    _check(layers, train, select, memory)
    words = train.words
    shift, scale = (np.stack(of) for of in zip(*(_frozen(layer, words) for layer in layers), strict=True))
    random = np.random.default_rng(seed)
    model = _Model(kind, len(layers), layers[0].d_model, random)
    stack = _Stack(layers, shift.astype(np.float32), scale.astype(np.float32))
    with one_thread():
        before, after, epoch = _descend(model, stack, train, select, random, progress)
        arrays = {"shift": shift, "scale": scale} | model.arrays()
    numbers = tuple(int(layer.layer) for layer in layers)
    if kind == "attention":
        arrays["attention"] = _mean_attention(Mix(kind, numbers, arrays), layers, words)
    return LearnedMix(Mix(kind, numbers, arrays), before, after, epoch)


def _check(layers: Sequence[LayerVectors], train: LabelledRows, select: LabelledRows, memory: int) -> None:
    for pairs, what in ((train, "learn from"), (select, "choose by")):
        n_same = int(pairs.is_same.sum())
        if not n_same or len(pairs) < 2:
            raise ResultError(
                f"There are {len(pairs)} pairs to {what}, {n_same} of them of one sense. A mix takes at "
                "least two, and one of one sense. Choose other splits."
            )
    needed = COPIES * 4 * 4 * BATCH * len(layers) * layers[0].d_model
    check_fits(
        f"Learning a mix of {len(layers)} layers", needed, memory, "Allow more with memory, or mix fewer."
    )


def _frozen(layer: LayerVectors, rows: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shift and scale of a layer; 0 for what is constant. *Shape of each:* (d_model,), float64."""
    of = moments(
        layer.take(rows[start : start + READ_AT_ONCE]) for start in range(0, len(rows), READ_AT_ONCE)
    )
    scale = np.divide(layer.d_model**-0.5, of.std, out=np.zeros(layer.d_model), where=of.std > 0)
    return of.mean, scale


@dataclass(frozen=True, eq=False)
class _Stack:
    """All layers of words, read when they are asked for and scaled."""

    layers: Sequence[LayerVectors]
    shift: np.ndarray
    scale: np.ndarray

    def take(self, rows: np.ndarray) -> torch.Tensor:
        """Some words at all layers. *Shape:* (len(rows), n_layers, d_model), float32."""
        stacked = np.empty((len(rows), len(self.layers), self.layers[0].d_model), np.float32)
        for n, layer in enumerate(self.layers):
            z = layer.take(rows).astype(np.float32)
            z -= self.shift[n]
            z *= self.scale[n]
            stacked[:, n] = z
        return torch.from_numpy(stacked)


class _Model:
    """The numbers that are learned, and the mix that they make."""

    def __init__(self, kind: MixKind, n_layers: int, d_model: int, random: np.random.Generator) -> None:
        self._kind, self._n_layers = kind, n_layers
        if kind == "scalar":
            start = [np.zeros(n_layers)]
        else:
            width = min(WIDTH, d_model)
            shapes = [(width, d_model)] * 2 + [(n_layers, width)] * 2
            # K_m . Q_l is then about as large as 1, and a_lm near 1 / n.
            start = [width**-0.25 * random.normal(size=shape) for shape in shapes]
        self.parameters = [torch.tensor(array, dtype=torch.float32, requires_grad=True) for array in start]

    def mixed(self, z: torch.Tensor) -> torch.Tensor:
        """Unit vectors. `z`: *Shape:* (n, n_layers, d_model). *Shape:* (n, d_model)."""
        if self._kind == "scalar":
            mixed = torch.einsum("nld,l->nd", z, torch.softmax(self.parameters[0], 0))
        else:
            to_query, to_key, of_query, of_key = self.parameters
            queries, keys = z @ to_query.T + of_query, z @ to_key.T + of_key
            attention = torch.softmax(queries @ keys.transpose(1, 2) / self._n_layers, dim=2)
            mixed = torch.einsum("nld,nl->nd", z, attention.mean(dim=1))
        return torch.nn.functional.normalize(mixed, dim=1)

    def groups(self) -> list[dict[str, Any]]:
        """The parameters, each with its learning rate."""
        n_maps = 2 if self._kind == "attention" else 0
        return [
            {"params": [one], "lr": LEARNING_RATE_OF_MAPS if n < n_maps else LEARNING_RATE}
            for n, one in enumerate(self.parameters)
        ]

    def arrays(self) -> dict[str, np.ndarray]:
        """What was learned, by the names that a mix has for it."""
        values = [parameter.detach().numpy() for parameter in self.parameters]
        if self._kind == "attention":
            return dict(zip(("query", "key", "query_bias", "key_bias"), values, strict=True))
        exponentials = np.exp(values[0].astype(np.float64) - values[0].max())
        return {"weights": exponentials / exponentials.sum()}


def _descend(
    model: _Model,
    stack: _Stack,
    train: LabelledRows,
    select: LabelledRows,
    random: np.random.Generator,
    progress: Callable[[int], None],
) -> tuple[float, float, int]:
    """Fit the parameters, in place. The loss to choose by at first and at best, and the best epoch."""
    optimizer = torch.optim.Adam(model.groups())
    best = [one.detach().clone() for one in model.parameters]
    before = least = _loss_to_choose_by(model, stack, select)
    best_epoch = 0
    for epoch in range(1, N_EPOCHS + 1):
        for batch in _batches(train, random):
            optimizer.zero_grad()
            (_loss(model, stack, train, batch) / int(train.is_same[batch].sum())).backward()  # type: ignore[no-untyped-call]
            optimizer.step()
        progress(epoch)
        now = _loss_to_choose_by(model, stack, select)
        if now < least:
            best, best_epoch, least = [one.detach().clone() for one in model.parameters], epoch, now
        elif epoch - best_epoch >= PATIENCE:
            break
    with torch.no_grad():
        for parameter, value in zip(model.parameters, best, strict=True):
            parameter.copy_(value)
    return before, least, best_epoch


def _batches(pairs: LabelledRows, random: np.random.Generator | None = None) -> Iterator[np.ndarray]:
    """Which pairs are together: 32 of one sense, and as many others as there are for each, up to 32.

    In order, unless they are shuffled.
    """
    same, other = np.flatnonzero(pairs.is_same), np.flatnonzero(~pairs.is_same)
    if random is not None:
        same, other = random.permutation(same), random.permutation(other)
    n_batches = -(-len(same) // BATCH)
    for positive, negative in zip(
        np.array_split(same, n_batches), np.array_split(other, n_batches), strict=True
    ):
        yield np.concatenate([positive, negative[:BATCH]])


def _loss_to_choose_by(model: _Model, stack: _Stack, pairs: LabelledRows) -> float:
    with torch.no_grad():
        total = sum(float(_loss(model, stack, pairs, batch)) for batch in _batches(pairs))
    return total / int(pairs.is_same.sum())


def _loss(model: _Model, stack: _Stack, pairs: LabelledRows, batch: np.ndarray) -> torch.Tensor:
    """Sum of the losses of the pairs of one sense in a minibatch. *Shape:* ()."""
    rows, where = np.unique(pairs.rows[batch], return_inverse=True)
    units = model.mixed(stack.take(rows))[torch.from_numpy(where.reshape(-1, 2))]
    n_same = int(pairs.is_same[batch].sum())
    a, b = units[:n_same, 0], units[:n_same, 1]
    scores = a @ b.T / TEMPERATURE
    hard = (units[n_same:, 0] * units[n_same:, 1]).sum(1) / TEMPERATURE
    lemmas = pairs.lemmas[batch[:n_same]]
    alike = np.equal.outer(lemmas[:, 0], lemmas[:, 1])
    np.fill_diagonal(alike, False)
    scores = scores.masked_fill(torch.from_numpy(alike), -torch.inf)
    hard = hard.expand(n_same, -1)
    sums = [torch.logsumexp(torch.cat([side, hard], dim=1), dim=1) for side in (scores, scores.T)]
    losses: torch.Tensor = (sums[0] + sums[1]) / 2 - scores.diagonal()
    return losses.sum()


def _mean_attention(mix: Mix, layers: Sequence[LayerVectors], rows: np.ndarray) -> np.ndarray:
    """*Shape:* (n_layers, n_layers), float64."""
    total = np.zeros((len(layers), len(layers)))
    for start in range(0, len(rows), MIXED_AT_ONCE):
        here = rows[start : start + MIXED_AT_ONCE]
        total += mix.attention_of([layer.take(here) for layer in layers]).sum(axis=0)
    return total / len(rows)
