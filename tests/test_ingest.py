from __future__ import annotations

import json

import numpy as np
import pytest
from folders import files_of

import repstore
from repstore import schemas
from repstore.encode import plan
from repstore.encode.encoder import Encoder, Tokens

# Both roundings of a value to float16 may be off by 2**-11 of it, to different sides.
ROUNDED_TWICE = 2**-10


def layers_of(store, run: str) -> list[np.ndarray]:
    """Every layer of a run. *Shape of each:* (n_words, d_model), float64."""
    with repstore.open(store) as opened:
        (row,) = [row for row in opened.runs() if row["run"] == run]
        return [opened.vectors(run=run, layer=layer).values.astype(float) for layer in range(row["n_layers"])]


def worst_error(actual: list[np.ndarray], expected: list[np.ndarray]) -> float:
    return max(
        float((np.linalg.norm(a - e, axis=1) / np.linalg.norm(e, axis=1)).max())
        for a, e in zip(actual, expected, strict=True)
    )


def skipped(store) -> list[tuple[str, str, str]]:
    """Form, reason and rendered text of the skipped words."""
    with repstore.open(store) as opened:
        table = opened.sql(
            "SELECT form, reason, rendered FROM skipped JOIN words USING (word_id) ORDER BY word_id"
        )
        return [(row["form"], row["reason"], row["rendered"]) for row in table]


def lines(path, *texts: str) -> str:
    path.write_text("".join(f"{text}\n" for text in texts), encoding="utf-8")
    return f"text:{path}"


def test_every_word_has_a_vector_in_every_layer_or_a_reason(tiny_model, tmp_path):
    source = lines(tmp_path / "few.txt", "One two three", "Four", "five six")
    report = repstore.ingest(
        source,
        tmp_path / "store",
        model=str(tiny_model("llama")),
        templates=["base", "before:previous={text}"],
    )
    counts = [(run.run, run.n_words, run.n_vectors, run.n_skipped) for run in report.runs]
    assert counts == [("llama/base", 6, 6, 0), ("llama/before", 6, 3, 3)]
    with repstore.open(tmp_path / "store") as store:
        word_ids = store.words()["word_id"]
        assert store.vectors(run="llama/base", layer=3).word_ids.tolist() == word_ids
        for layer in range(4):
            vectors = store.vectors(run="llama/before", layer=layer)
            assert vectors.word_ids.tolist() == [word_ids[n] for n in (1, 2, 5)]
            assert vectors.values.shape == (3, 32)
    assert [(form, reason) for form, reason, _ in skipped(tmp_path / "store")] == [
        (form, "no_previous") for form in ("One", "Four", "five")
    ]


def test_a_skipped_word_is_listed_with_its_reason_and_rendered_text(tiny_model, tmp_path):
    source = lines(tmp_path / "few.txt", "One two", "bank")
    repstore.ingest(
        source,
        tmp_path / "store",
        model=str(tiny_model("bert")),
        templates=["before:previous=>{text}"],
    )
    assert skipped(tmp_path / "store") == [
        ("One", "no_previous", ">One two"),
        ("bank", "no_previous", ">bank"),
    ]


def test_a_word_that_the_tokenizer_drops_is_skipped(tiny_model, tmp_path):
    words = [
        {"text": "a \u200d b", "start": start, "end": start + 1, "lemma": "x", "sense": "x"}
        for start in (0, 2, 4)
    ]
    (tmp_path / "few.jsonl").write_text("".join(json.dumps(word) + "\n" for word in words))
    report = repstore.ingest(
        f"senses:{tmp_path / 'few.jsonl'}", tmp_path / "store", model=str(tiny_model("bert"))
    )
    assert [(run.n_words, run.n_vectors) for run in report.runs] == [(3, 2)]
    assert skipped(tmp_path / "store") == [("\u200d", "no_token", "a \u200d b")]


def test_several_parts_hold_the_values_of_one(tiny_model, sentences, tmp_path, monkeypatch):
    def ingest(store):
        repstore.ingest(
            f"senses:{sentences}",
            store,
            model=str(tiny_model("gpt2")),
            templates=["base", "repeat"],
        )
        with repstore.open(store) as opened:
            return [(row["run"], row["n_parts"], row["n_vectors"]) for row in opened.runs()]

    assert ingest(tmp_path / "one") == [("gpt2/base", 1, 60), ("gpt2/repeat", 1, 60)]
    monkeypatch.setattr(schemas, "MAX_PART_ROWS", 7)
    assert ingest(tmp_path / "many") == [("gpt2/base", 9, 60), ("gpt2/repeat", 9, 60)]
    for run in ("gpt2/base", "gpt2/repeat"):
        one, many = (layers_of(tmp_path / name, run) for name in ("one", "many"))
        assert worst_error(many, one) <= ROUNDED_TWICE


