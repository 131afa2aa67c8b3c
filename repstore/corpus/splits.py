"""Some splits of a corpus instead of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from repstore.corpus.source import Corpus
from repstore.errors import ArgumentError, CorpusError, did_you_mean
from repstore.spec import Pair, Text


def with_splits(corpus: Corpus, splits: Sequence[str]) -> Corpus:
    """A corpus of the texts and pairs of some splits only. Its name ends in theirs: ``wic-dev-test``.

    Args:
        corpus: whose texts carry the split they are of.
        splits: which to keep; the order does not matter.

    Raises:
        ArgumentError: a split is given twice.
        CorpusError: when it is read: it has no such split, or a pair joins words of different splits.
    """
    if not splits or len(set(splits)) < len(splits):
        raise ArgumentError(f"Splits are {', '.join(splits) or 'empty'}; give each once.")

    def texts() -> Iterator[Text]:
        seen = set()
        for text in corpus.texts():
            seen.add(text.split)
            if text.split in splits:
                yield text
        for split in splits:
            if split not in seen:
                known = [name for name in seen if name is not None]
                hint = did_you_mean(split, known) if known else "Its texts belong to no split."
                raise CorpusError(f'{corpus.source} has no split "{split}". {hint}')

    def pairs() -> Iterator[Pair]:
        ordinals: list[int | None] = []  # of every word of the whole corpus: its place among those kept
        n_kept = 0
        for text in corpus.texts():
            for _ in text.words:
                ordinals.append(n_kept if text.split in splits else None)
                n_kept += text.split in splits
        for pair in corpus.pairs():
            if pair.split in splits:
                word_a, word_b = ordinals[pair.word_a], ordinals[pair.word_b]
                if word_a is None or word_b is None:
                    raise CorpusError(
                        f'{corpus.source}: a pair of split "{pair.split}" has a word of another.'
                    )
                yield replace(pair, word_a=word_a, word_b=word_b)

    name = "-".join([corpus.name, *sorted(splits)])
    return replace(corpus, name=name, texts=texts, pairs=pairs, splits=tuple(sorted(splits)))
