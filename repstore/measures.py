"""What `Store.geometry` can measure of a layer: one function for each measure."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from repstore.analysis import anisotropy, contextuality, spectrum, uniformity
from repstore.analysis.aligned import Aligned
from repstore.analysis.bootstrap import Resampling
from repstore.analysis.dimension import dimensions
from repstore.analysis.separability import separability
from repstore.analysis.statistics import Statistics, statistics
from repstore.belonging import Belonging
from repstore.spec import Measure

SCALES = (1, 4, 16)
"""Neighbors at which the intrinsic dimension is measured: of the n-th and the 2n-th."""


@dataclass(frozen=True)
class Column:
    """A column of the answer.

    Attributes:
        name: what it is called.
        unit: what its numbers mean.
        band: whether columns of its name with ``_low`` and ``_high`` go with it.
        drawn: whether it has a panel in the figure.
    """

    name: str
    unit: str = ""
    band: bool = False
    drawn: bool = True


@dataclass(frozen=True)
class Layer:
    """A layer as it is measured; what several measures need is computed once.

    Attributes:
        words: its words.
        of: which belong together.
        resamples: for bands; 0 for none.
        seed: decides the resamples, and random words to compare with.
        memory: bytes to work in.
    """

    words: Aligned
    of: Belonging
    resamples: int
    seed: int
    memory: int

    @cached_property
    def statistics(self) -> Statistics:
        """Means, deviations and norms."""
        return statistics(self.words)

    @cached_property
    def anisotropy(self) -> float:
        """Mean cosine of two words."""
        return anisotropy.anisotropy(self.words, self.statistics)

    @cached_property
    def eigenvalues(self) -> np.ndarray:
        """Of the covariance of the dimensions. *Shape:* (d_model,), float64."""
        return spectrum.eigenvalues(self.words, self.statistics, self.memory)

    @cached_property
    def outliers(self) -> np.ndarray:
        """The dimensions that stand out. *Shape:* (n_outliers,), int64."""
        return anisotropy.outlier_dimensions(self.statistics)


Values = Mapping[str, float | int | str]


@dataclass(frozen=True)
class Measurement:
    """How something is measured.

    Attributes:
        columns: what is said of a layer.
        of: makes the values, by column; NaN where there is none.
        why: the reason for having none.
    """

    columns: tuple[Column, ...]
    of: Callable[[Layer], Values]
    why: str


def _anisotropy(layer: Layer) -> Values:
    return {
        "anisotropy": layer.anisotropy,
        "anisotropy_without": anisotropy.anisotropy(
            layer.words, layer.statistics, without=layer.outliers.tolist()
        ),
    }


def _outliers(layer: Layer) -> Values:
    return {
        "outliers": ", ".join(map(str, layer.outliers.tolist())),
        "n_outliers": len(layer.outliers),
        "outlier_share": anisotropy.outlier_share(layer.statistics),
    }


def _norms(layer: Layer) -> Values:
    found = anisotropy.norm_summary(layer.statistics)
    return {
        "norm": found.mean,
        "norm_std": found.std,
        "norm_min": found.min,
        "norm_median": found.median,
        "norm_max": found.max,
    }


def _rank(layer: Layer) -> Values:
    return {
        "effective_rank": spectrum.effective_rank(layer.eigenvalues),
        "participation_ratio": spectrum.participation_ratio(layer.eigenvalues),
    }


def _isotropy(layer: Layer) -> Values:
    return {"isoscore": spectrum.isoscore(layer.eigenvalues)}


def _dimension(layer: Layer) -> Values:
    resampling = Resampling(layer.resamples, layer.seed)
    found = dimensions(layer.words, SCALES, resampling=resampling, memory=layer.memory)
    values: dict[str, float | int | str] = {"n_distinct": found.n_distinct}
    for one in found.by_scale:
        name = "dimension" if one.scale == 1 else f"dimension_{one.scale}"
        values |= {name: one.value, f"{name}_low": one.low, f"{name}_high": one.high}
    return values


def _self_similarity(layer: Layer) -> Values:
    found = contextuality.self_similarity(layer.words, layer.of.forms, anisotropy=layer.anisotropy)
    return _adjusted("self_similarity", found) | {"n_forms": found.n_groups}


def _intra_sentence(layer: Layer) -> Values:
    found = contextuality.intra_sentence_similarity(layer.words, layer.of.texts, anisotropy=layer.anisotropy)
    return _adjusted("intra_sentence", found) | {"n_texts": found.n_groups}


def _explained_variance(layer: Layer) -> Values:
    found = contextuality.explained_variance(layer.words, layer.of.forms, seed=layer.seed)
    return _adjusted("explained_variance", found)


def _adjusted(name: str, found: contextuality.Contextual) -> dict[str, float | int | str]:
    return {name: found.value, f"{name}_adjusted": found.adjusted}


def _uniformity(layer: Layer) -> Values:
    return {"uniformity": uniformity.uniformity(layer.words, memory=layer.memory)}


def _alignment(layer: Layer) -> Values:
    return {"alignment": uniformity.alignment(layer.words, layer.of.meanings)}


def _separability(layer: Layer) -> Values:
    found = separability(layer.words, layer.of.lemmas, layer.of.senses)
    return {
        "between_senses": found.between,
        "between_senses_adjusted": found.adjusted,
        "silhouette": found.silhouette,
        "n_lemmas": found.n_lemmas,
    }


FEW = "it takes two words whose vectors differ"
USES = "no form has uses in 5 texts among these words"

MEASURES: dict[Measure, Measurement] = {
    "anisotropy": Measurement(
        (
            Column("anisotropy", "mean cosine of two words"),
            Column("anisotropy_without", "the same without outlier dimensions"),
        ),
        _anisotropy,
        "it takes two words",
    ),
    "outliers": Measurement(
        (
            Column("outliers", "dimensions that stand out", drawn=False),
            Column("n_outliers", "dimensions that stand out"),
            Column("outlier_share", "their share of the squared norm"),
        ),
        _outliers,
        "all vectors are zero",
    ),
    "norms": Measurement(
        (
            Column("norm", "mean L2 norm"),
            Column("norm_std", "standard deviation of norms"),
            *(Column(f"norm_{of}", f"{of} of norms", drawn=False) for of in ("min", "median", "max")),
        ),
        _norms,
        "it takes two words",
    ),
    "rank": Measurement(
        (
            Column("effective_rank", "exp of the entropy of singular values"),
            Column("participation_ratio", "of the covariance's eigenvalues"),
        ),
        _rank,
        FEW,
    ),
    "isotropy": Measurement(
        (Column("isoscore", "0 a line, 1 isotropic"),), _isotropy, f"{FEW}, and two dimensions"
    ),
    "dimension": Measurement(
        (
            Column("dimension", "intrinsic, by the 1st and 2nd neighbor (TwoNN)", band=True),
            *(
                Column(f"dimension_{n}", f"intrinsic, by neighbors {n} and {2 * n} (GRIDE)", band=True)
                for n in SCALES[1:]
            ),
            Column("n_distinct", "different vectors", drawn=False),
        ),
        _dimension,
        "there are too few different vectors, or all are equally far apart",
    ),
    "self-similarity": Measurement(
        (
            Column("self_similarity", "mean cosine of uses of a form in different texts"),
            Column("self_similarity_adjusted", "less the anisotropy"),
            Column("n_forms", "forms with 5 uses", drawn=False),
        ),
        _self_similarity,
        USES,
    ),
    "intra-sentence": Measurement(
        (
            Column("intra_sentence", "mean cosine of a word with the mean of its text"),
            Column("intra_sentence_adjusted", "less the anisotropy"),
            Column("n_texts", "texts with two words", drawn=False),
        ),
        _intra_sentence,
        'no text has two of these words; ingest "--words all" for more',
    ),
    "explained-variance": Measurement(
        (
            Column("explained_variance", "share of the first direction of a form's uses"),
            Column("explained_variance_adjusted", "less that of random words"),
        ),
        _explained_variance,
        USES,
    ),
    "uniformity": Measurement(
        (Column("uniformity", "log mean exp(-2 squared distance)"),), _uniformity, "it takes two words"
    ),
    "alignment": Measurement(
        (Column("alignment", "mean squared distance of words of one sense"),),
        _alignment,
        "no two of these words are known to have one sense",
    ),
    "separability": Measurement(
        (
            Column("between_senses", "share of a lemma's variance"),
            Column("between_senses_adjusted", "0 by chance"),
            Column("silhouette", "of senses, by cosine distance"),
            Column("n_lemmas", "lemmas with two senses", drawn=False),
        ),
        _separability,
        "no lemma has two senses of two words each among these words",
    ),
}
