"""What Liu et al. 2024 measured, asked of a store: every score of every layer.

Source: Liu, Kong, Liu, Sun, Findings of ACL 2024 (arXiv 2403.01509), sections 3 and 4, and the code released
with it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from typing import Literal

from repstore.analysis.bootstrap import Resampling
from repstore.analysis.scoring import Scores
from repstore.pair_scores import PairProbe, pairs_in_use, scores_of
from repstore.spec import Progress, Standardize, Threshold
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Run

TEMPLATES = ("base", "repeat", "repeat_prev", "prompt1", "prompt2")

PROMPTS_WITH_COLON = {
    "prompt1_colon": 'The "{lemma}" in this sentence:"{text}" means in one word : "',
    "prompt2_colon": 'In this sentence:"{text}", "{lemma}" means in one word : "',
}
"""How the released code renders the second sentence of a pair; the first has no colon."""

PARTS_OF_SPEECH = {"all": None, "noun": "N", "verb": "V"}

Corpus = Literal["wic", "rawc"]
Role = Literal["model", "contrast"]


@dataclass(frozen=True, slots=True)
class Arithmetic:
    """How cosines are made and judged."""

    name: str
    standardize: Standardize
    threshold: Threshold


SOUND = Arithmetic("corpus, exact", "corpus", "exact")
PAPER = Arithmetic("batch30, grid", "batch30", "grid")
UNSTANDARDIZED = Arithmetic("none, grid", "none", "grid")
ARITHMETICS = (SOUND, PAPER, UNSTANDARDIZED)
"""The default of repstore, and the two of the paper."""


@dataclass(frozen=True, slots=True)
class Question:
    """What is asked of all layers of a run: their scores over pairs of a corpus, by some arithmetic."""

    role: Role
    corpus: Corpus
    template: str
    arithmetic: Arithmetic = SOUND
    pos: str = "all"


Runs = Mapping[tuple[Role, Corpus, str], str]
"""The run_id of every role, corpus and template."""


def questions_of(runs: Runs) -> Iterator[Question]:
    """Everything that can be asked of these runs."""
    for role, corpus, template in runs:
        for arithmetic in ARITHMETICS:
            for pos in PARTS_OF_SPEECH if corpus == "wic" else ("all",):
                yield Question(role, corpus, template, arithmetic, pos)


def measure(
    lookup: Lookup, runs: Runs, resampling: Resampling, progress: Callable[[Progress], None]
) -> dict[Question, Scores]:
    """Answer every question: the scores of all layers.

    All questions about the same pairs see the same resamples, so that any two can be compared pair by pair.

    Args:
        lookup: of the store.
        runs: what to ask. A template that ends in ``_colon`` is a run of second words only.
        resampling: of the intervals.
        progress: told how many questions are answered.
    """
    opened = {key: lookup.run(run_id) for key, run_id in runs.items()}
    found = {}
    questions = list(questions_of(runs))
    for n, question in enumerate(questions):
        progress(Progress("Asking the store", n, len(questions), unit="questions"))
        everything = [run for (_, corpus, _), run in opened.items() if corpus == question.corpus]
        asked = PairProbe(
            target="label" if question.corpus == "wic" else "score",
            standardize=question.arithmetic.standardize,
            threshold=question.arithmetic.threshold,
            select_on="dev",
            evaluate_on=None,
            pos=PARTS_OF_SPEECH[question.pos],
            resampling=resampling,
        )
        pairs = pairs_in_use(lookup, everything, asked)
        first, second = _sides(opened, question)
        found[question] = scores_of(pairs, first, second, first.layers("all"), asked)
    return found


def _sides(opened: Mapping[tuple[Role, Corpus, str], Run], question: Question) -> tuple[Run, Run | None]:
    """The runs of the first and of the second words."""
    of_second = opened[question.role, question.corpus, question.template]
    if question.template not in PROMPTS_WITH_COLON:
        return of_second, None
    plain = question.template.removesuffix("_colon")
    return opened[question.role, question.corpus, plain], of_second
