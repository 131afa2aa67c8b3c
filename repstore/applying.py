"""Trained probes that were kept: listed, removed, and applied to other words, layers and runs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa

from repstore import keeping
from repstore.analysis.memory import check_fits
from repstore.analysis.predictions import predict
from repstore.errors import ArgumentError, NotFoundError, ResultError, did_you_mean
from repstore.results import ResultTable
from repstore.sampling import check_memory, check_sample, sampled
from repstore.spec import MEMORY, LayerKey, layer_number
from repstore.storage.fitted_on import whole
from repstore.storage.frozen import check_name, read_words
from repstore.storage.lookup import Lookup, looking_up
from repstore.storage.opened import Layers, Run, Runs, lasting
from repstore.storage.runs import open_store
from repstore.storage.saved_probes import ProbeFile, ProbeInfo, read_network, read_probe, read_probe_info

LISTED = pa.schema(
    [
        *(("run", pa.string()), ("probe", pa.string()), ("kind", pa.string()), ("label", pa.string())),
        *(("state", pa.string()), ("n_layers", pa.int64()), ("n_words", pa.int64()), ("bytes", pa.int64())),
    ]
)
WORDS = ("word_id", "form", "lemma", "text", "char_start", "char_end")
WORD_BYTES = 2000
"""What a word with its text takes, once for all layers, while it is looked up."""

ROW_BYTES = 64
"""What a row of the answer takes beside its word."""


def list_probes(store: str | Path) -> ResultTable:
    """The trained probes that a store keeps.

    Returns:
        One row per probe: run, probe (its name), kind (such as linear), label (what it predicts), state,
        n_layers, n_words (trained on), bytes. The state is "current"; "stale": the run has more or other
        vectors since, and it is used as it is; or "damaged": its JSON file is not as it was written, or
        another one is missing or of another size; that every byte is right, `repstore.verify` says.
    """
    layout = open_store(Path(store).absolute())
    with looking_up(layout) as lookup:
        runs = [lookup.run(run_id) for run_id in lookup.labels]
        rows = keeping.rows_of(
            runs,
            "probe",
            read_probe_info,
            lambda info: {"kind": info.probe, "label": info.label, "n_layers": len(info.layers)},
        )
    return ResultTable(pa.Table.from_pylist(rows, LISTED), f"Probes of {layout.root}")


def drop_probe(store: str | Path, name: str, *, run: str | None = None) -> bool:
    """Remove a trained probe of a run. Vectors are not touched.

    Returns:
        Whether there was one.
    """
    return keeping.drop(store, "probe", name, run)


@dataclass(frozen=True, eq=False)
class Kept:
    """A probe that was kept.

    Attributes:
        run: whose it is.
        info: what it is.
    """

    run: Run
    info: ProbeInfo

    @property
    def title(self) -> str:
        """What it is called in messages."""
        return f'Probe "{self.info.name}" of {self.run.label}'


class Applying:
    """What the probes that a store keeps say."""

    _lookup: Lookup

    def apply_probe(
        self,
        name: str,
        *,
        run: Runs = None,
        layer: Layers = "all",
        of_run: str | None = None,
        of_layer: int | None = None,
        where: str | None = None,
        sample: int | None = None,
        seed: int = 0,
        memory: int = MEMORY,
    ) -> ResultTable:
        """What a trained probe that was kept says of words.

        Args:
            name: of the probe.
            run: a run, or several, whose words it is asked about. Not needed if the store has one.
            layer: a layer, several, or "all": those that it was trained on; with `of_layer`, all of the run.
            of_run: the run whose probe it is, if that is another.
            of_layer: the layer whose probe reads all of them; each is read by its own unless given.
            where: only words for which this SQL condition over the columns of words and their texts holds.
            sample: only so many of these words, drawn with `seed`.
            seed: decides the sample.
            memory: most bytes that the answer may take.

        Returns:
            One row per word and layer: run, layer, of_layer (whose probe), word_id, form, lemma, text,
            char_start, char_end, predicted, probability (of that class) and was_trained_on (whether the word
            was among those that the probe was trained on). Where a word may have several classes, predicted
            has all of them, with ";" between, and the probability is that of these and no others.

        Raises:
            NotFoundError: no such probe, run or layer.
            ArgumentError: an argument cannot be used, the probe reads pairs, or vectors of another width.
            ResultError: no word fits, or too little memory.
            QueryError: `where` is not a condition on words.
            StoreDamagedError: the probe is damaged.
        """
        check_name("probe", name)
        check_sample(sample, seed, 1)
        check_memory(memory)
        layer = lasting(layer)
        tables, kept = [], []
        for one in self._lookup.several(run):
            probe = _kept(self._lookup.run(of_run) if of_run is not None else one, name)
            kept.append(probe)
            rows = _rows(self._lookup, one, where, sample, seed)
            files = _files(probe, one, layer, of_layer)
            _check(probe, one, files, len(rows), memory)
            tables.append(_said(self._lookup, probe, one, rows, files))
        probe = kept[0]
        asked = {"layer": of_layer, "where": where, "sample": sample, "seed": seed}
        return ResultTable(
            pa.concat_tables(tables),
            f"{probe.title}, {probe.info.probe}, on {probe.info.label}: what it says of words",
            units={"probability": "of what is predicted, as the probe sees it"},
            provenance={"probe": name, "digests": [one.info.digest for one in kept]} | asked,
            notes=_notes(kept),
        )


def _kept(run: Run, name: str) -> Kept:
    """A probe of a run that can be applied to its words.

    Raises:
        NotFoundError: there is none of that name.
        ArgumentError: it reads pairs, or vectors that are not those shown.
    """
    info = read_probe(run.folder, name)
    if info is None:
        names = [place.name for place in run.folder.all_frozen("probe")]
        hint = did_you_mean(name, names) if names else "It has none; keep one with --save NAME of a probe."
        raise NotFoundError(f'{run.label} has no probe "{name}". {hint}')
    probe = Kept(run, info)
    if info.feature is not None:
        raise ArgumentError(
            f"{probe.title} reads pairs of words (their {info.feature}), and only probes of single words are "
            "applied. Take one that was trained on words."
        )
    through = info.asked.get("transform")
    if through != run.transform:
        seen, so = "as they are stored", "as opened, through no transform"
        if through is not None:
            seen, so = (
                f'seen through transform "{through}"',
                f"with --transform {through} (store.transformed)",
            )
        raise ArgumentError(f"{probe.title} was trained on vectors {seen}. Ask the store {so}.")
    return probe


def _rows(lookup: Lookup, run: Run, where: str | None, sample: int | None, seed: int) -> np.ndarray:
    """The rows of the words asked about. *Shape:* (n_words,), int64, ascending."""
    rows = run.vectors.rows(lookup.matching(run, where))
    rows = sampled(np.unique(rows[rows >= 0]), sample, seed)
    if not len(rows):
        raise ResultError(
            f"{run.label} has no words with vectors where {where or 'true'}. Ask for others with where."
        )
    return rows


def _files(probe: Kept, run: Run, layer: Layers, of_layer: int | None) -> list[tuple[LayerKey, ProbeFile]]:
    """Which layers are read, and each by which network.

    Raises:
        NotFoundError: the run has no such layer, or the probe was not trained on it.
        ArgumentError: these are no layers.
    """
    files = {one.layer: one for one in probe.info.layers}
    layers = run.layers(layer)
    if of_layer is not None:
        of_layer = whole("of_layer", of_layer)
        wanted: dict[LayerKey, int | None] = dict.fromkeys(layers, of_layer)
    else:
        is_all = isinstance(layer, str) and layer == "all"
        numbers = {one: layer_number(one) for one in layers}
        wanted = {one: number for one, number in numbers.items() if number in files or not is_all}
    lacking = [one if number is None else number for one, number in wanted.items() if number not in files]
    if lacking or not wanted:
        lacked = ", ".join(map(str, dict.fromkeys(lacking or layers)))
        raise NotFoundError(
            f"{probe.title} was not trained on layer {lacked}, but on {', '.join(map(str, files))}. Ask for "
            "one of these, or say with of_layer which of them is to read the layer."
        )
    return [(one, files[of]) for one, of in wanted.items() if of is not None]


def _check(
    probe: Kept, run: Run, files: Sequence[tuple[LayerKey, ProbeFile]], n_words: int, memory: int
) -> None:
    """Refuse vectors that the probe cannot read, and an answer that takes too much memory.

    Raises:
        ArgumentError: the vectors are of another width.
        ResultError: there is too little memory.
    """
    for layer, file in files:
        d_model = run.vectors.layer(layer).d_model
        if d_model != file.width:
            raise ArgumentError(
                f"{probe.title} reads vectors of {file.width:,} dimensions, and those of {run.label} have "
                f"{d_model:,}. Take a run of the model that it was trained on, or of one as wide."
            )
    needed = n_words * (WORD_BYTES + len(files) * ROW_BYTES)
    what = f"An answer for {n_words:,} words at {len(files)} layers"
    check_fits(what, needed, memory, "Ask about fewer with sample, or allow more with memory.")


def _said(
    lookup: Lookup, probe: Kept, run: Run, rows: np.ndarray, files: Sequence[tuple[LayerKey, ProbeFile]]
) -> pa.Table:
    """What the networks say of some words of a run."""
    place = probe.run.folder.frozen("probe", probe.info.name)
    word_ids = run.vectors.word_ids[rows]
    words = lookup.with_words([{"word_id": one} for one in word_ids.tolist()]).select(WORDS)
    is_known = pa.array(np.isin(word_ids, read_words(place, probe.info)))
    names = np.array(probe.info.classes, object)
    tables = []
    for layer, file in files:
        network = read_network(place, file)
        found = predict(network, run.vectors.layer(layer), rows, is_multi_label=probe.info.is_multi_label)
        columns: dict[str, Any] = {
            "run": pa.repeat(run.label, len(rows)),
            "layer": pa.repeat(layer, len(rows)),
            "of_layer": pa.repeat(file.layer, len(rows)),
            **{name: words[name] for name in WORDS},
            "predicted": pa.array(_named(names, found.classes), pa.string()),
            "probability": found.probabilities,
            "was_trained_on": is_known,
        }
        tables.append(pa.table(columns))
    return pa.concat_tables(tables)


def _named(names: np.ndarray, classes: np.ndarray) -> list[str]:
    """The classes of words by their names. `classes`: as `Predictions.classes`."""
    if classes.ndim == 1:
        called: list[str] = names[classes].tolist()
        return called
    return [";".join(names[has]) for has in classes]


def _notes(kept: Sequence[Kept]) -> list[str]:
    stale = {one.title: one.info.outdated(one.run.parts) for one in kept}
    return [f"{title} is stale: the run has {why}." for title, why in stale.items() if why]
