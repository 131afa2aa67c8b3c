"""The whole Word-in-Context experiment of Liu et al. 2024 for one model: their procedure against repstore.

Four templates, thresholds from dev, accuracy on test, with and without standardization. The procedure of
the released code runs the model anew for each of the 20 thresholds, in batches of 30 pairs in file order,
one side after the other, with all hidden states as output. That is measured on a few batches of each
template and split and multiplied out; repstore is measured in full, from nothing to the last table.
"""

from __future__ import annotations

import argparse
import tempfile
import time
from pathlib import Path
from statistics import median

import torch
from report import Figure, main
from wic_data import slice_of

import repstore
from repstore import corpus
from repstore.encode.loading import load
from repstore.encode.models import find_model
from repstore.encode.templates import parse_template
from repstore.spec import Text

MODEL = "smollm2"
TEMPLATES = ("base", "repeat", "repeat_prev", "prompt2")
N_THRESHOLDS, BATCH, N_STANDARDIZATIONS = 20, 30, 2
TIMED_BATCHES = 4
"""Batches timed of each template and split, spread over the split."""


def measure(options: argparse.Namespace) -> list[Figure]:
    """Time both."""
    n_dev, n_test = (60, 60) if options.quick else (638, 1400)
    with tempfile.TemporaryDirectory(prefix="repstore-benchmark-") as folder:
        root = Path(folder)
        source = f"wic:{slice_of(root / 'wic', dev=n_dev, test=n_test)}"
        theirs, n_forward = their_procedure(source)
        start = time.perf_counter()
        repstore.ingest(source, root / "store", model=MODEL, templates=TEMPLATES)
        ingested = time.perf_counter() - start
        with repstore.open(root / "store") as store:
            for template in TEMPLATES:
                for standardize in ("none", "batch30"):
                    store.probe("wic", run=f"{MODEL}/{template}", standardize=standardize, threshold="grid")
        ours = time.perf_counter() - start
    return [
        Figure("pairs of dev and test", n_dev + n_test, ""),
        Figure("forward passes of the procedure", n_forward, "batches"),
        Figure("the procedure, multiplied out", theirs, "s"),
        Figure("repstore from nothing", ours, "s"),
        Figure("of that, ingest", ingested, "s"),
        Figure("procedure / repstore", theirs / ours, "times", at_least=20),
    ]


def their_procedure(source: str) -> tuple[float, int]:
    """Seconds of the procedure, from the median seconds of a few of its batches; and how many there are."""
    tokenizer, model = load(find_model(MODEL, print), "float32")
    tokenizer.pad_token = tokenizer.pad_token or tokenizer.eos_token
    words = [(text, word) for text in corpus.read(source).texts() for word in text.words]
    pairs = list(corpus.read(source).pairs())
    seconds, n_forward = 0.0, 0
    for template in TEMPLATES:
        for split, n_runs in (("dev", N_THRESHOLDS), ("test", 1)):
            of_split = [pair for pair in pairs if pair.split == split]
            starts = range(0, len(of_split), BATCH)
            taken = []
            for start in list(starts)[:: max(1, len(starts) // TIMED_BATCHES)]:
                batch = [words[pair.word_a] for pair in of_split[start : start + BATCH]]
                taken.append(one_batch(tokenizer, model, template, batch))
            n_batches = 2 * len(starts) * n_runs * N_STANDARDIZATIONS
            seconds += n_batches * median(taken)
            n_forward += n_batches
    return seconds, n_forward


def one_batch(tokenizer, model, template: str, batch: list[tuple[Text, object]]) -> float:
    """Seconds of a forward pass over one side of a batch, all hidden states kept."""
    pattern = parse_template(template)
    rendered = [pattern.render(text.text, word.pieces, word.form, word.lemma)[0] for text, word in batch]
    start = time.perf_counter()
    encoded = tokenizer(rendered, return_tensors="pt", padding=True)
    with torch.inference_mode():
        model(
            input_ids=encoded["input_ids"],
            attention_mask=encoded["attention_mask"],
            output_hidden_states=True,
        )
    return time.perf_counter() - start


if __name__ == "__main__":
    main("The experiment of a paper", measure)
