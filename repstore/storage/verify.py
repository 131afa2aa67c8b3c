"""Is everything in a store as it was written, and what to do if not."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow.parquet as pq

from repstore.errors import StoreDamagedError
from repstore.schemas import WORD_ID
from repstore.spec import Part, RunInfo
from repstore.storage.catalog import is_current
from repstore.storage.corpora import read_corpus
from repstore.storage.files import TEMPORARY, read_json, sha256_of
from repstore.storage.frozen import files_of
from repstore.storage.frozen_kinds import frozen_of, read_frozen
from repstore.storage.index import read_info
from repstore.storage.layout import (
    DERIVED,
    FROZEN_FOLDERS,
    UNFINISHED,
    CorpusLayout,
    FrozenLayout,
    Layout,
    ResultLayout,
    RunLayout,
)
from repstore.storage.lock import writer_of
from repstore.storage.manifest import is_committed, read_entry
from repstore.storage.parts import PartFile
from repstore.storage.remaking import drop_command, fit_command, index_command, ingest_command
from repstore.storage.runs import read_run
from repstore.storage.saved_results import SavedResult, read_made

Problem = Literal["damaged", "missing", "stale", "incomplete", "unfinished", "foreign", "writing"]
PASSING: set[Problem] = {"stale", "incomplete", "unfinished", "foreign"}
"""What may be found beside a writer although nothing is wrong."""


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that is not as it should be.

    Attributes:
        path: which file, relative to the store.
        problem: ``damaged`` or ``missing`` files of the store; a ``stale`` catalog or index, or something
            frozen, which knows other parts than the run now has; an ``incomplete`` run, whose ingest has to
            be resumed; an ``unfinished`` file that a crash left; a ``foreign`` file; another process was
            ``writing`` meanwhile.
        detail: what is wrong with it, and which words it touches.
        unit: what repair moves away to mend it, relative to the store; None if nothing has to move.
    """

    path: str
    problem: Problem
    detail: str
    unit: str | None = None


def verify(layout: Layout, progress: Callable[[str], None] = lambda _: None) -> list[Finding]:
    """Read every byte of a store and compare it with what was recorded when it was written.

    What is committed is judged in any case. If another process writes meanwhile, the catalog, the indexes,
    results, what is frozen (transforms, probes, mixes) and what no manifest names yet are not: in a moment
    they are right.

    Args:
        layout: the store.
        progress: told each file before it is read.
    """
    before = _writing(layout)
    found = check(layout, progress)
    after = _writing(layout)
    if before == after and after[0] is None:
        return found
    passing = [each for each in found if each.problem in PASSING or DERIVED.match(each.path)]
    names = [each.path for each in passing]
    detail = f"{after[0] or before[0] or 'another process'} is at work or has just been"
    if names:
        more = f" and {len(names) - 3} more" if len(names) > 3 else ""
        detail += f"; not judged: {', '.join(names[:3])}{more}"
    return [*(each for each in found if each not in passing), Finding(layout.lock.name, "writing", detail)]


def check(layout: Layout, progress: Callable[[str], None] = lambda _: None) -> list[Finding]:
    """The same of a store that nobody else writes to: call it with the writer lock held."""
    return list(_Check(layout, progress).all())


def _writing(layout: Layout) -> tuple[str | None, list[tuple[int, int]]]:
    """Who writes, and what is in place that is derived: whoever has written leaves a new one."""
    in_place = []
    frozen = [path for folder in FROZEN_FOLDERS.values() for path in layout.runs.glob(f"*/{folder}/*/*.json")]
    kept = layout.results.glob("*/result.json")
    derived = (*layout.runs.glob("*/index/*.json"), *frozen, *kept)
    for path in (layout.catalog_digest, *sorted(derived)):
        with suppress(FileNotFoundError):
            stat = path.stat()
            in_place.append((stat.st_ino, stat.st_mtime_ns))
    return writer_of(layout), in_place


