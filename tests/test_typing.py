"""A type checker knows what users get, and finds what they get wrong."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
PREAMBLE = """
import numpy as np
import repstore
store = repstore.open("store")
run = store.run("m/base")
weights = np.ones(8, np.float32)
"""
TYPES = {
    'store.run("m/base")[8].vectors': "repstore.storage.vectors.LayerVectors",
    "store.vectors(run='m/base', layer=8)": "repstore.storage.vectors.LayerVectors",
    "run[-1]": "repstore.run_views.Layer",
    "run['mix:x']": "repstore.run_views.Layer",
    "run[4:8]": "list[repstore.run_views.Layer]",
    "list(run)": "list[repstore.run_views.Layer]",
    "run.words": "repstore.results.ResultTable",
    "run[8].word_ids": "numpy.ndarray",
    "run[8].to_numpy(np.float32)": "numpy.ndarray",
    "run[8].vectors @ weights": "numpy.ndarray",
    "np.asarray(run[8])": "numpy.ndarray",
    "next(run[8].blocks(64))": "tuple[numpy.ndarray",
    "run[8].to_torch()": "torch._tensor.Tensor",
    "run[8].to_pandas()": "pandas.core.frame.DataFrame",
    "store.transformed('t').run()": "repstore.run_views.Run",
    "store.probe('wic', run='m/base')": "repstore.results.ResultTable",
}
MISTAKES = {
    "store.run(8)": "arg-type",
    "run[8.0]": "call-overload",
    "run.vectors": "attr-defined",
    "run[8].blocks(n_row=1)": "call-arg",
    "store.probe('wic', threshold='best')": "call-overload",
}


def test_mypy_knows_what_is_returned_and_finds_mistakes(tmp_path):
    program = tmp_path / "program.py"
    revealed = [f"reveal_type({expression})" for expression in TYPES]
    program.write_text("\n".join([PREAMBLE, *revealed, *MISTAKES]) + "\n")
    # The cache is that of `make lint`: without it, all of repstore and numpy has to be read first.
    options = ["--config-file", ROOT / "pyproject.toml", "--cache-dir", ROOT / ".mypy_cache", "--strict"]
    command = [sys.executable, "-m", "mypy", "--no-error-summary", *options, program]
    said = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False).stdout
    lines = [line.split(":", 2) for line in said.splitlines() if line.startswith(str(program))]
    found = {
        int(at): message.strip()
        for _, at, message in lines
        if "note: Revealed" in message or "error" in message
    }
    first = len(PREAMBLE.splitlines()) + 2
    for at, (expression, expected) in enumerate(TYPES.items(), first):
        assert found.pop(at).startswith(f'note: Revealed type is "{expected}'), expression
    for at, (mistake, code) in enumerate(MISTAKES.items(), first + len(TYPES)):
        assert re.search(rf"\[{code}\]$", found.pop(at)), mistake
    assert not found
