"""docs/sql.md: its questions are answered as plain numpy answers them, and shown in the columns they have.

The page shows the store of ``make demo``, which takes minutes to make. The questions are asked of a store of
the same corpus and the same runs, whose vectors are made: a lemma, a sense that grows with the layer, noise.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator, Sequence
from itertools import combinations
from typing import Any

import numpy as np
import pytest
from conftest import POLYSEMY
from sql_page import PAGE, questions
from synthetic import SyntheticRun, build_store

import repstore
from repstore import corpus
from repstore.spec import Word
from repstore.sql_functions import FUNCTIONS
from repstore.store import Store

CORPUS = corpus.read(f"senses:{POLYSEMY}")
TEXTS = list(CORPUS.texts())
WORDS: list[Word] = [word for text in TEXTS for word in text.words]
PAIRS = [(pair.word_a, pair.word_b, bool(pair.label)) for pair in CORPUS.pairs()]
N_LAYERS, D_MODEL = 31, 8
QUESTIONS = questions()
Row = tuple[Any, ...]


def planted(seed: int) -> np.ndarray:
    """Vectors of a run. *Shape:* (n_layers, n_words, d_model), float16."""
    random = np.random.default_rng(seed)
    kinds = [sorted({word.lemma for word in WORDS}), sorted({word.sense for word in WORDS})]
    lemmas, senses = (random.normal(size=(len(kind), D_MODEL)) for kind in kinds)
    of_lemma = lemmas[[kinds[0].index(word.lemma) for word in WORDS]]
    of_sense = senses[[kinds[1].index(word.sense) for word in WORDS]]
    layers = [
        of_lemma + layer / 20 * of_sense + random.normal(size=of_sense.shape) for layer in range(N_LAYERS)
    ]
    return np.array(layers).astype(np.float16)


RUNS = {"base": planted(0), "repeat": planted(1)}
EXACT = {run: layers.astype(np.float64) for run, layers in RUNS.items()}


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Iterator[Store]:
    runs = [SyntheticRun(f"smollm2/{run}", list(layers)) for run, layers in RUNS.items()]
    with repstore.open(build_store(tmp_path_factory.mktemp("demo") / "store", CORPUS, runs)) as opened:
        yield opened


def cosine(a: np.ndarray, b: np.ndarray) -> float:
    return float(a @ b / np.sqrt((a @ a) * (b @ b)))


def of_pairs(run: str, layer: int) -> list[float]:
    return [cosine(EXACT[run][layer][a], EXACT[run][layer][b]) for a, b, _ in PAIRS]


def gaps(run: str, layer: int) -> dict[str, float]:
    """By lemma: mean cosine of pairs of one sense less that of others."""
    values: dict[tuple[str, bool], list[float]] = defaultdict(list)
    for value, (a, _, label) in zip(of_pairs(run, layer), PAIRS, strict=True):
        values[WORDS[a].lemma or "", label].append(value)
    lemmas = {lemma for lemma, _ in values}
    return {lemma: np.mean(values[lemma, True]) - np.mean(values[lemma, False]) for lemma in lemmas}


def nearest(layer: int, word: int) -> int:
    rows = EXACT["repeat"][layer]
    cosines = rows @ rows[word] / np.linalg.norm(rows, axis=1)
    cosines[word] = -np.inf
    return int(cosines.argmax())


def of_sense(layer: int) -> dict[tuple[str, str], list[int]]:
    """The words of each sense, by lemma and sense."""
    words: dict[tuple[str, str], list[int]] = defaultdict(list)
    for n, word in enumerate(WORDS):
        words[word.lemma or "", word.sense or ""].append(n)
    return words


def alike_by_sense() -> list[Row]:
    rows = []
    for pos in "NV":
        for layer in (0, 6, 12, 18, 24, 30):
            values = of_pairs("repeat", layer)
            same, other = (
                np.mean(
                    [v for v, (a, _, said) in zip(values, PAIRS, strict=True)
                     if said is label and WORDS[a].pos == pos]
                )
                for label in (True, False)
            )  # fmt: skip
            rows.append((pos, layer, same, other, same - other))
    return rows


def changing() -> list[Row]:
    rows = []
    for n, word in enumerate(WORDS):
        if word.lemma == "bank":
            early, late = (WORDS[nearest(layer, n)].sense for layer in (4, 20))
            if early != word.sense and late == word.sense:
                rows.append((word.sense, early, late, TEXTS[n].text))
    return rows


def nearest_alike() -> list[Row]:
    verbs = [n for n, word in enumerate(WORDS) if word.pos == "V"]
    rows = []
    for layer in (0, 10, 30):
        near = [(WORDS[n], WORDS[nearest(layer, n)]) for n in verbs]
        same = [
            [getattr(a, what) == getattr(b, what) for a, b in near] for what in ("sense", "lemma", "form")
        ]
        rows.append((layer, *(np.mean(one) for one in same)))
    return rows


def furthest_senses() -> list[Row]:
    means = {key: EXACT["repeat"][10][rows].mean(axis=0) for key, rows in of_sense(10).items()}
    pairs = [
        (*a, b[1], cosine(means[a], means[b])) for a, b in combinations(sorted(means), 2) if a[0] == b[0]
    ]
    return sorted(pairs, key=lambda row: row[3])[:5]


def least_typical() -> list[Row]:
    rows = []
    for (lemma, sense), words in sorted(of_sense(10).items()):
        if lemma == "bank":
            mean = EXACT["repeat"][10][words].mean(axis=0)
            value, word = min((cosine(EXACT["repeat"][10][n], mean), n) for n in words)
            rows.append((sense, value, TEXTS[word].text))
    return rows


def gaining() -> list[Row]:
    base, repeat = gaps("base", 10), gaps("repeat", 10)
    rows = [(lemma, base[lemma], repeat[lemma], repeat[lemma] - base[lemma]) for lemma in base]
    return sorted(rows, key=lambda row: -row[3])[:5]


def best_layers() -> list[Row]:
    by_layer = [gaps("repeat", layer) for layer in range(N_LAYERS)]
    lemmas: dict[int, list[str]] = defaultdict(list)
    for lemma in sorted(by_layer[0]):
        lemmas[int(np.argmax([of[lemma] for of in by_layer]))].append(lemma)
    return [(layer, len(of), " ".join(of)) for layer, of in sorted(lemmas.items())]


def by_form() -> list[Row]:
    rows = []
    for layer in (0, 6, 12, 18, 24, 30):
        values: dict[bool, list[float]] = {True: [], False: []}
        for value, (a, b, label) in zip(of_pairs("base", layer), PAIRS, strict=True):
            if label:
                values[WORDS[a].form == WORDS[b].form].append(value)
        rows.append((layer, np.mean(values[True]), np.mean(values[False])))
    return rows


def lengths() -> list[Row]:
    of_pos = [np.array([word.pos == pos for word in WORDS]) for pos in "NV"]
    return [
        (f"smollm2/{run}", layer, *(np.linalg.norm(layers[layer][mine], axis=1).mean() for mine in of_pos))
        for run, layers in sorted(EXACT.items())
        for layer in (0, 10, 20, 30)
    ]


def moves() -> list[Row]:
    rows = []
    for layer in (1, 2, 10, 20, 29, 30):
        now, before = EXACT["repeat"][layer], EXACT["repeat"][layer - 1]
        values = [cosine(a, b) for a, b in zip(now, before, strict=True)]
        rows.append((layer, np.mean(values), min(values)))
    return rows


ORACLES = (
    alike_by_sense,
    changing,
    nearest_alike,
    furthest_senses,
    least_typical,
    gaining,
    best_layers,
    by_form,
    lengths,
    moves,
)


def test_there_are_ten_questions():
    assert len(QUESTIONS) == len({question.query for question in QUESTIONS}) == len(ORACLES) == 10


@pytest.mark.parametrize("number", range(10), ids=lambda n: ORACLES[n].__name__)
def test_a_question_is_answered_as_numpy_answers_it_in_the_columns_that_the_page_shows(store, number):
    question, oracle = QUESTIONS[number], ORACLES[number]
    answer = store.sql(question.query)
    header, *shown = question.shown.splitlines()
    assert header.split() == answer.columns
    assert shown
    assert all(map(str.strip, shown))
    found = [tuple(row.values()) for row in answer]
    expected: Sequence[Row] = oracle()
    assert expected
    assert len(found) == len(expected)
    for row, of_numpy in zip(found, expected, strict=True):
        near = [one if isinstance(one, str) else pytest.approx(one, abs=2e-4) for one in of_numpy]
        assert list(row) == near


def test_the_query_in_the_text_of_the_page_runs(store):
    (query,) = re.findall(r"```sql\n(SELECT w\.form, n\.form AS neighbor.*?)```", PAGE.read_text(), re.DOTALL)
    assert len(store.sql(query)) == 4


def test_the_page_describes_every_function_as_the_shell_does():
    page = PAGE.read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+\(.*?\))` \| (.*) \|$", page, re.MULTILINE)
    assert rows == [(function.signature, function.what) for function in FUNCTIONS]


def test_the_page_lists_every_table_with_its_columns(store):
    page = PAGE.read_text(encoding="utf-8")
    described = dict(re.findall(r"^\| `(\w+)` \| [^|]* \| ([\w, ]+) \|$", page, re.MULTILINE))
    columns: dict[str, list[str]] = defaultdict(list)
    for row in store.tables():
        columns[row["table"]].append(row["column"])
    assert described == {table: ", ".join(names) for table, names in columns.items()}
