"""One import: vectors made elsewhere, into a store, as a run like any other."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from repstore.accounts import RunReport, check_same_name, check_storable, is_complete, n_accounted, report_of
from repstore.corpus import Corpus
from repstore.errors import ArgumentError, StoreError
from repstore.groups import missing_parts, n_words_of, stats_of
from repstore.importing import Request, Source, Watched, open_source, watched
from repstore.importing.narrowing import narrowed
from repstore.importing.source import Opened
from repstore.schemas import ID_STRIDE, rows_per_part
from repstore.spec import (
    Axes,
    CorpusInfo,
    LookUpBy,
    LookUpCase,
    ModelIdentity,
    Progress,
    RunInfo,
    RunSpec,
    SkipReason,
)
from repstore.storage import manifest
from repstore.storage.catalog import is_current, publish_catalog
from repstore.storage.commit import commit_part
from repstore.storage.corpora import identify, read_corpora, read_rows, write_corpus
from repstore.storage.files import free_bytes, sha256_of
from repstore.storage.layout import Layout
from repstore.storage.lock import writing
from repstore.storage.runs import check_name, check_place, create_store, read_run, write_run

IMPORTED = "imported"
"""What stands where a run says its architecture and its template, and there was neither."""


@dataclass(frozen=True, slots=True)
class ImportReport:
    """What an import did. `notes`: what a user should know of the file."""

    store: Path
    corpus: CorpusInfo
    run: RunReport
    notes: tuple[str, ...]

    @property
    def n_new(self) -> int:
        """Word vectors stored, and words skipped, by this import; 0 if everything was there."""
        return self.run.n_new


def import_vectors(
    source: str,
    store: str | Path,
    *,
    words: str | Path | None = None,
    corpus: str | None = None,
    by: LookUpBy = "form",
    case: LookUpCase = "exact",
    axes: Axes | None = None,
    name: str | None = None,
    model: str | None = None,
    corpus_name: str | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> ImportReport:
    """Store vectors that were made elsewhere as a run, so that they compare with layers of models.

    Vectors of a vocabulary (``word2vec:``, ``fasttext:``, ``glove:``) are given to every occurrence of their
    word in a corpus of the store. Those of occurrences (``npy:``, ``parquet:``, ``neurox:``) are of words of
    the store, or bring a corpus along. What the store already has is not stored again: the same call twice
    does nothing the second time, and after a crash it goes on with the first part that is missing.

    Args:
        source: the vectors, as ``format:path`` (`repstore.importing`).
        store: folder of the store; made if it does not exist and a corpus comes along.
        words: which words the vectors are of: for ``npy:``, a table with a row for each row of the array; for
            ``neurox:``, sentences, one a line.
        corpus: name of the corpus of the store that they are over; not needed for a vocabulary if there is
            one, nor where words have ids.
        by: look words up by their form, or by their lemma (the form, where the corpus has none).
        case: look them up as they are written, in lower case, or as they are written and where that is not
            found in lower case.
        axes: what the first two axes of an array with three are, where its shape does not say.
        name: of the run, instead of its file's name.
        model: what made the vectors, instead of the name.
        corpus_name: of a corpus that comes along, instead of its file's name.
        progress: told how far the import is.

    Raises:
        ArgumentError, CorpusError: something given cannot be used; nothing was written, unless a file changed
            after that had begun.
        StoreError: the folder is not a store, a name in it is taken, or the disk is full
            or too small.
        StoreLockedError: another process is writing to the store.
        MissingExtraError: the library of the format is not installed.
    """
    check_storable(source, words, name, model, corpus_name)
    layout = Layout(Path(store))
    check_place(layout.root)
    progress(Progress(f"Reading {source}"))
    table = None if words is None else Path(words)
    request = Request(source, layout, tuple(read_corpora(layout)), table, corpus, by, case, axes)
    files = watched(request)
    found = open_source(request)
    over = found.corpus
    if corpus_name is not None and not isinstance(over, Corpus):
        raise ArgumentError(
            f"No corpus comes along that could be named {corpus_name}: these are words of {over.name}."
        )
    info = identify(over, corpus_name) if isinstance(over, Corpus) else over
    called = name or found.name
    spec = _spec(found, source, model or called, info)
    check_same_name(layout, name, spec)
    opened = None
    if not is_complete(layout, spec.run_id):
        check_name(layout, called, spec)
        opened = found.open(info, progress)
        _check_disk(layout, spec, opened.n_words)
    files.check()
    with writing(layout):
        create_store(layout.root)
        if isinstance(over, Corpus):
            info = write_corpus(layout, over, info)
        before = n_accounted(layout, spec.run_id)
        if opened is not None:
            run = _start(layout, info, called, spec, _contract(found, request))
            _write_parts(layout, info, run, found.lacking, opened, files, progress)
        if not is_current(layout):
            publish_catalog(layout)
        run_report = report_of(layout, spec.run_id, before)
    return ImportReport(layout.root, info, run_report, () if opened is None else opened.notes)


def _spec(source: Source, given: str, model: str, corpus: CorpusInfo) -> RunSpec:
    """What the run is made from. In place of a model, its weights and its tokenizer stand the content of the
    files, and of what says which words they are of.
    """
    weights = _digest(source.files)
    identity = ModelIdentity(
        name=model,
        source=given,
        revision=None,
        architecture=IMPORTED,
        weights_sha256=weights,
        tokenizer_sha256=weights if source.words is None else sha256_of(source.words),
        n_layers=len(source.layers),
        d_model=source.d_model,
    )
    return RunSpec(identity, corpus.corpus_id, IMPORTED, source.pattern, "target", "mean", "float32")


def _check_disk(layout: Layout, spec: RunSpec, n_words: int) -> None:
    """Refuse to begin what the disk has no room for, as far as the parts are not there yet."""
    there = manifest.committed_parts(layout.run(spec.run_id))
    n_bytes = (n_words - sum(part.n_words for part in there)) * spec.model.n_layers * spec.model.d_model * 2
    free = free_bytes(layout.root)
    if n_bytes > free:
        raise StoreError(
            f"{layout.root} needs {n_bytes / 1e9:.1f} GB; {free / 1e9:.1f} GB are free. Free some, or choose "
            "another disk."
        )


def _digest(files: tuple[Path, ...]) -> str:
    """SHA-256 of a file, or of those of several in order."""
    each = [sha256_of(path) for path in files]
    return each[0] if len(each) == 1 else hashlib.sha256(json.dumps(each).encode()).hexdigest()


def _contract(source: Source, request: Request) -> dict[str, Any]:
    """What else decides the numbers, and what was asked for, so that it can be asked for again."""
    asked = {
        "words": None if request.words is None else str(request.words),
        "corpus": None if isinstance(source.corpus, Corpus) else source.corpus.name,
        "by": request.by,
        "case": request.case,
        "axes": request.axes,
    }
    return {
        "asked": asked,
        "layers": list(source.layers),
        "stored": "float16, or float32 for a layer that exceeds it or would lose more than a thousandth "
        "(per part, in the manifest)",
        "repstore": version("repstore"),
    }


def _start(layout: Layout, corpus: CorpusInfo, name: str, spec: RunSpec, contract: dict[str, Any]) -> RunInfo:
    """Record the run, unless it is there, and list it from its beginning on. Returns what is recorded."""
    run = RunInfo(
        run_id=spec.run_id,
        name=name,
        corpus=corpus.name,
        template=spec.template,
        spec=spec,
        contract=contract,
        group=(spec.run_id,),
        n_words=corpus.n_words,
        rows_per_part=rows_per_part(spec.model.n_layers, spec.model.d_model),
        origin="imported",
    )
    write_run(layout, run)
    if not is_current(layout):
        publish_catalog(layout)
    return read_run(layout, spec.run_id)


def _write_parts(
    layout: Layout,
    corpus: CorpusInfo,
    run: RunInfo,
    otherwise: SkipReason,
    opened: Opened,
    files: Watched,
    progress: Callable[[Progress], None],
) -> None:
    """Make the parts that a run lacks. `otherwise` is why a word that is not found has no vector."""
    lacking = missing_parts(layout, run)
    n_total, n_done = sum(n_words_of(run, part) for part in lacking), 0
    for part in lacking:
        progress(Progress("Importing", n_done, n_total))
        start = part * run.rows_per_part
        n_words = n_words_of(run, part)
        block = opened.block(start, start + n_words)
        files.check()
        stored = narrowed(block.layers)
        reasons: dict[int, SkipReason] = dict.fromkeys(range(n_words), otherwise)
        reasons |= dict.fromkeys(block.words[~stored.whole].tolist(), "not_finite")
        kept = block.words[stored.whole]
        for n in kept.tolist():
            del reasons[n]
        first_id = corpus.code * ID_STRIDE + start
        commit_part(
            layout.run(run.run_id),
            run.run_id,
            part,
            word_ids=first_id + kept,
            layers=stored.layers,
            stats=[stats_of(matrix) for matrix in stored.layers] if len(kept) else [],
            skipped=_skipped(layout, corpus, start, reasons),
            n_windowed=0,
            n_not_finite=stored.n_not_finite,
        )
        n_done += n_words
    progress(Progress("Importing", n_done, n_total))


def _skipped(
    layout: Layout, corpus: CorpusInfo, start: int, reasons: dict[int, SkipReason]
) -> list[dict[str, Any]]:
    """Words without a vector, as rows of `schemas.SKIPPED`; no text was rendered, so it is their form."""
    if not reasons:
        return []
    stop = start + max(reasons) + 1
    words = read_rows(layout.corpus(corpus.corpus_id).words, start, stop)
    word_ids, forms = words["word_id"].to_pylist(), words["form"].to_pylist()
    return [
        {"word_id": word_ids[n], "reason": reason, "n_tokens": None, "rendered": forms[n]}
        for n, reason in sorted(reasons.items())
    ]
