"""`repstore.export`: words of a run with their vectors, as a file of another program."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from repstore.errors import ArgumentError, ResultError, check_choice
from repstore.exporting.content import Content, column_name
from repstore.exporting.drafting import check_new, check_room, drafting
from repstore.exporting.formats import Format, format_of
from repstore.exporting.parquet import write_pairs
from repstore.spec import ExportFormat, LayerKey, Progress, StoredDType
from repstore.storage.lookup import Lookup, looking_up
from repstore.storage.opened import Layers, Run
from repstore.storage.pairs import pairs_beside
from repstore.storage.runs import open_store
from repstore.storage.transformed import through


@dataclass(frozen=True)
class ExportReport:
    """What was written.

    Attributes:
        files: where; the one that was asked for comes last.
        format: in which format.
        run: of which run.
        layers: which layers, by the names that they have there.
        n_words: of how many words.
        n_without: how many more were meant, but have no vector.
        n_pairs: of how many pairs of these words.
        n_pairs_without: how many more pairs have only one of their words there.
        n_bytes: bytes on disk.
        opens: how it is opened.
    """

    files: tuple[Path, ...]
    format: ExportFormat
    run: str
    layers: tuple[str, ...]
    n_words: int
    n_without: int
    n_pairs: int
    n_pairs_without: int
    n_bytes: int
    opens: str


def export(
    store: str | Path,
    out: str | Path,
    *,
    format: ExportFormat | None = None,
    run: str | None = None,
    layer: Layers = "all",
    where: str | None = None,
    transform: str | None = None,
    dtype: StoredDType | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> ExportReport:
    """Write words of a run with their annotation and vectors into a file, or folder, for another program.

    It is there as a whole or not at all, and the same bytes each time. Memory is bounded by a block of words,
    however many there are; of ``h5ad``, the annotation is in memory, too.

    Args:
        store: folder of the store.
        out: what is to be made; there must be nothing yet.
        format: ``parquet``, ``npy``, ``h5ad``, ``safetensors``, ``datasets``, ``projector`` or ``atlas``; not
            needed where the suffix of `out` says it. ``datasets`` and ``projector`` are folders.
        run: a run; not needed if the store has one.
        layer: which layers; ``mix:NAME`` for a mix.
        where: an SQL expression over the columns of words and their texts: only words for which it holds.
        transform: the name of a transform through which to see the vectors.
        dtype: float16 or float32; unless given, what the format wants, or the vectors as stored.
        progress: told how many vectors are written.

    Raises:
        ArgumentError: an argument cannot be used, `out` is there already, or the disk has no room.
        NotFoundError: no such run, layer, mix or transform.
        QueryError: `where` is no condition on words.
        ResultError: no word is left.
        MissingExtraError: the library of the format is not installed.
    """
    out = Path(out)
    chosen = format_of(out, format)
    if dtype is not None:
        check_choice(f"dtype of {chosen.name}", dtype, [one for one in chosen.dtypes if one is not None])
    layout = open_store(Path(store).absolute())
    check_new(chosen.files(out, has_pairs=True), layout.root)
    seen = {} if transform is None else {"through": partial(through, name=transform)}
    with looking_up(layout, **seen) as lookup:
        opened = lookup.run(run)
        layers = _layers(opened, layer, chosen)
        word_ids, n_without = _words(lookup, opened, where)
        content = Content(
            word_ids,
            opened.vectors.rows(word_ids),
            {column_name(one): opened.vectors.layer(one) for one in layers},
            None if (wanted := dtype or chosen.dtypes[0]) is None else np.dtype(wanted),
            lookup.annotation,
            _about(opened, layers, where),
            _counting(progress, out, len(word_ids) * len(layers)),
        )
        pairs, n_cut = lookup.pairs_among(opened, word_ids) if chosen.with_pairs else ((), 0)
        check_room(out.parent, content.n_bytes() * chosen.growth)
        files = chosen.files(out, has_pairs=len(pairs) > 0)
        with drafting(files) as folder:
            chosen.write(content, folder / out.name)
            if pairs:
                write_pairs(pairs, content.provenance, folder / pairs_beside(out).name)
    return ExportReport(
        tuple(files),
        chosen.name,
        opened.label,
        tuple(content.layers),
        content.n_words,
        n_without,
        len(pairs),
        n_cut,
        sum(map(_size, files)),
        chosen.opens.format(out=out),
    )


def _layers(run: Run, layer: Layers, chosen: Format) -> list[LayerKey]:
    layers = run.layers(layer)
    if chosen.layers is not None and len(layers) > chosen.layers:
        raise ArgumentError(f'"{chosen.name}" shows one layer at a time; these are {len(layers)}. Name one.')
    return layers


def _words(lookup: Lookup, run: Run, where: str | None) -> tuple[np.ndarray, int]:
    """The words to write, and how many more are meant that have no vector.

    Raises:
        ResultError: there is none.
    """
    with_vector = run.vectors.word_ids
    if where is None:
        return with_vector, run.info.n_words - len(with_vector)
    meant = np.sort(lookup.matching(run, where))
    word_ids = meant[run.vectors.rows(meant) >= 0]
    if not len(word_ids):
        raise ResultError(
            f'Of the words of {run.label}, {len(meant):,} fit "{where}", and none of these has a vector. '
            "Nothing is written."
        )
    return word_ids, len(meant) - len(word_ids)


def _about(run: Run, layers: Sequence[LayerKey], where: str | None) -> dict[str, Any]:
    """Where vectors come from: enough to make them again, and to tell them from others."""
    info, spec = run.info, run.info.spec
    return {
        "repstore": version("repstore"),
        "run": info.name,
        "run_id": info.run_id,
        "corpus": info.corpus,
        "corpus_id": spec.corpus_id,
        "model": spec.model.name,
        "revision": spec.model.revision,
        "weights_sha256": spec.model.weights_sha256,
        "template": spec.template,
        "pattern": spec.pattern,
        "reading": spec.reading,
        "pooling": spec.pooling,
        "dtype": spec.dtype,
        "final_norm": spec.final_norm,
        "layers": list(map(str, layers)),
        "transform": run.transform,
        "where": where,
        "parts": list(run.parts),
    }


def _counting(progress: Callable[[Progress], None], out: Path, n_total: int) -> Callable[[int], None]:
    """What tells how many vectors are written from how many more are."""
    n_done = 0

    def more(n: int) -> None:
        nonlocal n_done
        n_done += n
        progress(Progress(f"Writing {out.name}", n_done, n_total, unit="vectors"))

    return more


def _size(path: Path) -> int:
    """Bytes of a file, or of all in a folder."""
    return sum(one.stat().st_size for one in (path.rglob("*") if path.is_dir() else [path]) if one.is_file())
