"""The online code, against loops that train one probe after another and count bits by hand."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from itertools import product

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression

from repstore.analysis.control import control_labels
from repstore.analysis.description import Description, description_lengths, label_bits
from repstore.analysis.inputs import Inputs
from repstore.analysis.learned import Learned, Problem
from repstore.errors import ResultError
from repstore.storage.saved_probes import Network

FRACTIONS = (0.001, 0.002, 0.004, 0.008, 0.016, 0.032, 0.0625, 0.125, 0.25, 0.5)
LOGITS = st.floats(-(2.0**127), 2.0**127, width=32)


@dataclass(frozen=True, eq=False)
class Rows:
    """Examples that are in memory."""

    rows: np.ndarray

    def __len__(self) -> int:
        return len(self.rows)

    @property
    def width(self) -> int:
        return self.rows.shape[1]

    def take(self, rows: np.ndarray) -> np.ndarray:
        return self.rows[rows].astype(np.float32)


@dataclass
class Logistic:
    """A learner of linear probes, one problem after the other; it notes what it was asked."""

    asked: list[tuple[list[Problem], int]] = field(default_factory=list)

    def __call__(self, inputs: Inputs, problems: Sequence[Problem], *, memory=0, progress=lambda: None):
        self.asked.append((list(problems), memory))
        progress()
        return [self.learn(inputs, problem) for problem in problems]

    def learn(self, inputs: Inputs, problem: Problem) -> Learned:
        rows, targets = inputs.take(problem.train), problem.targets[problem.train]
        weights = np.zeros((problem.n_classes, inputs.width), np.float32)
        biases = np.full(problem.n_classes, -20, np.float32)
        if problem.is_multi_label:
            for n in range(problem.n_classes):
                weights[n], biases[n] = yes_or_no(rows, targets[:, n])
        else:
            fitted = LogisticRegression().fit(rows, targets)
            if len(fitted.classes_) == 2:
                weights[fitted.classes_], biases[fitted.classes_] = 0, 0
                weights[fitted.classes_[1]], biases[fitted.classes_[1]] = (
                    fitted.coef_[0],
                    fitted.intercept_[0],
                )
            else:
                weights[fitted.classes_], biases[fitted.classes_] = fitted.coef_, fitted.intercept_
        network = Network(np.zeros(inputs.width), np.ones(inputs.width), (weights,), (biases,))
        return Learned(network, network.apply(inputs.take(problem.test)), 1.0)


def yes_or_no(rows: np.ndarray, has: np.ndarray) -> tuple[np.ndarray, float]:
    if has.all() or not has.any():
        return np.zeros(rows.shape[1]), 20.0 if has.all() else -20.0
    fitted = LogisticRegression().fit(rows, has)
    return fitted.coef_[0], fitted.intercept_[0]


@dataclass
class Saying:
    """A learner whose logits of an example are a function of its row, whatever it was trained on."""

    logits: np.ndarray

    def __call__(self, inputs, problems, *, memory=0, progress=lambda: None):
        network = Network(np.zeros(1), np.ones(1), (), ())
        return [Learned(network, self.logits[problem.test], 0.0) for problem in problems]


def problem_of(targets: np.ndarray, n_classes: int, n_select: int = 20, seed: int = 0) -> Problem:
    n = len(targets)
    return Problem(
        targets, n_classes, np.arange(n - n_select), np.arange(n - n_select, n), np.arange(0), seed
    )


def planted(n: int, n_classes: int, noise: float, seed: int = 0) -> tuple[Rows, np.ndarray]:
    """Classes that a linear probe can tell, more or less."""
    random = np.random.default_rng(seed)
    targets = random.integers(0, n_classes, n)
    centers = random.normal(size=(n_classes, 8))
    return Rows(centers[targets] + noise * random.normal(size=(n, 8))), targets


def described(inputs, problem: Problem, learner=None) -> Description:
    return description_lengths(inputs, [problem], learner or Logistic())[0]


def by_hand(inputs: Rows, problem: Problem, order: list[int]) -> list[float]:
    """Bits of each example in the order of sending, by equation 3 and the weight of the uniform code."""
    n, k = len(order), problem.n_classes
    ends = sorted({math.floor(n * fraction + 1e-9) for fraction in FRACTIONS})
    ends = [end for end in ends if end >= 10 and len({str(problem.targets[row]) for row in order[:end]}) > 1]
    uniform = float(k) if problem.is_multi_label else math.log2(k)
    bits = [uniform] * ends[0]
    for start, end in zip(ends, [*ends[1:], n], strict=True):
        trained = Problem(
            problem.targets, k, np.sort(order[:start]), problem.select, np.array(order[start:end])
        )
        w = 1 / (start + 1)
        for row, logits in zip(
            order[start:end], Logistic().learn(inputs, trained).logits.tolist(), strict=True
        ):
            if problem.is_multi_label:
                chances = [1 / (1 + math.exp(-z)) for z in logits]
                said = [p if has else 1 - p for p, has in zip(chances, problem.targets[row], strict=True)]
                bits.append(sum(-math.log2((1 - w) * p + w / 2) for p in said))
            else:
                powers = [math.exp(z) for z in logits]
                p = powers[problem.targets[row]] / sum(powers)
                bits.append(-math.log2((1 - w) * p + w / k))
    return bits


@pytest.mark.parametrize("several", [False, True])
@settings(max_examples=8)
@given(n=st.integers(40, 260), n_classes=st.integers(2, 4), noise=st.floats(0.2, 2), seed=st.integers(0, 99))
def test_bits_are_those_of_probes_trained_one_after_another(n, n_classes, noise, several, seed):
    inputs, targets = planted(n, n_classes, noise, seed)
    if several:
        targets = np.eye(n_classes, dtype=bool)[targets]
        targets |= np.random.default_rng(seed).random(targets.shape) < 0.1
    problem = problem_of(targets, n_classes, seed=seed)
    found = described(inputs, problem)
    assert sorted(found.examples.tolist()) == problem.train.tolist()
    assert found.bits == pytest.approx(by_hand(inputs, problem, found.examples.tolist()), rel=1e-4, abs=1e-5)
    uniform = n_classes if several else math.log2(n_classes)
    assert found.uniform_bits == pytest.approx([uniform] * len(problem.train))
    assert found.compression == pytest.approx(uniform * len(problem.train) / found.bits.sum())


def test_a_planted_signal_compresses_and_more_so_the_clearer_it_is():
    compressions = []
    for noise in (2.0, 0.7, 0.2):
        inputs, targets = planted(600, 4, noise)
        compressions.append(described(inputs, problem_of(targets, 4)).compression)
    assert compressions == sorted(compressions)
    assert compressions[0] > 1
    assert compressions[2] > 4


@pytest.mark.parametrize("several", [False, True])
def test_labels_that_mean_nothing_do_not_compress(several):
    random = np.random.default_rng(0)
    inputs = Rows(random.normal(size=(500, 8)))
    targets = random.random((500, 3)) < 0.5 if several else random.integers(0, 3, 500)
    assert 0.7 < described(inputs, problem_of(targets, 3)).compression < 1.01


def test_an_uneven_label_compresses_without_any_signal():
    """Down to its entropy: a code knows what is frequent."""
    random = np.random.default_rng(0)
    targets = (random.random(2020) < 0.1).astype(np.int64)
    inputs = Rows(random.normal(size=(2020, 2)))
    entropy = -0.1 * math.log2(0.1) - 0.9 * math.log2(0.9)
    assert described(inputs, problem_of(targets, 2)).compression == pytest.approx(1 / entropy, rel=0.15)


def test_a_control_task_takes_more_bits_than_the_task():
    inputs, targets = planted(400, 4, 0.5)
    problem = problem_of(targets, 4)
    types = np.random.default_rng(1).integers(0, 100, 400)
    control = problem_of(control_labels(types, targets, 2), 4)
    task, other = description_lengths(inputs, [problem, control], Logistic())
    assert task.examples.tolist() == other.examples.tolist()
    assert task.ends.tolist() == other.ends.tolist()
    assert task.bits.sum() < 0.7 * other.bits.sum()


def test_the_learner_is_asked_once_for_all_probes_of_all_problems():
    inputs, targets = planted(300, 3, 0.5)
    sets = np.eye(3, dtype=bool)[targets]
    problems = [problem_of(targets, 3, seed=1), problem_of(sets, 3, n_select=50, seed=2)]
    learner, called = Logistic(), []
    found = description_lengths(inputs, problems, learner, memory=77, progress=lambda: called.append(1))
    ((stages, memory),) = learner.asked
    assert memory == 77
    assert called
    for problem, of in zip(problems, found, strict=True):
        own = [stage for stage in stages if stage.targets is problem.targets]
        assert [len(stage.train) for stage in own] == of.ends.tolist()
        for n, stage in enumerate(own):
            end = of.ends[n + 1] if n + 1 < len(own) else len(of.examples)
            assert stage.train.tolist() == sorted(of.examples[: of.ends[n]].tolist())
            assert stage.test.tolist() == sorted(of.examples[of.ends[n] : end].tolist())
            assert stage.select is problem.select
            assert (stage.n_classes, stage.seed) == (problem.n_classes, problem.seed)
    alone = [described(inputs, problem) for problem in problems]
    for a, b in zip(alone, found, strict=True):
        assert a.bits.tolist() == b.bits.tolist()


def test_the_seed_decides_the_order():
    inputs, targets = planted(200, 3, 0.5)
    first, again, other = (described(inputs, problem_of(targets, 3, seed=seed)) for seed in (5, 5, 6))
    assert first.examples.tolist() == again.examples.tolist()
    assert first.bits.tolist() == again.bits.tolist()
    assert first.examples.tolist() != other.examples.tolist()


def test_neither_test_examples_nor_the_labels_of_others_count():
    inputs, targets = planted(200, 3, 0.5)
    problem = problem_of(targets, 3, n_select=100)
    changed = targets.copy()
    changed[100:] = (changed[100:] + 1) % 3
    assert (
        described(inputs, problem).bits.tolist()
        == described(inputs, problem_of(changed, 3, 100)).bits.tolist()
    )


def test_a_probe_that_knows_nothing_takes_what_the_uniform_code_takes():
    for several in (False, True):
        targets = np.arange(90) % 5
        given_targets = np.eye(5, dtype=bool)[targets] if several else targets
        found = described(Rows(np.zeros((90, 1))), problem_of(given_targets, 5), Saying(np.zeros((90, 5))))
        assert found.bits == pytest.approx(found.uniform_bits)
        assert found.compression == pytest.approx(1)


def test_a_perfect_probe_loses_little_for_being_mixed():
    targets = np.arange(1020) % 5
    logits = np.where(np.eye(5, dtype=bool)[targets], 1e4, -1e4).astype(np.float32)
    found = described(Rows(np.zeros((1020, 1))), problem_of(targets, 5), Saying(logits))
    assert found.ends.tolist() == [16, 32, 62, 125, 250, 500]  # 1.6 % are the first that are 10
    assert found.bits[:16] == pytest.approx([math.log2(5)] * 16)
    assert 0 < found.bits[16:].sum() < 1.5 * 6


@given(st.lists(LOGITS, min_size=2, max_size=5), st.integers(1, 10**6), st.booleans())
def test_extreme_logits_give_a_code_and_no_label_costs_more_than_a_new_one(logits, n_trained, several):
    """A code: the chances that its lengths stand for add up to 1 over all labels, or sets of them."""
    k = len(logits)
    sets = np.array(list(product([False, True], repeat=k)))
    targets = sets if several else np.arange(k)
    bits = label_bits(np.tile(np.array(logits, np.float32), (len(targets), 1)), targets, n_trained)
    assert (2.0**-bits).sum() == pytest.approx(1)
    most = k * math.log2(2 * (n_trained + 1)) if several else math.log2(k * (n_trained + 1))
    assert bits.min() >= 0
    assert bits.max() <= most * (1 + 1e-9)


def test_bits_do_not_depend_on_what_classes_are_called():
    logits = np.random.default_rng(0).normal(size=(50, 4)) * 100
    targets, names = np.arange(50) % 4, np.array([2, 0, 3, 1])
    renamed = np.empty_like(logits)
    renamed[:, names] = logits
    assert label_bits(renamed, names[targets], 9) == pytest.approx(label_bits(logits, targets, 9))


def test_the_first_probe_waits_until_two_labels_were_seen():
    nothing, inputs = Saying(np.zeros((220, 2))), Rows(np.zeros((220, 1)))
    order = described(inputs, problem_of(np.arange(220) % 2, 2), nothing).examples
    targets = np.zeros(220, np.int64)
    targets[order[60:]] = 1
    found = described(Rows(np.random.default_rng(0).normal(size=(220, 2))), problem_of(targets, 2))
    assert found.ends.tolist() == [100]
    assert found.bits[:100] == pytest.approx(np.ones(100))


@pytest.mark.parametrize(
    "targets",
    [np.arange(19) % 2, np.zeros(100, np.int64), np.zeros((100, 3), bool), np.arange(0)],
)
def test_too_few_examples_or_labels_are_refused(targets):
    problem = problem_of(targets, 3, n_select=0)
    with pytest.raises(ResultError, match=f"^{len(targets)} training examples are too few.*Take more words"):
        described(Rows(np.zeros((len(targets), 1))), problem)


def test_twenty_examples_are_enough():
    inputs, targets = planted(20, 2, 0.1)
    assert described(inputs, problem_of(targets, 2, n_select=0)).ends.tolist() == [10]
