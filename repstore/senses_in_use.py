"""The words with a sense that a question is about, by lemma."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import get_args

import numpy as np

from repstore.analysis.bootstrap import Resampling
from repstore.analysis.clustering import Clusters
from repstore.analysis.lemmas import Lemma, lemmas_of
from repstore.analysis.wsd import Centroids, Nearest
from repstore.corpus.source import SEVERAL
from repstore.errors import ArgumentError, NotFoundError, ResultError, check_choice, did_you_mean
from repstore.spec import Clustering, Frame
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Run
from repstore.storage.pairs import ALL
from repstore.storage.senses import FoundSenses


@dataclass(frozen=True, slots=True)
class SenseProbe:
    """What is asked of the words of a corpus that have a sense.

    Attributes:
        rule: how a word is given a sense, or a cluster.
        train_on: split of the words whose sense is known; None: those that are scored, each left out for
            its own answer.
        evaluate_on: splits that are scored.
        standardize: the space of the comparison (`analysis.space`).
        pos, lemma: only words of this part of speech, or lemma.
        resampling: of the intervals.
    """

    rule: Nearest | Centroids | Clusters
    train_on: str | None
    evaluate_on: tuple[str, ...]
    standardize: Frame
    pos: str | None
    lemma: str | None
    resampling: Resampling

    def __post_init__(self) -> None:
        check_choice("standardize", self.standardize, get_args(Frame))
        if isinstance(self.rule, Clusters):
            check_choice("method", self.rule.method, get_args(Clustering))
        for name, number in (("resamples", self.resampling.n), ("seed", self.resampling.seed)):
            if number < 0:
                raise ArgumentError(f"{name} is {number}; it must not be negative.")
        if not self.evaluate_on:
            raise ArgumentError("No split to evaluate on is given. Give at least one.")


@dataclass(frozen=True, eq=False)
class SensesInUse:
    """The words of a question that have vectors in all its runs.

    Attributes:
        word_ids: *Shape:* (n_words,), int64.
        lemmas: those that are scored; their words are places in `word_ids`.
        n_settled: words left out as there is nothing to decide: of lemmas with one sense, and, if they are
            clustered, of lemmas with a sense for every word.
        n_missing: words left out as they have no vector in one of the runs.
        n_several: words left out of clusters, as they have several senses.
    """

    word_ids: np.ndarray
    lemmas: Sequence[Lemma]
    n_settled: int
    n_missing: int
    n_several: int

    @property
    def n_scored(self) -> int:
        """Words that are scored."""
        return sum(len(lemma.scored) for lemma in self.lemmas)

    @property
    def scored(self) -> np.ndarray:
        """Which these are, by word_id. *Shape:* (n_scored,), int64."""
        places = np.concatenate([lemma.words[lemma.scored] for lemma in self.lemmas])
        word_ids: np.ndarray = self.word_ids[places]
        return word_ids


def senses_in_use(lookup: Lookup, runs: Sequence[Run], asked: SenseProbe) -> SensesInUse:
    """The words of the corpus that all `runs` are over, as far as all of them have vectors.

    Raises:
        NotFoundError: no such split, part of speech or lemma.
        ResultError: the corpus has no senses, no word has a vector, or no lemma has several senses.
    """
    corpus = runs[0].info.corpus
    found, is_scored, trains = _asked_for(lookup.senses(runs[0]), corpus, asked)
    n_several = 0
    if isinstance(asked.rule, Clusters):
        several = np.array([SEVERAL in sense for sense in found.senses])
        n_several = int((is_scored & several).sum())
        is_scored = trains = is_scored & ~several
    wanted = is_scored | trains
    there = np.logical_and.reduce([run.vectors.rows(found.word_ids) >= 0 for run in runs])
    if not (is_scored & there).any():
        labels = ", ".join(dict.fromkeys(run.label for run in runs))
        raise ResultError(f"No word that is asked for has a vector in {labels}. Finish their ingest.")
    kept = found.where(wanted & there)
    names = list(zip(kept.lemmas.tolist(), kept.pos.tolist(), strict=True))
    lemmas = lemmas_of(names, kept.senses.tolist(), trains[wanted & there], is_scored[wanted & there])
    open_ones = [lemma for lemma in lemmas if not _is_settled(lemma, asked)]
    if not open_ones:
        raise ResultError(
            f'No lemma of "{corpus}" that is asked for has several senses: nothing to tell apart.'
        )
    n_settled = sum(len(lemma.scored) for lemma in lemmas) - sum(len(lemma.scored) for lemma in open_ones)
    return SensesInUse(kept.word_ids, open_ones, n_settled, int((wanted & ~there).sum()), n_several)


def _is_settled(lemma: Lemma, asked: SenseProbe) -> bool:
    one_each = isinstance(asked.rule, Clusters) and len(lemma.senses) == len(lemma.words)
    return lemma.is_monosemous or one_each


def _asked_for(
    found: FoundSenses, corpus: str, asked: SenseProbe
) -> tuple[FoundSenses, np.ndarray, np.ndarray]:
    """The words of a part of speech and lemma, which of them are scored, and which train.

    *Shape of the last two:* (n_words,), bool.
    """
    known = {*found.splits.tolist()} - {None} | {ALL}
    for split in (*asked.evaluate_on, *([asked.train_on] if asked.train_on is not None else [])):
        if split not in known:
            hint = did_you_mean(split, known)
            if known == {ALL}:
                hint = f'They are in no split: evaluate on "{ALL}".'
            raise NotFoundError(f'Corpus "{corpus}" has no words with senses in split "{split}". {hint}')
    for column, value, name in (("pos", asked.pos, "part of speech"), ("lemmas", asked.lemma, "lemma")):
        if value is None:
            continue
        values = getattr(found, column)
        if value not in values:
            hint = did_you_mean(value, {*values.tolist()} - {None})
            raise NotFoundError(f'No word with a sense in "{corpus}" has {name} "{value}". {hint}')
        found = found.where(values == value)
    is_scored = _in_splits(found, asked.evaluate_on)
    if not is_scored.any():
        named = " and ".join(f'"{value}"' for value in (asked.pos, asked.lemma) if value is not None)
        raise NotFoundError(f"No word with a sense of {named} is in split {', '.join(asked.evaluate_on)}.")
    trains = is_scored if asked.train_on is None else _in_splits(found, [asked.train_on])
    return found, is_scored, trains


def _in_splits(found: FoundSenses, splits: Sequence[str]) -> np.ndarray:
    """*Shape:* (n_words,), bool."""
    if ALL in splits:
        return np.ones(len(found.word_ids), bool)
    return np.isin(found.splits.astype(str), splits)
