"""Groups: runs over one corpus that are encoded together, sharing forward passes.

Which texts share a batch decides the last bits of a vector. So a group stays a group: a run that was
interrupted is resumed with the same companions, and ends with the bytes it would have had.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np

from repstore.analysis import kernels
from repstore.encode.templates import template_of
from repstore.errors import StoreError
from repstore.schemas import rows_per_part
from repstore.spec import CorpusInfo, LayerStats, Progress, RunInfo, RunSpec, StoredDType
from repstore.storage import manifest
from repstore.storage.catalog import publish_catalog
from repstore.storage.commit import commit_part
from repstore.storage.corpora import read_words_with_texts
from repstore.storage.layout import Layout
from repstore.storage.runs import read_run, write_run

if TYPE_CHECKING:
    from repstore.encode.blocks import EncodedBlock
    from repstore.encode.encoder import Encoder
    from repstore.encode.passes import BlockWord, View
    from repstore.encode.plan import Ahead

SAME_TO_RESUME = ("device", "attention", "versions")
"""What must be as it was when a run was begun, since it decides the last bits of its vectors."""


def start_runs(
    layout: Layout, corpus: CorpusInfo, runs: Sequence[tuple[str, str, RunSpec]], contract: dict[str, Any]
) -> list[list[RunInfo]]:
    """Record the runs that are new, and find the groups of all.

    New runs form a group, unless a crash left runs on the disk that announce them as theirs.

    Args:
        layout: the store.
        corpus: what the runs are over.
        runs: name, template as asked for, and spec of each.
        contract: the numerical contract of this session.

    Returns:
        The groups to which the runs belong.

    Raises:
        StoreError: a run was begun under another contract, or a name is taken.
    """
    begun = {
        spec.run_id: read_run(layout, spec.run_id)
        for *_, spec in runs
        if layout.run(spec.run_id).info.exists()
    }
    for run in begun.values():
        for key in SAME_TO_RESUME:
            if run.contract[key] != contract[key]:
                raise StoreError(
                    f"{run.name} was begun with {key} {run.contract[key]}; this is {contract[key]}. "
                    "Resume it as it was begun, or ingest into another store."
                )
    new = [run for run in runs if run[-1].run_id not in begun]
    companions = tuple(spec.run_id for *_, spec in new)
    announced = {run_id: run for run in begun.values() for run_id in run.group}
    for name, template, spec in new:
        like = announced.get(spec.run_id)
        write_run(
            layout,
            RunInfo(
                run_id=spec.run_id,
                name=name,
                corpus=corpus.name,
                template=template,
                spec=spec,
                contract=like.contract if like else contract,
                group=like.group if like else companions,
                n_words=corpus.n_words,
                rows_per_part=rows_per_part(spec.model.n_layers, spec.model.d_model),
                origin="encoded",
            ),
        )
    groups = dict.fromkeys(read_run(layout, spec.run_id).group for *_, spec in runs)
    return [
        [read_run(layout, run_id) for run_id in group if layout.run(run_id).info.exists()] for group in groups
    ]


def missing_parts(layout: Layout, run: RunInfo) -> list[int]:
    """The parts of a run that are not committed."""
    folder = layout.run(run.run_id)
    return [part for part in range(run.n_parts) if not manifest.is_committed(folder, part)]


def encode_group(
    layout: Layout,
    encoder: Encoder,
    runs: Sequence[RunInfo],
    ahead: Ahead,
    progress: Callable[[Progress], None],
) -> None:
    """Make the parts that the runs of a group lack. A part is written while the next is encoded.

    Args:
        layout: the store.
        encoder: the model.
        runs: the group.
        ahead: what was planned beforehand. Its blocks are used up if it was planned for this group.
        progress: told how far this is.
    """
    from repstore.encode.blocks import BlockEncoder
    from repstore.encode.passes import plan_block

    first = runs[0]
    lacking: dict[int, list[RunInfo]] = {}
    for run in runs:
        for part in missing_parts(layout, run):
            lacking.setdefault(part, []).append(run)
    n_total = sum(len(needing) * n_words_of(first, part) for part, needing in lacking.items())
    n_done = 0
    views = [view_of(run.spec) for run in runs]
    planned = ahead.blocks if ahead.views == tuple(views) else {}
    blocks = BlockEncoder(encoder, first.contract["batch_tokens"])
    with ThreadPoolExecutor(max_workers=1) as writer:
        written: Future[None] = writer.submit(lambda: None)
        for part, needing in sorted(lacking.items()):
            n_here = len(needing) * n_words_of(first, part)
            word_ids, texts, words = _read_block(layout, first, part)
            tick = partial(_tell, progress, n_done, n_here, n_total)
            plan = planned.pop(part, None) or plan_block(encoder, views, texts, words)
            encoded = blocks.encode(plan, tick)
            made = [(run, block) for run, block in zip(runs, encoded, strict=True) if run in needing]
            written.result()  # at most one part waits in memory
            written = writer.submit(_write, layout, part, word_ids, made)
            n_done += n_here
        progress(Progress("Writing", n_done, n_total))
        written.result()


def _tell(progress: Callable[[Progress], None], n_done: int, n_here: int, n_total: int, share: float) -> None:
    progress(Progress("Encoding", n_done + round(share * n_here), n_total))


def n_words_of(run: RunInfo, part: int) -> int:
    """Words of a part, those that will be skipped included."""
    return min(run.rows_per_part, run.n_words - part * run.rows_per_part)


def view_of(spec: RunSpec) -> View:
    """How a run looks at the words of a block."""
    from repstore.encode.passes import View

    return View(template_of(spec), spec.pooling)


def _read_block(layout: Layout, run: RunInfo, part: int) -> tuple[np.ndarray, list[str], list[BlockWord]]:
    """The ids of the words of a part, the texts that hold them, and the words."""
    from repstore.encode.passes import BlockWord

    start = part * run.rows_per_part
    words, texts, of_text = read_words_with_texts(
        layout.corpus(run.spec.corpus_id), start, start + n_words_of(run, part)
    )
    columns = (words[name].to_pylist() for name in ("spans", "form", "lemma"))
    rows = zip(of_text, *columns, strict=True)
    return (
        words["word_id"].to_numpy(),
        texts,
        [BlockWord(text, tuple(map(tuple, spans)), form, lemma) for text, spans, form, lemma in rows],
    )


def _write(
    layout: Layout, part: int, word_ids: np.ndarray, made: Sequence[tuple[RunInfo, EncodedBlock]]
) -> None:
    for run, block in made:
        skipped = [
            {
                "word_id": int(word_ids[skip.word]),
                "reason": skip.reason,
                "n_tokens": skip.n_tokens,
                "rendered": skip.rendered,
            }
            for skip in block.skipped
        ]
        commit_part(
            layout.run(run.run_id),
            run.run_id,
            part,
            word_ids=word_ids[block.words],
            layers=block.layers,
            stats=[stats_of(matrix) for matrix in block.layers] if len(block.words) else [],
            skipped=skipped,
            n_windowed=block.n_windowed,
            n_not_finite=block.n_not_finite,
        )
    publish_catalog(layout)


def stats_of(matrix: np.ndarray) -> LayerStats:
    """What the manifest says of a layer of a part. *Shape of `matrix`:* (n_words, d_model), not empty."""
    norms = kernels.norms(matrix)
    dtype: StoredDType = "float32" if matrix.dtype == np.float32 else "float16"
    return LayerStats(dtype, *(float(of(norms)) for of in (np.min, np.median, np.max)))
