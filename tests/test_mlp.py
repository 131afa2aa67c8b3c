"""A probe with a hidden layer: what it learns, what it does not, and that it is the same each time."""

import subprocess
import sys

import numpy as np
import pytest
import torch
from planted import Rows
from scipy.stats import binom

from repstore.analysis.learned import Learned, Problem
from repstore.errors import ArgumentError, ResultError
from repstore.training.mlp import CAPACITIES, MINIBATCH, perceptron


def problem_of(targets: np.ndarray, n_classes: int, seed: int = 0) -> Problem:
    """60 % of the examples to learn from, 20 % to choose by, 20 % to be tested on."""
    n = len(targets)
    train, select, test = np.split(np.random.default_rng(9).permutation(n), [n * 6 // 10, n * 8 // 10])
    return Problem(targets, n_classes, np.sort(train), np.sort(select), np.sort(test), seed)


def learn(matrix: np.ndarray, *problems: Problem, n_hidden: int = 32, **options) -> list[Learned]:
    return perceptron(n_hidden)(Rows(matrix.astype(np.float32)), problems, **options)


def n_right(learned: Learned, problem: Problem) -> int:
    return int((learned.logits.argmax(axis=1) == problem.targets[problem.test]).sum())


def accuracy(learned: Learned, problem: Problem) -> float:
    return n_right(learned, problem) / len(problem.test)


def bytes_of(learned: Learned) -> list[bytes]:
    network = learned.network
    arrays = [network.shift, network.scale, *network.weights, *network.biases, learned.logits]
    return [array.tobytes() for array in arrays]


def random_rows(n: int, width: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=(n, width))


def small_problem(seed: int = 0) -> tuple[np.ndarray, Problem]:
    x = random_rows(200, 16)
    noisy = x[:, :2] + random_rows(200, 2, seed=1)
    return x, problem_of((noisy > 0).sum(axis=1), 3, seed)


def plain_loop(x: np.ndarray, problem: Problem, n_hidden: int) -> tuple[np.ndarray, int]:
    """The same training with torch's own layers, losses and unfused Adam, in float64. Test logits, epoch."""
    random = torch.Generator().manual_seed(problem.seed)
    of_train = x[problem.train]
    z = torch.from_numpy((x - of_train.mean(axis=0)) / of_train.std(axis=0, ddof=1))
    layers = torch.nn.Sequential(
        torch.nn.Linear(x.shape[1], n_hidden), torch.nn.ReLU(), torch.nn.Linear(n_hidden, problem.n_classes)
    )
    for layer in layers[::2]:
        for parameter in (layer.weight, layer.bias):
            bound = 1 / np.sqrt(layer.in_features)
            torch.nn.init.uniform_(parameter, -bound, bound, generator=random)
    layers.double()
    y = torch.from_numpy(problem.targets.astype(np.float64 if problem.is_multi_label else np.int64))
    mean_loss = torch.nn.BCEWithLogitsLoss() if problem.is_multi_label else torch.nn.CrossEntropyLoss()
    optimizer = torch.optim.Adam(layers.parameters(), lr=1e-3, foreach=False)
    size = min(MINIBATCH, len(problem.train) // 16)
    losses, logits = [], []
    patience = int(np.ceil(300 / np.ceil(len(problem.train) / size)))
    while len(losses) - np.argmin([np.inf, *losses]) < patience:
        order = problem.train[torch.randperm(len(problem.train), generator=random).numpy()]
        for rows in np.array_split(order, -(-len(order) // size)):
            optimizer.zero_grad()
            # A sum over classes, where there are several to an example: torch takes the mean.
            n_sums = problem.n_classes if problem.is_multi_label else 1
            (n_sums * mean_loss(layers(z[rows]), y[rows])).backward()
            optimizer.step()
        with torch.no_grad():
            now = float(mean_loss(layers(z[problem.select]), y[problem.select]))
            losses.append(now if now < 0.999 * min(losses, default=np.inf) else np.inf)
            logits.append(layers(z[problem.test]).numpy())
    return logits[int(np.argmin(losses))], int(np.argmin(losses)) + 1


def test_what_is_learned_is_what_a_plain_loop_of_torch_learns():
    x, problem = small_problem()
    learned = learn(x, problem)[0]
    logits, epoch = plain_loop(x.astype(np.float32).astype(np.float64), problem, 32)
    assert learned.setting == epoch > 5
    np.testing.assert_allclose(learned.logits, logits, atol=2e-3)


def test_several_classes_to_an_example_are_learned_as_by_a_plain_loop():
    x = random_rows(200, 16)
    problem = problem_of(x[:, :3] + random_rows(200, 3, seed=1) > 0.5, 3)
    learned = learn(x, problem)[0]
    logits, epoch = plain_loop(x.astype(np.float32).astype(np.float64), problem, 32)
    assert learned.setting == epoch > 5
    np.testing.assert_allclose(learned.logits, logits, atol=2e-3)


@pytest.mark.parametrize("n_hidden", CAPACITIES)
def test_exclusive_or_is_learned_which_no_linear_probe_can(n_hidden):
    x = random_rows(1000, 6)
    problem = problem_of((x[:, 0] * x[:, 1] > 0).astype(np.int64), 2)
    # The best linear map of these, fitted to the test examples themselves, knows next to nothing.
    at, signs = x[problem.test], 2 * problem.targets[problem.test] - 1
    linear = np.sign(at @ np.linalg.lstsq(at, signs, rcond=None)[0]) == signs
    assert linear.mean() < 0.62
    assert accuracy(learn(x, problem, n_hidden=n_hidden)[0], problem) > 0.9


def test_a_planted_linear_signal_is_recovered():
    x = random_rows(1000, 30)
    problem = problem_of((x @ random_rows(30, 4, seed=1)).argmax(axis=1), 4)
    assert accuracy(learn(x, problem)[0], problem) > 0.85


def test_several_classes_to_an_example_are_recovered():
    x = random_rows(800, 10)
    problem = problem_of(x @ random_rows(10, 5, seed=1) > 1, 5)
    learned = learn(x, problem)[0]
    assert ((learned.logits > 0) == problem.targets[problem.test]).mean() > 0.93


@pytest.mark.parametrize("n_hidden", CAPACITIES)
def test_random_vectors_score_chance(n_hidden):
    x = random_rows(1500, 30)
    classes = np.random.default_rng(5).integers(3, size=1500)
    problem = problem_of(classes, 3)
    low, high = binom.interval(0.999, len(problem.test), 1 / 3)
    assert low <= n_right(learn(x, problem, n_hidden=n_hidden)[0], problem) <= high


def test_huge_and_constant_columns_do_not_hide_a_signal():
    x = random_rows(500, 6)
    classes = (x[:, 3] > 0).astype(np.int64)
    x[:, 0] = 3000 + 500 * x[:, 0]
    x[:, 1] = 7.1
    problem = problem_of(classes, 2)
    x[problem.test[0], 1] = 9.0  # constant where it is learned from, only
    learned = learn(x, problem)[0]
    assert learned.network.scale[1] == 0
    assert accuracy(learned, problem) > 0.9
    assert np.isfinite(learned.logits).all()


def test_classes_without_training_examples_are_never_the_answer():
    x, problem = small_problem()
    wide = Problem(problem.targets, 6, problem.train, problem.select, problem.test)
    learned = learn(x, wide)[0]
    assert learned.logits.shape == (len(wide.test), 6)
    assert learned.logits.argmax(axis=1).max() <= 2


@pytest.mark.parametrize("n_train", [1, 2, 5])
def test_very_few_examples_are_enough_to_begin(n_train):
    x = random_rows(n_train + 4, 3)
    classes = np.arange(len(x)) % 2
    problem = Problem(
        classes, 2, np.arange(n_train), np.arange(n_train, n_train + 2), np.arange(n_train + 2, len(x))
    )
    assert np.isfinite(learn(x, problem)[0].logits).all()


def test_the_network_gives_the_logits_of_the_test_examples():
    x, problem = small_problem()
    learned = learn(x, problem)[0]
    np.testing.assert_allclose(
        learned.network.apply(x.astype(np.float32)[problem.test]), learned.logits, atol=1e-5
    )
    assert learned.network.n_parameters == 32 * 17 + 3 * 33


def test_the_test_examples_decide_nothing():
    x, problem = small_problem()
    before = learn(x, problem)[0].network
    x[problem.test] += 100
    after = learn(x, problem)[0].network
    assert all((a == b).all() for a, b in zip(before.weights, after.weights, strict=True))


def test_the_same_seed_gives_the_same_bytes_and_another_one_does_not():
    x, problem = small_problem()
    _, other = small_problem(seed=1)
    together = learn(x, problem, other, problem)
    alone = learn(x, problem)[0]
    assert bytes_of(together[0]) == bytes_of(together[2]) == bytes_of(alone)
    assert bytes_of(together[1]) != bytes_of(alone)


def test_threads_decide_nothing_and_stay_as_they_were():
    x = random_rows(300, 300)
    problem = problem_of((x[:, 0] > 0).astype(np.int64), 2)
    before, found, within = torch.get_num_threads(), [], set()
    try:
        for n_threads in (1, 3):
            torch.set_num_threads(n_threads)
            learned = learn(x, problem, n_hidden=200, progress=lambda: within.add(torch.get_num_threads()))
            found.append(bytes_of(learned[0]))
            assert torch.get_num_threads() == n_threads
    finally:
        torch.set_num_threads(before)
    assert found[0] == found[1]
    assert within == {1}


def test_torchs_own_random_numbers_are_left_alone():
    x, problem = small_problem()
    before = torch.random.get_rng_state()
    learn(x, problem)
    assert torch.equal(torch.random.get_rng_state(), before)


def test_rows_that_do_not_fit_are_read_again_and_give_the_same_bytes():
    x = random_rows(2000, 1000)
    problem = problem_of((x[:, 0] > 0).astype(np.int64), 2)
    reads = []

    class Counted(Rows):
        def take(self, rows):
            reads.append(len(rows))
            return super().take(rows)

    inputs, found = Counted(x.astype(np.float32)), []
    for memory in (1 << 30, 57 << 20):
        reads.clear()
        found.append((bytes_of(perceptron(4)(inputs, [problem], memory=memory)[0]), sum(reads)))
    (held, n_held), (streamed, n_streamed) = found
    assert held == streamed
    assert n_held == len(x) + len(problem.train)  # once, and once to scale by
    assert n_streamed > 3 * len(x)


def test_too_little_memory_is_refused():
    x, problem = small_problem()
    with pytest.raises(ResultError, match="Training by gradients takes at least"):
        learn(x, problem, memory=1 << 20)


def test_progress_is_told_after_every_epoch():
    x, problem = small_problem()
    calls = []
    epoch = learn(x, problem, progress=lambda: calls.append(1))[0].setting
    assert len(calls) == epoch + 17  # 300 steps, 18 to an epoch


def test_a_hidden_layer_without_units_is_refused():
    with pytest.raises(ArgumentError, match="has 0 units"):
        perceptron(0)


def test_without_torch_the_error_says_what_to_install():
    program = """
import sys
class Without:
    def __init__(self, finder): self.finder = finder
    def __getattr__(self, name): return getattr(self.finder, name)
    def find_spec(self, name, *more):
        return None if name.split(".")[0] == "torch" else self.finder.find_spec(name, *more)
sys.meta_path[:] = map(Without, sys.meta_path)
import repstore.analysis.learned, repstore.training.mlp
"""
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.stderr.splitlines()[-1] == (
        "repstore.errors.MissingExtraError: This is learned by gradients and needs torch. "
        "Install it with: pip install 'repstore[train]'"
    )