def test_a_model_may_be_given_as_a_path(tiny_model, sentences, tmp_path):
    folder = tiny_model("llama")
    as_path = repstore.ingest(f"senses:{sentences}", tmp_path / "path", model=folder)
    as_text = repstore.ingest(f"senses:{sentences}", tmp_path / "text", model=str(folder))
    assert as_path.runs == as_text.runs


def test_the_words_of_one_text_may_lie_in_several_parts(tiny_model, tmp_path, monkeypatch):
    monkeypatch.setattr(schemas, "MAX_PART_ROWS", 2)
    source = lines(tmp_path / "few.txt", "one two three four five", "six", "seven eight nine")
    repstore.ingest(source, tmp_path / "many", model=str(tiny_model("bert")))
    monkeypatch.setattr(schemas, "MAX_PART_ROWS", 100)
    repstore.ingest(source, tmp_path / "one", model=str(tiny_model("bert")))
    one, many = (layers_of(tmp_path / name, "bert/base") for name in ("one", "many"))
    assert len(one[0]) == 9
    assert worst_error(many, one) <= ROUNDED_TWICE


def test_templates_ingested_together_or_alone_have_the_same_vectors(tiny_model, sentences, tmp_path):
    source, model = f"senses:{sentences}", str(tiny_model("llama"))
    repstore.ingest(source, tmp_path / "together", model=model, templates=["base", "repeat"])
    repstore.ingest(source, tmp_path / "alone", model=model, templates=["repeat"])
    repstore.ingest(source, tmp_path / "alone", model=model, templates=["base"])
    for run in ("llama/base", "llama/repeat"):
        together, alone = (layers_of(tmp_path / name, run) for name in ("together", "alone"))
        assert worst_error(together, alone) <= ROUNDED_TWICE


def test_two_corpora_live_in_one_store(tiny_model, sentences, tmp_path):
    store, model = tmp_path / "store", str(tiny_model("neox"))
    repstore.ingest(f"senses:{sentences}", store, model=model)
    before = layers_of(store, "neox/base")
    report = repstore.ingest(lines(tmp_path / "few.txt", "one two", "three"), store, model=model)

    assert (report.corpus.name, report.n_new) == ("few", 3)
    assert len(layers_of(store, "neox/base@few")[0]) == 3
    again = layers_of(store, "neox/base@sentences")
    assert all(np.array_equal(a, b) for a, b in zip(before, again, strict=True))
    with repstore.open(store) as opened:
        assert [(row["name"], row["n_words"]) for row in opened.corpora()] == [
            ("few", 3),
            ("sentences", 60),
        ]
        assert len(set(opened.words()["word_id"])) == 63


def test_run_json_records_spec_and_contract(tiny_model, sentences, tmp_path):
    store = tmp_path / "store"
    report = repstore.ingest(
        f"senses:{sentences}",
        store,
        model=str(tiny_model("neox")),
        templates=["repeat_prev"],
        dtype="bfloat16",
        pooling="first",
        batch_tokens=77,
    )
    (run,) = report.runs
    record = json.loads((store / "runs" / run.run_id / "run.json").read_text())
    spec, contract = record["spec"], record["contract"]
    assert (record["name"], record["corpus"], record["n_words"]) == ("neox/repeat_prev", "sentences", 60)
    assert (spec["template"], spec["reading"], spec["pooling"]) == ("repeat", "previous", "first")
    assert (spec["dtype"], contract["dtype"], contract["batch_tokens"]) == ("bfloat16", "bfloat16", 77)
    assert (spec["model"]["architecture"], spec["model"]["d_model"]) == ("GPTNeoXModel", 32)
    assert (contract["padding_side"], contract["device"]) == ("right", "cpu")


