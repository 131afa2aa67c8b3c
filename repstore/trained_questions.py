"""What users ask of trained probes, as `fit_probes` wants it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any, Literal, get_args

from repstore.abstraction import Abstraction, abstraction
from repstore.analysis.logistic import bytes_to_fit, logistic
from repstore.corpus.labels import LabelTable, read_labels
from repstore.dividing import Dividing
from repstore.errors import ArgumentError, check_choice
from repstore.learning import Method
from repstore.matrix_in_use import RidgeProbe
from repstore.results import ResultTable
from repstore.ridge_probe import probe_ridge
from repstore.spec import PairFeature, Progress, SplitBy, TrainedName
from repstore.storage.lookup import Lookup
from repstore.storage.opened import Layers, Runs
from repstore.structural_probing import StructuralProbe, probe_structural
from repstore.tasks import ARCS, OF_PAIRS, RELATIONS, Asked
from repstore.trained_probing import TrainedProbe, probe_trained

Features = PairFeature | Sequence[PairFeature] | Literal["all"]
"""How users say by which features pairs are seen."""


def ask_trained(
    lookup: Lookup,
    name: TrainedName,
    *,
    run: Runs,
    layer: Layers,
    progress: Callable[[Progress], None],
    **options: Any,
) -> ResultTable:
    """Ask a trained probe, as `Store.probe` does."""
    return probe_trained(lookup, lookup.several(run), layer, asked_of(name, **options), progress)


def asked_of(
    name: TrainedName,
    *,
    label: str | Path,
    features: Features,
    edges: str | Sequence[str] | None,
    split_by: SplitBy | None,
    train_on: str | None,
    select_on: str | None,
    evaluate_on: str | None,
    at_least: int | None,
    where: str | None,
    sample: int | None,
    n_seeds: int,
    seed: int,
    resamples: int,
    memory: int,
) -> TrainedProbe:
    """What is asked of a trained probe, checked as far as it can be without the store.

    Raises:
        ArgumentError: options that do not go together.
        CorpusError: the table of labels cannot be read.
    """
    _check_name("label", label)
    if label not in OF_PAIRS and features != "all":
        raise ArgumentError(
            f'Features are of pairs of words, and "{label}" is a label of one. Leave features out.'
        )
    if edges is not None and label not in (ARCS, RELATIONS):
        raise ArgumentError(f'Edges go with the labels "{ARCS}" and "{RELATIONS}", not with "{label}".')
    if name == "mdl" and split_by == "lemma":
        raise ArgumentError(
            "mdl codes the labels of these words and keeps no lemmas apart. Leave split_by out, or ask "
            "linear."
        )
    kinds = [edges] if edges is None or isinstance(edges, str) else list(dict.fromkeys(edges))
    if not kinds:
        raise ArgumentError("No kind of edges is given. Give at least one, or leave edges out.")
    return TrainedProbe(
        name=name,
        methods=methods_of(name),
        tasks=tuple(Asked(_label(label), kind, at_least, where, sample, seed) for kind in kinds),
        features=_features(features),
        dividing=Dividing(split_by, train_on, select_on, evaluate_on),
        n_seeds=n_seeds,
        seed=seed,
        resamples=resamples,
        memory=memory,
    )


def ask_structural(
    lookup: Lookup,
    _: str,
    *,
    run: Runs,
    layer: Layers,
    progress: Callable[[Progress], None],
    **asked: Any,
) -> ResultTable:
    """Ask the structural probe, as `Store.probe` does."""
    return probe_structural(lookup, lookup.several(run), layer, StructuralProbe(**asked), progress)


def ask_matrix(
    lookup: Lookup,
    name: Literal["ridge", "abstraction"],
    *,
    run: Runs,
    layer: Layers,
    progress: Callable[[Progress], None],
    matrix: str | Path,
    scale: int = 1,
    **asked: Any,
) -> ResultTable:
    """Ask how layers predict a table of numbers, as `Store.probe` does."""
    _check_name("matrix", matrix)
    opened, ridge = lookup.several(run), RidgeProbe(Path(matrix), **asked)
    if name == "ridge":
        return probe_ridge(lookup, opened, layer, ridge, progress)
    return abstraction(lookup, opened, layer, Abstraction(ridge, scale), progress)


def methods_of(name: TrainedName) -> tuple[Method, ...]:
    """How a probe learns."""
    match name:
        case "linear":
            return (Method("linear", logistic, needs=bytes_to_fit),)
        case "mdl":
            return (Method("mdl", logistic, "bits", bytes_to_fit),)
        case "mlp":
            from repstore.training.mlp import CAPACITIES, perceptron  # which loads torch

            return tuple(Method(f"mlp-{n}", perceptron(n)) for n in CAPACITIES)


def _check_name(option: str, given: object) -> None:
    if not isinstance(given, str | Path):
        raise ArgumentError(
            f"{option} is a name or the path of a file, not a {type(given).__name__}. Write a table to a CSV "
            "or Parquet file first."
        )


def _label(given: str | Path) -> str | LabelTable:
    """A column, whose name has neither a dot nor a slash, or the table in a file."""
    is_file = isinstance(given, Path) or "." in given or "/" in given
    return read_labels(Path(given)) if is_file else str(given)


def _features(given: Features) -> tuple[PairFeature, ...]:
    known = get_args(PairFeature)
    if given == "all":
        return known
    names = [given] if isinstance(given, str) else list(given)
    if not names:
        raise ArgumentError('No feature is given. Give at least one, or "all".')
    for one in names:
        check_choice("feature", one, (*known, "all"))
    return tuple(feature for feature in known if feature in names or "all" in names)
