from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

from tiny import save

N_WORDS = 2_000
N_LAYERS, D_MODEL = 65, 64
ROW_BYTES = N_LAYERS * D_MODEL * 2
FORMS = ["the", "and", "her", "ing", "at"]  # each one token, so that many words cost little

INGEST = """
import resource, sys
import repstore
from repstore import schemas

schemas.MAX_PART_ROWS = 500
source, store, model = sys.argv[1:]
report = repstore.ingest(source, store, model=model)
print(report.n_new, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024)
"""


def peak_memory(n_words: int, model: Path, folder: Path) -> int:
    """Bytes that a process needs at most to ingest a corpus of so many words."""
    source = folder / f"{n_words}.txt"
    source.write_text(f"{' '.join(2 * FORMS)}\n" * (n_words // 10))
    # With one thread, neighbors on a busy machine are not waited for.
    finished = subprocess.run(
        [sys.executable, "-c", INGEST, f"text:{source}", str(folder / f"store-{n_words}"), str(model)],
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        check=True,
        capture_output=True,
        text=True,
    )
    n_new, peak = map(int, finished.stdout.split())
    assert n_new == n_words
    return peak


def test_peak_memory_does_not_grow_with_the_corpus(tmp_path):
    """Ten times the words are 150 MB more of vectors; tables of words and their catalog take some 30 MB."""
    model = save(
        "bert",
        tmp_path / "model",
        hidden_size=D_MODEL,
        intermediate_size=16,
        num_hidden_layers=N_LAYERS - 1,
        num_attention_heads=1,
    )
    small, large = (peak_memory(n_words, model, tmp_path) for n_words in (N_WORDS, 10 * N_WORDS))
    assert large - small < 9 * N_WORDS * ROW_BYTES / 2
