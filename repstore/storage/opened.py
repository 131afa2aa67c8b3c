"""A run of an open store, and how users say which runs and which layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import index
from typing import Literal

from repstore.errors import ArgumentError
from repstore.spec import RunInfo
from repstore.storage.layout import RunLayout
from repstore.storage.vectors import Vectors

Layers = int | Iterable[int] | Literal["all"]
"""How users say which layers of a run."""

Runs = str | Sequence[str] | None
"""How users say which runs; None for the only one."""


def lasting(given: Layers) -> Layers:
    """The same layers to ask of several runs: what can be gone through only once is kept."""
    return list(given) if isinstance(given, Iterable) and not isinstance(given, str) else given


@dataclass(frozen=True)
class Run:
    """A run of an open store.

    Attributes:
        info: what it is. Its run_id is that of the vectors shown: through a transform, more than the run's.
        label: the name it goes by.
        vectors: its vectors.
        folder: where it stands.
        parts: SHA-256 of its parts that have vectors, in order.
        transform: through which its vectors are seen; None as stored.
        own_axes: whether its coordinates are its own, so that there is no cosine with vectors of another run.
    """

    info: RunInfo
    label: str
    vectors: Vectors
    folder: RunLayout
    parts: tuple[str, ...]
    transform: str | None = None
    own_axes: bool = False

    def layers(self, given: Layers) -> list[int]:
        """The layers a user asks for, as numbers.

        Raises:
            ArgumentError: it is neither "all" nor numbers, or there is none.
            NotFoundError: the run has no such layer.
        """
        if isinstance(given, str):
            if given != "all":
                raise ArgumentError(f'"{given}" is no layer. Give a number, several, or "all".')
            return self.vectors.layers
        try:
            asked = given if isinstance(given, Iterable) else [given]
            layers = list(dict.fromkeys(index(layer) for layer in asked))
        except TypeError:
            raise ArgumentError(f'{given!r} is no layer. Give a number, several, or "all".') from None
        if not layers:
            raise ArgumentError("No layer is given. Give at least one.")
        for layer in layers:
            self.vectors.check_layer(layer)
        return layers

    def after_layer_0(self, layers: Sequence[int]) -> list[int]:
        """The layers, after layer 0, if it is there and not among them: what others are compared with."""
        return [*([0] if 0 in self.vectors.layers and "0" not in map(str, layers) else []), *layers]
