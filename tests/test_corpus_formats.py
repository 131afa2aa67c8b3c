"""Every format of corpora is named where a user looks for it."""

from __future__ import annotations

from collections import Counter
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


@pytest.mark.parametrize(
    ("file", "first", "texts", "edges"),
    [
        ("en_x-ud-train.conllu", "# text = She didn't go.", ["She didn't go."], {"ud": 5, "enhanced": 5}),
        ("en.dm.sdp", "#SDP 2015", ["She wants to leave ."], {"dm": 4}),
    ],
)
def test_the_example_in_the_documentation_is_read(tmp_path, file, first, texts, edges):
    (example,) = [block for block in DOCS.split("```") if block.startswith(f"text\n{first}")]
    (tmp_path / file).write_text(example.removeprefix("text\n"), encoding="utf-8")
    corpus = repstore.corpus.read(f"{file.rpartition('.')[2]}:{tmp_path / file}")
    assert [text.text for text in corpus.texts()] == texts
    assert Counter(edge.kind for edge in corpus.edges()) == edges
