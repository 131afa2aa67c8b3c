"""The linear probe, against scikit-learn and against its own gradient in float64."""

import re
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest
from budgets import MIB, most_taken
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import log_loss
from synthetic import in_parts
from threadpoolctl import threadpool_info

from repstore.analysis import lbfgs, logistic
from repstore.analysis.inputs import WordInputs
from repstore.analysis.learned import Learned, Problem
from repstore.analysis.log_loss import value_and_slope
from repstore.analysis.logistic import PENALTIES
from repstore.errors import ResultError

CLOSE = 5e-3
"""How far a logit may be from that at scikit-learn's minimum, relative to the largest if that is above 1."""


def words(values: np.ndarray, *sizes: int) -> WordInputs:
    vectors = in_parts(values, *sizes)
    return WordInputs(vectors, np.arange(len(values)))


def lifelike(n: int, width: int, seed: int = 0) -> np.ndarray:
    """Correlated columns of very unequal sizes, away from 0."""
    random = np.random.default_rng(seed)
    sizes = 1 / np.sqrt(np.arange(1, width + 1))
    turn = np.linalg.qr(random.normal(size=(width, width)))[0]
    values = random.normal(size=(n, width)) * sizes @ turn + random.normal(size=width)
    values[:, 0] *= 300
    return values.astype(np.float16)


def classes(values: np.ndarray, n_classes: int, seed: int = 0, noise: float = 1.0) -> np.ndarray:
    """Classes that a linear map of the words says, in part. *Shape:* (n,), int64."""
    return scores(values, n_classes, seed, noise).argmax(axis=1)


def scores(values: np.ndarray, n_classes: int, seed: int = 0, noise: float = 1.0) -> np.ndarray:
    random = np.random.default_rng(seed + 1)
    z = values.astype(np.float64)
    z = (z - z.mean(axis=0)) / z.std(axis=0)
    linear = z @ random.normal(size=(z.shape[1], n_classes)) / np.sqrt(z.shape[1])
    return linear + noise * random.normal(size=linear.shape)


def problem(
    targets: np.ndarray, n_classes: int, seed: int = 0, shares: Sequence[float] = (0.6, 0.8)
) -> Problem:
    shuffled = np.random.default_rng(seed).permutation(len(targets))
    cuts = [int(share * len(targets)) for share in shares]
    return Problem(targets, n_classes, *(np.sort(part) for part in np.split(shuffled, cuts)), seed=seed)


def fit(inputs: WordInputs, *problems: Problem, **options: int) -> list[Learned]:
    return logistic.logistic(inputs, problems, **options)


def same(a: Learned, b: Learned) -> bool:
    arrays = [
        (one.network.shift, one.network.scale, one.network.weights[0], one.network.biases[0], one.logits)
        for one in (a, b)
    ]
    return a.setting == b.setting and all(x.tobytes() == y.tobytes() for x, y in zip(*arrays, strict=True))


def standardized(values: np.ndarray, of: Problem) -> np.ndarray:
    z = values.astype(np.float64) - values[of.train].astype(np.float64).mean(axis=0)
    std = values[of.train].astype(np.float64).std(axis=0, ddof=1)
    return z * np.divide(1, std, out=np.zeros_like(std), where=std > 0)


def by_sklearn(z: np.ndarray, targets: np.ndarray, train: np.ndarray, penalty: float) -> LogisticRegression:
    model = LogisticRegression(C=1 / (penalty * len(train)), tol=1e-7, max_iter=10_000)
    return model.fit(z[train], targets[train])


def centered(logits: np.ndarray) -> np.ndarray:
    return logits - logits.mean(axis=1, keepdims=True)


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize(("n", "width", "n_classes"), [(900, 20, 4), (150, 200, 3)])
def test_classes_are_told_apart_as_by_scikit_learn(monkeypatch, penalty, n, width, n_classes):
    monkeypatch.setattr(logistic, "PENALTIES", (penalty,))
    monkeypatch.setattr(lbfgs, "TOLERANCE", 1e-6)  # of a weak penalty, minima are flat
    values = lifelike(n, width)
    asked = problem(classes(values, n_classes), n_classes)
    learned = fit(words(values), asked)[0]
    z = standardized(values, asked)
    model = by_sklearn(z, asked.targets, asked.train, penalty)
    expected = centered(z[asked.test] @ model.coef_.T + model.intercept_)
    np.testing.assert_allclose(
        centered(learned.logits), expected, atol=CLOSE * max(1, np.abs(expected).max())
    )


