"""The ratings in data/: what data/README.md promises of them, read without the project's reader."""

from __future__ import annotations

import csv
import json
from pathlib import Path

import numpy as np
import pytest

from repstore.corpus.matrices import read_matrix

DATA = Path(__file__).parents[1] / "data"
NORMS = DATA / "norms.csv"


@pytest.fixture(scope="module")
def rows() -> list[dict[str, str]]:
    with NORMS.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_sense_of_the_corpus_is_rated_once_in_its_order(rows):
    lines = (DATA / "polysemy.jsonl").read_text(encoding="utf-8").splitlines()
    assert [row["sense"] for row in rows] == list(dict.fromkeys(json.loads(line)["sense"] for line in lines))


@pytest.mark.parametrize("column", ["concreteness", "valence"])
def test_ratings_are_halves_from_1_to_5(rows, column):
    assert {row[column] for row in rows} <= {"1", "1.5", "2", "2.5", "3", "3.5", "4", "4.5", "5"}


def test_the_readme_gives_the_ratings_that_it_names_as_examples(rows):
    of = {row["sense"]: (float(row["concreteness"]), float(row["valence"])) for row in rows}
    concreteness = {"club.N.golf": 5, "bark.N.dog": 4, "file.V.walk": 4, "board.N.committee": 3}
    concreteness |= {"break.V.violate": 2, "scale.N.extent": 1.5}
    assert {sense: of[sense][0] for sense in concreteness} == concreteness
    assert of["sentence.N.punishment"][1] == 1
    share = np.mean([2.5 <= valence <= 3.5 for _, valence in of.values()])
    assert share == pytest.approx(0.75, abs=0.01)


def test_ratings_are_read_as_a_table_of_numbers_by_sense(rows):
    matrix = read_matrix(NORMS)
    assert (matrix.key, matrix.columns, matrix.n_incomplete) == ("sense", ("concreteness", "valence"), 0)
    assert matrix.values.tolist() == [[float(row["concreteness"]), float(row["valence"])] for row in rows]
