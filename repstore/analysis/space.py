"""The space in which word vectors are compared: as stored, centered, or standardized."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from repstore.analysis.standardize import EPSILON, moments_of
from repstore.spec import Frame
from repstore.storage.vectors import LayerVectors


@dataclass(frozen=True, eq=False)
class Space:
    """The map z = (x - shift) * scale, fitted on all words of a layer.

    Attributes:
        frame: ``none``: as stored; ``center``: less the mean; ``corpus``: z-scores.
        shift, scale: *Shape of each:* (d_model,), float64.
    """

    frame: Frame
    shift: np.ndarray
    scale: np.ndarray

    def map(self, rows: np.ndarray) -> np.ndarray:
        """Vectors in this space. *Shape:* as `rows`, float64."""
        mapped = rows.astype(np.float64)
        if self.frame != "none":
            mapped -= self.shift
            mapped *= self.scale
        return mapped


def space_of(vectors: LayerVectors, frame: Frame) -> Space:
    """The space of a layer's own moments."""
    if frame == "none":
        return Space(frame, np.zeros(vectors.d_model), np.ones(vectors.d_model))
    moments = moments_of(vectors)
    scale = 1 / (moments.std + EPSILON) if frame == "corpus" else np.ones(vectors.d_model)
    return Space(frame, moments.mean, scale)
