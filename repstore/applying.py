"""Trained probes that were kept, applied to other words, layers and runs."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc

from repstore.analysis.inputs import Inputs, PairInputs, WordInputs
from repstore.analysis.memory import check_fits
from repstore.analysis.predictions import predict, predict_numbers
from repstore.errors import ArgumentError, NotFoundError, ResultError
from repstore.examples import Which, columns_of, examples_of
from repstore.kept_probes import Kept, kept_probe
from repstore.provenance import question
from repstore.results import ResultTable
from repstore.sampling import check_memory, check_sample
from repstore.spec import MEMORY, LayerKey, layer_number
from repstore.storage.fitted_on import whole
from repstore.storage.frozen import check_name, read_words
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers, Run, Runs, lasting
from repstore.storage.saved_probes import (
    ProbeFile,
    ProbeInfo,
    WordSpace,
    read_network,
)
from repstore.storage.vectors import LayerVectors, rows_of

WORD_BYTES = 2000
"""What a word with its text takes, once for all layers, while it is looked up."""

EXAMPLE_BYTES = 96
"""What the words of a row take, once for all layers."""

ROW_BYTES = 96
"""What a row of the answer takes beside its words."""


class Applying:
    """What the probes that a store keeps say."""

    _lookup: Lookup

    @question
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
        """What a trained probe that was kept says of words, or of pairs of words.

        What it was trained on decides which of a corpus these are:

        - labels or numbers of words: its words;
        - ``pairs``: its pairs, in file order, whether they have a label or not;
        - ``arcs``: all ordered pairs of different words of a text, as a parser would ask: `word_a` could be
          the head of `word_b`. The corpus need not have edges;
        - ``relations``: words that are joined by edges of the kind it was trained on, each two once.

        Args:
            name: of the probe.
            run: a run, or several, whose words it is asked about. Not needed if the store has one.
            layer: a layer, several, or "all": those that it was trained on; with `of_layer`, all of the run.
            of_run: the run whose probe it is, if that is another.
            of_layer: the layer whose probe reads all of them; each is read by its own unless given.
            where: only words for which this SQL condition over the columns of words and their texts holds; of
                a pair both.
            sample: only so many of these words, pairs or, of ``arcs``, texts, drawn with `seed`.
            seed: decides the sample.
            memory: most bytes that the answer may take.

        Returns:
            One row per word and layer: run, layer, of_layer (whose probe), word_id, form, lemma, text,
            char_start, char_end, predicted, probability (of that class), label (what the corpus says, if a
            column of words was predicted) and was_trained_on (whether the word was among those that the probe
            was trained on); the notes say how many others it is right for. Where a word may have several
            classes, predicted has all of them, with ";" between, and the probability is that of these and no
            others.

            Of pairs one row per pair and layer, with word_a, word_b, form_a and form_b instead of the word;
            was_trained_on says whether both words were, be it in this pair or in others.

            Of numbers one row per word, number and layer: run, layer, of_layer, word_id, form, lemma, target
            (which number), value and was_trained_on.

        Raises:
            NotFoundError: no such probe, run or layer, or no edges of the kind.
            ArgumentError: an argument cannot be used, vectors are of another width, or probes of runs are not
                of the same things.
            ResultError: no word or pair fits, or too little memory.
            QueryError: `where` is not a condition on words.
            StoreDamagedError: the probe is damaged.
        """
        check_name("probe", name)
        check_sample(sample, seed, 1)
        check_memory(memory)
        layer = lasting(layer)
        tables, notes, left = [], [], memory
        kept: list[Kept] = []
        for one in self._lookup.several(run):
            probe = kept_probe(self._lookup.run(of_run) if of_run is not None else one, name)
            _check_alike([*kept[:1], probe])
            files = _files(probe, one, layer, of_layer)
            check = partial(_check_fits, probe.info, len(files), left)
            found = examples_of(self._lookup, one, probe.info, Which(where, sample, seed), check)
            left -= _bytes_of(probe.info, len(files), len(np.unique(found.rows)), len(found))
            kept.append(probe)
            tables.append(_said(self._lookup, probe, one, found.rows, files))
            if found.n_missing:
                notes.append(
                    f"{found.n_missing:,} pairs of {one.info.corpus} are left out: a word of theirs has no "
                    f"vector in {one.label}."
                )
        probe = kept[0]
        of = "words" if probe.info.feature is None else "pairs of words"
        unit = {"probability": "of what is predicted, as the probe sees it"}
        asked = {"layer": of_layer, "where": where, "sample": sample, "seed": seed}
        table = pa.concat_tables(tables)
        if "label" in table.column_names and table["label"].null_count == len(table):
            table = table.drop_columns("label")
        return ResultTable(
            table,
            f"{probe.title}, {probe.info.probe}, on {probe.info.label}: what it says of {of}",
            units=unit if probe.info.outputs != "numbers" else {"value": "as in the table that was learned"},
            provenance={"probe": name, "digests": [one.info.digest for one in kept]} | asked,
            notes=[*_notes(kept), *notes, *_how_right(table)],
        )


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


def _check_alike(kept: Sequence[Kept]) -> None:
    """Refuse to say of words and of pairs, or classes and numbers, in one table.

    Raises:
        ArgumentError: probes of that name differ in this.
    """
    if len({(one.info.feature is None, one.info.outputs == "numbers") for one in kept}) > 1:
        raise ArgumentError(
            f"{' and '.join(one.title for one in kept)} are of different things. "
            "Ask one run at a time, or say with of_run whose probe is meant."
        )


def _check_fits(info: ProbeInfo, n_layers: int, memory: int, n_words: int, n: int) -> None:
    """Refuse an answer that takes too much memory.

    Args:
        info: the probe.
        n_layers: layers that are asked about.
        memory: bytes that are left.
        n_words, n: how many words there are, and how many examples.

    Raises:
        ResultError: there is too little.
    """
    of = "words" if info.feature is None else "pairs of words"
    what = f"An answer for {n:,} {of} at {n_layers} layers"
    needed = _bytes_of(info, n_layers, n_words, n)
    check_fits(what, needed, memory, "Ask about fewer with sample, or allow more with memory.")


def _bytes_of(info: ProbeInfo, n_layers: int, n_words: int, n: int) -> int:
    """About how much memory an answer takes."""
    n_rows = n * (len(info.classes) if info.outputs == "numbers" else 1)
    return n_words * WORD_BYTES + n_rows * (EXAMPLE_BYTES + n_layers * ROW_BYTES)


def _said(
    lookup: Lookup, probe: Kept, run: Run, rows: np.ndarray, files: Sequence[tuple[LayerKey, ProbeFile]]
) -> pa.Table:
    """What the networks say of some examples of a run. `rows`: as those of `Examples`."""
    info = probe.info
    place = probe.run.folder.frozen("probe", info.name)
    is_known = np.isin(run.vectors.word_ids[rows], read_words(place, info)).all(axis=1)
    about = columns_of(lookup, run, rows) | {"was_trained_on": pa.array(is_known)}
    label = _labels(lookup, run, info, rows)
    if info.outputs == "numbers":  # a row for each, without the text
        every = pa.array(np.repeat(np.arange(len(rows)), len(info.classes)))
        about = {name: about[name].take(every) for name in ("word_id", "form", "lemma", "was_trained_on")}
        about["target"] = pa.array(list(info.classes) * len(rows), pa.string())
    was_trained_on = about.pop("was_trained_on")
    tables = []
    for layer, file in files:
        network, space = read_network(place, file)
        inputs = _inputs(probe, run, run.vectors.layer(layer), rows, file, space)
        if info.outputs == "numbers":
            said: dict[str, Any] = {"value": predict_numbers(network, inputs).reshape(-1)}
        else:
            found = predict(network, inputs, info.outputs)
            predicted = pa.array(_named(np.array(info.classes, object), found.classes), pa.string())
            said = {"predicted": predicted, "probability": found.probabilities}
            said |= {"label": label} if info.feature is None else {}
        n = len(was_trained_on)
        which = {"run": run.label, "layer": layer, "of_layer": file.layer}
        columns = {name: pa.repeat(value, n) for name, value in which.items()}
        tables.append(pa.table(columns | about | said | {"was_trained_on": was_trained_on}))
    return pa.concat_tables(tables)


def _labels(lookup: Lookup, run: Run, info: ProbeInfo, rows: np.ndarray) -> pa.Array:
    """What is known of words in the column that the probe predicts; null where nothing is.

    Labels of a table, and of pairs, are not looked up: the table may be elsewhere by now.
    """
    nothing = pa.nulls(len(rows), pa.string())
    column = info.asked.get("label") if info.asked.get("content") is None else None
    if column is None or info.feature is not None:
        return nothing
    try:
        found = lookup.word_labels(run, column)
    except ResultError:  # no word of this corpus has one
        return nothing
    places = rows_of(found.word_ids, run.vectors.word_ids[rows[:, 0]])
    return pa.array([";".join(found.labels[place]) if place >= 0 else None for place in places], pa.string())


def _how_right(table: pa.Table) -> list[str]:
    """At which layers a probe is right how often, of words that it was not trained on."""
    if "label" not in table.column_names:
        return []
    new = table.filter(pc.and_(pc.invert(table["was_trained_on"]), pc.is_valid(table["label"])))
    is_right = pc.equal(new["predicted"], new["label"]).cast(pa.float64())
    of_layers = new.select(["run", "layer"]).append_column("right", is_right)
    rows = of_layers.group_by(["run", "layer"], use_threads=False)
    return [
        f"{row['run']}, layer {row['layer']}: right for {row['right_mean']:.1%} of the "
        f"{row['right_count']:,} words that have a label and that it was not trained on."
        for row in rows.aggregate([("right", "mean"), ("right", "count")]).to_pylist()
    ]


def _inputs(
    probe: Kept, run: Run, vectors: LayerVectors, rows: np.ndarray, file: ProbeFile, space: WordSpace | None
) -> Inputs:
    """The examples as a network reads them.

    Raises:
        ArgumentError: the vectors are of another width.
    """
    feature, d_model = probe.info.feature, vectors.d_model
    width = file.width // 2 if feature == "concat" else file.width
    width = len(space.shift) if space is not None else width  # a cosine is one number
    if d_model != width:
        raise ArgumentError(
            f"{probe.title} reads vectors of {width:,} dimensions, and those of {run.label} have "
            f"{d_model:,}. Take a run of the model that it was trained on, or of one as wide."
        )
    if feature is None:
        return WordInputs(vectors, rows[:, 0])
    space = space or WordSpace(np.zeros(d_model), np.ones(d_model))
    return PairInputs(vectors, rows, feature, space.shift, space.scale)


def _named(names: np.ndarray, classes: np.ndarray) -> list[str]:
    """The classes of examples by their names. `classes`: as `Predictions.classes`."""
    if classes.ndim == 1:
        called: list[str] = names[classes].tolist()
        return called
    return [";".join(names[has]) for has in classes]


def _notes(kept: Sequence[Kept]) -> list[str]:
    stale = {one.title: one.info.outdated(one.run.parts) for one in kept}
    return [f"{title} is stale: the run has {why}." for title, why in stale.items() if why]
