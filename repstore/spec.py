"""The values everything speaks in. All are frozen; none owns a resource."""

from __future__ import annotations

import dataclasses
import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    import numpy as np

Pooling = Literal["mean", "first", "last"]
Reading = Literal["target", "previous", "last"]
DType = Literal["float32", "bfloat16", "float16"]
DTypeChoice = Literal["auto", "float32", "bfloat16", "float16"]
WordChoice = Literal["targets", "all"]
StoredDType = Literal["float16", "float32"]
ExportFormat = Literal["parquet", "npy", "h5ad", "safetensors", "datasets", "projector", "atlas"]
Standardize = Literal["none", "side", "batch30", "corpus"]
Frame = Literal["none", "center", "corpus"]
Metric = Literal["cosine", "l2", "csls"]
Similarity = Literal["cka", "rbf-cka", "rsa", "svcca", "pwcca", "procrustes", "knn", "ridge"]
Estimator = Literal["unbiased", "biased"]
Correlation = Literal["spearman", "pearson"]
Measure = Literal[
    "anisotropy",
    "outliers",
    "norms",
    "rank",
    "isotropy",
    "dimension",
    "self-similarity",
    "intra-sentence",
    "explained-variance",
    "uniformity",
    "alignment",
    "separability",
]
TransformKind = Literal[
    "standardize", "center", "all-but-the-top", "whiten", "pca", "drop-outliers", "select"
]
Search = Literal["auto", "exact", "index"]
IndexKind = Literal["rabitq", "ivf", "hnsw"]
IndexChoice = Literal["auto", "rabitq", "ivf", "hnsw"]
Threshold = Literal["exact", "grid"]
Target = Literal["label", "score"]
Clustering = Literal["kmeans", "agglomerative"]
TrainedName = Literal["linear", "mlp", "mdl"]
PairFeature = Literal["difference", "product", "concat", "cosine"]
SplitBy = Literal["lemma", "text"]
MatrixKey = Literal["word_id", "form", "lemma", "sense", "text_id", "text"]
MixKind = Literal["scalar", "attention"]
Origin = Literal["encoded", "imported"]
LookUpBy = Literal["form", "lemma"]
LookUpCase = Literal["exact", "lower", "either"]
Axes = Literal["layers,words", "words,layers"]
SkipReason = Literal["truncated", "no_token", "no_previous", "not_finite", "not_in_vocabulary", "no_vector"]
MEMORY = 2 * 10**9
"""Bytes of memory that a command may take to work in, unless it is told otherwise."""

LayerKey = int | str
"""A layer: a stored one by its number, or by its number as text, or a mix of layers as ``mix:NAME``."""

MIX = "mix:"
"""How the key of a mix begins."""

Span = tuple[int, int]
"""Characters of a text (code points), the end excluded."""


@dataclass(frozen=True, slots=True)
class Word:
    """One occurrence of a word in a text.

    `char_start` and `char_end` are its characters. A word in several pieces, such as "turned" and "off" in
    "turned the light off", has the pieces in `spans`, in order and apart; its characters then reach from the
    first piece to the last.
    """

    position: int
    char_start: int
    char_end: int
    form: str
    lemma: str | None = None
    pos: str | None = None
    sense: str | None = None
    gloss: str | None = None
    spans: tuple[Span, ...] = ()

    @property
    def pieces(self) -> tuple[Span, ...]:
        """The characters of the word: of each of its pieces, or of the one that it is."""
        return self.spans or ((self.char_start, self.char_end),)


@dataclass(frozen=True, slots=True)
class Text:
    """One sentence or passage with the words wanted from it, in order of position.

    `others` are its other words, in order and apart from these, where the corpus says which they are.
    """

    text: str
    words: tuple[Word, ...]
    split: str | None = None
    language: str | None = None
    others: tuple[Word, ...] | None = None


@dataclass(frozen=True, slots=True)
class Pair:
    """Two words to compare, by their ordinals in the corpus (words counted in the order of the texts)."""

    word_a: int
    word_b: int
    split: str | None = None
    label: bool | None = None
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Edge:
    """A labelled edge from a word to one that depends on it, by their ordinals in the corpus (see `Pair`).

    `kind` is the annotation that it is of, such as ``ud`` or ``dm``. `head` is None where the dependent hangs
    on no word: the root of a tree, a top of a graph.
    """

    kind: str
    head: int | None
    dependent: int
    label: str


@dataclass(frozen=True, slots=True)
class CorpusInfo:
    """What ``corpus.json`` says."""

    corpus_id: str
    name: str
    source: str
    words: WordChoice
    splits: tuple[str, ...] | None
    code: int
    n_texts: int
    n_words: int
    n_pairs: int
    n_edges: int


@dataclass(frozen=True, slots=True)
class ModelIdentity:
    """Which weights and which tokenizer, by content."""

    name: str
    source: str
    revision: str | None
    architecture: str
    weights_sha256: str
    tokenizer_sha256: str
    n_layers: int
    d_model: int


@dataclass(frozen=True, slots=True)
class RunSpec:
    """What a run is made from. Two runs with the same `run_id` hold the same vectors.

    `final_norm` says whether the last layer is read after the model's final norm, as transformers returns it.
    """

    model: ModelIdentity
    corpus_id: str
    template: str
    pattern: str
    reading: Reading
    pooling: Pooling
    dtype: DType
    final_norm: bool = True

    @property
    def run_id(self) -> str:
        """Digest of everything that decides the vectors; names and places do not."""
        made_from = dataclasses.asdict(self)
        del made_from["template"]
        for where in ("name", "source", "revision"):
            del made_from["model"][where]
        return digest(made_from)


