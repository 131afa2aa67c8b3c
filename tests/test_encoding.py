"""Words of new texts, encoded as a run encodes its own."""

from __future__ import annotations

import numpy as np
import pytest

import repstore
from repstore.errors import ArgumentError, ModelError


@pytest.fixture(scope="module")
def ingested(tmp_path_factory, tiny_model, sentences):
    path = tmp_path_factory.mktemp("encoding") / "store"
    repstore.ingest(
        f"senses:{sentences}",
        path,
        model=str(tiny_model("llama")),
        templates=["base", "repeat", "repeat_prev"],
    )
    return path


@pytest.mark.parametrize("template", ["base", "repeat", "repeat_prev"])
def test_a_stored_text_encoded_anew_is_its_own_nearest(ingested, template):
    with repstore.open(ingested) as store:
        run = next(run["run"] for run in store.runs() if run["run"].endswith(f"/{template}"))
        words = [
            word for word in store.words() if word["text"].count(word["form"]) == 1 and word["char_start"] > 0
        ][:3]
        assert words
        for word in words:
            new = repstore.encode_word(ingested, word["form"], word["text"], run=run)
            assert (new.char_start, new.char_end) == (word["char_start"], word["char_end"])
            for layer in range(len(new.vectors)):
                stored = store.vectors(run=run, layer=layer).of([word["word_id"]])[0].astype(np.float64)
                away = np.linalg.norm(new.vectors[layer] - stored) / np.linalg.norm(stored)
                assert away < 1e-3  # the contract; storing as float16 costs up to 5e-4
            top = store.neighbors(new, run=run, layer="all", k=1)
            assert min(top["cosine"]) > 1 - 1e-5
            others = store.neighbors(new, run=run, layer=1, other_texts=True)
            assert word["text"] not in others["text"]


def test_a_new_text_need_not_be_in_the_store(ingested):
    with repstore.open(ingested) as store:
        run = store.runs()["run"][0]
        new = repstore.encode_word(ingested, "bank", "Nobody has ever seen this bank before.", run=run)
        found = store.neighbors(new, run=run, layer=[0, 1], k=3)
        assert len(found) == 6
        assert '"bank" (a new word)' in found.title
        other = store.runs()["run"][1]
        with pytest.raises(ArgumentError, match="as another run does it"):
            store.neighbors(new, run=other, layer=0)


@pytest.mark.parametrize(
    ("word", "text", "message"),
    [
        ("bank", "no such word", "does not stand in"),
        ("bank", "embankment", "does not stand in"),
        ("bank", "a bank is a bank", "stands 2 times"),
        ("", "text", "No word is given"),
    ],
)
def test_a_word_that_is_not_there_once_is_refused(ingested, word, text, message):
    with repstore.open(ingested) as store:
        run = store.runs()["run"][0]
    with pytest.raises(ArgumentError, match=message):
        repstore.encode_word(ingested, word, text, run=run)


def test_the_first_word_has_none_before_it(ingested):
    with repstore.open(ingested) as store:
        run = next(run["run"] for run in store.runs() if run["run"].endswith("/repeat_prev"))
    # In the second copy even the first word has a predecessor, so it is read there.
    assert np.isfinite(repstore.encode_word(ingested, "Banks", "Banks lend", run=run).vectors).all()


def test_another_model_is_refused(ingested, tiny_model):
    with repstore.open(ingested) as store:
        run = store.runs()["run"][0]
    with pytest.raises(ModelError, match="is not the model that made"):
        repstore.encode_word(ingested, "bank", "a bank", run=run, model=str(tiny_model("bert")))
