"""The learner ``mlp``: one hidden layer of max(0, .), of a capacity that is given.

Its capacity decides what a probe says: a large hidden layer learns a control task nearly as well as the task,
a small one is more selective (Hewitt & Liang 2019, arXiv 1909.03368); the best one there is tells how much
a layer holds at all (Pimentel et al. 2020, arXiv 2004.03061). So there are two.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
import torch
from torch.nn import functional

from repstore.analysis.inputs import Inputs
from repstore.analysis.learned import Learned, Learner, Problem
from repstore.errors import ArgumentError
from repstore.spec import MEMORY
from repstore.storage.saved_probes import Network
from repstore.training.descent import descend, one_thread, uniform
from repstore.training.scaled import Scaled

CAPACITIES = (32, 512)
"""Hidden units: a narrow passage, as Hewitt & Liang advise for selectivity, and about as many as the vectors
of a small model have dimensions."""

MINIBATCH = 128


def perceptron(n_hidden: int) -> Learner:
    """A probe with one hidden layer.

    Columns are z-scored by the training examples; those that are constant there become 0. The loss is the
    log loss of the right class, or of each class apart where an example may have several. `descend` says how
    it is lowered; the log loss of the selection examples says when that ends. Nothing else keeps the probe
    from learning its examples by heart.

    Problems are fitted one after the other, each on one thread with random numbers of its own, so that what
    one gives depends neither on the others nor on the number of processors, nor on `memory`.

    Args:
        n_hidden: units of the hidden layer, at least 1.

    Raises:
        ArgumentError: there are no units.
    """
    if n_hidden < 1:
        raise ArgumentError(f"The hidden layer has {n_hidden} units; it takes at least 1.")
    return _Perceptron(n_hidden)


@dataclass(frozen=True)
class _Perceptron:
    n_hidden: int

    def __call__(
        self,
        inputs: Inputs,
        problems: Sequence[Problem],
        *,
        memory: int = MEMORY,
        progress: Callable[[], None] = lambda: None,
    ) -> list[Learned]:
        with one_thread():
            return [_learned(inputs, problem, self.n_hidden, memory, progress) for problem in problems]


@dataclass(frozen=True, eq=False)
class _Layers:
    """Weights and biases of two linear maps. *Shape of each:* (n_out, n_in) and (n_out,), float32."""

    weights: tuple[torch.Tensor, torch.Tensor]
    biases: tuple[torch.Tensor, torch.Tensor]

    @classmethod
    def at_random(cls, sizes: tuple[int, int, int], random: torch.Generator) -> _Layers:
        """Uniform within 1 / sqrt(n_in), as `torch.nn.Linear` starts."""
        maps = [
            (uniform((n_out, n_in), n_in**-0.5, random), uniform((n_out,), n_in**-0.5, random))
            for n_in, n_out in pairwise(sizes)
        ]
        (hidden, hidden_bias), (output, output_bias) = maps
        return cls((hidden, output), (hidden_bias, output_bias))

    def logits(self, rows: torch.Tensor) -> torch.Tensor:
        """Of scaled rows. *Shape:* (n, n_classes)."""
        hidden = functional.linear(rows, self.weights[0], self.biases[0]).relu()
        return functional.linear(hidden, self.weights[1], self.biases[1])


def _learned(
    inputs: Inputs, problem: Problem, n_hidden: int, memory: int, progress: Callable[[], None]
) -> Learned:
    n_parameters = (inputs.width + 1) * n_hidden + (n_hidden + 1) * problem.n_classes
    scaled = Scaled.by(
        inputs,
        problem.train,
        n_parameters=n_parameters,
        n_hidden=n_hidden + problem.n_classes,
        memory=memory,
    )
    random = torch.Generator().manual_seed(problem.seed)
    layers = _Layers.at_random((inputs.width, n_hidden, problem.n_classes), random)
    targets = _targets(problem)
    train, select, test = map(torch.tensor, (problem.train, problem.select, problem.test))

    def loss(examples: torch.Tensor) -> torch.Tensor:
        rows = train[examples]
        return _log_loss(layers.logits(scaled.take(rows)), targets[rows]) / len(rows)

    def loss_to_choose_by() -> float:
        return sum(float(_log_loss(layers.logits(z), targets[rows])) for rows, z in scaled.blocks(select))

    epoch = descend(
        (*layers.weights, *layers.biases),
        loss,
        loss_to_choose_by,
        len(train),
        most=MINIBATCH,
        random=random,
        progress=progress,
    )
    logits = [layers.logits(z).numpy() for _, z in scaled.blocks(test)]
    network = Network(scaled.shift, scaled.scale, _arrays(layers.weights), _arrays(layers.biases))
    return Learned(network, np.concatenate(logits), float(epoch))


def _targets(problem: Problem) -> torch.Tensor:
    """Classes, *Shape:* (n,), int64; or of several, 1 for those an example has. *Shape:* (n, n_classes)."""
    return torch.from_numpy(problem.targets.astype(np.float32 if problem.is_multi_label else np.int64))


def _log_loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
    """Summed over examples, and over classes where an example may have several. In nats."""
    if targets.ndim == 2:
        return functional.binary_cross_entropy_with_logits(logits, targets, reduction="sum")
    return functional.cross_entropy(logits, targets, reduction="sum")


def _arrays(tensors: Sequence[torch.Tensor]) -> tuple[np.ndarray, ...]:
    return tuple(tensor.numpy() for tensor in tensors)
