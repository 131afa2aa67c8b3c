"""Trained probes of a run on disk: a network for each of some layers, and the words these were trained on.

How a network was trained is no concern of those who apply it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from repstore.spec import PairFeature
from repstore.storage.frozen import LearnedInfo, if_there, read_arrays, read_said, write_arrays, write_frozen
from repstore.storage.layout import FrozenLayout, RunLayout

Outputs = Literal["class", "classes", "numbers"]
"""What a probe says of an example: its one class; which classes it has, if any; or a number for each name."""


@dataclass(frozen=True, eq=False)
class Network:
    """A fitted probe: z = (x - shift) * scale, then linear maps with max(0, .) between them.

    Attributes:
        shift, scale: of the training examples. *Shape of each:* (width,), float64. The scale of a column that
            is constant there is 0.
        weights: of each linear map. *Shape of each:* (n_out, n_in), float32.
        biases: *Shape of each:* (n_out,), float32.
    """

    shift: np.ndarray
    scale: np.ndarray
    weights: tuple[np.ndarray, ...]
    biases: tuple[np.ndarray, ...]

    @property
    def width(self) -> int:
        """Numbers that it reads of an example."""
        return len(self.shift)

    @property
    def n_parameters(self) -> int:
        """Numbers that were fitted, without those of the scale."""
        return sum(array.size for array in (*self.weights, *self.biases))

    def apply(self, rows: np.ndarray) -> np.ndarray:
        """Logits of each class, or numbers. `rows`: *Shape:* (n, width). *Shape:* (n, n_classes), float32."""
        z: np.ndarray = ((rows.astype(np.float64) - self.shift) * self.scale).astype(np.float32)
        for n, (weights, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if n:
                np.maximum(z, 0, out=z)
            z = z @ np.ascontiguousarray(weights).T + bias  # products round by how numbers lie in memory
        return z


@dataclass(frozen=True, eq=False)
class WordSpace:
    """Where the words of pairs are before their product or cosine is taken: (x - shift) * scale.

    Attributes:
        shift, scale: of the words that the probe was trained on. *Shape of each:* (d_model,), float64.
    """

    shift: np.ndarray
    scale: np.ndarray


@dataclass(frozen=True, eq=False)
class Trained:
    """What is kept of one layer.

    Attributes:
        layer: which layer.
        network: the fitted probe.
        space: of the words of pairs; None where they are read as they are.
        setting, score: as those of `ProbeFile`.
    """

    layer: int
    network: Network
    space: WordSpace | None
    setting: float
    score: float | None


@dataclass(frozen=True, slots=True)
class ProbeFile:
    """The network of a layer in its file.

    Attributes:
        layer: which layer.
        file, bytes, sha256: the file, from the folder of the probe.
        width: numbers that it reads of an example.
        n_parameters: numbers that were fitted.
        setting: what was chosen: a penalty (where each number has its own, their median), or an epoch.
        score: of examples that were not learned from; None if it has none.
    """

    layer: int
    file: str
    bytes: int
    sha256: str
    width: int
    n_parameters: int
    setting: float
    score: float | None


@dataclass(frozen=True, slots=True)
class ProbeInfo(LearnedInfo):
    """What ``probe.json`` says.

    Attributes:
        probe: which probe: ``linear``, ``mlp-32``, ``ridge``.
        label: what it predicts, in words.
        classes: names of the classes, or of the numbers, in order of the outputs of the networks.
        outputs: what these are.
        feature: what it reads of a pair of words; None if it reads single words. Of pairs, `asked` has the
            ``label``, which is ``pairs``, ``arcs`` or ``relations``, and the kind of the ``edges``.
        layers: the networks, in order of their layers.
    """

    probe: str
    label: str
    classes: tuple[str, ...]
    outputs: Outputs
    feature: PairFeature | None
    layers: tuple[ProbeFile, ...]

    @property
    def files(self) -> tuple[ProbeFile, ...]:
        """The files of the networks."""
        return self.layers


def write_probe(
    place: FrozenLayout,
    word_ids: np.ndarray,
    networks: Iterable[Trained],
    about: dict[str, Any],
) -> ProbeInfo:
    """Write a probe; what was there under its name is removed first.

    Args:
        place: where.
        word_ids: the words that it was trained on, of pairs those of either side; each once, ascending.
            *Shape:* (n_words,), int64.
        networks: of each layer, in order.
        about: what `ProbeInfo` says beside name, words and layers.

    Raises:
        StoreError: the disk is full; nothing of it is left.
    """

    def finish(said: dict[str, Any]) -> ProbeInfo:
        layers = []
        for one in networks:
            path = place.layer(one.layer)
            n_bytes, sha256 = write_arrays(path, _arrays(one))
            size = (one.network.width, one.network.n_parameters)
            score = None if one.score is None else float(one.score)
            layers.append(ProbeFile(one.layer, path.name, n_bytes, sha256, *size, float(one.setting), score))
        return ProbeInfo(**said, **about, layers=tuple(layers))

    return write_frozen(place, word_ids, finish)


def read_probe(run: RunLayout, name: str) -> ProbeInfo | None:
    """What is said of a probe; None if there is none of that name.

    Raises:
        StoreDamagedError: it is not what was written.
    """
    return if_there(run.frozen("probe", name), read_probe_info)


def read_probe_info(place: FrozenLayout) -> ProbeInfo:
    """What the JSON file of a probe says.

    Raises:
        StoreDamagedError: it is not what was written, or not there.
    """
    said = read_said(place)
    known = {
        "classes": tuple(said["classes"]),
        "layers": tuple(ProbeFile(**one) for one in said["layers"]),
    }
    return ProbeInfo(**said | known)


def read_network(place: FrozenLayout, named: ProbeFile) -> tuple[Network, WordSpace | None]:
    """A network, and the space of the words of its pairs, as `Trained` has them.

    Every byte is as it was written, so it gives the same logits as the one that was.

    Raises:
        StoreDamagedError: the file is not what was written, or is missing.
    """
    arrays = read_arrays(place, named)
    n_maps = sum(name.startswith("weights_") for name in arrays)
    weights, biases = (tuple(arrays[f"{what}_{n}"] for n in range(n_maps)) for what in ("weights", "biases"))
    space = WordSpace(arrays["word_shift"], arrays["word_scale"]) if "word_shift" in arrays else None
    return Network(arrays["shift"], arrays["scale"], weights, biases), space


def _arrays(trained: Trained) -> dict[str, np.ndarray]:
    """The arrays of a layer by their names; the same bytes however they lie in memory."""
    network, space = trained.network, trained.space
    arrays = {"shift": network.shift, "scale": network.scale}
    if space is not None:
        arrays |= {"word_shift": space.shift, "word_scale": space.scale}
    for n, (weights, biases) in enumerate(zip(network.weights, network.biases, strict=True)):
        arrays |= {f"weights_{n}": weights, f"biases_{n}": biases}
    return {name: np.ascontiguousarray(array) for name, array in arrays.items()}
