"""The main job from beginning to end, as ``make demo`` shows it."""

from __future__ import annotations

import shlex
from pathlib import Path

import repstore
from repstore.cli.render import show, showing_progress
from repstore.cli.saying import program

RUNS = ("smollm2/base", "smollm2/repeat")
WORD, TEXT = "bank", "muddy bank"
QUERY = """
WITH v AS (SELECT word_id, vector FROM vectors WHERE run = 'smollm2/repeat' AND layer = 9)
SELECT w.pos, count(*) AS n_pairs,
       avg(cosine(a.vector, b.vector)) FILTER (WHERE label) AS same_sense,
       avg(cosine(a.vector, b.vector)) FILTER (WHERE NOT label) AS different_sense
FROM pairs
JOIN v AS a ON a.word_id = word_a
JOIN v AS b ON b.word_id = word_b
JOIN words AS w ON w.word_id = word_a
GROUP BY w.pos ORDER BY w.pos
"""


def run_demo(folder: Path, corpus: Path) -> None:
    """Ingest a corpus through SmolLM2, then answer four questions from the store alone."""
    path = folder / "store"
    print(f"1. Ingest {corpus} through SmolLM2-135M, once\n")
    with showing_progress() as progress:
        report = repstore.ingest(
            f"senses:{corpus}",
            path,
            model="smollm2",
            templates=["base", "repeat"],
            progress=progress,
        )
    for run in report.runs:
        again = "" if run.n_new else " (already there: nothing to do)"
        print(f"   {run.run}: {run.n_vectors:,} words x every layer{again}")

    store = repstore.open(path)
    print("\n2. Which layers tell senses apart? (Word-in-Context accuracy)\n")
    show(store.probe("wic", run=RUNS), "table", folder / "wic.png")

    print("\n3. What stands next to one use of a word, as the layers rise?\n")
    show(store.neighbors(WORD, text=TEXT, run=RUNS[1], layer=[0, 9, 30], k=5), "table")

    print("\n4. Which layers are alike? (CKA; the figure has all of them)\n")
    show(store.compare("cka", run=RUNS[1], layer=range(0, 31, 5)), "table")
    store.compare("cka", run=RUNS[1]).plot(folder / "cka.png")

    print("\n5. Anything else is SQL: cosines of same-sense and different-sense pairs at layer 9")
    print(QUERY)
    show(store.sql(QUERY), "table")
    again, store_path = shlex.join(program()), shlex.quote(str(path))
    print(f"\nFigures: {folder / 'wic.png'}, {folder / 'cka.png'}. Try next:\n")
    print(f"  {again} neighbors {store_path} spring --text mattress --run {RUNS[1]} --layer 4,12 -k 5")
    print(f"  {again} probe wic {store_path} --run {RUNS[1]} --standardize none --format csv")
    print(f'  {again} sql {store_path} "SELECT sense, count(*) AS uses FROM words GROUP BY ALL"')
