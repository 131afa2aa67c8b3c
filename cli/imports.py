"""The command that takes vectors in that were made elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from repstore.cli.ending import resumable
from repstore.cli.options import StorePath
from repstore.cli.render import show_runs, showing_progress
from repstore.cli.saying import remark
from repstore.spec import Axes, LookUpBy, LookUpCase


def import_(
    source: Annotated[
        str,
        typer.Argument(
            help="Vectors: word2vec:FILE, fasttext:FILE.vec, glove:FILE.txt, npy:FILE.npy, parquet:PATH or "
            "neurox:FILE.hdf5 (docs/importing.md)."
        ),
    ],
    store: StorePath,
    words: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Which words they are of: a table (npy:) or sentences (neurox:)."),
    ] = None,
    corpus: Annotated[
        str | None, typer.Option(help="Corpus of the store that they are over, if it has several.")
    ] = None,
    by: Annotated[LookUpBy, typer.Option(help="What is looked up in a vocabulary.")] = "form",
    case: Annotated[
        LookUpCase, typer.Option(help="As it is written, in lower case, or in lower case if need be.")
    ] = "exact",
    axes: Annotated[
        Axes | None, typer.Option(help="The first two axes of an array, where its shape does not say.")
    ] = None,
    name: Annotated[str | None, typer.Option(help="Name of the run.")] = None,
    model: Annotated[str | None, typer.Option(help="What made the vectors.")] = None,
    corpus_name: Annotated[str | None, typer.Option(help="Name of a corpus that comes along.")] = None,
) -> None:
    """Store vectors that were made elsewhere as a run, so that they compare with layers.

    Example: repstore import glove:glove.6B.300d.txt store/ --case lower
    """
    import repstore

    with resumable(), showing_progress() as progress:
        report = repstore.import_vectors(
            source,
            store,
            words=words,
            corpus=corpus,
            by=by,
            case=case,
            axes=axes,
            name=name,
            model=model,
            corpus_name=corpus_name,
            progress=progress,
        )
    show_runs([report.run])
    for note in report.notes:
        remark(note)