@dataclass(frozen=True, slots=True)
class RunInfo:
    """What ``run.json`` says: the spec, the numerical contract, and the plan of parts.

    `template` is the template as it was asked for. `group` lists the runs that are encoded together with this
    one (itself included). `origin` says whether a model was run for its vectors, or they were made elsewhere.
    """

    run_id: str
    name: str
    corpus: str
    template: str
    spec: RunSpec
    contract: dict[str, Any]
    group: tuple[str, ...]
    n_words: int
    rows_per_part: int
    origin: Origin

    @property
    def n_parts(self) -> int:
        """Parts of the finished run."""
        return -(-self.n_words // self.rows_per_part)


@dataclass(frozen=True, slots=True)
class Cost:
    """What word vectors take to make.

    Attributes:
        n_parts: blocks of words, each a part of every run.
        n_texts: texts to read.
        n_passes: distinct texts to run through the model.
        n_tokens: tokens of these, without padding.
        n_vectors: word vectors, counted once per run.
        n_skipped: words without a vector, counted once per run.
        n_windowed: words read in a window, as their text exceeds the model's context.
        is_exact: whether all words were counted; else the first were, and the rest is estimated from them.
    """

    n_parts: int
    n_texts: int
    n_passes: int
    n_tokens: int
    n_vectors: int
    n_skipped: int
    n_windowed: int
    is_exact: bool


@dataclass(frozen=True, slots=True)
class IngestPlan:
    """What an ingest is about to do. Bytes: of memory for the parts in work, of disk needed and free."""

    cost: Cost
    memory_bytes: int
    disk_bytes: int
    disk_free: int


@dataclass(frozen=True, slots=True)
class Progress:
    """How far something is. `n_done` and `n_total` count what `unit` says; both are 0 before they are known.

    `plan` comes once, before the first forward pass.
    """

    message: str
    n_done: int = 0
    n_total: int = 0
    plan: IngestPlan | None = None
    unit: str = "words"


@dataclass(frozen=True, slots=True)
class LayerStats:
    """What was stored for one layer of a part. Norms are L2 norms of word vectors."""

    dtype: StoredDType
    norm_min: float
    norm_median: float
    norm_max: float


@dataclass(frozen=True, slots=True)
class Part:
    """A committed part. `file` and `sha256` are None when all its words were skipped.

    `n_not_finite` counts, layer by layer, the words whose vector was not finite; they are skipped.
    """

    part: int
    file: str | None
    bytes: int
    sha256: str | None
    n_words: int
    first_word_id: int | None
    last_word_id: int | None
    n_skipped: int
    n_windowed: int
    n_not_finite: tuple[int, ...]
    skipped_file: str | None
    skipped_sha256: str | None
    layers: tuple[LayerStats, ...]


@dataclass(frozen=True, slots=True, eq=False)
class EncodedWord:
    """A word of a new text, encoded as a run encodes its own.

    Attributes:
        run_id: of which run.
        text: the text.
        char_start, char_end: its characters there.
        form: the word.
        vectors: at every layer. *Shape:* (n_layers, d_model), float32.
    """

    run_id: str
    text: str
    char_start: int
    char_end: int
    form: str
    vectors: np.ndarray


@dataclass(frozen=True, slots=True)
class Recall:
    """What an index found of the true neighbors of words that were not in it.

    Attributes:
        k: neighbors asked for.
        n_queries: words asked about.
        recall: share of the k that are as near as the true k-th.
        scanned: share of the queries that were scanned after all, since the index could not tell.
    """

    k: int
    n_queries: int
    recall: float
    scanned: float


@dataclass(frozen=True, slots=True)
class IndexInfo:
    """What the JSON file of an index says.

    Attributes:
        run_id, layer, frame: which vectors it is of, and in which space.
        kind: which kind of index.
        file, bytes, sha256: the FAISS file, from the folder of the run.
        parts: SHA-256 of the parts that it was built from, in order.
        n_words: vectors in it.
        held_out: the rows that were added last, after they had served as queries.
        n_candidates: how many candidates are weighed for an answer.
        recall: what that gives.
        faiss: version that built it.
    """

    run_id: str
    layer: int
    frame: Frame
    kind: IndexKind
    file: str
    bytes: int
    sha256: str
    parts: tuple[str, ...]
    n_words: int
    held_out: tuple[int, ...]
    n_candidates: int
    recall: Recall
    faiss: str

    def is_of(self, parts: Iterable[str]) -> bool:
        """Whether it was built from these parts, and from all of them."""
        return self.parts == tuple(parts)


def is_mix(key: LayerKey) -> bool:
    """Whether a layer is a mix of others."""
    return isinstance(key, str) and key.startswith(MIX)


def layer_number(key: LayerKey) -> int | None:
    """The number of a stored layer; None for a mix, which has none."""
    return None if is_mix(key) else int(key)


def digest(value: Any) -> str:
    """The first 16 hex digits of the SHA-256 of a value's canonical JSON."""
    canonical = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(canonical.encode()).hexdigest()[:16]
