"""The plain way to a word vector: one text at a time, `output_hidden_states`, loops.

Audit compares with it. Nothing is shared with the encoder but loading and the window of a text that is
too long: the point is to be a second, simple computation of the same thing.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import torch

from repstore.encode.loading import load
from repstore.encode.models import ModelFiles
from repstore.encode.templates import Template
from repstore.encode.windows import window_for
from repstore.spec import DType, Pooling, Span


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
