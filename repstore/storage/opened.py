"""A run of an open store, and how users say which runs and which layers."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from operator import index

import numpy as np

from repstore.errors import ArgumentError
from repstore.spec import LayerKey, RunInfo, is_mix
from repstore.storage.layout import RunLayout
from repstore.storage.vectors import Vectors

Layers = LayerKey | Iterable[LayerKey]
"""How users say which layers of a run: a number, "all", ``mix:NAME``, or several of these."""

HOW = 'Give a number, several, "all", or a mix as mix:NAME.'

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

    def check_encoded(self) -> None:
        """Refuse a run whose vectors no model of repstore's made, so that none can be run again.

        Raises:
            ArgumentError: it was imported.
        """
        if self.info.origin == "imported":
            raise ArgumentError(
                f"{self.label} was imported from {self.info.spec.model.source}, not encoded, so there is no "
                "model to run again. Give a run that was made by an ingest."
            )

    def layers(self, given: Layers) -> list[LayerKey]:
        """The layers a user asks for, each once: as numbers, or all as text if a mix is among them.

        So whatever is said of them, layer by layer, is of one type.

        Raises:
            ArgumentError: something is neither a number nor "all" nor a mix, or there is none.
            NotFoundError: the run has no such layer, or no such mix.
        """
        asked = [given] if isinstance(given, str) or not isinstance(given, Iterable) else given
        try:
            found = list(dict.fromkeys(key for one in asked for key in self._meant(one)))
        except TypeError:
            raise ArgumentError(f"{given!r} is no layer. {HOW}") from None
        if not found:
            raise ArgumentError("No layer is given. Give at least one.")
        for key in found:
            self.vectors.check_layer(key)
        return [str(key) for key in found] if any(map(is_mix, found)) else found

    def layer(self, given: LayerKey) -> LayerKey:
        """The one layer a user asks for: its number, or ``mix:NAME``.

        Raises:
            ArgumentError: it is neither.
            NotFoundError: the run has no such layer, or no such mix.
        """
        if isinstance(given, str) and given == "all":
            raise ArgumentError(
                'One layer is asked for here, not "all". Give a number, or a mix as mix:NAME.'
            )
        return self.layers([given])[0]

    def stored_layers(self, given: Layers, what: str) -> list[int]:
        """The layers a user asks for, as numbers, for what can only be of stored layers.

        Args:
            given: which layers.
            what: what is made of them, in the plural: "Indexes".

        Raises:
            ArgumentError: it is none, or a mix.
            NotFoundError: the run has no such layer.
        """
        found = self.layers(given)
        numbers = [key for key in found if isinstance(key, int)]
        if len(numbers) < len(found):
            mixes = ", ".join(str(key) for key in found if is_mix(key))
            raise ArgumentError(f'{what} are of stored layers, not of {mixes}. Give numbers, or "all".')
        return numbers

    def _meant(self, one: LayerKey) -> list[int] | list[str]:
        """The layers that one word of the user's stands for."""
        if one == "all":
            return self.vectors.layers
        if isinstance(one, str):
            if not is_mix(one):
                raise ArgumentError(f'"{one}" is no layer. {HOW}')
            return [one]
        return [index(one)]

    def notes_on_seen(self, layers: Sequence[LayerKey], tested: np.ndarray) -> list[str]:
        """What a reader must know of mixes and masks that were learned from words they are now tested on.

        `tested`: word_ids. *Shape:* (n, ...), int64.
        """
        words = np.unique(tested)
        n_seen = {key: int(np.isin(words, self.vectors.learned_from(key)).sum()) for key in layers}
        seen: dict[int, list[str]] = {}
        for key, n in n_seen.items():
            seen.setdefault(n, []).append(str(key) if is_mix(key) else str(self.transform))
        return [
            f"Of the {len(words):,} words that {self.label} is tested on, {n:,} are in pairs that "
            f"{' and '.join(dict.fromkeys(names))} learned from, and may come off better than others. Test "
            "on a split that was not learned from."
            for n, names in seen.items()
            if n
        ]

    def after_layer_0(self, layers: Sequence[LayerKey]) -> list[LayerKey]:
        """The layers, after layer 0, if it is there and not among them: what others are compared with."""
        return [*([0] if 0 in self.vectors.layers and "0" not in map(str, layers) else []), *layers]
