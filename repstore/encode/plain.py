"""The plain way to a word vector: one text at a time, `output_hidden_states`, loops.

Audit compares with it. Nothing is shared with the encoder but loading and the window of a text that is
too long: the point is to be a second, simple computation of the same thing.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import torch

from repstore.encode.loading import default_device, load, usable_device
from repstore.encode.models import ModelFiles, find_model
from repstore.encode.templates import Template
from repstore.encode.windows import window_for
from repstore.errors import ModelError
from repstore.spec import DType, Pooling, Span
from repstore.storage.opened import Run


class PlainModel:
    """A model as a careful user of transformers would run it."""

    def __init__(
        self, files: ModelFiles, dtype: DType, device: torch.device, raw_last: str | None = None
    ) -> None:
        """`raw_last` names the final norm, if the last layer is wanted as it goes in."""
        self._tokenizer, model = load(files, dtype)
        self._model = model.to(device)
        self._raw: list[torch.Tensor] = []
        if raw_last is not None:
            norm = self._model.get_submodule(raw_last)
            norm.register_forward_pre_hook(lambda _, args: self._raw.append(args[0]))

    def word_vectors(
        self,
        template: Template,
        pooling: Pooling,
        text: str,
        spans: Sequence[Span],
        form: str,
        lemma: str | None,
        max_tokens: int,
    ) -> np.ndarray:
        """One word's vector at every layer. *Shape:* (n_layers, d_model), float32."""
        rendered, pieces = template.render(text, spans, form, lemma)
        assert pieces, "a word with a vector has a place"
        wanted = [at for piece in pieces for at in range(*piece) if not rendered[at].isspace()]
        encoded = self._tokenizer(rendered, return_offsets_mapping=True, return_special_tokens_mask=True)
        ids, special = encoded["input_ids"], encoded["special_tokens_mask"]
        tokens = []
        for n, (start, end) in enumerate(encoded["offset_mapping"]):
            if any(start <= at < end for at in wanted):
                tokens.append(n)
        if template.reading == "last" or pooling == "last":
            tokens = tokens[-1:]
        elif pooling == "first":
            tokens = tokens[:1]
        if len(ids) > max_tokens:
            n_leading, n_trailing = special.index(0), special[::-1].index(0)
            window = window_for(np.array(tokens), len(ids), n_leading, n_trailing, max_tokens)
            assert window is not None, "a word with a vector fits into a window"
            ids = ids[:n_leading] + ids[window.start : window.end] + ids[len(ids) - n_trailing :]
            tokens = [n - window.start + n_leading for n in tokens]
        with torch.inference_mode():
            states = self._model(
                input_ids=torch.tensor([ids], device=self._model.device), output_hidden_states=True
            ).hidden_states
        if self._raw:
            states = (*states[:-1], self._raw.pop())
        return np.stack([state[0, tokens].float().mean(dim=0).cpu().numpy() for state in states])


def plain_model(
    run: Run, given: str | Path | None, device: str | None, notify: Callable[[str], None]
) -> PlainModel:
    """The model that made a run, as the run used it.

    Args:
        run: the run.
        given: where the model is now, if not where it was ingested from.
        device: where to run it; a GPU if there is one, unless given.
        notify: told of long steps.

    Raises:
        ModelError: it is another model.
    """
    spec = run.info.spec
    files = find_model(given or spec.model.source, notify)
    found, made_by = files.identity, spec.model
    if (found.weights_sha256, found.tokenizer_sha256) != (made_by.weights_sha256, made_by.tokenizer_sha256):
        raise ModelError(
            f"{found.source} is not the model that made {run.label}: other weights or tokenizer. "
            "Give the right one with --model."
        )
    last: str = run.info.contract["layers"][-1]
    raw_last = None if spec.final_norm else last.removesuffix(" (input)")
    return PlainModel(files, spec.dtype, usable_device(device or default_device()), raw_last)
