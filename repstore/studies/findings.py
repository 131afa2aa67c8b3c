"""What holds of the study's claims: each with the published figure, this model's, and its interval.

Layers are chosen on the development pairs and compared on the test pairs, so that no layer is praised for
the noise it was chosen by.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

import numpy as np

from repstore.analysis import bootstrap
from repstore.analysis.bootstrap import LEVEL
from repstore.analysis.scoring import Scores
from repstore.studies.published import BERT, LLAMA, Published, published
from repstore.studies.questions import PAPER, SOUND, UNSTANDARDIZED, Arithmetic, Question, Role

Verdict = Literal["holds", "does not hold", "cannot be told"]
Measured = Mapping[Question, Scores]


@dataclass(frozen=True, slots=True)
class Finding:
    """One claim, and what became of it.

    Attributes:
        claim: in a sentence.
        published: the figures of the paper.
        here: the figures of this model, with 95 % intervals.
        verdict: "cannot be told" where an interval that decides holds 0.
    """

    claim: str
    published: str
    here: str
    verdict: Verdict


@dataclass(frozen=True)
class Profile:
    """The scores of all layers, and the layer that the development pairs choose."""

    scores: Scores

    @property
    def last(self) -> int:
        """The last layer."""
        return len(self.scores.values) - 1

    @property
    def chosen(self) -> int:
        """The first layer of the highest accuracy on the development pairs."""
        return self.chosen_of(range(self.last + 1))

    def chosen_of(self, layers: range) -> int:
        """The first of some layers of the highest accuracy on the development pairs."""
        return layers[int(np.argmax(self.scores.columns["selection"][layers]))]

    @property
    def upper_less_lower(self) -> Difference:
        """Best layer of the upper half less best of the lower, both chosen on the development pairs."""
        middle = self.last // 2
        upper, lower = range(middle + 1, self.last + 1), range(middle + 1)
        return difference(self, self.chosen_of(upper), self, self.chosen_of(lower))

    def at(self, layer: int) -> str:
        """A layer's score with its interval."""
        low, high = bootstrap.interval(self.scores.resampled[layer][None])
        return f"{self.scores.values[layer]:.3f} [{low[0]:.3f}, {high[0]:.3f}]"


@dataclass(frozen=True, slots=True)
class Difference:
    """A score less another, with its interval."""

    value: float
    low: float
    high: float

    def __str__(self) -> str:
        """With enough digits to see on which side of 0 its ends are."""
        digits = 3 if min(abs(self.low), abs(self.high)) >= 5e-4 else 5
        return f"{self.value:+.3f} [{self.low:+.{digits}f}, {self.high:+.{digits}f}]"

    def is_positive(self) -> bool | None:
        """None if the interval holds 0."""
        return None if self.low <= 0 <= self.high else self.value > 0


def difference(a: Profile, layer_a: int, b: Profile, layer_b: int, level: float = LEVEL) -> Difference:
    """The score of one layer less that of another.

    Over the same pairs the resamples are the same, and the difference is one of paired samples; over other
    pairs they are independent.
    """
    resampled = a.scores.resampled[layer_a] - b.scores.resampled[layer_b]
    low, high = bootstrap.interval(resampled[None], level)
    value = a.scores.values[layer_a] - b.scores.values[layer_b]
    return Difference(float(value), float(low[0]), float(high[0]))


def findings_of(measured: Measured) -> list[Finding]:
    """Every claim that these answers speak of."""
    checks: list[Callable[[Measured], Iterator[Finding]]] = [
        _lower_layers,
        _seen_twice,
        _prediction,
        _prompts,
        _standardizing,
        _masked,
        _nouns,
        _ratings,
    ]
    return [finding for check in checks for finding in check(measured)]


