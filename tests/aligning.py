"""Layers of a test as measures take them."""

import numpy as np
from synthetic import in_parts

from repstore.analysis.aligned import Aligned
from repstore.analysis.space import space_of
from repstore.spec import Frame
from repstore.storage.vectors import LayerVectors


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).normal(size=shape).astype(np.float32)


def rotation(d: int, seed: int = 0) -> np.ndarray:
    return np.linalg.qr(normal(d, d, seed=seed).astype(np.float64))[0]


def aligned(
    layer: np.ndarray | LayerVectors, rows: np.ndarray | None = None, frame: Frame = "none"
) -> Aligned:
    """All words of a layer, or these."""
    vectors = in_parts(layer) if isinstance(layer, np.ndarray) else layer
    return Aligned(
        vectors, np.arange(len(vectors.word_ids)) if rows is None else rows, space_of(vectors, frame)
    )
