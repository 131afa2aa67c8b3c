"""Every format of corpora is named where a user looks for it."""

from __future__ import annotations

from pathlib import Path

import pytest
from typer.main import get_command

import repstore.corpus
from repstore.cli.app import app

DOCS = (Path(__file__).parents[1] / "docs" / "corpora.md").read_text(encoding="utf-8")
(SOURCE, *_) = get_command(app).commands["ingest"].params


@pytest.mark.parametrize("kind", repstore.corpus.READERS)
def test_a_format_is_in_the_documentation_in_the_package_and_in_the_help(kind):
    (row,) = [line for line in DOCS.splitlines() if line.startswith(f"| `{kind}:")]
    assert row.count("|") == 5, "what it is, where to get it, and its licence"
    assert f"``{kind}:" in (repstore.corpus.__doc__ or "")
    assert kind in SOURCE.help