@pytest.mark.parametrize("penalty", PENALTIES)
@pytest.mark.parametrize(("n", "width"), [(900, 20), (150, 200)])
def test_the_minimum_is_met_more_closely_than_scikit_learn_meets_it_by_default(
    monkeypatch, penalty, n, width
):
    monkeypatch.setattr(logistic, "PENALTIES", (penalty,))
    values = lifelike(n, width)
    asked = problem(classes(values, 3), 3)
    z = standardized(values, asked)
    best = by_sklearn(z, asked.targets, asked.train, penalty)
    default = LogisticRegression(C=1 / (penalty * len(asked.train))).fit(
        z[asked.train], asked.targets[asked.train]
    )
    expected, theirs = (centered(model.decision_function(z[asked.test])) for model in (best, default))
    ours = centered(fit(words(values), asked)[0].logits)
    assert np.abs(ours - expected).max() < np.abs(theirs - expected).max() + 1e-3


def test_the_penalty_of_two_classes_is_twice_that_of_scikit_learn(monkeypatch):
    monkeypatch.setattr(logistic, "PENALTIES", (0.02,))
    values = lifelike(500, 12)
    asked = problem(classes(values, 2), 2)
    logits = fit(words(values), asked)[0].logits
    z = standardized(values, asked)
    model = by_sklearn(z, asked.targets, asked.train, 0.01)
    np.testing.assert_allclose(
        logits[:, 1] - logits[:, 0], model.decision_function(z[asked.test]), atol=CLOSE
    )


@pytest.mark.parametrize("penalty", [1e-3, 1e-1])
@pytest.mark.parametrize(("n", "width"), [(900, 20), (150, 200)])
def test_each_of_several_classes_is_told_as_by_scikit_learn_alone(monkeypatch, penalty, n, width):
    monkeypatch.setattr(logistic, "PENALTIES", (penalty,))
    monkeypatch.setattr(lbfgs, "TOLERANCE", 1e-6)
    values = lifelike(n, width)
    asked = problem(scores(values, 3) > [0.0, 0.5, 1.0], 3)
    learned = fit(words(values), asked)[0]
    z = standardized(values, asked)
    for label in range(3):
        model = by_sklearn(z, asked.targets[:, label], asked.train, penalty)
        expected = model.decision_function(z[asked.test])
        near = CLOSE * max(1, np.abs(expected).max())
        np.testing.assert_allclose(learned.logits[:, label], expected, atol=near)


def test_the_selection_examples_choose_the_penalty_that_scikit_learn_does_best_with():
    values = lifelike(700, 30)
    settings_found = set()
    for noise in (0.05, 1.0, 8.0):
        asked = problem(classes(values, 3, noise=noise), 3)
        z = standardized(values, asked)
        losses = [
            log_loss(
                asked.targets[asked.select],
                by_sklearn(z, asked.targets, asked.train, penalty).predict_proba(z[asked.select]),
            )
            for penalty in PENALTIES
        ]
        learned = fit(words(values), asked)[0]
        assert learned.setting == PENALTIES[int(np.argmin(losses))]
        settings_found.add(learned.setting)
    assert len(settings_found) > 1


def largest_slope(values: np.ndarray, asked: Problem, learned: Learned) -> float:
    """In float64, of what the learner minimizes, where it ended."""
    z, weights = standardized(values, asked)[asked.train], learned.network.weights[0].astype(np.float64)
    logits = z @ weights.T + learned.network.biases[0]
    has = asked.targets[asked.train]
    if asked.is_multi_label:
        slope = 1 / (1 + np.exp(-logits)) - has
    else:
        shares = np.exp(logits - logits.max(axis=1, keepdims=True))
        slope = shares / shares.sum(axis=1, keepdims=True) - np.eye(asked.n_classes)[has]
    slope /= len(z)
    of_weights = slope.T @ z + learned.setting * weights
    return float(max(np.abs(of_weights).max(), np.abs(slope.sum(axis=0)).max()))


@settings(max_examples=25)
@given(
    n=st.integers(12, 200),
    width=st.integers(1, 60),
    n_classes=st.integers(2, 5),
    several=st.booleans(),
    seed=st.integers(0, 99),
)
def test_the_gradient_is_about_zero_where_it_ends(n, width, n_classes, several, seed):
    values = lifelike(n, width, seed)
    drawn = scores(values, n_classes, seed)
    targets = drawn > 0 if several else drawn.argmax(axis=1)
    for label in range(n_classes):  # every class is had and not had by some training example
        targets[2 * label : 2 * label + 2] = (np.arange(n_classes) == label) if several else label
    train = np.arange(max(n - 2, 2 * n_classes))
    asked = Problem(targets, n_classes, train, np.array([n - 2]), np.array([n - 1]))
    learned = fit(words(values), asked)[0]
    assert largest_slope(values, asked, learned) < 1.5 * lbfgs.TOLERANCE


