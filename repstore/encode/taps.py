"""Where in a model its layers can be read while it runs."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import torch
from torch import nn

from repstore.errors import ArgumentError, ModelError

Side = Literal["input", "output"]
See = Callable[[nn.Module, Side, torch.Tensor], None]


@dataclass(frozen=True, slots=True)
class Tap:
    """A layer's hidden states are what this module takes, or returns, in its n-th call of a forward pass."""

    name: str
    module: nn.Module
    side: Side
    call: int


def find_taps(model: nn.Module, n_layers: int, d_model: int) -> list[Tap]:
    """The places at which a model has what transformers calls its hidden states, found by running it.

    A layer's tap is the first module whose output (or else input) has, when it returns (or is called), the
    memory and the values of that layer of ``output_hidden_states``; so no architecture needs to be known, and
    the final norm is seen for what it is: the tap of the last layer.

    Raises:
        ModelError: a layer is found nowhere, or the layers differ in number or width from the config.
    """
    seen: list[tuple[Tap, torch.Tensor, torch.Tensor]] = []
    names = {module: name for name, module in model.named_modules()}
    calls: dict[tuple[nn.Module, Side], int] = {}

    def see(module: nn.Module, side: Side, tensor: torch.Tensor) -> None:
        call = calls[module, side] = calls.get((module, side), -1) + 1
        seen.append((Tap(names[module], module, side, call), tensor, tensor.clone()))

    ids = torch.ones((1, 4), dtype=torch.long, device=next(model.parameters()).device)
    with torch.inference_mode(), _watching(list(names), see):
        states = model(
            input_ids=ids, attention_mask=torch.ones_like(ids), output_hidden_states=True
        ).hidden_states
    found = (len(states), {state.shape[-1] for state in states})
    if found != (n_layers, {d_model}):
        raise ModelError(
            f"The model returns {found[0]} layers of width {found[1]}; its config says {n_layers} "
            f"of {d_model}."
        )
    seen.sort(key=lambda each: each[0].side == "input")  # outputs first, in the order of the calls
    return [_find(seen, layer, state) for layer, state in enumerate(states)]


def before_final_norm(taps: Sequence[Tap]) -> list[Tap]:
    """The same taps, but the last layer as it goes into the final norm.

    Raises:
        ArgumentError: the last layer is the output of a block like the others; the model has no final norm.
    """
    *blocks, last = taps
    if last.side == "input" or isinstance(last.module, type(blocks[-1].module)):
        raise ArgumentError("This model has no final norm after its last block.")
    return [*blocks, Tap(f"{last.name} (input)", last.module, "input", last.call)]


def run(
    model: nn.Module,
    taps: Sequence[Tap],
    ids: torch.Tensor,
    mask: torch.Tensor,
    pool: Callable[[torch.Tensor], torch.Tensor],
) -> list[torch.Tensor]:
    """A forward pass that keeps of each layer only what `pool` makes of it.

    Args:
        model: the base model.
        taps: from `find_taps`.
        ids, mask: token ids and attention mask. *Shape of each:* (n_texts, n_tokens), int64.
        pool: called with hidden states. *Shape:* (n_texts, n_tokens, d_model), or these flattened.
    """
    pooled: dict[int, torch.Tensor] = {}
    wanted = {(tap.module, tap.side, tap.call): layer for layer, tap in enumerate(taps)}
    calls: dict[tuple[nn.Module, Side], int] = {}

    def keep(module: nn.Module, side: Side, hidden: torch.Tensor) -> None:
        call = calls[module, side] = calls.get((module, side), -1) + 1
        layer = wanted.get((module, side, call))
        if layer is not None:
            pooled[layer] = pool(hidden)

    with _watching(list(dict.fromkeys(tap.module for tap in taps)), keep):
        model(input_ids=ids, attention_mask=mask)
    return [pooled[layer] for layer in range(len(taps))]


def _find(seen: Sequence[tuple[Tap, torch.Tensor, torch.Tensor]], layer: int, state: torch.Tensor) -> Tap:
    for tap, tensor, as_seen in seen:
        same_memory = (state.data_ptr(), state.numel()) == (tensor.data_ptr(), tensor.numel())
        if same_memory and torch.allclose(state, as_seen.view_as(state), rtol=0, atol=0, equal_nan=True):
            return tap
    raise ModelError(f"No module takes or returns layer {layer} as it is; this architecture cannot be read.")


@contextlib.contextmanager
def _watching(modules: Sequence[nn.Module], see: See) -> Iterator[None]:
    """Show `see` the first tensor that each module takes, and the first that it returns."""

    def before(module: nn.Module, args: tuple[Any, ...], kwargs: dict[str, Any]) -> None:
        for value in (*args, *kwargs.values()):
            if isinstance(value, torch.Tensor):
                see(module, "input", value)
                break

    def after(module: nn.Module, args: Any, output: Any) -> None:
        del args
        first = output[0] if isinstance(output, tuple) and output else output
        if isinstance(first, torch.Tensor):
            see(module, "output", first)

    handles = [module.register_forward_pre_hook(before, with_kwargs=True) for module in modules]
    handles += [module.register_forward_hook(after) for module in modules]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()
