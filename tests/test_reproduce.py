"""``repstore.reproduce`` on tiny models: what is ingested and written, and that its numbers are probes'."""

import csv
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from program import repstore as command

import repstore
from repstore.errors import ArgumentError, CorpusError, NotFoundError, StoreError
from repstore.reproduction import write_report
from repstore.studies.study import Study

TEMPLATES = ("base", "repeat", "repeat_prev", "prompt1", "prompt2")
NOUNS = ("bank", "bark", "palm", "spring")
PLACES = ("near the river", "in the city", "by the old tree", "on my left hand", "under the bridge")


def wic_folder(folder: Path) -> Path:
    """Made-up pairs in the official layout: 40 for dev, 35 for test, and a train split that is not needed."""
    random = np.random.default_rng(0)
    for split, n_pairs in (("train", 8), ("dev", 40), ("test", 35)):
        (folder / split).mkdir(parents=True)
        rows, labels = [], []
        for n in range(n_pairs):
            word = NOUNS[n % 4]
            first, second = random.choice(PLACES, 2, replace=False)
            if n % 3:
                rows.append(f"{word}\tN\t2-0\tWe saw {word} {first} .\t{word} {second} is {split} {n} .")
            else:
                rows.append(f"run\tV\t1-1\tThey run {first} .\tChildren run {second} {split} {n} .")
            labels.append("TF"[n % 2])
        (folder / split / f"{split}.data.txt").write_text("\n".join(rows) + "\n")
        (folder / split / f"{split}.gold.txt").write_text("\n".join(labels) + "\n")
    return folder


@pytest.fixture(scope="module")
def wic(tmp_path_factory) -> Path:
    return wic_folder(tmp_path_factory.mktemp("corpora") / "wic")


@pytest.fixture(scope="module")
def reproduced(wic, tiny_model, tmp_path_factory):
    """The study with a tiny decoder and a tiny encoder; the store, the folder of the report and the study."""
    root = tmp_path_factory.mktemp("study")
    done = repstore.reproduce(
        "fantastic-semantics",
        root / "store",
        model=str(tiny_model("llama")),
        contrast=str(tiny_model("bert")),
        wic=wic,
        out=root / "report",
        prompt_quirk=True,
        resamples=200,
    )
    return root / "store", root / "report", done


def rows_of(report: Path) -> list[dict[str, str]]:
    with (report / "scores.csv").open(newline="") as file:
        return list(csv.DictReader(file))


def test_the_runs_are_over_dev_and_test_only(reproduced):
    store, _, _ = reproduced
    with repstore.open(store) as opened:
        names = {f"{family}/{template}" for family, template in [("llama", t) for t in TEMPLATES]}
        names |= {"bert/base", "llama/prompt1_colon", "llama/prompt2_colon"}
        assert set(opened.runs()["run"]) == names
        assert opened.corpora()["name"] == ["wic-dev-test"]
        assert opened.corpora()["n_pairs"] == [75]
        assert set(opened.sql("SELECT DISTINCT split FROM texts")["split"]) == {"dev", "test"}


@pytest.mark.parametrize("template", TEMPLATES)
@pytest.mark.parametrize(
    ("standardize", "threshold"), [("corpus", "exact"), ("batch30", "grid"), ("none", "grid")]
)
@pytest.mark.parametrize(("pos", "tag"), [("all", None), ("noun", "N"), ("verb", "V")])
def test_every_score_is_that_of_a_probe(reproduced, template, standardize, threshold, pos, tag):
    store, report, _ = reproduced
    with repstore.open(store) as opened:
        probed = opened.probe(
            "wic",
            run=f"llama/{template}",
            standardize=standardize,
            threshold=threshold,
            pos=tag,
            resamples=200,
        )
    wanted = {"role": "model", "template": template, "standardize": standardize, "pos": pos}
    rows = [row for row in rows_of(report) if wanted.items() <= row.items()]
    assert len(rows) == len(probed) == 4
    for row, expected in zip(rows, probed, strict=True):
        columns = ("threshold", "selection", "auc", "spearman", "low", "high")
        pairs = [(row["score"], expected["accuracy"]), *((row[c], expected[c]) for c in columns)]
        for found, value in pairs:
            assert (found == "") if value is None else float(found) == pytest.approx(value, abs=1e-6)
        assert row["best"] == (expected["best"] or "")


