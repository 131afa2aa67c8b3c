"""The ridge probe: which words a table speaks of, which are kept apart, and what the answer holds."""

from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from scipy.stats import t
from synthetic import SyntheticRun, build_store, corpus_of

from repstore import ridge_probe
from repstore.analysis.bootstrap import Resampling
from repstore.analysis.inputs import WordInputs
from repstore.analysis.regression import joined, predict
from repstore.analysis.targets import Targets, control_targets
from repstore.errors import ArgumentError, CorpusError, NotFoundError, QueryError, ResultError
from repstore.matrix_in_use import RidgeProbe
from repstore.ridge_probe import probe_ridge
from repstore.spec import Text, Word
from repstore.storage.layout import Layout
from repstore.storage.lookup import looking_up

N_LEMMAS, USES = 24, 8  # of each lemma two forms and two senses, four uses each
N_WORDS = N_LEMMAS * USES
LEMMA = np.arange(N_WORDS) // USES
FORMS = [f"l{n // USES:02}" + ("s" if n % 2 else "") for n in range(N_WORDS)]
SENSES = [f"l{n // USES:02}.{n % 4 // 2}" for n in range(N_WORDS)]
RANDOM = np.random.default_rng(0)
NORMS = {sense: RANDOM.normal(size=3) for sense in sorted(set(SENSES))}
OF_WORDS = np.array([NORMS[sense] for sense in SENSES])
MAP = RANDOM.normal(size=(3, 10))
LAYERS = [
    RANDOM.normal(size=(N_WORDS, 10)).astype(np.float32),
    (OF_WORDS @ MAP + 0.3 * RANDOM.normal(size=(N_WORDS, 10))).astype(np.float32),
    (OF_WORDS @ MAP + 3 * RANDOM.normal(size=(N_WORDS, 10))).astype(np.float32),
]
SKIPPED = frozenset({5, 100})
FAST = {"n_seeds": 2, "resamples": 200}


