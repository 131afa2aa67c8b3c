"""Encoding a word of a new text as a run encodes its own."""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path

import numpy as np

from repstore.encode import require_encode
from repstore.encode.templates import template_of
from repstore.errors import ArgumentError
from repstore.spec import EncodedWord, Progress
from repstore.storage.lookup import looking_up
from repstore.storage.runs import open_store


def encode_word(
    store: str | Path,
    word: str,
    text: str,
    *,
    run: str | None = None,
    model: str | Path | None = None,
    device: str | None = None,
    progress: Callable[[Progress], None] = lambda _: None,
) -> EncodedWord:
    """Encode a word of a text that the store need not hold.

    It is done as the run does it: same model, template, reading, pooling, dtype and window. The vectors agree
    with the run's own as closely as `audit` says.

    Args:
        store: folder of the store.
        word: the word as it stands in the text; it must stand there once.
        text: the text.
        run: which run; not needed if the store has one.
        model: where the model is now, if not where it was ingested from.
        device: where to run it; a GPU if there is one, unless given.
        progress: told what is under way.

    Raises:
        ArgumentError: the word does not stand in the text exactly once, or has no token there; or the run was
            imported, not encoded.
        ModelError: the model is not the one that made the run.
        MissingExtraError: repstore[encode] is not installed.
    """
    start, end = _place(word, text)
    layout = open_store(Path(store).absolute())
    with looking_up(layout) as lookup:
        opened = lookup.run(run)
    opened.check_encoded()
    require_encode()
    from repstore.encode.plain import plain_model

    spec = opened.info.spec
    template = template_of(spec)
    if not template.render(text, ((start, end),), word, word)[1]:
        raise ArgumentError(f'Under the template of {opened.label}, "{word}" has no place to be read there.')
    plain = plain_model(opened, model, device, lambda message: progress(Progress(message)))
    vectors = plain.word_vectors(
        template, spec.pooling, text, ((start, end),), word, word, opened.info.contract["max_tokens"]
    )
    if not np.isfinite(vectors).all():
        raise ArgumentError(f'"{word}" has no token or no finite vector in "{text}".')
    return EncodedWord(opened.info.run_id, text, start, end, word, vectors)


def _place(word: str, text: str) -> tuple[int, int]:
    """Where the word stands in the text, as a whole word."""
    if not word.strip():
        raise ArgumentError("No word is given. Say which word of the text is meant.")
    found = [match.span() for match in re.finditer(rf"(?<!\w){re.escape(word)}(?!\w)", text)]
    if len(found) != 1:
        times = "does not stand" if not found else f"stands {len(found)} times"
        raise ArgumentError(f'"{word}" {times} in "{text}". Give a word as it stands there once.')
    return found[0]
