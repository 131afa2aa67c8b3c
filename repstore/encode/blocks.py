"""A block of words through the model: from a plan of forward passes to the matrices of a part."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
import torch

from repstore.encode.batching import make_batches
from repstore.encode.budget import find_budget
from repstore.encode.encoder import Encoder
from repstore.encode.passes import BlockPlan, Job, Skip, ViewPlan
from repstore.errors import ModelError

CPU_BATCH_TOKENS = 512
"""On a CPU, 256 to 1,024 measured alike; larger batches only add padding."""

FLOAT16_MAX = float(np.finfo(np.float16).max)


@dataclass(frozen=True)
class EncodedBlock:
    """The words of a block seen one way.

    Attributes:
        words: places in the block of the words that have vectors. *Shape:* (n_vectors,), int64, ascending.
        layers: one matrix per layer. *Shape of each:* (n_vectors, d_model), float16, or float32 where a
            value exceeds float16.
        skipped: the other words, in order.
        n_windowed: how many of the words were read in a window of their text.
        n_not_finite: for every layer, how many of the words had a vector that was not finite.
    """

    words: np.ndarray
    layers: list[np.ndarray]
    skipped: list[Skip]
    n_windowed: int
    n_not_finite: list[int]


class BlockEncoder:
    """Encodes block after block, remembering only which layers have exceeded float16 so far."""

    def __init__(self, encoder: Encoder, batch_tokens: int) -> None:
        self._encoder = encoder
        self._batch_tokens = batch_tokens
        self._wide: set[int] = set()

    def encode(self, plan: BlockPlan, tick: Callable[[float], None]) -> list[EncodedBlock]:
        """Encode a block for every view. The result depends on the block alone, not on what came before.

        Args:
            plan: of the block.
            tick: told which share of the block is done.
        """
        draft = self._fill(plan, tick)
        if not draft.overflowed <= self._wide:  # once more, with room for the layers that need it
            self._wide |= draft.overflowed
            draft = self._fill(plan, tick)
        return [_finish(of_view, draft.layers[n], draft.finite[n]) for n, of_view in enumerate(plan.views)]

    def _fill(self, plan: BlockPlan, tick: Callable[[float], None]) -> _Draft:
        """Run the batches; while the device computes one, the host stores the one before."""
        draft = _Draft(plan.views, self._encoder.n_layers, self._encoder.d_model, self._wide)
        n_done = 0
        waiting: Callable[[], None] | None = None
        lengths = [len(ids) for ids in plan.passes]
        for batch in make_batches(lengths, self._batch_tokens, self._encoder.boundary):
            started = self._start(plan, batch, draft)
            if waiting is not None:
                waiting()
            waiting = started
            n_done += sum(lengths[at] for at in batch)
            tick(n_done / plan.n_tokens)
        if waiting is not None:
            waiting()
        return draft

    def _start(self, plan: BlockPlan, batch: Sequence[int], draft: _Draft) -> Callable[[], None]:
        """Begin a forward pass; the function returned stores its vectors.

        What is too large is halved, and only that: other batches stay what they would be after a resume.
        """
        jobs = [(place, job) for place, at in enumerate(batch) for job in plan.jobs[at]]
        try:
            layers = self._encoder.start(
                [plan.passes[at] for at in batch], [(place, job.tokens) for place, job in jobs]
            )
            return lambda: draft.put([job for _, job in jobs], layers())
        except torch.OutOfMemoryError as error:
            if len(batch) == 1:
                n_tokens = len(plan.passes[batch[0]])
                raise ModelError(
                    f"A text of {n_tokens:,} tokens does not fit into the memory of the device. "
                    "Use a smaller dtype, a larger device, or shorter texts."
                ) from error
        torch.cuda.empty_cache()
        middle = len(batch) // 2
        halves = [self._start(plan, half, draft) for half in (batch[:middle], batch[middle:])]

        def store() -> None:
            for half in halves:
                half()

        return store


def choose_batch_tokens(encoder: Encoder, plans: Iterable[BlockPlan]) -> int:
    """How many tokens to send through the device at once: tried with copies of the longest text on a GPU,
    a constant elsewhere.
    """
    passes = ((ids, jobs) for plan in plans for ids, jobs in zip(plan.passes, plan.jobs, strict=True))
    longest, jobs = max(passes, key=lambda one: len(one[0]), default=((), []))
    if encoder.device.type != "cuda" or not longest:
        return CPU_BATCH_TOKENS

    def seconds(n_tokens: int) -> float | None:
        n_texts = n_tokens // len(longest)
        words = [(place, job.tokens) for place in range(n_texts) for job in jobs]
        try:
            encoder.start([longest] * n_texts, words)()  # warms up
            start = time.perf_counter()
            encoder.start([longest] * n_texts, words)()
            return time.perf_counter() - start
        except torch.OutOfMemoryError:
            torch.cuda.empty_cache()
            return None

    return find_budget(len(longest), seconds) or len(longest)


class _Draft:
    """The matrices of a block while they are filled. Layers in `wide` are float32, the others float16."""

    def __init__(self, views: Sequence[ViewPlan], n_layers: int, d_model: int, wide: set[int]) -> None:
        self.overflowed: set[int] = set()
        self.finite = [np.ones((n_layers, len(view.words)), bool) for view in views]
        self.layers = [
            [
                np.empty((len(view.words), d_model), np.float32 if layer in wide else np.float16)
                for layer in range(n_layers)
            ]
            for view in views
        ]
        self._wide = wide

    def put(self, jobs: Sequence[Job], layers: torch.Tensor) -> None:
        """Store the vectors of a batch. *Shape of `layers`:* (n_layers, len(jobs), d_model), float32."""
        of_view = np.array([job.view for job in jobs])
        rows = np.array([job.row for job in jobs])
        largest = layers.abs().amax(dim=2)  # of a vector that is not finite: neither
        finite = torch.isfinite(largest)
        too_large = (finite & (largest > FLOAT16_MAX)).any(dim=1)
        self.overflowed |= set(too_large.nonzero()[:, 0].tolist())
        wide, narrow = layers.numpy(), layers.half().numpy()
        for view in np.unique(of_view):
            here = of_view == view
            self.finite[view][:, rows[here]] = finite.numpy()[:, here]
            for layer, matrix in enumerate(self.layers[view]):
                matrix[rows[here]] = (wide if layer in self._wide else narrow)[layer, here]


def _finish(view: ViewPlan, layers: Sequence[np.ndarray], finite: np.ndarray) -> EncodedBlock:
    """Drop words that are not finite; keep as float32 only the layers that need it in this block."""
    whole = finite.all(axis=0)
    not_finite = [
        Skip(view.words[row], "not_finite", view.rendered[row][1], view.rendered[row][0])
        for row in np.flatnonzero(~whole)
    ]
    stored = []
    for matrix in layers:
        kept = matrix if whole.all() else matrix[whole]
        if kept.dtype == np.float32 and np.abs(kept).max(initial=0) <= FLOAT16_MAX:
            kept = torch.from_numpy(kept).half().numpy()
        stored.append(kept)
    return EncodedBlock(
        np.array(view.words, np.int64)[whole],
        stored,
        sorted([*view.skipped, *not_finite], key=lambda skip: skip.word),
        view.n_windowed,
        (~finite).sum(axis=1).tolist(),
    )
