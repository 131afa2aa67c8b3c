"""Ridge regression on external targets, against regressions fitted anew without each group."""

import numpy as np
import pytest
from aligning import normal
from budgets import MIB, most_taken
from hypothesis import example, given, settings
from hypothesis import strategies as st
from sklearn.linear_model import Ridge, RidgeCV
from sklearn.model_selection import GridSearchCV, LeaveOneGroupOut
from sklearn.preprocessing import StandardScaler
from synthetic import in_parts

from repstore.analysis import penalties, regression
from repstore.analysis.inputs import Inputs, MeanInputs, WordInputs
from repstore.analysis.penalties import chosen, fold_of
from repstore.analysis.regression import fit, grouped_folds, predict
from repstore.analysis.targets import Targets, control_targets
from repstore.errors import ResultError

GRID = [10.0**power for power in range(-4, 5)]


def words(layer: np.ndarray) -> Inputs:
    return WordInputs(in_parts(layer), np.arange(len(layer)))


def each_its_own(values: np.ndarray) -> Targets:
    return Targets(values.astype(np.float64), np.arange(len(values)))


def in_groups(n: int, n_groups: int, seed: int = 0) -> np.ndarray:
    """Groups of unequal sizes, each of one example at least; their numbers say nothing."""
    random = np.random.default_rng(seed)
    return 7 * random.permutation(
        np.concatenate([np.arange(n_groups), random.integers(0, n_groups, n - n_groups) ** 2 % n_groups])
    )


def fitted(x: np.ndarray, y: np.ndarray, penalty: float, new: np.ndarray) -> np.ndarray:
    """Ridge by the normal equations, the intercept free."""
    centered = x - x.mean(axis=0)
    weights = np.linalg.solve(
        centered.T @ centered + penalty * np.eye(x.shape[1]), centered.T @ (y - y.mean(axis=0))
    )
    return (new - x.mean(axis=0)) @ weights + y.mean(axis=0)