class _Check:
    """One pass over a store. `known` collects the files that belong to it."""

    def __init__(self, layout: Layout, progress: Callable[[str], None]) -> None:
        self._layout = layout
        self._progress = progress
        self._known = {layout.lock, layout.lock_holder}
        self._damaged_json = False

    def all(self) -> Iterator[Finding]:
        """Everything that is wrong."""
        layout = self._layout
        yield from self._json(layout.marker, None)
        for folder in sorted(layout.corpora.glob("*")):
            if folder.is_dir() and folder.suffix != TEMPORARY:
                yield from self._corpus(CorpusLayout(folder))
        for folder in sorted(path for path in layout.runs.glob("*") if path.is_dir()):
            if any(path.suffix != TEMPORARY for path in folder.glob("*")):  # else not even begun
                yield from self._run(RunLayout(folder))
        for place in layout.all_results():
            yield from self._result(place)
        yield from self._catalog()
        yield from self._others()

    def _corpus(self, files: CorpusLayout) -> Iterator[Finding]:
        unit = self._name(files.root)
        damaged = list(self._json(files.info, unit))
        yield from damaged
        paths = tuple(files.tables.values())
        self._known.update(paths)
        if damaged:
            return
        info, digests = read_corpus(files)
        if info.corpus_id != files.root.name:
            yield self._damaged(files.info, f"it describes corpus {info.corpus_id}", unit)
        touched = f"{info.n_words:,} words of corpus {info.name}"
        counts = (info.n_texts, info.n_words, info.n_pairs, info.n_edges)
        for path, n_rows in zip(paths, counts, strict=True):
            wrong = self._hash(path, digests[path.name], touched, unit)
            yield from wrong
            if not wrong and pq.read_metadata(path).num_rows != n_rows:
                yield self._damaged(path, f"it does not have {n_rows:,} rows", unit)

    def _run(self, files: RunLayout) -> Iterator[Finding]:
        unit = self._name(files.root)
        damaged = list(self._json(files.info, unit))
        yield from damaged
        entries = files.entries()
        self._known.update(entries)
        if damaged:
            self._known.update(path for path in files.root.rglob("*") if path.suffix != TEMPORARY)
            return
        run = read_run(self._layout, files.root.name)
        if run.run_id != files.root.name or run.spec.run_id != run.run_id:
            yield self._damaged(files.info, f"it describes run {run.spec.run_id}", unit)
        for path in entries:
            yield from self._part(files, run, path)
        for path in files.index_infos():
            yield from self._index(files, run, path)
        for place in frozen_of(files):
            yield from self._frozen(files, run, place)
        lacking = [part for part in range(run.n_parts) if not is_committed(files, part)]
        if lacking:
            command = ingest_command(self._layout, run)
            detail = f"{len(lacking)} of {run.n_parts} parts of {run.name} are missing; {command}"
            yield Finding(unit, "incomplete", detail)
        corpus = self._layout.corpus(run.spec.corpus_id).root
        if not corpus.exists():
            yield Finding(self._name(corpus), "missing", f"the corpus of {run.name}, {run.corpus}")

    def _part(self, files: RunLayout, run: RunInfo, path: Path) -> Iterator[Finding]:
        unit = self._name(path)
        number = int(path.stem.removeprefix("part-"))
        expected = min(run.rows_per_part, run.n_words - number * run.rows_per_part)
        damaged = list(self._json(path, unit, f"{expected:,} words of {run.name}"))
        yield from damaged
        if damaged:
            self._known.update((files.part(number), files.skipped(number)))
            return
        entry = read_entry(path)
        self._known.update(files.root / name for name in (entry.file, entry.skipped_file) if name)
        touched = f"words {entry.first_word_id} to {entry.last_word_id} of {run.name}"
        if entry.part != number or entry.n_words + entry.n_skipped != expected:
            yield self._damaged(path, f"it does not account for the {expected:,} words of the part", unit)
        for name, sha256 in ((entry.file, entry.sha256), (entry.skipped_file, entry.skipped_sha256)):
            if name is not None and sha256 is not None:
                wrong = self._hash(files.root / name, sha256, touched, unit)
                yield from wrong
                if not wrong and name == entry.file:
                    yield from self._content(files.root / name, entry, unit)

    def _content(self, path: Path, entry: Part, unit: str) -> Iterator[Finding]:
        """Hashes agree; do the part and its entry?"""
        try:
            word_ids = PartFile(path).word_ids
        except StoreDamagedError as error:
            yield self._damaged(path, str(error), unit)
            return
        facts = (len(word_ids), int(word_ids[0]), int(word_ids[-1]))
        if facts != (entry.n_words, entry.first_word_id, entry.last_word_id):
            yield self._damaged(path, f"its {WORD_ID} differ from the manifest's", unit)

    def _index(self, files: RunLayout, run: RunInfo, path: Path) -> Iterator[Finding]:
        unit = self._name(path)
        command = index_command(self._layout, run, path)
        self._known.add(path)
        try:
            info = read_info(path)
        except StoreDamagedError:
            self._known.update(files.editions(path))
            yield self._damaged(path, f"not used; {command}", unit)
            return
        file = files.root / info.file
        self._known.add(file)
        yield from self._hash(file, info.sha256, f"not used; {command}", unit)
        if not info.is_of(self._parts(files, info.parts)):
            detail = f"it is of other parts than {run.name} has now, and not used; {command}"
            yield Finding(unit, "stale", detail)

    def _frozen(self, files: RunLayout, run: RunInfo, place: FrozenLayout) -> Iterator[Finding]:
        unit = self._name(place.root)
        fit = fit_command(self._layout, run, place)
        anew = f"drop it first: {drop_command(self._layout, run, place)}; then: {fit}"
        self._known.add(place.info)
        try:
            info = read_frozen(place)
        except StoreDamagedError:
            self._known.update(path for path in place.files() if path.suffix != TEMPORARY)
            yield self._damaged(place.info, f"not used; {anew}", unit)
            return
        outdated = info.outdated(self._parts(files, info.parts))
        remake = fit if outdated is None else f"{run.name} has {outdated}, so {anew}"
        damaged = []
        for path, _, sha256 in files_of(place, info):
            self._known.add(path)
            damaged += self._hash(path, sha256, f"not used; {remake}", unit)
        yield from damaged
        if outdated is not None and not damaged:
            detail = f'{place.kind} "{place.name}": {run.name} has {outdated}; it is used as it is; '
            yield Finding(unit, "stale", f"{detail}to fit it anew, {anew}")

    def _result(self, place: ResultLayout) -> Iterator[Finding]:
        unit, touched = self._name(place.root), f'result "{place.name}"'
        self._known.update((place.info, place.made, place.rows))
        try:
            info = SavedResult(**read_json(place.info))
        except StoreDamagedError:
            yield self._damaged(place.info, touched, unit)
            return
        try:
            read_made(place)
        except StoreDamagedError:
            yield self._damaged(place.made, touched, unit)
        yield from self._hash(place.rows, info.sha256, touched, unit)

    def _parts(self, files: RunLayout, otherwise: tuple[str, ...]) -> tuple[str, ...]:
        """SHA-256 of the parts of a run; `otherwise` if its manifest, judged elsewhere, is damaged."""
        try:
            entries = [read_entry(entry) for entry in files.entries()]
        except StoreDamagedError:
            return otherwise
        return tuple(entry.sha256 for entry in entries if entry.sha256)

    def _catalog(self) -> Iterator[Finding]:
        layout = self._layout
        self._known.update((layout.catalog, layout.catalog_digest))
        if not layout.catalog.exists() and not layout.catalog_digest.exists():
            yield Finding(self._name(layout.catalog), "unfinished", "not built yet; readers build their own")
            return
        damaged = list(self._json(layout.catalog_digest, None))
        yield from damaged
        if damaged:
            return
        digest = read_json(layout.catalog_digest)
        wrong = self._hash(
            layout.catalog, digest["sha256"], "readers build their own, repair a new one", None
        )
        # A crash between the digest and its catalog leaves the one before, which is only stale.
        is_before = layout.catalog.exists() and sha256_of(layout.catalog) == digest.get("replaces")
        if wrong and not is_before:
            yield from wrong
        elif not self._damaged_json and not is_current(layout):
            yield Finding(self._name(layout.catalog), "stale", "it does not list what the manifests list")

    def _others(self) -> Iterator[Finding]:
        walked = os.walk(self._layout.root)  # which does not mind a folder that a writer renames meanwhile
        for path in sorted(Path(folder, file) for folder, _, files in walked for file in files):
            if path in self._known or self._layout.quarantine in path.parents:
                continue
            if UNFINISHED.match(self._name(path)):
                yield Finding(self._name(path), "unfinished", "left by a crash; harmless")
            else:
                yield Finding(self._name(path), "foreign", "no manifest names it")

    def _json(self, path: Path, unit: str | None, touched: str = "") -> Iterator[Finding]:
        self._known.add(path)
        self._progress(self._name(path))
        if not path.exists():
            self._damaged_json = True
            yield Finding(self._name(path), "missing", touched, unit)
            return
        try:
            read_json(path)
        except StoreDamagedError:
            self._damaged_json = True
            yield self._damaged(path, touched or "it is not what was written", unit)

    def _hash(self, path: Path, sha256: str, touched: str, unit: str | None) -> list[Finding]:
        self._progress(self._name(path))
        try:
            is_sound = sha256_of(path) == sha256
        except FileNotFoundError:
            return [Finding(self._name(path), "missing", touched, unit)]
        return [] if is_sound else [self._damaged(path, touched, unit)]

    def _damaged(self, path: Path, detail: str, unit: str | None) -> Finding:
        return Finding(self._name(path), "damaged", detail, unit)

    def _name(self, path: Path) -> str:
        return path.relative_to(self._layout.root).as_posix()
