"""Some splits of a corpus instead of all."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace

from repstore.corpus.source import Corpus
from repstore.errors import ArgumentError, CorpusError, did_you_mean
from repstore.spec import Edge, Pair, Text


def with_splits(corpus: Corpus, splits: Sequence[str]) -> Corpus:
    """A corpus of the texts, pairs and edges of some splits only. Its name ends in theirs: ``wic-dev-test``.

    Args:
        corpus: whose texts carry the split they are of.
        splits: which to keep; the order does not matter.

    Raises:
        ArgumentError: a split is given twice.
        CorpusError: when it is read: it has no such split, or a pair or edge joins words of different ones.
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

    def ordinals() -> list[int | None]:
        """Of every word of the whole corpus: its place among those kept."""
        found: list[int | None] = []
        n_kept = 0
        for text in corpus.texts():
            for _ in text.words:
                found.append(n_kept if text.split in splits else None)
                n_kept += text.split in splits
        return found

    def pairs() -> Iterator[Pair]:
        place = ordinals()
        for pair in corpus.pairs():
            if pair.split in splits:
                word_a, word_b = place[pair.word_a], place[pair.word_b]
                if word_a is None or word_b is None:
                    raise CorpusError(
                        f'{corpus.source}: a pair of split "{pair.split}" has a word of another.'
                    )
                yield replace(pair, word_a=word_a, word_b=word_b)

    def edges() -> Iterator[Edge]:
        place: list[int | None] = []
        for edge in corpus.edges():
            place = place or ordinals()  # most corpora have no edges, and need not be read for them
            dependent = place[edge.dependent]
            head = dependent if edge.head is None else place[edge.head]
            if (dependent is None) != (head is None):
                raise CorpusError(f"{corpus.source}: an edge joins words of different splits.")
            if dependent is not None:
                yield replace(edge, head=None if edge.head is None else head, dependent=dependent)

    name = "-".join([corpus.name, *sorted(splits)])
    return replace(corpus, name=name, texts=texts, pairs=pairs, edges=edges, splits=tuple(sorted(splits)))
