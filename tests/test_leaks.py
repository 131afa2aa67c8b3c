"""Nothing that is tested is learned from: whatever test words are like, the same probe is fitted."""

from __future__ import annotations

import dataclasses

import numpy as np
import pytest
from synthetic import in_parts

from repstore.analysis.logistic import logistic
from repstore.dividing import Dividing, plans_of
from repstore.learning import Lesson, Method, learn
from repstore.spec import MEMORY
from repstore.tasks import Task
from repstore.tasks_in_use import _joined

N, WIDTH = 300, 8


def task_of(what: str, random: np.random.Generator) -> tuple[Task, np.ndarray]:
    """A task, and the lemmas of its words: 5 words each; pairs join words of three lemmas."""
    lemmas = np.repeat(np.arange(N // 5), 5)
    nowhere = np.full(N, None)
    if what != "pairs":
        words = np.arange(N)[:, None]
        targets = random.integers(0, 3, N) if what == "one class" else random.random((N, 3)) < 0.3
        return Task("x", words, targets, ("a", "b", "c"), lemmas, np.arange(N), lemmas, nowhere), lemmas
    others = np.arange(N) // 15 * 15 + random.integers(0, 15, N)
    words = np.stack([np.arange(N), others], axis=1)
    types = np.unique(lemmas[words], axis=0, return_inverse=True)[1].reshape(-1)
    targets = random.integers(0, 2, N)
    groups = _joined(lemmas[words]), _joined(words)
    return Task("x", words, targets, ("a", "b"), *groups, types, nowhere), lemmas


@pytest.mark.parametrize(
    ("what", "feature"),
    [("one class", None), ("several classes", None)]
    + [("pairs", feature) for feature in ("difference", "product", "concat", "cosine")],
)
def test_test_words_and_their_labels_change_nothing_of_what_is_fitted(what, feature):
    random = np.random.default_rng(0)
    task, lemmas = task_of(what, random)
    plans = plans_of(task, Dividing("lemma", None, None, None), "lemma", range(1))
    sides = [set(lemmas[task.words[side]].reshape(-1).tolist()) for side in plans[0].strict.sides]
    assert not (sides[0] & sides[1])
    assert not (sides[0] & sides[2])
    assert not (sides[1] & sides[2])
    vectors = random.normal(size=(N, WIDTH)).astype(np.float32)
    test = plans[0].strict.test
    others, labels = vectors.copy(), task.targets.copy()
    others[np.unique(task.words[test])] *= 1e4
    labels[test] = labels[test][::-1]
    before, after = (
        learn(
            Lesson.of(dataclasses.replace(task, targets=targets), plans, measure="answers"),
            Method("linear", logistic),
            in_parts(values, 100),
            task.words,
            feature,
            MEMORY,
            lambda: None,
        ).first
        for values, targets in ((vectors, task.targets), (others, labels))
    )
    assert before is not None
    assert after is not None
    assert before.setting == after.setting
    of_before, of_after = (
        (one.network.shift, one.network.scale, *one.network.weights, *one.network.biases)
        for one in (before, after)
    )
    assert all(np.array_equal(a, b) for a, b in zip(of_before, of_after, strict=True))
    assert not np.array_equal(before.logits, after.logits)
