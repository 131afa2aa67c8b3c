"""The site: its reference has every public name, and it is built without warnings or requests to others."""

import importlib
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

import repstore

ROOT = Path(__file__).parents[1]
REFERENCE = "\n".join(page.read_text(encoding="utf-8") for page in (ROOT / "docs" / "reference").glob("*.md"))
SHOWN = re.findall(r"^::: ([\w.]+)$", REFERENCE, re.MULTILINE)


def test_every_public_name_is_in_the_reference():
    shown = set()
    for name in SHOWN:
        home, _, member = name.rpartition(".")
        module = importlib.import_module(home)
        value = getattr(module, member)
        if name == "repstore.errors":
            shown |= {error for error in vars(value) if error.endswith("Error")}
        shown.add(member)
    assert set(repstore.__all__) - {"__version__"} <= shown
    assert len(SHOWN) == len(set(SHOWN))


def test_what_the_reference_shows_is_what_repstore_exports():
    homes = {name.rpartition(".")[2]: name.rpartition(".")[0] for name in SHOWN}
    for name in set(repstore.__all__) & set(homes):
        assert getattr(importlib.import_module(homes[name]), name) is getattr(repstore, name)


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    """The site, as `make docs` builds it."""
    folder = tmp_path_factory.mktemp("site")
    built = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--quiet", "--site-dir", folder],
        cwd=ROOT,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        capture_output=True,
        text=True,
    )
    assert (built.returncode, built.stdout + built.stderr) == (0, "")
    return folder


def test_the_site_asks_no_other_server_for_anything(site):
    pages = list(site.rglob("*.html"))
    assert len(pages) > 30
    for page in pages:
        text = page.read_text(encoding="utf-8")
        asked = re.findall(r"<(?:script|img|iframe|source)[^>]* src=[\"']?(?:https?:)?//[^\s>]+", text)
        asked += re.findall(
            r"<link (?![^>]*rel=[\"']?(?:canonical|prev|next))[^>]*href=[\"']?(?:https?:)?//[^\s>]+", text
        )
        assert asked == [], page
    for sheet in site.rglob("*.css"):
        assert not re.search(r"(url\(|@import )[\"']?(https?:)?//", sheet.read_text(encoding="utf-8"))


def test_the_home_page_is_the_readme_and_shows_its_figures(site):
    home = (site / "index.html").read_text(encoding="utf-8")
    figures = re.findall(r"!\[[^]]*\]\(docs/([^)]+)\)", (ROOT / "README.md").read_text(encoding="utf-8"))
    assert figures
    for figure in figures:
        assert f'src="{figure}"' in home
        assert (site / figure).read_bytes().startswith(b"\x89PNG")


def test_the_home_page_leads_to_the_page_of_the_notebook(site):
    home = (site / "index.html").read_text(encoding="utf-8")
    assert 'href="tour.html"' in home
    assert 'href="tour.ipynb"' not in home


def test_types_of_signatures_are_in_the_reference(site):
    """A name of ours that leads nowhere is marked as such; attributes are described where they stand."""
    lost = set()
    for page in (site / "reference").glob("*.html"):
        lost |= set(re.findall(r"<span title=\"?(repstore\.[\w.]+)", page.read_text(encoding="utf-8")))
    types = {name for name in lost if not re.search(r"\.[A-Z]\w*\.\w+$|\.[A-Z_]+$", name)}
    assert types == set()
