"""The semantic classes in data/: what data/README.md promises of them, read without the project's reader."""

from __future__ import annotations

import csv
import json
import re
from collections import defaultdict
from pathlib import Path

import pytest

from repstore.corpus.labels import read_labels

DATA = Path(__file__).parents[1] / "data"
CLASSES = DATA / "classes.csv"


@pytest.fixture(scope="module")
def rows() -> list[tuple[str, str]]:
    with CLASSES.open(encoding="utf-8", newline="") as file:
        return [(row["sense"], row["label"]) for row in csv.DictReader(file)]


@pytest.fixture(scope="module")
def lemma_of() -> dict[str, str]:
    lines = (DATA / "polysemy.jsonl").read_text(encoding="utf-8").splitlines()
    return {record["sense"]: record["lemma"] for record in map(json.loads, lines)}


def test_every_sense_of_the_corpus_has_a_class_and_no_other_sense_does(rows, lemma_of):
    assert {sense for sense, _ in rows} == set(lemma_of)


def test_senses_stand_in_the_order_of_the_corpus_and_no_row_is_there_twice(rows, lemma_of):
    assert list(dict.fromkeys(sense for sense, _ in rows)) == list(lemma_of)
    assert len(set(rows)) == len(rows)


def test_every_class_has_senses_of_four_lemmas(rows, lemma_of):
    lemmas = defaultdict(set)
    for sense, label in rows:
        lemmas[label].add(lemma_of[sense])
    assert {label: len(of) for label, of in lemmas.items() if len(of) < 4} == {}


def test_most_senses_of_a_lemma_differ_in_class(rows, lemma_of):
    """Else a probe of classes could do as well by lemma alone."""
    classes = defaultdict(set)
    for sense, label in rows:
        classes[sense].add(label)
    senses = defaultdict(list)
    for sense, lemma in lemma_of.items():
        senses[lemma].append(sense)
    distinct = [len({frozenset(classes[one]) for one in of}) == len(of) for of in senses.values()]
    assert sum(distinct) > len(distinct) / 2


def test_the_readme_explains_every_class_and_counts_right(rows):
    readme = (DATA / "README.md").read_text(encoding="utf-8")
    labels = {label for _, label in rows}
    assert set(re.findall(r"^\| `(\w+)` \|", readme, re.MULTILINE)) == labels
    senses = [sense for sense, _ in rows]
    assert f"{len(labels)} classes" in readme
    assert f"{sum(senses.count(sense) > 1 for sense in set(senses))} senses do" in readme
    assert sum(label == "artifact" for _, label in rows) == 25
    assert sum(label == "animal" for _, label in rows) == 4


def test_the_reader_of_labels_finds_what_is_in_the_file(rows):
    expected = defaultdict(list)
    for sense, label in rows:
        expected[sense].append(label)
    table = read_labels(CLASSES)
    assert table.key == "sense"
    assert table.labels == {sense: tuple(sorted(of)) for sense, of in expected.items()}