@pytest.fixture(scope="module")
def store(tmp_path_factory) -> Path:
    """One word to a text in "single"; two of each, from other lemmas, in "double"."""
    words = [
        Word(0, 0, len(form), form, form[:3], "N" if n % 4 else "V", SENSES[n])
        for n, form in enumerate(FORMS)
    ]
    single = corpus_of([Text(f"{w.form} {n}", (w,)) for n, w in enumerate(words)], name="single")
    runs = [SyntheticRun("m/a", LAYERS, 70, SKIPPED), SyntheticRun("m/b", LAYERS[1:])]
    root = build_store(tmp_path_factory.mktemp("ridge") / "store", single, runs)
    texts = []
    for n in range(N_WORDS // 2):
        first, second = words[n], words[n + N_WORDS // 2]
        at = len(first.form) + 1
        moved = Word(1, at, at + len(second.form), second.form, second.lemma, "N", second.sense)
        texts.append(Text(f"{first.form} {second.form} {n}", (first, moved)))
    order = [m for n in range(N_WORDS // 2) for m in (n, n + N_WORDS // 2)]
    double = SyntheticRun("m/double", [LAYERS[0][order], LAYERS[1][order]])
    return build_store(root, corpus_of(texts, name="double"), [double])


@contextmanager
def looked_up(root: Path, *names: str):
    with looking_up(Layout(root)) as lookup:
        yield lookup, lookup.several(list(names))


def asked(store: Path, path: Path, *names: str, layers="all", **options):
    with looked_up(store, *(names or ("m/a",))) as (lookup, runs):
        return probe_ridge(lookup, runs, layers, RidgeProbe(path, **(FAST | options)))


def table(folder: Path, key: str, rows: dict, name: str = "norms.csv") -> Path:
    path = folder / name
    lines = ["\t".join([str(name), *(repr(float(v)) for v in values)]) for name, values in rows.items()]
    path.write_text("\n".join([f"{key}\ta\tb\tc", *lines]) + "\n")
    return path


@pytest.fixture
def by_sense(tmp_path) -> Path:
    return table(tmp_path, "sense", NORMS)


def kept() -> np.ndarray:
    return np.array([n for n in range(N_WORDS) if n not in SKIPPED])


def test_a_layer_from_which_the_table_is_a_linear_map_predicts_it_and_a_random_one_does_not(store, by_sense):
    found = asked(store, by_sense)
    assert found["r_squared"][1] > 0.9
    assert 0.1 < found["r_squared"][2] < 0.7
    assert found["low"][0] < 0 < 0.05 > found["r_squared"][0]
    assert found["best"] == [None, "best", None]
    assert found["r"][1] > 0.95
    assert all(abs(value) < 0.2 for value in found["control"])
    assert found["layer_0"] == [found["r_squared"][0]] * 3
    for row in found:
        assert row["low"] < row["r_squared"] < row["high"]
        assert row["selectivity"] == row["r_squared"] - row["control"]


def test_scores_are_ratios_of_sums_over_draws_and_intervals_are_over_groups_and_draws(store, by_sense):
    found = asked(store, by_sense, layers=2, n_seeds=3, seed=4)
    rows = kept()
    groups, keys = LEMMA[rows], np.unique(np.array(SENSES)[rows], return_inverse=True)[1]
    targets = Targets(np.array(list(NORMS.values())), keys)
    with looked_up(store, "m/a") as (_, runs):
        inputs = WordInputs(runs[0].vectors.layer(2), np.arange(len(rows)))
        draws = [predict(inputs, [targets, control_targets(targets, s)], groups, seed=s) for s in (4, 5, 6)]
    explained = sum(np.bincount(groups, draw[0].explained) for draw in draws)
    total = sum(np.bincount(groups, draw[0].total) for draw in draws)
    row = next(iter(found))
    assert row["r_squared"] == pytest.approx(explained.sum() / total.sum(), abs=1e-9)
    counts = np.concatenate(list(Resampling(200, 4).counts(N_LEMMAS)), axis=1).astype(float)
    ends = np.quantile((explained @ counts) / (total @ counts), [0.025, 0.975])
    assert [row["low"], row["high"]] == pytest.approx(ends, abs=1e-5)
    of_draws = np.array([draw[0].pooled for draw in draws])
    ends = t.interval(0.95, 2, of_draws.mean(), of_draws.std(ddof=1) / np.sqrt(3))
    assert [row["seeds_low"], row["seeds_high"]] == pytest.approx(ends, abs=1e-9)
    of_controls = [sum(getattr(draw[1], name).sum() for draw in draws) for name in ("explained", "total")]
    assert row["control"] == pytest.approx(of_controls[0] / of_controls[1], abs=1e-9)
    assert row["r"] == pytest.approx(np.mean([draw[0].r.mean() for draw in draws]), abs=1e-9)
    single = next(iter(asked(store, by_sense, layers=2, n_seeds=1, resamples=0)))
    assert [single[name] for name in ("seeds_low", "seeds_high", "low", "high")] == [None] * 4


def test_words_of_a_lemma_and_words_of_a_key_are_in_one_group(store, tmp_path, monkeypatch):
    seen = []
    monkeypatch.setattr(
        ridge_probe, "predict", lambda inputs, *of, **how: seen.append(of[1]) or predict(inputs, *of, **how)
    )
    path = table(tmp_path, "form", {form: RANDOM.normal(size=3) for form in dict.fromkeys(FORMS)})
    rows = kept()
    for split_by, names in (
        ("lemma", LEMMA[rows]),
        (None, np.array(FORMS)[rows]),
        ("text", np.array(FORMS)[rows]),
    ):
        asked(store, path, layers=0, n_seeds=1, split_by=split_by)
        groups = seen.pop()
        pairs = set(zip(groups.tolist(), names.tolist(), strict=True))
        assert len(pairs) == len(set(groups.tolist())) == len(set(names.tolist()))


def test_what_is_the_same_for_a_lemma_is_learned_by_heart_unless_lemmas_are_kept_apart(tmp_path):
    random = np.random.default_rng(1)
    layer = random.normal(size=(N_LEMMAS, 10))[LEMMA] + 0.05 * random.normal(size=(N_WORDS, 10))
    texts = [Text(f"{form} {n}", (Word(0, 0, len(form), form, form[:3]),)) for n, form in enumerate(FORMS)]
    root = build_store(tmp_path / "s", corpus_of(texts), [SyntheticRun("m", [layer.astype(np.float32)])])
    with looked_up(root, "m") as (_, runs):
        ids = runs[0].vectors.word_ids.tolist()
    of_lemmas = random.normal(size=(N_LEMMAS, 3))
    path = table(tmp_path, "word_id", {ids[n]: of_lemmas[LEMMA[n]] for n in range(N_WORDS)})
    apart, together = (asked(root, path, "m", split_by=split)["r_squared"][0] for split in ("lemma", None))
    assert together > 0.3
    assert apart < 0.1


def test_a_word_is_known_by_any_key(store, tmp_path, by_sense):
    usual = asked(store, by_sense)
    with looked_up(store, "m/b") as (lookup, runs):
        ids = runs[0].vectors.word_ids.tolist()
        texts = lookup.words(corpus_id=runs[0].info.spec.corpus_id)["text"].to_pylist()
    by_id = asked(store, table(tmp_path, "word_id", dict(zip(ids, OF_WORDS, strict=True)), "ids.csv"))
    assert by_id["r_squared"] == pytest.approx(usual["r_squared"], abs=1e-9)
    assert (by_id["n_keys"][0], usual["n_keys"][0]) == (N_WORDS - 2, 2 * N_LEMMAS)
    assert (by_id["n_missing"][0], usual["n_missing"][0]) == (2, 0)
    by_text = asked(store, table(tmp_path, "text", dict(zip(texts, OF_WORDS, strict=True)), "texts.csv"))
    assert by_text["n_words"][0] == N_WORDS - 2
    assert by_text["r_squared"][1] > 0.9
    of_lemma = {f"l{n:02}": OF_WORDS[USES * n] for n in range(N_LEMMAS)}
    by_lemma = asked(store, table(tmp_path, "lemma", of_lemma, "lemmas.csv"))
    assert by_lemma["n_keys"][0] == N_LEMMAS


def test_an_example_of_a_table_of_texts_is_the_mean_of_its_words(store, tmp_path):
    n = N_WORDS // 2
    means = (LAYERS[1][:n].astype(float) + LAYERS[1][n:]) / 2
    of_texts = means[:, :3] * [1, 10, 100]
    with looked_up(store, "m/double") as (lookup, runs):
        words = lookup.words(corpus_id=runs[0].info.spec.corpus_id).to_pylist()
    texts = list(dict.fromkeys(word["text"] for word in words))
    path = table(tmp_path, "text", dict(zip(texts, of_texts, strict=True)))
    found = asked(store, path, "m/double")
    assert found["r_squared"][1] == pytest.approx(1, abs=1e-4)
    assert found["r_squared"][0] < 0.1
    assert (found["n_words"][0], found["n_keys"][0]) == (2 * n, n)
    fewer = asked(store, path, "m/double", sample=40, layers=1)
    assert (fewer["n_words"][0], fewer["n_keys"][0]) == (80, 40)
    halves = asked(store, path, "m/double", where="position = 0", layers=1)
    assert halves["n_words"] == [n]
    assert halves["r_squared"][0] < 0.9


def test_runs_are_scored_over_the_words_of_all_of_them(store, by_sense):
    both = asked(store, by_sense, "m/a", "m/b")
    assert both["n_words"] == [N_WORDS - 2] * 5
    assert both["r_squared"][1:3] == pytest.approx(both["r_squared"][3:], abs=1e-9)  # the same layers
    assert both["layer_0"] == [both["r_squared"][0]] * 3 + [both["r_squared"][3]] * 2
    alone = asked(store, by_sense, "m/a", layers=[2])
    assert alone["r_squared"][0] == both["r_squared"][2]
    assert alone["layer_0"][0] == both["layer_0"][0]
    several = asked(store, by_sense, "m/a", "m/double")
    assert several["r_squared"][:3] == asked(store, by_sense, "m/a")["r_squared"]


def test_the_same_seed_gives_the_same_bytes_and_another_does_not(store, by_sense):
    csv = [asked(store, by_sense, seed=seed).to_csv() for seed in (3, 3, 4)]
    assert csv[0] == csv[1] != csv[2]


def test_a_condition_and_a_sample_say_over_which_words(store, by_sense):
    verbs = asked(store, by_sense, where="pos = 'V'")
    assert verbs["n_words"][0] == sum(n % 4 == 0 and n not in SKIPPED for n in range(N_WORDS))
    assert verbs["n_missing"][0] == N_LEMMAS  # the other sense of each lemma is of nouns
    assert asked(store, by_sense, sample=60)["n_words"][0] == 60
    assert "where pos = 'V'" in verbs.title


def test_notes_say_what_is_left_out_and_kept_apart(store, tmp_path):
    rows = {sense: [*values[:2], 1.5] for sense, values in NORMS.items() if not sense.startswith("l00")}
    path = table(tmp_path, "sense", rows | {"other": [1, 2, 3], "l00.0": [1, float("nan"), 2]})
    found = asked(store, path)
    notes = "\n".join(found.notes)
    for said in (
        "1 rows of norms.csv are left out: they lack a number.",
        "1 of the 47 complete rows of norms.csv have no word with a vector in single",
        "7 words of single are left out: norms.csv has no row for them.",
        "The 183 examples of single are in 23 groups: those that have one sense or lemma are together",
        "1 targets are the same for all examples and do not count: c.",
    ):
        assert said in notes
    assert found["n_targets"][0] == 3
    assert found["r_squared"][1] > 0.9


def test_the_answer_is_drawn_and_says_what_it_came_from(store, by_sense, tmp_path):
    found = asked(store, by_sense)
    found.plot(tmp_path / "a.png")
    assert found.provenance["columns"] == ["a", "b", "c"]
    assert (found.provenance["key"], found.provenance["split_by"]) == ("sense", "lemma")
    found.to_parquet(tmp_path / "a.parquet")


def test_what_cannot_be_asked_is_refused(store, by_sense, tmp_path):
    for options in (
        {"split_by": "word"},
        {"n_seeds": 0},
        {"seed": -1},
        {"sample": 9},
        {"resamples": -1},
        {"memory": 0},
    ):
        with pytest.raises(ArgumentError):
            asked(store, by_sense, **options)
    with pytest.raises(NotFoundError, match="has no layer 3"):
        asked(store, by_sense, layers=3)
    with pytest.raises(QueryError):
        asked(store, by_sense, where="nonsense")
    with pytest.raises(CorpusError):
        asked(store, tmp_path / "none.csv")
    with pytest.raises(ResultError, match="MiB of memory"):
        asked(store, by_sense, memory=1 << 20)
    unknown = table(tmp_path, "form", {"xyz": [1, 2, 3]}, "unknown.csv")
    with pytest.raises(
        ResultError, match=r"No word with a vector in m/a has a form of .*unknown.csv, such as xyz"
    ):
        asked(store, unknown)
    with pytest.raises(ResultError, match="in at least 10 groups that are kept apart; there are 5"):
        asked(store, by_sense, where="lemma < 'l05'")


def test_examples_with_any_number_in_common_have_one_number():
    keys, lemmas = np.array([0, 0, 1, 2, 3, 4]), np.array([5, 6, 6, 7, 8, 7])
    groups = joined(keys, lemmas)
    assert groups[0] == groups[1] == groups[2]
    assert groups[3] == groups[5]
    assert len(set(groups.tolist())) == 3