def _lower_layers(measured: Measured) -> Iterator[Finding]:
    """Section 4: under ``repeat`` accuracy peaks early and falls."""
    curve, paper = Profile(measured[_of("repeat")]), _llama("repeat")
    lost, gain = difference(curve, curve.chosen, curve, curve.last), curve.upper_less_lower
    yield Finding(
        "Word meaning fades towards the end: in a sentence that is read twice, senses are told apart worse "
        "at the last layer than at the best.",
        f"{paper.accuracy[paper.best]:.3f} at layer {paper.best} of {paper.n_blocks}; "
        f"{paper.accuracy[-1]:.3f} at the last.",
        f"{curve.at(curve.chosen)} at layer {curve.chosen} of {curve.last}; {curve.at(curve.last)} at the "
        f"last; difference {lost}.",
        _verdict(lost.is_positive()),
    )
    yield Finding(
        "Lower layers carry it: the best layer is in the lower half, and better than any of the upper half.",
        f"Layer {paper.best} of {paper.n_blocks}; best of the upper half less best of the lower "
        f"{paper.upper_less_lower:+.3f}.",
        f"Layer {curve.chosen} of {curve.last}; best of the upper half less best of the lower {gain}.",
        _verdict(_opposite(gain.is_positive())),
    )


def _seen_twice(measured: Measured) -> Iterator[Finding]:
    once, twice = Profile(measured[_of("base")]), Profile(measured[_of("repeat")])
    gain = difference(twice, twice.chosen, once, once.chosen)
    of_once, of_twice = _llama("base"), _llama("repeat")
    yield Finding(
        "A causal model tells a word's sense better when it has read the whole sentence before.",
        f"{of_twice.accuracy[of_twice.best]:.3f} (repeat, layer {of_twice.best}) against "
        f"{of_once.accuracy[of_once.best]:.3f} (base, layer {of_once.best}).",
        f"{twice.at(twice.chosen)} (repeat, layer {twice.chosen}) against {once.at(once.chosen)} "
        f"(base, layer {once.chosen}); difference {gain}.",
        _verdict(gain.is_positive()),
    )


def _prediction(measured: Measured) -> Iterator[Finding]:
    word, before = Profile(measured[_of("repeat")]), Profile(measured[_of("repeat_prev")])
    gain = before.upper_less_lower
    paper, of_word = _llama("repeat_prev"), _llama("repeat")
    yield Finding(
        "Higher layers predict: the position before the word comes to tell its sense in the upper half.",
        f"Best at layer {paper.best} ({paper.accuracy[paper.best]:.3f}); "
        f"{paper.accuracy[of_word.best]:.3f} at layer {of_word.best}, where the word is best.",
        f"Layer {before.chosen}: {before.at(before.chosen)}; {before.at(word.chosen)} at layer "
        f"{word.chosen}, where the word is best; best of the upper half less best of the lower {gain}.",
        _verdict(gain.is_positive()),
    )


def _prompts(measured: Measured) -> Iterator[Finding]:
    for template in ("prompt1", "prompt2"):
        curve, paper = Profile(measured[_of(template)]), _llama(template)
        gain = curve.upper_less_lower
        yield Finding(
            f"The last, meaningless symbol of a prompt ({template}) gathers the meaning in the upper half.",
            f"Best at layer {paper.best} of {paper.n_blocks} ({paper.accuracy[paper.best]:.3f}).",
            f"Layer {curve.chosen} of {curve.last}: {curve.at(curve.chosen)}; best of the upper half less "
            f"best of the lower {gain}.",
            _verdict(gain.is_positive()),
        )
        n_falls = int((np.diff(curve.scores.values) < 0).sum())
        # One interval in forty is below 0 by chance; together they must not be.
        level = 1 - (1 - LEVEL) / curve.last
        steps = [difference(curve, n + 1, curve, n, level) for n in range(curve.last)]
        n_sure = sum(step.is_positive() is False for step in steps)
        yield Finding(
            f"It rises monotonically ({template}).",
            f"It falls at {paper.n_falls} of {paper.n_blocks} steps.",
            f"It falls at {n_falls} of {curve.last} steps, with certainty at {n_sure} (by intervals of "
            f"{level:.2%}, since there are so many steps).",
            "holds" if n_falls == 0 else "does not hold" if n_sure else "cannot be told",
        )


