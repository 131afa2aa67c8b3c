"""How alike layers are, and how the vectors of a layer lie, as a store answers for them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from repstore.comparing import compare_layers
from repstore.geometry import Measures, Measuring, measure_layers, measures_of
from repstore.outside import compare_with
from repstore.provenance import question
from repstore.results import ResultTable
from repstore.similarities import Comparison
from repstore.spec import MEMORY, Correlation, Estimator, Frame, Progress, Similarity
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers, Runs


class Comparisons:
    """What a store says about the geometry of layers."""

    _lookup: Lookup

    @question
    def compare(
        self,
        metric: Similarity = "cka",
        *,
        run: Runs = None,
        layer: Layers = "all",
        standardize: Frame = "none",
        k: int | None = None,
        estimator: Estimator | None = None,
        bandwidth: float | None = None,
        correlation: Correlation | None = None,
        where: str | None = None,
        sample: int | None = 2000,
        seed: int = 0,
        memory: int = MEMORY,
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> ResultTable:
        """Similarity of every layer of a run with every layer of it, or of another run (docs/geometry.md).

        Args:
            metric: what alike means:

                - ``cka``: linear centered kernel alignment (`analysis.cka`);
                - ``rbf-cka``: the same with a Gaussian kernel;
                - ``rsa``: correlation of the cosines of all pairs of words (`analysis.rsa`);
                - ``svcca``, ``pwcca``: canonical correlations, plain or weighted by layer_a (`analysis.cca`);
                - ``procrustes``: similarity after the best rotation (`analysis.procrustes`);
                - ``knn``: the share of their k nearest neighbors that words have in common
                  (`analysis.overlap`);
                - ``ridge``: how well layer_b can be predicted from layer_a, as cross-validated R²
                  (`analysis.ridge`).
            run: a run, whose layers are compared with one another; or two, the first against the second, over
                the words that have vectors in both. Not needed if the store has one.
            layer: a layer, several, or "all"; of both runs.
            standardize: the space in which vectors are compared.
            k: neighbors of each word, for ``knn``; 10 unless given.
            estimator: ``unbiased``, unless given, or ``biased``: of HSIC, for ``cka`` and ``rbf-cka``. The
                biased one is high for few words, whatever the layers hold.
            bandwidth: of the Gaussian kernel, as a multiple of the median distance of words, for
                ``rbf-cka``; 1 unless given.
            correlation: ``spearman``, unless given, or ``pearson``, for ``rsa``.
            where: only words for which this SQL condition holds, over the columns of words and texts, such
                as ``pos = 'N' AND position > 0``.
            sample: compare over this many words, drawn with `seed`; None for all.
            seed: decides the sample, and the folds of ``ridge``.
            memory: bytes to work in.
            progress: told how far this is.

        Returns:
            One row per pair of layers: layer_a, layer_b, the metric, and best: whether layer_a is, of all its
            run, the most like layer_b (of one run: the most like of the other layers).

        Raises:
            NotFoundError: no such metric, run or layer.
            ArgumentError: an option of another metric is given.
            ResultError: too few words, none in common, or `memory` does not suffice.
            QueryError: `where` is not a condition on words.
        """
        asked = Comparison(
            metric, standardize, k, estimator, bandwidth, correlation, sample, seed, memory, where
        )
        return compare_layers(self._lookup, self._lookup.several(run), layer, asked, progress)

    @question
    def compare_with(
        self,
        table: str | Path,
        *,
        run: Runs = None,
        layer: Layers = "all",
        standardize: Frame = "none",
        where: str | None = None,
    ) -> ResultTable:
        """How far the cosines of each layer agree with similarities from elsewhere (`analysis.external`).

        Args:
            table: a CSV, TSV or Parquet file with columns word_a, word_b and similarity. Words are word_ids,
                or forms or lemmas as they are written; such a word is the mean vector of its uses in the run.
            run: a run, or several; not needed if the store has one.
            layer: a layer, several, or "all".
            standardize: the space in which vectors are compared.
            where: only words for which this SQL condition holds, as for `compare`.

        Returns:
            One row per run and layer: run, layer, spearman, pearson, n_pairs, and n_missing: pairs of the
            table of which the run lacks a word.

        Raises:
            CorpusError: the file cannot be read as such a table.
            NotFoundError: no such run or layer.
            ResultError: fewer than 3 of its pairs are there.
        """
        return compare_with(self._lookup, self._lookup.several(run), layer, Path(table), standardize, where)

    @question
    def geometry(
        self,
        measure: Measures = ("anisotropy", "norms", "rank"),
        *,
        run: Runs = None,
        layer: Layers = "all",
        standardize: Frame = "none",
        where: str | None = None,
        sample: int | None = 10_000,
        resamples: int = 200,
        seed: int = 0,
        memory: int = MEMORY,
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> ResultTable:
        """How the word vectors of each layer lie (docs/geometry.md).

        Args:
            measure: one, several, or "all":

                - ``anisotropy``: mean cosine of two words, with and without outlier dimensions;
                - ``outliers``: these dimensions, and their share of the squared norm;
                - ``norms``: mean, standard deviation, least, median and largest L2 norm;
                - ``rank``: effective rank and participation ratio (`analysis.spectrum`);
                - ``isotropy``: IsoScore (`analysis.spectrum`);
                - ``dimension``: intrinsic dimension at three scales, with bands (`analysis.dimension`);
                - ``self-similarity``, ``intra-sentence``, ``explained-variance``: of the uses of a form and
                  of the words of a text, as Ethayarajh 2019 (`analysis.contextuality`);
                - ``uniformity``, ``alignment``: as Wang & Isola 2020 (`analysis.uniformity`), aligned being
                  words of one sense: as annotated, or joined by pairs labelled so;
                - ``separability``: variance between senses, and their silhouette (`analysis.separability`).
            run: a run, or several; not needed if the store has one. Those over one corpus are measured over
                the words with vectors in all of them.
            layer: a layer, several, or "all".
            standardize: the space in which vectors are taken.
            where: only words for which this SQL condition holds, as for `compare`.
            sample: over this many words of each run, drawn with `seed`; None for all.
            resamples: for the bands of the intrinsic dimension; 0 for none.
            seed: decides the sample, the bands, and the random words that are compared with.
            memory: bytes to work in.
            progress: told how many layers are done.

        Returns:
            One row per run and layer: run, layer, depth (layer / last layer), and the columns of the
            measures; null where there is no value, for a reason in the notes.

        Raises:
            NotFoundError: no such run or layer.
            ArgumentError: no such measure.
            ResultError: no word meets the condition, or `memory` does not suffice.
            QueryError: `where` is not a condition on words.
        """
        asked = Measuring(measures_of(measure), standardize, sample, resamples, seed, memory, where)
        return measure_layers(self._lookup, self._lookup.several(run), layer, asked, progress)
