"""`Store.probe`: which layers know what, by the names and options of the probes."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_overloads, get_type_hints, overload

from repstore.errors import ArgumentError, NotFoundError, did_you_mean
from repstore.probing import ask_pairs
from repstore.provenance import answered
from repstore.results import ResultTable
from repstore.sense_probing import ask_senses
from repstore.spec import (
    MEMORY,
    Clustering,
    Frame,
    LayerKey,
    Progress,
    SplitBy,
    Standardize,
    Target,
    Threshold,
    TrainedName,
)
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers, Runs
from repstore.trained_questions import Features, ask_matrix, ask_structural, ask_trained

ASK: dict[str, Callable[..., ResultTable]] = {
    **dict.fromkeys(("wic", "pairs"), ask_pairs),
    **dict.fromkeys(("knn-wsd", "centroid-wsd", "wsi"), ask_senses),
    **dict.fromkeys(get_args(TrainedName), ask_trained),
    "structural": ask_structural,
    **dict.fromkeys(("ridge", "abstraction"), ask_matrix),
}
"""What answers each probe."""


class Probes:
    """The probes of a store."""

    _lookup: Lookup

    @overload
    def probe(
        self,
        name: Literal["wic", "pairs"],
        *,
        run: Runs = None,
        run_b: str | None = None,
        layer: Layers = "all",
        target: Target | None = None,
        standardize: Standardize = "corpus",
        threshold: Threshold = "exact",
        pos: str | None = None,
        select_on: str = "dev",
        evaluate_on: str | None = None,
        against: str | int | tuple[str, LayerKey] | None = None,
        resamples: int = 10_000,
        seed: int = 0,
    ) -> ResultTable: ...

    @overload
    def probe(
        self,
        name: Literal["knn-wsd"],
        *,
        run: Runs = None,
        layer: Layers = "all",
        k: int = 1,
        train_on: str | None = None,
        evaluate_on: str | Sequence[str] | None = None,
        standardize: Frame = "corpus",
        pos: str | None = None,
        lemma: str | None = None,
        resamples: int = 10_000,
        seed: int = 0,
    ) -> ResultTable: ...

    @overload
    def probe(
        self,
        name: Literal["centroid-wsd"],
        *,
        run: Runs = None,
        layer: Layers = "all",
        train_on: str | None = None,
        evaluate_on: str | Sequence[str] | None = None,
        standardize: Frame = "corpus",
        pos: str | None = None,
        lemma: str | None = None,
        resamples: int = 10_000,
        seed: int = 0,
    ) -> ResultTable: ...

    @overload
    def probe(
        self,
        name: Literal["wsi"],
        *,
        run: Runs = None,
        layer: Layers = "all",
        method: Clustering = "kmeans",
        evaluate_on: str | Sequence[str] | None = None,
        standardize: Frame = "corpus",
        pos: str | None = None,
        lemma: str | None = None,
        resamples: int = 10_000,
        seed: int = 0,
    ) -> ResultTable: ...

    @overload
    def probe(
        self,
        name: TrainedName,
        *,
        label: str | Path,
        run: Runs = None,
        layer: Layers = "all",
        features: Features = "all",
        edges: str | Sequence[str] | None = None,
        split_by: SplitBy | None = None,
        train_on: str | None = None,
        select_on: str | None = None,
        evaluate_on: str | None = None,
        at_least: int | None = None,
        where: str | None = None,
        sample: int | None = None,
        n_seeds: int = 5,
        seed: int = 0,
        resamples: int = 10_000,
        memory: int = MEMORY,
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> ResultTable: ...

    @overload
    def probe(
        self,
        name: Literal["structural"],
        *,
        run: Runs = None,
        layer: Layers = "all",
        edges: str | None = None,
        rank: int | None = None,
        sample: int | None = None,
        n_seeds: int = 5,
        seed: int = 0,
        resamples: int = 10_000,
        memory: int = MEMORY,
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> ResultTable: ...

    @overload
    def probe(
        self,
        name: Literal["ridge"],
        *,
        matrix: str | Path,
        run: Runs = None,
        layer: Layers = "all",
        split_by: SplitBy | None = "lemma",
        where: str | None = None,
        sample: int | None = None,
        n_seeds: int = 5,
        seed: int = 0,
        resamples: int = 10_000,
        memory: int = MEMORY,
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> ResultTable: ...

    @overload
    def probe(
        self,
        name: Literal["abstraction"],
        *,
        matrix: str | Path,
        run: Runs = None,
        layer: Layers = "all",
        scale: int = 1,
        split_by: SplitBy | None = "lemma",
        where: str | None = None,
        sample: int | None = None,
        n_seeds: int = 5,
        seed: int = 0,
        resamples: int = 10_000,
        memory: int = MEMORY,
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> ResultTable: ...

    def probe(self, name: str, **options: Any) -> ResultTable:
        r"""Ask every layer of runs what it knows of meaning: a score for each, with its interval.

        - ``wic``, ``pairs``: are cosines higher where meanings are closer? Of pairs with labels, the accuracy
          of "same sense if the cosine exceeds a threshold" (and AUC and Spearman's correlation); of pairs
          with ratings, Spearman's and Pearson's correlation. ``wic`` is of labels; ``pairs`` of ratings where
          the corpus has them, else of labels (docs/pairs.md).
        - ``knn-wsd``, ``centroid-wsd``: do the nearest words of the lemma, or the nearest mean of a sense,
          have the sense of the word? Accuracy, and the mean F1 of senses (docs/senses.md).
        - ``wsi``: do clusters of the words of a lemma agree with its senses? (docs/senses.md)
        - ``linear``, ``mlp``, ``mdl``: can a probe that is trained on some words say a label of others?
          Accuracy (of several labels micro-averaged F1), or how far a code by the probe compresses the
          labels; beside a majority, layer 0, and a control task (docs/probing.md)
        - ``structural``: are distances of words those of their tree, under a linear map? UUAS, and the
          correlation of distances
        - ``ridge``: how well does a linear map predict a table of numbers? ``abstraction``: that, beside the
          dimension of each layer

        Intervals are of `resamples` bootstrap resamples of the pairs, words or, of ``wsi``, lemmas
        (`analysis.bootstrap`). Splits are named as the corpus names them; "all" is every pair or word.

        Args:
            name: which probe. It decides the options.
            options: all by keyword. Of all probes:

                - run: a run, or several; not needed if the store has one. Runs over one corpus are scored
                  over the pairs or words with vectors in all of them.
                - layer: a layer, several, or "all"; ``mix:NAME`` is a mix of layers (`repstore.fit_mix`), not
                  among "all". With one, all layers are named by text.
                - standardize: the space in which vectors are compared: ``none``: as stored; ``corpus``,
                  unless given: standardized by all words of the run; of pairs also ``side`` and ``batch30``
                  (`analysis.pairs.similarities`), of senses also ``center``: less the mean of the run.
                - pos: only this part of speech (of pairs: of the first word).
                - resamples: for intervals, 10,000 unless given; 0 for none.
                - seed: decides the resamples, and where k-means starts.

                Of ``wic`` and ``pairs``:

                - run_b: run of the second word of every pair, if it is another.
                - target: ``label`` or ``score``, to decide between them.
                - threshold: ``exact``: the best of all on `select_on`; ``grid``: the first of 0.00, 0.05, ...
                  0.95 that is best there, as Liu et al. 2024 choose it.
                - select_on: split by which the threshold is chosen, "dev" unless given.
                - evaluate_on: split that is scored; "test" for labels and "all" for ratings, unless given.
                - against: also show by how much each row exceeds the same layer of this run, or this layer
                  (a number, or ``mix:NAME``), or this layer of this run, over the same pairs.

                Of ``knn-wsd``, ``centroid-wsd`` and ``wsi``:

                - k (``knn-wsd``): how many nearest words vote, 1 unless given.
                - method (``wsi``): ``kmeans``, unless given, or ``agglomerative``.
                - train_on (not ``wsi``): split of the words whose sense is known; all scored words, unless
                  given. A word is always left out for its own answer.
                - evaluate_on: split that is scored, or several; "all" unless given, "test" beside `train_on`.
                - lemma: only this lemma.

                Of ``linear``, ``mlp`` and ``mdl``:

                - label: what is predicted: a column of words and their texts such as ``sense`` or ``pos``; a
                  table of labels (`corpus.labels.read_labels`); ``pairs``: whether two words are of one
                  sense; ``arcs``: whether words of a text are joined; ``relations``: by which relation.
                - features: what pairs are seen by: ``difference`` \|a - b\|, ``product`` a * b, ``concat``
                  [a; b], ``cosine``, several, or "all".
                - edges: which kind, or several; not needed if the corpus has one.
                - split_by: ``lemma``, unless the label is the word itself or an edge: no lemma is both in
                  training and in the test; or ``text``.
                - train_on, select_on, evaluate_on: splits of the corpus; drawn for each seed, unless given.
                - at_least: leave out classes with fewer examples; unless given, fewer than 5 are refused.
                - where: an SQL condition over the columns of words and their texts.
                - sample: so many examples, drawn with `seed`.
                - n_seeds, seed: 5 seeds from 0 on, unless given. Each draws the split and the control task.
                - memory, progress: most bytes to work in; told how many layers are done.

                Of ``structural``: edges, sample (of sentences), n_seeds, seed, memory, progress as above, and

                - rank: of the linear map, 64 unless given.

                Of ``ridge`` and ``abstraction``: split_by, where, sample, n_seeds, seed, memory, progress as
                above, and

                - matrix: a table of numbers (`corpus.matrices.read_matrix`).
                - scale (``abstraction``): by which neighbors a dimension is seen (`analysis.dimension`).

        Returns:
            One row per run and layer, each with run, layer, the score with its low and high, and best ("best"
            in the run, or "as good": the interval of the difference holds 0). Of

            - labels: threshold, selection (accuracy on `select_on`), accuracy, auc, spearman, majority
              (accuracy of the more frequent answer); of ratings: spearman, pearson; of both: difference,
              difference_low, difference_high (if `against` is given), n_pairs, n_missing (pairs left out
              because a word has no vector). A correlation is null where all cosines are equal.
            - ``knn-wsd``, ``centroid-wsd``: accuracy, macro_f1, baseline (accuracy of the most frequent
              sense), n_words and n_lemmas that are scored, n_unseen (words that no answer can be right for),
              n_monosemous and n_missing (words left out).
            - ``wsi``: ari, v_measure (means of words), macro_ari, macro_v_measure (means of lemmas),
              random_v_measure, n_words, n_lemmas, n_trivial, n_several and n_missing (words left out).
            - ``linear``, ``mlp``, ``mdl``: accuracy, f1 or compression, seeds_low and seeds_high (interval of
              the mean over seeds), majority, layer_0, lemmas_shared (the score if lemmas are not kept apart),
              control (score of the control task), selectivity with its low and high (resamples of lemmas,
              of edges of texts, since a word type has one label in the control task), n_train, n_select,
              n_test, n_classes, n_parameters, and setting (the penalty, or the epoch, that was chosen).
            - ``structural``: uuas, spearman, chain and chain_spearman (words as far apart as in the
              sentence), and the same.
            - ``ridge``: r_squared, r, and the same; ``abstraction``: dimension beside r_squared, and their
              correlations over layers.

        Raises:
            NotFoundError: no such probe, run, layer, split, lemma or part of speech.
            ResultError: the corpus has no such pairs or senses, or none of them has vectors.
            ArgumentError: an option is not one of these, or runs cannot be compared.
        """
        signature = _signature_of(name)
        known = [option for option in signature.parameters if option not in ("self", "name")]
        for option in options:
            if option not in known:
                hint = f"{did_you_mean(option, known)} It has {', '.join(known)}."
                raise ArgumentError(f'The probe "{name}" has no option "{option}". {hint}')
        needed = [
            option for option in known if signature.parameters[option].default is inspect.Parameter.empty
        ]
        for option in needed:
            if option not in options:
                raise ArgumentError(f'The probe "{name}" needs {option}, which is not given.')
        asked = signature.bind(self, name, **options)
        asked.apply_defaults()

        def answer(name: str, **options: Any) -> ResultTable:
            return ASK[name](self._lookup, name, **options)

        return answered(self._lookup, "probe", {"name": name, **asked.kwargs}, answer)


def _signature_of(name: str) -> inspect.Signature:
    """The options of a probe and what they are unless given, as the overloads of `Probes.probe` say it."""
    names: list[str] = []
    for overloaded in get_overloads(Probes.probe):
        here = get_args(get_type_hints(overloaded)["name"])
        if name in here:
            return inspect.signature(overloaded)
        names += here
    raise NotFoundError(f'No probe "{name}". {did_you_mean(str(name), names)}')