def _standardizing(measured: Measured) -> Iterator[Finding]:
    for template in ("base", "repeat", "prompt2"):
        curves = [Profile(measured[_of(template, how)]) for how in (PAPER, UNSTANDARDIZED)]
        gain = difference(curves[0], curves[0].chosen, curves[1], curves[1].chosen)
        papers = [_llama(template, how.standardize) for how in (PAPER, UNSTANDARDIZED)]
        yield Finding(
            f"Standardizing the dimensions helps ({template}; batch30 against none, thresholds of the grid).",
            " against ".join(f"{paper.accuracy[paper.best]:.3f}" for paper in papers) + ".",
            " against ".join(f"{curve.at(curve.chosen)} (layer {curve.chosen})" for curve in curves)
            + f"; difference {gain}.",
            _verdict(gain.is_positive()),
        )


def _masked(measured: Measured) -> Iterator[Finding]:
    if _of("base", role="contrast") not in measured:
        return
    masked, causal = Profile(measured[_of("base", role="contrast")]), Profile(measured[_of("repeat")])
    bert, llama = published(BERT, "base", "unknown"), _llama("repeat")
    assert bert is not None
    gain = masked.upper_less_lower
    yield Finding(
        "A masked language model is the contrast: its higher layers tell senses best.",
        f"BERT-large: best at layer {bert.best} of {bert.n_blocks} ({bert.accuracy[bert.best]:.3f}); "
        f"Llama-2-7B under repeat: layer {llama.best} of {llama.n_blocks}.",
        f"Layer {masked.chosen} of {masked.last}: {masked.at(masked.chosen)}; best of the upper half less "
        f"best of the lower {gain}. The decoder under repeat: layer {causal.chosen} of {causal.last}.",
        _verdict(gain.is_positive()),
    )


def _nouns(measured: Measured) -> Iterator[Finding]:
    """At one layer for both: few verbs choose a layer badly, and nouns would win by that alone."""
    layer, best = Profile(measured[_of("repeat")]).chosen, _llama("repeat").best
    nouns, verbs = (Profile(measured[_of("repeat", pos=pos)]) for pos in ("noun", "verb"))
    gain = difference(nouns, layer, verbs, layer)
    papers = [_llama("repeat", pos=pos) for pos in ("noun", "verb")]
    yield Finding(
        "Senses of nouns are told apart better than those of verbs (repeat, at the layer chosen for all).",
        " against ".join(f"{paper.accuracy[best]:.3f}" for paper in papers) + f" at layer {best}.",
        f"{nouns.at(layer)} against {verbs.at(layer)} at layer {layer}; difference {gain}.",
        _verdict(gain.is_positive()),
    )


def _ratings(measured: Measured) -> Iterator[Finding]:
    question = Question("model", "rawc", "repeat")
    if question not in measured:
        return
    layer, ratings = Profile(measured[_of("repeat")]).chosen, Profile(measured[question])
    lost = difference(ratings, layer, ratings, ratings.last)
    yield Finding(
        "The layer that tells senses best on Word-in-Context agrees better with human ratings of relatedness "
        "(RAW-C) than the last layer does.",
        "No figures by layer were released.",
        f"Spearman {ratings.at(layer)} at layer {layer}; {ratings.at(ratings.last)} at the last; "
        f"difference {lost}.",
        _verdict(lost.is_positive()),
    )


def _of(template: str, arithmetic: Arithmetic = SOUND, pos: str = "all", role: Role = "model") -> Question:
    return Question(role, "wic", template, arithmetic, pos)


def _llama(template: str, standardize: str = "batch30", pos: str = "all") -> Published:
    found = published(LLAMA, template, standardize, pos)
    assert found is not None, "released"
    return found


def _verdict(holds: bool | None) -> Verdict:
    return "cannot be told" if holds is None else "holds" if holds else "does not hold"


def _opposite(holds: bool | None) -> bool | None:
    return None if holds is None else not holds
