"""The neighbors of words, and of all words at once, as a store answers for them."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import pyarrow as pa

from repstore.analysis.graph import NeighborGraph, neighbor_graph
from repstore.analysis.hubness import hubness
from repstore.analysis.space import space_of
from repstore.provenance import question
from repstore.queries import WordGiven
from repstore.results import Figure, ResultTable
from repstore.searching import UNITS, NeighborSearch, check_neighborhood, find_neighbors
from repstore.spec import Frame, LayerKey, Metric, Progress, Search
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers
from repstore.storage.vectors import LayerVectors


class Neighborhoods:
    """What a store says about neighbors."""

    _lookup: Lookup

    @question
    def neighbors(
        self,
        word: WordGiven = None,
        *,
        layer: Layers,
        run: str | None = None,
        k: int = 10,
        text: str | None = None,
        sense: str | None = None,
        metric: Metric = "cosine",
        standardize: Frame = "none",
        where: str | None = None,
        other_lemmas: bool = False,
        other_texts: bool = False,
        search: Search = "auto",
    ) -> ResultTable:
        """The words of a run nearest to one word.

        The search is exact (in the order of float64, what is equal in the order of word_id), unless the layer
        has more than 200,000 words and an index (`repstore.build_index`), or `search` asks for it; then the
        recall measured for the index is in the notes. A filtered search is exact.

        Args:
            word: a word_id; a form or lemma with one use (`text` and `sense` narrow it down); a vector in the
                coordinates of the layer, or one for each layer (*Shape:* (d_model,) or (n_layers, d_model));
                or a word of a new text, from `repstore.encode_word`.
            layer: a layer, several, or "all": then the answer is the trajectory of the word.
            run: a run; not needed if the store has one.
            k: neighbors per layer.
            text: part of the text of the word.
            sense: sense of the word.
            metric: ``cosine``; ``l2``, the distance; ``csls``, the cosine less how near everything is to
                either word (Conneau et al. 2018), which takes a search for every word of the layer at first.
            standardize: compare vectors as stored (``none``), less the mean of the run (``center``), or as
                z-scores over the run (``corpus``).
            where: an SQL condition on the words that may be found, over the columns of words and texts, such
                as ``pos = 'N' AND lemma <> 'bank'``.
            other_lemmas: only words of other lemmas.
            other_texts: only words of other texts.
            search: ``exact``, ``index``, or ``auto`` as said above.

        Returns:
            One row per layer and rank: layer, rank, the metric, word_id, form, lemma, pos, sense, text,
            char_start, char_end; of several layers also change: "enters" (not a neighbor at the layer
            before), "leaves" (not at the next), "passes" (both). Notes say at which layer words of the same
            sense first are more than half of the neighbors.

        Raises:
            NotFoundError: no such run, layer or word, no vector of it, or no index where one is asked for.
            SeveralWordsError: several uses fit; it lists them.
            QueryError: `where` is not a condition on words.
        """
        asked = NeighborSearch(k, metric, standardize, where, other_lemmas, other_texts, search)
        return find_neighbors(self._lookup, self._lookup.run(run), word, layer, text, sense, asked)

    @question
    def neighbors_graph(
        self,
        *,
        layer: LayerKey,
        run: str | None = None,
        k: int = 10,
        metric: Metric = "cosine",
        standardize: Frame = "none",
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> ResultTable:
        """The neighbors of every word of a layer, in bounded memory.

        Args:
            layer: which layer.
            run: a run; not needed if the store has one.
            k: neighbors of each word; fewer if there are fewer other words.
            metric, standardize: as for `neighbors`.
            progress: told how many words are done.

        Returns:
            One row per word and rank: word_id, rank, neighbor (its word_id), and the metric, float32. A note
            says how uneven the neighbors are (`hubness`).

        Raises:
            NotFoundError: no such run or layer.
        """
        check_neighborhood(k, metric, standardize)
        opened = self._lookup.run(run)
        graph = _graph(opened.vectors.layer(opened.layer(layer)), k, metric, standardize, progress)
        word_ids = opened.vectors.word_ids
        table = pa.table(
            {
                "word_id": np.repeat(word_ids, graph.k),
                "rank": np.tile(np.arange(1, graph.k + 1), graph.n_words),
                "neighbor": word_ids[graph.rows.reshape(-1)],
                metric: graph.scores.reshape(-1),
            }
        )
        of_graph = hubness(graph)
        return ResultTable(
            table,
            f"Neighbors of all {graph.n_words:,} words of layer {layer} in {opened.label}",
            units={metric: UNITS[metric]},
            provenance={
                "run": opened.info.run_id,
                "layer": layer,
                "k": k,
                "metric": metric,
                "standardize": standardize,
            },
            notes=[
                f"Hubness: skewness {of_graph.skewness:.2f} of how often a word is a neighbor; at most "
                f"{of_graph.largest:,} times, and {of_graph.anti_hubs:.1%} of the words never."
            ],
        )

    @question
    def hubness(
        self,
        *,
        run: str | None = None,
        layer: Layers = "all",
        k: int = 10,
        metric: Metric = "cosine",
        standardize: Frame = "none",
        progress: Callable[[Progress], None] = lambda _: None,
    ) -> ResultTable:
        """How unevenly words are neighbors of others, layer by layer (Radovanovic et al. 2010).

        Hubs, which are near everything, spoil lists of neighbors, and anisotropic spaces have them;
        standardizing and CSLS lessen them.

        Args:
            run: a run; not needed if the store has one.
            layer: a layer, several, or "all".
            k: neighbors of each word.
            metric, standardize: as for `neighbors`.
            progress: told how many words of a layer are done.

        Returns:
            One row per layer: run, layer, skewness (of the number of words that a word is a neighbor of; null
            if all are alike), largest (the most), anti_hubs (share of words that are no neighbor), n_words.

        Raises:
            NotFoundError: no such run or layer.
        """
        check_neighborhood(k, metric, standardize)
        opened = self._lookup.run(run)
        layers = opened.layers(layer)
        found = [
            hubness(_graph(opened.vectors.layer(one), k, metric, standardize, progress)) for one in layers
        ]
        n_layers = len(layers)
        columns = {
            "run": pa.array([opened.label] * n_layers),
            "layer": pa.array(layers),
            "skewness": pa.array([of.skewness for of in found], pa.float64(), from_pandas=True),
            "largest": pa.array([of.largest for of in found]),
            "anti_hubs": pa.array([of.anti_hubs for of in found]),
            "n_words": pa.array([len(opened.vectors.word_ids)] * n_layers),
        }
        return ResultTable(
            pa.table(columns),
            f"Hubness of {opened.label}: {k} neighbors by {metric}, standardize {standardize}",
            units={"skewness": "of the k-occurrence", "anti_hubs": "share of words"},
            provenance={"run": opened.info.run_id, "k": k, "metric": metric, "standardize": standardize},
            figure=Figure("curve", "layer", "skewness", "run"),
        )


def _graph(
    vectors: LayerVectors,
    k: int,
    metric: Metric,
    standardize: Frame,
    progress: Callable[[Progress], None],
) -> NeighborGraph:
    return neighbor_graph(vectors, space_of(vectors, standardize), k, metric=metric, progress=progress)