def plainly(x: np.ndarray, y: np.ndarray, groups: np.ndarray, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Predictions, and means of what they were learned from, by loops over groups and penalties."""
    x, predicted, means = x.astype(np.float64), np.empty(y.shape), np.empty(y.shape)
    for train, test in grouped_folds(groups, seed):
        mean, std = x[train].mean(axis=0), x[train].std(axis=0)
        of_train, of_test = (x[train] - mean) / std, (x[test] - mean) / std
        penalties = np.square(of_train).sum() / min(len(train) - 1, x.shape[1]) * np.array(GRID)
        errors = np.zeros((len(GRID), y.shape[1]))
        for group in np.unique(groups[train]):
            out = groups[train] == group
            for n, penalty in enumerate(penalties):
                guess = fitted(of_train[~out], y[train][~out], penalty, of_train[out])
                errors[n] += np.square(guess - y[train][out]).sum(axis=0)
        for target, best in enumerate(errors.argmin(axis=0)):
            of_target = y[train][:, [target]]
            predicted[test, target] = fitted(of_train, of_target, penalties[best], of_test)[:, 0]
        means[test] = y[train].mean(axis=0)
    return predicted, means


@settings(max_examples=8)
@given(
    n=st.integers(14, 30),
    d=st.sampled_from([1, 3, 8, 40]),
    n_groups=st.integers(10, 14),
    seed=st.integers(0, 99),
)
@example(n=60, d=2, n_groups=10, seed=0)
def test_predictions_equal_those_of_regressions_fitted_anew_without_each_group(n, d, n_groups, seed):
    x, groups = normal(n, d, seed=seed), in_groups(n, n_groups, seed)
    y = np.stack([3 * x[:, 0], x[:, -1] + normal(n, seed=seed + 1), normal(n, seed=seed + 2)], axis=1) + 5.0
    found = predict(words(x), [each_its_own(y)], groups, seed=seed)[0]
    predicted, means = plainly(x, y.astype(np.float64), groups, seed)
    weights = 1 / y.var(axis=0, dtype=np.float64)
    sse, sst = np.square(y - predicted), np.square(y - means)
    np.testing.assert_allclose(found.r_squared, 1 - sse.sum(axis=0) / sst.sum(axis=0), atol=1e-5)
    np.testing.assert_allclose(found.total, sst @ weights, rtol=1e-6)
    np.testing.assert_allclose(found.explained, (sst - sse) @ weights, atol=1e-4)
    expected = [np.corrcoef((y - means)[:, t], (predicted - means)[:, t])[0, 1] for t in range(3)]
    np.testing.assert_allclose(found.r, expected, atol=1e-4)


@pytest.mark.parametrize(("n", "d"), [(120, 20), (60, 100)])
def test_at_a_fixed_penalty_predictions_equal_those_of_scikit_learn(monkeypatch, n, d):
    x, groups = normal(n, d), in_groups(n, 20)
    y = x[:, :4].astype(np.float64) @ normal(4, 6, seed=1) + 2 * normal(n, 6, seed=2)
    folds = list(grouped_folds(groups, 3))
    fold_of = np.empty(n, int)
    for number, (train, test) in enumerate(folds):
        fold_of[test] = number
        assert not {*groups[train]} & {*groups[test]}
    monkeypatch.setattr(penalties, "PENALTIES", np.array([0.1]))
    found = predict(words(x), [each_its_own(y)], groups, seed=3)[0]
    for target in range(6):
        errors = totals = 0.0
        for train, test in folds:
            scaled = StandardScaler().fit(x[train].astype(np.float64))
            penalty = 0.1 * len(train) * d / min(len(train) - 1, d)
            model = Ridge(penalty, solver="svd").fit(scaled.transform(x[train]), y[train, target])
            errors += np.square(y[test, target] - model.predict(scaled.transform(x[test]))).sum()
            totals += np.square(y[test, target] - y[train, target].mean()).sum()
        assert found.r_squared[target] == pytest.approx(1 - errors / totals, abs=1e-5)


def test_the_penalty_is_that_of_scikit_learn_leaving_one_group_out():
    """Targets of one group are equal: single examples left out are predicted by others of their group."""
    groups = np.repeat(np.arange(20), 6)
    of_group = normal(20, 30)[groups]
    x = (of_group + 0.05 * normal(120, 30, seed=1)).astype(np.float32)
    y = normal(20, 1, seed=2)[groups] + 0.3 * of_group[:, :1]
    train, test = next(iter(grouped_folds(groups, 0)))
    scaled = StandardScaler().fit_transform(x[train].astype(np.float64))
    penalties = len(train) * np.array(GRID)
    search = GridSearchCV(
        Ridge(solver="svd"), {"alpha": penalties}, cv=LeaveOneGroupOut(), scoring="neg_mean_squared_error"
    ).fit(scaled, y[train, 0], groups=groups[train])
    alone = RidgeCV(penalties).fit(scaled, y[train, 0])
    assert alone.alpha_ < search.best_params_["alpha"]
    fold = fold_of(x.astype(np.float64), groups, train, test)
    known = y[fold.train] - y[train].mean()
    made = fold.axes.on_test @ chosen(fold, known)[0]
    new = StandardScaler().fit(x[train].astype(np.float64)).transform(x[test].astype(np.float64))
    np.testing.assert_allclose(made[:, 0] + y[train].mean(), search.predict(new), atol=1e-4)


@pytest.mark.parametrize(("n", "d"), [(120, 30), (60, 100)])
def test_the_map_of_all_examples_is_that_of_scikit_learn_leaving_one_group_out(n, d):
    """Each target in its own units and with its own penalty; a constant dimension says nothing."""
    groups = np.repeat(np.arange(n // 6), 6)
    x = (normal(n // 6, d)[groups] + 0.05 * normal(n, d, seed=1)).astype(np.float32)
    x[:, 3] = 7.25
    y = normal(n // 6, 4, seed=2)[groups] * [0.0, 1.0, 5.0, 20.0] + x[:, :4] + normal(n, 4, seed=3)
    y = y * [1.0, 1000.0, 0.01, 1.0] + [5.0, -300.0, 0.0, 1.0]
    y = np.concatenate([y, np.full((n, 1), 0.1)], axis=1)
    inputs, targets = words(x), each_its_own(y)
    network, found = fit(inputs, targets, groups)
    scale = StandardScaler().fit(x.astype(np.float64))
    scaled = scale.transform(x.astype(np.float64))
    unit = np.square(scaled).sum() / min(n - 1, d - 1)
    new = normal(50, d, seed=4)
    assert len(set(found[:4])) > 1
    for target in range(4):
        search = GridSearchCV(
            Ridge(solver="svd"),
            {"alpha": unit * np.array(GRID)},
            cv=LeaveOneGroupOut(),
            scoring=lambda model, x, y: -np.square(model.predict(x) - y).sum(),
        ).fit(scaled, y[:, target], groups=groups)
        assert found[target] * unit == pytest.approx(search.best_params_["alpha"])
        expected = search.predict(scale.transform(new.astype(np.float64)))
        np.testing.assert_allclose(
            network.apply(new)[:, target], expected, atol=1e-4 * y[:, target].std(), rtol=1e-4
        )
    np.testing.assert_array_equal(network.apply(new)[:, 4], np.float32(0.1))
    k = min(n, d)
    least = regression.OVERHEAD + 8 * (
        3 * d**2 + 2 * d * 5 + 3 * n * d + 6 * n * k + 4 * k**2 + 8 * n + 3 * k
    )
    again, _ = fit(inputs, targets, groups, memory=least)
    np.testing.assert_allclose(again.weights[0], network.weights[0], rtol=1e-4, atol=1e-6)
    with pytest.raises(ResultError, match="Allow more"):
        fit(inputs, targets, groups, memory=least - 1)


def test_memory_of_a_map_stays_within_bounds():
    for n, d, n_targets in ((800, 300, 400), (100, 900, 40)):
        x, targets, k = words(normal(n, d)), each_its_own(normal(n, n_targets, seed=1)), min(n, d)
        beside = 3 * d**2 + 2 * d * n_targets
        memory = regression.OVERHEAD + 8 * (beside + 3 * n * d + 6 * n * k + 4 * k**2 + 5 * (8 * n + 3 * k))
        assert (
            most_taken(lambda x=x, y=targets, m=memory: fit(x, y, in_groups(len(x), 40), memory=m)) < memory
        )


def test_a_planted_linear_map_is_found_up_to_its_noise():
    x = normal(600, 12)
    signal = (x @ normal(12, 4, seed=1)).astype(np.float64)
    signal /= signal.std(axis=0)
    y = signal + np.array([0.0, 0.5, 1.0, 2.0]) * normal(600, 4, seed=2)
    ceiling = 1 / (1 + np.array([0.0, 0.5, 1.0, 2.0]) ** 2)
    found = predict(words(x), [each_its_own(y)], in_groups(600, 100))[0]
    np.testing.assert_allclose(found.r_squared, ceiling, atol=0.08)
    np.testing.assert_allclose(found.r, np.sqrt(ceiling), atol=0.08)
    assert found.pooled == pytest.approx(ceiling.mean(), abs=0.05)


@pytest.mark.parametrize("d", [5, 300])
def test_unrelated_targets_are_not_predicted(d):
    found = predict(words(normal(150, d)), [each_its_own(normal(150, 40, seed=1))], in_groups(150, 50))[0]
    assert -0.1 < found.pooled < 0.01
    assert abs(found.r.mean()) < 0.1


def test_what_holds_for_a_group_alone_is_not_predicted_of_other_groups():
    """Each group has a place and a number of its own; inside a group both are the same."""
    groups = np.repeat(np.arange(40), 10)
    x = (normal(40, 20)[groups] + 0.01 * normal(400, 20, seed=1)).astype(np.float32)
    targets = Targets(normal(40, 3, seed=2).astype(np.float64), groups)
    apart, together = (predict(words(x), [targets], of)[0].pooled for of in (groups, np.arange(400)))
    assert together > 0.4
    assert apart < 0.05


def test_a_control_deals_the_rows_of_targets_to_other_keys():
    keys = np.repeat(np.arange(30), 3)
    targets = Targets(normal(30, 2).astype(np.float64), keys)
    control = control_targets(targets, 1)
    dealt = {key: set(control.keys[keys == key]) for key in range(30)}
    assert all(len(one) == 1 for one in dealt.values())
    assert set().union(*dealt.values()) == set(range(30))
    assert np.array_equal(control.keys, control_targets(targets, 1).keys)
    assert not np.array_equal(control.keys, control_targets(targets, 2).keys)
    x = (targets.values[keys] @ normal(2, 8, seed=1) + 0.1 * normal(90, 8, seed=2)).astype(np.float32)
    real, random = predict(words(x), [targets, control], keys)
    assert real.pooled > 0.9
    assert random.pooled < 0.1


@settings(max_examples=10)
@given(seed=st.integers(0, 999))
def test_scale_and_place_of_inputs_and_targets_change_nothing(seed):
    x, y, groups = normal(60, 5, seed=seed), normal(60, 3, seed=seed + 1), in_groups(60, 15, seed)
    y[:, 0] += 2 * x[:, 1]
    plain = predict(words(x), [each_its_own(y)], groups)[0]
    moved_x = (x * np.array([1e-3, 1, 10, 500, 2]) + 3).astype(np.float32)
    moved = predict(words(moved_x), [each_its_own(1e3 * y.astype(np.float64) - 7)], groups)[0]
    assert moved.pooled == pytest.approx(plain.pooled, abs=1e-3)
    np.testing.assert_allclose(moved.r_squared, plain.r_squared, atol=1e-3)


def test_constant_inputs_predict_the_mean_and_constant_targets_have_no_score():
    y = normal(40, 3)
    y[:, 1] = 0.1
    found = predict(words(np.full((40, 4), 0.3, np.float32)), [each_its_own(y)], np.arange(40))[0]
    assert found.pooled == 0
    assert np.isnan(found.r).all()
    np.testing.assert_array_equal(found.r_squared, [0, np.nan, 0])
    x = normal(40, 4)
    wide = predict(words(x), [each_its_own(y)], np.arange(40))[0]
    padded = np.concatenate([x, np.full((40, 2), 0.1, np.float32)], axis=1)
    assert predict(words(padded), [each_its_own(y)], np.arange(40))[0].pooled == pytest.approx(wide.pooled)


def test_targets_in_blocks_are_predicted_alike_and_memory_stays_within_bounds():
    x, groups = normal(200, 30), in_groups(200, 60)
    targets = each_its_own(normal(200, 500, seed=1) + x[:, :1])
    least = regression.OVERHEAD + 8 * (9 * 200 * 30 + 4 * 30**2)
    for extra in (1, 3):
        memory = least + extra * MIB
        blocks = predict(words(x), [targets], groups, memory=memory)[0]
        np.testing.assert_allclose(blocks.r_squared, predict(words(x), [targets], groups)[0].r_squared)
        assert most_taken(lambda memory=memory: predict(words(x), [targets], groups, memory=memory)) < memory
    with pytest.raises(ResultError, match="takes at least 5 MiB of memory; 4 are allowed"):
        predict(words(x), [targets], groups, memory=4 * MIB)


@pytest.mark.parametrize(("n", "d", "n_groups"), [(1500, 200, 10), (300, 2000, 50), (1500, 200, 1500)])
def test_memory_of_many_examples_and_of_many_dimensions_stays_within_bounds(n, d, n_groups):
    x, targets = words(normal(n, d)), each_its_own(normal(n, 2, seed=1))
    k = min(n, d)
    memory = regression.OVERHEAD + 8 * (3 * n * d + 6 * n * k + 4 * k**2 + 2 * (8 * n + 3 * k))
    assert most_taken(lambda: predict(x, [targets], in_groups(n, n_groups), memory=memory)) < memory


def test_too_few_groups_are_refused():
    with pytest.raises(ResultError, match="in at least 10 groups that are kept apart; there are 9"):
        predict(words(normal(40, 3)), [each_its_own(normal(40, 1))], in_groups(40, 9))


def test_means_of_several_words_are_taken_example_by_example():
    layer = normal(12, 5).astype(np.float16)
    rows, starts = np.array([3, 1, 4, 9, 0, 11]), np.array([0, 2, 3, 6])
    inputs = MeanInputs(in_parts(layer, 4, 3), rows, starts)
    assert (len(inputs), inputs.width) == (3, 5)
    expected = [layer[of].astype(np.float64).mean(axis=0) for of in ([9, 0, 11], [3, 1])]
    np.testing.assert_allclose(inputs.take(np.array([2, 0])), expected, rtol=1e-6)