@settings(max_examples=8)
@given(n=st.integers(20, 300), width=st.integers(1, 60), seed=st.integers(0, 99), data=st.data())
def test_a_problem_has_the_same_answer_alone_among_others_and_however_the_layer_is_cut(n, width, seed, data):
    values = lifelike(n, width, seed)
    one = problem(classes(values, 3, seed), 3, seed)
    other = replace(one, targets=np.random.default_rng(seed).permutation(one.targets))
    several = replace(one, targets=scores(values, 4, seed) > 0.3, n_classes=4)
    elsewhere = problem(one.targets, 3, seed + 1)
    problems = [one, other, several, elsewhere]
    order = data.draw(st.permutations(range(4)))
    together = fit(words(values), *[problems[k] for k in order])
    for k, learned in zip(order, together, strict=True):
        alone = fit(words(values, n // 3, n // 3), problems[k])[0]
        assert same(learned, alone)


def least_memory(inputs: WordInputs, asked: Problem) -> int:
    with pytest.raises(ResultError, match="1 are allowed") as refused:
        fit(inputs, asked, memory=MIB)
    found = re.search(r"takes at least (\d+) MiB", str(refused.value))
    assert found
    return int(found[1]) * MIB


@pytest.mark.parametrize("several", [False, True])
def test_rows_that_do_not_fit_are_read_again_with_the_same_bytes_and_memory_is_kept(several):
    values = lifelike(60_000, 64)
    drawn = scores(values, 3)
    targets = drawn > 0 if several else drawn.argmax(axis=1)
    inputs, asked = words(values), problem(targets, 3, shares=(0.9, 0.95))
    least = least_memory(inputs, asked)
    n_read = 0

    class Counted(WordInputs):
        def take(self, rows: np.ndarray) -> np.ndarray:
            nonlocal n_read
            n_read += len(rows)
            return super().take(rows)

    counted = Counted(inputs.vectors, inputs.rows)
    held = fit(counted, asked)[0]
    n_held, n_read = n_read, 0
    assert n_held < 3 * len(values)
    streamed = fit(counted, asked, memory=least)[0]
    assert n_read > 2 * n_held
    assert same(held, streamed)
    assert most_taken(lambda: fit(inputs, asked, memory=least)) < least
    with pytest.raises(ResultError, match="takes at least"):
        fit(inputs, asked, memory=least - MIB)


@pytest.mark.parametrize(("n", "width", "n_classes"), [(400, 900, 3), (1000, 400, 60), (1500, 500, 2)])
def test_memory_is_kept_where_rows_are_few_and_where_classes_are_many(n, width, n_classes):
    values = np.random.default_rng(0).normal(size=(n, width)).astype(np.float16)
    inputs, asked = words(values), problem(np.arange(n) % n_classes, n_classes)
    least = least_memory(inputs, asked)
    taken = most_taken(lambda: fit(inputs, asked, memory=least))
    assert 0.3 * (least - logistic.OVERHEAD) < taken < least


def edge_cases() -> dict[str, tuple[np.ndarray, np.ndarray, int]]:
    random = np.random.default_rng(0)
    plain = random.normal(size=(60, 6)).astype(np.float32)
    two = (plain[:, 0] > 0).astype(np.int64)
    outliers = plain.copy()
    outliers[:, 2] *= 1e4
    outliers[::7, 3] = 6e4
    return {
        "separable": (np.where(two[:, None], 1.0, -1.0) * np.abs(plain), two, 2),
        "one number": (plain[:, :1], two, 2),
        "constant": (np.full((60, 4), 3.0), np.minimum(np.arange(60) % 5, 1), 2),
        "outliers": (outliers.astype(np.float16), two, 2),
        "one class": (plain, np.zeros(60, np.int64), 3),
        "several, had by all or none": (plain, np.stack([two == 1, two >= 0, two < 0], axis=1), 3),
        "several, none to learn": (plain, np.zeros((60, 2), bool), 2),
        "wide": (random.normal(size=(60, 300)), two, 2),
        "wide and constant": (np.ones((60, 300)), two, 2),
        "all the same but one": (np.eye(60, 80), two, 2),
        "tiny": (plain * np.float32(1e-30), two, 2),
        "many classes": (plain, np.arange(60), 60),
    }


@pytest.mark.parametrize("case", edge_cases())
def test_odd_problems_have_finite_answers(case):
    values, targets, n_classes = edge_cases()[case]
    if values.dtype == np.float64:
        values = values.astype(np.float32)
    learned = fit(words(values), problem(targets, n_classes))[0]
    assert learned.logits.shape == (12, n_classes)
    assert learned.logits.dtype == np.float32
    for array in (learned.logits, learned.network.shift, learned.network.scale, *learned.network.weights):
        assert np.isfinite(array).all()
    if case in ("separable", "outliers"):
        asked = problem(targets, n_classes)
        assert (learned.logits.argmax(axis=1) == targets[asked.test]).mean() > 0.9


def test_constant_inputs_say_the_most_frequent_class_under_the_largest_penalty():
    targets = (np.arange(100) % 4 == 0).astype(np.int64)
    learned = fit(words(np.full((100, 3), 2.0, np.float32)), problem(targets, 2))[0]
    assert (learned.logits.argmax(axis=1) == 0).all()
    assert learned.setting == max(PENALTIES)
    assert (learned.network.scale == 0).all()


@pytest.mark.parametrize("several", [False, True])
def test_a_class_that_training_lacks_is_as_rare_as_once_in_more_than_all_examples(several):
    values = lifelike(200, 10)
    asked = problem(classes(values, 3), 3)
    targets = asked.targets.copy()
    targets[asked.test[:3]] = targets[asked.select[:3]] = 3  # known from elsewhere alone
    if several:
        targets = np.eye(4, dtype=bool)[targets]
    learned = fit(words(values), replace(asked, targets=targets, n_classes=4))[0]
    logits = learned.logits.astype(np.float64)
    odds = np.exp(logits) if several else np.exp(logits) / np.exp(logits[:, :3]).sum(axis=1, keepdims=True)
    assert np.isfinite(logits).all()
    assert (odds[:, 3] <= 1.001 / (len(asked.train) + 1)).all()
    assert (logits.argmax(axis=1) != 3).all()


def test_a_planted_class_is_found_and_random_vectors_stay_at_chance():
    random = np.random.default_rng(0)
    values = random.normal(size=(2000, 40)).astype(np.float16)
    targets = values[:, :4].argmax(axis=1)
    asked = problem(targets, 4)
    shuffled = replace(asked, targets=random.permutation(targets))
    found, at_random = fit(words(values), asked, shuffled)
    truth = [one.targets[one.test] for one in (asked, shuffled)]
    hits = [
        float((one.logits.argmax(axis=1) == of).mean())
        for one, of in zip((found, at_random), truth, strict=True)
    ]
    assert hits[0] > 0.9
    assert abs(hits[1] - 0.25) < 4 * np.sqrt(0.25 * 0.75 / 400)


def test_logits_are_those_of_the_network():
    values = lifelike(300, 20)
    asked = problem(classes(values, 3), 3)
    learned = fit(words(values), asked)[0]
    np.testing.assert_array_equal(
        learned.logits, learned.network.apply(values[asked.test].astype(np.float32))
    )
    assert learned.network.n_parameters == 3 * 21


def test_layers_in_threads_have_the_bytes_of_layers_one_by_one_and_blas_gets_its_threads_back():
    layers = [words(lifelike(1500, 64, seed)) for seed in range(4)]
    asked = problem(np.arange(1500) % 5, 5)
    before = [pool["num_threads"] for pool in threadpool_info()]
    alone = [fit(layer, asked)[0] for layer in layers]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(lambda layer: fit(layer, asked)[0], layers))
    assert all(map(same, alone, together))
    assert [pool["num_threads"] for pool in threadpool_info()] == before


@given(n_columns=st.integers(2, 5), n=st.integers(1, 4), several=st.booleans(), seed=st.integers(0, 99))
def test_the_slope_of_the_loss_is_that_of_its_values(n_columns, n, several, seed):
    random = np.random.default_rng(seed)
    logits = 3 * random.normal(size=(2, n_columns, n))
    has = random.random((n_columns, n)) < 0.5
    targets = has.astype(np.float64) if several else random.integers(0, n_columns, n)
    slope = logits.copy()
    value_and_slope(slope, targets)
    step, numeric = 1e-6, np.empty_like(logits)
    for at in np.ndindex(logits.shape):
        ahead, behind = logits.copy(), logits.copy()
        ahead[at] += step
        behind[at] -= step
        numeric[at] = (value_and_slope(ahead, targets) - value_and_slope(behind, targets))[at[0]] / (2 * step)
    np.testing.assert_allclose(slope, numeric, atol=1e-6)


def test_progress_is_told_at_every_pass_and_can_stop_it():
    def stop() -> None:
        raise KeyboardInterrupt

    values = lifelike(100, 5)
    with pytest.raises(KeyboardInterrupt):
        logistic.logistic(words(values), [problem(classes(values, 2), 2)], progress=stop)
