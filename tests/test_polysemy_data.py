"""The corpus in data/: what it promises, read line by line without the project's reader."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path

import pytest

from repstore.corpus import read
from repstore.storage.corpora import identify

DATA = Path(__file__).parents[1] / "data"
POLYSEMY = DATA / "polysemy.jsonl"
IRREGULAR = {
    "break": {"broke", "broken"},
    "catch": {"caught"},
    "draw": {"drew", "drawn"},
    "mouse": {"mice"},
    "run": {"ran"},
}
IDENTIFY = f"""
from repstore.corpus import read
from repstore.storage.corpora import identify
print(identify(read({f"senses:{POLYSEMY}"!r})).corpus_id)
"""


@pytest.fixture(scope="module")
def records() -> list[dict]:
    return [json.loads(line) for line in POLYSEMY.read_text(encoding="utf-8").splitlines()]


@pytest.fixture(scope="module")
def of_sense(records) -> dict[str, list[dict]]:
    found = defaultdict(list)
    for record in records:
        found[record["sense"]].append(record)
    return found


def inflections(lemma: str) -> set[str]:
    stem, last = lemma[:-1], lemma[-1]
    found = {lemma + ending for ending in ("", "s", "es", "ed", "ing", last + "ed", last + "ing")}
    if last == "e":
        found |= {lemma + "d", stem + "ing"}
    if last == "y":
        found |= {stem + "ies", stem + "ied"}
    return found | IRREGULAR.get(lemma, set())


def words(text: str) -> list[str]:
    return re.findall(r"\w+(?:['\u2019-]\w+)*", text.lower())


def test_there_are_enough_lemmas_senses_and_sentences(records, of_sense):
    senses_of = defaultdict(set)
    for record in records:
        senses_of[record["lemma"], record["pos"]].add(record["sense"])
    assert len(senses_of) >= 40
    assert all(2 <= len(senses) <= 4 for senses in senses_of.values())
    assert {pos for _, pos in senses_of} == {"N", "V"}
    assert min(Counter(pos for _, pos in senses_of).values()) >= 10
    assert min(map(len, of_sense.values())) >= 8


def test_a_sense_has_one_lemma_and_one_gloss_in_one_line(of_sense):
    for sense, uses in of_sense.items():
        assert len({(use["lemma"], use["pos"], use["gloss"]) for use in uses}) == 1, sense
        assert uses[0]["gloss"].strip(), sense
        assert "\n" not in uses[0]["gloss"], sense
    assert len({uses[0]["gloss"] for uses in of_sense.values()}) == len(of_sense)


def test_spans_hold_an_inflection_of_the_lemma_as_a_whole_word(records):
    for record in records:
        text, start, end = record["text"], record["start"], record["end"]
        assert text[start:end].lower() in inflections(record["lemma"]), text
        assert re.fullmatch(r"\w+", text[start:end]), text
        assert not re.search(r"\w$", text[:start]), text
        assert not re.match(r"\w", text[end:]), text


def test_sentences_are_6_to_30_words_long_and_of_varied_length(records, of_sense):
    assert all(6 <= len(record["text"].split()) <= 30 for record in records)
    for sense, uses in of_sense.items():
        lengths = [len(use["text"].split()) for use in uses]
        assert len(set(lengths)) >= 4, sense
        assert max(lengths) - min(lengths) >= 5, sense


def test_no_sentence_is_there_twice(records):
    seen = Counter(" ".join(words(record["text"])) for record in records)
    assert [text for text, n in seen.items() if n > 1] == []


def test_no_two_sentences_of_a_sense_share_five_words_in_a_row(of_sense):
    for uses in of_sense.values():
        seen: dict[tuple[str, ...], str] = {}
        for use in uses:
            found = words(use["text"])
            for gram in {tuple(found[n : n + 5]) for n in range(len(found) - 4)}:
                assert gram not in seen, f"{use['text']} / {seen[gram]}"
                seen[gram] = use["text"]


def test_sentences_are_clean(records):
    for record in records:
        text = record["text"]
        assert text == " ".join(text.split()), text
        assert text[-1] in ".?!\"'\u2019\u201d", text
        assert text.count('"') % 2 == 0, text


def test_the_reader_finds_what_is_in_the_file(records):
    corpus = read(f"senses:{POLYSEMY}")
    found = [
        {
            "text": text.text,
            "start": word.char_start,
            "end": word.char_end,
            "lemma": word.lemma,
            "pos": word.pos,
            "sense": word.sense,
            "gloss": word.gloss,
        }
        for text in corpus.texts()
        for word in text.words
    ]
    assert found == records


def test_derived_pairs_are_balanced_and_split_by_lemma(records):
    corpus = read(f"senses:{POLYSEMY}")
    lemmas = defaultdict(set)
    labels = defaultdict(Counter)
    for pair in corpus.pairs():
        a, b = records[pair.word_a], records[pair.word_b]
        assert a["lemma"] == b["lemma"]
        assert pair.label == (a["sense"] == b["sense"])
        lemmas[pair.split].add(a["lemma"])
        labels[a["lemma"]][pair.label] += 1
    assert set(lemmas) == {"dev", "test"}
    assert not lemmas["dev"] & lemmas["test"]
    assert lemmas["dev"] | lemmas["test"] == {record["lemma"] for record in records}
    assert abs(len(lemmas["dev"]) - len(lemmas["test"])) <= 1
    assert all(counts[True] == counts[False] >= 8 for counts in labels.values())


@pytest.mark.parametrize("hash_seed", ["1", "2"])
def test_pairs_do_not_depend_on_the_process(hash_seed):
    """The id is a digest of texts, words and pairs."""
    run = subprocess.run(
        [sys.executable, "-c", IDENTIFY],
        env=os.environ | {"PYTHONHASHSEED": hash_seed},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == identify(read(f"senses:{POLYSEMY}")).corpus_id


def test_the_corpus_is_released_under_cc0():
    assert "CC0 1.0" in (DATA / "LICENSE").read_text(encoding="utf-8")
