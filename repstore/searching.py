"""`Store.neighbors`: the words nearest to a word, at some layers of a run."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, SupportsIndex, get_args
from weakref import WeakKeyDictionary

import numpy as np

from repstore.analysis.graph import densities
from repstore.analysis.neighbors import Found, nearest
from repstore.analysis.sketched import Candidates, nearest_by_sketch
from repstore.analysis.space import Space, space_of
from repstore.errors import ArgumentError, NotFoundError, StoreDamagedError, did_you_mean
from repstore.indexing import EXACT_UP_TO, open_index
from repstore.results import Figure, ResultTable
from repstore.spec import EncodedWord, Frame, IndexInfo, Metric, Search
from repstore.storage.index import is_current, read_index_info
from repstore.storage.lookup import Lookup, Run
from repstore.storage.vectors import LayerVectors

Layers = int | Iterable[int] | Literal["all"]
WordGiven = str | SupportsIndex | np.ndarray | EncodedWord | None

UNITS = {"cosine": "-1 to 1", "l2": "distance", "csls": "-4 to 4"}
NOTE_CHANGE = (
    "change: enters: not among them at the layer before; leaves: not among them at the next; passes: both."
)


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
        if self.k < 1:
            raise ArgumentError(f"k is {self.k}; ask for at least 1 neighbor.")
        for option, value, known in (
            ("metric", self.metric, get_args(Metric)),
            ("standardize", self.standardize, get_args(Frame)),
            ("search", self.search, get_args(Search)),
        ):
            if value not in known:
                raise ArgumentError(f'No {option} "{value}". {did_you_mean(str(value), known)}')
        if self.search == "index" and (self.is_filtered or self.metric != "cosine"):
            raise ArgumentError(
                "An index finds cosines among all words. Filtered or by another metric, search exactly."
            )

    @property
    def is_filtered(self) -> bool:
        """Whether not all words may be found."""
        return self.where is not None or self.other_lemmas or self.other_texts


@dataclass(frozen=True, eq=False)
class Query:
    """What neighbors are sought of.

    Attributes:
        title: what it is called in a table.
        word: its word_id, form, lemma, sense and text, as far as it has them.
        row: its row in every layer, if it is a word of the run.
        at: its vector at the n-th of the layers asked for, the n-th layer being the second argument.
    """

    title: str
    word: dict[str, Any]
    row: int | None
    at: Callable[[int, int], np.ndarray]


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
    rows, searches, notes = [], [], []
    for n, one in enumerate(layers):
        found, how, note = _search(run, one, query.at(n, one), query.row, allowed, asked)
        searches.append(how)
        notes += note
        word_ids = run.vectors.word_ids[found.rows].tolist()
        for rank, (word_id, score) in enumerate(zip(word_ids, found.scores.tolist(), strict=True), 1):
            rows.append({"layer": one, "rank": rank, asked.metric: score, "word_id": word_id})
    if len(layers) > 1:
        _add_changes(rows, layers)
    table = lookup.with_words(rows)
    if len(layers) > 1:
        table = table.select([*(name for name in table.column_names if name != "change"), "change"])
        notes = [*_dominance(table.to_pylist(), layers, query.word), NOTE_CHANGE, *notes]
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
        },
        figure=Figure("trajectory", "layer", "rank") if len(layers) > 1 else None,
        notes=list(dict.fromkeys(notes)),
    )


def query_of(
    lookup: Lookup,
    run: Run,
    given: WordGiven,
    layers: Sequence[int],
    text: str | None,
    sense: str | None,
) -> Query:
    """What a user means by a word, a word_id, a vector or an encoded word."""
    if isinstance(given, EncodedWord | np.ndarray):
        if text is not None or sense is not None:
            raise ArgumentError("A vector has no text and no sense to look for. Leave them out.")
        return _encoded(run, given) if isinstance(given, EncodedWord) else _vector(run, given, layers)
    word = lookup.one_word(given, run, text, sense)
    row = int(run.vectors.rows(np.array([word["word_id"]]))[0])
    if row < 0:
        raise NotFoundError(f"Word {word['word_id']} has no vector in {run.label}; see the table skipped.")
    return Query(
        f'"{word["form"]}" (word {word["word_id"]})',
        word,
        row,
        lambda _, layer: run.vectors.layer(layer).take(np.array([row]))[0],
    )


def _encoded(run: Run, word: EncodedWord) -> Query:
    if word.run_id != run.info.run_id:
        raise ArgumentError(
            f"This word was encoded as another run does it, not as {run.label}. Encode it again."
        )
    known = {"form": word.form, "lemma": word.lemma, "text": word.text}
    return Query(f'"{word.form}" (a new word)', known, None, lambda _, layer: word.vectors[layer])


def _vector(run: Run, vector: np.ndarray, layers: Sequence[int]) -> Query:
    d_model = run.info.spec.model.d_model
    shapes = [(d_model,), (len(layers), d_model)]
    if vector.shape not in shapes or not np.issubdtype(vector.dtype, np.floating):
        raise ArgumentError(
            f"A vector of {run.label} has shape ({d_model},), or ({len(layers)}, {d_model}) for one at each "
            f"of these layers, of floats; this has {vector.shape}, {vector.dtype}."
        )
    if not np.isfinite(vector).all():
        raise ArgumentError("The vector is not finite.")
    return Query("a vector", {}, None, lambda n, _: vector if vector.ndim == 1 else vector[n])


def _allowed(lookup: Lookup, run: Run, query: Query, asked: NeighborSearch) -> np.ndarray | None:
    """Which rows may be found; None for all. *Shape:* (n_words,), bool."""
    if not asked.is_filtered:
        if query.row is None:
            return None
        allowed = np.ones(len(run.vectors.word_ids), bool)
    else:
        own: dict[str, str | None] = {"not_lemma": None, "not_text": None}
        if asked.other_lemmas:
            own["not_lemma"] = query.word.get("lemma") or query.word.get("form")
        if asked.other_texts:
            own["not_text"] = query.word.get("text")
        if not query.word and (asked.other_lemmas or asked.other_texts):
            raise ArgumentError("A vector has no lemma and no text that others could differ from.")
        rows = run.vectors.rows(lookup.matching(run, asked.where, **own))
        allowed = np.zeros(len(run.vectors.word_ids), bool)
        allowed[rows[rows >= 0]] = True
    if query.row is not None:
        allowed[query.row] = False
    return allowed


def _search(
    run: Run,
    layer: int,
    vector: np.ndarray,
    row: int | None,
    allowed: np.ndarray | None,
    asked: NeighborSearch,
) -> tuple[Found, str, list[str]]:
    """What is found, how, and what a reader has to know of that."""
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
            vectors, space, vector, asked.k, candidates, n_candidates, exclude=row
        )
        if scanned:
            return found, "exact", notes
        notes.append(
            f"Layer {layer} was searched by its {info.kind} index: recall@{recall.k} {recall.recall:.3f}, "
            f"measured on {recall.n_queries} words held out; cosines are exact."
        )
        return found, info.kind, notes
    hubs = _densities(vectors, space) if asked.metric == "csls" else None
    found = nearest(vectors, space, vector, asked.k, metric=asked.metric, allowed=allowed, hubs=hubs)
    if hubs is None:
        return found, "exact", notes
    around = hubs[row] if row is not None else nearest(vectors, space, vector, 10).scores.mean()
    return Found(found.rows, found.scores - around), "exact", notes


_hubs: WeakKeyDictionary[LayerVectors, dict[Frame, np.ndarray]] = WeakKeyDictionary()


def _densities(vectors: LayerVectors, space: Space) -> np.ndarray:
    """Mean cosine of every word to its nearest, remembered as long as the layer is."""
    known = _hubs.setdefault(vectors, {})
    if space.frame not in known:
        known[space.frame] = densities(vectors, space)
    return known[space.frame]


def _index_of(
    run: Run, layer: int, asked: NeighborSearch
) -> tuple[Candidates | None, IndexInfo | None, list[str]]:
    """The index to use, if it is asked for or chosen, and is sound and current."""
    n_words = len(run.vectors.word_ids)
    if asked.search == "exact" or (asked.search == "auto" and n_words <= EXACT_UP_TO):
        return None, None, []
    command = f'Build it with "repstore index build", --layer {layer} and --standardize {asked.standardize}.'
    try:
        info = read_index_info(run.folder, layer, asked.standardize)
        if info is not None and is_current(info, run.parts):
            return open_index(run, info), info, []
        state = "has no index in this space" if info is None else "has an index of other parts (stale)"
    except StoreDamagedError as error:
        state = f"has a damaged index ({error})"
    if asked.search == "index":
        raise NotFoundError(f"Layer {layer} of {run.label} {state}. {command}")
    return None, None, [f"Layer {layer} {state}, so all words were scanned. {command}"]


def _add_changes(rows: list[dict[str, Any]], layers: Sequence[int]) -> None:
    """Say of every neighbor whether it is one at the layer before, and at the next."""
    at = {layer: {row["word_id"] for row in rows if row["layer"] == layer} for layer in layers}
    for row in rows:
        n = layers.index(row["layer"])
        enters = n > 0 and row["word_id"] not in at[layers[n - 1]]
        leaves = n + 1 < len(layers) and row["word_id"] not in at[layers[n + 1]]
        row["change"] = {(True, True): "passes", (True, False): "enters", (False, True): "leaves"}.get(
            (enters, leaves)
        )


def _dominance(rows: Sequence[dict[str, Any]], layers: Sequence[int], word: dict[str, Any]) -> list[str]:
    """Where more than half of the neighbors have the sense of the word."""
    if word.get("sense") is None:
        return []
    n_same = dict.fromkeys(layers, 0)
    n_all = dict.fromkeys(layers, 0)
    for row in rows:
        n_all[row["layer"]] += 1
        n_same[row["layer"]] += is_same_sense(row, word)
    first = next((layer for layer in layers if 2 * n_same[layer] > n_all[layer]), None)
    if first is None:
        best = max(layers, key=lambda layer: n_same[layer])
        return [
            f"Neighbors of the same sense ({word['sense']}) dominate at none of these layers; the most are "
            f"at layer {best}: {n_same[best]} of {n_all[best]}."
        ]
    return [
        f"Neighbors of the same sense ({word['sense']}) first dominate at layer {first}: "
        f"{n_same[first]} of {n_all[first]}."
    ]


def is_same_sense(row: dict[str, Any], word: dict[str, Any]) -> bool:
    """Whether a neighbor has the sense of a word; senses are told apart within a lemma."""
    return (row["lemma"], row["sense"]) == (word.get("lemma"), word.get("sense"))


def _how(asked: NeighborSearch) -> str:
    parts = [f"standardize {asked.standardize}"] if asked.standardize != "none" else []
    parts += [f"where {asked.where}"] if asked.where is not None else []
    parts += ["other lemmas"] if asked.other_lemmas else []
    parts += ["other texts"] if asked.other_texts else []
    return f" ({'; '.join(parts)})" if parts else ""
