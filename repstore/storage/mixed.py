"""Mixes of the layers of a run: layers that are made of all of them when they are asked for, never stored."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np

from repstore.errors import NotFoundError, StoreDamagedError, StoreError, did_you_mean
from repstore.spec import MIX, LayerKey, MixKind, is_mix
from repstore.storage.frozen import check_name, read_words
from repstore.storage.layout import RunLayout
from repstore.storage.made import MadeLayer, MadeLayers
from repstore.storage.mixes import MixInfo, read_mix, read_mix_arrays
from repstore.storage.processes import of_process
from repstore.storage.vectors import LayerVectors, RunVectors

MIXED_AT_ONCE = 64
"""Words that are mixed at a time: of each, all layers are in memory as float64."""


@dataclass(frozen=True, eq=False)
class Mix:
    """How one vector is made of the layers of a word.

    Every layer is first mapped as it was frozen before anything was learned: z_l = (h_l - shift_l) * scale_l,
    dimension by dimension. Layers of a language model differ in length a hundred times and more, a few
    dimensions hold most of that, and a weight would have to undo it before it could mean anything. (The
    scalar mix of Peters et al. has a layer norm for this.)

    - ``scalar``: sum_l s_l z_l, one weight for each layer, the same for all words (Peters et al. 2018, eq. 1,
      with s = softmax(w), and without the factor gamma, which no cosine sees).
    - ``attention``: layer-wise attention pooling (Oh et al. 2022, arXiv 2209.05972). Every layer l asks all
      layers m: a_lm = softmax_m(K_m . Q_l / n), n the number of layers, with Q_l = W_q z_l + b_l and
      K_m = W_k z_m + c_m; the mixed vector is the mean over l of sum_m a_lm z_m. So each word has weights of
      its own. There, layers are not standardized, and their means tell them apart; here, b and c do. There,
      an activation follows on the maps, values V_m = W_v z_m are pooled instead of z_m, and the mean is
      joined to the last layer and goes through a learned layer: a map of vectors as much as a mix of layers.
      That is left out, so that the vector is a weighted mean of the layers.

    Attributes:
        kind: which of these.
        layers: the layers, n of them.
        arrays: ``shift`` and ``scale``, *Shape of each:* (n, d_model). Of ``scalar``: ``weights``, s.
            *Shape:* (n,). Of ``attention``: ``query`` and ``key``, W_q and W_k,
            *Shape of each:* (width, d_model); ``query_bias`` and ``key_bias``, b and c, *Shape of each:* (n,
            width); and ``attention``, the mean of a_lm over the words learned on, *Shape:* (n, n). Maps and
            biases are float32, all else float64.
    """

    kind: MixKind
    layers: tuple[int, ...]
    arrays: Mapping[str, np.ndarray]

    @property
    def weights(self) -> np.ndarray:
        """The weight of each layer; of ``attention``, over the words learned on. *Shape:* (n,), float64."""
        return self.arrays["weights"] if self.kind == "scalar" else self.arrays["attention"].mean(axis=0)

    @property
    def center(self) -> float:
        """Center of gravity: the mean layer, by weight (Tenney et al. 2019, eq. 2)."""
        return float(self.weights @ np.array(self.layers))

    def apply(self, rows_per_layer: Sequence[np.ndarray]) -> np.ndarray:
        """Mix the layers of words, in float64.

        Args:
            rows_per_layer: the words at each of `layers`. *Shape of each:* (n_words, d_model).

        *Shape:* (n_words, d_model), float32.
        """
        if self.kind == "attention":
            weights = self.attention_of(rows_per_layer).mean(axis=1)
        else:
            weights = np.broadcast_to(self.arrays["weights"], (len(rows_per_layer[0]), len(self.layers)))
        mixed = np.zeros(rows_per_layer[0].shape)
        for n, rows in enumerate(rows_per_layer):
            mixed += weights[:, n, None] * self._scaled(n, rows)
        return mixed.astype(np.float32)

    def attention_of(self, rows_per_layer: Sequence[np.ndarray]) -> np.ndarray:
        """a_lm of each word. *Shape:* (n_words, n, n), float64."""
        z = np.stack([self._scaled(n, rows) for n, rows in enumerate(rows_per_layer)], axis=1)
        queries, keys = (
            z @ self.arrays[name].astype(np.float64).T + self.arrays[f"{name}_bias"]
            for name in ("query", "key")
        )
        scores = queries @ keys.swapaxes(1, 2) / len(self.layers)
        scores -= scores.max(axis=2, keepdims=True)
        attention: np.ndarray = np.exp(scores)
        attention /= attention.sum(axis=2, keepdims=True)
        return attention

    def _scaled(self, n: int, rows: np.ndarray) -> np.ndarray:
        """z of the n-th layer. *Shape:* as `rows`, float64."""
        z: np.ndarray = rows.astype(np.float64)
        z -= self.arrays["shift"][n]
        z *= self.arrays["scale"][n]
        return z


class MixedLayer(MadeLayer):
    """A mix of layers, made when its numbers are asked for: some words alone, or all of them, once.

    Attributes:
        mix: how it is made.
    """

    mix: Mix
    _mixed: tuple[LayerVectors, ...]

    def __init__(self, key: str, mix: Mix, stored: Sequence[LayerVectors]) -> None:
        super().__init__(key, stored[0])
        vars(self).update(mix=mix, _mixed=tuple(stored))

    def __reduce__(self) -> tuple[Any, ...]:
        return MixedLayer, (self.layer, self.mix, self._mixed)

    @property
    def d_model(self) -> int:
        """Width of a vector."""
        return self._stored.d_model

    @property
    def described(self) -> str:
        """What it is, at the beginning of a message."""
        return f"Layer {self.layer}, a mix,"

    def make(self, rows: np.ndarray) -> np.ndarray:
        """Some words, mixed. *Shape:* (len(rows), d_model), float32."""
        mixed = np.empty((len(rows), self.d_model), np.float32)
        for start in range(0, len(rows), MIXED_AT_ONCE):
            here = slice(start, start + MIXED_AT_ONCE)
            mixed[here] = self.mix.apply([layer.take(rows[here]) for layer in self._mixed])
        return mixed


class MixedVectors:
    """The layers of a run as they are stored, and the mixes of them by the key ``mix:NAME``."""

    def __init__(self, stored: RunVectors, folder: RunLayout, label: str) -> None:
        self._stored, self._folder, self._label = stored, folder, label
        self._layers: MadeLayers[MixedLayer] = MadeLayers()
        self._mixes: dict[str, tuple[Mix, np.ndarray]] = {}

    @of_process
    def _turn(self) -> Lock:  # analyses ask from several threads
        return Lock()

    def __reduce__(self) -> tuple[Any, ...]:
        return MixedVectors, (self._stored, self._folder, self._label), {"_mixes": dict(self._mixes)}

    @property
    def word_ids(self) -> np.ndarray:
        """Words that have vectors. *Shape:* (n_words,), int64, ascending."""
        return self._stored.word_ids

    @property
    def layers(self) -> list[int]:
        """The layers there are, without mixes of them."""
        return self._stored.layers

    def layer(self, layer: LayerKey) -> LayerVectors:
        """The vectors of one layer, or a mix of them.

        Raises:
            NotFoundError: the run has no such layer, or no such mix.
            StoreDamagedError: the mix is damaged.
            StoreError: the mix was dropped or learned anew just now.
        """
        if not is_mix(layer):
            return self._stored.layer(layer)
        mix = self._mix(str(layer))
        return self._layers.get(
            layer, lambda: MixedLayer(str(layer), mix, [self._stored.layer(n) for n in mix.layers])
        )

    def check_layer(self, layer: LayerKey) -> None:
        """Refuse a layer, or a mix, that the run does not have.

        Raises:
            NotFoundError: it has none.
            ArgumentError: nothing can be called that.
            StoreDamagedError: the mix is damaged.
        """
        if is_mix(layer):
            self._mix(str(layer))
        else:
            self._stored.check_layer(layer)

    def rows(self, word_ids: np.ndarray) -> np.ndarray:
        """Row of each word in every layer; -1 for a word without a vector. *Shape:* as `word_ids`, int64."""
        return self._stored.rows(word_ids)

    def seen(self, layer: LayerKey, vectors: np.ndarray) -> np.ndarray:
        """A layer, or mix, of a word that is not stored.

        `vectors`: *Shape:* (n_layers, d_model). *Shape:* (d_model,).
        """
        if not is_mix(layer):
            return self._stored.seen(layer, vectors)
        mix = self._mix(str(layer))
        mixed: np.ndarray = mix.apply([self._stored.seen(n, vectors)[None] for n in mix.layers])[0]
        return mixed

    def learned_from(self, layer: LayerKey) -> np.ndarray:
        """Words of the pairs that a mix was learned from; none of a layer. *Shape:* (n_words,), int64.

        Raises:
            StoreDamagedError: the mix is damaged.
        """
        if not is_mix(layer):
            return self._stored.learned_from(layer)
        self._mix(str(layer))
        return self._mixes[str(layer)][1]

    def _mix(self, key: str) -> Mix:
        """The mix of that key; what it was when it was first asked for, since answers must not differ."""
        with self._turn:
            if key not in self._mixes:
                info, mix = read_mix_of(self._folder, key.removeprefix(MIX), self._label)
                self._mixes[key] = mix, read_words(self._folder.frozen("mix", info.name), info)
            return self._mixes[key][0]


def read_mix_of(folder: RunLayout, name: str, label: str) -> tuple[MixInfo, Mix]:
    """A mix of a run: what is said of it, and its numbers.

    Raises:
        NotFoundError: there is none of that name.
        ArgumentError: that is no name.
        StoreDamagedError: it is damaged.
        StoreError: it was dropped or learned anew just now.
    """
    check_name("mix", name)
    info = read_mix(folder, name)
    if info is None:
        raise NotFoundError(
            f'{label} has no mix "{name}". '
            + did_you_mean(name, [place.name for place in folder.all_frozen("mix")])
            + f' Learn it with "repstore mix fit STORE {name} --run {label}".'
        )
    try:
        arrays = read_mix_arrays(folder.frozen("mix", name), info)
    except StoreDamagedError:
        if read_mix(folder, name) == info:
            raise
        raise StoreError(
            f'Mix "{name}" of {label} was dropped or learned anew just now. Ask again.'
        ) from None
    return info, Mix(info.kind, info.layers, arrays)
