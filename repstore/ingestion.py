"""One ingestion: a corpus through a model into a store."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import TYPE_CHECKING, get_args

from repstore import corpus as corpora
from repstore.accounts import RunReport, check_same_name, is_complete, n_accounted, report_of
from repstore.corpus.plain import with_all_words
from repstore.corpus.splits import with_splits
from repstore.encode import require_encode
from repstore.encode.templates import Template, parse_template
from repstore.errors import ArgumentError, StoreError, check_utf8, did_you_mean
from repstore.groups import encode_group, start_runs, view_of
from repstore.schemas import rows_per_part
from repstore.spec import (
    CorpusInfo,
    DType,
    DTypeChoice,
    IngestPlan,
    Pooling,
    Progress,
    RunSpec,
    WordChoice,
)
from repstore.storage import manifest
from repstore.storage.catalog import is_current, publish_catalog
from repstore.storage.corpora import identify, write_corpus
from repstore.storage.files import free_bytes
from repstore.storage.layout import Layout
from repstore.storage.lock import writing
from repstore.storage.runs import check_name, check_place, create_store

if TYPE_CHECKING:
    from repstore.corpus import Corpus
    from repstore.encode.encoder import Encoder
    from repstore.encode.plan import Ahead


@dataclass(frozen=True, slots=True)
class IngestReport:
    """What an ingest planned and did. No plan: nothing was left to do. No runs: it was a dry run."""

    store: Path
    corpus: CorpusInfo
    plan: IngestPlan | None
    runs: tuple[RunReport, ...]

    @property
    def n_new(self) -> int:
        """Word vectors made, and words skipped, by this ingest; 0 if everything was there."""
        return sum(run.n_new for run in self.runs)


def ingest(
    source: str,
    store: str | Path,
    *,
    model: str | Path,
    templates: Sequence[str] = ("base",),
    words: WordChoice = "targets",
    splits: Sequence[str] | None = None,
    pooling: Pooling = "mean",
    dtype: DTypeChoice = "auto",
    final_norm: bool = True,
    device: str | None = None,
    batch_tokens: int | None = None,
    name: str | None = None,
    corpus_name: str | None = None,
    dry_run: bool = False,
    force: bool = False,
    progress: Callable[[Progress], None] = lambda _: None,
) -> IngestReport:
    """Run a model over a corpus and store every layer's word vectors, one run per template.

    What the store already has is not made again: the same call twice does nothing the second time, and
    after a crash it goes on with the first part that is missing.

    Args:
        source: a corpus, as ``format:path`` (`repstore.corpus`).
        store: folder of the store; made if it does not exist.
        model: a short name (smollm2, minilm), a folder, a .gguf file or a Hugging Face id.
        templates: names of built-in templates, or ``NAME=PATTERN`` (`repstore.encode.templates`).
        words: the annotated words of the corpus, or all words of its texts.
        splits: only the texts of these splits, with their pairs and edges; all, unless given.
        pooling: how a word's tokens become one vector.
        dtype: of the forward pass; ``auto`` is bfloat16 on a GPU and float32 elsewhere.
        final_norm: read the last layer after the model's final norm, as transformers returns it, or before.
        device: where the model runs; a GPU if there is one, unless given.
        batch_tokens: most tokens in a forward pass, padding included; found by trying on a GPU and 512 on a
            CPU, unless given. A resumed run keeps its own.
        name: of the run, instead of ``MODEL/TEMPLATE``; for one template.
        corpus_name: of the corpus, instead of its file's name.
        dry_run: plan, and stop before anything is written.
        force: begin even if the disk seems too small.
        progress: told the plan, and how far the ingest is.

    Raises:
        ArgumentError, CorpusError, ModelError: something given cannot be used; nothing was written.
        StoreError: the folder is not a store, a name in it is taken, a run was begun differently, or the disk
            is too small.
        StoreLockedError: another process is writing to the store.
        MissingExtraError: torch and transformers are not installed.
    """
    check_utf8(source, model, *templates, name, corpus_name)
    views = [parse_template(template) for template in templates]
    _check(views, words, pooling, dtype, batch_tokens, name)
    layout = Layout(Path(store))
    check_place(layout.root)
    progress(Progress("Reading the corpus"))
    corpus = corpora.read(source)
    if splits is not None:
        corpus = with_splits(corpus, splits)
    if words == "all":
        corpus = with_all_words(corpus)
    info = identify(corpus, corpus_name)
    require_encode()
    from repstore.encode.blocks import choose_batch_tokens
    from repstore.encode.encoder import Encoder
    from repstore.encode.loading import default_device
    from repstore.encode.models import find_model

    files = find_model(model, lambda message: progress(Progress(message)))
    device = device or default_device()
    wanted = _dtype(dtype, device)
    specs = [
        RunSpec(
            files.identity,
            info.corpus_id,
            view.template,
            view.pattern,
            view.reading,
            pooling,
            wanted,
            final_norm,
        )
        for view in views
    ]
    check_same_name(layout, name, specs[0])
    names = [name or f"{files.identity.name}/{view.name}" for view in views]
    pending = [n for n, spec in enumerate(specs) if not is_complete(layout, spec.run_id)]
    for n in pending:
        check_name(layout, names[n], specs[n])
    plan = encoder = ahead = None
    if pending:
        progress(Progress(f"Loading {files.identity.name}"))
        encoder = Encoder(files, wanted, device, final_norm=final_norm)
        progress(Progress("Planning"))
        plan, ahead = _plan(layout, corpus, info.n_words, encoder, [specs[n] for n in pending])
        progress(Progress("Planned", plan=plan))
    if dry_run:
        return IngestReport(layout.root, info, plan, ())
    if plan is not None and not force:
        _check_disk(layout, plan)
    with writing(layout):
        create_store(layout.root)
        info = write_corpus(layout, corpus, info)
        before = [n_accounted(layout, spec.run_id) for spec in specs]
        if encoder is not None and ahead is not None:
            budget = batch_tokens or choose_batch_tokens(encoder, ahead.blocks.values())
            contract = encoder.contract(budget) | {"repstore": version("repstore")}
            runs = [(names[n], views[n].given, specs[n]) for n in pending]
            groups = start_runs(layout, info, runs, contract)
            if not is_current(layout):  # so that a run is listed from its beginning on
                publish_catalog(layout)
            for group in groups:
                encode_group(layout, encoder, group, ahead, progress)
        if not is_current(layout):
            publish_catalog(layout)
        reports = tuple(report_of(layout, spec.run_id, n) for spec, n in zip(specs, before, strict=True))
    return IngestReport(layout.root, info, plan, reports)


def _plan(
    layout: Layout, corpus: Corpus, n_words: int, encoder: Encoder, specs: Sequence[RunSpec]
) -> tuple[IngestPlan, Ahead]:
    from repstore.encode.plan import blocks_of, plan_ahead

    model = specs[0].model
    n_rows = rows_per_part(model.n_layers, model.d_model)
    row_bytes = model.n_layers * model.d_model * 2
    committed = _committed(layout, specs)
    lacking = [part for part in range(-(-n_words // n_rows)) if part not in committed]
    n_lacking = sum(min(n_rows, n_words - part * n_rows) for part in lacking)
    blocks = zip(lacking, blocks_of(corpus.texts(), n_rows, committed), strict=False)
    ahead = plan_ahead(encoder, [view_of(spec) for spec in specs], blocks, len(lacking), n_lacking)
    plan = IngestPlan(
        cost=ahead.cost,
        # One part of every run is filled while the one before is written.
        memory_bytes=min(2, len(lacking)) * len(specs) * min(n_rows, n_words) * row_bytes,
        disk_bytes=ahead.cost.n_vectors * row_bytes,
        disk_free=free_bytes(layout.root),
    )
    return plan, ahead


def _committed(layout: Layout, specs: Sequence[RunSpec]) -> set[int]:
    """Parts that every one of these runs has."""
    parts = [{part.part for part in manifest.committed_parts(layout.run(spec.run_id))} for spec in specs]
    return set.intersection(*parts)


def _check_disk(layout: Layout, plan: IngestPlan) -> None:
    if plan.disk_bytes > plan.disk_free:
        raise StoreError(
            f"{layout.root} needs {plan.disk_bytes / 1e9:.1f} GB; {plan.disk_free / 1e9:.1f} GB are free. "
            "Free some, choose another disk, or go on all the same with --force."
        )


def _check(
    views: Sequence[Template],
    words: str,
    pooling: str,
    dtype: str,
    batch_tokens: int | None,
    name: str | None,
) -> None:
    if not views:
        raise ArgumentError("No template. Give at least one, such as base.")
    names = [view.name for view in views]
    if len(set(names)) < len(names):
        raise ArgumentError(f"A template is given twice: {', '.join(names)}.")
    seen: dict[tuple[str, str], str] = {}
    for view in views:
        other = seen.setdefault((view.pattern, view.reading), view.name)
        if other != view.name:
            raise ArgumentError(f"{view.name} is the same as {other} but for its name. Give one of them.")
    if name is not None and len(views) > 1:
        raise ArgumentError("A name can be given to one run at a time; there are several templates.")
    for option, value, known in (
        ("words", words, get_args(WordChoice)),
        ("pooling", pooling, get_args(Pooling)),
        ("dtype", dtype, get_args(DTypeChoice)),
    ):
        if value not in known:
            raise ArgumentError(f'No {option} "{value}". {did_you_mean(value, known)}')
    if batch_tokens is not None and batch_tokens < 1:
        raise ArgumentError(f"batch_tokens is {batch_tokens}; it must be at least 1.")


def _dtype(choice: DTypeChoice, device: str) -> DType:
    if choice == "auto":
        return "bfloat16" if device.startswith("cuda") else "float32"
    return choice
