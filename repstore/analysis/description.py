"""Minimum description length: how many bits it takes to say the labels of examples, given their vectors.

Source: Voita & Titov 2020, "Information-Theoretic Probing with Minimum Description Length", section 2.2 and
equation 3 (arXiv 2003.12298): the online code. Labels are sent block by block; each block is coded by a probe
that was trained on all blocks before it, and the first block uniformly. A probe that learns from fewer
examples has the shorter code, so that the codelength measures how easily labels are read off the vectors, and
not only whether they are.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import log2

import numpy as np

from repstore.analysis.inputs import Inputs
from repstore.analysis.learned import Learner, Problem
from repstore.errors import ResultError
from repstore.spec import MEMORY

ENDS = (10, 20, 40, 80, 160, 320, 625, 1250, 2500, 5000)
"""Where blocks end, in ten-thousandths of the examples, as in the paper; the last ends with them."""

FEWEST = 10
"""Examples that a probe is trained on at least; blocks that end before are joined to the next."""


@dataclass(frozen=True, eq=False)
class Description:
    """The code of the labels of some examples, in the order in which they were sent.

    Attributes:
        examples: which examples. *Shape:* (n_coded,), int64.
        bits: of the label of each. *Shape:* (n_coded,), float64.
        uniform_bits: of each, if all labels were equally likely. *Shape:* (n_coded,), float64.
        ends: how many examples were sent before each probe was trained. *Shape:* (n_probes,), int64.
    """

    examples: np.ndarray
    bits: np.ndarray
    uniform_bits: np.ndarray
    ends: np.ndarray

    @property
    def compression(self) -> float:
        """How many times longer the uniform code is; about 1, or less, if nothing was learned."""
        return float(self.uniform_bits.sum() / self.bits.sum())


def description_lengths(
    inputs: Inputs,
    problems: Sequence[Problem],
    learner: Learner,
    *,
    memory: int = MEMORY,
    progress: Callable[[], None] = lambda: None,
) -> list[Description]:
    """The online code of the training examples of each problem; its test examples are not used.

    The examples are sent in a random order, by the seed of the problem; two problems with the same training
    examples and seed have the same order. Every probe is chosen by the same selection examples, which are
    known to both sides and cost nothing. Blocks end at 0.1, 0.2, 0.4, 0.8, 1.6, 3.2, 6.25, 12.5, 25, 50 and
    100 % of the examples, but none before there are 10 examples that do not all have the same label.

    A probe gives an example's class the probability p = softmax of its logits. The code takes
    (1 - w) p + w / n_classes with w = 1 / (t + 1), t being the number of examples it was trained on: of t + 1
    examples, one may be like none before. So a class that is yet to be seen costs at most
    log2(n_classes (t + 1)) bits, and a perfect probe takes at most 1.5 bits for all examples of a block that
    is as large as what it was trained on.

    Where an example may have several classes, whether it has each is coded by itself in this way, p being the
    logistic function of its logit: equally likely labels take 1 bit for each class.

    All probes of all problems are asked of the learner at once, as it may learn faster together.

    Args:
        inputs: all examples.
        problems: of these inputs.
        learner: fits the probes.
        memory, progress: see `Learner`.

    Raises:
        ResultError: a problem has too few training examples; or too little memory.
    """
    codes = [_blocks(problem) for problem in problems]
    stages = [stage for code in codes for stage in code.stages]
    learned = iter(learner(inputs, stages, memory=memory, progress=progress))
    found = []
    for problem, code in zip(problems, codes, strict=True):
        width = 1.0 * problem.n_classes if problem.is_multi_label else log2(problem.n_classes)
        sent = [np.full(code.ends[0], width)]
        for stage in code.stages:
            # The learner has the block in ascending order; it goes back to the order of sending.
            bits = label_bits(next(learned).logits, problem.targets[stage.test], len(stage.train))
            block = code.order[len(stage.train) :][: len(stage.test)]
            sent.append(bits[np.searchsorted(stage.test, block)])
        found.append(
            Description(code.order, np.concatenate(sent), np.full(len(code.order), width), code.ends)
        )
    return found


def label_bits(logits: np.ndarray, targets: np.ndarray, n_trained: int) -> np.ndarray:
    """What the labels of examples cost under a probe, in bits. *Shape:* (n,), float64.

    Args:
        logits: *Shape:* (n, n_classes).
        targets: *Shape:* (n,), int64; or (n, n_classes), bool.
        n_trained: examples that the probe was trained on.
    """
    z = logits.astype(np.float64)
    if targets.ndim == 2:
        log_p = -np.logaddexp(0, np.where(targets, -z, z))
        of_each: np.ndarray = _mixed(log_p, 2, n_trained).sum(axis=1)
        return of_each
    z -= z.max(axis=1, keepdims=True)  # else the sum loses the differences of large logits
    log_p = z[np.arange(len(z)), targets] - np.logaddexp.reduce(z, axis=1)
    return _mixed(log_p, z.shape[1], n_trained)


@dataclass(frozen=True, eq=False)
class _Code:
    """How the examples of a problem are sent: in which order, and by which probes after the first block."""

    order: np.ndarray
    ends: np.ndarray
    stages: list[Problem]


def _blocks(problem: Problem) -> _Code:
    order = np.random.default_rng(problem.seed).permutation(problem.train)
    sent = problem.targets[order]
    differs = np.flatnonzero((sent != sent[:1]).any(axis=tuple(range(1, sent.ndim))))
    fewest = max(FEWEST, differs[0] + 1) if len(differs) else len(order)
    ends = np.unique([len(order) * share // 10_000 for share in ENDS])
    ends = ends[(ends >= fewest) & (ends < len(order))]
    if not len(ends):
        raise ResultError(
            f"{len(order)} training examples are too few for an online code: the first probe is trained on "
            f"half of them at most, and needs {FEWEST} that do not all have the same label. Take more words."
        )
    stages = [
        dataclasses.replace(problem, train=np.sort(order[:start]), test=np.sort(order[start:end]))
        for start, end in zip(ends, [*ends[1:], len(order)], strict=True)
    ]
    return _Code(order, ends, stages)


def _mixed(log_p: np.ndarray, n_outcomes: int, n_trained: int) -> np.ndarray:
    """Bits of an outcome whose probability is mixed with that of outcomes that are equally likely."""
    weight = 1 / (n_trained + 1)
    bits: np.ndarray = -np.logaddexp(np.log1p(-weight) + log_p, np.log(weight / n_outcomes)) / np.log(2)
    return bits
