"""Verdicts over scores in which the answer is known."""

import csv
import os
from pathlib import Path

import numpy as np
import pytest

from repstore.analysis.bootstrap import Resampling, of_means
from repstore.analysis.scoring import Scores
from repstore.studies.findings import Finding, Profile, difference, findings_of
from repstore.studies.published import BERT, LLAMA, published
from repstore.studies.questions import ARITHMETICS, PARTS_OF_SPEECH, TEMPLATES, Question

DATA = Path(os.environ.get("REPSTORE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))
N_LAYERS, N_PAIRS = 17, 1400
RESAMPLING = Resampling(400, 0)


def planted(accuracy: list[float], n_pairs: int = N_PAIRS, seed: int = 0) -> Scores:
    """Scores with this accuracy at every layer, on the development pairs exactly, on the test pairs about."""
    return scores(np.random.default_rng(seed).random((1, n_pairs)) < np.array(accuracy)[:, None], accuracy)


def scores(right: np.ndarray, selection: list[float]) -> Scores:
    columns = {"selection": np.array(selection), "accuracy": right.mean(axis=1)}
    return Scores("accuracy", columns, of_means(right, RESAMPLING), right.shape[1])


def peak(at: int, height: float = 0.7, foot: float = 0.5) -> list[float]:
    """Accuracy that rises to one layer and falls again."""
    distance = np.abs(np.arange(N_LAYERS) - at) / max(at, N_LAYERS - 1 - at)
    return (height - (height - foot) * distance).tolist()


def measured(**curves: list[float]) -> dict[Question, Scores]:
    """All experiments, flat at 0.6 but for the templates (or ``template_pos``, ``contrast``) given."""
    found = {}
    for template in TEMPLATES:
        for arithmetic in ARITHMETICS:
            for pos in PARTS_OF_SPEECH:
                accuracy = curves.get(f"{template}_{pos}", curves.get(template, [0.6] * N_LAYERS))
                if arithmetic.standardize == "none":
                    accuracy = curves.get(f"{template}_none", accuracy)
                found[Question("model", "wic", template, arithmetic, pos)] = planted(accuracy)
    if "contrast" in curves:
        found[Question("contrast", "wic", "base")] = planted(curves["contrast"])
    return found


def verdict(findings: list[Finding], words: str) -> str:
    (found,) = [finding.verdict for finding in findings if words in finding.claim]
    return found


def test_the_pattern_of_the_paper_holds():
    findings = findings_of(
        measured(
            base=peak(5, 0.62),
            base_none=peak(5, 0.55),
            repeat=peak(4),
            repeat_verb=peak(4, 0.6),
            repeat_none=peak(4, 0.6),
            repeat_prev=peak(14),
            prompt1=np.linspace(0.5, 0.7, N_LAYERS).tolist(),
            prompt2=np.linspace(0.5, 0.72, N_LAYERS).tolist(),
            prompt2_none=np.linspace(0.5, 0.6, N_LAYERS).tolist(),
            contrast=np.linspace(0.5, 0.7, N_LAYERS).tolist(),
        )
    )
    assert {finding.claim: finding.verdict for finding in findings} == {
        finding.claim: "holds" for finding in findings
    }
    assert len(findings) == 13


def test_the_opposite_pattern_does_not_hold():
    findings = findings_of(
        measured(
            base=peak(12, 0.72),
            repeat=peak(15, 0.62),
            repeat_prev=peak(2),
            prompt1=peak(2),
            prompt2=peak(3),
            contrast=peak(2),
        )
    )
    for words in (
        "Lower layers carry it",
        "read the whole sentence before",
        "Higher layers predict",
        "(prompt1) gathers",
        "(prompt2) gathers",
        "rises monotonically (prompt1)",
        "masked language model",
    ):
        assert verdict(findings, words) == "does not hold", words


def test_flat_curves_tell_nothing():
    findings = findings_of(measured(contrast=[0.6] * N_LAYERS))
    for finding in findings:
        if "monotonically" not in finding.claim:
            assert finding.verdict == "cannot be told", finding


def test_a_prompt_that_falls_within_its_interval_cannot_be_told():
    rising = np.linspace(0.5, 0.7, N_LAYERS)
    right = np.random.default_rng(0).random((1, N_PAIRS)) < rising[:, None]
    right[8] = right[7]
    right[8, [*np.flatnonzero(right[7])[:20], *np.flatnonzero(~right[7])[:18]]] ^= True  # two answers fewer
    found = measured() | {Question("model", "wic", "prompt1"): scores(right, rising.tolist())}
    assert verdict(findings_of(found), "rises monotonically (prompt1)") == "cannot be told"


def test_a_difference_is_that_of_paired_resamples():
    curve = Profile(planted(peak(4)))
    same = difference(curve, 4, curve, 4)
    assert (same.value, same.low, same.high) == (0, 0, 0)
    assert same.is_positive() is None
    gain = difference(curve, 4, curve, 16)
    a, b = curve.scores.resampled[4], curve.scores.resampled[16]
    assert gain.low == pytest.approx(np.percentile(a - b, 2.5))
    assert gain.high == pytest.approx(np.percentile(a - b, 97.5))
    assert gain.is_positive() is True
    assert str(gain) == f"{gain.value:+.3f} [{gain.low:+.3f}, {gain.high:+.3f}]"


def test_a_layer_is_chosen_on_the_development_pairs():
    found = planted(peak(4))
    found.columns["selection"][:] = peak(9)
    assert Profile(found).chosen == 9


@pytest.mark.parametrize("pos", ["all", "noun", "verb"])
def test_published_figures_are_those_released(pos):
    path = DATA / "paper" / "wic_test_accuracy.csv"
    if not path.exists():
        pytest.skip(f"The published figures are not at {path} (REPSTORE_TEST_DATA)")
    with path.open(newline="") as file:
        rows = [row for row in csv.DictReader(file) if row["pos"] == pos]
    settings = {(row["model"], row["template"], row["standardize"]) for row in rows}
    assert settings
    for model, template, standardize in settings:
        expected = [
            float(row["accuracy"])
            for row in rows
            if (row["model"], row["template"], row["standardize"]) == (model, template, standardize)
        ]
        assert published(model, template, standardize, pos).accuracy.tolist() == expected


def test_published_peaks():
    llama, bert = published(LLAMA, "repeat"), published(BERT, "base", "unknown")
    assert (llama.best, llama.n_blocks, bert.best, bert.n_blocks) == (8, 32, 22, 24)
    assert published(LLAMA, "prompt2").n_falls == 13
    assert published(LLAMA, "echo") is None


def test_a_step_that_falls_by_chance_does_not_refute_a_rise():
    """Of thirty intervals one or two exclude 0 by chance; corrected for their number, hardly ever any."""
    random = np.random.default_rng(0)
    verdicts = []
    for seed in range(40):
        right = np.random.default_rng(seed).random((31, 400)) < 0.6
        found = measured() | {Question("model", "wic", "prompt1"): scores(right, random.random(31).tolist())}
        verdicts.append(verdict(findings_of(found), "rises monotonically (prompt1)"))
    assert set(verdicts) <= {"cannot be told", "does not hold"}
    assert verdicts.count("does not hold") <= 8