def test_the_quirk_takes_first_words_from_the_plain_prompt_and_second_ones_from_that_with_a_colon(reproduced):
    store, report, _ = reproduced
    with repstore.open(store) as opened:
        probed = opened.probe(
            "wic",
            run="llama/prompt1",
            run_b="llama/prompt1_colon",
            standardize="batch30",
            threshold="grid",
            resamples=0,
        )
    rows = [
        row
        for row in rows_of(report)
        if row["template"] == "prompt1_colon" and row["standardize"] == "batch30" and row["pos"] == "all"
    ]
    assert [float(row["score"]) for row in rows] == pytest.approx(probed["accuracy"], abs=1e-6)


def test_a_second_call_ingests_nothing_needs_no_torch_and_writes_the_same_bytes(
    reproduced, wic, tiny_model, tmp_path
):
    store, report, _ = reproduced
    before = {path: path.stat().st_mtime_ns for path in store.rglob("*")}
    program = (
        "import sys; sys.modules['torch'] = sys.modules['transformers'] = None\n"
        "import repstore\n"
        "repstore.reproduce('fantastic-semantics', sys.argv[1], model=sys.argv[2], contrast=sys.argv[3],"
        " wic=sys.argv[4], out=sys.argv[5], prompt_quirk=True, resamples=200)"
    )
    models = [str(tiny_model(family)) for family in ("llama", "bert")]
    arguments = [str(store), *models, str(wic), str(tmp_path / "again")]
    done = subprocess.run([sys.executable, "-c", program, *arguments], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert {path: path.stat().st_mtime_ns for path in store.rglob("*")} == before
    files = sorted(path.name for path in report.iterdir())
    assert files == sorted(path.name for path in (tmp_path / "again").iterdir())
    for name in files:
        assert (tmp_path / "again" / name).read_bytes() == (report / name).read_bytes()


def test_a_store_that_has_the_whole_corpus_is_not_given_its_splits_again(wic, tiny_model, tmp_path):
    model = str(tiny_model("llama"))
    repstore.ingest(f"wic:{wic}", tmp_path / "store", model=model, templates=["base", "repeat"])
    done = repstore.reproduce(
        "fantastic-semantics", tmp_path / "store", model=model, wic=wic, out=tmp_path / "out", resamples=20
    )
    with repstore.open(tmp_path / "store") as opened:
        assert opened.corpora()["name"] == ["wic"]
        assert len(opened.runs()) == 5
    n_nouns = sum(n % 3 > 0 for n_pairs in (40, 35) for n in range(n_pairs))
    assert done.study.about["n_first_words"] == n_nouns  # not those of train
    assert done.study.about["contrast"] is None
    assert not (tmp_path / "out" / "contrast.png").exists()


def test_other_weights_under_the_same_name_are_not_taken_for_the_same_model(wic, tiny_model, tmp_path):
    from tiny import save

    def ask() -> list[str]:
        made = repstore.reproduce(
            "fantastic-semantics",
            tmp_path / "store",
            model=str(tmp_path / "model"),
            wic=wic,
            out=tmp_path / "out",
            resamples=20,
        )
        return [made.study.about["model"]["weights_sha256"], made.study.about["model"]["dtype"]]

    save("llama", tmp_path / "model", seed=1)
    before = ask()
    save("llama", tmp_path / "model", seed=2)
    with pytest.raises(StoreError, match="made with other weights"):
        ask()  # its runs would have the names of the others
    assert before[1] == "float32"


def test_all_runs_of_a_model_are_of_one_dtype(wic, tiny_model, tmp_path):
    model = str(tiny_model("llama"))
    repstore.ingest(f"wic:{wic}", tmp_path / "store", model=model, splits=["dev", "test"], dtype="bfloat16")
    done = repstore.reproduce(
        "fantastic-semantics", tmp_path / "store", model=model, wic=wic, out=tmp_path / "out", resamples=20
    )
    assert done.study.about["model"]["dtype"] == "bfloat16"
    with repstore.open(tmp_path / "store") as opened:
        assert set(opened.runs()["dtype"]) == {"bfloat16"}


def test_the_report_can_be_drawn_again_from_its_numbers(reproduced, tmp_path):
    _, report, done = reproduced
    assert Study.load(report) == done.study
    write_report(Study.load(report), tmp_path)
    for path in report.iterdir():
        assert (tmp_path / path.name).read_bytes() == path.read_bytes()


def test_the_html_holds_the_figures_and_refers_to_nothing_outside(reproduced):
    _, report, _ = reproduced
    html = (report / "report.html").read_text()
    sources = re.findall(r'(?:src|href)="([^"]{0,40})', html)
    figures = sorted(path.name for path in report.glob("*.png"))
    assert figures == ["contrast.png", "parts_of_speech.png", "templates.png", "thresholds.png"]
    assert len(sources) == len(figures)
    assert all(source.startswith("data:image/png;base64,") for source in sources)
    assert "<table>" in html


def test_every_accuracy_of_the_page_is_among_the_scores_or_published(reproduced):
    _, report, _ = reproduced
    page = (report / "report.md").read_text()
    of_table = page.split("## Accuracy by layer")[1].split("## Quirks")[0]
    shown = [line.strip("| ").split(" | ") for line in of_table.splitlines() if re.match(r"\| \d", line)]
    rows = {
        (row["template"], row["layer"]): row["score"]
        for row in rows_of(report)
        if (row["role"], row["standardize"], row["pos"]) == ("model", "corpus", "all")
    }
    assert len(shown) == 4
    for layer, *accuracies in shown:
        expected = [f"{float(rows[template, layer]):.3f}" for template in TEMPLATES]
        assert accuracies == expected


def test_layer_0_of_a_prompt_says_nothing(reproduced):
    _, report, done = reproduced
    at_0 = [
        row
        for row in rows_of(report)
        if row["template"] in ("prompt1", "prompt2") and row["layer"] == "0" and row["pos"] == "all"
    ]
    share = 18 / 35  # 35 pairs, T and F in turn
    assert len(at_0) == 6
    assert all(min(abs(float(row["score"]) - s) for s in (share, 1 - share)) < 1e-6 for row in at_0)
    assert all(float(row["auc"]) == 0.5 for row in at_0)
    assert f"{done.study.about['prompt_layer_0']:.3f} here" in (report / "report.md").read_text()


def test_first_words_are_counted(reproduced):
    _, _, done = reproduced
    n_nouns = sum(n % 3 > 0 for n_pairs in (40, 35) for n in range(n_pairs))
    assert done.study.about["n_first_words"] == n_nouns


def test_the_command_prints_the_verdicts_and_the_files(wic, tiny_model, reproduced, tmp_path):
    store, _, done = reproduced
    outcome = command(
        *("reproduce", "fantastic-semantics", store, "--model", tiny_model("llama")),
        *("--contrast", tiny_model("bert"), "--wic", wic, "--out", tmp_path / "out", "--resamples", "200"),
        "--prompt-quirk",
    )
    assert outcome.code == 0
    for finding in done.study.findings:
        assert f"{finding.verdict}: {finding.claim}" in outcome.out
    assert str(tmp_path / "out" / "report.html") in outcome.out
    assert "Asking the store" in outcome.err


def test_what_cannot_be_used_is_refused(wic, tiny_model, tmp_path):
    def ask(study="fantastic-semantics", out=tmp_path / "out", wic=wic, **options):
        model = str(tiny_model("llama"))
        repstore.reproduce(study, tmp_path / "store", model=model, wic=wic, out=out, **options)

    with pytest.raises(NotFoundError, match='Did you mean "fantastic-semantics"'):
        ask(study="fantastic-semantic")
    with pytest.raises(ArgumentError, match="at least 1"):
        ask(resamples=0)
    (tmp_path / "file").touch()
    with pytest.raises(ArgumentError, match="Give a folder"):
        ask(out=tmp_path / "file")
    with pytest.raises(CorpusError, match="does not exist"):
        ask(wic=tmp_path / "nowhere")
    (tmp_path / "only" / "dev").mkdir(parents=True)
    for kind in ("data", "gold"):
        source = wic / "dev" / f"dev.{kind}.txt"
        (tmp_path / "only" / "dev" / source.name).write_bytes(source.read_bytes())
    with pytest.raises(CorpusError, match='no split "test"'):
        ask(wic=tmp_path / "only")
    assert not (tmp_path / "store").exists()
    assert not (tmp_path / "out").exists()
