"""From words to forward passes: render, tokenize, align, window, and share what can be shared."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import pairwise

import numpy as np

from repstore.encode.alignment import tokens_of
from repstore.encode.encoder import Encoder, Tokens
from repstore.encode.pooling import pooled_tokens
from repstore.encode.templates import Template
from repstore.encode.windows import window_for
from repstore.spec import Pooling, SkipReason, Span

Ids = tuple[int, ...]


@dataclass(frozen=True, slots=True)
class BlockWord:
    """A word to encode: the place of its text in the block, its characters there, form and lemma."""

    text: int
    spans: tuple[Span, ...]
    form: str
    lemma: str | None


@dataclass(frozen=True, slots=True)
class View:
    """One way to look at the words of a block; each view becomes a part of its own run."""

    template: Template
    pooling: Pooling


@dataclass(frozen=True, slots=True)
class Skip:
    """A word without a vector: its place in the block, and why."""

    word: int
    reason: SkipReason
    n_tokens: int
    rendered: str


@dataclass(frozen=True, slots=True)
class Job:
    """A word vector to make: for which view, into which of its rows, from which tokens of the pass."""

    view: int
    row: int
    tokens: np.ndarray


@dataclass(frozen=True)
class ViewPlan:
    """What becomes of the words of a block in one view.

    Attributes:
        words: places in the block of the words to encode, in order.
        rendered: for each of these, the rendered text and its number of tokens.
        skipped: the words that cannot be encoded.
        n_windowed: how many of `words` are read in a window, as their text exceeds the model's context.
    """

    words: list[int]
    rendered: list[tuple[str, int]]
    skipped: list[Skip]
    n_windowed: int


@dataclass(frozen=True)
class BlockPlan:
    """The forward passes of a block: token ids of each, and the word vectors to make from it."""

    views: list[ViewPlan]
    passes: list[Ids]
    jobs: list[list[Job]]

    @property
    def n_tokens(self) -> int:
        """Tokens of all passes, without padding."""
        return sum(map(len, self.passes))


def plan_block(
    encoder: Encoder, views: Sequence[View], texts: Sequence[str], words: Sequence[BlockWord]
) -> BlockPlan:
    """Decide the forward passes of a block.

    Words whose tokens are the same share one pass, whatever their text or template. For a causal model
    a pass whose tokens begin another pass is read from that one: so ``base`` is the first copy of ``repeat``
    where its tokens really are a prefix.

    Args:
        encoder: whose tokenizer and context are used.
        views: how to look at the words.
        texts: the texts of the block.
        words: the words, in order.
    """
    rendered: dict[str, int] = {}
    places: list[list[tuple[int, tuple[Span, ...]]]] = []
    for view in views:
        of_view = []
        for word in words:
            text, spans = view.template.render(texts[word.text], word.spans, word.form, word.lemma)
            of_view.append((rendered.setdefault(text, len(rendered)), spans))
        places.append(of_view)
    names = list(rendered)
    tokens = encoder.tokenize(names)
    jobs: dict[Ids, list[Job]] = {}
    plans = [
        _plan_view(encoder, n, view, [(names[at], tokens[at], spans) for at, spans in places[n]], jobs)
        for n, view in enumerate(views)
    ]
    if encoder.is_causal:
        jobs = _share_prefixes(jobs, encoder.boundary or encoder.max_tokens)
    return BlockPlan(plans, list(jobs), list(jobs.values()))


def _plan_view(
    encoder: Encoder,
    n: int,
    view: View,
    words: Sequence[tuple[str, Tokens, tuple[Span, ...]]],
    jobs: dict[Ids, list[Job]],
) -> ViewPlan:
    """Find the pass of every word of view `n`, and add to `jobs` what has to be read from it."""
    plan = ViewPlan([], [], [], 0)
    n_windowed = 0
    for place, (rendered, tokens, spans) in enumerate(words):
        reading = _read(encoder, view, tokens, spans)
        if isinstance(reading, str):
            plan.skipped.append(Skip(place, reading, len(tokens.ids), rendered))
            continue
        ids, of_word = reading
        n_windowed += ids is not tokens.ids
        jobs.setdefault(ids, []).append(Job(n, len(plan.words), of_word))
        plan.words.append(place)
        plan.rendered.append((rendered, len(tokens.ids)))
    return replace(plan, n_windowed=n_windowed)


def _read(
    encoder: Encoder, view: View, tokens: Tokens, spans: tuple[Span, ...]
) -> tuple[Ids, np.ndarray] | SkipReason:
    """The pass a word is read from and its tokens there, or why it has none."""
    if not spans:
        return "no_previous"
    of_word = tokens_of(tokens.spans, spans)
    if not len(of_word):
        return "no_token"
    is_last = view.template.reading == "last"
    of_word = pooled_tokens(of_word, "last" if is_last else view.pooling)
    n_tokens, limit = len(tokens.ids), encoder.max_tokens
    if n_tokens <= limit:
        return tokens.ids, of_word
    if is_last or view.template.n_copies > 1:
        return "truncated"  # a part of the text, or of its copies, would be another question
    window = window_for(of_word, n_tokens, tokens.n_leading, tokens.n_trailing, limit)
    if window is None:
        return "truncated"
    trailing = tokens.ids[n_tokens - tokens.n_trailing :]
    ids = tokens.ids[: tokens.n_leading] + tokens.ids[window.start : window.end] + trailing
    return ids, of_word - window.start + tokens.n_leading


def _share_prefixes(jobs: dict[Ids, list[Job]], limit: int) -> dict[Ids, list[Job]]:
    """Move the jobs of every pass that begins another of at most `limit` tokens to the longest such pass.

    In lexicographic order all passes that begin with some tokens follow the pass of just these tokens, so it
    is enough to look at the next one.
    """
    order = sorted(jobs)
    holder = {ids: ids for ids in order}
    for ids, following in reversed(list(pairwise(order))):
        if following[: len(ids)] == ids and len(holder[following]) <= limit:
            holder[ids] = holder[following]
    shared: dict[Ids, list[Job]] = {}
    for ids, of_pass in jobs.items():  # in the order in which the words came
        shared.setdefault(holder[ids], []).extend(of_pass)
    return shared
