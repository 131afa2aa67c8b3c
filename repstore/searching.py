"""`Store.neighbors`: the words nearest to a word, at some layers of a run."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, get_args

import numpy as np
import pyarrow as pa

from repstore.analysis.graph import DENSITY_K, densities
from repstore.analysis.neighbors import Found, nearest
from repstore.analysis.sketched import Candidates, nearest_by_sketch
from repstore.analysis.space import space_of
from repstore.analysis.trajectories import NOTE_CHANGE, changes, dominance
from repstore.errors import ArgumentError, NotFoundError, StoreDamagedError, check_choice
from repstore.queries import Query, WordGiven, query_of
from repstore.results import Figure, ResultTable
from repstore.spec import Frame, IndexInfo, LayerKey, Metric, Search, is_mix, layer_number
from repstore.storage.index import EXACT_UP_TO, read_index_info, read_sketch
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers, Run

UNITS = {"cosine": "-1 to 1", "l2": "distance", "csls": "-4 to 4"}


def check_neighborhood(k: int, metric: Metric, standardize: Frame) -> None:
    """Refuse what is no number of neighbors, no metric or no space.

    Raises:
        ArgumentError: one of them cannot be used.
    """
    if not isinstance(k, int | np.integer):
        raise ArgumentError(f"k is {k}; ask for a whole number of neighbors.")
    if k < 1:
        raise ArgumentError(f"k is {k}; ask for at least 1 neighbor.")
    check_choice("metric", metric, get_args(Metric))
    check_choice("standardize", standardize, get_args(Frame))


@dataclass(frozen=True, slots=True)
class NeighborSearch:
    """What neighbors are asked for.

    Attributes:
        k: how many.
        metric: what near means.
        standardize: the space in which vectors are compared.
        where: an SQL condition on the words that may be found.
        other_lemmas, other_texts: not words of the same lemma, or of the same text.
        search: ``exact``: all words are scanned; ``index``: by an index; ``auto``: whichever fits.
    """

    k: int
    metric: Metric
    standardize: Frame
    where: str | None
    other_lemmas: bool
    other_texts: bool
    search: Search

    def __post_init__(self) -> None:
        check_neighborhood(self.k, self.metric, self.standardize)
        check_choice("search", self.search, get_args(Search))
        if self.search == "index" and (self.is_filtered or self.metric != "cosine"):
            raise ArgumentError(
                "An index finds cosines among all words. Filtered or by another metric, search exactly."
            )

    @property
    def is_filtered(self) -> bool:
        """Whether not all words may be found."""
        return self.where is not None or self.other_lemmas or self.other_texts


def find_neighbors(
    lookup: Lookup,
    run: Run,
    given: WordGiven,
    layer: Layers,
    text: str | None,
    sense: str | None,
    asked: NeighborSearch,
) -> ResultTable:
    """The neighbors of a word at some layers, as `Store.neighbors` returns them."""
    layers = run.layers(layer)
    query = query_of(lookup, run, given, layers, text, sense)
    allowed = _allowed(lookup, run, query, asked)
    rows: list[dict[str, Any]] = []
    searches: list[str] = []
    notes: list[str] = []
    cut_at: list[LayerKey] = []
    for n, one in enumerate(layers):
        found, how, note = _search(run, one, query.at(n, one), query.row, allowed, asked)
        searches.append(how)
        notes += note
        scores = found.scores.tolist()
        if len(scores) > asked.k and scores[asked.k - 1] == scores[asked.k]:
            cut_at.append(one)
        word_ids = run.vectors.word_ids[found.rows].tolist()
        ranked = enumerate(zip(word_ids[: asked.k], scores[: asked.k], strict=True), 1)
        rows += [
            {"layer": one, "rank": rank, asked.metric: score, "word_id": word_id}
            for rank, (word_id, score) in ranked
        ]
    table = lookup.with_words(rows) if rows else _empty(asked.metric, layers)
    if len(layers) > 1:
        table = table.append_column("change", pa.array(changes(rows, layers), pa.string()))
        certain = [one for one in layers if one not in cut_at and not asked.other_lemmas and not is_mix(one)]
        notes = [*dominance(table.to_pylist(), certain, query.word), NOTE_CHANGE, *notes]
    if not rows:
        notes.append("No other word fits.")
    if cut_at:
        notes.append(
            f"At layer {', '.join(map(str, cut_at))} other words are as near as the last one shown (at layer "
            "0 all words of a form are alike); the first by word_id are shown."
        )
    return ResultTable(
        table,
        f"Neighbors of {query.title} in {run.label}" + _how(asked),
        units={asked.metric: UNITS[asked.metric]},
        provenance={
            "run": run.info.run_id,
            "word_id": query.word.get("word_id"),
            "lemma": query.word.get("lemma"),
            "sense": query.word.get("sense"),
            "layers": layers,
            "k": asked.k,
            "metric": asked.metric,
            "standardize": asked.standardize,
            "where": asked.where,
            "search": searches,
            "tied_layers": cut_at,
        },
        figure=Figure("trajectory", "layer", "rank") if len(layers) > 1 else None,
        notes=list(dict.fromkeys(notes)),
    )


def _allowed(lookup: Lookup, run: Run, query: Query, asked: NeighborSearch) -> np.ndarray | None:
    """Which rows may be found; None for all. *Shape:* (n_words,), bool."""
    if not asked.is_filtered:
        if query.row is None:
            return None
        allowed = np.ones(len(run.vectors.word_ids), bool)
    else:
        if asked.other_lemmas and query.row is None:
            raise ArgumentError(
                "A vector or a new word has no lemma that others could differ from. Use where."
            )
        if asked.other_texts and "text" not in query.word:
            raise ArgumentError("A vector has no text that others could differ from.")
        own = {
            "not_lemma": query.word["lemma"] or query.word["form"] if asked.other_lemmas else None,
            "not_text": query.word["text"] if asked.other_texts else None,
        }
        rows = run.vectors.rows(lookup.matching(run, asked.where, **own))
        allowed = np.zeros(len(run.vectors.word_ids), bool)
        allowed[rows[rows >= 0]] = True
    if query.row is not None:
        allowed[query.row] = False
    return allowed


def _search(
    run: Run,
    layer: LayerKey,
    vector: np.ndarray,
    row: int | None,
    allowed: np.ndarray | None,
    asked: NeighborSearch,
) -> tuple[Found, str, list[str]]:
    """What is found, how, and what a reader has to know of that. One more than asked for: is it as near?"""
    vectors = run.vectors.layer(layer)
    space = space_of(vectors, asked.standardize)
    candidates, info = None, None
    notes: list[str] = []
    if not asked.is_filtered and asked.metric == "cosine":
        candidates, info, notes = _index_of(run, layer, asked)
    if candidates is not None and info is not None:
        recall = info.recall
        n_candidates = info.n_candidates * -(-asked.k // recall.k)  # as many for a neighbor as were measured
        found, scanned = nearest_by_sketch(
            vectors, space, vector, asked.k + 1, candidates, n_candidates, exclude=row
        )
        if scanned:
            return found, "exact", notes
        notes.append(
            f"Layer {layer} was searched by its {info.kind} index: recall@{recall.k} {recall.recall:.3f}, "
            f"measured on {recall.n_queries} words held out; cosines are exact."
        )
        return found, info.kind, notes
    hubs = None
    if asked.metric == "csls":
        hubs = vectors.remembered(("densities", space.frame), lambda: densities(vectors, space))
    found = nearest(vectors, space, vector, asked.k + 1, metric=asked.metric, allowed=allowed, hubs=hubs)
    if hubs is None:
        return found, "exact", notes
    around = hubs[row] if row is not None else nearest(vectors, space, vector, DENSITY_K).scores.mean()
    return Found(found.rows, found.scores - around), "exact", notes


def _index_of(
    run: Run, layer: LayerKey, asked: NeighborSearch
) -> tuple[Candidates | None, IndexInfo | None, list[str]]:
    """The index to use, if it is asked for or chosen, and is sound and current."""
    if run.transform is not None:
        if asked.search == "index":
            raise ArgumentError(
                f'Indexes are of vectors as stored, not through "{run.transform}". Search exactly.'
            )
        return None, None, []
    number = layer_number(layer)
    if number is None:
        if asked.search == "index":
            raise ArgumentError(f"Indexes are of stored layers, not of {layer}. Search exactly.")
        return None, None, []
    n_words = len(run.vectors.word_ids)
    if asked.search == "exact" or (asked.search == "auto" and n_words <= EXACT_UP_TO):
        return None, None, []
    kind = " --kind rabitq" if n_words <= EXACT_UP_TO else ""  # auto builds none of so few
    command = (
        f'Build one with "repstore index build --layer {layer} --standardize {asked.standardize}{kind}".'
    )
    try:
        info = read_index_info(run.folder, number, asked.standardize)
        if info is not None and info.is_of(run.parts):
            return _opened(run, info), info, []
        state = "has no index in this space" if info is None else "has an index of other parts (stale)"
    except StoreDamagedError as error:
        state = f"has a damaged index ({str(error).rstrip('.')})"
    if asked.search == "index":
        raise NotFoundError(f"Layer {layer} of {run.label} {state}. {command}")
    return None, None, [f"Layer {layer} {state}, so all words were scanned. {command}"]


def _opened(run: Run, info: IndexInfo) -> Candidates:
    """An index, as `nearest_by_sketch` asks it; read and checked once, and kept as long as the layer is.

    Raises:
        StoreDamagedError: it is not what was written.
    """
    layer = run.vectors.layer(info.layer)
    return layer.remembered(("index", info.sha256), lambda: read_sketch(run.folder, info)).candidates


def _empty(metric: Metric, layers: Sequence[LayerKey]) -> pa.Table:
    """No neighbors, in the columns of those."""
    columns = [
        ("layer", pa.array(layers).type),
        ("rank", pa.int64()),
        (metric, pa.float64()),
        ("word_id", pa.int64()),
    ]
    columns += [(name, pa.string()) for name in ("form", "lemma", "pos", "sense", "text")]
    columns += [("char_start", pa.int64()), ("char_end", pa.int64())]
    return pa.schema(columns).empty_table()


def _how(asked: NeighborSearch) -> str:
    parts = [f"standardize {asked.standardize}"] if asked.standardize != "none" else []
    parts += [f"where {asked.where}"] if asked.where is not None else []
    parts += ["other lemmas"] if asked.other_lemmas else []
    parts += ["other texts"] if asked.other_texts else []
    return f" ({'; '.join(parts)})" if parts else ""
