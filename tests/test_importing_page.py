"""docs/importing.md: its code runs, in order, on a store like that of the demo."""

from __future__ import annotations

import re
import shlex
from pathlib import Path

import numpy as np
import pytest
from program import repstore as command
from synthetic import SyntheticRun, build_store, random_layers

import repstore
from repstore import corpus as corpora

ROOT = Path(__file__).parents[1]
PAGE = (ROOT / "docs" / "importing.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"^```(\w+)\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)


def test_the_code_of_the_page_runs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    corpus = corpora.read(f"senses:{ROOT / 'data' / 'polysemy.jsonl'}")
    n_words = sum(len(text.words) for text in corpus.texts())
    run = SyntheticRun("smollm2/repeat", random_layers(n_words, 8, 9))
    (tmp_path / "demo").mkdir()
    build_store(tmp_path / "demo" / "store", corpus, [run])
    monkeypatch.chdir(tmp_path)
    names: dict[str, object] = {}
    for language, block in BLOCKS:
        if language == "python":
            exec(compile(block, "importing.md", "exec"), names)
            continue
        for line in block.splitlines():
            outcome = command(*shlex.split(line)[1:])
            assert outcome.code == 0, outcome.err
            assert outcome.out
    with repstore.open("demo/store") as store:
        assert store.runs()["run"] == ["eighth", "noise", "smollm2/repeat", "static"]
        assert store.sql("SELECT DISTINCT reason FROM skipped")["reason"] == ["not_in_vocabulary"]
        n_static = len(store.vectors(run="static", layer=0).word_ids)
        assert n_words > n_static > 0.9 * n_words
        assert np.isfinite(store.vectors(run="static", layer=0).values).all()
    assert not len(repstore.verify("demo/store"))
    assert not len(repstore.verify("two/store"))