def test_a_dry_run_plans_what_the_ingest_then_does(tiny_model, tmp_path):
    source = lines(tmp_path / "few.txt", "One two three", "Four", "five six")
    options = {"model": str(tiny_model("bert")), "templates": ["base", "before:previous={text}"]}

    planned = repstore.ingest(source, tmp_path / "store", dry_run=True, **options).plan
    assert not (tmp_path / "store").exists()

    runs = repstore.ingest(source, tmp_path / "store", **options).runs
    assert (planned.cost.n_parts, planned.cost.n_texts) == (1, 3)
    assert planned.cost.n_vectors == sum(run.n_vectors for run in runs) == 9
    assert planned.cost.n_skipped == sum(run.n_skipped for run in runs) == 3
    assert planned.cost.n_passes == 3  # both templates render the same texts
    assert planned.disk_bytes == 9 * 4 * 32 * 2


@pytest.fixture
def four_parts(monkeypatch, tmp_path) -> str:
    """A corpus of 16 words in 4 parts, the last of 4 words in texts of their own."""
    monkeypatch.setattr(schemas, "MAX_PART_ROWS", 4)
    return lines(tmp_path / "texts.txt", *["Of four words each"] * 3, "And", "now", "one", "more")


def test_no_text_is_tokenized_twice(four_parts, tiny_model, tmp_path, monkeypatch):
    seen = []
    tokenize = Encoder.tokenize

    def counted(self: Encoder, texts: list[str]) -> list[Tokens]:
        seen.extend(texts)
        return tokenize(self, texts)

    monkeypatch.setattr(Encoder, "tokenize", counted)
    repstore.ingest(four_parts, tmp_path / "store", model=str(tiny_model("bert")))
    assert sorted(seen) == sorted([*["Of four words each"] * 3, "And", "now", "one", "more"])


def test_the_cost_of_a_large_corpus_is_estimated_from_its_first_words(
    four_parts, tiny_model, tmp_path, monkeypatch
):
    plans = {}
    for n_ahead in (16, 5):
        monkeypatch.setattr(plan, "WORDS_AHEAD", n_ahead)
        store = tmp_path / str(n_ahead)
        plans[n_ahead] = repstore.ingest(four_parts, store, model=str(tiny_model("bert"))).plan
    exact, estimated = (plans[n_ahead].cost for n_ahead in (16, 5))
    assert exact.is_exact
    assert (exact.n_parts, exact.n_texts, exact.n_vectors, exact.n_passes) == (4, 7, 16, 7)
    assert not estimated.is_exact  # twice two parts
    assert (estimated.n_parts, estimated.n_texts, estimated.n_vectors, estimated.n_passes) == (4, 4, 16, 4)
    assert files_of(tmp_path / "16") == files_of(tmp_path / "5")


def test_all_words_of_the_texts_can_be_ingested_beside_the_annotated_ones(tiny_model, sentences, tmp_path):
    source, model = f"senses:{sentences}", str(tiny_model("llama"))
    repstore.ingest(source, tmp_path / "all", model=model, words="all")
    repstore.ingest(source, tmp_path / "targets", model=model)
    with repstore.open(tmp_path / "all") as every, repstore.open(tmp_path / "targets") as targets:
        place = ("text", "char_start", "char_end", "lemma", "sense")
        annotated = {tuple(row[key] for key in place): row["word_id"] for row in targets.words()}
        found = {tuple(row[key] for key in place): row["word_id"] for row in every.words()}
        assert annotated.keys() <= found.keys()
        assert len(found) > 5 * len(annotated)
        for layer in range(4):
            a, b = targets.vectors(layer=layer), every.vectors(layer=layer)
            rows = [
                np.searchsorted(v.word_ids, [ids[key] for key in annotated])
                for v, ids in ((a, annotated), (b, found))
            ]
            expected, actual = (v.values[n].astype(float) for v, n in zip((a, b), rows, strict=True))
            assert worst_error([actual], [expected]) <= ROUNDED_TWICE


def test_progress_never_goes_back_and_ends_complete(tiny_model, sentences, tmp_path, monkeypatch):
    monkeypatch.setattr(schemas, "MAX_PART_ROWS", 25)
    told: list[repstore.Progress] = []
    repstore.ingest(
        f"senses:{sentences}",
        tmp_path / "store",
        model=str(tiny_model("llama")),
        templates=["repeat", "before:previous={text}"],
        progress=told.append,
    )
    counted = [step for step in told if step.n_total]
    done = [step.n_done for step in counted]
    assert {step.n_total for step in counted} == {120}
    assert done == sorted(done)
    assert (done[0] < 120, done[-1]) == (True, 120)
