"""The figures of Liu et al. 2024 (arXiv 2403.01509), as released with its code.

Accuracy on the 1,400 test pairs of Word-in-Context by layer: Llama-2-7B (layers 0 to 32) by template,
standardization and part of speech, and BERT-large (layers 0 to 24).
"""

from __future__ import annotations

import csv
import importlib.resources
from dataclasses import dataclass
from functools import cache

import numpy as np

LLAMA, BERT = "Llama-2-7b-hf", "bert-large"


@dataclass(frozen=True)
class Published:
    """One published curve. *Shape:* (n_layers,), float64."""

    accuracy: np.ndarray

    @property
    def n_blocks(self) -> int:
        """Layers, the embeddings left out."""
        return len(self.accuracy) - 1

    @property
    def best(self) -> int:
        """The first layer of the highest accuracy."""
        return int(np.argmax(self.accuracy))

    @property
    def upper_less_lower(self) -> float:
        """Best accuracy of the upper half less best of the lower."""
        middle = self.n_blocks // 2
        return float(self.accuracy[middle + 1 :].max() - self.accuracy[: middle + 1].max())

    @property
    def n_falls(self) -> int:
        """Layers whose accuracy is lower than that of the layer before."""
        return int((np.diff(self.accuracy) < 0).sum())


def published(model: str, template: str, standardize: str = "batch30", pos: str = "all") -> Published | None:
    """A curve, if it was released."""
    return _curves().get((model, template, standardize, pos))


@cache
def _curves() -> dict[tuple[str, str, str, str], Published]:
    text = importlib.resources.files(__package__).joinpath("liu2024.csv").read_text(encoding="utf-8")
    found: dict[tuple[str, str, str, str], list[float]] = {}
    for row in csv.DictReader(text.splitlines()):
        key = (row["model"], row["template"], row["standardize"], row["pos"])
        found.setdefault(key, []).append(float(row["accuracy"]))
    return {key: Published(np.array(values)) for key, values in found.items()}
