"""Learning mixes of layers, listing and removing them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, get_args

import numpy as np

from repstore.analysis.labelled import LabelledRows
from repstore.errors import ArgumentError, ResultError, check_choice
from repstore.keeping import as_it_was, drop
from repstore.mix_tables import table_of_all, table_of_learned
from repstore.pair_sides import pair_sides
from repstore.results import ResultTable
from repstore.sampling import check_memory
from repstore.spec import MEMORY, MixKind, Progress
from repstore.storage.fitted_on import whole
from repstore.storage.frozen import STORE, check_name
from repstore.storage.lock import writing
from repstore.storage.lookup import Lookup, looking_up
from repstore.storage.mixed import Mix, read_mix_of
from repstore.storage.mixes import MixInfo, read_mix_info, write_mix
from repstore.storage.opened import Layers, Run
from repstore.storage.pairs import ALL
from repstore.storage.runs import open_store


def fit_mix(
    store: str | Path,
    name: str,
    *,
    kind: MixKind = "scalar",
    run: str | None = None,
    layer: Layers = "all",
    train_on: str | None = None,
    select_on: str | None = None,
    seed: int = 0,
    memory: int = MEMORY,
    progress: Callable[[Progress], None] = lambda _: None,
) -> ResultTable:
    """Learn a mix of the layers of a run from its labelled pairs, and keep it under a name.

    It is frozen: learned again as it was, nothing is done; otherwise it has to be dropped first. Ask about it
    as the layer ``mix:NAME``. Needs the extra ``repstore[train]``; asking about it does not.

    No lemma is both learned from and chosen by: pairs to choose by that have a lemma of the pairs to learn
    from are left out.

    Args:
        store: folder of the store.
        name: what it will be called: letters, digits, ``.``, ``_`` and ``-``.
        kind: ``scalar``: one weight for each layer; ``attention``: layer-wise attention pooling, weights for
            each word (`storage.mixed.Mix`).
        run: a run; not needed if the store has one.
        layer: which layers to mix.
        train_on: split of the pairs to learn from, "all" for every pair; unless given, "train" if there is
            one, else "dev", else "all".
        select_on: split of the pairs by which the training ends; unless given, "dev" beside "train", and else
            a fifth of the pairs of `train_on`, by lemmas drawn with `seed`, which are not learned from.
        seed: decides these lemmas, the order of the pairs, and where ``attention`` starts.
        memory: bytes to work in.
        progress: told how many epochs are done.

    Returns:
        One row per layer that asks and layer that is asked: run, mix, query, layer, weight. Of ``attention``,
        the mean over the words learned from of the attention that layer `query` pays to `layer`; where query
        is "all", and of ``scalar`` nowhere else, the weight of the layer in the mix. Notes say the center of
        gravity, and the loss by which the training ended, before and after.

    Raises:
        ArgumentError: an argument cannot be used, or there is another mix of that name.
        NotFoundError: no such run, layer or split.
        ResultError: too few labelled pairs, or too little memory.
        MissingExtraError: torch is not installed.
        StoreDamagedError: there is a mix of that name, and it is damaged.
        StoreError: the disk is full, above all; then nothing is kept.
        StoreLockedError: another process is writing to the store.
    """
    check_name("mix", name)
    check_choice("kind", kind, get_args(MixKind))
    check_memory(memory)
    seed = whole("seed", seed)
    if seed < 0:
        raise ArgumentError(f"seed is {seed}; it must not be negative.")
    from repstore.training.mixing import learn_mix

    layout = open_store(Path(store).absolute())
    with writing(layout), looking_up(layout) as lookup:
        opened = lookup.run(run)
        layers = sorted(opened.stored_layers(layer, "Mixes"))
        train_on, select_on = _splits(lookup, opened, train_on, select_on)
        command = _command(name, opened, kind, layers, train_on, select_on, seed)
        about = {
            "kind": kind,
            "run_id": opened.info.run_id,
            "parts": opened.parts,
            "layers": tuple(layers),
            "asked": {"train_on": train_on, "select_on": select_on, "seed": seed, "command": command},
        }
        place = opened.folder.frozen("mix", name)
        if as_it_was(place, opened, read_mix_info, lambda info: _otherwise(info, about)) is not None:
            known = read_mix_of(opened.folder, name, opened.label)
            return table_of_learned(opened, *known, ["It was there already: nothing was done."])
        train, select, notes = _pairs(lookup, opened, train_on, select_on, seed)
        learned = learn_mix(
            kind,
            [opened.vectors.layer(number) for number in layers],
            train,
            select,
            seed=seed,
            memory=memory,
            progress=lambda n: progress(Progress("Learning the mix", n, 0, unit="epochs")),
        )
        arrays = dict(learned.mix.arrays) | {"losses": np.array([learned.before, learned.after])}
        word_ids = opened.vectors.word_ids[train.words]
        info = write_mix(place, word_ids, arrays, about)
    if not learned.epoch:
        notes = [*notes, "Training made nothing better: this is the mix it started from."]
    return table_of_learned(opened, info, Mix(kind, info.layers, arrays), notes)


def list_mixes(store: str | Path) -> ResultTable:
    """The mixes of a store.

    Returns:
        One row per mix: run, mix (its name), kind, state, n_layers, center (of gravity), loss_before and
        loss_after (on the pairs that training ended by), n_words (learned from), train_on, select_on, bytes.
        The state is "current"; "stale": the run has more or other vectors since, and it is used as it is; or
        "damaged".
    """
    layout = open_store(Path(store).absolute())
    with looking_up(layout) as lookup:
        return table_of_all(layout, [lookup.run(run_id) for run_id in lookup.labels])


def drop_mix(store: str | Path, name: str, *, run: str | None = None) -> bool:
    """Remove a mix of a run. Vectors are not touched.

    Returns:
        Whether there was one.
    """
    return drop(store, "mix", name, run)


def _splits(lookup: Lookup, run: Run, train_on: str | None, select_on: str | None) -> tuple[str, str | None]:
    """Splits to learn from and to choose by; None for some lemmas of the former.

    Raises:
        ArgumentError: they are the same.
    """
    known = lookup.pair_splits(run, "label")
    if train_on is None:
        train_on = next((split for split in ("train", "dev") if split in known and split != select_on), ALL)
        if select_on is None and train_on == "train" and "dev" in known:
            select_on = "dev"
    if select_on is not None and (select_on == train_on or ALL in (train_on, select_on)):
        raise ArgumentError(
            f'Training on "{train_on}" cannot end by "{select_on}": these have pairs in common. Leave out '
            "select_on to choose by some lemmas of them."
        )
    return train_on, select_on


def _command(
    name: str,
    run: Run,
    kind: MixKind,
    layers: Sequence[int],
    train_on: str,
    select_on: str | None,
    seed: int,
) -> list[str]:
    """What learns the mix anew, as arguments after ``repstore``."""
    command = ["mix", "fit", STORE, name, "--run", f"{run.info.name}@{run.info.corpus}", "--kind", kind]
    command += ["--layer", ",".join(map(str, layers)), "--train-on", train_on]
    command += [] if select_on is None else ["--select-on", select_on]
    return [*command, "--seed", str(seed)]


def _otherwise(info: MixInfo, about: dict[str, Any]) -> list[str]:
    """What differs from how a mix was learned."""
    differs = [key for key in ("kind", "layers") if getattr(info, key) != about[key]]
    return differs + [
        key for key in about["asked"] if key != "command" and info.asked[key] != about["asked"][key]
    ]


def _pairs(
    lookup: Lookup, run: Run, train_on: str, select_on: str | None, seed: int
) -> tuple[LabelledRows, LabelledRows, list[str]]:
    """The pairs to learn from, those to choose by, without a lemma of the former, and what is said of them.

    Raises:
        ResultError: none is left to choose by.
    """
    sides = pair_sides(lookup, run, train_on, select_on or train_on, seed)
    train, select, notes = sides.train, sides.select, sides.notes
    apart = np.all(~np.isin(select.lemmas, train.lemmas), axis=1)
    if not apart.all():
        notes.append(f"{(~apart).sum()} pairs to choose by are left out: a lemma of theirs is learned from.")
    if not apart.any():
        raise ResultError(
            f'Every pair of "{select_on or train_on}" has a lemma that is learned from, so none can say '
            "when to end. Leave out select_on, or name another split."
        )
    select = select.where(apart)
    chosen = f'"{select_on}"' if select_on else f'other lemmas of "{train_on}"'
    notes.append(f'Learned from {len(train):,} pairs of "{train_on}", chosen by {len(select):,} of {chosen}.')
    return train, select, notes
