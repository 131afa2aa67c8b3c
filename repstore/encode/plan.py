"""What an ingest will cost, before it starts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass

from repstore.encode.encoder import Encoder
from repstore.encode.passes import BlockPlan, BlockWord, View, plan_block
from repstore.spec import Cost, Text

Block = tuple[list[str], list[BlockWord]]

WORDS_AHEAD = 16_384
"""Words planned before an ingest starts. Planning takes 1 % of the time of the forward passes on a CPU and
more on a GPU, so no block is planned twice, and what is beyond these words is estimated from them."""


@dataclass(frozen=True, slots=True)
class Ahead:
    """What was planned before the start: for which views, at what cost, and the first blocks by part."""

    views: tuple[View, ...]
    cost: Cost
    blocks: dict[int, BlockPlan]


def blocks_of(texts: Iterable[Text], n_rows: int, leave_out: Collection[int]) -> Iterator[Block]:
    """The words of a corpus in the blocks that become parts, but for the parts in `leave_out`.

    A text whose words fall into two blocks is in both.
    """
    block: Block = ([], [])
    n_words = 0
    for text in texts:
        newest = None
        for word in text.words:
            if n_words and n_words % n_rows == 0:
                if n_words // n_rows - 1 not in leave_out:
                    yield block
                block, newest = ([], []), None
            if newest is None:
                block[0].append(text.text)
                newest = len(block[0]) - 1
            block[1].append(BlockWord(newest, word.pieces, word.form, word.lemma))
            n_words += 1
    if block[1] and (n_words - 1) // n_rows not in leave_out:
        yield block


def plan_ahead(
    encoder: Encoder, views: Sequence[View], blocks: Iterable[tuple[int, Block]], n_parts: int, n_words: int
) -> Ahead:
    """Plan the first blocks, and count.

    Args:
        encoder: whose tokenizer is used.
        views: how to look at the words.
        blocks: all blocks, each with the number of its part.
        n_parts: how many blocks there are.
        n_words: words in all of them.
    """
    planned: dict[int, BlockPlan] = {}
    n_planned = n_texts = 0
    for part, (texts, words) in blocks:
        planned[part] = plan_block(encoder, views, texts, words)
        n_planned += len(words)
        n_texts += len(texts)
        if n_planned >= WORDS_AHEAD:
            break
    of_views = [view for plan in planned.values() for view in plan.views]

    def estimated(n: int) -> int:
        return round(n * n_words / n_planned)

    cost = Cost(
        n_parts=n_parts,
        n_texts=estimated(n_texts),
        n_passes=estimated(sum(len(plan.passes) for plan in planned.values())),
        n_tokens=estimated(sum(plan.n_tokens for plan in planned.values())),
        n_vectors=estimated(sum(len(view.words) for view in of_views)),
        n_skipped=estimated(sum(len(view.skipped) for view in of_views)),
        n_windowed=estimated(sum(view.n_windowed for view in of_views)),
        is_exact=n_planned == n_words,
    )
    return Ahead(tuple(views), cost, planned)
