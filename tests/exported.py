"""A store to export from, planted word by word: texts with every trap that a format sets, and gaps."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import numpy as np
from synthetic import SyntheticRun, build_store, corpus_of, random_layers

import repstore
from repstore.schemas import ID_STRIDE
from repstore.spec import Text, Word

FORMATS = ("parquet", "npy", "h5ad", "safetensors", "datasets", "projector", "atlas")
COLUMNS = ("form", "lemma", "pos", "sense", "gloss", "spans", "text", "split", "language", "corpus")
RUN = "m/base"
CORPUS = 'it\'s "a" corpus'
HOSTILE = [
    "a\tb",
    "two\nlines\r\nand\rmore",
    "\"double\", 'single' and ;",
    "back\\slash \\n \\t \\",
    "nul\x00nul",
    "nul\u2400nul",
    "ünï 漢字 \U0001f642 אב \u2028 \x85 \x0b",
    " leading and trailing ",
    "nan",
    "None",
    "=1+1",
    "-1e5",
]
SKIPPED = frozenset({3, 17})


def texts() -> list[Text]:
    """Of each trap, a text of two words: of one all is said, and of one nothing that may be missing."""
    found = []
    for n, trap in enumerate(HOSTILE):
        pieces = ((0, 1), (2, len(trap))) if n % 4 == 0 else ()
        said = Word(0, 0, len(trap), trap, trap, trap, trap, trap, spans=pieces)
        empty = Word(1, len(trap) + 1, len(trap) + 3, "xy", "" if n % 2 else None)
        found.append(Text(f"{trap} xy", (said, empty), split=trap if n % 3 else None))
    return found


def planted(root: Path) -> Path:
    """Its run has parts of seven words, two words without a vector, a widened part and a wide layer."""
    n_words = 2 * len(HOSTILE)
    layers = [*random_layers(n_words, 5, 2), *random_layers(n_words, 5, 1, dtype=np.float32, seed=9)]
    layers[0][0] = [0.0, -0.0, 65504, 6e-8, 1]  # the ends of float16
    run = SyntheticRun(RUN, layers, 7, SKIPPED, frozenset({(1, 1)}))
    return build_store(root, corpus_of(texts(), name=CORPUS), [run])


def rows() -> list[dict[str, Any]]:
    """The annotation of all words that have a vector, from what was planted."""
    found = []
    words = [(text, word) for text in texts() for word in text.words]
    for n, (text, word) in enumerate(words):
        if n in SKIPPED:
            continue
        row = {"ordinal": n, "position": word.position}
        row |= {"char_start": word.char_start, "char_end": word.char_end}
        row |= {name: getattr(word, name) for name in ("form", "lemma", "pos", "sense", "gloss")}
        row["spans"] = json.dumps(word.spans) if word.spans else None
        found.append(row | {"text": text.text, "split": text.split, "language": None, "corpus": CORPUS})
    return found


def annotation_of(table: dict[str, list[Any]]) -> list[dict[str, Any]]:
    """The same from columns as a file has them; ordinals from word_id."""
    names = ("position", "char_start", "char_end", *COLUMNS)
    ordinals = [word_id % ID_STRIDE for word_id in table["word_id"]]
    values = zip(ordinals, *(table[name] for name in names), strict=True)
    return [dict(zip(("ordinal", *names), one, strict=True)) for one in values]


def stored(root: Path, layer: int | str, *, transform: str | None = None) -> np.ndarray:
    """What the store itself says of a layer, as a whole. *Shape:* (n_words, d_model)."""
    with repstore.open(root) as store:
        seen = store if transform is None else store.transformed(transform)
        return np.array(seen.vectors(run=RUN, layer=layer).values)


def out_of(folder: Path, format: str) -> Path:
    """A path that suits a format."""
    return folder / f"out{ {'atlas': '.parquet', 'datasets': '', 'projector': ''}.get(format, '.' + format) }"


def digests(folder: Path) -> dict[str, str]:
    """SHA-256 of all files in a folder, hidden ones, too."""
    return {
        str(path.relative_to(folder)): hashlib.sha256(path.read_bytes()).hexdigest()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }
