"""The runs a study needs: found in the store, or made."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from repstore import corpus as corpora
from repstore.corpus.splits import with_splits
from repstore.encode import require_encode
from repstore.encode.templates import Template, parse_template
from repstore.errors import MissingExtraError, ModelError
from repstore.groups import missing_parts
from repstore.ingestion import ingest
from repstore.spec import DTypeChoice, ModelIdentity, Progress, RunInfo
from repstore.storage.corpora import identify, read_corpora
from repstore.storage.layout import Layout
from repstore.storage.runs import check_place, read_runs


@dataclass(frozen=True, slots=True)
class Maker:
    """A model that is asked for, and how its runs are made.

    Attributes:
        given: as `repstore.ingest` takes it.
        identity: what it is by content; None where its files, or what reads them, are not at hand.
        dtype: of the forward pass; with ``auto``, that of the runs which are there.
        device: where it runs.
    """

    given: str
    identity: ModelIdentity | None
    dtype: DTypeChoice
    device: str | None

    def made(self, run: RunInfo) -> bool:
        """Whether a run is of this model: by content if that is known, else by name."""
        model = run.spec.model
        if self.dtype not in ("auto", run.spec.dtype):
            return False
        if self.identity is None:
            return self.given in (model.name, model.source)
        known = (self.identity.weights_sha256, self.identity.tokenizer_sha256)
        return known == (model.weights_sha256, model.tokenizer_sha256)


def find_maker(
    given: str, dtype: DTypeChoice, device: str | None, progress: Callable[[Progress], None]
) -> Maker:
    """The model of a study. One whose files are gone may still have its runs in the store."""
    try:
        require_encode()
        from repstore.encode.models import find_model

        identity = find_model(given, lambda message: progress(Progress(message))).identity
    except (MissingExtraError, ModelError):
        identity = None
    return Maker(given, identity, dtype, device)


def runs_for(
    store: Path,
    source: str,
    splits: Sequence[str] | None,
    maker: Maker,
    templates: Sequence[str],
    progress: Callable[[Progress], None],
) -> dict[str, RunInfo]:
    """A run for every template; those that the store does not have are ingested.

    A complete run of the model, with mean pooling and the final norm, is taken as it is, so a study over a
    store that has everything needs no model and no torch. A store that has the whole corpus is not given its
    splits once more.

    Args:
        store: folder of the store; made if it does not exist.
        source: the corpus, as ``format:path``.
        splits: the splits that are needed; None for all.
        maker: the model.
        templates: as `repstore.ingest` takes them.
        progress: told what is done.
    """
    layout = Layout(store)
    check_place(store)
    whole = corpora.read(source)
    known = {info.corpus_id for info in read_corpora(layout)}
    corpus_id = identify(whole).corpus_id
    if splits is not None and corpus_id not in known:
        corpus_id = identify(with_splits(whole, splits)).corpus_id
    else:
        splits = None
    wanted = [parse_template(template) for template in templates]
    found = _found(layout, corpus_id, maker, wanted)
    missing = [template.given for template in wanted if template.name not in found]
    if missing:
        ingest(
            source,
            store,
            model=maker.given,
            templates=missing,
            splits=splits,
            dtype=next(iter(found.values())).spec.dtype if found else maker.dtype,
            device=maker.device,
            progress=progress,
        )
        found = _found(layout, corpus_id, maker, wanted)
    return {template.name: found[template.name] for template in wanted}


def _found(layout: Layout, corpus_id: str, maker: Maker, templates: Sequence[Template]) -> dict[str, RunInfo]:
    """Runs of one dtype that fit, by template: of the dtype that most templates have."""
    by_dtype: dict[str, dict[str, RunInfo]] = {}
    for run in read_runs(layout):
        spec = run.spec
        fits = spec.corpus_id == corpus_id and (spec.pooling, spec.final_norm) == ("mean", True)
        if fits and maker.made(run) and not missing_parts(layout, run):
            for template in templates:
                if (spec.pattern, spec.reading) == (template.pattern, template.reading):
                    by_dtype.setdefault(spec.dtype, {}).setdefault(template.name, run)
    return max(by_dtype.values(), key=len, default={})
