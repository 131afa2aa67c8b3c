"""How well one layer can be laid over another by turning, mirroring and scaling it.

Source: orthogonal Procrustes, Schönemann 1966 (Psychometrika 31, 1); between layers, Williams et al. 2021
(arXiv 2110.14739) and Ding et al. 2021 (arXiv 2108.01661).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np

from repstore.analysis.aligned import Aligned, check_enough
from repstore.analysis.directions import Directions, compare_pairs, directions
from repstore.spec import MEMORY, Progress


def procrustes(
    first: Sequence[Aligned],
    second: Sequence[Aligned] | None = None,
    *,
    memory: int = MEMORY,
    progress: Callable[[Progress], None] = lambda _: None,
) -> np.ndarray:
    """Procrustes similarity of every two layers: ||A'B||_* / (||A||_F ||B||_F) of the centered words A and B.

    1 if the layers are the same but for translation, rotation, reflection and one scale; 0 if no dimension of
    one is correlated with any of the other. Symmetric. With s, the angular distance of Williams et al. is
    arccos(s), and the distance of Ding et al., after both are scaled to norm 1, is 2 - 2s. Widths may differ.
    Independent layers are well above 0 unless the words are many more than the dimensions.

    Args:
        first, second: layers over the same words, at least 3; without `second`, `first` with itself.
        memory: bytes to work in.
        progress: told how many pairs of layers are done.

    Returns:
        *Shape:* (len(first), len(second or first)), float64, relative error below 1e-6; NaN with a layer that
        is constant.

    Raises:
        ResultError: fewer than 3 words; too little memory for one pair of layers.
    """
    check_enough(first[0], 3, "Procrustes similarity")
    values, _, _ = compare_pairs(first, second, directions, _similarity, memory=memory, progress=progress)
    return values


def _similarity(a: Directions, b: Directions) -> tuple[float, float]:
    in_a, in_b = (layer.strengths / np.linalg.norm(layer.strengths) for layer in (a, b))
    core = in_a[:, None] * (a.basis.T @ b.basis) * in_b
    similarity = min(1.0, float(np.linalg.svd(core, compute_uv=False).sum()))
    return similarity, similarity
