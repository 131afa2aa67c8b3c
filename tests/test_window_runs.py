"""Runs under the templates that show the model a word with its nearest words alone."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

import repstore
from repstore.encode.passes import BlockWord, View, plan_block
from repstore.encode.templates import parse_template

# Both roundings of a value to float16 may be off by 2**-11 of it, to different sides.
ROUNDED_TWICE = 2**-10
TEXTS = ("The bank of the old river was muddy, and the (other) bank slid.", "Now a bank lends.")

each_family = pytest.mark.parametrize("family", ["llama", "bert"])


def text_file(path: Path, *texts: str) -> str:
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return f"text:{path}"


def ingested(store: Path, source: str, model: Path, template: str) -> np.ndarray:
    """The vectors of a run. *Shape:* (n_layers, n_words, d_model), float64."""
    report = repstore.ingest(source, store, model=str(model), templates=[template])
    return vectors_of(store, report.runs[0].run)


def vectors_of(store: Path, run: str) -> np.ndarray:
    """*Shape:* (n_layers, n_words, d_model), float64."""
    with repstore.open(store) as opened:
        layers = range(opened.runs()["n_layers"][0])
        return np.array([opened.vectors(run=run, layer=n).values.astype(float) for n in layers])


def worst_error(actual: np.ndarray, expected: np.ndarray) -> float:
    return float((np.linalg.norm(actual - expected, axis=-1) / np.linalg.norm(expected, axis=-1)).max())


@each_family
def test_a_window_wider_than_every_text_gives_the_vectors_of_base(family, tiny_model, sentences, tmp_path):
    source, model = f"senses:{sentences}", tiny_model(family)
    wide, base = (ingested(tmp_path / name, source, model, name) for name in ("window-99", "base"))
    assert wide.shape == base.shape
    assert worst_error(wide, base) <= ROUNDED_TWICE


@each_family
def test_a_window_of_no_more_words_gives_the_vectors_of_the_bare_words(family, tiny_model, tmp_path):
    model = tiny_model(family)
    stretches = [stretch for text in TEXTS for stretch in text.split()]
    bare = ingested(tmp_path / "bare", text_file(tmp_path / "bare.txt", *stretches), model, "base")
    windows = ingested(tmp_path / "windows", text_file(tmp_path / "whole.txt", *TEXTS), model, "window-0")
    assert windows.shape == bare.shape
    assert worst_error(windows, bare) <= ROUNDED_TWICE


@each_family
def test_windows_ingested_together_are_those_alone_and_pass_the_audit(family, tiny_model, tmp_path):
    source, model = text_file(tmp_path / "whole.txt", *TEXTS), tiny_model(family)
    templates = ["base", "window-1", "said=He said: {window:3}"]
    repstore.ingest(source, tmp_path / "together", model=str(model), templates=templates)
    for template in templates[1:]:
        run = f"{family}/{template.partition('=')[0]}"
        alone = ingested(tmp_path / "alone", source, model, template)
        assert worst_error(vectors_of(tmp_path / "together", run), alone) <= ROUNDED_TWICE
        assert all(repstore.audit(tmp_path / "together", run=run)["kept"])


def test_a_word_of_a_new_text_is_encoded_in_its_window(tiny_model, tmp_path):
    source = text_file(tmp_path / "whole.txt", *TEXTS)
    ingested(tmp_path / "store", source, tiny_model("llama"), "window-1")
    encoded = [
        repstore.encode_word(tmp_path / "store", "bank", text).vectors
        for text in ("Now a bank lends.", "Tomorrow never a bank lends. Does it?", "Now the bank lends.")
    ]
    assert np.array_equal(encoded[0], encoded[1])
    assert worst_error(encoded[2][1:], encoded[0][1:]) > 0.01


def test_words_share_the_passes_of_windows_that_are_alike(tiny_encoder):
    texts = ["on the bank there", "by the bank of it"]
    words = [BlockWord(n, ((7, 11),), "bank", "bank") for n in (0, 1)]
    shared = {"window-0": 1, "window-1": 2, "base": 2}
    for template, n_passes in shared.items():
        plan = plan_block(tiny_encoder("bert"), [View(parse_template(template), "mean")], texts, words)
        assert len(plan.passes) == n_passes
        assert sum(map(len, plan.jobs)) == 2


def test_a_causal_model_reads_a_window_from_a_longer_one_that_begins_with_it(tiny_encoder):
    text, start = "the bank of the river slid", 0
    words = []
    for form in text.split():
        words.append(BlockWord(0, ((start, start + len(form)),), form, None))
        start += len(form) + 1
    plan = plan_block(tiny_encoder("llama"), [View(parse_template("window-3"), "mean")], [text], words)
    # Windows that begin with the text: of its words 1 to 4, the longest of which is seven words, or all here.
    assert len(plan.passes) == 3
    assert sorted(map(len, plan.jobs)) == [1, 1, 4]
