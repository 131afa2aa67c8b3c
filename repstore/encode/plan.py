"""What an ingest will cost, before it starts."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Iterator, Sequence

from repstore.encode.encoder import Encoder
from repstore.encode.passes import BlockWord, View, plan_block
from repstore.spec import Cost, Text

Block = tuple[list[str], list[BlockWord]]


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


def cost_of(encoder: Encoder, views: Sequence[View], blocks: Iterable[Block]) -> Cost:
    """Tokenize all blocks, and count."""
    cost = Cost()
    for texts, words in blocks:
        plan = plan_block(encoder, views, texts, words)
        cost = Cost(
            cost.n_parts + 1,
            cost.n_texts + len(texts),
            cost.n_passes + len(plan.passes),
            cost.n_tokens + plan.n_tokens,
            cost.n_vectors + sum(len(view.words) for view in plan.views),
            cost.n_skipped + sum(len(view.skipped) for view in plan.views),
            cost.n_windowed + sum(view.n_windowed for view in plan.views),
        )
    return cost
