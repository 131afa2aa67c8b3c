"""Which forward passes are made, what is read from them, and what happens when one is too large."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from repstore.encode.blocks import BlockEncoder, EncodedBlock
from repstore.encode.encoder import Encoder
from repstore.encode.passes import BlockWord, View, plan_block
from repstore.encode.templates import parse_template
from repstore.encode.windows import window_for
from repstore.errors import ModelError

TEXTS = [
    "The bank of the river",
    "The bank of the river was muddy",
    "A loan from the bank",
    "A loan from the bank",
]
WORDS = [
    BlockWord(0, ((4, 8),), "bank", "bank"),
    BlockWord(0, ((16, 21),), "river", "river"),
    BlockWord(1, ((4, 8),), "bank", "bank"),
    BlockWord(2, ((16, 20),), "bank", "bank"),
    BlockWord(3, ((16, 20),), "bank", "bank"),
]
Encoders = Callable[[str], Encoder]


def views(*templates: str) -> list[View]:
    return [View(parse_template(template), "mean") for template in templates]


def spelled(encoder: Encoder, ids: tuple[int, ...]) -> str:
    return encoder._tokenizer.decode(ids, skip_special_tokens=True).strip()


def test_words_of_one_text_and_equal_texts_share_one_pass(tiny_encoder: Encoders) -> None:
    encoder = tiny_encoder("bert")
    plan = plan_block(encoder, views("base"), TEXTS, WORDS)
    assert sorted(spelled(encoder, ids) for ids in plan.passes) == sorted(t.lower() for t in set(TEXTS))
    assert sum(len(jobs) for jobs in plan.jobs) == len(WORDS)


def test_a_causal_model_reads_base_from_the_first_copy_of_repeat(tiny_encoder: Encoders) -> None:
    encoder = tiny_encoder("llama")
    assert encoder.is_causal
    plan = plan_block(encoder, views("base", "repeat"), TEXTS, WORDS)
    assert {spelled(encoder, ids) for ids in plan.passes} == {f"{text} {text}" for text in set(TEXTS)}


def test_a_model_that_sees_what_follows_does_not(tiny_encoder: Encoders) -> None:
    encoder = tiny_encoder("bert")
    assert not encoder.is_causal
    plan = plan_block(encoder, views("base", "repeat"), TEXTS, WORDS)
    assert len(plan.passes) == 2 * len(set(TEXTS))


def encode(encoder: Encoder, views: list[View]) -> list[EncodedBlock]:
    return BlockEncoder(encoder, 64).encode(plan_block(encoder, views, TEXTS, WORDS), lambda _: None)


@pytest.mark.parametrize("family", ["llama", "gpt2", "neox"])
def test_what_is_read_from_a_longer_pass_is_what_its_own_pass_gives(
    tiny_encoder: Encoders, family: str
) -> None:
    encoder = tiny_encoder(family)
    together = encode(encoder, views("base", "repeat"))
    for template, shared in zip(("base", "repeat"), together, strict=True):
        (alone,) = encode(encoder, views(template))
        for a, b in zip(shared.layers, alone.layers, strict=True):
            # Each may be rounded to float16 differently, by 2**-11 of its size.
            assert np.allclose(a.astype(float), b.astype(float), rtol=2**-10, atol=1e-5)


@given(
    n_before=st.integers(0, 60),
    n_of_word=st.integers(1, 8),
    n_after=st.integers(0, 60),
    n_leading=st.integers(0, 2),
    n_trailing=st.integers(0, 2),
    size=st.integers(1, 20),
)
def test_a_window_holds_its_word_and_lies_in_the_text(
    n_before: int, n_of_word: int, n_after: int, n_leading: int, n_trailing: int, size: int
) -> None:
    n_tokens = n_leading + n_before + n_of_word + n_after + n_trailing
    limit = n_leading + size + n_trailing
    if n_tokens <= limit:
        return
    of_word = np.arange(n_of_word) + n_leading + n_before
    window = window_for(of_word, n_tokens, n_leading, n_trailing, limit)
    if window is None:
        assert n_of_word > size // 2, "a word of half a window fits into one on the grid"
        return
    assert n_leading <= window.start <= of_word[0]
    assert of_word[-1] < window.end <= n_tokens - n_trailing
    assert window.end - window.start == size


def test_no_window_is_wider_than_the_special_tokens_leave_room() -> None:
    assert window_for(np.array([3]), 10, 2, 2, 4) is None


@pytest.mark.parametrize("family", ["llama", "bert"])
def test_a_long_text_is_read_in_windows_and_nothing_is_lost(tiny_encoder: Encoders, family: str) -> None:
    encoder = tiny_encoder(family)
    letters = "abdefghiklmnoprstu"
    words = ["".join(three) for three in itertools.product(letters, repeat=3)][: 3 * encoder.max_tokens]
    text = " ".join(words)
    starts = np.cumsum([0] + [len(word) + 1 for word in words[:-1]])
    chosen = [
        BlockWord(0, ((int(starts[n]), int(starts[n]) + len(words[n])),), words[n], None)
        for n in (0, 1, len(words) // 2, len(words) - 1)
    ]
    plan = plan_block(encoder, views("base"), [text], chosen)
    assert plan.views[0].n_windowed == len(chosen)
    assert not plan.views[0].skipped
    assert all(len(ids) <= encoder.max_tokens for ids in plan.passes)
    whole = encoder.tokenize([text])[0]
    for ids, jobs in zip(plan.passes, plan.jobs, strict=True):
        assert ids[: whole.n_leading] == whole.ids[: whole.n_leading]
        assert ids[len(ids) - whole.n_trailing :] == whole.ids[len(whole.ids) - whole.n_trailing :]
        for job in jobs:
            read = encoder._tokenizer.decode([ids[n] for n in job.tokens]).replace(" ", "").replace("##", "")
            assert read == chosen[plan.views[0].words[job.row]].form


def test_a_prompt_that_is_too_long_is_skipped_not_cut(tiny_encoder: Encoders) -> None:
    encoder = tiny_encoder("llama")
    text = "bank " * encoder.max_tokens
    plan = plan_block(encoder, views("prompt2"), [text], [BlockWord(0, ((0, 4),), "bank", "bank")])
    assert [skip.reason for skip in plan.views[0].skipped] == ["truncated"]


def test_a_batch_that_does_not_fit_is_halved(tiny_encoder: Encoders, monkeypatch: pytest.MonkeyPatch) -> None:
    encoder = tiny_encoder("gpt2")
    (expected,) = encode(encoder, views("base"))
    sizes = []
    start = Encoder.start

    def limited(self: Encoder, batch, words):
        sizes.append(len(batch))
        if len(batch) > 1:
            raise torch.OutOfMemoryError("no more")
        return start(self, batch, words)

    monkeypatch.setattr(Encoder, "start", limited)
    (found,) = encode(encoder, views("base"))
    assert max(sizes) > 1
    for a, b in zip(found.layers, expected.layers, strict=True):
        assert np.allclose(a.astype(float), b.astype(float), rtol=2**-10, atol=1e-5)


def test_a_text_that_does_not_fit_alone_is_an_error(
    tiny_encoder: Encoders, monkeypatch: pytest.MonkeyPatch
) -> None:
    def never(self: Encoder, batch, words):
        raise torch.OutOfMemoryError("no more")

    monkeypatch.setattr(Encoder, "start", never)
    with pytest.raises(ModelError, match="does not fit into the memory"):
        encode(tiny_encoder("gpt2"), views("base"))
