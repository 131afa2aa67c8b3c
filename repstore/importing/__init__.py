"""Vectors made elsewhere: one reader per format. What a reader makes of a file is a `Source`.

======================  ==========================================================================
source                  what it reads
======================  ==========================================================================
``word2vec:FILE``       word2vec, text or binary: one vector per word of a vocabulary
``fasttext:FILE.vec``   the text vectors of fastText, which are laid out like those of word2vec
``glove:FILE.txt``      GloVe: the same without a first line of counts
``npy:FILE.npy``        an array, and a table that says which word each of its rows is of
``parquet:PATH``        rows with a list of numbers per layer, beside the word they are of
``neurox:FILE.hdf5``    a dataset per sentence, with vectors of its tokens, as NeuroX writes them
======================  ==========================================================================
"""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from repstore.errors import ArgumentError, CorpusError, did_you_mean
from repstore.importing.arrays import open_array
from repstore.importing.columns import open_columns
from repstore.importing.neurox import open_neurox
from repstore.importing.source import Request, Source, Watched, files_of
from repstore.importing.static import open_static

__all__ = ["Request", "Source", "Watched", "open_source", "watched"]

READERS: dict[str, Callable[[Path, Request], Source]] = {
    "word2vec": open_static,
    "fasttext": open_static,
    "glove": open_static,
    "npy": open_array,
    "parquet": open_columns,
    "neurox": open_neurox,
}
STATIC = ("word2vec", "fasttext", "glove")


def watched(request: Request) -> Watched:
    """The files of a request, as they are before any of them is read."""
    words = () if request.words is None else (request.words,)
    return Watched((*files_of(Path(request.source.partition(":")[2])), *words))


def open_source(request: Request) -> Source:
    """Look at the vectors given as ``format:path``: what they are and over which words. Little is read.

    Raises:
        ArgumentError: no such format, or an option that it has no use for.
        CorpusError: nothing at that path, or nothing of that format.
        MissingExtraError: the library of the format is not installed.
    """
    kind, colon, given = request.source.partition(":")
    if not colon or kind not in READERS:
        hint = did_you_mean(kind, READERS) if colon else f"Formats: {', '.join(READERS)}."
        raise ArgumentError(f'"{request.source}" is not FORMAT:PATH with a known format. {hint}')
    useless = {
        "words": request.words is not None and kind not in ("npy", "neurox"),
        "axes": request.axes is not None and kind != "npy",
        "by": request.by != "form" and kind not in STATIC,
        "case": request.case != "exact" and kind not in STATIC,
    }
    for option, is_given in useless.items():
        if is_given:
            raise ArgumentError(f"{kind}: has no use for --{option}. Leave it out.")
    if not Path(given).exists():
        raise CorpusError(f"{given} does not exist. Give the path of vectors in the format {kind}.")
    return READERS[kind](Path(given), request)
